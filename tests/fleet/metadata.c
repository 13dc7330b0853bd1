/* metadata: see metadata.h. */
#include "metadata.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "tuf/client.h"

#define RETRY_MS 500

struct metadata_thread {
    struct metadata_options o;
    char dir[64]; /* trusted metadata, for as long as the fleet runs */
    char channel[CHANNEL_NAME_MAX];
    struct http_client *http;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t news;
    /* under lock */
    bool stop;
    int64_t wanted, have;
    struct view *view;
    int failure;
};

static int fetch_get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    char full[TUF_TARGET_MAX + 96];
    const struct http_request rq = {.method = "GET", .path = full};
    struct http_response rs = {.body = *ret};
    int r;

    if (snprintf(full, sizeof full, "/repo/%s", path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
    r = http_do(ctx, &rq, &rs, err);
    if (r == 0 && rs.status != 200)
        r = http_problem(&rs, path, err);
    *ret = rs.body;
    return r;
}

/* The one "content-*" role that targets delegates to. */
static int only_channel(const struct metadata_thread *t, char ret[CHANNEL_NAME_MAX],
                        struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(t->dir, "targets.json");
    json_auto_t *envelope = NULL;
    const json_t *roles;
    struct buf text;
    size_t i;
    json_t *role;
    int r, n = 0;

    buf_init(&text, TUF_TARGETS_MAX);
    r = path ? file_read(path, &text, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = jsonx_parse(text.data, text.len, TUF_TARGETS_MAX, &envelope, err);
    buf_release(&text);
    if (r < 0)
        return r;
    roles = json_object_get(json_object_get(json_object_get(envelope, "signed"), "delegations"),
                            "roles");
    json_array_foreach (roles, i, role) {
        const char *name = json_string_value(json_object_get(role, "name"));

        if (name && strncmp(name, "content-", 8) == 0 && n++ == 0)
            snprintf(ret, CHANNEL_NAME_MAX, "%s", name + 8);
    }
    return n == 1 ? 0
                  : err_set(err, ERR_INVALID, "there are %d channels: the script must name one", n);
}

static int get_target(struct tuf_client *c, int64_t now_s, const char *path, struct buf *ret,
                      struct err *err)
{
    struct tuf_target target;
    int r = tuf_client_find(c, now_s, path, &target, err);

    return r == 0 ? tuf_client_download(c, &target, ret, err) : r;
}

/* The manifest of a release that the plan names; it must be the one with that digest. */
static int add_manifest(struct tuf_client *c, int64_t now_s, const char *version,
                        const char *digest, struct view *v, struct err *err)
{
    struct manifest *m = NULL;
    char path[TUF_TARGET_MAX];
    struct buf text;
    int r;

    for (int i = 0; i < v->n_manifests; i++)
        if (strcmp(v->manifests[i]->digest, digest) == 0)
            return 0;
    if (manifest_target_path(v->plan->channel, version, path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "plan: release name is too long");
    buf_init(&text, MANIFEST_MAX);
    r = get_target(c, now_s, path, &text, err);
    if (r == 0)
        r = manifest_parse(text.data, text.len, &m, err);
    if (r == 0 && strcmp(m->digest, digest) != 0)
        r = err_set(err, ERR_TAMPERED, "plan and '%s' do not agree on its digest", path);
    if (r == 0)
        v->manifests[v->n_manifests++] = m;
    else
        manifest_free(m);
    buf_release(&text);
    return r;
}

static int read_plan(struct tuf_client *c, int64_t now_s, const char *channel, struct view *v,
                     struct err *err)
{
    char path[TUF_TARGET_MAX];
    struct buf text;
    int r;

    if (plan_target_path(channel, path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "channel name is too long");
    buf_init(&text, PLAN_MAX);
    r = get_target(c, now_s, path, &text, err);
    if (r == 0)
        r = plan_parse(text.data, text.len, &v->plan, err);
    buf_release(&text);
    for (size_t i = 0; r == 0 && i < v->plan->n_rollouts; i++)
        r = add_manifest(c, now_s, v->plan->rollouts[i].version, v->plan->rollouts[i].digest, v,
                         err);
    if (r == 0 && v->plan->baseline[0])
        r = add_manifest(c, now_s, v->plan->baseline_version, v->plan->baseline, v, err);
    return r;
}

static int make_view(struct metadata_thread *t, struct view **ret, struct err *err)
{
    const struct tuf_store store = tuf_store_dir(t->dir);
    const struct tuf_fetch fetch = {fetch_get, t->http};
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    _cleanup_(view_free_p)
    struct view *v = calloc(1, sizeof *v);
    int64_t now_s = clock_wall_ms(clock_system()) / 1000;
    int r = v ? tuf_client_new(&store, &fetch, &c, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = tuf_client_refresh(c, now_s, err);
    if (r == 0 && !t->channel[0])
        r = only_channel(t, t->channel, err);
    if (r == 0)
        r = read_plan(c, now_s, t->channel, v, err);
    if (r < 0)
        return r;
    v->snapshot_version = tuf_client_snapshot_version(c);
    *ret = take_ptr(v);
    return 0;
}

/* Under lock: until told to stop, until a newer snapshot is wanted where that counts, at most
 * wait_ms. */
static void await(struct metadata_thread *t, int64_t wait_ms, bool wanted_counts)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!t->stop && !(wanted_counts && t->wanted > t->have))
        if (pthread_cond_timedwait(&t->news, &t->lock, &until) == ETIMEDOUT)
            break;
}

/* Under lock: take in one refresh; the wait that follows it. */
static void publish(struct metadata_thread *t, struct view *v)
{
    t->have = v->snapshot_version;
    view_free(t->view);
    t->view = v;
    t->o.wake(t->o.ctx);
    if (t->wanted > t->have) /* what was promised is not there yet: ask again, not at once */
        await(t, RETRY_MS, false);
    else
        await(t, t->o.poll_ms, true);
}

static void *run(void *arg)
{
    struct metadata_thread *t = arg;
    int failures = 0; /* in a row; only the first is told */

    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        struct view *v = NULL;
        struct err err = {0};
        int r;

        pthread_mutex_unlock(&t->lock);
        r = make_view(t, &v, &err);
        if (r < 0 && failures++ == 0)
            log_warn("metadata", "%s", err.msg);
        pthread_mutex_lock(&t->lock);
        if (r == 0) {
            failures = 0;
            publish(t, v);
        } else {
            t->failure = r;
            await(t, RETRY_MS, false);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static int trust_root(const struct metadata_thread *t, struct err *err)
{
    const struct tuf_store store = tuf_store_dir(t->dir);
    struct buf root;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    if (t->o.root_file)
        r = file_read(t->o.root_file, &root, err);
    else
        r = fetch_get(t->http, "metadata/1.root.json", &root, err);
    if (r == 0)
        r = tuf_client_init(&store, root.data, root.len, err);
    buf_release(&root);
    return err_context(err, r, "trusted root '%s'",
                       t->o.root_file ? t->o.root_file : "metadata/1.root.json");
}

static int start_thread(struct metadata_thread *t, struct err *err)
{
    pthread_condattr_t attr;
    int r;

    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->news, &attr);
    pthread_condattr_destroy(&attr);
    r = pthread_create(&t->thread, NULL, run, t);
    if (r != 0)
        return err_errno(err, r, "start the metadata thread");
    t->started = true;
    return 0;
}

int metadata_start(const struct metadata_options *o, struct metadata_thread **ret, struct err *err)
{
    struct metadata_thread *t = calloc(1, sizeof *t);
    int r;

    if (!t)
        return err_set(err, ERR_NOMEM, "out of memory");
    t->o = *o;
    snprintf(t->channel, sizeof t->channel, "%s", o->channel);
    strcpy(t->dir, "/tmp/firebreak-fleet-XXXXXX");
    if (!mkdtemp(t->dir)) {
        r = err_errno(err, errno, "make a directory for trusted metadata");
        free(t);
        return r;
    }
    r = http_client_new(&o->http, &t->http, err);
    if (r == 0)
        r = trust_root(t, err);
    if (r == 0)
        r = start_thread(t, err);
    if (r < 0)
        metadata_stop(t);
    else
        *ret = t;
    return r;
}

void metadata_stop(struct metadata_thread *t)
{
    if (!t)
        return;
    if (t->started) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->news);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    http_client_free(t->http);
    view_free(t->view);
    file_remove_tree(t->dir, NULL);
    free(t);
}

void metadata_want(struct metadata_thread *t, int64_t snapshot_version)
{
    pthread_mutex_lock(&t->lock);
    if (snapshot_version > t->wanted) {
        t->wanted = snapshot_version;
        pthread_cond_signal(&t->news);
    }
    pthread_mutex_unlock(&t->lock);
}

struct view *metadata_take(struct metadata_thread *t, int *ret_failure)
{
    struct view *v;

    pthread_mutex_lock(&t->lock);
    v = take_ptr(t->view);
    *ret_failure = t->failure;
    t->failure = 0;
    pthread_mutex_unlock(&t->lock);
    return v;
}
