/* repo: life, changes, and what readers ask. See repo.h and repo_internal.h. */
#include "repo/repo.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "repo/repo_internal.h"

/* --- life ------------------------------------------------------------------------------------ */

/* What the store has; on the first start, what the bootstrap files begin, committed. */
static int load_or_begin(struct server *s, struct repo *r, struct repo_image **ret, struct err *err)
{
    struct store_batch *b;
    int e = repo_load(s, r, ret, err);

    if (e < 0)
        return e;
    b = store_batch_new();
    if (*ret) {
        /* repo_check_keys says what lacks */
        repo_find_keys(*ret, NULL, s->config.online_dir, NULL);
        repo_prune(*ret, b);
        return store_commit(s->store, b, err);
    }
    e = repo_bootstrap(s, r, b, ret, err);
    if (e < 0) {
        store_batch_free(b);
        return e;
    }
    return store_commit(s->store, b, err);
}

int repo_open(struct server *s, struct repo **ret, struct err *err)
{
    struct repo *r = calloc(1, sizeof *r);
    _cleanup_(free_p)
    char *dir = path_join(s->config.state_dir, "blobs");
    int e;

    if (!r || !dir) {
        free(r);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    pthread_rwlock_init(&r->lock, NULL);
    e = blobs_open(dir, s->config.blob_cache_bytes, &r->blobs, err);
    if (e == 0)
        e = repo_open_permit(s->config.online_dir, &r->permit, err);
    if (e == 0)
        e = load_or_begin(s, r, &r->current, err);
    if (e < 0) {
        repo_free(r);
        return err_context(err, e, "repository");
    }
    *ret = r;
    return 0;
}

void repo_free(struct repo *r)
{
    if (!r)
        return;
    image_unref(r->next);
    image_unref(r->current);
    blobs_free(r->blobs);
    signer_free(r->permit);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

int repo_check_keys(struct server *s, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);
    int r = repo_find_keys(i, i, s->config.online_dir, err);

    return err_context(err, r, "repository");
}

int repo_reload(struct server *s, struct err *err)
{
    struct repo *r = s->repo;
    struct repo_image *fresh, *old, *staged;
    int e = repo_load(s, r, &fresh, err);

    if (e == 0 && !fresh)
        e = err_set(err, ERR_NOT_FOUND, "the store has no repository any more");
    if (e < 0)
        return e;
    e = repo_find_keys(fresh, r->current, s->config.online_dir, err);
    if (e < 0) {
        image_unref(fresh);
        return e;
    }
    repo_prune(fresh, NULL);
    pthread_rwlock_wrlock(&r->lock);
    staged = take_ptr(r->next);
    old = r->current;
    /* Above all that was staged: a publication that comes late brings nothing back. */
    fresh->number = (staged && staged->number > old->number ? staged->number : old->number) + 1;
    r->current = fresh;
    pthread_rwlock_unlock(&r->lock);
    image_unref(staged);
    image_unref(old);
    return 0;
}

/* --- readers --------------------------------------------------------------------------------- */

struct repo_image *repo_image(struct repo *r)
{
    struct repo_image *i;

    pthread_rwlock_rdlock(&r->lock);
    i = image_ref(r->current);
    pthread_rwlock_unlock(&r->lock);
    return i;
}

struct blob *repo_get(struct repo *r, const char *path)
{
    struct blob *b;

    pthread_rwlock_rdlock(&r->lock);
    b = image_get(r->current, path);
    if (b)
        blob_ref(b);
    pthread_rwlock_unlock(&r->lock);
    return b;
}

struct blob *repo_get_blob(struct repo *r, const char *sha256)
{
    return blobs_get(r->blobs, sha256);
}

int repo_has_blob(struct repo *r, const char *sha256, int64_t *ret_length)
{
    return blobs_has(r->blobs, sha256, ret_length);
}

int repo_put_blob(struct repo *r, const char *sha256, const void *data, size_t len, struct err *err)
{
    return blobs_put(r->blobs, sha256, data, len, err);
}

int64_t repo_snapshot_version(const struct repo *r)
{
    struct repo *unlocked = (struct repo *)(uintptr_t)r; /* the lock is no part of its state */
    int64_t v;

    pthread_rwlock_rdlock(&unlocked->lock);
    v = r->current->version[REPO_SNAPSHOT];
    pthread_rwlock_unlock(&unlocked->lock);
    return v;
}

const char *repo_root_id(const struct repo *r)
{
    return r->root_id;
}

const struct signer *repo_permit_signer(const struct repo *r)
{
    return r->permit;
}

/* --- changes --------------------------------------------------------------------------------- */

struct repo_image *repo_staged_image(struct repo *r)
{
    struct repo_image *i;

    pthread_rwlock_rdlock(&r->lock);
    i = image_ref(r->next ? r->next : r->current);
    pthread_rwlock_unlock(&r->lock);
    return i;
}

int repo_begin(struct server *s, struct store_batch *b, struct repo_change **ret,
               struct repo_work *ret_work, struct err *err)
{
    struct repo *r = s->repo;
    struct repo_change *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->batch = b;
    c->base = repo_staged_image(r);
    c->image = image_copy(c->base);
    if (!c->image) {
        repo_discard(r, c);
        return err_set(err, ERR_NOMEM, "out of memory for the repository");
    }
    *ret_work = (struct repo_work){s, r, c->image, b};
    *ret = c;
    return 0;
}

/* Make `next` this image (NULL: none); takes the reference. */
static void set_next(struct repo *r, struct repo_image *i)
{
    struct repo_image *old;

    pthread_rwlock_wrlock(&r->lock);
    old = r->next;
    r->next = i;
    pthread_rwlock_unlock(&r->lock);
    image_unref(old);
}

int repo_finish(struct server *s, int r, struct repo_change *c, struct repo_change **ret,
                struct err *err)
{
    if (r == 0)
        r = repo_verify(c->base, c->image, REPO_ANY_TIME, err);
    if (r < 0) {
        repo_discard(s->repo, c);
        return r;
    }
    repo_prune(c->image, take_ptr(c->batch));
    set_next(s->repo, image_ref(c->image));
    *ret = c;
    return 0;
}

int64_t repo_change_snapshot(const struct repo_change *c)
{
    return c->image->version[REPO_SNAPSHOT];
}

static void change_free(struct repo_change *c)
{
    image_unref(c->image);
    image_unref(c->base);
    free(c);
}

void repo_publish(struct repo *r, struct repo_change *c)
{
    struct repo_image *old = NULL, *staged = NULL;

    pthread_rwlock_wrlock(&r->lock);
    if (c->image->number > r->current->number) { /* else a later one, which has it, came first */
        old = r->current;
        r->current = image_ref(c->image);
    }
    if (r->next == c->image)
        staged = take_ptr(r->next);
    pthread_rwlock_unlock(&r->lock);
    image_unref(old);
    image_unref(staged);
    change_free(c);
}

void repo_discard(struct repo *r, struct repo_change *c)
{
    struct repo_image *staged = NULL;

    pthread_rwlock_wrlock(&r->lock);
    if (c->image && r->next == c->image) {
        staged = r->next;
        r->next = c->base->number > r->current->number ? image_ref(c->base) : NULL;
    }
    pthread_rwlock_unlock(&r->lock);
    image_unref(staged);
    change_free(c);
}

/* --- plans and renewal ----------------------------------------------------------------------- */

/* NULL: there is none. */
static struct plan *present_plan(const struct repo_image *i, const char *channel)
{
    struct plan *p = NULL;
    char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
    const struct blob *b;
    const void *data;
    size_t len;

    plan_target_path(channel, target, sizeof target);
    if (image_target(i, "rollout", i->version[REPO_ROLLOUT], target, path, NULL) < 0 ||
        !(b = image_get(i, path)))
        return NULL;
    data = blob_data(b, &len);
    return plan_parse(data, len, &p, NULL) == 0 ? p : NULL;
}

static int64_t present_serial(const struct repo_image *i, const char *channel)
{
    _cleanup_(plan_free_p)
    struct plan *p = present_plan(i, channel);

    return p ? p->serial : 0;
}

bool repo_plan_names_permit(struct repo *r, const char *channel)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(r);
    _cleanup_(plan_free_p)
    struct plan *p = present_plan(i, channel);

    for (size_t n = 0; p && n < p->permit_keys.n_keys; n++)
        if (key_same(p->permit_keys.keys[n], signer_key(r->permit)))
            return true;
    return false;
}

int repo_stage_plan(struct server *s, struct plan *plan, struct store_batch *b,
                    struct repo_change **ret, struct err *err)
{
    const struct plan *one = plan;
    struct repo_change *c;
    struct repo_work w;
    int r = repo_begin(s, b, &c, &w, err);

    if (r < 0)
        return r;
    if (!image_channel(w.image, plan->channel)) {
        repo_discard(s->repo, c);
        return err_set(err, ERR_NOT_FOUND, "there is no channel '%s'", plan->channel);
    }
    plan->serial = present_serial(w.image, plan->channel) + 1;
    r = repo_sign_rollout(&w, &one, 1, err);
    if (r == 0)
        r = repo_sign_snapshot(&w, err);
    if (r == 0)
        r = repo_sign_timestamp(&w, err);
    return repo_finish(s, r, c, ret, err);
}

/* Past half of its life. */
static bool is_due(const struct server *s, const struct repo_image *i, enum repo_online role)
{
    int64_t life_ms =
        role == REPO_TIMESTAMP ? s->config.timestamp_life_ms : s->config.rollout_life_ms;

    return clock_wall_ms(s->clock) >= i->expires_s[role] * 1000 - life_ms / 2;
}

int repo_stage_renewal(struct server *s, struct store_batch *b, struct repo_change **ret,
                       struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_staged_image(s->repo);
    bool rollout = is_due(s, i, REPO_ROLLOUT);
    bool snapshot = rollout || is_due(s, i, REPO_SNAPSHOT);
    struct repo_change *c;
    struct repo_work w;
    int r;

    *ret = NULL;
    if (!snapshot && !is_due(s, i, REPO_TIMESTAMP))
        return 0;
    r = repo_begin(s, b, &c, &w, err);
    if (r < 0)
        return r;
    if (rollout)
        r = repo_sign_rollout(&w, NULL, 0, err);
    if (r == 0 && snapshot)
        r = repo_sign_snapshot(&w, err);
    if (r == 0)
        r = repo_sign_timestamp(&w, err);
    return repo_finish(s, r, c, ret, err);
}
