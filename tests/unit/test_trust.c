/* trust: what the fetching child brought is verified again, kept, and has its consequences; what
 * does not pass changes nothing. */
#include "cmocka_all.h"

#include "layout.h"
#include "scratch.h"
#include "apply/tree.h"
#include "trust/trust.h"
#include "trust_world.h"

static void assert_kept(struct world *w, bool kept)
{
    struct plan *plan = NULL;
    struct manifest *m = NULL;
    const char *dir = w->agent->config.state_dir;

    assert_int_equal(agent_plan(w->agent, "crs", &plan, NULL), kept ? 0 : -ERR_NOT_FOUND);
    assert_int_equal(tree_manifest(dir, "crs", w->digest, &m, NULL), kept ? 0 : -ERR_NOT_FOUND);
    plan_free(plan);
    manifest_free(m);
}

static void test_what_passes_is_kept(void **state)
{
    struct world *w = *state;
    struct state_channel c;

    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    assert_kept(w, true);
    c = world_channel(w);
    assert_int_equal(state_release(&c, w->digest)->sequence, 4);
    assert_int_equal(state_release(&c, w->digest)->lowest_sequence, 2);
    assert_int_equal(state_release(&c, w->digest)->seen_s, 500);
    /* first sight stays first sight */
    w->now.awake_ms = 900000;
    w->plan.serial++;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w);
    assert_int_equal(state_release(&c, w->digest)->seen_s, 500);
}

static void test_other_bytes_are_not(void **state)
{
    struct world *w = *state;
    char sha256[65], name[700];
    struct buf plan;

    world_bring(w);
    world_dump_plan(w, &plan);
    sha256_hex(plan.data, plan.len, sha256);
    plan.data[plan.len / 2] ^= 1;
    snprintf(name, sizeof name, "state/incoming/targets/rollout/%s.crs.json", sha256);
    world_write(w, name, plan.data, plan.len);
    buf_release(&plan);
    assert_true(world_verify(w) < 0);
    assert_kept(w, false);
}

/* What the fetching child planted is not opened, however right the bytes behind it may be. */
static void test_links_are_not_followed(void **state)
{
    struct world *w = *state;
    const char *dir = w->agent->config.state_dir;
    struct path p, q;

    world_bring(w);
    layout_at(&p, dir, "incoming/metadata/timestamp.json");
    layout_at(&q, dir, "incoming/stamp.json");
    assert_int_equal(rename(p.s, q.s), 0);
    assert_int_equal(symlink("../stamp.json", p.s), 0);
    assert_int_equal(world_verify(w), -ERR_TAMPERED);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(mkfifo(p.s, 0600), 0);
    assert_int_equal(world_verify(w), -ERR_TAMPERED);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(rename(q.s, p.s), 0);
    layout_at(&p, dir, "incoming/targets");
    layout_at(&q, dir, "elsewhere");
    assert_int_equal(rename(p.s, q.s), 0);
    assert_int_equal(symlink("../elsewhere", p.s), 0);
    assert_int_equal(world_verify(w), -ERR_TAMPERED);
    assert_kept(w, false);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(rename(q.s, p.s), 0);
    assert_int_equal(world_verify(w), 0);
    assert_kept(w, true);
}

static void test_a_plan_cannot_make_content(void **state)
{
    struct world *w = *state;
    struct plan *plan = NULL;
    struct manifest *m = NULL;

    memset(w->plan.rollouts[0].digest, 'f', 64);
    world_bring(w);
    assert_int_equal(world_verify(w), -ERR_UNTRUSTED);
    assert_int_equal(tree_manifest(w->agent->config.state_dir, "crs", w->digest, &m, NULL),
                     -ERR_NOT_FOUND);
    (void)agent_plan(w->agent, "crs", &plan, NULL);
    plan_free(plan);
}

static void test_expired_changes_nothing(void **state)
{
    struct world *w = *state;

    world_bring(w);
    w->now.wall_ms += TUF_REPO_DAY * 1000 * 4000;
    assert_int_equal(world_verify(w), -ERR_EXPIRED);
    assert_kept(w, false);
}

/* The plan is found in a role that targets delegates, of a name that no state would hold. */
static void test_a_role_may_have_any_name(void **state)
{
    struct world *w = *state;
    json_t *delegations = json_object_get(w->repo->targets, "delegations");
    json_t *first = json_array_get(json_object_get(delegations, "roles"), 0);
    json_t *role = json_deep_copy(first), *odd, *plan;
    struct buf b;
    struct state *s;

    world_bring(w);
    plan = json_object_get(json_object_get(w->repo->targets, "targets"), "rollout/crs.json");
    odd = json_deep_copy(w->repo->content);
    json_object_set_new(odd, "targets", json_pack("{s:O}", "rollout/crs.json", plan));
    tuf_repo_expire(odd, TUF_REPO_NOW + 3600);
    json_object_del(json_object_get(w->repo->targets, "targets"), "rollout/crs.json");
    json_object_set_new(role, "name", json_string("odd role\n"));
    json_object_set_new(role, "paths", json_pack("[s]", "rollout/*"));
    json_array_append_new(json_object_get(delegations, "roles"), role);
    buf_init(&b, TUF_TARGETS_MAX);
    tuf_repo_put(w->repo, "metadata/2.odd%20role%0A.json", odd, &w->repo->content_by, &b);
    metadata_set_ref(w->repo->snapshot, "odd role\n.json", 2, b.data, b.len);
    world_bring_more(w);
    assert_int_equal(world_verify(w), 0);
    assert_kept(w, true);
    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    assert_int_equal(s->expires_s, TUF_REPO_NOW + 3600);
    assert_string_equal(s->expires_role, "targets");
    free(s);
    json_decref(odd);
    buf_release(&b);
}

static int live(struct state *s, void *ctx, struct err *err)
{
    struct world *w = ctx;
    struct state_channel *c;
    char other[65] = {0};
    int r = state_add_channel(s, "crs", &c, err);

    if (r < 0)
        return r;
    memcpy(c->current, w->digest, 65);
    memset(other, 'a', 64);
    state_add_quarantine(c, other, "interrupted", false);
    memset(other, 'b', 64);
    state_add_quarantine(c, other, "health-exit-1", true);
    memset(other, 'c', 64);
    state_add_quarantine(c, other, "owner", false);
    return 0;
}

static void test_recalls_and_lifts(void **state)
{
    struct world *w = *state;
    struct plan_recall recall = {0};
    struct plan_lift lifts[3] = {0};
    struct state_channel c;

    assert_int_equal(state_update(&w->agent->place, live, w, NULL), 0);
    memcpy(recall.digest, w->digest, 65);
    for (int i = 0; i < 3; i++)
        memset(lifts[i].digest, 'a' + i, 64);
    w->plan.recalled = &recall;
    w->plan.n_recalled = 1;
    w->plan.lifted = lifts;
    w->plan.n_lifted = 3;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w);
    assert_string_equal(c.leave.digest, w->digest);
    assert_string_equal(c.leave.cause, "recall");
    assert_null(state_quarantined(&c, lifts[0].digest));
    assert_non_null(state_quarantined(&c, lifts[1].digest)); /* blamed on the content */
    assert_non_null(state_quarantined(&c, lifts[2].digest)); /* by its owner */
    /* taken back before it was acted on */
    w->plan.n_recalled = 0;
    w->plan.serial++;
    world_bring(w);
    assert_int_equal(world_verify(w), 0);
    c = world_channel(w);
    assert_string_equal(c.leave.digest, "");
}

static void test_another_repository_is_refused(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    memset(w->agent->identity.repository, 'd', 64);
    assert_int_equal(trust_init(w->agent, &err), -ERR_UNTRUSTED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_what_passes_is_kept),      T(test_other_bytes_are_not),
        T(test_links_are_not_followed),   T(test_a_plan_cannot_make_content),
        T(test_a_role_may_have_any_name), T(test_expired_changes_nothing),
        T(test_recalls_and_lifts),        T(test_another_repository_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
