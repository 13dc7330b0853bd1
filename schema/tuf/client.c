/* client: see client.h. Here is the life of a client, what it stores, and the refresh
 * (specification 1.0.34, 5.3 to 5.6) with its timestamp; the root is in client_root.c, what a list
 * names (snapshot, targets, delegated roles) in client_listed.c, the search for targets in
 * client_find.c. Clauses are named where they are carried out. */
#include "tuf/client.h"

#include <string.h>

#include "tuf/client_internal.h"
#include "tuf/name.h"

size_t client_cap(enum tuf_type type)
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

int client_verify_by_root(const struct metadata *root, const struct metadata *m, const char *role,
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

int client_read_local(struct tuf_client *c, const char *role, enum tuf_type type,
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

int client_put(struct tuf_client *c, const char *role, const struct buf *raw, struct err *err)
{
    char name[TUF_FILE_NAME_MAX];

    name_file(role, ".json", name);
    return err_context(err, c->store.put(c->store.ctx, name, raw->data, raw->len, err),
                       "store trusted '%s'", name);
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
        r = client_verify_by_root(c->root, c->root, "root", "trusted root", err);
    buf_release(&raw);
    if (r == 0)
        r = client_finish_rotation(c, err);
    if (r < 0)
        return err_context(err, r, "load trusted metadata");
    *ret = take_ptr(c);
    return 0;
}

void client_forget_roles(struct tuf_client *c)
{
    while (c->roles) {
        struct loaded_role *next = c->roles->next;

        metadata_free(c->roles->m);
        free(c->roles);
        c->roles = next;
    }
    c->roles_bytes = 0;
}

/* Everything but the root. */
static void forget(struct tuf_client *c)
{
    metadata_free(c->timestamp);
    metadata_free(c->snapshot);
    metadata_free(c->targets);
    c->timestamp = c->snapshot = c->targets = NULL;
    client_forget_roles(c);
    c->complete = c->offline = c->unchanged = false;
}

void tuf_client_free(struct tuf_client *c)
{
    if (!c)
        return;
    forget(c);
    metadata_free(c->root);
    free(c);
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
        c->unchanged = true;
        return 0;
    }
    r = client_put(c, "timestamp", raw, err);
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
    r = client_read_local(c, "timestamp", TUF_TIMESTAMP, &keys, &raw, &old, err);
    buf_reset(&raw);
    if (r == 0)
        r = fetch_timestamp(c, &keys, &raw, &new, err);
    if (r == 0)
        r = judge_timestamp(c, &old, &new, &raw, now_s, err);
    buf_release(&raw);
    key_set_release(&keys);
    return r;
}

/* A role whose keys the root names, listed in `list`. */
static int load_top_level(struct tuf_client *c, const struct metadata *list, const char *name,
                          enum tuf_type type, int64_t now_s, struct metadata **ret, struct err *err)
{
    struct listed_role role = {.name = name, .type = type, .settled = c->unchanged};
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
    if ((r = client_update_root(c, now_s, err)) < 0 || (r = update_timestamp(c, now_s, err)) < 0)
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
    r = client_read_local(c, "timestamp", TUF_TIMESTAMP, &keys, &raw, &c->timestamp, err);
    buf_release(&raw);
    key_set_release(&keys);
    if (r < 0)
        return r;
    if (!c->timestamp)
        return err_set(err, ERR_NOT_FOUND, "no trusted 'timestamp' metadata is stored");
    c->offline = true;
    return load_lists(c, 0, err);
}

int client_stored_targets(struct tuf_client *c, struct metadata **ret, struct err *err)
{
    struct metadata *m = NULL;
    struct key_set keys;
    struct buf raw;
    int r = metadata_root_keys(c->root, "targets", &keys, err);

    if (r < 0)
        return r;
    buf_init(&raw, TUF_TARGETS_MAX);
    r = client_read_local(c, "targets", TUF_TARGETS, &keys, &raw, &m, err);
    buf_release(&raw);
    key_set_release(&keys);
    if (r < 0)
        return r;
    if (!m)
        return err_set(err, ERR_UNAVAILABLE, "no trusted 'targets' metadata is stored");
    *ret = m;
    return 0;
}

int64_t tuf_client_snapshot_version(const struct tuf_client *c)
{
    return c->snapshot ? c->snapshot->version : 0;
}

int64_t tuf_client_root_version(const struct tuf_client *c)
{
    return c->root->version;
}

int64_t tuf_client_expires_first(const struct tuf_client *c, const char **ret_role)
{
    const struct {
        const char *name;
        const struct metadata *m;
    } all[] = {{"timestamp", c->timestamp}, {"snapshot", c->snapshot}, {"targets", c->targets}};
    int64_t first = c->root->expires_s;

    *ret_role = "root";
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].m && all[i].m->expires_s < first) {
            first = all[i].m->expires_s;
            *ret_role = all[i].name;
        }
    }
    for (const struct loaded_role *l = c->roles; l; l = l->next) {
        if (l->m->expires_s < first) {
            first = l->m->expires_s;
            *ret_role = l->name;
        }
    }
    return first;
}

int64_t tuf_client_expires_s(const struct tuf_client *c)
{
    const char *role;

    return tuf_client_expires_first(c, &role);
}
