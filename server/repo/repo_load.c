/* repo_load: the repository as the store has it, or, on the first start, as the bootstrap files
 * begin it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/file.h"
#include "base/hex.h"
#include "repo/repo_internal.h"

#define MAX_CHANNELS   64
#define CONTENT_PREFIX "content-"

/* --- channels -------------------------------------------------------------------------------- */

static int add_channel(struct repo *r, const char *name, struct err *err)
{
    char **p = realloc(r->channels, (r->n_channels + 1) * sizeof *p);
    int e = channel_name_check(name, err);

    if (p)
        r->channels = p;
    if (e < 0)
        return e;
    if (r->n_channels == MAX_CHANNELS)
        return err_set(err, ERR_TOO_LARGE, "targets delegates more than %d channels", MAX_CHANNELS);
    if (!p || !(p[r->n_channels] = strdup(name)))
        return err_set(err, ERR_NOMEM, "out of memory");
    r->n_channels++;
    return 0;
}

/* The channels are those that targets delegates content of. */
static int set_channels(struct repo *r, const struct metadata *targets, struct err *err)
{
    const char *role;
    int e = 0;

    if (r->n_channels) /* targets does not change while the process runs */
        return 0;
    for (size_t i = 0; e == 0 && (role = metadata_delegation(targets, i)); i++)
        if (strncmp(role, CONTENT_PREFIX, sizeof CONTENT_PREFIX - 1) == 0)
            e = add_channel(r, role + sizeof CONTENT_PREFIX - 1, err);
    if (e == 0 && r->n_channels == 0)
        e = err_set(err, ERR_INVALID, "targets delegates no channel");
    return e;
}

static int set_root_id(struct repo *r, const struct repo_image *i, struct err *err)
{
    const struct blob *b = image_get(i, "metadata/1.root.json");

    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no 'metadata/1.root.json'");
    snprintf(r->root_id, sizeof r->root_id, "%s", blob_sha256(b));
    return 0;
}

static int size_content(struct repo_image *i, size_t n, struct err *err)
{
    free(i->content);
    i->content = calloc(n, sizeof *i->content);
    i->n_content = i->content ? n : 0;
    return i->content ? 0 : err_set(err, ERR_NOMEM, "out of memory");
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

static int load_content(const struct repo *r, struct repo_image *i, const struct metadata *snapshot,
                        struct err *err)
{
    int e = size_content(i, r->n_channels, err);

    for (size_t n = 0; e == 0 && n < r->n_channels; n++) {
        char role[TUF_ROLE_NAME_MAX];
        struct meta_ref ref;

        e = content_role_name(r->channels[n], role, sizeof role);
        if (e == 0 && metadata_ref(snapshot, role, &ref, NULL) == 0)
            i->content[n] = ref.version;
    }
    return e;
}

/* Present plans count as of the present version (image_prune). */
static int refresh_plans(const struct repo *r, struct repo_image *i, struct err *err)
{
    int e = 0;

    for (size_t n = 0; e == 0 && n < r->n_channels; n++) {
        char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
        struct blob *b;

        plan_target_path(r->channels[n], target, sizeof target);
        e = image_target(i, "rollout", i->version[REPO_ROLLOUT], target, path, err);
        b = e == 0 ? image_get(i, path) : NULL;
        if (e == 0)
            e = b ? image_put(i, path, b, i->version[REPO_ROLLOUT], err)
                  : err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    }
    return e;
}

/* Everything follows from timestamp.json. */
static int find_present(struct repo *r, struct repo_image *i, struct err *err)
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
        e = set_channels(r, targets, err);
    if (e == 0)
        e = metadata_ref(snapshot, "rollout", &ref, err);
    if (e == 0)
        e = load_online(i, REPO_ROLLOUT, ref.version, TUF_TARGETS, &rollout, err);
    if (e == 0)
        e = load_content(r, i, snapshot, err);
    return e < 0 ? e : refresh_plans(r, i, err);
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
    e = set_root_id(r, i, err);
    if (e == 0)
        e = find_present(r, i, err);
    if (e < 0)
        return err_context(err, e, "load the repository");
    image_prune(i);
    *ret = take_ptr(i);
    return 0;
}

/* --- first start ----------------------------------------------------------------------------- */

static int read_bootstrap(const struct repo_work *w, const char *role, enum tuf_type type,
                          size_t max, struct metadata **ret, struct err *err)
{
    char name[64], path[REPO_PATH_MAX];
    _cleanup_(free_p)
    char *from = NULL;
    struct buf text;
    int r;

    snprintf(name, sizeof name, "1.%s.json", role);
    image_metadata_path(role, 1, path);
    from = path_join(w->server->config.bootstrap_dir, name);
    if (!from)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&text, max);
    r = file_read(from, &text, err);
    if (r == -ERR_NOT_FOUND)
        err_remedy(err, "make a site with 'firebreak init' and set bootstrap_dir to its folder");
    if (r == 0)
        r = metadata_parse(text.data, text.len, type, from, ret, err);
    if (r == 0 && (*ret)->version != 1)
        r = err_set(err, ERR_INVALID, "'%s' is version %lld, not 1", from,
                    (long long)(*ret)->version);
    if (r == 0)
        r = repo_put(w, path, text.data, text.len, 1, err);
    buf_release(&text);
    return r;
}

static int verify_by(const struct metadata *root, const struct metadata *m, const char *role,
                     int64_t now_s, struct err *err)
{
    struct key_set set = {0};
    int r = metadata_root_keys(root, role, &set, err);

    if (r == 0)
        r = envelope_verify(m->envelope, &set, role, err);
    key_set_release(&set);
    return r < 0 ? r : metadata_check_expiry(m, now_s, role, err);
}

static int first_plans(const struct repo_work *w, struct err *err)
{
    struct plan *plans[MAX_CHANNELS] = {0};
    size_t n;
    int r = 0;

    for (n = 0; r == 0 && n < w->repo->n_channels; n++)
        r = repo_empty_plan(w->server, w->repo, w->repo->channels[n], &plans[n], err);
    if (r == 0)
        r = repo_sign_rollout(w, (const struct plan *const *)plans, n, err);
    while (n > 0)
        plan_free(plans[--n]);
    return r;
}

static int offline_part(const struct repo_work *w, struct err *err)
{
    int64_t now_s = clock_wall_ms(w->server->clock) / 1000;
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    int r = read_bootstrap(w, "root", TUF_ROOT, TUF_ROOT_MAX, &root, err);

    if (r == 0)
        r = verify_by(root, root, "root", now_s, err);
    if (r == 0)
        r = read_bootstrap(w, "targets", TUF_TARGETS, TUF_TARGETS_MAX, &targets, err);
    if (r == 0)
        r = verify_by(root, targets, "targets", now_s, err);
    if (r == 0)
        r = set_channels(w->repo, targets, err);
    if (r < 0)
        return r;
    w->image->root = w->image->targets = 1;
    r = set_root_id(w->repo, w->image, err);
    return r < 0 ? r : size_content(w->image, w->repo->n_channels, err);
}

int repo_bootstrap(struct server *s, struct repo *r, struct store_batch *b, struct repo_image **ret,
                   struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = image_new();
    const struct repo_work w = {s, r, i, b};
    int e = i ? offline_part(&w, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (e == 0)
        e = repo_check_signers(r, i, err);
    if (e == 0)
        e = first_plans(&w, err);
    if (e == 0)
        e = repo_sign_snapshot(&w, err);
    if (e == 0)
        e = repo_sign_timestamp(&w, err);
    if (e == 0)
        e = repo_verify(r, NULL, i, clock_wall_ms(s->clock) / 1000, err);
    if (e == 0)
        e = audit_add(s, b, "server", "repository.create", r->root_id, NULL);
    if (e < 0)
        return err_context(err, e, "first start");
    *ret = take_ptr(i);
    return 0;
}
