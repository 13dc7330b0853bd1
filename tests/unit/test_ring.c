/* ring: the policy's rings on fleets of all sizes. */
#include "cmocka_all.h"

#include <string.h>

#include "ring.h"
#include "two_platforms.h"

static void test_rings_merge_on_small_fleets(void **state)
{
    static const struct {
        int fleet, canaries, n;
        int64_t caps[6];
    } rows[] = {
        {1, 0, 1, {1}},
        {4, 0, 2, {1, 4}},
        {50, 0, 4, {1, 5, 48, 50}},
        {50, 20, 3, {10, 48, 50}}, /* the smaller rings are within the canaries */
        {403, 3, 5, {2, 4, 40, 383, 403}},
        {50000, 0, 4, {500, 5000, 47500, 50000}},
        {8500000, 500, 6, {250, 2000, 85000, 850000, 8075000, 8500000}},
    };
    struct policy p;

    (void)state;
    policy_standard(&p);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rollout r;

        build(&r, &p, rows[i].fleet, rows[i].canaries);
        assert_int_equal(r.n_rings, rows[i].n);
        for (int k = 0; k < r.n_rings; k++)
            assert_int_equal(r.rings[k].cap, rows[i].caps[k]);
    }
}

static void test_merged_rings_keep_margins_and_bake(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    p.rings[2].bake_ms *= 2;
    build(&r, &p, 500, 0); /* 2,000 or 1 %, and 1 %: five devices both */
    assert_int_equal(r.rings[0].cap, 5);
    assert_int_equal(r.rings[0].bake_ms, p.rings[2].bake_ms);
    assert_true(r.rings[0].rho_cr == 3.0 && r.rings[0].rho_sl == 1.5);
}

static void test_holdout_is_a_ring(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    p.holdout_ppm = 10000;
    build(&r, &p, 50000, 0);
    assert_int_equal(r.n_rings, 5);
    assert_int_equal(r.rings[3].cap, 49500);
    assert_int_equal(r.rings[3].bake_ms, p.holdout_ms);
}

/* The ring before holds back less than the holdout asks: it bakes as long, and stays what it is. */
static void test_merged_holdout_keeps_the_ring(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    p.rings[4].share_ppm = 980000;
    p.rings[4].rho_cr = 2.0;
    p.holdout_ppm = 30000;
    build(&r, &p, 50000, 0);
    assert_int_equal(r.n_rings, 4);
    assert_int_equal(r.rings[2].cap, 49000);
    assert_int_equal(r.rings[2].share_ppm, 980000);
    assert_int_equal(r.rings[2].bake_ms, p.holdout_ms);
    assert_int_equal(r.rings[2].first_policy_ring, 4); /* whose margins are asked */
    assert_int_equal(r.rings[2].policy_ring, 4);
}

/* Full because those that are left have it; not full because the others are gone. */
static void test_deserted_rings_are_not_full(void **state)
{
    static const struct {
        int ring;
        int64_t ready, late, staging, admitted, heard, away;
        bool deserted, full;
    } rows[] = {
        {1, 0, 0, 0, 3, 3, 0, false, true},  /* of 50: 5, and nobody else is about */
        {1, 0, 0, 0, 3, 3, 3, false, true},  /* as many are here as away */
        {1, 0, 0, 0, 3, 3, 4, true, false},  /* more are away */
        {1, 0, 0, 0, 3, 0, 0, true, false},  /* nobody is here */
        {1, 0, 0, 0, 5, 0, 45, true, true},  /* its count is its count */
        {1, 2, 0, 0, 3, 3, 4, false, false}, /* those that are ready are let in first */
        {3, 0, 0, 0, 30, 30, 20, false, true}, {3, 0, 0, 0, 30, 15, 20, true, false},
        {3, 0, 0, 0, 50, 0, 0, true, false}, /* everybody has it, and nobody says how it is */
        {3, 0, 1, 0, 30, 30, 0, false, false},
    };
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 50, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cohort_facts f = {.ready = rows[i].ready,
                                 .late = rows[i].late,
                                 .staging = rows[i].staging,
                                 .admitted = rows[i].admitted,
                                 .healthy = rows[i].admitted,
                                 .heard = rows[i].heard,
                                 .away = rows[i].away};

        r.ring = rows[i].ring;
        assert_int_equal(ring_is_deserted(&f), rows[i].deserted);
        assert_int_equal(ring_is_full(&r, 1000, &f), rows[i].full);
    }
}

/* Half of the canaries that there are, not of those that are still awake. */
static void test_a_deserted_canary_group_is_not_full(void **state)
{
    struct cohort_facts f = {.admitted = 1, .heard = 1, .canary_size = 20, .canary_admitted = 1};
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 20);
    f.ready = 400;
    assert_true(ring_is_full(&r, 1000, &f)); /* the others never said that they are ready */
    f.away = f.canary_away = 2;
    assert_false(ring_is_full(&r, 1000, &f));
    f.canary_ready = 1;
    assert_true(ring_is_full(&r, 1000, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rings_merge_on_small_fleets),
        cmocka_unit_test(test_merged_rings_keep_margins_and_bake),
        cmocka_unit_test(test_holdout_is_a_ring),
        cmocka_unit_test(test_merged_holdout_keeps_the_ring),
        cmocka_unit_test(test_deserted_rings_are_not_full),
        cmocka_unit_test(test_a_deserted_canary_group_is_not_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
