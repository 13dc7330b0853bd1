/* calibrate: a gate without a release: nobody is given anything, all is counted as if. */
#include "cmocka_all.h"

#include <math.h>

#include "calibrate/calibrate.h"
#include "fleet_story.h"

#define SPEAKING 20 /* devices, where not all do */
#define RUNNING  4  /* the release that all of them run */

static int begin(struct story *y, const char *policy, int64_t rounds, int64_t lanes,
                 int64_t limit_s, struct err *err)
{
    const struct calibrate_request q = {.who = &alice,
                                        .channel = CHANNEL,
                                        .policy = policy,
                                        .rounds = rounds,
                                        .lanes = lanes,
                                        .limit_s = limit_s};
    int r;

    for (int i = 0; i < N; i++)
        strcpy(y->devs[i].running, digest(y, RUNNING));
    pthread_mutex_lock(&y->site->server.site);
    r = calibrate_start(&y->site->server, &q, err);
    pthread_mutex_unlock(&y->site->server.site);
    return r;
}

static json_t *report(struct story *y)
{
    json_t *o = NULL;
    struct err err = {0};

    pthread_mutex_lock(&y->site->server.site);
    must(calibrate_status(&y->site->server, CHANNEL, &o, &err), &err);
    pthread_mutex_unlock(&y->site->server.site);
    return o;
}

/* A number of the report by the names on the way to it. */
static double found(struct story *y, const char *a, const char *b, const char *c)
{
    json_auto_t *all = report(y);
    const json_t *o = json_object_get(all, a);

    o = b ? json_object_get(o, b) : o;
    o = c ? json_object_get(o, c) : o;
    if (!json_is_number(o))
        fail_msg("no %s %s %s", a, b ? b : "", c ? c : "");
    return json_number_value(o);
}

static bool calibration_is(struct story *y, const char *state)
{
    json_auto_t *o = report(y);

    return strcmp(json_string_value(json_object_get(o, "state")), state) == 0;
}

static int until(struct story *y, const char *state, int most)
{
    int permits = 0;

    for (int i = 0; !calibration_is(y, state); i++) {
        if (i == most)
            fail_msg("not %s after %d ticks", state, most);
        permits += tick(y, applies);
    }
    return permits;
}

static int count_exposure(void *ctx, const struct row_exposure *row, struct err *err)
{
    (void)row;
    (void)err;
    ++*(int *)ctx;
    return 0;
}

static int exposures(struct story *y)
{
    const struct store_visitor v = {.exposure = count_exposure};
    struct err err = {0};
    int n = 0;

    must(store_load(y->site->server.store, &v, &n, &err), &err);
    return n;
}

/* When a device was told to come again, by its last answer. */
static int64_t next_ms(struct story *y, int i)
{
    const struct device *d = fleet_find(y->site->server.fleet, y->devs[i].id.device);
    struct checkin_answer *a = NULL;
    struct err err = {0};
    int64_t ms;

    must(checkin_answer_parse(d->answer, strlen(d->answer), &a, &err), &err);
    ms = a->next_ms;
    checkin_answer_free(a);
    return ms;
}

static void nobody_is_given_anything(void **state)
{
    struct story *y = *state;
    int64_t snapshot, plans;
    struct err err = {0};

    tick(y, applies);
    snapshot = y->site->repo.snapshot;
    plans = y->site->repo.plans;
    assert_true(next_ms(y, 0) > TICK_MS);
    must(begin(y, "demo", 4, 2, 0, &err), &err);
    tick(y, applies);
    assert_true(next_ms(y, 0) <= TICK_MS); /* all that it hears of it */
    assert_string_equal(y->devs[0].wait, "nothing");
    assert_int_equal(until(y, "done", 600), 0);
    assert_int_equal(exposures(y), 0);
    assert_int_equal(y->site->repo.snapshot, snapshot);
    assert_int_equal(y->site->repo.plans, plans);
    assert_int_equal(found(y, "rounds", "complete", NULL), 4);
    assert_int_equal(found(y, "rounds", "finished", NULL), 4);
    assert_int_equal(found(y, "false_alarms", "halted", NULL), 0);
    assert_true(found(y, "false_alarms", "high", NULL) > 0.52); /* 1 - 0.05^(1/4) */
    assert_true(found(y, "false_alarms", "high", NULL) < 0.53);
    assert_int_equal(found(y, "metrics", "SF", "failures"), 0);
    assert_true(found(y, "metrics", "SF", "trials") > N);
    assert_true(found(y, "direct", "admitted", NULL) >= N * 0.9);
    tick(y, applies);
    assert_true(next_ms(y, 0) > TICK_MS); /* over */
}

static void a_rollout_goes_first(void **state)
{
    struct story *y = *state;
    struct err err = {0};

    must(begin(y, "demo", 20, 2, 0, &err), &err);
    for (int i = 0; i < 12; i++)
        tick(y, applies);
    assert_int_equal(begin(y, "demo", 1, 1, 0, &err), -ERR_CONFLICT);
    start(y, 1);
    assert_true(calibration_is(y, "superseded"));
    tick(y, applies);
    assert_int_equal(begin(y, "demo", 1, 1, 0, &err), -ERR_CONFLICT);
    site_restart(y->site);
    assert_true(calibration_is(y, "superseded"));
    site_state_is(y->site, "running");
    run_until(y, "complete", 300, applies);
    assert_int_equal(exposures(y), site_count(y->site, "admitted"));
    /* Beside a complete one it runs, and what is halted ends it. */
    must(begin(y, "demo", 20, 2, 0, &err), &err);
    for (int i = 0; i < N; i++)
        strcpy(y->devs[i].running, digest(y, 1));
    tick(y, applies);
    assert_true(calibration_is(y, "running"));
    must(site_act(y->site, rollouts_halt, "1", &err), &err);
    assert_true(calibration_is(y, "superseded"));
}

static void finished_rounds_outlast_a_restart(void **state)
{
    struct story *y = *state;
    struct err err = {0};
    double trials;

    must(begin(y, "demo", 3, 1, 0, &err), &err);
    while (found(y, "rounds", "finished", NULL) < 2)
        tick(y, applies);
    trials = found(y, "metrics", "SF", "trials");
    for (int i = 0; i < 4; i++)
        tick(y, applies);
    must(store_commit(y->site->server.store, store_batch_new(), &err), &err); /* all are in */
    site_restart(y->site);
    assert_true(calibration_is(y, "running"));
    assert_int_equal(found(y, "rounds", "finished", NULL), 2);
    assert_int_equal(found(y, "restarts", NULL, NULL), 1);
    assert_int_equal(found(y, "metrics", "SF", "trials"), trials); /* of the third: begun anew */
    until(y, "done", 300);
    assert_int_equal(found(y, "rounds", "finished", NULL), 3);
    assert_int_equal(found(y, "rounds", "complete", NULL), 3);
    site_restart(y->site);
    assert_true(calibration_is(y, "done"));
    assert_int_equal(found(y, "restarts", NULL, NULL), 1);
}

/* Two are unclean at their boot, one reboots, one falls silent for good: counted once each, in
 * whatever arm. No round of the standard policy ends in half an hour. */
static void rates_are_what_was_played(void **state)
{
    struct story *y = *state;
    /* Who crashed is at risk no more, who is dead until it was silent for long. */
    const double days = (SPEAKING - 2 - 0.5) * 2000 / 86400;
    double rate;
    struct err err = {0};

    must(begin(y, "standard", 1, 1, 2000, &err), &err);
    for (int i = SPEAKING; i < N; i++)
        dies(&y->devs[i]);
    for (int i = 0; i < 205; i++) {
        if (i == 8 || i == 9)
            dev_event(&y->devs[i], EVENT_CRASH, digest(y, RUNNING), "unclean-boot", false);
        if (i == 10)
            dies(&y->devs[15]);
        if (i == 12)
            dev_event(&y->devs[3], EVENT_GOODBYE, "", "reboot", false);
        for (int k = 0; k < N; k++)
            if (y->devs[k].number >= 0)
                dev_checkin(y->site, &y->devs[k]);
        site_tick(y->site, 10000);
    }
    assert_true(calibration_is(y, "done"));
    assert_int_equal(found(y, "rounds", "limit", NULL), 1);
    assert_int_equal(found(y, "metrics", "CR", "failures"), 2);
    assert_int_equal(found(y, "metrics", "SA", "failures"), 1);
    assert_int_equal(found(y, "metrics", "SL", "failures"), 1);
    assert_true(found(y, "metrics", "SF", "failures") <= 1); /* where it stood in a trial */
    rate = found(y, "crashes_day", NULL, NULL);
    if (fabs(rate - 2 / days) > 0.05 * rate)
        fail_msg("%g crashes a day, expected %g", rate, 2 / days);
    assert_true(fabs(found(y, "life", "crashes_h", NULL) - rate / 24) < 1e-3 * rate);
    rate = found(y, "life", "reboots_h", NULL);
    assert_true(fabs(rate - 1 / days / 24) < 0.05 * rate);
    assert_int_equal(found(y, "metrics", "RB", "trials"), 1);
    assert_int_equal(found(y, "metrics", "RB", "failures"), 0);
    assert_int_equal(found(y, "direct", "direct", NULL), 0);
}

/* Consumers that die for a reason of their own would have been blamed on a release. */
static void a_false_alarm_stops_nothing(void **state)
{
    struct story *y = *state;
    int64_t plans;
    struct err err = {0};
    json_auto_t *o = NULL;
    const json_t *round;

    tick(y, applies);
    plans = y->site->repo.plans;
    must(begin(y, "demo", 1, 1, 0, &err), &err);
    while (found(y, "direct", "admitted", NULL) < 20)
        tick(y, applies);
    for (int i = 0; i < N; i++)
        dev_event(&y->devs[i], EVENT_CRASH, digest(y, RUNNING), "consumer", false);
    until(y, "done", 60);
    assert_int_equal(found(y, "false_alarms", "halted", NULL), 1);
    assert_true(found(y, "direct", "direct", NULL) >= 20);
    o = report(y);
    round = json_array_get(json_object_get(o, "results"), 0);
    assert_string_equal(json_string_value(json_object_get(round, "end")), "halted");
    assert_non_null(strstr(json_string_value(json_object_get(round, "halt")), "direct evidence"));
    assert_int_equal(y->site->repo.plans, plans);
    start(y, 1); /* and a rollout starts as ever */
    run_until(y, "complete", 300, applies);
}

static int stop(struct story *y, struct err *err)
{
    int r;

    pthread_mutex_lock(&y->site->server.site);
    r = calibrate_stop(&y->site->server, &alice, CHANNEL, err);
    pthread_mutex_unlock(&y->site->server.site);
    return r;
}

static void it_can_be_stopped(void **state)
{
    struct story *y = *state;
    struct err err = {0};

    assert_int_equal(stop(y, &err), -ERR_NOT_FOUND);
    must(begin(y, "demo", 5, 2, 0, &err), &err);
    tick(y, applies);
    must(stop(y, &err), &err);
    must(stop(y, &err), &err);
    assert_true(calibration_is(y, "stopped"));
    site_restart(y->site);
    assert_true(calibration_is(y, "stopped"));
    must(begin(y, "demo", 1, 1, 3, &err), &err); /* the next one; its round is at its limit soon */
    until(y, "done", 10);
    assert_int_equal(found(y, "rounds", "limit", NULL), 1);
    assert_int_equal(found(y, "id", NULL, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_given_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rollout_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finished_rounds_outlast_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rates_are_what_was_played, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_false_alarm_stops_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_can_be_stopped, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
