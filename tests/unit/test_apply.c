/*
 * apply: the whole way forward and back on real trees and hooks, and that a death of the agent at
 * any step is resolved to the old content or the new, whole, and told.
 */
#include "cmocka_all.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apply/apply.h"
#include "layout.h"
#include "scratch.h"
#include "state/spool.h"
#include "apply/tree.h"

#define DEVICE "00112233445566778899aabbccddeeff"
#define NONCE  "0123456789abcdef0123456789abcdef"

struct world {
    char *dir;
    struct agent *agent;
    struct apply apply;
    struct signer *signer;
    struct plan plan;
    struct key *keys[1];
    char digest[3][65]; /* releases 1.0, 2.0, 3.0 */
    struct permit_request rq;
    json_t *permit;
};

static const char *const always_ok = "exit 0\n";

/* Each hook notes that it ran and on what, then does what the test says. */
static void set_hook(struct world *w, const char *name, const char *body)
{
    char script[1024], path[300];

    snprintf(script, sizeof script, "#!/bin/sh\necho %s $FIREBREAK_VERSION >> %s/log\n%s", name,
             w->dir, body);
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    scratch_write(w->dir, name, script, strlen(script));
    assert_int_equal(chmod(path, 0755), 0);
}

static void write_config(struct world *w)
{
    char text[2048];

    snprintf(text, sizeof text,
             "server=http://127.0.0.1:1\nroot=root.json\nstate_dir=state\nring=canary\n"
             "boot_guard=off\nboot_id_file=boot\nos=linux\nos_version=test-1\narch=x86_64\n"
             "[channel "
             "crs]\npreflight_sandbox=off\npreflight=%s/preflight\nactivate=%s/activate\nhealth=%s/"
             "health\n"
             "soak=0.3\nhealth_interval=0.1\n",
             w->dir, w->dir, w->dir);
    scratch_write(w->dir, "agent.conf", text, strlen(text));
    scratch_write(w->dir, "boot", "boot-1\n", 7);
}

static void write_identity(struct world *w)
{
    struct identity id = {.device = DEVICE, .generation = 1, .group = "lab"};
    struct path p;
    struct buf b;

    memset(id.repository, 'e', 64);
    buf_init(&b, 4096);
    assert_int_equal(identity_dump(&id, &b, NULL), 0);
    file_mkdir_p(layout_at(&p, w->dir, "state"), 0755, NULL);
    file_write_durable(layout_at(&p, w->dir, "state/identity.json"), b.data, b.len, 0600, NULL);
    buf_release(&b);
}

/* Begin with a state: an identity without one is a loss. */
static int nothing(struct state *s, void *ctx, struct err *err)
{
    (void)s;
    (void)ctx;
    (void)err;
    return 0;
}

struct known {
    const char *digest;
    int64_t sequence;
};

static int know(struct state *s, void *ctx, struct err *err)
{
    const struct known *k = ctx;
    struct state_channel *c;
    int r = state_add_channel(s, "crs", &c, err);

    if (r == 0) {
        struct state_release *rel = state_add_release(c, k->digest);

        rel->sequence = k->sequence;
        rel->seen_s = INT64_C(1) << 40; /* only now: no time awake counts for its pace */
        snprintf(rel->version, sizeof rel->version, "%d.0", (int)k->sequence);
    }
    return r;
}

/* Release number i + 1, staged. */
static void make_release(struct world *w, int i)
{
    const char *state_dir = w->agent->config.state_dir;
    char content[32], blob[128];
    struct manifest_file file = {.path = (char *)"rules.conf", .mode = 0644};
    struct manifest m = {.channel = "crs", .sequence = i + 1, .pace = pace_default, .files = &file};
    struct known known = {w->digest[i], i + 1};
    struct path p;
    struct manifest *parsed;
    struct err err = {0};
    struct buf b;

    snprintf(content, sizeof content, "rules %d", i + 1);
    snprintf(m.version, sizeof m.version, "%d.0", i + 1);
    m.n_files = 1;
    file.length = (int64_t)strlen(content);
    sha256_hex(content, strlen(content), file.sha256);
    file_mkdir_p(layout_at(&p, state_dir, "incoming/blobs"), 0755, NULL);
    snprintf(blob, sizeof blob, "incoming/blobs/%s", file.sha256);
    scratch_write(state_dir, blob, content, strlen(content));
    assert_int_equal(blob_take(state_dir, file.sha256, file.length, &err), 0);
    buf_init(&b, 65536);
    assert_int_equal(manifest_dump(&m, &b, &err), 0);
    sha256_hex(b.data, b.len, w->digest[i]);
    assert_int_equal(tree_put_manifest(state_dir, "crs", w->digest[i], b.data, b.len, &err), 0);
    buf_release(&b);
    assert_int_equal(tree_manifest(state_dir, "crs", w->digest[i], &parsed, &err), 0);
    assert_int_equal(tree_build(state_dir, parsed, w->digest[i], NULL, &err), 0);
    manifest_free(parsed);
    assert_int_equal(state_update(&w->agent->place, know, &known, &err), 0);
}

static void write_plan(struct world *w)
{
    struct path p;
    struct buf b;

    buf_init(&b, PLAN_MAX);
    assert_int_equal(plan_dump(&w->plan, &b, NULL), 0);
    layout_at(&p, w->agent->config.state_dir, "channels/crs/plan.json");
    assert_int_equal(file_write_durable(p.s, b.data, b.len, 0644, NULL), 0);
    buf_release(&b);
}

static void sign_permit(struct world *w, int i, enum permit_kind kind)
{
    struct permit permit = {.kind = kind,
                            .device = DEVICE,
                            .channel = "crs",
                            .nonce = NONCE,
                            .snapshot_version = 7,
                            .server_time = 1,
                            .valid_s = 90};

    memcpy(permit.digest, w->digest[i], 65);
    json_decref(w->permit);
    assert_int_equal(permit_sign(&permit, w->signer, &w->permit, NULL), 0);
}

/* The plan means release i for everyone, and a permit for it is at hand. */
static void offer(struct world *w, int i)
{
    struct plan_rollout *r = &w->plan.rollouts[0];

    w->plan.n_rollouts = 1;
    *r = (struct plan_rollout){.sequence = i + 1, .state = ROLLOUT_RUNNING, .stage_ppm = PPM};
    memcpy(r->digest, w->digest[i], 65);
    snprintf(r->version, sizeof r->version, "%d.0", i + 1);
    write_plan(w);
    sign_permit(w, i, PERMIT_ROLLOUT);
    w->rq = (struct permit_request){.device = DEVICE,
                                    .channel = "crs",
                                    .nonce = NONCE,
                                    .snapshot_version = 7,
                                    .boot_id = "boot-1",
                                    .made_boot_ms = clock_boot_ms(w->agent->clock)};
    memcpy(w->rq.digest, w->digest[i], 65);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    void *dir;
    struct path p;
    struct err err = {0};

    assert_int_equal(scratch_make(&dir), 0);
    w->dir = dir;
    write_config(w);
    if (agent_open(layout_at(&p, w->dir, "agent.conf"), &w->agent, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(state_update(&w->agent->place, nothing, NULL, &err), 0);
    write_identity(w);
    assert_int_equal(agent_read_identity(w->agent, &err), 0);
    w->apply = (struct apply){w->agent, &w->agent->config.channels[0], NULL};
    assert_int_equal(key_generate("ed25519", layout_at(&p, w->dir, "key"), NULL, NULL, &err), 0);
    assert_int_equal(signer_open(p.s, NULL, &w->signer, &err), 0);
    w->keys[0] = (struct key *)signer_key(w->signer);
    w->plan = (struct plan){.channel = "crs",
                            .serial = 1,
                            .checkin_ms = 1000,
                            .tick_ms = 1000,
                            .permit_keys = {w->keys, 1, 1}};
    for (int i = 0; i < 3; i++)
        make_release(w, i);
    set_hook(w, "preflight", always_ok);
    set_hook(w, "activate", always_ok);
    set_hook(w, "health", always_ok);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    void *dir = w->dir;

    json_decref(w->permit);
    signer_free(w->signer);
    agent_free(w->agent);
    free(w);
    return scratch_remove(&dir);
}

/* --- looking ---------------------------------------------------------------------------------- */

static void assert_link(struct world *w, const char *link, const char *digest)
{
    char name[TREE_NAME_MAX];

    assert_int_equal(tree_link(w->agent->config.state_dir, "crs", link, name, NULL), 0);
    assert_string_equal(name, digest);
}

static struct state_channel channel(struct world *w)
{
    struct state *s;
    struct state_channel c;

    assert_int_equal(state_load(&w->agent->place, &s, NULL), 0);
    assert_false(s->lost);
    c = *state_channel(s, "crs");
    free(s);
    return c;
}

/* Nothing under way, this content in state and on disk. */
static void assert_settled(struct world *w, const char *digest)
{
    struct state_channel c = channel(w);

    assert_string_equal(c.current, digest);
    assert_string_equal(c.pending.digest, "");
    assert_string_equal(c.attempt.digest, "");
    assert_string_equal(c.leave.digest, "");
    assert_link(w, "current", digest);
}

/* "applied healthy-": kinds and causes of all events, which are then gone. */
static void assert_events(struct world *w, const char *expected)
{
    static struct event e[CHECKIN_MAX_EVENTS];
    char got[1024] = "";
    size_t n;

    assert_int_equal(spool_read(w->agent->config.state_dir, e, CHECKIN_MAX_EVENTS, &n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(got);

        snprintf(got + len, sizeof got - len, "%s%s%s%s%s", i ? ", " : "", event_name(e[i].kind),
                 e[i].cause[0] ? " " : "", e[i].cause, e[i].blamed ? " blamed" : "");
        spool_remove(w->agent->config.state_dir, e[i].id, NULL);
        event_release(&e[i]);
    }
    assert_string_equal(got, expected);
}

static void assert_log(struct world *w, const char *expected)
{
    struct path p;
    struct buf b;

    buf_init(&b, 65536);
    assert_int_equal(file_read(layout_at(&p, w->dir, "log"), &b, NULL), 0);
    assert_string_equal(b.data, expected);
    buf_release(&b);
    unlink(p.s);
}

/* --- doing ------------------------------------------------------------------------------------ */

static int apply(struct world *w, bool *ret_healthy)
{
    struct err err = {0};
    int r = apply_permit(&w->apply, &w->rq, w->permit, ret_healthy, &err);

    if (r < 0)
        print_message("%s\n", err.msg);
    return r;
}

static void take(struct world *w, int i)
{
    bool healthy = false;

    offer(w, i);
    assert_int_equal(apply(w, &healthy), 0);
    assert_true(healthy);
    assert_events(w, "applied, healthy");
}

static void resolve(struct world *w)
{
    struct err err = {0};

    if (apply_resolve(&w->apply, &err) < 0)
        fail_msg("%s", err.msg);
}

/* Apply in a process that a hook kills. */
static void apply_and_die(struct world *w)
{
    char pid[16];
    int status;
    pid_t child = fork();

    if (child == 0) {
        bool healthy;

        snprintf(pid, sizeof pid, "%d", (int)getpid());
        scratch_write(w->dir, "pid", pid, strlen(pid));
        apply_permit(&w->apply, &w->rq, w->permit, &healthy, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* --- forward and back ------------------------------------------------------------------------- */

static void test_the_way_forward(void **state)
{
    struct world *w = *state;

    take(w, 0);
    assert_settled(w, w->digest[0]);
    assert_link(w, "good-run", w->digest[0]);
    take(w, 1);
    assert_settled(w, w->digest[1]);
    assert_true(channel(w).releases[0].healthy_s > 0);
}

static void test_preflight_refuses(void **state)
{
    struct world *w = *state;
    bool healthy = true;
    struct state_channel c;

    take(w, 0);
    set_hook(w, "preflight", "echo line 7: what is this?; exit 1\n");
    offer(w, 1);
    assert_int_equal(apply(w, &healthy), 0);
    assert_false(healthy);
    assert_settled(w, w->digest[0]);
    assert_events(w, "preflight_failed preflight-exit-1 blamed");
    c = channel(w);
    assert_true(state_quarantined(&c, w->digest[1])->blamed);
    assert_int_equal(apply(w, &healthy), -ERR_REFUSED); /* it stays away */
    assert_events(w, "refused quarantined");
}

static void test_not_the_contents_fault(void **state)
{
    struct world *w = *state;
    bool healthy;
    struct state_channel c;

    set_hook(w, "preflight", "exit 75\n");
    offer(w, 0);
    for (int i = 0; i < APPLY_UNBLAMED_MAX; i++) {
        c = channel(w);
        assert_null(state_quarantined(&c, w->digest[0]));
        assert_int_equal(apply(w, &healthy), 0);
        assert_events(w, "preflight_failed preflight-exit-75");
    }
    c = channel(w);
    assert_false(state_quarantined(&c, w->digest[0])->blamed);
}

static void test_ill_after_the_switch(void **state)
{
    struct world *w = *state;
    bool healthy = true;
    struct path p;

    take(w, 0);
    unlink(layout_at(&p, w->dir, "log"));
    set_hook(w, "health", "[ $FIREBREAK_VERSION != 2.0 ]\n");
    offer(w, 1);
    assert_int_equal(apply(w, &healthy), 0);
    assert_false(healthy);
    assert_settled(w, w->digest[0]);
    assert_events(w, "applied, rolled_back health-exit-1 blamed");
    assert_log(w, "preflight 2.0\nactivate 2.0\nhealth 2.0\nactivate 1.0\n");
}

static void test_first_content_fails(void **state)
{
    struct world *w = *state;
    bool healthy;

    set_hook(w, "activate", "kill -SEGV $$\n");
    offer(w, 0);
    assert_int_equal(apply(w, &healthy), 0);
    assert_settled(w, "");
    assert_events(w, "applied, crash consumer blamed, rolled_back activate-signal-11 blamed");
}

static void test_ill_in_the_soak(void **state)
{
    struct world *w = *state;
    bool healthy;

    take(w, 0);
    /* well at first, ill at the third look */
    set_hook(w, "health", "[ $(grep -c 'health 2.0' ${0%/*}/log) -lt 3 ]\n");
    offer(w, 1);
    assert_int_equal(apply(w, &healthy), 0);
    assert_false(healthy);
    assert_settled(w, w->digest[0]);
    assert_events(w, "applied, rolled_back health-exit-1 blamed");
}

/* --- refusals: nothing is touched ------------------------------------------------------------- */

static int set_hold(struct state *s, void *ctx, struct err *err)
{
    (void)err;
    s->hold = *(bool *)ctx;
    return 0;
}

static void assert_refused(struct world *w, int code, const char *event)
{
    bool healthy;
    struct path p;

    unlink(layout_at(&p, w->dir, "log"));
    assert_int_equal(apply(w, &healthy), -code);
    assert_settled(w, w->digest[0]);
    assert_false(file_exists(p.s)); /* no hook has run */
    assert_events(w, event);
}

static void test_permits_that_do_not_fit(void **state)
{
    struct world *w = *state;
    struct permit_request rq;

    take(w, 0);
    offer(w, 1);
    rq = w->rq;
    memset(w->rq.nonce, 'a', 32);
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    memset(w->rq.device, 'a', 32);
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    w->rq.snapshot_version = 8;
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    strcpy(w->rq.boot_id, "boot-0");
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    memcpy(w->rq.digest, w->digest[2], 65);
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    w->rq.made_boot_ms -= 90000;
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
    w->rq = rq;
    sign_permit(w, 1, PERMIT_BASELINE);
    assert_refused(w, ERR_BAD_PERMIT, "refused permit");
}

static void test_owner_and_pace_come_first(void **state)
{
    struct world *w = *state;
    bool hold = true;

    take(w, 0);
    offer(w, 1);
    state_update(&w->agent->place, set_hold, &hold, NULL);
    assert_refused(w, ERR_HELD, "refused held");
    hold = false;
    state_update(&w->agent->place, set_hold, &hold, NULL);
    w->agent->config.ring = RING_PREF_DEFAULT;
    while (draw_within(draw_u(w->agent->identity.draw_key, w->digest[1]), 100000))
        w->agent->identity.draw_key[0]++;
    assert_refused(w, ERR_PACE, "refused pace");
    w->agent->config.ring = RING_PREF_CANARY;
    w->plan.n_rollouts = 0;
    write_plan(w);
    assert_refused(w, ERR_REFUSED, "refused not-planned");
}

static void test_a_damaged_tree_is_not_switched_to(void **state)
{
    struct world *w = *state;
    struct path p;

    take(w, 0);
    offer(w, 1);
    layout_at(&p, w->agent->config.state_dir, "channels/crs/releases/%s/rules.conf", w->digest[1]);
    chmod(p.s, 0644);
    assert_refused(w, ERR_TAMPERED, "refused staged-tree");
}

/* --- death at each step ----------------------------------------------------------------------- */

static void test_death_in_preflight(void **state)
{
    struct world *w = *state;

    take(w, 0);
    set_hook(w, "preflight", "kill -KILL $(cat ${0%/*}/pid)\nsleep 5\n");
    offer(w, 1);
    apply_and_die(w);
    assert_string_equal(channel(w).attempt.digest, w->digest[1]);
    resolve(w);
    assert_settled(w, w->digest[0]);
    assert_events(w, "preflight_failed interrupted");
}

static void test_death_after_the_switch(void **state)
{
    static const char *const hooks[] = {"activate", "health"};
    struct world *w = *state;

    take(w, 0);
    for (size_t i = 0; i < 2; i++) {
        set_hook(w, hooks[i],
                 "[ $FIREBREAK_VERSION = 1.0 ] || { kill -KILL $(cat ${0%/*}/pid); sleep 5; }\n");
        offer(w, 1);
        apply_and_die(w);
        assert_link(w, "current", w->digest[1]);
        resolve(w);
        assert_settled(w, w->digest[0]);
        assert_events(w, "applied, rolled_back interrupted");
        set_hook(w, hooks[i], always_ok);
    }
}

static void test_death_in_the_soak_goes_on_with_it(void **state)
{
    struct world *w = *state;

    take(w, 0);
    set_hook(w, "health",
             "[ $(grep -c 'health 2.0' ${0%/*}/log) != 2 ] ||"
             " { kill -KILL $(cat ${0%/*}/pid); sleep 5; }\n");
    offer(w, 1);
    apply_and_die(w);
    assert_int_equal(channel(w).pending.phase, PHASE_SOAK);
    resolve(w);
    assert_settled(w, w->digest[1]);
    assert_link(w, "good-run", w->digest[1]);
    assert_events(w, "applied, healthy");
}

static void test_death_on_the_way_back_goes_on_back(void **state)
{
    struct world *w = *state;

    take(w, 0);
    set_hook(w, "activate",
             "[ $FIREBREAK_VERSION != 1.0 ] || [ -e ${0%/*}/again ] ||"
             " { kill -KILL $(cat ${0%/*}/pid); sleep 5; }\n");
    set_hook(w, "health", "exit 9\n");
    offer(w, 1);
    apply_and_die(w);
    assert_int_equal(channel(w).pending.phase, PHASE_BACK);
    scratch_write(w->dir, "again", "", 0);
    resolve(w);
    assert_settled(w, w->digest[0]);
    assert_events(w, "applied, rolled_back health-exit-9 blamed");
}

/* --- leaving ---------------------------------------------------------------------------------- */

static int leave(struct state *s, void *ctx, struct err *err)
{
    struct state_channel *c = state_channel(s, "crs");

    (void)err;
    memcpy(c->leave.digest, c->current, sizeof c->leave.digest);
    strcpy(c->leave.cause, ctx);
    return 0;
}

static void test_recall_and_owner_go_back(void **state)
{
    struct world *w = *state;
    struct state_channel c;

    for (int i = 0; i < 3; i++)
        take(w, i);
    state_update(&w->agent->place, leave, (void *)"recall", NULL);
    resolve(w);
    assert_settled(w, w->digest[1]);
    assert_events(w, "recalled recall");
    state_update(&w->agent->place, leave, (void *)"owner", NULL);
    resolve(w);
    assert_settled(w, w->digest[0]);
    assert_events(w, "rolled_back owner");
    c = channel(w);
    assert_non_null(state_quarantined(&c, w->digest[1]));
    assert_non_null(state_quarantined(&c, w->digest[2]));
    state_update(&w->agent->place, leave, (void *)"recall", NULL);
    resolve(w);
    assert_settled(w, w->digest[0]); /* nothing is left to go back to: what works stays */
    assert_events(w, "");
}

static void test_revoked_content_is_left(void **state)
{
    struct world *w = *state;

    take(w, 0);
    take(w, 1);
    state_update(&w->agent->place, leave, (void *)"revoked", NULL);
    resolve(w);
    assert_settled(w, w->digest[0]);
    assert_events(w, "rolled_back revoked");
}

static void test_a_damaged_way_back_is_repaired_or_passed_over(void **state)
{
    struct world *w = *state;
    struct path p;

    for (int i = 0; i < 3; i++)
        take(w, i);
    /* The second one lost its manifest: it cannot be proved whole. */
    layout_at(&p, w->agent->config.state_dir, "channels/crs/manifests/%s.json", w->digest[1]);
    unlink(p.s);
    /* The first one lost a file: blobs still hold it. */
    layout_at(&p, w->agent->config.state_dir, "channels/crs/releases/%s", w->digest[0]);
    chmod(p.s, 0755);
    unlink(layout_at(&p, w->agent->config.state_dir, "channels/crs/releases/%s/rules.conf",
                     w->digest[0]));
    state_update(&w->agent->place, leave, (void *)"recall", NULL);
    resolve(w);
    assert_settled(w, w->digest[0]);
    assert_true(file_exists(p.s));
}

static void test_a_moved_link_is_put_back(void **state)
{
    struct world *w = *state;

    take(w, 0);
    tree_set_link(w->agent->config.state_dir, "crs", "current", w->digest[2], NULL);
    resolve(w);
    assert_settled(w, w->digest[0]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_the_way_forward),
        T(test_preflight_refuses),
        T(test_not_the_contents_fault),
        T(test_ill_after_the_switch),
        T(test_first_content_fails),
        T(test_ill_in_the_soak),
        T(test_permits_that_do_not_fit),
        T(test_owner_and_pace_come_first),
        T(test_a_damaged_tree_is_not_switched_to),
        T(test_death_in_preflight),
        T(test_death_after_the_switch),
        T(test_death_in_the_soak_goes_on_with_it),
        T(test_death_on_the_way_back_goes_on_back),
        T(test_recall_and_owner_go_back),
        T(test_revoked_content_is_left),
        T(test_a_damaged_way_back_is_repaired_or_passed_over),
        T(test_a_moved_link_is_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
