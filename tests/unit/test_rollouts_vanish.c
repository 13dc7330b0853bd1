/* rollouts: a fleet that vanishes during a rollout is waited for, past a restart of the server too;
 * when it is back the rollout goes on. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/flight.h"

#define LONG_GONE 60 /* ticks; every ring of the policy 'demo' bakes for one */

static const struct flight *flight_of(struct story *y)
{
    return rollouts_channel(y->site->server.rollouts, CHANNEL)->flight;
}

static void nobody_is_heard(struct story *y, int ticks)
{
    int64_t admitted = site_count(y->site, "admitted");

    for (int i = 0; i < ARM_AWAKE_TICKS; i++)
        site_tick(y->site, TICK_MS); /* so long they count as there */
    for (int i = 0; i < ticks; i++) {
        site_tick(y->site, TICK_MS);
        assert_false(flight_of(y)->last.opened);
        assert_false(is_state(y, "complete") || is_state(y, "halted"));
        assert_int_equal(site_count(y->site, "admitted"), admitted);
    }
}

static void begin(struct story *y, int least)
{
    start(y, 1);
    while (site_count(y->site, "healthy") < least)
        tick(y, applies);
    assert_true(site_count(y->site, "admitted") < N / 2);
}

static void test_all_devices_vanish(void **state)
{
    struct story *y = *state;

    begin(y, 1);
    nobody_is_heard(y, LONG_GONE);
    site_state_is(y->site, "paused");
    run_until(y, "complete", 200, applies);
    assert_int_equal(site_count(y->site, "admitted"), N);
}

/* The facts that say who was heard are in the stored ticks. */
static void test_they_vanish_past_a_restart(void **state)
{
    struct story *y = *state;
    int ring;

    begin(y, 1);
    nobody_is_heard(y, LONG_GONE / 2);
    ring = flight_of(y)->gate.ring;
    site_restart(y->site);
    assert_int_equal(flight_of(y)->gate.ring, ring);
    assert_int_equal(flight_of(y)->last.verdict, VERDICT_PAUSE);
    nobody_is_heard(y, LONG_GONE / 2);
    run_until(y, "complete", 200, applies);
    assert_int_equal(site_count(y->site, "admitted"), N);
}

/* All but those that have it: they say that they are well, again and again. */
static void test_all_controls_vanish(void **state)
{
    struct story *y = *state;
    int64_t numbers[N];

    begin(y, 1);
    for (int i = 0; i < N; i++) {
        numbers[i] = y->devs[i].number;
        if (!y->devs[i].running[0])
            y->devs[i].number = -1;
    }
    for (int i = 0; i < LONG_GONE; i++) {
        tick(y, applies);
        assert_false(is_state(y, "complete"));
    }
    assert_true(site_count(y->site, "admitted") < N / 2);
    for (int i = 0; i < N; i++)
        if (y->devs[i].number < 0)
            y->devs[i].number = numbers[i];
    run_until(y, "complete", 200, applies);
    assert_int_equal(site_count(y->site, "admitted"), N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_devices_vanish, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_they_vanish_past_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_controls_vanish, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
