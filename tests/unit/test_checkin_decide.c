/* checkin_decide: every way in which a device is told to wait, and the three in which it is not. */
#include "cmocka_all.h"

#include "rollouts/checkin_decide.h"

/* A device that gets a permit: each case changes what it names. */
static struct decide_facts admitted(void)
{
    return (struct decide_facts){.has_ready = true,
                                 .has_content = true,
                                 .snapshot_version = 7,
                                 .has_rollout = true,
                                 .ready_is_rollout = true,
                                 .state = ROLLOUT_RUNNING,
                                 .has_row = true,
                                 .min_snapshot = 7,
                                 .newest_snapshot = 8,
                                 .below = true,
                                 .allowance = true};
}

static void waits(const struct decide_facts *f, enum wait why)
{
    struct decide d = checkin_decide(f);

    assert_int_equal(d.kind, DECIDE_WAIT);
    assert_string_equal(wait_name(d.wait), wait_name(why));
}

#define CASE(why, ...)                                                                             \
    {                                                                                              \
        struct decide_facts f = admitted();                                                        \
        __VA_ARGS__;                                                                               \
        waits(&f, why);                                                                            \
    }

static void one_reason_each(void **state)
{
    (void)state;
    CASE(WAIT_NOTHING, f.has_ready = false);
    CASE(WAIT_NOTHING, f.leaving = true);
    CASE(WAIT_NOTHING, f.held = true);
    CASE(WAIT_NOTHING, f.has_rollout = false);
    CASE(WAIT_NOTHING, f.ready_is_rollout = false);
    CASE(WAIT_NOT_ADMITTED, f.below = false);
    CASE(WAIT_BUDGET, f.allowance = false);
    CASE(WAIT_PACE, f.pace_wait_s = 1);
    CASE(WAIT_OLD_METADATA, f.snapshot_version = 6);
    CASE(WAIT_UNKNOWN_METADATA, f.snapshot_version = 9);
    CASE(WAIT_PAUSED, f.state = ROLLOUT_PAUSED);
    CASE(WAIT_HALTED, f.state = ROLLOUT_HALTED);
    CASE(WAIT_HALTED, f.state = ROLLOUT_SUPERSEDED);
    CASE(WAIT_HALTED, f.cohort_halted = true);
    CASE(WAIT_HALTED, f.recalled = true);
    CASE(WAIT_NO_EVIDENCE, f.has_row = false);
}

static void stopping_wins(void **state)
{
    (void)state;
    CASE(WAIT_HALTED, f.recalled = true; f.below = false; f.pace_wait_s = 5);
    CASE(WAIT_HALTED, f.cohort_halted = true; f.state = ROLLOUT_PAUSED);
    CASE(WAIT_HALTED, f.state = ROLLOUT_HALTED; f.treated = f.open_exposure = true);
    CASE(WAIT_HALTED, f.recalled = true; f.ready_is_baseline = true; f.has_content = false);
    CASE(WAIT_PAUSED, f.state = ROLLOUT_PAUSED; f.treated = f.open_exposure = true);
}

static void the_draw_is_told_before_the_rest(void **state)
{
    (void)state;
    /* A control must not look like something else: it waits by its draw alone. */
    CASE(WAIT_NOT_ADMITTED, f.below = false; f.pace_wait_s = 5);
    CASE(WAIT_NOT_ADMITTED, f.below = false; f.snapshot_version = 1);
}

static void permits(void **state)
{
    struct decide_facts f = admitted();

    (void)state;
    assert_int_equal(checkin_decide(&f).kind, DECIDE_PERMIT);
    f.state = ROLLOUT_COMPLETE; /* who comes back late still gets it, through the gate */
    assert_int_equal(checkin_decide(&f).kind, DECIDE_PERMIT);
}

static void asked_again(void **state)
{
    struct decide_facts f = admitted();

    (void)state;
    f.treated = f.open_exposure = true;
    f.below = f.allowance = false; /* neither is spent twice */
    assert_int_equal(checkin_decide(&f).kind, DECIDE_PERMIT_AGAIN);
    f.pace_wait_s = 1;
    waits(&f, WAIT_PACE);
    f.pace_wait_s = 0;
    f.open_exposure = false; /* applied, failed or rolled back */
    waits(&f, WAIT_NOTHING);
}

static void first_content(void **state)
{
    struct decide_facts f = admitted();

    (void)state;
    f.has_content = f.ready_is_rollout = f.has_rollout = false;
    f.ready_is_baseline = true;
    f.min_snapshot = 0;
    waits(&f, WAIT_NEW_GROUND);
    f.ground_is_open = true;
    assert_int_equal(checkin_decide(&f).kind, DECIDE_PERMIT_BASELINE);
    f.snapshot_version = 9;
    waits(&f, WAIT_UNKNOWN_METADATA);
    f.has_content = true; /* the baseline is no way around the gate */
    waits(&f, WAIT_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reason_each),
        cmocka_unit_test(stopping_wins),
        cmocka_unit_test(the_draw_is_told_before_the_rest),
        cmocka_unit_test(permits),
        cmocka_unit_test(asked_again),
        cmocka_unit_test(first_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
