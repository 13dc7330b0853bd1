/* rollouts: the whole story on one server: enrol, wait, permit, apply, halt, recall, restart. */
#include "cmocka_all.h"

#include "fleet_story.h"

/* --- the story -------------------------------------------------------------------------------- */

static void good_content_reaches_everyone(void **state)
{
    struct story *y = *state;

    start(y, 1);
    assert_int_equal(y->site->repo.plan->rollouts[0].state, ROLLOUT_RUNNING);
    assert_int_equal(tick(y, applies), 0); /* nobody before the first threshold */
    run_until(y, "complete", 120, applies);
    for (int k = 0; k < 10 && site_count(y->site, "healthy") < N; k++)
        tick(y, applies);
    assert_int_equal(site_count(y->site, "healthy"), N);
    assert_int_equal(site_count(y->site, "treated"), N);
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 1));
    assert_int_equal(y->site->repo.plan->rollouts[0].state, ROLLOUT_COMPLETE);
    /* Coarse steps: a plan for the start, the rings, the end; none for ticks. */
    assert_true(y->site->repo.plans <= 8);
}

static void bad_content_halts_and_is_recalled(void **state)
{
    struct story *y = *state;
    struct site *t = y->site;
    int64_t snapshot, exposed;
    struct err err = {0};

    start(y, 1);
    run_until(y, "complete", 120, applies);
    start(y, 2);
    run_until(y, "halted", 60, fails_preflight);
    exposed = site_count(t, "admitted");
    assert_true(exposed >= 1 && exposed <= 5);
    assert_int_equal(site_count(t, "preflight_failed"), exposed);
    assert_true(plan_recalls(t->repo.plan, digest(y, 2), "linux-debian-12"));
    assert_null(plan_candidate(t->repo.plan, "linux-debian-12"));
    assert_string_equal(t->repo.plan->baseline, digest(y, 1));
    assert_int_equal(tick(y, applies), 0);
    for (int i = 0; i < N; i++)
        if (y->devs[i].ready[0])
            assert_string_equal(y->devs[i].wait, "halted");
    assert_int_equal(site_act(t, rollouts_start, "2", &err), -ERR_HALTED);

    /* A repaired one may follow, and the recall stays. */
    snapshot = t->repo.snapshot;
    start(y, 3);
    assert_true(t->repo.snapshot > snapshot);
    assert_true(plan_recalls(t->repo.plan, digest(y, 2), "linux-debian-12"));
    run_until(y, "complete", 120, applies);
}

static void silence_stops_growth(void **state)
{
    struct story *y = *state;

    start(y, 1);
    for (int i = 0; i < 40; i++)
        tick(y, dies);
    /* Nobody acknowledges: a few are lost, never the fleet. */
    assert_true(site_count(y->site, "admitted") <= 5);
    assert_int_equal(site_count(y->site, "silent"), site_count(y->site, "admitted"));
}

static void both_arms_are_counted(void **state)
{
    struct story *y = *state;
    struct evidence e;
    int64_t dead;

    start(y, 1);
    for (int i = 0; i < 6; i++)
        tick(y, dies);
    for (int i = 0; i < 6; i++) /* until the last trial of those is resolved */
        tick(y, dies);
    dead = site_count(y->site, "admitted");
    read_evidence(y, &e);
    assert_true(dead >= 1);
    assert_int_equal(e.n_t, dead);
    assert_int_equal(e.f_t, dead); /* the dead are told by their silence */
    assert_true(e.n_c >= 6 * (N - dead - 1));
    assert_int_equal(e.f_c, 0); /* nobody else was silent, the last tick's trials included */
}

static void goodbyes_are_excused(void **state)
{
    struct story *y = *state;
    struct evidence e;

    start(y, 1);
    for (int i = 0; i < 4; i++)
        tick(y, lags);
    for (int i = 0; i < N; i++) /* all go to sleep, and say so */
        dev_event(&y->devs[i], EVENT_GOODBYE, "", "suspend", false);
    tick(y, lags);
    for (int i = 0; i < N; i++)
        y->devs[i].number = -1;
    for (int i = 0; i < 8; i++)
        tick(y, lags);
    read_evidence(y, &e);
    assert_true(e.n_c > 0);
    assert_int_equal(e.f_c + e.f_t, 0);
}

static void one_person_stops_at_once(void **state)
{
    struct story *y = *state;
    struct err err = {0};

    start(y, 1);
    while (tick(y, applies) == 0)
        ;
    must(site_act(y->site, rollouts_halt, "1", &err), &err);
    must(site_act(y->site, rollouts_halt, "1", &err), &err); /* idempotent */
    site_state_is(y->site, "halted");
    assert_true(plan_recalls(y->site->repo.plan, digest(y, 1), "linux-debian-12"));
    assert_int_equal(tick(y, applies), 0);
    site_restart(y->site);
    site_state_is(y->site, "halted");
    assert_int_equal(tick(y, applies), 0);
}

/* A person's words are cut to fit; never within a character, or no JSON could hold them. */
static void a_long_reason_in_any_script_halts(void **state)
{
    struct story *y = *state;
    struct err err = {0};
    char reason[400] = "";
    struct act a = {.who = &alice, .channel = CHANNEL, .version = "1", .reason = reason};

    for (size_t i = 0; i + 3 < sizeof reason; i += 2)
        strcat(reason, i == 0 ? "x" : "\u00e9");
    start(y, 1);
    pthread_mutex_lock(&y->site->server.site);
    must(rollouts_halt(&y->site->server, &a, &err), &err);
    pthread_mutex_unlock(&y->site->server.site);
    site_state_is(y->site, "halted");
    site_restart(y->site);
    site_state_is(y->site, "halted");
}

static int promote(struct story *y, const struct operator_ref *who, bool *ret_waiting,
                   struct err *err)
{
    const struct act a = {
        .who = who, .channel = CHANNEL, .version = "1"}; /* a reason is not needed */
    int r;

    pthread_mutex_lock(&y->site->server.site);
    r = rollouts_promote(&y->site->server, &a, ret_waiting, err);
    pthread_mutex_unlock(&y->site->server.site);
    return r;
}

static int64_t ring(struct story *y)
{
    json_auto_t *o = site_status(y->site);

    return json_integer_value(json_object_get(json_object_get(o, "ring"), "index"));
}

static void an_override_takes_two(void **state)
{
    static const struct operator_ref carol = {"carol", ROLE_RELEASER};
    struct story *y = *state;
    struct err err = {0};
    bool waiting;

    start(y, 1);
    tick(y, applies);
    assert_int_equal(ring(y), 0);
    must(promote(y, &alice, &waiting, &err), &err);
    assert_true(waiting);
    must(promote(y, &alice, &waiting, &err), &err);
    assert_true(waiting); /* the same person twice is one person */
    assert_int_equal(promote(y, &carol, &waiting, &err), -ERR_FORBIDDEN);
    must(promote(y, &bob, &waiting, &err), &err);
    assert_false(waiting);
    site_restart(y->site); /* said is said */
    tick(y, applies);
    assert_int_equal(ring(y), 1); /* one ring further at most */
    must(site_act(y->site, rollouts_halt, "1", &err), &err);
    assert_int_equal(promote(y, &bob, &waiting, &err), -ERR_HALTED);
}

static void canaries_go_first(void **state)
{
    struct story *y = *state;
    struct dev canaries[6];
    int in_crowd = 0, permits = 0;

    for (int i = 0; i < 6; i++) {
        dev_enrol_new(y->site, &canaries[i], y->site->canary_token);
        strcpy(canaries[i].ready, digest(y, 1));
    }
    start(y, 1);
    for (int k = 0; ring(y) == 0 && k < 60; k++) {
        for (int i = 0; i < 6; i++) {
            dev_checkin(y->site, &canaries[i]);
            if (canaries[i].digest[0]) {
                permits++;
                applies(&canaries[i]);
            }
        }
        in_crowd += tick(y, applies);
    }
    /* A random half, and nobody else: the other half is its control. */
    assert_int_equal(in_crowd, 0);
    assert_int_equal(permits, 3);
    assert_int_equal(ring(y), 1);

    /* The other half goes on as controls, apart from the crowd: their lowest draws are gone. */
    for (int k = 0; k < 8; k++) {
        struct evidence e;

        for (int i = 0; i < 6; i++)
            dev_checkin(y->site, &canaries[i]);
        tick(y, lags);
        read_evidence(y, &e);
        assert_true(e.main_n_c <= N);
        assert_true(k < 7 || (e.canary_n_c >= 2 && e.canary_n_c <= 3));
    }
}

/* --- restart ---------------------------------------------------------------------------------- */

static void a_restart_loses_nothing(void **state)
{
    static const char *const keys[] = {"admitted", "treated", "healthy", "acknowledged", "fleet"};
    struct story *y = *state;
    int64_t before[5], now_tick;
    json_t *o;

    start(y, 1);
    while (site_count(y->site, "admitted") < N / 3)
        tick(y, applies);
    for (int i = 0; i < N; i++) { /* in the middle of a tick, with permits out */
        dev_checkin(y->site, &y->devs[i]);
        if (y->devs[i].digest[0])
            applies(&y->devs[i]);
    }
    o = site_status(y->site);
    now_tick = json_integer_value(json_object_get(o, "tick"));
    json_decref(o);
    for (int i = 0; i < 5; i++)
        before[i] = site_count(y->site, keys[i]);
    site_restart(y->site);
    for (int i = 0; i < 5; i++)
        assert_int_equal(site_count(y->site, keys[i]), before[i]);
    o = site_status(y->site);
    assert_int_equal(json_integer_value(json_object_get(o, "tick")), now_tick);
    json_decref(o);
    /* The tick's allowance is not given twice. */
    for (int i = 0; i < N; i++) {
        dev_checkin(y->site, &y->devs[i]);
        if (y->devs[i].digest[0])
            applies(&y->devs[i]);
    }
    assert_int_equal(site_count(y->site, "admitted"), before[0]);
    run_until(y, "complete", 120, applies);
}

static void an_outage_is_evidence_of_nothing(void **state)
{
    struct story *y = *state;

    start(y, 1);
    while (site_count(y->site, "admitted") < N / 3)
        tick(y, applies);
    site_restart(y->site);
    for (int i = 0; i < 12; i++) {
        json_auto_t *o = NULL;

        tick(y, applies);
        o = site_status(y->site);
        assert_string_not_equal(json_string_value(json_object_get(o, "verdict")), "halt");
        assert_string_not_equal(json_string_value(json_object_get(o, "verdict")), "warn");
    }
}

static void a_server_that_stood_still_counts_no_silence(void **state)
{
    struct story *y = *state;
    json_t *o;
    int64_t n;

    start(y, 1);
    while (site_count(y->site, "admitted") < N / 3)
        tick(y, applies);
    o = site_status(y->site);
    n = json_integer_value(json_object_get(o, "tick"));
    json_decref(o);
    site_tick(y->site, 60 * TICK_MS); /* nobody could check in meanwhile */
    o = site_status(y->site);
    assert_int_equal(json_integer_value(json_object_get(o, "tick")), n);
    json_decref(o);
    for (int i = 0; i < 12; i++) {
        tick(y, applies);
        o = site_status(y->site);
        assert_string_not_equal(json_string_value(json_object_get(o, "verdict")), "pause");
        assert_string_not_equal(json_string_value(json_object_get(o, "verdict")), "halt");
        json_decref(o);
    }
}

static void one_exposure_whatever_the_retries(void **state)
{
    struct story *y = *state;
    int64_t given;

    start(y, 1);
    while (tick(y, lags) == 0)
        ;
    given = site_count(y->site, "admitted");
    assert_true(tick(y, lags) >= given); /* asked again with a new nonce: a new permit */
    assert_int_equal(site_count(y->site, "admitted"), given);
    assert_int_equal(atomic_load(&y->site->metrics.v[METRICS_PERMITS]), given);
}

/* --- bad input -------------------------------------------------------------------------------- */

static void strangers_are_refused(void **state)
{
    struct story *y = *state;
    struct dev stranger = y->devs[0], thief = y->devs[0], liar = y->devs[0];
    struct buf body;

    stranger.number = thief.number = liar.number = 1;
    memset(stranger.id.device, 'e', DEVICE_ID_LEN);
    buf_init(&body, CHECKIN_MAX);
    dev_body(y->site, &stranger, &body);
    refused(y, &stranger, &body, NULL, 401, "unknown-device");

    buf_reset(&body);
    thief.id.key[0] ^= 1;
    dev_body(y->site, &thief, &body);
    refused(y, &thief, &body, NULL, 401, "bad-signature");

    /* Signed well, but for somebody else. */
    buf_reset(&body);
    strcpy(liar.id.device, y->devs[1].id.device);
    dev_body(y->site, &liar, &body);
    refused(y, &y->devs[0], &body, NULL, 401, "bad-signature");

    y->devs[0].id.generation = 2;
    refused(y, &y->devs[0], &body, NULL, 401, "unknown-device");
    buf_release(&body);
}

static void numbers_are_kept(void **state)
{
    struct story *y = *state;
    struct dev *d = &y->devs[0];
    struct exchange first = {0}, again = {0};
    struct buf body, other;

    buf_init(&body, CHECKIN_MAX);
    buf_init(&other, CHECKIN_MAX);
    d->number = 5;
    dev_body(y->site, d, &body);
    dev_send(y->site, d, &body, &first);
    assert_int_equal(first.status, 200);
    y->site->at.wall_ms += 5000;
    dev_send(y->site, d, &body, &again); /* the answer was lost: the same one again */
    assert_int_equal(again.status, 200);
    assert_string_equal(again.answer, first.answer);

    dev_event(d, EVENT_GOODBYE, "", "reboot", false);
    dev_body(y->site, d, &other);
    refused(y, d, &other, NULL, 409, "checkin-forked");
    assert_true(fleet_find(y->site->server.fleet, d->id.device)->no_evidence);

    d->number = 4;
    buf_reset(&other);
    dev_body(y->site, d, &other);
    refused(y, d, &other, NULL, 409, "checkin-forked");

    /* A new start of the agent is well; coming back to the old one is another machine. */
    strcpy(d->epoch, "00000000000000e2");
    dev_checkin(y->site, d);
    strcpy(d->epoch, "00000000000000e1");
    d->number = 9;
    buf_reset(&other);
    dev_body(y->site, d, &other);
    refused(y, d, &other, NULL, 409, "checkin-forked");
    free(first.answer);
    free(again.answer);
    buf_release(&body);
    buf_release(&other);
}

static void pace_and_metadata_come_first(void **state)
{
    struct story *y = *state;

    start(y, 1);
    while (tick(y, lags) == 0)
        ;
    for (int i = 0; i < N; i++) {
        struct dev *d = &y->devs[i];
        bool admitted = d->digest[0];

        d->pace_wait_s = 30;
        dev_checkin(y->site, d);
        assert_string_equal(d->wait, admitted ? "pace" : "not-admitted");
        d->pace_wait_s = 0;
        d->snapshot = 0; /* has not seen the plan that says so */
        dev_checkin(y->site, d);
        assert_string_equal(d->wait, admitted ? "old-metadata" : "not-admitted");
        d->snapshot = -1;
    }
}

static void enrolment_is_asked_twice_and_counted_once(void **state)
{
    struct story *y = *state;
    struct dev a, b;

    dev_enrol(y->site, &a, "0123456789abcdef0123456789abcdef", y->site->token);
    dev_enrol(y->site, &b, "0123456789abcdef0123456789abcdef", y->site->token);
    assert_string_equal(a.id.device, b.id.device);
    assert_memory_equal(a.id.key, b.id.key, sizeof a.id.key);
    assert_int_equal(fleet_size(y->site->server.fleet), N + 1);
    site_restart(y->site);
    dev_enrol(y->site, &b, "0123456789abcdef0123456789abcdef", y->site->token);
    assert_string_equal(a.id.device, b.id.device);
}

static void plain_http_is_refused(void **state)
{
    struct story *y = *state;
    struct exchange x = {.rq = {.server = &y->site->server, .body = "{}", .body_len = 2},
                         .bearer = y->site->token};

    exchange_run(&x, h_enrol);
    assert_int_equal(x.status, 403);
    assert_string_equal(err_slug(x.problem.code), "insecure-transport");
}

static void late_comers_give_no_evidence(void **state)
{
    struct story *y = *state;
    struct dev late;

    start(y, 1);
    y->site->at.wall_ms += 10;
    dev_enrol_new(y->site, &late, y->site->token);
    strcpy(late.ready, digest(y, 1));
    strcpy(late.running, digest(y, 4));
    while (!late.digest[0]) {
        tick(y, applies);
        dev_checkin(y->site, &late);
    }
    assert_true(site_count(y->site, "admitted") > site_count(y->site, "treated"));
}

static void first_content_needs_no_gate(void **state)
{
    struct story *y = *state;
    struct dev fresh;

    start(y, 1);
    run_until(y, "complete", 120, applies);
    y->site->at.wall_ms += 10;
    dev_enrol_new(y->site, &fresh, y->site->token);
    strcpy(fresh.ready, digest(y, 1));
    dev_checkin(y->site, &fresh);
    assert_string_equal(fresh.digest, digest(y, 1));
    assert_int_equal(site_count(y->site, "admitted"), N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(good_content_reaches_everyone),
        TEST(a_long_reason_in_any_script_halts),
        TEST(bad_content_halts_and_is_recalled),
        TEST(silence_stops_growth),
        TEST(both_arms_are_counted),
        TEST(goodbyes_are_excused),
        TEST(one_person_stops_at_once),
        TEST(an_override_takes_two),
        TEST(canaries_go_first),
        TEST(a_restart_loses_nothing),
        TEST(an_outage_is_evidence_of_nothing),
        TEST(a_server_that_stood_still_counts_no_silence),
        TEST(one_exposure_whatever_the_retries),
        TEST(strangers_are_refused),
        TEST(numbers_are_kept),
        TEST(pace_and_metadata_come_first),
        TEST(enrolment_is_asked_twice_and_counted_once),
        TEST(plain_http_is_refused),
        TEST(late_comers_give_no_evidence),
        TEST(first_content_needs_no_gate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
