/*
 * repo_intake: taking in what was signed offline and is no release: roots, targets, content
 * metadata. All that comes together is taken in together or not at all, in this order:
 *
 *   roots     one after the other, each signed by the one before and by itself
 *   targets   signed by the keys that the last root names; channels come and go with it
 *   content   signed by the keys that these targets name; lists nothing that was not published
 *   online    the private keys that root and targets name; rollout, snapshot and timestamp anew
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "repo/repo_internal.h"
#include "rollouts/rollouts.h"

enum kind { KIND_ROOT, KIND_TARGETS, KIND_CONTENT };

struct item {
    struct repo_upload *file;
    enum kind kind;
    int64_t version;
};

struct intake {
    const struct repo_work *work;
    const struct repo_image *base;
    struct item *items; /* sorted: roots by version, targets, content */
    size_t n;
    struct metadata *root; /* in force */
    int64_t now_s;
    bool new_root, new_targets, new_content;
};

/* --- what was sent --------------------------------------------------------------------------- */

static int kind_of(const char *role, enum kind *ret, struct err *err)
{
    if (strcmp(role, "root") == 0)
        *ret = KIND_ROOT;
    else if (strcmp(role, "targets") == 0)
        *ret = KIND_TARGETS;
    else if (strncmp(role, CONTENT_PREFIX, sizeof CONTENT_PREFIX - 1) == 0)
        *ret = KIND_CONTENT;
    else
        return err_set(err, ERR_INVALID, "role '%.60s' is not taken in", role);
    return *ret == KIND_CONTENT ? channel_name_check(role + sizeof CONTENT_PREFIX - 1, err) : 0;
}

static const char *channel_of(const struct item *it)
{
    return it->file->role + sizeof CONTENT_PREFIX - 1;
}

static int parse(const struct item *it, struct metadata **ret, struct err *err)
{
    return metadata_parse(it->file->text, it->file->len,
                          it->kind == KIND_ROOT ? TUF_ROOT : TUF_TARGETS, it->file->role, ret, err);
}

static int read_item(struct repo_upload *file, struct item *ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r;

    ret->file = file;
    r = kind_of(file->role, &ret->kind, err);
    if (r == 0)
        r = parse(ret, &m, err);
    if (r == 0 && file->version && file->version != m->version) {
        err_set(err, ERR_INVALID, "'%s' is version %lld, by its name %lld", file->role,
                (long long)m->version, (long long)file->version);
        err_remedy(err, "name it <version>.%.60s.json, or take it away", file->role);
        return -ERR_INVALID;
    }
    if (r < 0)
        return r;
    ret->version = file->version = m->version;
    file->taken = false;
    return 0;
}

static int by_order(const void *a, const void *b)
{
    const struct item *p = a, *q = b;
    int c = strcmp(p->file->role, q->file->role);

    if (p->kind != q->kind)
        return (int)p->kind - (int)q->kind;
    return c ? c : (p->version > q->version) - (p->version < q->version);
}

/* Only roots come as several versions. */
static int check_once(const struct intake *in, struct err *err)
{
    for (size_t i = 1; i < in->n; i++) {
        const struct item *p = &in->items[i - 1], *q = &in->items[i];

        if (strcmp(p->file->role, q->file->role) == 0 &&
            (q->kind != KIND_ROOT || p->version == q->version))
            return err_set(err, ERR_INVALID, "'%s' is given twice", q->file->role);
    }
    return 0;
}

static int read_items(struct intake *in, struct repo_upload *files, size_t n, struct err *err)
{
    int r = 0;

    if (n > REPO_UPLOADS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d files at a time", REPO_UPLOADS_MAX);
    in->items = calloc(n + 1, sizeof *in->items);
    if (!in->items)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (in->n = 0; r == 0 && in->n < n; in->n++)
        r = read_item(&files[in->n], &in->items[in->n], err);
    if (r < 0)
        return r;
    qsort(in->items, in->n, sizeof *in->items, by_order);
    return check_once(in, err);
}

/* Is it there already, with these bytes? */
static bool is_published(const struct intake *in, const struct item *it)
{
    char path[REPO_PATH_MAX];
    const struct blob *b;
    const void *data;
    size_t len;

    image_metadata_path(it->file->role, it->version, path);
    b = image_get(in->base, path);
    if (!b)
        return false;
    data = blob_data(b, &len);
    return len == it->file->len && memcmp(data, it->file->text, len) == 0;
}

static int put(const struct intake *in, const struct item *it, struct err *err)
{
    char path[REPO_PATH_MAX];
    int r;

    image_metadata_path(it->file->role, it->version, path);
    r = repo_put(in->work, path, it->file->text, it->file->len, it->version, err);
    it->file->taken = r == 0;
    return r;
}

static int refuse_old(const char *role, int64_t version, int64_t present, struct err *err)
{
    err_set(err, ERR_ROLLBACK, "%s version %lld is not above the published one, %lld", role,
            (long long)version, (long long)present);
    return err_remedy(err, "make the next version of what is published now");
}

/* --- root ------------------------------------------------------------------------------------ */

static int check_sequence(int64_t present, int64_t version, struct err *err)
{
    if (version <= present)
        return refuse_old("root", version, present, err);
    if (version == present + 1)
        return 0;
    err_set(err, ERR_INVALID, "root version %lld does not follow version %lld: %lld is missing",
            (long long)version, (long long)present, (long long)present + 1);
    return err_remedy(err, "take in each root, none left out: clients go from one to the next");
}

/* Files here carry their versions; clients of such a root would look for others. */
static int check_names(const struct metadata *root, struct err *err)
{
    if (json_is_true(json_object_get(root->body, "consistent_snapshot")))
        return 0;
    err_set(err, ERR_INVALID, "root version %lld does not set consistent_snapshot",
            (long long)root->version);
    return err_remedy(err, "make it with 'firebreak repo change' from the one before it");
}

static int take_root(struct intake *in, const struct item *it, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    struct repo_image *i = in->work->image;
    int r = check_sequence(i->root, it->version, err);

    if (r == 0)
        r = parse(it, &m, err);
    if (r == 0)
        r = check_names(m, err);
    if (r == 0)
        r = err_context(err, repo_verify_by_root(in->root, m, "root", err),
                        "root version %lld by the keys of version %lld", (long long)it->version,
                        (long long)i->root);
    if (r == 0)
        r = err_context(err, repo_verify_by_root(m, m, "root", err),
                        "root version %lld by its own keys", (long long)it->version);
    if (r == 0)
        r = put(in, it, err);
    if (r < 0)
        return r;
    i->root = it->version;
    repo_begin_life(in->work, "root", m->expires_s);
    metadata_free(in->root);
    in->root = take_ptr(m);
    in->new_root = true;
    return 0;
}

static int take_roots(struct intake *in, struct err *err)
{
    int r = 0;

    for (size_t n = 0; r == 0 && n < in->n; n++)
        if (in->items[n].kind == KIND_ROOT && !is_published(in, &in->items[n]))
            r = take_root(in, &in->items[n], err);
    /* Those between may have run out. */
    return r == 0 && in->new_root ? metadata_check_expiry(in->root, in->now_s, "root", err) : r;
}

/* --- targets --------------------------------------------------------------------------------- */

static const struct item *find_targets(const struct intake *in)
{
    for (size_t n = 0; n < in->n; n++)
        if (in->items[n].kind == KIND_TARGETS)
            return &in->items[n];
    return NULL;
}

/* The published targets under a root that is new. */
static int check_present_targets(const struct intake *in, struct err *err)
{
    const struct repo_image *i = in->work->image;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r = image_metadata(i, "targets", i->targets, TUF_TARGETS, &m, err);

    if (r == 0)
        r = repo_verify_by_root(in->root, m, "targets", err);
    if (r == 0)
        return 0;
    r = err_context(err, r, "targets under root version %lld", (long long)i->root);
    err_remedy(err, "take in root together with targets signed by the keys that it names");
    return r;
}

/* A channel that goes while devices are being moved would leave them nowhere. */
static int check_gone(const struct intake *in, struct err *err)
{
    const struct repo_image *i = in->work->image;

    for (size_t n = 0; n < in->base->n_channels; n++) {
        const struct repo_channel *c = &in->base->channels[n];

        if (c->gone || image_channel(i, c->name) || !rollouts_is_running(in->work->server, c->name))
            continue;
        err_set(err, ERR_CONFLICT,
                "targets no longer delegates channel '%s', in which a rollout "
                "runs",
                c->name);
        return err_remedy(err, "wait until it is complete, or halt it");
    }
    return 0;
}

static int take_targets(struct intake *in, const struct item *it, struct err *err)
{
    struct repo_image *i = in->work->image;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r;

    if (it->version <= i->targets)
        return refuse_old("targets", it->version, i->targets, err);
    r = parse(it, &m, err);
    if (r == 0)
        r = repo_verify_by_root(in->root, m, "targets", err);
    if (r == 0)
        r = metadata_check_expiry(m, in->now_s, "targets", err);
    if (r == 0)
        r = put(in, it, err);
    if (r < 0)
        return r;
    i->targets = it->version;
    repo_begin_life(in->work, "targets", m->expires_s);
    in->new_targets = true;
    r = image_set_channels(i, m, err);
    return r < 0 ? r : check_gone(in, err);
}

static int take_any_targets(struct intake *in, struct err *err)
{
    const struct item *it = find_targets(in);

    if (it && !is_published(in, it))
        return take_targets(in, it, err);
    if (in->work->image->targets == 0) {
        err_set(err, ERR_NOT_FOUND, "there is no targets metadata");
        return err_remedy(err, "make a site with 'firebreak init' and set bootstrap_dir to its "
                               "folder");
    }
    return in->new_root ? check_present_targets(in, err) : 0;
}

/* --- content --------------------------------------------------------------------------------- */

static int take_content(struct intake *in, const struct item *it, struct err *err)
{
    const struct repo_work *w = in->work;
    struct content c;
    int r =
        content_init(&c, w->server, w->image, channel_of(it), it->file->text, it->file->len, err);

    if (r == 0)
        r = content_check_signed(&c, err);
    if (r == 0) /* its own only: revocations must come in though targets have run out */
        r = content_check_expiry(&c, err);
    if (r == 0)
        r = content_check_version(&c, err);
    if (r == 0)
        r = content_check_listed(&c, err);
    if (r == 0)
        r = content_check_dropped(&c, err);
    if (r == 0)
        r = content_put(w, &c, it->file->text, it->file->len, err);
    content_release(&c);
    it->file->taken = r == 0;
    in->new_content |= r == 0;
    return err_context(err, r, "channel '%s'", channel_of(it));
}

static int take_all_content(struct intake *in, struct err *err)
{
    const struct repo_image *i = in->work->image;
    int r = 0;

    for (size_t n = 0; r == 0 && n < in->n; n++)
        if (in->items[n].kind == KIND_CONTENT && !is_published(in, &in->items[n]))
            r = take_content(in, &in->items[n], err);
    for (size_t n = 0; r == 0 && in->new_targets && n < i->n_channels; n++)
        if (!i->channels[n].gone)
            r = content_check_present(in->work->server, i, &i->channels[n], err);
    return r;
}

/* --- online ---------------------------------------------------------------------------------- */

static bool has_plan(const struct repo_image *i, const char *channel)
{
    char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];

    return i->version[REPO_ROLLOUT] > 0 && plan_target_path(channel, target, sizeof target) == 0 &&
           image_target(i, "rollout", i->version[REPO_ROLLOUT], target, path, NULL) == 0;
}

/* With an empty plan for each channel that has none. */
static int sign_rollout(const struct repo_work *w, struct err *err)
{
    struct plan *plans[REPO_CHANNELS_MAX];
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < w->image->n_channels; i++) {
        const struct repo_channel *c = &w->image->channels[i];

        if (c->gone || has_plan(w->image, c->name))
            continue;
        r = repo_empty_plan(w->server, w->repo, c->name, &plans[n], err);
        n += r == 0;
    }
    if (r == 0)
        r = repo_sign_rollout(w, (const struct plan *const *)plans, n, err);
    while (n > 0)
        plan_free(plans[--n]);
    return r;
}

/* Targets that changed may name another key for rollout, or other channels. */
static int sign_all(const struct intake *in, struct err *err)
{
    const struct repo_work *w = in->work;
    int r = repo_find_keys(w->image, in->base, w->server->config.online_dir, err);

    if (r == 0 && in->new_targets)
        r = sign_rollout(w, err);
    if (r == 0)
        r = repo_sign_snapshot(w, err);
    return r < 0 ? r : repo_sign_timestamp(w, err);
}

/* --- all of it ------------------------------------------------------------------------------- */

int repo_take_in(const struct repo_work *w, const struct repo_image *base,
                 struct repo_upload *files, size_t n, bool *ret_new, struct err *err)
{
    struct intake in = {.work = w, .base = base, .now_s = clock_wall_ms(w->server->clock) / 1000};
    int r = read_items(&in, files, n, err);

    if (r == 0)
        r = image_metadata(base, "root", base->root, TUF_ROOT, &in.root, err);
    if (r == 0)
        r = take_roots(&in, err);
    if (r == 0)
        r = take_any_targets(&in, err);
    if (r == 0)
        r = take_all_content(&in, err);
    *ret_new = in.new_root || in.new_targets || in.new_content;
    if (r == 0 && *ret_new)
        r = sign_all(&in, err);
    free(in.items);
    metadata_free(in.root);
    if (r == -ERR_UNDERSIGNED && !err->remedy[0]) /* the usual one speaks of releases */
        err_remedy(err, "add signatures with 'firebreak repo sign'");
    return r;
}

static int audit_files(const struct repo_work *w, const struct repo_upload *files, size_t n,
                       const char *by, struct err *err)
{
    json_t *list = json_array();
    json_auto_t *detail = json_pack("{s:o, s:I}", "files", list, "snapshot_version",
                                    (json_int_t)w->image->version[REPO_SNAPSHOT]);

    for (size_t i = 0; i < n; i++) {
        char name[TUF_ROLE_NAME_MAX + 32];

        if (!files[i].taken)
            continue;
        snprintf(name, sizeof name, "%lld.%s.json", (long long)files[i].version, files[i].role);
        json_array_append_new(list, json_string(name));
    }
    return audit_add(w->server, w->batch, by, "repository.metadata", w->repo->root_id, detail) < 0
               ? err_set(err, ERR_NOMEM, "out of memory")
               : 0;
}

int repo_stage_intake(struct server *s, struct repo_upload *files, size_t n, const char *by,
                      struct store_batch *b, struct repo_change **ret, struct err *err)
{
    struct repo_change *c;
    struct repo_work w;
    bool new;
    int r = repo_begin(s, b, &c, &w, err);

    if (r < 0)
        return r;
    r = repo_take_in(&w, c->base, files, n, &new, err);
    if (r == 0 && !new) {
        repo_discard(s->repo, c);
        *ret = NULL;
        return 0;
    }
    /* By a client that has what is published: repo_finish; here by one that knows a root only. */
    if (r == 0)
        r = repo_verify(NULL, w.image, REPO_ANY_TIME, err);
    r = repo_finish(s, r, c, &c, err);
    if (r < 0)
        return r;
    r = audit_files(&w, files, n, by, err); /* last: the chain goes on from here */
    if (r < 0) {
        repo_discard(s->repo, c);
        return r;
    }
    *ret = c;
    return 0;
}
