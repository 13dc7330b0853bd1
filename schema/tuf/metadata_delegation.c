/* metadata_delegation: to whom a targets file delegates, and what; see metadata.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/metadata_internal.h"

#define DELEGATIONS_MAX 1024
#define PATTERNS_MAX    65536 /* of one delegation */
#define BINS_BITS_MAX   32
#define BIN_SUFFIX_MAX  10 /* "-", eight digits, NUL */

static int check_strings(const json_t *list, const char *what, struct err *err)
{
    size_t i;
    json_t *v;

    json_array_foreach (list, i, v)
        if (!json_is_string(v))
            return err_set(err, ERR_INVALID, "%s: item %zu is not a string", what, i);
    return 0;
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
        (r = metadata_check_role(o, where, err)) < 0)
        return r;
    if (jsonx_has(o, "terminating") &&
        (r = jsonx_bool(o, where, "terminating", &terminating, err)) < 0)
        return r;
    if (!*name || metadata_is_top_level(name))
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

/* {"keyids", "threshold", "bit_length", "name_prefix"}: 2^bit_length roles at once. */
static int check_bins(const json_t *bins, const char *what, struct err *err)
{
    char where[WHAT_MAX];
    const char *prefix;
    int64_t bits;
    int r;

    snprintf(where, sizeof where, "%.128s: delegations.succinct_roles", what);
    if ((r = metadata_check_role(bins, where, err)) < 0 ||
        (r = jsonx_int(bins, where, "bit_length", 1, BINS_BITS_MAX, &bits, err)) < 0)
        return r;
    return jsonx_string(bins, where, "name_prefix", TUF_ROLE_NAME_MAX - BIN_SUFFIX_MAX, &prefix,
                        err);
}

int metadata_check_delegations(const json_t *body, const char *what, struct err *err)
{
    json_t *delegations, *keys, *roles;
    int r;

    if (!jsonx_has(body, "delegations"))
        return 0;
    if ((r = jsonx_object(body, what, "delegations", &delegations, err)) < 0 ||
        (r = jsonx_object(delegations, what, "keys", &keys, err)) < 0)
        return r;
    if (jsonx_has(delegations, "succinct_roles") == jsonx_has(delegations, "roles"))
        return err_set(err, ERR_INVALID, "%s: delegations need either 'roles' or 'succinct_roles'",
                       what);
    if (jsonx_has(delegations, "succinct_roles")) {
        r = jsonx_object(delegations, what, "succinct_roles", &roles, err);
        return r < 0 ? r : check_bins(roles, what, err);
    }
    r = jsonx_array(delegations, what, "roles", DELEGATIONS_MAX, &roles, err);
    for (size_t i = 0; r == 0 && i < json_array_size(roles); i++)
        r = check_delegation(roles, i, what, err);
    return r;
}

static const json_t *delegations_of(const struct metadata *targets, const char *kind)
{
    return json_object_get(json_object_get(targets->body, "delegations"), kind);
}

const char *metadata_delegation(const struct metadata *targets, size_t i)
{
    return json_string_value(
        json_object_get(json_array_get(delegations_of(targets, "roles"), i), "name"));
}

/* The succinct hash bins, NULL where there are none. */
static const json_t *bins_of(const struct metadata *targets)
{
    const json_t *bins = delegations_of(targets, "succinct_roles");

    return json_is_object(bins) ? bins : NULL;
}

/* As many hexadecimal digits as the highest bin needs. */
static int bin_digits(const json_t *bins)
{
    return (int)(json_integer_value(json_object_get(bins, "bit_length")) + 3) / 4;
}

static const char *bin_prefix(const json_t *bins)
{
    return json_string_value(json_object_get(bins, "name_prefix"));
}

const char *metadata_bin(const struct metadata *targets, const char *path,
                         char ret[TUF_ROLE_NAME_MAX])
{
    const json_t *bins = bins_of(targets);
    uint8_t hash[SHA256_LEN];
    uint32_t first;

    if (!bins)
        return NULL;
    sha256(path, strlen(path), hash);
    first = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
    first >>= BINS_BITS_MAX - json_integer_value(json_object_get(bins, "bit_length"));
    snprintf(ret, TUF_ROLE_NAME_MAX, "%s-%0*x", bin_prefix(bins), bin_digits(bins), first);
    return ret;
}

/* True for the name of one of the 2^bit_length roles, written as metadata_bin() does. */
static bool is_bin(const json_t *bins, const char *role)
{
    const char *prefix = bin_prefix(bins);
    size_t n = strlen(prefix), digits = (size_t)bin_digits(bins);
    unsigned long long number;

    if (strncmp(role, prefix, n) || role[n] != '-' || !hex_is(role + n + 1, digits))
        return false;
    number = strtoull(role + n + 1, NULL, 16);
    return number >> json_integer_value(json_object_get(bins, "bit_length")) == 0;
}

int metadata_delegated_keys(const struct metadata *targets, const char *role, struct key_set *ret,
                            struct err *err)
{
    const json_t *bins = bins_of(targets), *o = NULL;
    const char *name;

    if (bins && is_bin(bins, role))
        o = bins;
    for (size_t i = 0; !o && (name = metadata_delegation(targets, i)); i++)
        if (!strcmp(name, role))
            o = json_array_get(delegations_of(targets, "roles"), i);
    if (!o)
        return err_set(err, ERR_NOT_FOUND, "nothing is delegated to role '%.128s'", role);
    return metadata_role_keys(delegations_of(targets, "keys"), o, ret, err);
}

int metadata_delegates(const struct metadata *targets, size_t i, const char *path,
                       int *ret_terminating)
{
    const json_t *o = json_array_get(delegations_of(targets, "roles"), i);
    bool paths = jsonx_has(o, "paths");
    const json_t *list =
        paths ? json_object_get(o, "paths") : json_object_get(o, "path_hash_prefixes");
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
