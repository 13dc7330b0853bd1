/* watch: silence in ticks and in time, what becomes of who is heard, excused or back from a failed
 * boot. */
#include "cmocka_all.h"

#include <string.h>

#include "fleet/watch.h"

#define NOWHERE ((struct place){.slot = -1})
#define TICK_MS 10000

static struct watch ticks, times; /* SA's and SL's */
static int64_t tick, now_ms;

static int start(void **state)
{
    (void)state;
    tick = now_ms = 0;
    watch_init(&ticks, WATCH_SILENCE, 0);
    watch_init(&times, 0, 900000);
    return 0;
}

static void in(struct watch *w, struct place *p, enum arm_side side)
{
    watch_move(w, p, 2, STRATUM_MAIN, side);
}

/* One of each arm that is always heard, so that no batch is one-armed. */
static struct place steady[2];

/* Ends a tick of both; the batch of w, if there was one. */
static int turn(struct watch *w, struct batch *ret)
{
    int n;

    for (int a = 0; a < 2; a++)
        in(w, &steady[a], (enum arm_side)a);
    now_ms += TICK_MS;
    n = watch_resolve(w, METRIC_SA, now_ms, ret, 1);
    watch_turn(w, ++tick, now_ms);
    return n;
}

static int begin(void **state)
{
    steady[0] = steady[1] = NOWHERE;
    return start(state);
}

static void five_silent_ticks_fail(void **state)
{
    struct place quiet = NOWHERE, back = NOWHERE;
    struct batch b;

    (void)state;
    in(&ticks, &quiet, SIDE_TREATED);
    in(&ticks, &back, SIDE_CONTROL);
    for (int k = 0; k < WATCH_SILENCE; k++) {
        assert_int_equal(turn(&ticks, &b), 0);
        if (k == 3)
            watch_leave(&ticks, &back); /* in the last tick but one */
    }
    assert_false(watch_has_failed(&ticks, &quiet));
    assert_int_equal(turn(&ticks, &b), 1);
    assert_int_equal(b.tick, 0);
    assert_int_equal(b.cohort, 2);
    assert_int_equal(b.n_t, 2);
    assert_int_equal(b.f_t, 1);
    assert_int_equal(b.n_c, 2);
    assert_int_equal(b.f_c, 0);
    assert_true(watch_has_failed(&ticks, &quiet));
    /* It comes back: nothing of what is resolved changes, nothing goes below zero. */
    watch_leave(&ticks, &quiet);
    assert_int_equal(quiet.slot, -1);
    assert_int_equal(turn(&ticks, &b), 1);
    assert_int_equal(b.n_t, 1);
    assert_int_equal(b.f_t, 0);
}

/* 15 min are 15 min, whatever the ticks: six of 10 s share a slot. */
static void long_silence_is_a_time(void **state)
{
    struct place quiet = NOWHERE, late = NOWHERE;
    struct batch b = {0};
    int first = 0;

    (void)state;
    in(&times, &quiet, SIDE_CONTROL);
    in(&times, &late, SIDE_TREATED);
    for (int k = 1; !first; k++) {
        if (turn(&times, &b))
            first = k;
        if (k == 94) /* 940 s: more than 15 min after its last check-in, but within 15 of the slot's
                        end */
            watch_leave(&times, &late);
    }
    assert_int_equal(first, 6 + 90);
    assert_int_equal(b.tick, 0);
    assert_int_equal(b.n_c, 2);
    assert_int_equal(b.f_c, 1);
    assert_int_equal(b.f_t, 0);
}

static void the_ring_holds_long_and_uneven_ticks(void **state)
{
    struct batch b;
    int64_t trials = 0;

    (void)state;
    for (int k = 0; k < 5000; k++) {
        now_ms += (k % 13 == 0) * 400000; /* the server was slow, or ticks are long */
        if (turn(&times, &b)) {
            assert_int_equal(b.n_t, 1);
            assert_int_equal(b.f_t, 0);
            trials++;
        }
        assert_true(times.now - times.oldest < WATCH_SLOTS);
        assert_int_equal(times.standing[2][STRATUM_MAIN][SIDE_CONTROL], 1);
    }
    assert_true(trials > 500);
}

static void the_excused_were_never_there(void **state)
{
    struct place gone = NOWHERE, failed = NOWHERE;
    struct batch b;

    (void)state;
    in(&ticks, &gone, SIDE_TREATED);
    in(&ticks, &failed, SIDE_TREATED);
    turn(&ticks, &b);
    watch_excuse(&ticks, &gone);
    watch_fail(&ticks, &failed);
    for (int k = 0; k < 4; k++)
        turn(&ticks, &b);
    assert_int_equal(turn(&ticks, &b), 1);
    assert_int_equal(b.n_t, 2);
    assert_int_equal(b.f_t, 1);
}

/* In the slot in which it is granted the release a device stands in one arm. */
static void who_changes_arms_stands_in_one(void **state)
{
    struct place p = NOWHERE;
    struct batch b;

    (void)state;
    in(&ticks, &p, SIDE_CONTROL);
    in(&ticks, &p, SIDE_TREATED);
    in(&ticks, &p, SIDE_TREATED);
    for (int k = 0; k < 5; k++)
        turn(&ticks, &b);
    turn(&ticks, &b);
    assert_int_equal(b.n_c, 1);
    assert_int_equal(b.n_t, 2);
    assert_int_equal(b.f_t, 1);
}

static void one_arm_says_nothing(void **state)
{
    struct place p = NOWHERE;
    struct batch b;

    (void)state;
    in(&ticks, &p, SIDE_TREATED);
    for (int k = 0; k < 10; k++) {
        now_ms += TICK_MS;
        assert_int_equal(watch_resolve(&ticks, METRIC_SA, now_ms, &b, 1), 0);
        watch_turn(&ticks, ++tick, now_ms);
    }
    assert_true(watch_has_failed(&ticks, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(five_silent_ticks_fail, begin),
        cmocka_unit_test_setup(long_silence_is_a_time, begin),
        cmocka_unit_test_setup(the_ring_holds_long_and_uneven_ticks, begin),
        cmocka_unit_test_setup(the_excused_were_never_there, begin),
        cmocka_unit_test_setup(who_changes_arms_stands_in_one, begin),
        cmocka_unit_test_setup(one_arm_says_nothing, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
