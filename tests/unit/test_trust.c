/* trust: what the fetching child brought is verified again, kept, and has its consequences; what
 * does not pass changes nothing. */
#include "cmocka_all.h"

#include "layout.h"
#include "scratch.h"
#include "tree.h"
#include "trust.h"
#include "tuf_repo.h"

struct world {
    char *dir;
    struct agent *agent;
    struct tuf_repo *repo;
    struct clock_fixed now;
    struct clock clock;
    struct plan plan;
    struct key *keys[1];
    struct buf manifest;
    char digest[65];
};

static void write_at(const struct world *w, const char *path, const void *data, size_t len)
{
    struct path p, dir;

    layout_at(&p, w->dir, "%s", path);
    dir = p;
    *strrchr(dir.s, '/') = '\0';
    assert_int_equal(file_mkdir_p(dir.s, 0755, NULL), 0);
    scratch_write(w->dir, path, data, len);
}

static void add_target(const struct world *w, json_t *targets, const char *path,
                       const struct buf *b)
{
    char sha256[65], name[TUF_TARGET_MAX + 80], full[sizeof name + 40];

    assert_int_equal(metadata_targets_add(targets, path, b->data, b->len, NULL), 0);
    sha256_hex(b->data, b->len, sha256);
    assert_int_equal(tuf_target_file(path, sha256, name, sizeof name, NULL), 0);
    snprintf(full, sizeof full, "state/incoming/targets/%s", name);
    write_at(w, full, b->data, b->len);
}

static void dump_plan(struct world *w, struct buf *ret)
{
    struct err err = {0};

    buf_init(ret, PLAN_MAX);
    if (plan_dump(&w->plan, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

/* The repository with the plan as it stands, in incoming/ as the child leaves it. */
static void bring(struct world *w)
{
    const char *path;
    json_t *bytes;
    struct buf plan;
    char full[600];

    dump_plan(w, &plan);
    add_target(w, w->repo->targets, "rollout/crs.json", &plan);
    buf_release(&plan);
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    json_object_foreach (w->repo->files, path, bytes) {
        snprintf(full, sizeof full, "state/incoming/%s", path);
        write_at(w, full, json_string_value(bytes), json_string_length(bytes));
    }
}

static void make_manifest(struct world *w)
{
    struct manifest_file file = {.path = (char *)"rules.conf", .mode = 0644, .length = 3};
    struct manifest m = {.channel = "crs",
                         .version = "1.0",
                         .sequence = 4,
                         .lowest_sequence = 2,
                         .pace = pace_default,
                         .files = &file,
                         .n_files = 1};

    sha256_hex("abc", 3, file.sha256);
    buf_init(&w->manifest, 65536);
    assert_int_equal(manifest_dump(&m, &w->manifest, NULL), 0);
    sha256_hex(w->manifest.data, w->manifest.len, w->digest);
    add_target(w, w->repo->content, TUF_REPO_TARGET, &w->manifest);
    tuf_repo_bump(w->repo->content, 1);
}

static int nothing(struct state *s, void *ctx, struct err *err)
{
    (void)s;
    (void)ctx;
    (void)err;
    return 0;
}

static void open_agent(struct world *w)
{
    static const char conf[] = "server=http://127.0.0.1:1\nroot=root.json\nstate_dir=state\n"
                               "boot_guard=off\nboot_id_file=boot\n[channel crs]\n";
    json_t *root = json_object_get(w->repo->files, "metadata/1.root.json");
    struct err err = {0};
    struct path p;

    scratch_write(w->dir, "agent.conf", conf, sizeof conf - 1);
    scratch_write(w->dir, "boot", "boot-1\n", 7);
    scratch_write(w->dir, "root.json", json_string_value(root), json_string_length(root));
    if (agent_open(layout_at(&p, w->dir, "agent.conf"), &w->agent, &err) < 0)
        fail_msg("%s", err.msg);
    w->now = (struct clock_fixed){.wall_ms = TUF_REPO_NOW * 1000, .awake_ms = 500000};
    w->clock = clock_fixed(&w->now);
    w->agent->clock = w->agent->place.clock = &w->clock;
    w->agent->built_s = TUF_REPO_NOW - TUF_REPO_DAY;
    sha256_hex(json_string_value(root), json_string_length(root), w->agent->identity.repository);
    assert_int_equal(state_update(&w->agent->place, nothing, NULL, &err), 0);
    if (trust_init(w->agent, &err) < 0)
        fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct plan_rollout *r = &w->plan.rollouts[0];
    void *dir;

    assert_int_equal(scratch_make(&dir), 0);
    w->dir = dir;
    w->repo = tuf_repo_new();
    open_agent(w);
    make_manifest(w);
    w->keys[0] = (struct key *)signer_key(w->repo->signers[0]);
    w->plan = (struct plan){.channel = "crs",
                            .serial = 1,
                            .n_rollouts = 1,
                            .checkin_ms = 1000,
                            .tick_ms = 1000,
                            .permit_keys = {w->keys, 1, 1}};
    *r = (struct plan_rollout){
        .sequence = 4, .version = "1.0", .stage_ppm = PPM, .state = ROLLOUT_RUNNING};
    memcpy(r->digest, w->digest, 65);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *dir = w->dir;

    buf_release(&w->manifest);
    tuf_repo_free(w->repo);
    agent_free(w->agent);
    free(w);
    return scratch_remove(&dir);
}

/* The whole pass's failure, or its one channel's. */
static int verify(struct world *w)
{
    struct err err = {0}, channel = {0};
    int r = trust_verify(w->agent, &channel, &err);

    if (r == 0 && channel.code) {
        r = -(int)channel.code;
        err = channel;
    }
    if (r < 0)
        print_message("%s\n", err.msg);
    return r;
}

static struct state_channel channel(struct world *w)
{
    struct state_channel c = {0};
    struct state *s;

    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    if (state_channel(s, "crs"))
        c = *state_channel(s, "crs");
    free(s);
    return c;
}

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

    bring(w);
    assert_int_equal(verify(w), 0);
    assert_kept(w, true);
    c = channel(w);
    assert_int_equal(state_release(&c, w->digest)->sequence, 4);
    assert_int_equal(state_release(&c, w->digest)->lowest_sequence, 2);
    assert_int_equal(state_release(&c, w->digest)->seen_s, 500);
    /* first sight stays first sight */
    w->now.awake_ms = 900000;
    w->plan.serial++;
    bring(w);
    assert_int_equal(verify(w), 0);
    c = channel(w);
    assert_int_equal(state_release(&c, w->digest)->seen_s, 500);
}

static void test_other_bytes_are_not(void **state)
{
    struct world *w = *state;
    char sha256[65], name[700];
    struct buf plan;

    bring(w);
    dump_plan(w, &plan);
    sha256_hex(plan.data, plan.len, sha256);
    plan.data[plan.len / 2] ^= 1;
    snprintf(name, sizeof name, "state/incoming/targets/rollout/%s.crs.json", sha256);
    write_at(w, name, plan.data, plan.len);
    buf_release(&plan);
    assert_true(verify(w) < 0);
    assert_kept(w, false);
}

/* What the fetching child planted is not opened, however right the bytes behind it may be. */
static void test_links_are_not_followed(void **state)
{
    struct world *w = *state;
    const char *dir = w->agent->config.state_dir;
    struct path p, q;

    bring(w);
    layout_at(&p, dir, "incoming/metadata/timestamp.json");
    layout_at(&q, dir, "incoming/stamp.json");
    assert_int_equal(rename(p.s, q.s), 0);
    assert_int_equal(symlink("../stamp.json", p.s), 0);
    assert_int_equal(verify(w), -ERR_TAMPERED);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(mkfifo(p.s, 0600), 0);
    assert_int_equal(verify(w), -ERR_TAMPERED);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(rename(q.s, p.s), 0);
    layout_at(&p, dir, "incoming/targets");
    layout_at(&q, dir, "elsewhere");
    assert_int_equal(rename(p.s, q.s), 0);
    assert_int_equal(symlink("../elsewhere", p.s), 0);
    assert_int_equal(verify(w), -ERR_TAMPERED);
    assert_kept(w, false);
    assert_int_equal(unlink(p.s), 0);
    assert_int_equal(rename(q.s, p.s), 0);
    assert_int_equal(verify(w), 0);
    assert_kept(w, true);
}

static void test_a_plan_cannot_make_content(void **state)
{
    struct world *w = *state;
    struct plan *plan = NULL;
    struct manifest *m = NULL;

    memset(w->plan.rollouts[0].digest, 'f', 64);
    bring(w);
    assert_int_equal(verify(w), -ERR_UNTRUSTED);
    assert_int_equal(tree_manifest(w->agent->config.state_dir, "crs", w->digest, &m, NULL),
                     -ERR_NOT_FOUND);
    (void)agent_plan(w->agent, "crs", &plan, NULL);
    plan_free(plan);
}

static void test_expired_changes_nothing(void **state)
{
    struct world *w = *state;

    bring(w);
    w->now.wall_ms += TUF_REPO_DAY * 1000 * 4000;
    assert_int_equal(verify(w), -ERR_EXPIRED);
    assert_kept(w, false);
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
    bring(w);
    assert_int_equal(verify(w), 0);
    c = channel(w);
    assert_string_equal(c.leave.digest, w->digest);
    assert_string_equal(c.leave.cause, "recall");
    assert_null(state_quarantined(&c, lifts[0].digest));
    assert_non_null(state_quarantined(&c, lifts[1].digest)); /* blamed on the content */
    assert_non_null(state_quarantined(&c, lifts[2].digest)); /* by its owner */
    /* taken back before it was acted on */
    w->plan.n_recalled = 0;
    w->plan.serial++;
    bring(w);
    assert_int_equal(verify(w), 0);
    c = channel(w);
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
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_what_passes_is_kept),           T(test_other_bytes_are_not),
        T(test_links_are_not_followed),        T(test_a_plan_cannot_make_content),
        T(test_expired_changes_nothing),       T(test_recalls_and_lifts),
        T(test_another_repository_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
