/* rollout_say: margins in words, of the ring that stands and of those merged into it. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "rollout.h"

static struct rollout *rollout_of(int64_t devices)
{
    struct rollout *r = calloc(1, sizeof *r);
    struct topology t = {.n_os = 1, .os = {"linux"}, .n_cohorts = 1};
    struct policy p;
    char why[200];

    t.cohorts[0] = (struct topology_cohort){.name = "linux-6.1", .size = devices};
    policy_standard(&p);
    assert_non_null(r);
    assert_int_equal(rollout_init(r, &p, &t, 0, why, sizeof why), 0);
    return r;
}

static void a_ring_says_what_must_be_shown(void **state)
{
    struct rollout *r = rollout_of(8500000); /* 2,000 devices, 1 %, 10 %, 95 %, 100 % */
    char line[GATE_REASON_MAX];

    (void)state;
    assert_false(rollout_say_margin(r, 0, line, sizeof line));
    r->ring = 1;
    r->gate.ni_cr[2] = 1.24;
    r->gate.ni_sl[2] = 3.1;
    assert_true(rollout_say_margin(r, 0, line, sizeof line));
    assert_string_equal(
        line, "odds of a crash below 3 times the controls': not shown yet, proof 1.2 of 3.0");
    assert_true(rollout_say_margin(r, 1, line, sizeof line));
    assert_string_equal(
        line, "odds of a long silence below 1.5 times the controls': shown, proof 3.1 of 3.0");
    assert_false(rollout_say_margin(r, 2, line, sizeof line));
    r->ring = r->n_rings - 1;
    assert_false(rollout_say_margin(r, 0, line, sizeof line));
    free(r);
}

static void merged_rings_ask_for_all_their_margins(void **state)
{
    struct rollout *r = rollout_of(4); /* 1 % and 10 % are one device, too */
    char line[GATE_REASON_MAX];
    int n = 0;

    (void)state;
    while (rollout_say_margin(r, n, line, sizeof line))
        n++;
    assert_int_equal(n, 4);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_says_what_must_be_shown),
        cmocka_unit_test(merged_rings_ask_for_all_their_margins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
