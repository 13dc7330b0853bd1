/* repo_walk: see repo_walk.h. */
#include "repository/repo_walk.h"

#include <stdlib.h>
#include <string.h>

#include "repository/repo_walk_internal.h"
#include "trust.h"
#include "tuf/name.h"
#include "tuf/store_memory.h"

#define FILES_MAX      1024 /* of metadata */
#define CONTENT_PREFIX "content-"
#define GAP_MAX        8 /* roots that may be missing together and are noticed */
#define PUT_ROOT_BACK  "put it back: endpoints that trust an older root need it"

/* --- life, and what is wrong ----------------------------------------------------------------- */

void repo_walk_free(struct repo_walk *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_files; i++) {
        free(w->files[i].path);
        free(w->files[i].data);
    }
    for (size_t i = 0; i < w->n_targets; i++)
        free(w->targets[i].path);
    for (size_t i = 0; i < w->n_blobs; i++)
        free(w->blobs[i].path);
    free(w->files);
    free(w->targets);
    free(w->blobs);
    free(w->roles);
    free(w->channels);
    free(w);
}

void repo_walk_problem(struct repo_walk *w, const char *subject, const struct err *err)
{
    struct walk_problem *p = &w->problems[w->n_problems];

    if (w->n_problems++ >= REPO_WALK_PROBLEMS)
        return;
    snprintf(p->subject, sizeof p->subject, "%s", subject);
    p->err = *err;
}

int repo_walk_verdict(const struct repo_walk *w, struct err *err)
{
    const struct walk_problem *p = &w->problems[0];
    char remedy[ERR_REMEDY_MAX];
    enum err_code code;

    if (!w->n_problems)
        return 0;
    code = err_exit_status((int)p->err.code) == 3 ? p->err.code : ERR_REFUSED;
    snprintf(remedy, sizeof remedy, "%s", err_show_remedy(&p->err));
    if (w->n_problems > 1)
        err_set(err, code, "%.300s (and %zu more)", p->err.msg, w->n_problems - 1);
    else
        err_set(err, code, "%s", p->err.msg);
    return err_remedy(err, "%s", remedy);
}

int walk_note(struct walking *k, const char *subject, int r, struct err *err)
{
    if (r >= 0 || repo_source_is_away(r))
        return r;
    repo_walk_problem(k->w, subject, err);
    *err = (struct err){0};
    return 0;
}

int walk_note_is(struct walking *k, const char *subject, struct err *err, const char *remedy)
{
    if (remedy)
        err_remedy(err, "%s", remedy);
    return walk_note(k, subject, -(int)err->code, err);
}

/* --- metadata is asked for once -------------------------------------------------------------- */

static struct walk_file *find_file(struct repo_walk *w, const char *path)
{
    for (size_t i = 0; i < w->n_files; i++)
        if (strcmp(w->files[i].path, path) == 0)
            return &w->files[i];
    return NULL;
}

static int keep_file(struct repo_walk *w, const char *path, const struct buf *text, struct err *err)
{
    struct walk_file *f, *more;

    if (w->n_files == FILES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d files of metadata", FILES_MAX);
    more = realloc(w->files, (w->n_files + 1) * sizeof *more);
    if (!more)
        return err_set(err, ERR_NOMEM, "out of memory");
    w->files = more;
    f = &more[w->n_files];
    *f = (struct walk_file){strdup(path), malloc(text->len + 1), text->len};
    if (!f->path || !f->data) {
        free(f->path);
        free(f->data);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    memcpy(f->data, text->data, text->len);
    f->data[text->len] = '\0';
    w->n_files++;
    return 0;
}

/* So that all that is looked at is of one state, whatever is published meanwhile. */
static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct walking *k = ctx;
    const struct walk_file *f = find_file(k->w, path);
    int r;

    if (f) {
        r = buf_add(ret, f->data, f->len);
        return r < 0 ? err_set(err, (enum err_code) - r, "'%.200s' is too long", path) : 0;
    }
    r = repo_source_get(k->source, path, ret, err);
    return r == 0 && strncmp(path, "metadata/", 9) == 0 ? keep_file(k->w, path, ret, err) : r;
}

static int role_path(const char *role, int64_t version, char ret[TUF_TARGET_MAX], struct err *err)
{
    char quoted[TUF_TARGET_MAX - 48];
    int r = name_quote(role, quoted, sizeof quoted, err);

    snprintf(ret, TUF_TARGET_MAX, "metadata/%lld.%s.json", (long long)version, quoted);
    return r;
}

/* The file of a role at this version, as it was fetched; NULL: it was not. */
static struct walk_file *role_file(struct walking *k, const char *role, int64_t version)
{
    char path[TUF_TARGET_MAX];

    if (role_path(role, version, path, NULL) < 0)
        return NULL;
    return find_file(k->w, strcmp(role, "timestamp") == 0 ? "metadata/timestamp.json" : path);
}

static struct metadata *role_parse(struct walking *k, const char *role, int64_t version,
                                   enum tuf_type type)
{
    const struct walk_file *f = role_file(k, role, version);
    struct metadata *m = NULL;

    if (f)
        metadata_parse(f->data, f->len, type, role, &m, NULL);
    return m;
}

/* --- roles ----------------------------------------------------------------------------------- */

static struct walk_role *add_role(struct walking *k, const char *name, const struct metadata *m,
                                  struct err *err)
{
    struct walk_role *more = realloc(k->w->roles, (k->w->n_roles + 1) * sizeof *more);
    struct walk_role *role;

    if (!more) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    k->w->roles = more;
    role = &more[k->w->n_roles++];
    *role = (struct walk_role){.version = m ? m->version : 0, .expires_s = m ? m->expires_s : 0};
    snprintf(role->name, sizeof role->name, "%s", name);
    role->online = strcmp(name, "timestamp") == 0 || strcmp(name, "snapshot") == 0 ||
                   strcmp(name, "rollout") == 0;
    return role;
}

static void set_keys(struct walk_role *role, int r, struct key_set *keys)
{
    if (r < 0)
        return;
    role->threshold = keys->threshold;
    role->keys = (int)keys->n_keys;
    key_set_release(keys);
}

/* Version that a list of versions gives for a role; 0: none. */
static int64_t listed_version(const struct metadata *list, const char *role)
{
    struct meta_ref ref;

    return list && metadata_ref(list, role, &ref, NULL) == 0 ? ref.version : 0;
}

/* The root that is trusted in the end. */
static struct metadata *trusted_root(const struct tuf_store *store)
{
    _cleanup_(buf_release)
    struct buf text;
    struct metadata *root = NULL;

    buf_init(&text, TUF_ROOT_MAX);
    if (store->get(store->ctx, "root.json", &text, NULL) == 0)
        metadata_parse(text.data, text.len, TUF_ROOT, "root", &root, NULL);
    return root;
}

/* The four that every repository has, as far as they were found. */
static int top_roles(struct walking *k, const struct tuf_store *store,
                     struct metadata **ret_snapshot, struct metadata **ret_targets, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *root = trusted_root(store);
    _cleanup_(metadata_free_p)
    struct metadata *timestamp = role_parse(k, "timestamp", 0, TUF_TIMESTAMP);
    struct metadata *snapshot =
        role_parse(k, "snapshot", listed_version(timestamp, "snapshot"), TUF_SNAPSHOT);
    struct metadata *targets =
        role_parse(k, "targets", listed_version(snapshot, "targets"), TUF_TARGETS);
    const struct {
        const char *name;
        const struct metadata *m;
    } rows[] = {
        {"root", root}, {"targets", targets}, {"snapshot", snapshot}, {"timestamp", timestamp}};

    *ret_snapshot = snapshot;
    *ret_targets = targets;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct walk_role *role = add_role(k, rows[i].name, rows[i].m, err);
        struct key_set keys = {0};

        if (!role)
            return -ERR_NOMEM;
        if (root)
            set_keys(role, metadata_root_keys(root, rows[i].name, &keys, NULL), &keys);
    }
    return 0;
}

/* One that targets delegates to. */
static int delegated_role(struct walking *k, const char *name, const struct metadata *snapshot,
                          const struct metadata *targets, struct err *err)
{
    int64_t version = listed_version(snapshot, name);
    const struct metadata *verified;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    struct walk_role *role;
    struct key_set keys = {0};
    int r = version ? tuf_client_delegated(k->client, k->now_s, name, &verified, err) : 0;
    bool good = version && r == 0;

    r = walk_note(k, name, r, err);
    if (r < 0)
        return r;
    m = role_parse(k, name, version, TUF_TARGETS); /* to keep: the client's may change */
    role = add_role(k, name, m, err);
    if (!role)
        return -ERR_NOMEM;
    set_keys(role, metadata_delegated_keys(targets, name, &keys, NULL), &keys);
    if (strncmp(name, CONTENT_PREFIX, strlen(CONTENT_PREFIX)) != 0 || (version && !good))
        return 0;
    return walk_one_channel(k, name + strlen(CONTENT_PREFIX), m, role_file(k, name, version), err);
}

static int delegated_roles(struct walking *k, const struct metadata *snapshot,
                           const struct metadata *targets, struct err *err)
{
    const char *name;
    int r = 0;

    for (size_t i = 0; r == 0 && (name = metadata_delegation(targets, i)); i++)
        r = delegated_role(k, name, snapshot, targets, err);
    return r;
}

/* --- roots ----------------------------------------------------------------------------------- */

static int get_root(struct walking *k, int64_t version, struct buf *ret, struct err *err)
{
    char path[TUF_TARGET_MAX];

    buf_init(ret, TUF_ROOT_MAX);
    role_path("root", version, path, NULL);
    return fetch(k, path, ret, err);
}

/* As who trusts this root: all of it. */
static int refresh_from(struct walking *k, const struct buf *root, const struct tuf_store *store,
                        struct tuf_client **ret, struct err *err)
{
    int r = tuf_client_init(store, root->data, root->len, err);

    if (r == 0)
        r = tuf_client_new(store, &k->fetch, ret, err);
    return r < 0 ? r : trust_refresh_to_newest(*ret, k->now_s, err);
}

/* Whoever was off for long begins with the first root. */
static int from_first_root(struct walking *k, const struct buf *first, struct err *err)
{
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = tuf_memory_new(NULL);
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    struct tuf_store store;
    int r;

    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    store = tuf_memory_store(memory);
    r = refresh_from(k, first, &store, &client, err);
    if (r == 0 && tuf_client_root_version(client) != k->w->root_version)
        r = err_set(err, ERR_UNTRUSTED, "the first root leads to root %lld, not to %lld",
                    (long long)tuf_client_root_version(client), (long long)k->w->root_version);
    return err_context(err, r, "endpoints that know the first root only");
}

static bool has_root(struct walking *k, int64_t version)
{
    _cleanup_(buf_release)
    struct buf text;

    return get_root(k, version, &text, NULL) == 0;
}

/* Where one is missing, nobody comes past it, and all may look well up to there. */
static void check_gap(struct walking *k)
{
    int64_t last = k->w->root_version;
    struct err err = {0};
    char subject[32];

    if (has_root(k, last + 1)) /* and refused */
        return;
    for (int64_t n = last + 2; n <= last + 1 + GAP_MAX; n++) {
        if (!has_root(k, n))
            continue;
        err_set(&err, ERR_NOT_FOUND, "the repository has root %lld, but not root %lld",
                (long long)n, (long long)last + 1);
        err_remedy(&err, PUT_ROOT_BACK);
        snprintf(subject, sizeof subject, "root %lld", (long long)last + 1);
        repo_walk_problem(k->w, subject, &err);
        return;
    }
}

static int check_roots(struct walking *k, struct err *err)
{
    bool complete = true;
    int r = 0;

    for (int64_t n = 1; r == 0 && n <= k->w->root_version; n++) {
        _cleanup_(buf_release)
        struct buf text;
        char subject[32];

        r = get_root(k, n, &text, err);
        if (r == -ERR_NOT_FOUND || r == -ERR_FORBIDDEN)
            err_remedy(err, PUT_ROOT_BACK);
        complete &= r == 0;
        snprintf(subject, sizeof subject, "root %lld", (long long)n);
        r = walk_note(k, subject, r, err);
    }
    if (r == 0 && complete && k->w->root_given) {
        _cleanup_(buf_release)
        struct buf first;

        r = get_root(k, 1, &first, err);
        if (r == 0)
            r = from_first_root(k, &first, err);
        r = walk_note(k, "root 1", r, err);
    }
    return r;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int look(struct walking *k, const struct buf *root, const struct tuf_store *store,
                struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *snapshot = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    int refreshed = refresh_from(k, root, store, &k->client, err);
    int r;

    if (!k->client) /* not even a root */
        return k->w->root_given ? err_context(err, refreshed, "trusted root")
                                : walk_note(k, "root 1", refreshed, err);
    k->w->root_version = tuf_client_root_version(k->client);
    k->w->snapshot_version = tuf_client_snapshot_version(k->client);
    check_gap(k);
    r = walk_note(k, "repository", refreshed, err);
    if (r == 0)
        r = top_roles(k, store, &snapshot, &targets, err);
    if (r == 0)
        r = check_roots(k, err);
    if (r < 0 || refreshed < 0)
        return r;
    return delegated_roles(k, snapshot, targets, err);
}

int repo_walk(struct repo_source *source, const struct buf *root, int64_t now_s,
              struct repo_walk **ret, struct err *err)
{
    _cleanup_(repo_walk_free_p)
    struct repo_walk *w = calloc(1, sizeof *w);
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = tuf_memory_new(NULL);
    struct walking k = {.w = w, .source = source, .now_s = now_s};
    struct tuf_store store;
    _cleanup_(buf_release)
    struct buf first;
    int r = 0;

    buf_init(&first, TUF_ROOT_MAX);
    if (!w || !memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    store = tuf_memory_store(memory);
    k.fetch = (struct tuf_fetch){.get = fetch, .ctx = &k};
    w->root_given = root != NULL;
    if (!root)
        r = fetch(&k, "metadata/1.root.json", &first, err);
    if (r < 0)
        r = walk_note(&k, "root 1", r, err);
    else
        r = look(&k, root ? root : &first, &store, err);
    tuf_client_free(k.client);
    free(k.slots);
    if (r == 0)
        *ret = take_ptr(w);
    return err_context(err, r, "repository '%.120s'", repo_source_name(source));
}
