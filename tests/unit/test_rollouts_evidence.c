/* rollouts: who is counted in which arm, and that restarts change nothing of it. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/flight.h"

static struct flight *flight_of(struct story *y)
{
    return rollouts_channel(y->site->server.rollouts, CHANNEL)->flight;
}

static const struct arm *arm_of(struct story *y, int i)
{
    const struct device *d = fleet_find(y->site->server.fleet, y->devs[i].id.device);

    return &flight_of(y)->arms.rows[d->index];
}

/* Treated in a trial that has become a batch. */
static int64_t resolved(struct story *y)
{
    const struct flight *f = flight_of(y);
    int64_t n = 0;

    for (int i = 0; i < N; i++) {
        const struct arm *m = arm_of(y, i);

        n += arm_is_treated(m) && m->stratum < N_STRATA && f->tick - m->granted_tick > COUNTERS_LAG;
    }
    return n;
}

/* Each treated device stands in one trial, and who dies fails one, in either arm, wherever the
 * restart comes. */
static void a_restart_keeps_both_arms(void **state)
{
    struct story *y = *state;
    struct evidence e;
    int dead_t = -1, dead_c = -1;

    start(y, 1);
    while (site_count(y->site, "admitted") < 4)
        tick(y, applies);
    for (; dead_t < 0; site_tick(y->site, TICK_MS)) /* one of the next dies */
        for (int i = 0; i < N; i++) {
            dev_checkin(y->site, &y->devs[i]);
            if (y->devs[i].digest[0] && dead_t < 0)
                dies(&y->devs[dead_t = i]);
            else if (y->devs[i].digest[0])
                applies(&y->devs[i]);
        }
    for (int i = 0; i < N; i++) /* and of the controls the one that would be drawn last */
        if (dead_c < 0 || arm_of(y, i)->u > arm_of(y, dead_c)->u)
            dead_c = i;
    dies(&y->devs[dead_c]);
    for (int i = 0; i < 4; i++) /* past their deadlines; no batch yet */
        tick(y, applies);
    read_evidence(y, &e);
    assert_int_equal(e.f_t + e.f_c, 0);
    site_restart(y->site);
    for (int i = 0; i < 8; i++)
        tick(y, applies);
    read_evidence(y, &e);
    assert_int_equal(e.f_t, 1);
    assert_int_equal(e.f_c, 1);
    assert_true(resolved(y) > 5);
    assert_int_equal(e.n_t, resolved(y)); /* none lost, none twice */
}

static void a_restart_keeps_the_clock(void **state)
{
    struct story *y = *state;
    int64_t granted_ms[N];

    start(y, 1);
    for (int k = 0; k < 12; k++) {
        for (int i = 0; i < N; i++) {
            dev_checkin(y->site, &y->devs[i]);
            if (y->devs[i].digest[0])
                applies(&y->devs[i]);
        }
        site_tick(y->site, TICK_MS + (k < 6 ? 700 : 0)); /* ticks differ */
    }
    for (int i = 0; i < N; i++)
        granted_ms[i] = arm_of(y, i)->granted_ms;
    site_restart(y->site);
    for (int i = 0; i < N; i++)
        assert_int_equal(arm_of(y, i)->granted_ms, granted_ms[i]);
}

/* What a tick is told of all devices is made anew from their rows. */
static void a_restart_keeps_the_sums(void **state)
{
    struct story *y = *state;
    const struct tally *t;
    struct tally_counts waiting, again;
    struct tally_sums sums;

    start(y, 1);
    t = &flight_of(y)->tally;
    while (site_count(y->site, "healthy") < 4 ||
           site_count(y->site, "admitted") == site_count(y->site, "healthy"))
        tick(y, applies);
    dev_event(&y->devs[0], EVENT_GOODBYE, "", "shutdown", false);
    dev_checkin(y->site, &y->devs[0]);
    sums = t->sums[0];
    tally_count(t, &flight_of(y)->arms, 0, false, NULL, &waiting);
    assert_true(sums.admitted > sums.healthy && waiting.grantable > 0);
    site_restart(y->site);
    t = &flight_of(y)->tally;
    assert_int_equal(t->sums[0].admitted, sums.admitted);
    assert_int_equal(t->sums[0].healthy, sums.healthy);
    assert_int_equal(t->sums[0].excused, sums.excused);
    assert_int_equal(t->sums[0].direct, sums.direct);
    tally_count(t, &flight_of(y)->arms, 0, false, NULL, &again);
    assert_int_equal(again.all, waiting.all);
    assert_int_equal(again.grantable, waiting.grantable);
}

static void canaries_are_known_after_a_restart(void **state)
{
    struct story *y = *state;

    for (int i = 0; i < 4; i++) {
        y->devs[i].canary = true;
        dev_checkin(y->site, &y->devs[i]);
    }
    site_restart(y->site);
    start(y, 1); /* before anybody is heard again */
    assert_int_equal(flight_of(y)->gate.rings[0].kind, RING_CANARY);
    assert_int_equal(flight_of(y)->gate.rings[0].cap, 2);
}

static void goodbyes_outlast_a_restart(void **state)
{
    struct story *y = *state;
    int64_t treated;
    struct evidence e;

    start(y, 1);
    while (tick(y, lags) == 0)
        ;
    treated = site_count(y->site, "admitted");
    for (int i = 0; i < N; i++)
        if (y->devs[i].digest[0]) {
            dev_event(&y->devs[i], EVENT_GOODBYE, "", "shutdown", false);
            dev_checkin(y->site, &y->devs[i]);
            y->devs[i].number = -1;
        }
    site_restart(y->site);
    for (int i = 0; i < 8; i++)
        site_tick(y->site, TICK_MS);
    read_evidence(y, &e);
    assert_true(treated >= 1);
    assert_int_equal(e.excused, treated);
    assert_int_equal(e.overdue, 0);
}

static void who_left_the_evidence_stays_out(void **state)
{
    struct story *y = *state;
    struct dev *d = NULL;
    struct evidence e;
    struct buf body;

    start(y, 1);
    while (tick(y, lags) == 0)
        ;
    for (int i = 0; i < N && !d; i++)
        if (y->devs[i].digest[0])
            d = &y->devs[i];
    assert_non_null(d);
    dev_event(d, EVENT_PREFLIGHT_FAILED, d->digest, "exit-1", true);
    d->ready[0] = '\0';
    dev_checkin(y->site, d);
    dev_event(d, EVENT_GOODBYE, "", "reboot",
              false); /* the same number with another body: a clone */
    buf_init(&body, CHECKIN_MAX);
    dev_body(y->site, d, &body);
    refused(y, d, &body, NULL, 409, "checkin-forked");
    buf_release(&body);
    site_restart(y->site);
    site_tick(y->site, TICK_MS);
    read_evidence(y, &e);
    assert_int_equal(e.direct, 0);
    site_state_is(y->site, "running");
}

static int64_t retried;

/* Not the content's fault: says so once, and asks again. */
static void fails_unblamed_once(struct dev *d)
{
    if (retried++ == 0)
        dev_event(d, EVENT_PREFLIGHT_FAILED, d->digest, "preflight-exit-75", false);
    else
        applies(d);
}

static void an_unblamed_failure_is_no_evidence_and_may_retry(void **state)
{
    struct story *y = *state;

    retried = 0;
    start(y, 1);
    run_until(y, "complete", 120, fails_unblamed_once);
    assert_true(retried > N);                             /* one device took its permit twice */
    assert_int_equal(site_count(y->site, "admitted"), N); /* under one exposure */
    assert_int_equal(site_count(y->site, "preflight_failed"), 0);
    assert_int_equal(site_count(y->site, "healthy"), N);
}

static void a_flaky_control_counts_once(void **state)
{
    struct story *y = *state;
    struct evidence e;

    start(y, 1);
    tick(y, lags);
    for (int k = 0; k < 2; k++) {
        dev_event(&y->devs[0], EVENT_CRASH, digest(y, 4), "consumer", false);
        tick(y, lags);
        site_restart(y->site);
    }
    tick(y, lags);
    read_evidence(y, &e);
    assert_int_equal(e.control_crashes, 1);
}

/* Failures on one platform, once enough others do well: that platform alone is stopped. By two of
 * them, or the first where the draw let only that one in. */
static void one_platform_is_halted_alone(void **state)
{
    struct story *y = *state;
    struct dev bad[4];
    char attempt[33];
    int failed = 0;

    for (int i = 0; i < 4; i++) {
        rand_hex(attempt, 16);
        dev_enrol_as(y->site, &bad[i], "bad", attempt, y->site->token);
        strcpy(bad[i].ready, digest(y, 1));
    }
    start(y, 1);
    for (int k = 0; k < 120 && !is_state(y, "complete"); k++) {
        if (k % 7 == 3)
            site_restart(y->site);
        for (int i = 0; i < 4; i++) {
            if (failed > 0 && bad[i].digest[0])
                continue; /* one of the first two; or has a permit and waits for its end */
            if (failed < 2 && site_count(y->site, "admitted") < 8)
                continue; /* still off: a failure among the first few would halt all */
            dev_checkin(y->site, &bad[i]);
            if (failed < 2 && bad[i].digest[0]) {
                fails_preflight(&bad[i]);
                dev_checkin(y->site, &bad[i]);
                failed++;
            }
        }
        tick(y, applies);
    }
    assert_in_range(failed, 1, 2);
    site_state_is(y->site, "complete");
    assert_true(plan_recalls(y->site->repo.plan, digest(y, 1), "linux-bad"));
    assert_false(plan_recalls(y->site->repo.plan, digest(y, 1), "linux-debian-12"));
    assert_null(plan_candidate(y->site->repo.plan, "linux-bad"));
    assert_non_null(plan_candidate(y->site->repo.plan, "linux-debian-12"));
    for (int i = 0; i < 4; i++) {
        dev_checkin(y->site, &bad[i]);
        assert_string_equal(bad[i].digest, "");
        if (bad[i].ready[0])
            assert_string_equal(bad[i].wait, "halted");
    }
    assert_true(site_count(y->site, "admitted") <= N + 4);
    assert_int_equal(site_count(y->site, "healthy"), N);
}

static bool is_fallible(const struct dev *d)
{
    return d->os_version[0] == 'p' && strcmp(d->os_version, "p-62") >= 0;
}

/* Platforms beyond the gate's table share a row that no plan can name. */
static void the_row_that_many_share_stops_all(void **state)
{
    struct story *y = *state;
    struct dev rare[70];
    char attempt[33], cohort[COHORT_NAME_MAX];

    for (int i = 0; i < 70; i++) {
        char os_version[8];

        snprintf(os_version, sizeof os_version, "p-%02d", i);
        rand_hex(attempt, 16);
        dev_enrol_as(y->site, &rare[i], os_version, attempt, y->site->token);
        strcpy(rare[i].ready, digest(y, 1));
    }
    start(y, 1);
    for (int k = 0; k < 120 && !is_state(y, "halted"); k++) {
        for (int i = 0; i < 70; i++) {
            dev_checkin(y->site, &rare[i]);
            if (rare[i].digest[0])
                (is_fallible(&rare[i]) ? fails_preflight : applies)(&rare[i]);
        }
        tick(y, applies);
    }
    site_state_is(y->site, "halted");
    for (int i = 62; i < 70; i++) {
        snprintf(cohort, sizeof cohort, "linux-%s", rare[i].os_version);
        assert_true(plan_recalls(y->site->repo.plan, digest(y, 1), cohort));
    }
    site_restart(y->site);
    site_state_is(y->site, "halted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_restart_keeps_both_arms),
        TEST(a_restart_keeps_the_clock),
        TEST(a_restart_keeps_the_sums),
        TEST(canaries_are_known_after_a_restart),
        TEST(goodbyes_outlast_a_restart),
        TEST(an_unblamed_failure_is_no_evidence_and_may_retry),
        TEST(who_left_the_evidence_stays_out),
        TEST(a_flaky_control_counts_once),
        TEST(one_platform_is_halted_alone),
        TEST(the_row_that_many_share_stops_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
