/* metadata_make: building blocks of role metadata; see metadata.h. */
#include "tuf/metadata.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"

static json_t *new_signed(const char *type, int64_t version, int64_t expires_s)
{
    char expires[21];

    clock_format_utc(expires_s, expires);
    return json_pack("{s:s, s:s, s:I, s:s}", "_type", type, "spec_version", TUF_SPEC_VERSION,
                     "version", (json_int_t)version, "expires", expires);
}

/* Add a new member and hand the object on; NULL (and nothing leaked) where that fails. */
static json_t *with(json_t *o, const char *key, json_t *value)
{
    if (o && value && json_object_set_new(o, key, value) == 0)
        return o;
    if (!o)
        json_decref(value);
    json_decref(o);
    return NULL;
}

json_t *metadata_new_root(int64_t version, int64_t expires_s)
{
    json_t *o = new_signed("root", version, expires_s);

    o = with(o, "consistent_snapshot", json_true());
    o = with(o, "keys", json_object());
    return with(o, "roles", json_object());
}

json_t *metadata_new_targets(int64_t version, int64_t expires_s)
{
    return with(new_signed("targets", version, expires_s), "targets", json_object());
}

json_t *metadata_new_snapshot(int64_t version, int64_t expires_s)
{
    return with(new_signed("snapshot", version, expires_s), "meta", json_object());
}

json_t *metadata_new_timestamp(int64_t version, int64_t expires_s)
{
    return with(new_signed("timestamp", version, expires_s), "meta", json_object());
}

/* Enter the keys into the table and set "keyids" and "threshold" of the role. */
static int set_keys(json_t *table, json_t *role, const struct key *const *keys, size_t n_keys,
                    int threshold)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < n_keys; i++)
        if (json_object_set_new(table, key_id(keys[i]), key_to_json(keys[i])) < 0 ||
            json_array_append_new(ids, json_string(key_id(keys[i]))) < 0) {
            json_decref(ids);
            return -ERR_NOMEM;
        }
    if (json_object_set_new(role, "keyids", ids) < 0 ||
        json_object_set_new(role, "threshold", json_integer(threshold)) < 0)
        return -ERR_NOMEM;
    return 0;
}

static bool role_uses(const json_t *role, const char *keyid)
{
    size_t i;
    json_t *id;

    json_array_foreach (json_object_get(role, "keyids"), i, id)
        if (!strcmp(json_string_value(id), keyid))
            return true;
    return false;
}

/* roles: root's object or a targets file's array. */
static bool is_used(const json_t *roles, const char *keyid)
{
    const char *name;
    json_t *role;
    size_t i;

    json_object_foreach ((json_t *)roles, name, role)
        if (role_uses(role, keyid))
            return true;
    json_array_foreach (roles, i, role)
        if (role_uses(role, keyid))
            return true;
    return false;
}

/* A key that no role names any more has no place in the table. */
static void prune_keys(json_t *table, const json_t *roles)
{
    const char *keyid;
    json_t *key;
    void *next;

    json_object_foreach_safe(table, next, keyid, key) if (!is_used(roles, keyid))
        json_object_del(table, keyid);
}

static bool sane(size_t n_keys, int threshold)
{
    return threshold >= 1 && (size_t)threshold <= n_keys;
}

int metadata_root_set_role(json_t *root, const char *role, const struct key *const *keys,
                           size_t n_keys, int threshold)
{
    json_t *table = json_object_get(root, "keys");
    json_t *roles = json_object_get(root, "roles");
    json_t *o;
    int r;

    if (!sane(n_keys, threshold))
        return -ERR_INVALID;
    o = json_object();
    r = set_keys(table, o, keys, n_keys, threshold);
    if (json_object_set_new(roles, role, o) < 0)
        r = -ERR_NOMEM;
    prune_keys(table, roles);
    return r;
}

/* "delegations" of a targets file, made where absent. */
static json_t *delegations_of(json_t *targets)
{
    json_t *d = json_object_get(targets, "delegations");

    if (d)
        return d;
    d = json_pack("{s:{}, s:[]}", "keys", "roles");
    return json_object_set_new(targets, "delegations", d) < 0 ? NULL : d;
}

/* The delegation of this name: at its old place, or a new one at the end. */
static json_t *delegation(json_t *roles, const char *role)
{
    size_t i;
    json_t *o;

    json_array_foreach (roles, i, o) {
        const char *name = json_string_value(json_object_get(o, "name"));

        if (name && !strcmp(name, role))
            return o;
    }
    o = json_pack("{s:s}", "name", role);
    return json_array_append_new(roles, o) < 0 ? NULL : o;
}

int metadata_targets_delegate(json_t *targets, const char *role, const char *const *paths,
                              size_t n_paths, const struct key *const *keys, size_t n_keys,
                              int threshold)
{
    json_t *d, *roles, *o, *list;
    int r;

    if (!sane(n_keys, threshold))
        return -ERR_INVALID;
    d = delegations_of(targets);
    roles = json_object_get(d, "roles");
    o = roles ? delegation(roles, role) : NULL;
    if (!o)
        return -ERR_NOMEM;
    list = json_array();
    for (size_t i = 0; i < n_paths; i++)
        json_array_append_new(list, json_string(paths[i]));
    if (json_array_size(list) != n_paths) {
        json_decref(list);
        return -ERR_NOMEM;
    }
    /* nobody further down the list may speak for these paths */
    if (json_object_set_new(o, "paths", list) < 0 ||
        json_object_set_new(o, "terminating", json_true()) < 0)
        return -ERR_NOMEM;
    r = set_keys(json_object_get(d, "keys"), o, keys, n_keys, threshold);
    prune_keys(json_object_get(d, "keys"), roles);
    return r;
}

int metadata_targets_add(json_t *targets, const char *path, const void *data, size_t len,
                         json_t *custom)
{
    char hash[SHA256_HEX_LEN + 1];
    json_t *o;

    sha256_hex(data, len, hash);
    o = json_pack("{s:I, s:{s:s}}", "length", (json_int_t)len, "hashes", "sha256", hash);
    if (!o)
        return -ERR_NOMEM;
    if (custom && json_object_set(o, "custom", custom) < 0) {
        json_decref(o);
        return -ERR_NOMEM;
    }
    return json_object_set_new(json_object_get(targets, "targets"), path, o) < 0 ? -ERR_NOMEM : 0;
}

int metadata_set_ref(json_t *snapshot_or_timestamp, const char *file, int64_t version,
                     const void *data, size_t len)
{
    char hash[SHA256_HEX_LEN + 1];
    json_t *o;

    if (data) {
        sha256_hex(data, len, hash);
        o = json_pack("{s:I, s:I, s:{s:s}}", "version", (json_int_t)version, "length",
                      (json_int_t)len, "hashes", "sha256", hash);
    } else {
        o = json_pack("{s:I}", "version", (json_int_t)version);
    }
    return json_object_set_new(json_object_get(snapshot_or_timestamp, "meta"), file, o) < 0
               ? -ERR_NOMEM
               : 0;
}
