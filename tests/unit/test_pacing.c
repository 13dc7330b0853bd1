/* pacing: ticks, first admissions, tolerance of missing acknowledgements. */
#include "cmocka_all.h"

#include <string.h>

#include "pacing.h"
#include "two_platforms.h"

static void test_fast_ticks_until_the_count_ring_is_full(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 8500000, 100);
    assert_true(pacing_is_fast(&r));
    r.ring = 1;
    assert_true(pacing_is_fast(&r));
    r.full_since_ms = 5;
    assert_false(pacing_is_fast(&r));
    r.ring = 2;
    r.full_since_ms = -1;
    assert_false(pacing_is_fast(&r));
}

static void test_n0_by_largest_remainder(void **state)
{
    static const int64_t share[] = {24, 18, 12, 9, 6, 2, 3, 1, 6, 4, 2, 1, 5, 4, 2, 1};
    static const int64_t want[16] = {1, 1, 1, 1};
    struct topology t = {.n_os = 1, .n_cohorts = 16};
    int64_t got[GATE_MAX_COHORTS], sum = 0;

    (void)state;
    for (int c = 0; c < 16; c++)
        t.cohorts[c].size = share[c] * 1000;
    pacing_spread(4, &t, got);
    for (int c = 0; c < 16; c++) {
        assert_int_equal(got[c], want[c]);
        sum += got[c];
    }
    assert_int_equal(sum, 4);
}

/* A small fleet stops at three that stay away: a fourth in the first step would be lost for
 * nothing. */
static void test_n0_of_small_fleets(void **state)
{
    static const int64_t want[][2] = {{1, 1},    {149, 1},  {150, 2},  {250, 3},
                                      {1000, 3}, {4999, 3}, {5000, 4}, {8500000, 4}};
    struct policy p;

    (void)state;
    policy_standard(&p);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_int_equal(pacing_first(&p, want[i][0]), want[i][1]);
    p.n0 = 2;
    assert_int_equal(pacing_first(&p, 4999), 2);
}

static void test_unacknowledged_limit_passes_smoothly(void **state)
{
    struct policy p;

    (void)state;
    policy_standard(&p);
    assert_int_equal(pacing_unacknowledged_limit(&p, 500, 3), 2);
    assert_int_equal(pacing_unacknowledged_limit(&p, 4999, 1000), 4); /* 2 + 0.5 + 3 sqrt 0.5 */
    assert_int_equal(pacing_unacknowledged_limit(&p, 5000, 1000), 4);
    assert_int_equal(pacing_unacknowledged_limit(&p, 25000, 1000), 20); /* five times */
    assert_int_equal(pacing_unacknowledged_limit(&p, 50000, 1000), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_ticks_until_the_count_ring_is_full),
        cmocka_unit_test(test_n0_by_largest_remainder),
        cmocka_unit_test(test_n0_of_small_fleets),
        cmocka_unit_test(test_unacknowledged_limit_passes_smoothly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
