/* client_listed: the files that a trusted list names by version: snapshot, targets and delegated
 * roles, specification 1.0.34, 5.5 and 5.6; see client.h. */
#include <stdio.h>
#include <string.h>

#include "tuf/client_internal.h"
#include "tuf/hashes.h"
#include "tuf/name.h"

/* Where a role's file lies in the repository. A name that parsed fits, however it is quoted. */
static int remote_path(const struct tuf_client *c, const char *role, int64_t version,
                       char ret[CLIENT_PATH_MAX], struct err *err)
{
    bool consistent = json_is_true(json_object_get(c->root->body, "consistent_snapshot"));
    int n = consistent ? snprintf(ret, CLIENT_PATH_MAX, "metadata/%lld.", (long long)version)
                       : snprintf(ret, CLIENT_PATH_MAX, "metadata/");
    int r = name_quote(role, ret + n, CLIENT_PATH_MAX - (size_t)n - strlen(".json"), err);

    if (r == 0)
        strcat(ret, ".json");
    return r;
}

static int check_bytes(const struct buf *raw, const struct meta_ref *ref, const char *what,
                       struct err *err)
{
    if (ref->length >= 0 && raw->len != (uint64_t)ref->length)
        return err_set(err, ERR_TAMPERED, "%.256s has %zu bytes instead of %lld", what, raw->len,
                       (long long)ref->length);
    if (ref->hashed && !*ref->sha256 && !*ref->sha512)
        return err_set(err, ERR_INVALID, "%.256s is listed by hashes of no kind known here", what);
    if (ref->hashed && !hashes_match(ref->sha256, ref->sha512, raw->data, raw->len))
        return err_set(err, ERR_TAMPERED, "%.256s does not have the hash that is signed for it",
                       what);
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
    size_t cap = client_cap(role->type);
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
        r = client_put(c, role->name, &raw, err);
    buf_release(&raw);
    if (r == 0)
        *ret = take_ptr(new);
    return r;
}

/* True where the stored file is what the list says. Without fetching, an older one must do. */
static bool is_listed(const struct tuf_client *c, const struct listed_role *role,
                      const struct metadata *local, const struct buf *raw)
{
    if (c->offline)
        return local->version <= role->ref.version;
    return local->version == role->ref.version &&
           check_bytes(raw, &role->ref, role->name, NULL) == 0;
}

int client_load_listed(struct tuf_client *c, const struct listed_role *role, int64_t now_s,
                       struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *local = NULL;
    bool listed = false;
    struct buf raw;
    int r;

    buf_init(&raw, client_cap(role->type));
    r = client_read_local(c, role->name, role->type, role->keys, &raw, &local, err);
    if (r == 0 && local)
        listed = is_listed(c, role, local, &raw);
    buf_release(&raw);
    if (r < 0)
        return r;
    if (listed) {
        r = c->offline ? 0 : metadata_check_expiry(local, now_s, role->name, err);
        if (r == 0)
            *ret = take_ptr(local);
        if (r == 0 || role->settled)
            return r;
    }
    if (c->offline)
        return err_set(err, ERR_NOT_FOUND, "no trusted '%.128s' metadata is stored", role->name);
    return renew_listed(c, role, local, now_s, ret, err);
}
