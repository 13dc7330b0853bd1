/* counters and thresholds: who fell silent, who is below, without timers. */
#include "cmocka_all.h"

#include <string.h>

#include "rollouts/admission.h"
#include "fleet/counters.h"

#define NOBODY ((struct standing){.tick = -1})

static struct counters counters;

static int start(void **state)
{
    (void)state;
    memset(&counters, 0, sizeof counters);
    return 0;
}

static struct batch resolve_one(int64_t tick)
{
    struct batch b[4];

    assert_int_equal(counters_resolve(&counters, tick, b, 4), 1);
    return b[0];
}

static void enter(struct standing *s, int64_t tick, enum arm_side side)
{
    *s = NOBODY;
    counters_enter(&counters, s, tick, 1, STRATUM_MAIN, side);
}

static void silence_is_what_is_left(void **state)
{
    struct standing t[3], c[4];
    struct batch b;

    (void)state;
    for (int i = 0; i < 3; i++)
        enter(&t[i], 0, SIDE_TREATED);
    for (int i = 0; i < 4; i++)
        enter(&c[i], 0, SIDE_CONTROL);
    counters_alive(&counters, &t[0], 1);
    for (int i = 0; i < 4; i++)
        counters_alive(&counters, &c[i], 3);
    b = resolve_one(0);
    assert_int_equal(b.metric, METRIC_SF);
    assert_int_equal(b.cohort, 1);
    assert_int_equal(b.n_t, 3);
    assert_int_equal(b.f_t, 2);
    assert_int_equal(b.n_c, 4);
    assert_int_equal(b.f_c, 0);
}

static void same_tick_is_no_sign_of_life(void **state)
{
    struct standing t;

    (void)state;
    enter(&t, 2, SIDE_TREATED);
    counters_alive(&counters, &t, 2);
    assert_int_equal(t.tick, 2);
    assert_int_equal(resolve_one(2).f_t, 1);
}

static void failure_is_frozen_at_the_deadline(void **state)
{
    struct standing t;

    (void)state;
    enter(&t, 0, SIDE_TREATED);
    assert_true(counters_fails(&t, COUNTERS_DEADLINE));
    counters_alive(&counters, &t, COUNTERS_DEADLINE + 1);
    assert_int_equal(t.tick, -1);
    assert_int_equal(resolve_one(0).f_t, 1);
}

static void goodbye_excuses_in_time_only(void **state)
{
    struct standing a, b, late;

    (void)state;
    enter(&a, 0, SIDE_CONTROL);
    enter(&b, 0, SIDE_CONTROL);
    enter(&late, 0, SIDE_CONTROL);
    counters_excuse(&counters, &a, 0);
    counters_alive(&counters, &b, 1);
    counters_excuse(&counters, &b, 1); /* it was heard: a success stays one */
    counters_excuse(&counters, &late, COUNTERS_DEADLINE + 1);
    assert_int_equal(resolve_one(0).n_c, 2);
    assert_int_equal(resolve_one(0).f_c, 1);
}

static void a_turn_forgets_only_its_own_cell(void **state)
{
    struct standing old, new;
    struct batch b[4];

    (void)state;
    enter(&old, 0, SIDE_TREATED);
    enter(&new, 1, SIDE_TREATED);
    counters_turn(&counters, COUNTERS_TICKS);
    assert_int_equal(counters_resolve(&counters, 0, b, 4), 0);
    assert_int_equal(resolve_one(1).n_t, 1);
    assert_int_equal(counters_resolve(&counters, -1, b, 4), 0);
}

/* --- thresholds ------------------------------------------------------------------------------- */

#define N_ARMS 10

static void fill(struct arm *rows, struct arms *arms)
{
    memset(rows, 0, N_ARMS * sizeof *rows);
    for (int i = 0; i < N_ARMS; i++)
        rows[i] = (struct arm){.known = true,
                               .ready = true,
                               .ready_tick = 4,
                               .u = (uint64_t)((i * 7) % N_ARMS) * 100,
                               .cohort = (int8_t)(i % 2),
                               .canary = i < 4};
    *arms = (struct arms){.rows = rows, .n = N_ARMS};
}

static int count_below(const struct admission *a, const struct arms *arms)
{
    int n = 0;

    for (int i = 0; i < arms->n; i++)
        n += admission_below(a, &arms->rows[i]);
    return n;
}

static const bool none_halted[GATE_MAX_COHORTS];

static void the_lowest_draws_are_below(void **state)
{
    struct rollout_decision d = {.fleet_wide = true, .admit = {3, 3}, .admit_fleet = 3};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;

    (void)state;
    fill(rows, &arms);
    assert_int_equal(count_below(&a, &arms), 0);
    assert_int_equal(admission_move(&a, &arms, 4, &d, false, none_halted), 0);
    assert_int_equal(count_below(&a, &arms), 3);
    for (int i = 0; i < N_ARMS; i++)
        assert_int_equal(admission_below(&a, &rows[i]), rows[i].u <= 200);
    assert_false(admission_was_below(&a, &rows[0]));
}

static void late_devices_are_served_first(void **state)
{
    struct rollout_decision d = {.fleet_wide = true, .admit = {3, 3}, .admit_fleet = 3};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;

    (void)state;
    fill(rows, &arms);
    admission_move(&a, &arms, 4, &d, false, none_halted);
    /* None of the three came: the next three admissions are theirs, and nobody is added. */
    admission_move(&a, &arms, 4, &d, false, none_halted);
    assert_int_equal(count_below(&a, &arms), 3);
    /* Asleep they hold nobody up: the threshold moves on, and they are below when they wake. */
    for (int i = 0; i < N_ARMS; i++)
        if (rows[i].u <= 200)
            rows[i].ready_tick = 0;
    admission_move(&a, &arms, 4, &d, false, none_halted);
    assert_int_equal(count_below(&a, &arms), 6);
}

static void allowance_is_spent(void **state)
{
    struct rollout_decision d = {.fleet_wide = true, .admit = {2, 2}, .admit_fleet = 2};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;

    (void)state;
    fill(rows, &arms);
    admission_move(&a, &arms, 4, &d, false, none_halted);
    assert_true(admission_has_room(&a, &rows[0]));
    admission_take(&a, &rows[0]);
    assert_true(admission_has_room(&a, &rows[1]));
    admission_take(&a, &rows[1]);
    assert_false(admission_has_room(&a, &rows[2]));
    admission_close(&a);
    assert_false(admission_has_room(&a, &rows[0]));
}

static void cohorts_have_their_own(void **state)
{
    struct rollout_decision d = {.admit = {1, 3}, .admit_fleet = 4};
    bool halted[GATE_MAX_COHORTS] = {false};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;
    int below[2] = {0};

    (void)state;
    fill(rows, &arms);
    admission_move(&a, &arms, 4, &d, false, halted);
    for (int i = 0; i < N_ARMS; i++)
        below[rows[i].cohort] += admission_below(&a, &rows[i]);
    assert_int_equal(below[0], 1);
    assert_int_equal(below[1], 3);
    halted[1] = true;
    admission_move(&a, &arms, 4, &d, false, halted);
    assert_int_equal(a.left[1], 0);
}

static void the_canary_ring_takes_canaries_only(void **state)
{
    struct rollout_decision d = {
        .fleet_wide = true, .admit = {2, 2}, .admit_fleet = 2, .admit_canary = 2};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;

    (void)state;
    fill(rows, &arms);
    admission_move(&a, &arms, 4, &d, true, none_halted);
    assert_int_equal(count_below(&a, &arms), 2);
    for (int i = 4; i < N_ARMS; i++) {
        assert_false(admission_below(&a, &rows[i]));
        assert_false(admission_has_room(&a, &rows[i]));
    }
}

static void paced_devices_are_not_in_the_pool(void **state)
{
    struct rollout_decision d = {.fleet_wide = true, .admit = {2, 2}, .admit_fleet = 2};
    struct admission a = {0};
    struct arm rows[N_ARMS];
    struct arms arms;

    (void)state;
    fill(rows, &arms);
    for (int i = 0; i < N_ARMS; i++)
        rows[i].paced = true;
    admission_move(&a, &arms, 4, &d, false, none_halted);
    assert_int_equal(count_below(&a, &arms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(silence_is_what_is_left, start),
        cmocka_unit_test_setup(same_tick_is_no_sign_of_life, start),
        cmocka_unit_test_setup(failure_is_frozen_at_the_deadline, start),
        cmocka_unit_test_setup(goodbye_excuses_in_time_only, start),
        cmocka_unit_test_setup(a_turn_forgets_only_its_own_cell, start),
        cmocka_unit_test(the_lowest_draws_are_below),
        cmocka_unit_test(late_devices_are_served_first),
        cmocka_unit_test(allowance_is_spent),
        cmocka_unit_test(cohorts_have_their_own),
        cmocka_unit_test(the_canary_ring_takes_canaries_only),
        cmocka_unit_test(paced_devices_are_not_in_the_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
