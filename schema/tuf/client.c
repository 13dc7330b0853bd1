/* client: the refresh, specification 1.0.34, 5.3 to 5.6; see client.h. Clauses are named where they
 * are carried out. */
#include "tuf/client.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "tuf/client_internal.h"
#include "tuf/name.h"

static size_t cap_of(enum tuf_type type)
{
    switch (type) {
    case TUF_ROOT:
        return TUF_ROOT_MAX;
    case TUF_TIMESTAMP:
        return TUF_TIMESTAMP_MAX;
    case TUF_SNAPSHOT:
        return TUF_SNAPSHOT_MAX;
    case TUF_TARGETS:
        break;
    }
    return TUF_TARGETS_MAX;
}

/* Where a role's file lies in the repository. A name that parsed fits, however it is quoted. */
static int remote_path(const struct tuf_client *c, const char *role, int64_t version,
                       char ret[CLIENT_PATH_MAX], struct err *err)
{
    bool consistent = !json_is_false(json_object_get(c->root->body, "consistent_snapshot"));
    int n = consistent ? snprintf(ret, CLIENT_PATH_MAX, "metadata/%lld.", (long long)version)
                       : snprintf(ret, CLIENT_PATH_MAX, "metadata/");
    int r = name_quote(role, ret + n, CLIENT_PATH_MAX - (size_t)n - strlen(".json"), err);

    if (r == 0)
        strcat(ret, ".json");
    return r;
}

static int verify_by_root(const struct metadata *root, const struct metadata *m, const char *role,
                          const char *what, struct err *err)
{
    struct key_set keys;
    int r = metadata_root_keys(root, role, &keys, err);

    if (r < 0)
        return r;
    r = envelope_verify(m->envelope, &keys, what, err);
    key_set_release(&keys);
    return r;
}

/* The stored file if it is there, well formed and signed by `keys`; otherwise NULL and 0: a stored
 * file that does not verify (any more) is as good as none. Only a failing store is an error. */
static int read_local(struct tuf_client *c, const char *role, enum tuf_type type,
                      const struct key_set *keys, struct buf *raw, struct metadata **ret,
                      struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    char name[TUF_FILE_NAME_MAX];
    struct err why = {0};
    int r;

    name_file(role, ".json", name);
    r = c->store.get(c->store.ctx, name, raw, &why);
    if (r < 0 && r != -ERR_NOT_FOUND && r != -ERR_TOO_LARGE) {
        if (err)
            *err = why;
        return r;
    }
    if (r == 0)
        r = metadata_parse(raw->data, raw->len, type, name, &m, &why);
    if (r == 0)
        r = envelope_verify(m->envelope, keys, name, &why);
    if (r == -ERR_NOMEM)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = r == 0 ? take_ptr(m) : NULL;
    return 0;
}

static int put(struct tuf_client *c, const char *role, const struct buf *raw, struct err *err)
{
    char name[TUF_FILE_NAME_MAX];

    name_file(role, ".json", name);
    return err_context(err, c->store.put(c->store.ctx, name, raw->data, raw->len, err),
                       "store trusted '%s'", name);
}

/* Root. */

int tuf_client_init(const struct tuf_store *store, const void *root, size_t len, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    struct err why = {0};
    struct buf old;
    int r;

    if ((r = metadata_parse(root, len, TUF_ROOT, "initial root", &m, err)) < 0 ||
        (r = verify_by_root(m, m, "root", "initial root", err)) < 0)
        return r;
    buf_init(&old, TUF_ROOT_MAX);
    r = store->get(store->ctx, "root.json", &old, &why);
    buf_release(&old);
    if (r == -ERR_NOT_FOUND)
        return store->put(store->ctx, "root.json", root, len, err);
    if (r == 0 || r == -ERR_TOO_LARGE)
        return err_set(err, ERR_EXISTS, "a root is trusted here already");
    if (err)
        *err = why;
    return r;
}

int tuf_client_new(const struct tuf_store *store, const struct tuf_fetch *fetch,
                   struct tuf_client **ret, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = calloc(1, sizeof *c);
    struct buf raw;
    int r;

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->store = *store;
    if (fetch)
        c->fetch = *fetch;
    buf_init(&raw, TUF_ROOT_MAX);
    r = store->get(store->ctx, "root.json", &raw, err);
    if (r == 0)
        r = metadata_parse(raw.data, raw.len, TUF_ROOT, "trusted root", &c->root, err);
    if (r == 0)
        r = verify_by_root(c->root, c->root, "root", "trusted root", err);
    buf_release(&raw);
    if (r < 0)
        return err_context(err, r, "load trusted metadata");
    *ret = take_ptr(c);
    return 0;
}

/* Everything but the root. */
static void forget(struct tuf_client *c)
{
    metadata_free(c->timestamp);
    metadata_free(c->snapshot);
    metadata_free(c->targets);
    c->timestamp = c->snapshot = c->targets = NULL;
    while (c->roles) {
        struct loaded_role *next = c->roles->next;

        metadata_free(c->roles->m);
        free(c->roles);
        c->roles = next;
    }
    c->complete = c->offline = false;
}

void tuf_client_free(struct tuf_client *c)
{
    if (!c)
        return;
    forget(c);
    metadata_free(c->root);
    free(c);
}

static bool set_has(const struct key_set *set, const struct key *k)
{
    for (size_t i = 0; i < set->n_keys; i++)
        if (key_same(set->keys[i], k))
            return true;
    return false;
}

/* True (1) where a key of the role under `old` no longer speaks for it under `new`. */
static int is_rotated(const struct metadata *old, const struct metadata *new, const char *role,
                      struct err *err)
{
    struct key_set before, after;
    int r = metadata_root_keys(old, role, &before, err);

    if (r < 0)
        return r;
    r = metadata_root_keys(new, role, &after, err);
    for (size_t i = 0; r == 0 && i < before.n_keys; i++)
        r = !set_has(&after, before.keys[i]);
    key_set_release(&before);
    if (r >= 0)
        key_set_release(&after);
    return r;
}

/* 5.3.11: what a lost key may have fast-forwarded does not count any more. */
static int discard_if_rotated(struct tuf_client *c, const struct metadata *new, struct err *err)
{
    static const char *const roles[] = {"timestamp", "snapshot"};
    int rotated = 0, r = 0;

    for (size_t i = 0; i < 2 && !rotated; i++) {
        rotated = is_rotated(c->root, new, roles[i], err);
        if (rotated < 0)
            return rotated;
    }
    if (!rotated)
        return 0;
    if ((r = c->store.remove(c->store.ctx, "timestamp.json", err)) < 0 ||
        (r = c->store.remove(c->store.ctx, "snapshot.json", err)) < 0)
        return err_context(err, r, "discard metadata of rotated keys");
    return 0;
}

/* 5.3.4 to 5.3.8 for one new root; it replaces the trusted one. */
static int take_root(struct tuf_client *c, const struct buf *raw, const char *what, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *new = NULL;
    int r;

    if ((r = metadata_parse(raw->data, raw->len, TUF_ROOT, what, &new, err)) < 0 ||
        (r = verify_by_root(c->root, new, "root", what, err)) < 0)
        return r;
    r = verify_by_root(new, new, "root", what, err);
    if (r < 0)
        return err_context(err, r, "by its own keys");
    if (new->version != c->root->version + 1)
        return err_set(err, ERR_ROLLBACK, "%s has version %lld where %lld follows", what,
                       (long long)new->version, (long long)c->root->version + 1);
    /* Discarding comes second: cut short between the two, the old files stay protected by the new
     * root's keys, and nobody gains a rollback. */
    if ((r = put(c, "root", raw, err)) < 0 || (r = discard_if_rotated(c, new, err)) < 0)
        return r;
    metadata_free(c->root);
    c->root = take_ptr(new);
    return 0;
}

/* 5.3.3. Object stores answer "forbidden" for what is not there to those who may not list it; a
 * mirror that withholds a root could as well deny that there is one. */
static bool is_last_root(int r)
{
    return r == -ERR_NOT_FOUND || r == -ERR_FORBIDDEN;
}

/* 5.3. Only the last root is judged for expiry. */
static int update_root(struct tuf_client *c, int64_t now_s, struct err *err)
{
    for (int i = 0; i < CLIENT_MAX_ROTATIONS; i++) {
        char path[CLIENT_PATH_MAX];
        struct err why = {0};
        struct buf raw;
        int r;

        snprintf(path, sizeof path, "metadata/%lld.root.json", (long long)c->root->version + 1);
        buf_init(&raw, TUF_ROOT_MAX);
        r = c->fetch.get(c->fetch.ctx, path, &raw, &why);
        if (is_last_root(r)) {
            buf_release(&raw);
            break;
        }
        if (r == 0)
            r = take_root(c, &raw, path, &why);
        buf_release(&raw);
        if (r < 0) {
            if (err)
                *err = why;
            return r;
        }
    }
    return metadata_check_expiry(c->root, now_s, "root", err);
}

/* Timestamp. */

/* 5.4.3. `equal`: the new one says nothing new and is dropped. */
static int compare_timestamps(const struct metadata *old, const struct metadata *new,
                              bool *ret_equal, struct err *err)
{
    struct meta_ref before, after;
    int r;

    *ret_equal = new->version == old->version;
    if (new->version < old->version)
        return err_set(err, ERR_ROLLBACK, "timestamp has version %lld, older than the trusted %lld",
                       (long long)new->version, (long long)old->version);
    if ((r = metadata_ref(old, "snapshot", &before, err)) < 0 ||
        (r = metadata_ref(new, "snapshot", &after, err)) < 0)
        return r;
    if (!*ret_equal && after.version < before.version)
        return err_set(err, ERR_ROLLBACK,
                       "timestamp names snapshot version %lld, older than the trusted %lld",
                       (long long)after.version, (long long)before.version);
    return 0;
}

static int fetch_timestamp(struct tuf_client *c, const struct key_set *keys, struct buf *raw,
                           struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r = c->fetch.get(c->fetch.ctx, "metadata/timestamp.json", raw, err);

    if (r == -ERR_NOT_FOUND)
        return err_set(err, ERR_UNAVAILABLE, "repository has no 'metadata/timestamp.json'");
    if (r < 0 ||
        (r = metadata_parse(raw->data, raw->len, TUF_TIMESTAMP, "timestamp", &m, err)) < 0 ||
        (r = envelope_verify(m->envelope, keys, "timestamp", err)) < 0)
        return r;
    *ret = take_ptr(m);
    return 0;
}

/* 5.4, with an old timestamp (expired or not: it still protects against rollback) or none. */
static int judge_timestamp(struct tuf_client *c, struct metadata **old, struct metadata **new,
                           const struct buf *raw, int64_t now_s, struct err *err)
{
    bool equal = false;
    int r = *old ? compare_timestamps(*old, *new, &equal, err) : 0;

    if (r < 0)
        return r;
    if ((r = metadata_check_expiry(equal ? *old : *new, now_s, "timestamp", err)) < 0)
        return r;
    if (equal) {
        c->timestamp = take_ptr(*old);
        return 0;
    }
    r = put(c, "timestamp", raw, err);
    if (r == 0)
        c->timestamp = take_ptr(*new);
    return r;
}

static int update_timestamp(struct tuf_client *c, int64_t now_s, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *old = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *new = NULL;
    struct key_set keys;
    struct buf raw;
    int r = metadata_root_keys(c->root, "timestamp", &keys, err);

    if (r < 0)
        return r;
    buf_init(&raw, TUF_TIMESTAMP_MAX);
    r = read_local(c, "timestamp", TUF_TIMESTAMP, &keys, &raw, &old, err);
    buf_reset(&raw);
    if (r == 0)
        r = fetch_timestamp(c, &keys, &raw, &new, err);
    if (r == 0)
        r = judge_timestamp(c, &old, &new, &raw, now_s, err);
    buf_release(&raw);
    key_set_release(&keys);
    return r;
}

/* Snapshot, targets and delegated roles. */

static int check_bytes(const struct buf *raw, const struct meta_ref *ref, const char *what,
                       struct err *err)
{
    char hash[SHA256_HEX_LEN + 1];

    if (ref->length >= 0 && raw->len != (uint64_t)ref->length)
        return err_set(err, ERR_TAMPERED, "%s has %zu bytes instead of %lld", what, raw->len,
                       (long long)ref->length);
    sha256_hex(raw->data, raw->len, hash);
    if (*ref->sha256 && strcmp(hash, ref->sha256))
        return err_set(err, ERR_TAMPERED, "%s does not have the hash that is signed for it", what);
    return 0;
}

/* 5.5.5: no role may vanish or go back. */
static int check_snapshot_rollback(const struct metadata *old, const struct metadata *new,
                                   struct err *err)
{
    const json_t *after = json_object_get(new->body, "meta");
    const char *file;
    json_t *o;

    json_object_foreach (json_object_get(old->body, "meta"), file, o) {
        const json_t *now = json_object_get(after, file);
        json_int_t was = json_integer_value(json_object_get(o, "version"));
        json_int_t is = json_integer_value(json_object_get(now, "version"));

        if (!now)
            return err_set(err, ERR_ROLLBACK, "snapshot version %lld drops '%.128s'",
                           (long long)new->version, file);
        if (is < was)
            return err_set(err, ERR_ROLLBACK,
                           "snapshot version %lld takes '%.128s' back from %lld to %lld",
                           (long long)new->version, file, (long long)was, (long long)is);
    }
    return 0;
}

static int fetch_listed(struct tuf_client *c, const struct listed_role *role, struct buf *raw,
                        struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    char path[CLIENT_PATH_MAX];
    size_t cap = cap_of(role->type);
    int r = remote_path(c, role->name, role->ref.version, path, err);

    if (r < 0)
        return r;
    if (role->ref.length >= 0 && (uint64_t)role->ref.length < cap)
        cap = (size_t)role->ref.length;
    buf_init(raw, cap);
    r = c->fetch.get(c->fetch.ctx, path, raw, err);
    if (r == -ERR_NOT_FOUND)
        return err_set(err, ERR_UNAVAILABLE, "repository has no '%.256s'", path);
    if (r < 0)
        return err_context(err, r, "fetch '%.256s'", path);
    if ((r = check_bytes(raw, &role->ref, path, err)) < 0 ||
        (r = metadata_parse(raw->data, raw->len, role->type, path, &m, err)) < 0 ||
        (r = envelope_verify(m->envelope, role->keys, path, err)) < 0)
        return r;
    if (m->version != role->ref.version)
        return err_set(err, ERR_TAMPERED, "%.256s has version %lld where %lld is listed", path,
                       (long long)m->version, (long long)role->ref.version);
    *ret = take_ptr(m);
    return 0;
}

/* Fetch, judge (5.5.2 to 5.5.6, 5.6.2 to 5.6.5) and store. old: the stored one, may be NULL. */
static int renew_listed(struct tuf_client *c, const struct listed_role *role,
                        const struct metadata *old, int64_t now_s, struct metadata **ret,
                        struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *new = NULL;
    struct buf raw;
    int r;

    buf_init(&raw, 0);
    r = fetch_listed(c, role, &raw, &new, err);
    if (r == 0 && old && role->type == TUF_SNAPSHOT)
        r = check_snapshot_rollback(old, new, err);
    if (r == 0)
        r = metadata_check_expiry(new, now_s, role->name, err);
    if (r == 0)
        r = put(c, role->name, &raw, err);
    buf_release(&raw);
    if (r == 0)
        *ret = take_ptr(new);
    return r;
}

int client_load_listed(struct tuf_client *c, const struct listed_role *role, int64_t now_s,
                       struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *local = NULL;
    bool current = false;
    struct buf raw;
    int r;

    buf_init(&raw, cap_of(role->type));
    r = read_local(c, role->name, role->type, role->keys, &raw, &local, err);
    if (r == 0 && local && c->offline)
        current = local->version <= role->ref.version;
    else if (r == 0 && local)
        current = local->version == role->ref.version &&
                  check_bytes(&raw, &role->ref, role->name, NULL) == 0 &&
                  metadata_check_expiry(local, now_s, role->name, NULL) == 0;
    buf_release(&raw);
    if (r < 0)
        return r;
    if (current) {
        *ret = take_ptr(local);
        return 0;
    }
    if (c->offline)
        return err_set(err, ERR_NOT_FOUND, "no trusted '%s' metadata is stored", role->name);
    return renew_listed(c, role, local, now_s, ret, err);
}

/* A role whose keys the root names, listed in `list`. */
static int load_top_level(struct tuf_client *c, const struct metadata *list, const char *name,
                          enum tuf_type type, int64_t now_s, struct metadata **ret, struct err *err)
{
    struct listed_role role = {.name = name, .type = type};
    struct key_set keys;
    int r = metadata_ref(list, name, &role.ref, err);

    if (r < 0)
        return r;
    r = metadata_root_keys(c->root, name, &keys, err);
    if (r < 0)
        return r;
    role.keys = &keys;
    r = client_load_listed(c, &role, now_s, ret, err);
    key_set_release(&keys);
    return r;
}

static int load_lists(struct tuf_client *c, int64_t now_s, struct err *err)
{
    int r = load_top_level(c, c->timestamp, "snapshot", TUF_SNAPSHOT, now_s, &c->snapshot, err);

    if (r == 0)
        r = load_top_level(c, c->snapshot, "targets", TUF_TARGETS, now_s, &c->targets, err);
    c->complete = r == 0;
    return r;
}

int tuf_client_refresh(struct tuf_client *c, int64_t now_s, struct err *err)
{
    int r;

    forget(c);
    if (!c->fetch.get)
        return err_set(err, ERR_INTERNAL, "refresh without a way to fetch");
    if ((r = update_root(c, now_s, err)) < 0 || (r = update_timestamp(c, now_s, err)) < 0)
        return r;
    return load_lists(c, now_s, err);
}

int tuf_client_load(struct tuf_client *c, struct err *err)
{
    struct key_set keys;
    struct buf raw;
    int r;

    forget(c);
    r = metadata_root_keys(c->root, "timestamp", &keys, err);
    if (r < 0)
        return r;
    buf_init(&raw, TUF_TIMESTAMP_MAX);
    r = read_local(c, "timestamp", TUF_TIMESTAMP, &keys, &raw, &c->timestamp, err);
    buf_release(&raw);
    key_set_release(&keys);
    if (r < 0)
        return r;
    if (!c->timestamp)
        return err_set(err, ERR_NOT_FOUND, "no trusted 'timestamp' metadata is stored");
    c->offline = true;
    return load_lists(c, 0, err);
}

int64_t tuf_client_snapshot_version(const struct tuf_client *c)
{
    return c->snapshot ? c->snapshot->version : 0;
}

int64_t tuf_client_root_version(const struct tuf_client *c)
{
    return c->root->version;
}

int64_t tuf_client_expires_s(const struct tuf_client *c)
{
    const struct metadata *all[] = {c->timestamp, c->snapshot, c->targets};
    int64_t first = c->root->expires_s;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] && all[i]->expires_s < first)
            first = all[i]->expires_s;
    for (const struct loaded_role *l = c->roles; l; l = l->next)
        if (l->m->expires_s < first)
            first = l->m->expires_s;
    return first;
}
