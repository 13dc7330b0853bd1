/* metadata: reading; see metadata.h. Shapes are checked once, in metadata_parse; what comes after
 * relies on them. */
#include "tuf/metadata.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/hashes.h"
#include "tuf/metadata_internal.h"

#define VERSION_MAX    (INT64_C(1) << 53) /* what JSON can carry through any reader */
#define LENGTH_MAX     (INT64_C(1) << 53)
#define KEYS_MAX       256 /* of one role */
#define THRESHOLD_MAX  1024
#define KEYID_TEXT_MAX 256
#define VALUE_BYTES    96 /* of memory: an empty string or object with its place in a list */

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

int metadata_check_role(const json_t *role, const char *what, struct err *err)
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
            (r = metadata_check_role(role, where, err)) < 0)
            return r;
    }
    return 0;
}

/* One entry of a snapshot's or timestamp's "meta"; fills ret. */
static int read_ref(const json_t *o, const char *what, struct meta_ref *ret, struct err *err)
{
    struct meta_ref ref = {.length = -1};
    int r = jsonx_int(o, what, "version", 1, VERSION_MAX, &ref.version, err);

    if (r < 0)
        return r;
    if (jsonx_has(o, "length") &&
        (r = jsonx_int(o, what, "length", 1, LENGTH_MAX, &ref.length, err)) < 0)
        return r;
    ref.hashed = jsonx_has(o, "hashes");
    if (ref.hashed && (r = hashes_read(o, what, ref.sha256, ref.sha512, err)) < 0)
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

bool metadata_is_top_level(const char *role)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (!strcmp(role, types[i].name))
            return true;
    return false;
}

static int read_target(const json_t *o, const char *what, struct tuf_target *ret, struct err *err)
{
    int r = jsonx_int(o, what, "length", 0, LENGTH_MAX, &ret->length, err);

    if (r == 0)
        r = hashes_read(o, what, ret->sha256, ret->sha512, err);
    if (r == 0)
        ret->custom = json_object_get(o, "custom");
    return r;
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
    return metadata_check_delegations(body, what, err);
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

static size_t estimate_memory(const char *data, size_t len)
{
    size_t values = 0;

    for (size_t i = 0; i < len; i++)
        values += data[i] == ',' || data[i] == '{' || data[i] == '[';
    return len + values * VALUE_BYTES;
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
    m->memory_bytes = estimate_memory(data, len);
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
int metadata_role_keys(const json_t *table, const json_t *role, struct key_set *ret,
                       struct err *err)
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

    if (!o || !metadata_is_top_level(role))
        return err_set(err, ERR_NOT_FOUND, "root names no role '%s'", role);
    return metadata_role_keys(json_object_get(root->body, "keys"), o, ret, err);
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
