/* repo_load: the repository as the store has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repo/repo_internal.h"

int repo_set_id(struct repo *r, const struct repo_image *i, struct err *err)
{
    const struct blob *b = image_get(i, "metadata/1.root.json");

    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no 'metadata/1.root.json'");
    snprintf(r->root_id, sizeof r->root_id, "%s", blob_sha256(b));
    return 0;
}

/* --- from the store -------------------------------------------------------------------------- */

static int load_file(void *ctx, const struct row_metadata *row, struct err *err)
{
    _cleanup_(blob_unref_p)
    struct blob *b = blob_new(row->data, row->len);

    return b ? image_put(ctx, row->name, b, row->version, err)
             : err_set(err, ERR_NOMEM, "out of memory");
}

static int load_release(void *ctx, const struct row_release *row, struct err *err)
{
    struct repo_listing l = {.sequence = row->sequence, .published_ms = row->published_ms};

    snprintf(l.channel, sizeof l.channel, "%s", row->channel);
    snprintf(l.version, sizeof l.version, "%s", row->version);
    snprintf(l.digest, sizeof l.digest, "%s", row->digest);
    snprintf(l.by, sizeof l.by, "%s", row->by);
    return image_add_release(ctx, &l, err);
}

static int load_online(struct repo_image *i, enum repo_online role, int64_t version,
                       enum tuf_type type, struct metadata **ret, struct err *err)
{
    int r = image_metadata(i, repo_online_name(role), role == REPO_TIMESTAMP ? 0 : version, type,
                           ret, err);

    if (r == 0) {
        i->version[role] = (*ret)->version;
        i->expires_s[role] = (*ret)->expires_s;
    }
    return r;
}

/* Present plans count as of the present version (image_prune). */
static int refresh_plans(struct repo_image *i, struct err *err)
{
    int e = 0;

    for (size_t n = 0; e == 0 && n < i->n_channels; n++) {
        char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
        struct blob *b;

        if (i->channels[n].gone)
            continue;
        plan_target_path(i->channels[n].name, target, sizeof target);
        e = image_target(i, "rollout", i->version[REPO_ROLLOUT], target, path, err);
        b = e == 0 ? image_get(i, path) : NULL;
        if (e == 0)
            e = b ? image_put(i, path, b, i->version[REPO_ROLLOUT], err)
                  : err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    }
    return e;
}

/* When the present versions of offline roles expire. */
static int load_lives(struct repo_image *i, const struct metadata *targets, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    int r = image_metadata(i, "root", i->root, TUF_ROOT, &root, err);

    if (r < 0)
        return r;
    i->root_life.expires_s = root->expires_s;
    i->targets_life.expires_s = targets->expires_s;
    for (size_t n = 0; r == 0 && n < i->n_channels; n++) {
        struct repo_channel *c = &i->channels[n];
        _cleanup_(metadata_free_p)
        struct metadata *m = NULL;
        char role[TUF_ROLE_NAME_MAX];

        if (c->gone || c->content == 0)
            continue;
        content_role_name(c->name, role, sizeof role);
        r = image_metadata(i, role, c->content, TUF_TARGETS, &m, err);
        if (r == 0)
            c->life.expires_s = m->expires_s;
    }
    return r;
}

/* Since when: for warnings only, so what cannot be read is as good as not there. */
static int load_since(void *ctx, const struct row_setting *row, struct err *err)
{
    static const char prefix[] = REPO_SINCE;
    struct repo_life *life = strncmp(row->key, prefix, sizeof prefix - 1) == 0
                                 ? image_life(ctx, row->key + sizeof prefix - 1)
                                 : NULL;

    (void)err;
    if (life)
        life->since_s = strtoll(row->value, NULL, 10);
    return 0;
}

/* Everything follows from timestamp.json. */
static int find_present(struct repo_image *i, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *timestamp = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *snapshot = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *rollout = NULL;
    struct meta_ref ref = {0};
    int e = load_online(i, REPO_TIMESTAMP, 0, TUF_TIMESTAMP, &timestamp, err);

    if (e == 0)
        e = metadata_ref(timestamp, "snapshot", &ref, err);
    if (e == 0)
        e = load_online(i, REPO_SNAPSHOT, ref.version, TUF_SNAPSHOT, &snapshot, err);
    if (e == 0)
        e = metadata_ref(snapshot, "targets", &ref, err);
    if (e == 0)
        e = image_metadata(i, "targets", i->targets = ref.version, TUF_TARGETS, &targets, err);
    if (e == 0)
        e = image_set_channels(i, targets, err);
    if (e == 0)
        e = metadata_ref(snapshot, "rollout", &ref, err);
    if (e == 0)
        e = load_online(i, REPO_ROLLOUT, ref.version, TUF_TARGETS, &rollout, err);
    if (e == 0)
        e = image_set_content(i, snapshot, err);
    if (e == 0)
        e = load_lives(i, targets, err);
    return e < 0 ? e : refresh_plans(i, err);
}

static void find_root(struct repo_image *i)
{
    char path[REPO_PATH_MAX];

    for (;; i->root++) {
        image_metadata_path("root", i->root + 1, path);
        if (!image_get(i, path))
            return;
    }
}

int repo_load(struct server *s, struct repo *r, struct repo_image **ret, struct err *err)
{
    static const struct store_visitor v = {.metadata = load_file, .release = load_release};
    static const struct store_visitor lives = {.setting = load_since};
    _cleanup_(image_unref_p)
    struct repo_image *i = image_new();
    int e = i ? store_load(s->store, &v, i, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (e < 0)
        return e;
    if (i->n_files == 0) {
        *ret = NULL;
        return 0;
    }
    find_root(i);
    e = repo_set_id(r, i, err);
    if (e == 0)
        e = find_present(i, err);
    if (e == 0)
        e = repo_note_all_listed(i, err);
    if (e == 0)
        e = store_load(s->store, &lives, i, err);
    if (e < 0)
        return err_context(err, e, "load the repository");
    *ret = take_ptr(i);
    return 0;
}
