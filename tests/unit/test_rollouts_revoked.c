/* rollouts: what was revoked offline is stopped when its metadata comes in, and stays so. */
#include "cmocka_all.h"

#include "fleet_story.h"

#define COHORT "linux-debian-12"

/* Content metadata that revokes these releases is there; nothing was told of it yet. */
static void say_revoked(struct story *y, int release, const char *reason)
{
    struct revoked *r = &y->site->repo.revoked;

    strcpy(r->items[r->n].digest, digest(y, release));
    strcpy(r->items[r->n].reason, reason);
    r->n++;
}

/* It is taken in, as the handlers do it. True: plans changed. */
static bool take_in(struct story *y)
{
    struct server *s = &y->site->server;
    struct store_batch *b = store_batch_new();
    struct repo_change *change = NULL;
    struct err err = {0};

    pthread_mutex_lock(&s->site);
    must(rollouts_obey_revocations(s, "alice", b, &change, &err), &err);
    must(store_commit(s->store, b, &err), &err);
    if (change)
        repo_publish(s->repo, change);
    pthread_mutex_unlock(&s->site);
    assert_false(atomic_load(&s->degraded));
    return change != NULL;
}

static bool is_recalled(const struct story *y, int release)
{
    return plan_recalls(y->site->repo.plan, digest(y, release), COHORT);
}

struct entry {
    const char *action, *subject;
    const struct story *story;
    int seen;
};

static int on_audit(void *ctx, const struct row_audit *row, struct err *err)
{
    struct entry *e = ctx;

    (void)err;
    if (strcmp(row->action, e->action) == 0 && strcmp(row->subject, e->subject) == 0) {
        assert_string_equal(row->actor, "alice");
        assert_non_null(strstr(row->detail, "\"cause\":\"revoked\""));
        assert_non_null(strstr(row->detail, "\"reason\":\"drops all\""));
        e->seen++;
    }
    return 0;
}

static int audited(struct story *y, const char *action, const char *subject)
{
    const struct store_visitor v = {.audit = on_audit};
    struct entry e = {action, subject, y, 0};
    struct err err = {0};

    must(store_load(y->site->server.store, &v, &e, &err), &err);
    return e.seen;
}

static void a_running_rollout_halts(void **state)
{
    struct story *y = *state;
    struct err err = {0};
    int64_t exposed;

    start(y, 1);
    while (tick(y, applies) == 0)
        ;
    say_revoked(y, 1, "drops all");
    assert_true(take_in(y));
    site_state_is(y->site, "halted");
    exposed = site_count(y->site, "admitted");
    assert_true(exposed >= 1 && exposed < N);
    assert_true(is_recalled(y, 1));
    assert_null(plan_candidate(y->site->repo.plan, COHORT));
    assert_int_equal(tick(y, applies), 0);
    assert_int_equal(audited(y, "release.revoke", CHANNEL "/1"), 1);
    assert_int_equal(audited(y, "rollout.halt", CHANNEL "/1"), 1);
    assert_int_equal(site_act(y->site, rollouts_start, "1", &err), -ERR_HALTED);
    assert_non_null(strstr(err.msg, "drops all"));
}

static void it_says_why_also_after_a_restart(void **state)
{
    struct story *y = *state;

    start(y, 1);
    tick(y, applies);
    say_revoked(y, 1, "drops all");
    take_in(y);
    for (int i = 0; i < 2; i++) {
        json_auto_t *o = site_status(y->site);

        assert_string_equal(json_string_value(json_object_get(o, "state")), "halted");
        assert_non_null(strstr(json_string_value(json_object_get(o, "stands")), "revoked"));
        assert_non_null(strstr(json_string_value(json_object_get(o, "stands")), "drops all"));
        site_restart(y->site);
    }
    assert_int_equal(tick(y, applies), 0);
    assert_true(is_recalled(y, 1));
}

static void the_same_again_changes_nothing(void **state)
{
    struct story *y = *state;
    int64_t plans;

    start(y, 1);
    tick(y, applies);
    say_revoked(y, 1, "drops all");
    assert_true(take_in(y));
    assert_false(take_in(y));
    site_restart(y->site);
    tick(y, applies); /* tells its plan anew, as after every start */
    plans = y->site->repo.plans;
    assert_false(take_in(y));
    tick(y, applies);
    assert_int_equal(y->site->repo.plans, plans);
    assert_int_equal(audited(y, "release.revoke", CHANNEL "/1"), 1);
}

static void the_baseline_moves_back(void **state)
{
    struct story *y = *state;

    start(y, 1);
    run_until(y, "complete", 120, applies);
    start(y, 2);
    run_until(y, "complete", 120, applies);
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 2));
    say_revoked(y, 2, "drops all");
    assert_true(take_in(y));
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 1));
    site_state_is(y->site, "halted"); /* its rollout was complete, and is undone */
    assert_true(rollouts_needs(&y->site->server, CHANNEL, digest(y, 1)));
    assert_false(rollouts_needs(&y->site->server, CHANNEL, digest(y, 2)));
    site_restart(y->site);
    tick(y, applies);
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 1));
}

static void a_halt_does_not_fall_back_to_it(void **state)
{
    struct story *y = *state;
    struct err err = {0};

    start(y, 1);
    run_until(y, "complete", 120, applies);
    start(y, 2);
    run_until(y, "complete", 120, applies);
    say_revoked(y, 1, "drops all"); /* the way back, not what runs */
    assert_true(take_in(y));
    site_state_is(y->site, "complete");
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 2));
    assert_true(is_recalled(y, 1) && !is_recalled(y, 2));
    must(site_act(y->site, rollouts_halt, "2", &err), &err);
    assert_string_equal(y->site->repo.plan->baseline, "");
}

static void where_all_is_revoked_nothing_is_offered(void **state)
{
    struct story *y = *state;
    struct dev fresh;

    start(y, 1);
    run_until(y, "complete", 120, applies);
    for (int i = 1; i <= 4; i++)
        say_revoked(y, i, "drops all");
    assert_true(take_in(y));
    assert_string_equal(y->site->repo.plan->baseline, "");
    for (int i = 1; i <= 4; i++)
        assert_true(is_recalled(y, i));
    dev_enrol_new(y->site, &fresh, y->site->token);
    strcpy(fresh.ready, digest(y, 1)); /* it saw the plan before */
    dev_checkin(y->site, &fresh);
    assert_string_equal(fresh.digest, "");
    assert_string_equal(fresh.wait, "halted");
    /* What never was published here stands there by its digest. */
    assert_int_equal(audited(y, "release.revoke", CHANNEL "/4"), 1);
}

static void one_in_flight_goes_on_beside_it(void **state)
{
    struct story *y = *state;

    start(y, 1);
    run_until(y, "complete", 120, applies);
    start(y, 2);
    tick(y, applies);
    say_revoked(y, 1, "drops all");
    assert_true(take_in(y));
    site_state_is(y->site, "running");
    assert_string_equal(y->site->repo.plan->baseline, "");
    run_until(y, "complete", 120, applies);
    assert_string_equal(y->site->repo.plan->baseline, digest(y, 2));
}

static void what_was_halted_before_is_told_once(void **state)
{
    struct story *y = *state;
    struct err err = {0};

    start(y, 1);
    tick(y, applies);
    must(site_act(y->site, rollouts_halt, "1", &err), &err); /* and so recalled */
    say_revoked(y, 1, "drops all");
    assert_false(take_in(y)); /* no other plan */
    site_state_is(y->site, "halted");
    assert_int_equal(audited(y, "release.revoke", CHANNEL "/1"), 1);
    site_restart(y->site);
    tick(y, applies);
    assert_false(take_in(y));
    assert_int_equal(audited(y, "release.revoke", CHANNEL "/1"), 1);
}

/* As from the bootstrap files, or where a backup is older than the revocation. */
static void what_came_in_while_it_was_down_holds(void **state)
{
    struct story *y = *state;

    start(y, 1);
    tick(y, applies);
    tick(y, applies);
    say_revoked(y, 1, "drops all");
    site_restart(y->site);
    site_tick(y->site, 1);
    site_state_is(y->site, "halted");
    assert_true(is_recalled(y, 1));
    assert_int_equal(tick(y, applies), 0);
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORY(a_running_rollout_halts),
        STORY(it_says_why_also_after_a_restart),
        STORY(the_same_again_changes_nothing),
        STORY(the_baseline_moves_back),
        STORY(a_halt_does_not_fall_back_to_it),
        STORY(where_all_is_revoked_nothing_is_offered),
        STORY(one_in_flight_goes_on_beside_it),
        STORY(what_was_halted_before_is_told_once),
        STORY(what_came_in_while_it_was_down_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
