/* trust_world: see trust_world.h. */
#include "cmocka_all.h"

#include "trust_world.h"

#include "base/hex.h"
#include "layout.h"
#include "scratch.h"
#include "trust/trust.h"

void world_write(const struct world *w, const char *path, const void *data, size_t len)
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
    world_write(w, full, b->data, b->len);
}

void world_dump_plan(struct world *w, struct buf *ret)
{
    struct err err = {0};

    buf_init(ret, PLAN_MAX);
    if (plan_dump(&w->plan, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

void world_bring(struct world *w)
{
    struct buf plan;

    world_dump_plan(w, &plan);
    add_target(w, w->repo->targets, "rollout/crs.json", &plan);
    buf_release(&plan);
    world_bring_more(w);
}

void world_bring_more(struct world *w)
{
    const char *path;
    json_t *bytes;
    char full[600];

    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    json_object_foreach (w->repo->files, path, bytes) {
        snprintf(full, sizeof full, "state/incoming/%s", path);
        world_write(w, full, json_string_value(bytes), json_string_length(bytes));
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

static void open_conf(struct world *w, const char *top, const char *channels)
{
    char conf[1024];
    struct err err = {0};
    struct path p;

    snprintf(conf, sizeof conf,
             "server=http://127.0.0.1:1\nroot=root.json\nstate_dir=state\n"
             "boot_guard=off\nboot_id_file=boot\n%s[channel crs]\n%s",
             top, channels);
    scratch_write(w->dir, "agent.conf", conf, strlen(conf));
    if (agent_open(layout_at(&p, w->dir, "agent.conf"), &w->agent, &err) < 0)
        fail_msg("%s", err.msg);
    w->clock = clock_fixed(&w->now);
    w->agent->clock = w->agent->place.clock = &w->clock;
    w->agent->built_s = TUF_REPO_NOW - TUF_REPO_DAY;
}

void world_reopen(struct world *w, const char *top, const char *channels)
{
    char repository[65];

    memcpy(repository, w->agent->identity.repository, sizeof repository);
    agent_free(w->agent);
    open_conf(w, top, channels);
    memcpy(w->agent->identity.repository, repository, sizeof repository);
}

static void open_agent(struct world *w)
{
    json_t *root = json_object_get(w->repo->files, "metadata/1.root.json");
    struct err err = {0};

    scratch_write(w->dir, "boot", "boot-1\n", 7);
    scratch_write(w->dir, "root.json", json_string_value(root), json_string_length(root));
    w->now = (struct clock_fixed){.wall_ms = TUF_REPO_NOW * 1000, .awake_ms = 500000};
    open_conf(w, "", "");
    sha256_hex(json_string_value(root), json_string_length(root), w->agent->identity.repository);
    assert_int_equal(state_update(&w->agent->place, nothing, NULL, &err), 0);
    if (trust_init(w->agent, &err) < 0)
        fail_msg("%s", err.msg);
}

void world_show_content(struct world *w, int source)
{
    char path[96];
    struct buf b;

    tuf_repo_bump(w->repo->content, 1);
    buf_init(&b, TUF_TARGETS_MAX);
    tuf_repo_put(w->repo, "unversioned", w->repo->content, &w->repo->content_by, &b);
    json_object_del(w->repo->files, "unversioned");
    snprintf(path, sizeof path, "state/incoming/revocations/%d/content-crs.json", source);
    world_write(w, path, b.data, b.len);
    buf_release(&b);
}

void world_bring_nothing(struct world *w)
{
    struct path p;

    assert_int_equal(file_remove_tree(layout_at(&p, w->dir, "state/incoming/metadata"), NULL), 0);
    assert_int_equal(file_remove_tree(layout_at(&p, w->dir, "state/incoming/targets"), NULL), 0);
}

int world_set_up(void **state)
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

int world_tear_down(void **state)
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
int world_verify(struct world *w)
{
    struct err err = {0}, channel = {0};
    int r = trust_verify(w->agent, NULL, &channel, &err);

    if (r == 0 && channel.code) {
        r = -(int)channel.code;
        err = channel;
    }
    if (r < 0)
        print_message("%s\n", err.msg);
    return r;
}

struct state_channel world_channel(struct world *w)
{
    struct state_channel c = {0};
    struct state *s;

    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    if (state_channel(s, "crs"))
        c = *state_channel(s, "crs");
    free(s);
    return c;
}
