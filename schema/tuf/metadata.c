/* metadata: reading; see metadata.h. Shapes are checked once, in metadata_parse; what comes after
 * relies on them. */
#include "tuf/metadata.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonx.h"

#define VERSION_MAX     (INT64_C(1) << 53) /* what JSON can carry through any reader */
#define LENGTH_MAX      (INT64_C(1) << 53)
#define KEYS_MAX        256 /* of one role */
#define THRESHOLD_MAX   1024
#define KEYID_TEXT_MAX  256
#define DELEGATIONS_MAX 1024
#define PATTERNS_MAX    65536 /* of one delegation */
#define WHAT_MAX        256

static int check_root(const json_t *body, const char *what, struct err *err);
static int check_timestamp(const json_t *body, const char *what, struct err *err);
static int check_snapshot(const json_t *body, const char *what, struct err *err);
static int check_targets(const json_t *body, const char *what, struct err *err);

static const struct type_row {
    const char *name;
    size_t cap_bytes;
    int (*check)(const json_t *body, const char *what, struct err *err);
} types[] = {
    [TUF_ROOT] = {"root", TUF_ROOT_MAX, check_root},
    [TUF_TIMESTAMP] = {"timestamp", TUF_TIMESTAMP_MAX, check_timestamp},
    [TUF_SNAPSHOT] = {"snapshot", TUF_SNAPSHOT_MAX, check_snapshot},
    [TUF_TARGETS] = {"targets", TUF_TARGETS_MAX, check_targets},
};

#define N_TYPES (sizeof types / sizeof types[0])

/* {"keyids": [...], "threshold": n}, of root's roles and of delegations alike. */
static int check_role(const json_t *role, const char *what, struct err *err)
{
    int64_t threshold;
    json_t *ids;
    size_t n;
    int r;

    if ((r = jsonx_int(role, what, "threshold", 1, THRESHOLD_MAX, &threshold, err)) < 0 ||
        (r = jsonx_array(role, what, "keyids", KEYS_MAX, &ids, err)) < 0)
        return r;
    n = json_array_size(ids);
    for (size_t i = 0; i < n; i++) {
        const char *id = json_string_value(json_array_get(ids, i));

        if (!id || strlen(id) > KEYID_TEXT_MAX)
            return err_set(err, ERR_INVALID, "%s: key id %zu is not a short string", what, i);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(id, json_string_value(json_array_get(ids, j))))
                return err_set(err, ERR_INVALID, "%s: key id '%.64s' is listed twice", what, id);
    }
    return 0;
}

static int check_root(const json_t *body, const char *what, struct err *err)
{
    json_t *keys, *roles, *role;
    bool consistent;
    int r;

    if ((r = jsonx_object(body, what, "keys", &keys, err)) < 0 ||
        (r = jsonx_object(body, what, "roles", &roles, err)) < 0)
        return r;
    if (jsonx_has(body, "consistent_snapshot") &&
        (r = jsonx_bool(body, what, "consistent_snapshot", &consistent, err)) < 0)
        return r;
    for (size_t i = 0; i < N_TYPES; i++) {
        char where[WHAT_MAX];

        snprintf(where, sizeof where, "%.128s: roles.%s", what, types[i].name);
        if ((r = jsonx_object(roles, what, types[i].name, &role, err)) < 0 ||
            (r = check_role(role, where, err)) < 0)
            return r;
    }
    return 0;
}

/* One entry of a snapshot's or timestamp's "meta"; fills ret. */
static int read_ref(const json_t *o, const char *what, struct meta_ref *ret, struct err *err)
{
    struct meta_ref ref = {.length = -1};
    json_t *hashes;
    int r = jsonx_int(o, what, "version", 1, VERSION_MAX, &ref.version, err);

    if (r < 0)
        return r;
    if (jsonx_has(o, "length") &&
        (r = jsonx_int(o, what, "length", 1, LENGTH_MAX, &ref.length, err)) < 0)
        return r;
    if (jsonx_has(o, "hashes") && ((r = jsonx_object(o, what, "hashes", &hashes, err)) < 0 ||
                                   (r = jsonx_sha256(hashes, what, "sha256", ref.sha256, err)) < 0))
        return r;
    *ret = ref;
    return 0;
}

static int check_meta(const json_t *body, const char *what, const char *needed, struct err *err)
{
    json_t *meta, *o;
    const char *name;
    int r = jsonx_object(body, what, "meta", &meta, err);

    if (r < 0)
        return r;
    if (!json_object_get(meta, needed))
        return err_set(err, ERR_INVALID, "%s: 'meta' lacks '%s'", what, needed);
    json_object_foreach (meta, name, o) {
        char where[WHAT_MAX];
        struct meta_ref ref;

        snprintf(where, sizeof where, "%.64s: meta.%.128s", what, name);
        r = read_ref(o, where, &ref, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_timestamp(const json_t *body, const char *what, struct err *err)
{
    return check_meta(body, what, "snapshot.json", err);
}

static int check_snapshot(const json_t *body, const char *what, struct err *err)
{
    return check_meta(body, what, "targets.json", err);
}

static int check_strings(const json_t *list, const char *what, struct err *err)
{
    size_t i;
    json_t *v;

    json_array_foreach (list, i, v)
        if (!json_is_string(v))
            return err_set(err, ERR_INVALID, "%s: item %zu is not a string", what, i);
    return 0;
}

static bool is_top_level(const char *role)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (!strcmp(role, types[i].name))
            return true;
    return false;
}

/* The i-th delegation; those before it are checked already. */
static int check_delegation(const json_t *roles, size_t i, const char *what, struct err *err)
{
    const json_t *o = json_array_get(roles, i);
    char where[WHAT_MAX];
    const char *name;
    json_t *list;
    bool terminating;
    int r;

    snprintf(where, sizeof where, "%.128s: delegations.roles[%zu]", what, i);
    if ((r = jsonx_string(o, where, "name", TUF_ROLE_NAME_MAX - 1, &name, err)) < 0 ||
        (r = check_role(o, where, err)) < 0)
        return r;
    if (jsonx_has(o, "terminating") &&
        (r = jsonx_bool(o, where, "terminating", &terminating, err)) < 0)
        return r;
    if (!*name || is_top_level(name))
        return err_set(err, ERR_INVALID, "%s: '%s' cannot be delegated to", where, name);
    for (size_t j = 0; j < i; j++)
        if (!strcmp(name, json_string_value(json_object_get(json_array_get(roles, j), "name"))))
            return err_set(err, ERR_INVALID, "%s: role '%s' is delegated to twice", where, name);
    if (jsonx_has(o, "paths") == jsonx_has(o, "path_hash_prefixes"))
        return err_set(err, ERR_INVALID, "%s: needs either 'paths' or 'path_hash_prefixes'", where);
    r = jsonx_array(o, where, jsonx_has(o, "paths") ? "paths" : "path_hash_prefixes", PATTERNS_MAX,
                    &list, err);
    return r < 0 ? r : check_strings(list, where, err);
}

static int check_delegations(const json_t *body, const char *what, struct err *err)
{
    json_t *delegations, *keys, *roles;
    int r;

    if (!jsonx_has(body, "delegations"))
        return 0;
    r = jsonx_object(body, what, "delegations", &delegations, err);
    if (r < 0)
        return r;
    if (jsonx_has(delegations, "succinct_roles"))
        return err_set(err, ERR_INVALID, "%s: succinct hash bins are not supported", what);
    if ((r = jsonx_object(delegations, what, "keys", &keys, err)) < 0 ||
        (r = jsonx_array(delegations, what, "roles", DELEGATIONS_MAX, &roles, err)) < 0)
        return r;
    for (size_t i = 0; i < json_array_size(roles); i++) {
        r = check_delegation(roles, i, what, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_target(const json_t *o, const char *what, struct tuf_target *ret, struct err *err)
{
    json_t *hashes;
    int r;

    if ((r = jsonx_int(o, what, "length", 0, LENGTH_MAX, &ret->length, err)) < 0 ||
        (r = jsonx_object(o, what, "hashes", &hashes, err)) < 0 ||
        (r = jsonx_sha256(hashes, what, "sha256", ret->sha256, err)) < 0)
        return r;
    ret->custom = json_object_get(o, "custom");
    return 0;
}

static int check_targets(const json_t *body, const char *what, struct err *err)
{
    json_t *targets, *o;
    const char *path;
    int r = jsonx_object(body, what, "targets", &targets, err);

    if (r < 0)
        return r;
    json_object_foreach (targets, path, o) {
        struct tuf_target ignored;
        char where[WHAT_MAX];

        snprintf(where, sizeof where, "%.64s: targets.%.128s", what, path);
        r = read_target(o, where, &ignored, err);
        if (r < 0)
            return r;
    }
    return check_delegations(body, what, err);
}

/* The fields that every role has. */
static int read_common(struct metadata *m, const char *what, struct err *err)
{
    const char *text;
    json_t *signatures;
    int r;

    if ((r = jsonx_object(m->envelope, what, "signed", &m->body, err)) < 0 ||
        (r = jsonx_array(m->envelope, what, "signatures", SIZE_MAX, &signatures, err)) < 0 ||
        (r = jsonx_type(m->body, what, types[m->type].name, err)) < 0 ||
        (r = jsonx_int(m->body, what, "version", 1, VERSION_MAX, &m->version, err)) < 0 ||
        (r = jsonx_string(m->body, what, "spec_version", 32, &text, err)) < 0)
        return r;
    if (strncmp(text, "1.", 2))
        return err_set(err, ERR_INVALID, "%s: specification version '%s' is not 1.x", what, text);
    r = jsonx_string(m->body, what, "expires", 32, &text, err);
    if (r == 0 && clock_parse_utc(text, &m->expires_s) < 0)
        r = err_set(err, ERR_INVALID, "%s: 'expires' is not a UTC time like 2026-11-25T00:31:07Z",
                    what);
    return r;
}

int metadata_parse(const char *data, size_t len, enum tuf_type type, const char *what,
                   struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = calloc(1, sizeof *m);
    int r;

    if (!m)
        return err_set(err, ERR_NOMEM, "out of memory");
    m->type = type;
    r = jsonx_parse(data, len, types[type].cap_bytes, &m->envelope, err);
    if (r < 0)
        return err_context(err, r, "%s", what);
    if (!json_is_object(m->envelope))
        return err_set(err, ERR_INVALID, "%s is not a JSON object", what);
    if ((r = read_common(m, what, err)) < 0 || (r = types[type].check(m->body, what, err)) < 0)
        return r;
    *ret = take_ptr(m);
    return 0;
}

void metadata_free(struct metadata *m)
{
    if (!m)
        return;
    json_decref(m->envelope);
    free(m);
}

int metadata_check_expiry(const struct metadata *m, int64_t now_s, const char *what,
                          struct err *err)
{
    char when[21];

    if (m->expires_s > now_s)
        return 0;
    clock_format_utc(m->expires_s, when);
    return err_set(err, ERR_EXPIRED, "%s version %lld expired at %s", what, (long long)m->version,
                   when);
}

/* Keys that are missing from the table, or of a kind that we do not know, cannot help to reach the
 * threshold; the role may still be verified by the others. */
static int role_keys(const json_t *table, const json_t *role, struct key_set *ret, struct err *err)
{
    const json_t *ids = json_object_get(role, "keyids");
    size_t n = json_array_size(ids);
    struct key_set set = {.keys = calloc(n + 1, sizeof *set.keys)};

    if (!set.keys)
        return err_set(err, ERR_NOMEM, "out of memory");
    set.threshold = (int)json_integer_value(json_object_get(role, "threshold"));
    for (size_t i = 0; i < n; i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        struct err ignored = {0};
        int r = key_from_json_as(json_object_get(table, id), id, &set.keys[set.n_keys], &ignored);

        if (r == -ERR_NOMEM) {
            key_set_release(&set);
            return err_set(err, ERR_NOMEM, "out of memory");
        }
        if (r == 0)
            set.n_keys++;
    }
    *ret = set;
    return 0;
}

int metadata_root_keys(const struct metadata *root, const char *role, struct key_set *ret,
                       struct err *err)
{
    const json_t *o = json_object_get(json_object_get(root->body, "roles"), role);

    if (!o || !is_top_level(role))
        return err_set(err, ERR_NOT_FOUND, "root names no role '%s'", role);
    return role_keys(json_object_get(root->body, "keys"), o, ret, err);
}

static const json_t *delegations_of(const struct metadata *targets)
{
    return json_object_get(json_object_get(targets->body, "delegations"), "roles");
}

const char *metadata_delegation(const struct metadata *targets, size_t i)
{
    return json_string_value(json_object_get(json_array_get(delegations_of(targets), i), "name"));
}

int metadata_delegated_keys(const struct metadata *targets, const char *role, struct key_set *ret,
                            struct err *err)
{
    const char *name;

    for (size_t i = 0; (name = metadata_delegation(targets, i)); i++)
        if (!strcmp(name, role))
            return role_keys(json_object_get(json_object_get(targets->body, "delegations"), "keys"),
                             json_array_get(delegations_of(targets), i), ret, err);
    return err_set(err, ERR_NOT_FOUND, "nothing is delegated to role '%s'", role);
}

int metadata_delegates(const struct metadata *targets, size_t i, const char *path,
                       int *ret_terminating)
{
    const json_t *o = json_array_get(delegations_of(targets), i);
    const json_t *paths = json_object_get(o, "paths");
    const json_t *list = paths ? paths : json_object_get(o, "path_hash_prefixes");
    char hash[SHA256_HEX_LEN + 1];

    sha256_hex(path, strlen(path), hash);
    for (size_t j = 0; j < json_array_size(list); j++) {
        const char *s = json_string_value(json_array_get(list, j));

        if (paths ? metadata_path_matches(s, path) : !strncmp(hash, s, strlen(s))) {
            *ret_terminating = json_is_true(json_object_get(o, "terminating"));
            return 1;
        }
    }
    return 0;
}

int metadata_ref(const struct metadata *m, const char *name, struct meta_ref *ret, struct err *err)
{
    char file[TUF_ROLE_NAME_MAX + 8];
    const json_t *o;

    snprintf(file, sizeof file, "%.*s.json", TUF_ROLE_NAME_MAX, name);
    o = json_object_get(json_object_get(m->body, "meta"), file);
    if (!o)
        return err_set(err, ERR_NOT_FOUND, "%s version %lld does not list '%s'",
                       types[m->type].name, (long long)m->version, file);
    return read_ref(o, types[m->type].name, ret, err);
}

int metadata_target(const struct metadata *targets, const char *path, struct tuf_target *ret,
                    struct err *err)
{
    const json_t *o = json_object_get(json_object_get(targets->body, "targets"), path);
    struct tuf_target target = {.path = ""};
    int r;

    if (!o || strlen(path) >= sizeof target.path)
        return err_set(err, ERR_NOT_FOUND, "no target '%.128s'", path);
    r = read_target(o, "target", &target, err);
    if (r < 0)
        return r;
    memcpy(target.path, path, strlen(path) + 1);
    *ret = target;
    return 0;
}

/* One character of UTF-8: the bytes that '?' stands for. */
static const char *next_char(const char *s)
{
    s++;
    while ((*s & 0xc0) == 0x80)
        s++;
    return s;
}

/* A failed match is taken up again behind the last '*' only. That is enough, because '*' stops at
 * '/' and '/' matches nothing else, and it keeps a hostile pattern from costing exponential time.
 */
int metadata_path_matches(const char *pattern, const char *path)
{
    const char *star = NULL, *from = NULL;

    while (*path || *pattern) {
        if (*pattern == '*') {
            star = ++pattern;
            from = path;
        } else if (*path && *pattern == '?' && *path != '/') {
            pattern++;
            path = next_char(path);
        } else if (*path && *pattern == *path) {
            pattern++;
            path++;
        } else if (star && *from && *from != '/') {
            from = next_char(from);
            path = from;
            pattern = star;
        } else {
            return 0;
        }
    }
    return 1;
}
