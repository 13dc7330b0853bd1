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
    const struct standing into = {
        .tick = (int32_t)tick, .cohort = 1, .stratum = STRATUM_MAIN, .side = (uint8_t)side};

    *s = NOBODY;
    counters_enter(&counters, s, &into);
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
    counters_alive(&counters, &t, COUNTERS_DEADLINE + 1);
    assert_int_equal(t.tick, -1);
    assert_int_equal(resolve_one(0).f_t, 1);
}

/* Treated devices are in no group; who is heard in time, or says goodbye, leaves its own. */
static void silent_controls_by_group(void **state)
{
    struct standing s[6];

    (void)state;
    for (int i = 0; i < 6; i++) {
        const struct standing into = {
            .cohort = 1, .group = (uint8_t)(i / 2), .side = i == 5 ? SIDE_TREATED : SIDE_CONTROL};

        counters_enter(&counters, &s[i], &into);
    }
    assert_int_equal(counters_silent_groups(&counters, 0), 3);
    counters_alive(&counters, &s[0], 1);
    assert_int_equal(counters_silent_groups(&counters, 0), 3);
    counters_excuse(&counters, &s[1], 1);
    counters_alive(&counters, &s[4], 2);
    assert_int_equal(counters_silent_groups(&counters, 0), 1);
    counters_alive(&counters, &s[2], COUNTERS_DEADLINE + 1); /* too late */
    counters_alive(&counters, &s[3], COUNTERS_DEADLINE + 1);
    assert_int_equal(counters_silent_groups(&counters, 0), 1);
    assert_int_equal(counters_silent_groups(&counters, 1), 0);
    assert_int_equal(counters_silent_groups(&counters, -1), 0);
    counters_turn(&counters, COUNTERS_TICKS);
    assert_int_equal(counters_silent_groups(&counters, 0), 0);
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

static struct tally tally;

static int no_tally(void **state)
{
    (void)state;
    tally_release(&tally);
    return 0;
}

static void note(const struct arms *arms)
{
    for (int i = 0; i < arms->n; i++)
        tally_note(&tally, &arms->rows[i]);
}

static void fill(struct arm *rows, struct arms *arms)
{
    const struct tally_config config = {.devices = N_ARMS, .interval_ms = 1000};

    tally_init(&tally, &config);
    tally_turn(&tally, 4, 0);
    memset(rows, 0, N_ARMS * sizeof *rows);
    for (int i = 0; i < N_ARMS; i++)
        rows[i] = (struct arm){.known = true,
                               .ready = true,
                               .ready_tick = 4,
                               .tracked = true,
                               .u = (uint64_t)((i * 7) % N_ARMS) * 100,
                               .cohort = (int8_t)(i % 2),
                               .canary = i < 4};
    *arms = (struct arms){.rows = rows, .n = N_ARMS};
    for (int i = 0; i < N_ARMS; i++)
        assert_int_equal(tally_join(&tally, &rows[i], (uint32_t)i), 0);
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
    assert_int_equal(admission_move(&a, &tally, &arms, &d, false, none_halted), 0);
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
    admission_move(&a, &tally, &arms, &d, false, none_halted);
    /* None of the three came: the next three admissions are theirs, and nobody is added. */
    admission_move(&a, &tally, &arms, &d, false, none_halted);
    assert_int_equal(count_below(&a, &arms), 3);
    /* Asleep they hold nobody up: the threshold moves on, and they are below when they wake. */
    for (int i = 0; i < N_ARMS; i++)
        if (rows[i].u <= 200)
            rows[i].ready_tick = 0;
    note(&arms);
    admission_move(&a, &tally, &arms, &d, false, none_halted);
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
    admission_move(&a, &tally, &arms, &d, false, none_halted);
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
    admission_move(&a, &tally, &arms, &d, false, halted);
    for (int i = 0; i < N_ARMS; i++)
        below[rows[i].cohort] += admission_below(&a, &rows[i]);
    assert_int_equal(below[0], 1);
    assert_int_equal(below[1], 3);
    halted[1] = true;
    admission_move(&a, &tally, &arms, &d, false, halted);
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
    admission_move(&a, &tally, &arms, &d, true, none_halted);
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
    note(&arms);
    admission_move(&a, &tally, &arms, &d, false, none_halted);
    assert_int_equal(count_below(&a, &arms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(silence_is_what_is_left, start),
        cmocka_unit_test_setup(same_tick_is_no_sign_of_life, start),
        cmocka_unit_test_setup(failure_is_frozen_at_the_deadline, start),
        cmocka_unit_test_setup(silent_controls_by_group, start),
        cmocka_unit_test_setup(goodbye_excuses_in_time_only, start),
        cmocka_unit_test_setup(a_turn_forgets_only_its_own_cell, start),
        cmocka_unit_test_teardown(the_lowest_draws_are_below, no_tally),
        cmocka_unit_test_teardown(late_devices_are_served_first, no_tally),
        cmocka_unit_test_teardown(allowance_is_spent, no_tally),
        cmocka_unit_test_teardown(cohorts_have_their_own, no_tally),
        cmocka_unit_test_teardown(the_canary_ring_takes_canaries_only, no_tally),
        cmocka_unit_test_teardown(paced_devices_are_not_in_the_pool, no_tally),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
