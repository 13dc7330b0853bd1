/* trust: what restricts counts from anywhere and at any age; what allows does not; clocks, channels
 * and releases that are no longer listed; a device that was off for long. */
#include "cmocka_all.h"

#include "layout.h"
#include "scratch.h"
#include "state/spool.h"
#include "apply/tree.h"
#include "trust/trust.h"
#include "trust_world.h"

static const char MIRROR[] = "mirrors=http://127.0.0.1:1\n";

static void name(char digest[65], char c)
{
    memset(digest, c, 64);
    digest[64] = '\0';
}

/* Its signers revoke a digest, from the next content metadata on. */
static void take_back(struct world *w, const char *digest, const char *reason)
{
    json_t *target = json_object_get(json_object_get(w->repo->content, "targets"), TUF_REPO_TARGET);
    json_t *custom = json_object_get(target, "custom");

    if (!custom)
        json_object_set_new(target, "custom", custom = json_pack("{s:[]}", "revoked"));
    json_array_append_new(json_object_get(custom, "revoked"),
                          json_pack("{s:s, s:s}", "digest", digest, "reason", reason));
}

static void forget_revocations(struct world *w)
{
    json_t *target = json_object_get(json_object_get(w->repo->content, "targets"), TUF_REPO_TARGET);

    json_object_del(target, "custom");
}

struct life {
    const char *runs, *before; /* "" none */
    bool healthy, pending;
};

static int live(struct state *s, void *ctx, struct err *err)
{
    const struct life *l = ctx;
    struct state_channel *c;
    int r = state_add_channel(s, "crs", &c, err);

    if (r < 0)
        return r;
    strcpy(c->current, l->runs);
    state_add_release(c, l->runs)->healthy_s = l->healthy ? 50 : 0;
    if (l->before[0])
        state_add_release(c, l->before)->healthy_s = 10;
    if (l->pending) {
        strcpy(c->pending.digest, l->runs);
        strcpy(c->pending.from, l->before);
        c->pending.phase = PHASE_SOAK;
    }
    return 0;
}

static void set_life(struct world *w, const char *runs, const char *before, bool healthy,
                     bool pending)
{
    struct life l = {runs, before, healthy, pending};

    assert_int_equal(state_update(&w->agent->place, live, &l, NULL), 0);
}

static void assert_leaves(struct world *w, const char *digest, const char *cause)
{
    struct state_channel c = world_channel(w);

    assert_string_equal(c.leave.digest, digest);
    assert_string_equal(c.leave.cause, cause);
}

/* --- revocations ------------------------------------------------------------------------------ */

static void test_revoked_in_the_snapshot(void **state)
{
    struct world *w = *state;
    struct state_channel c;
    char before[65];

    name(before, 'a');
    set_life(w, w->digest, before, true, false);
    take_back(w, w->digest, "eats files");
    tuf_repo_bump(w->repo->content, 1);
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    assert_leaves(w, w->digest, "revoked");
    c = world_channel(w);
    assert_string_equal(state_revoked(&c, w->digest)->reason, "eats files");
    assert_null(state_revoked(&c, before));
    /* what its signers no longer say, nor the plan, makes it good again */
    forget_revocations(w);
    tuf_repo_bump(w->repo->content, 1);
    w->plan.serial++;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    assert_leaves(w, w->digest, "revoked");
}

/* The server is gone, or its thief lets no snapshot through: one file on one mirror is enough. */
static void test_revoked_on_a_mirror(void **state)
{
    struct world *w = *state;
    char before[65];

    name(before, 'a');
    world_reopen(w, MIRROR, "");
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    set_life(w, w->digest, before, true, false);
    world_bring_nothing(w);
    take_back(w, w->digest, "eats files");
    tuf_repo_expire(w->repo->content, TUF_REPO_NOW - TUF_REPO_DAY); /* still restricts */
    world_show_content(w, 1);
    assert_int_equal(world_verify(w), -ERR_UNAVAILABLE);
    assert_leaves(w, w->digest, "revoked");
}

static void test_only_its_signers_revoke(void **state)
{
    struct world *w = *state;
    struct tuf_repo_role signers = w->repo->content_by;
    struct state_channel c;

    world_reopen(w, MIRROR, "");
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    set_life(w, w->digest, "", false, false);
    world_bring_nothing(w);
    take_back(w, w->digest, "because I can");
    w->repo->content_by = (struct tuf_repo_role){2, {2, 3}}; /* the server's keys */
    world_show_content(w, 0);
    w->repo->content_by = (struct tuf_repo_role){1, {4}}; /* one of two */
    world_show_content(w, 1);
    assert_true(world_verify(w) < 0);
    c = world_channel(w);
    assert_int_equal(c.n_revoked, 0);
    assert_leaves(w, "", "");
    w->repo->content_by = signers;
    world_show_content(w, 1);
    assert_true(world_verify(w) < 0);
    assert_leaves(w, w->digest, "revoked");
}

/* The server's keys were stolen and replaced: nothing below the root but targets is left here. */
static void test_revoked_after_the_online_keys_were_replaced(void **state)
{
    struct world *w = *state;
    struct tuf_repo *repo = w->repo;

    world_reopen(w, MIRROR, "");
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    set_life(w, w->digest, "", false, false);
    world_bring_nothing(w);
    repo->timestamp_by.signers[0] = 6;
    tuf_repo_set_role(repo, "timestamp", &repo->timestamp_by, 1);
    tuf_repo_bump(repo->root, 1);
    tuf_repo_publish_root(repo);
    world_write(w, "state/incoming/metadata/2.root.json",
                json_string_value(json_object_get(repo->files, "metadata/2.root.json")),
                json_string_length(json_object_get(repo->files, "metadata/2.root.json")));
    assert_true(world_verify(w) < 0);
    assert_leaves(w, "", "");
    take_back(w, w->digest, "found in the thief's bag");
    world_show_content(w, 1);
    assert_true(world_verify(w) < 0);
    assert_leaves(w, w->digest, "revoked");
}

static void test_revoked_in_the_soak(void **state)
{
    struct world *w = *state;
    char before[65];

    name(before, 'a');
    set_life(w, w->digest, before, false, true);
    take_back(w, w->digest, "");
    tuf_repo_bump(w->repo->content, 1);
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    assert_leaves(w, w->digest, "revoked");
}

static size_t events(struct world *w, const char *cause)
{
    static struct event e[CHECKIN_MAX_EVENTS];
    size_t n, found = 0;

    assert_int_equal(spool_read(w->agent->config.state_dir, e, CHECKIN_MAX_EVENTS, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        found += strcmp(e[i].cause, cause) == 0;
        event_release(&e[i]);
    }
    return found;
}

/* Content that has worked here is not taken away where there is nothing else; but it is told. */
static void test_revoked_with_nothing_to_go_back_to(void **state)
{
    struct world *w = *state;
    char before[65];

    name(before, 'a');
    set_life(w, w->digest, before, true, false);
    take_back(w, w->digest, "eats files");
    take_back(w, before, "eats files, too");
    tuf_repo_bump(w->repo->content, 1);
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    assert_leaves(w, "", "");
    assert_int_equal(events(w, "revoked-kept"), 1);
    assert_int_equal(world_verify(w), 0);
    assert_int_equal(events(w, "revoked-kept"), 1);
}

static void fill(struct revoked *r, int from, size_t n)
{
    r->n = n;
    for (size_t i = 0; i < n; i++)
        snprintf(r->items[i].digest, 65, "%064x", from + (int)i);
}

/* An old list, which anybody can show again, displaces nothing of a newer one. */
static void test_the_list_is_bounded(void **state)
{
    static struct state_channel c;
    static struct revoked r;
    char digest[65];

    (void)state;
    fill(&r, 0, 200);
    assert_true(state_revoke(&c, 5, &r));
    assert_false(state_revoke(&c, 5, &r));
    fill(&r, 1000, 200);
    assert_true(state_revoke(&c, 9, &r)); /* a newer one: its own are all there */
    assert_int_equal(c.n_revoked, STATE_MAX_REVOKED);
    for (size_t i = 0; i < 200; i++)
        assert_non_null(state_revoked(&c, r.items[i].digest));
    fill(&r, 0, 200);
    assert_false(state_revoke(&c, 5, &r));
    snprintf(digest, sizeof digest, "%064x", 1000);
    assert_non_null(state_revoked(&c, digest));
    snprintf(digest, sizeof digest, "%064x", 199); /* the latest of the old ones is still there */
    assert_non_null(state_revoked(&c, digest));
}

/* --- clocks ----------------------------------------------------------------------------------- */

static struct state_trouble trouble(struct world *w)
{
    struct state_trouble t;
    struct state *s;

    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    t = s->trouble;
    free(s);
    return t;
}

static void test_a_clock_in_1970_takes_nothing_new(void **state)
{
    struct world *w = *state;
    struct plan *plan = NULL;
    char before[65];

    name(before, 'a');
    set_life(w, w->digest, before, true, false);
    w->now.wall_ms = 0;
    world_bring(w);
    assert_int_equal(world_verify(w), -ERR_HELD);
    assert_int_equal(agent_plan(w->agent, "crs", &plan, NULL), -ERR_NOT_FOUND);
    assert_string_equal(trouble(w).hold, "clock-before-build");
    w->now.wall_ms = TUF_REPO_NOW * 1000;
    assert_int_equal(world_verify(w), 0);
    assert_string_equal(trouble(w).hold, "");
    /* a revocation needs no clock */
    w->now.wall_ms = 0;
    take_back(w, w->digest, "eats files");
    world_show_content(w, 0);
    assert_int_equal(world_verify(w), -ERR_HELD);
    assert_leaves(w, w->digest, "revoked");
}

static void test_a_clock_in_2100_says_so(void **state)
{
    struct world *w = *state;
    struct state_trouble t;
    struct state_channel c;

    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    set_life(w, w->digest, "", true, false);
    w->now.wall_ms = INT64_C(4102444800000);
    assert_int_equal(world_verify(w), -ERR_EXPIRED);
    t = trouble(w);
    assert_string_equal(t.hold, "expired-root");
    assert_non_null(strstr(t.words, "the clock says 2100-01-01"));
    c = world_channel(w);
    assert_string_equal(c.current, w->digest);
    assert_leaves(w, "", "");
    w->now.wall_ms = TUF_REPO_NOW * 1000;
    assert_int_equal(world_verify(w), 0);
    assert_string_equal(trouble(w).hold, "");
}

/* --- channels and releases -------------------------------------------------------------------- */

static void test_one_channel_s_trouble_is_its_own(void **state)
{
    struct world *w = *state;
    struct state *s;
    struct plan *plan = NULL;

    assert_int_equal(metadata_targets_add(w->repo->targets, "rollout/aaa.json", "{}", 2, NULL), 0);
    world_reopen(w, "[channel aaa]\n", "");
    world_bring(w);
    assert_int_equal(world_verify(w), -ERR_UNAVAILABLE); /* listed, and not there */
    assert_int_equal(agent_plan(w->agent, "crs", &plan, NULL), 0);
    plan_free(plan);
    world_write(w,
                "state/incoming/targets/rollout/"
                "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a.aaa.json",
                "{}", 2); /* signed, and no plan */
    assert_int_equal(world_verify(w), -ERR_INVALID);
    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    assert_string_equal(state_channel(s, "aaa")->trouble.hold, "metadata-invalid");
    assert_string_equal(state_channel(s, "crs")->trouble.hold, "");
    assert_true(s->snapshot_version > 1);
    free(s);
}

/* Pruned from content metadata: it goes on running, and nobody is sent to it. */
static void test_a_release_that_is_no_longer_listed(void **state)
{
    struct world *w = *state;
    struct decide_facts f;
    struct state_channel c;
    struct plan *plan;
    struct state *s;
    const char *why;
    char other[65];

    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    json_object_del(json_object_get(w->repo->content, "targets"), TUF_REPO_TARGET);
    tuf_repo_bump(w->repo->content, 1);
    w->plan.serial++;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w);
    assert_string_equal(c.unlisted[0], w->digest);
    name(other, 'a');
    set_life(w, other, "", true, false);
    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    assert_int_equal(agent_plan(w->agent, "crs", &plan, NULL), 0);
    f = agent_facts(w->agent, &w->agent->config.channels[0], s, state_channel(s, "crs"));
    f.plan = plan;
    assert_string_equal(decide_want(&f, &why).digest, "");
    assert_string_equal(why, "unlisted");
    free(s);
    plan_free(plan);
    /* to run it is another matter, and to go back to it */
    set_life(w, w->digest, "", true, false);
    assert_int_equal(world_verify(w), 0);
    assert_leaves(w, "", "");
    c = world_channel(w);
    f = (struct decide_facts){.channel = &c};
    assert_string_equal(decide_back(&f, other, DECIDE_BY_SERVER), w->digest);
}

static void test_the_lowest_sequence_is_kept(void **state)
{
    struct world *w = *state;
    struct state_channel c;

    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w); /* as another process reads it */
    assert_int_equal(c.lowest_sequence, 2);
    assert_int_equal(decide_floor(&c), 2); /* seen is enough */
    state_raise_lowest(&c, 1);
    assert_int_equal(c.lowest_sequence, 2);
}

/* --- a long time off -------------------------------------------------------------------------- */

static void bring_root(struct world *w, int version)
{
    char path[64], full[96];
    const json_t *bytes;

    snprintf(path, sizeof path, "metadata/%d.root.json", version);
    snprintf(full, sizeof full, "state/incoming/%s", path);
    bytes = json_object_get(w->repo->files, path);
    world_write(w, full, json_string_value(bytes), json_string_length(bytes));
}

/* Sixty roots, the online keys changed in each of them and its own keys now and then, every one but
 * the last expired, as is all that is trusted here. */
static void test_a_year_off(void **state)
{
    struct world *w = *state;
    struct tuf_repo *repo = w->repo;
    int64_t later = TUF_REPO_NOW + 400 * TUF_REPO_DAY;
    struct state_channel c;

    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    set_life(w, w->digest, "", true, false);
    world_bring_nothing(w);
    for (int version = 2; version <= 60; version++) {
        repo->timestamp_by.signers[0] = version % 2 ? 2 : 6;
        repo->snapshot_by.signers[0] = version % 2 ? 3 : 7;
        tuf_repo_set_role(repo, "timestamp", &repo->timestamp_by, 1);
        tuf_repo_set_role(repo, "snapshot", &repo->snapshot_by, 1);
        tuf_repo_bump(repo->root, 1);
        if (version == 60)
            tuf_repo_expire(repo->root, later + TUF_REPO_DAY);
        tuf_repo_publish_root(repo);
        bring_root(w, version);
    }
    tuf_repo_expire(repo->targets, later + TUF_REPO_DAY);
    tuf_repo_expire(repo->content, later + TUF_REPO_DAY);
    tuf_repo_expire(repo->snapshot, later + TUF_REPO_DAY);
    tuf_repo_expire(repo->timestamp, later + TUF_REPO_DAY);
    tuf_repo_bump(repo->content, 1);
    w->now.wall_ms = later * 1000;
    assert_int_equal(world_verify(w), -ERR_UNAVAILABLE); /* the roots came, and the line broke */
    c = world_channel(w);
    assert_string_equal(c.current, w->digest);
    w->plan.serial++;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w);
    assert_string_equal(c.current, w->digest);
    assert_leaves(w, "", "");
    assert_string_equal(trouble(w).hold, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_revoked_in_the_snapshot),
        T(test_revoked_on_a_mirror),
        T(test_only_its_signers_revoke),
        T(test_revoked_after_the_online_keys_were_replaced),
        T(test_revoked_in_the_soak),
        T(test_revoked_with_nothing_to_go_back_to),
        cmocka_unit_test(test_the_list_is_bounded),
        T(test_a_clock_in_1970_takes_nothing_new),
        T(test_a_clock_in_2100_says_so),
        T(test_one_channel_s_trouble_is_its_own),
        T(test_a_release_that_is_no_longer_listed),
        T(test_the_lowest_sequence_is_kept),
        T(test_a_year_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
