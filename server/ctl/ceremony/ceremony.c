/* ceremony: see ceremony.h. */
#include "ceremony/ceremony.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "manifest.h"

#define KEY_PREFIX_MIN 8
#define TYPE_MAX       32
#define CONTENT_FOLDER "content/"

/* --- reading ---------------------------------------------------------------------------------- */

/* The channel whose folder all targets are in. */
static int content_channel(const json_t *body, char ret[CHANNEL_NAME_MAX], const char *what,
                           struct err *err)
{
    json_t *targets = json_object_get(body, "targets");
    char channel[CHANNEL_NAME_MAX] = "";
    const char *path;
    json_t *target;

    json_object_foreach (targets, path, target) {
        const char *name = path + strlen(CONTENT_FOLDER);
        size_t len;

        if (strncmp(path, CONTENT_FOLDER, strlen(CONTENT_FOLDER)) != 0)
            return err_set(err, ERR_INVALID, "%s: target '%.80s' is no release", what, path);
        len = strcspn(name, "/");
        if (len >= sizeof channel || name[len] != '/')
            return err_set(err, ERR_INVALID, "%s: target '%.80s' is no release", what, path);
        if (channel[0] && (strlen(channel) != len || memcmp(channel, name, len) != 0))
            return err_set(err, ERR_INVALID, "%s lists releases of more than one channel", what);
        snprintf(channel, sizeof channel, "%.*s", (int)len, name);
    }
    if (!channel[0])
        return err_set(err, ERR_INVALID, "%s lists no release and delegates to nobody", what);
    strcpy(ret, channel);
    return channel_name_check(ret, err);
}

static int role_of(const struct metadata *m, const char *what, char ret[TUF_ROLE_NAME_MAX],
                   struct err *err)
{
    char channel[CHANNEL_NAME_MAX];
    int r;

    if (m->type == TUF_ROOT || metadata_delegation(m, 0)) {
        strcpy(ret, m->type == TUF_ROOT ? "root" : "targets");
        return 0;
    }
    r = content_channel(m->body, channel, what, err);
    if (r == 0 && content_role_name(channel, ret, TUF_ROLE_NAME_MAX) < 0)
        r = err_set(err, ERR_INVALID, "%s: channel name is too long", what);
    return r;
}

int ceremony_parse(const char *data, size_t len, const char *what, struct metadata **ret,
                   char ret_role[TUF_ROLE_NAME_MAX], struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    json_auto_t *envelope = NULL;
    json_t *body;
    const char *type;
    int r = jsonx_parse(data, len, TUF_TARGETS_MAX, &envelope, err);

    if (r < 0)
        return err_context(err, r, "%s", what);
    if ((r = jsonx_object(envelope, what, "signed", &body, err)) < 0 ||
        (r = jsonx_string(body, what, "_type", TYPE_MAX, &type, err)) < 0)
        return r;
    if (strcmp(type, "root") != 0 && strcmp(type, "targets") != 0) {
        err_set(err, ERR_INVALID, "%s is a %s, which no person signs", what, type);
        return err_remedy(err, "give root, targets or content metadata");
    }
    r = metadata_parse(data, len, strcmp(type, "root") == 0 ? TUF_ROOT : TUF_TARGETS, what, &m,
                       err);
    if (r == 0)
        r = role_of(m, what, ret_role, err);
    if (r == 0)
        *ret = take_ptr(m);
    return r;
}

bool ceremony_is_draft(const struct metadata *m)
{
    return json_array_size(json_object_get(m->envelope, "signatures")) == 0;
}

/* --- the next version ------------------------------------------------------------------------- */

int ceremony_next(const struct metadata *m, int64_t expires_s, int64_t now_s, json_t **ret,
                  struct err *err)
{
    json_auto_t *body = json_deep_copy(m->body);
    char expires[21];

    if (expires_s == 0)
        expires_s = m->expires_s;
    clock_format_utc(expires_s, expires);
    if (expires_s <= now_s) {
        err_set(err, ERR_EXPIRED, "the next version would expire at %s", expires);
        return err_remedy(err, "say how long it is good for with --expires-days");
    }
    if (!body ||
        json_object_set_new(body, "version",
                            json_integer(m->version + (ceremony_is_draft(m) ? 0 : 1))) < 0 ||
        json_object_set_new(body, "expires", json_string(expires)) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = take_ptr(body);
    return 0;
}

/* --- roles ------------------------------------------------------------------------------------ */

/* Root: an object of roles; targets: a list of delegations. */
static json_t *roles_of(const json_t *body, json_t **ret_table)
{
    const char *type = json_string_value(json_object_get(body, "_type"));
    bool is_root = type && strcmp(type, "root") == 0;
    const json_t *o = is_root ? body : json_object_get(body, "delegations");

    *ret_table = json_object_get(o, "keys");
    return json_object_get(o, "roles");
}

int ceremony_role(const json_t *body, const char *role, json_t **ret_role, json_t **ret_table,
                  struct err *err)
{
    json_t *table, *roles = roles_of(body, &table), *o = json_object_get(roles, role), *each;
    size_t i;

    json_array_foreach (roles, i, each) {
        const char *name = json_string_value(json_object_get(each, "name"));

        if (name && strcmp(name, role) == 0)
            o = each;
    }
    if (!o || !table) {
        err_set(err, ERR_NOT_FOUND, "%s names no role '%.60s'",
                json_string_value(json_object_get(body, "_type")), role);
        return err_remedy(err, "see 'firebreak repo show FILE' for its roles");
    }
    *ret_role = o;
    *ret_table = table;
    return 0;
}

bool ceremony_names_key(const json_t *role, const char *id)
{
    size_t i;
    json_t *o;

    json_array_foreach (json_object_get(role, "keyids"), i, o)
        if (strcmp(json_string_value(o), id) == 0)
            return true;
    return false;
}

/* A key that no role names any more has no place in the table. */
static void forget_key(json_t *body, const char *id)
{
    json_t *table, *roles = roles_of(body, &table), *o;
    const char *name;
    size_t i;

    json_object_foreach (roles, name, o)
        if (ceremony_names_key(o, id))
            return;
    json_array_foreach (roles, i, o)
        if (ceremony_names_key(o, id))
            return;
    json_object_del(table, id);
}

/* The id or the beginning of one, as people copy it. */
static int find_key(const json_t *role, const char *name, const char *given, size_t *ret,
                    struct err *err)
{
    size_t len = strlen(given), found = SIZE_MAX, i;
    json_t *o;

    if (len < KEY_PREFIX_MIN)
        return err_set(err, ERR_USAGE, "key id '%s' is shorter than %d digits", given,
                       KEY_PREFIX_MIN);
    json_array_foreach (json_object_get(role, "keyids"), i, o) {
        if (strncmp(json_string_value(o), given, len) != 0)
            continue;
        if (found != SIZE_MAX)
            return err_set(err, ERR_USAGE, "more than one key of role '%s' begins with '%s'", name,
                           given);
        found = i;
    }
    if (found == SIZE_MAX) {
        err_set(err, ERR_NOT_FOUND, "role '%s' has no key '%.64s'", name, given);
        return err_remedy(err, "see 'firebreak repo show FILE' for its keys");
    }
    *ret = found;
    return 0;
}

static int remove_key(json_t *body, json_t *role, const char *name, const char *given,
                      struct err *err)
{
    json_t *ids = json_object_get(role, "keyids");
    char id[KEY_ID_LEN * 4 + 1];
    size_t at = 0;
    int r = find_key(role, name, given, &at, err);

    if (r < 0)
        return r;
    snprintf(id, sizeof id, "%s", json_string_value(json_array_get(ids, at)));
    json_array_remove(ids, at);
    forget_key(body, id);
    return 0;
}

/* One person's key must not count twice, whatever it is called. */
static int check_new_key(const json_t *table, const json_t *role, const char *name,
                         const struct key *k, struct err *err)
{
    size_t i;
    json_t *o;

    json_array_foreach (json_object_get(role, "keyids"), i, o) {
        const char *id = json_string_value(o);
        _cleanup_(key_free_p)
        struct key *other = NULL;

        if (key_from_json_as(json_object_get(table, id), id, &other, NULL) < 0 ||
            !key_same(k, other))
            continue;
        if (strcmp(id, key_id(k)) == 0)
            err_set(err, ERR_EXISTS, "role '%s' has key %.12s already", name, id);
        else
            err_set(err, ERR_EXISTS, "role '%s' has key %.12s already, as %.12s", name, key_id(k),
                    id);
        return err_remedy(err, "name each person's key once");
    }
    return 0;
}

static int add_key(json_t *table, json_t *role, const char *name, const struct key *k,
                   struct err *err)
{
    const json_t *there = json_object_get(table, key_id(k));
    _cleanup_(key_free_p)
    struct key *other = NULL;
    int r = check_new_key(table, role, name, k, err);

    if (r < 0)
        return r;
    if (there && (key_from_json_as(there, key_id(k), &other, NULL) < 0 || !key_same(k, other)))
        return err_set(err, ERR_TAMPERED, "another key stands under the id %.12s", key_id(k));
    if ((!there && json_object_set_new(table, key_id(k), key_to_json(k)) < 0) ||
        json_array_append_new(json_object_get(role, "keyids"), json_string(key_id(k))) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

/* The server signs these alone, with one key each. */
static bool is_online(const char *role)
{
    static const char *const online[] = {"snapshot", "timestamp", "rollout"};

    for (size_t i = 0; i < sizeof online / sizeof online[0]; i++)
        if (strcmp(role, online[i]) == 0)
            return true;
    return false;
}

static int check_role(const json_t *role, const char *name, struct err *err)
{
    int64_t threshold = json_integer_value(json_object_get(role, "threshold"));
    size_t n = json_array_size(json_object_get(role, "keyids"));

    if (threshold > (int64_t)n) {
        err_set(err, ERR_INVALID, "role '%s' would need %lld signatures and has %zu key%s", name,
                (long long)threshold, n, n == 1 ? "" : "s");
        return err_remedy(err, "add keys, or lower --threshold");
    }
    if (threshold > 1 && is_online(name))
        return err_set(err, ERR_INVALID,
                       "role '%s' is signed by the server, with one key: its threshold is 1", name);
    return 0;
}

int ceremony_change(json_t *body, const struct ceremony_change *c, struct err *err)
{
    json_auto_t *before = NULL;
    json_t *role, *table;
    int r = ceremony_role(body, c->role, &role, &table, err);

    if (r < 0)
        return r;
    before = json_deep_copy(role);
    for (size_t i = 0; r == 0 && i < c->n_remove; i++)
        r = remove_key(body, role, c->role, c->remove[i], err);
    for (size_t i = 0; r == 0 && i < c->n_add; i++)
        r = add_key(table, role, c->role, c->add[i], err);
    if (r == 0 && c->threshold &&
        json_object_set_new(role, "threshold", json_integer(c->threshold)) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = check_role(role, c->role, err);
    if (r == 0 && (!before || json_equal(before, role)))
        r = err_set(err, ERR_INVALID, "nothing changes in role '%s'", c->role);
    return r;
}

/* --- channels --------------------------------------------------------------------------------- */

/* Nobody may speak for the channel's folder already: the first delegation in the list that does
 * would have the last word. */
static int check_folder(const json_t *body, const char *channel, struct err *err)
{
    json_auto_t *envelope = json_pack("{s:O, s:[]}", "signed", (json_t *)body, "signatures");
    const struct metadata m = {.type = TUF_TARGETS, .envelope = envelope, .body = (json_t *)body};
    char path[TUF_TARGET_MAX];
    const char *name;
    int terminating;

    snprintf(path, sizeof path, CONTENT_FOLDER "%s/0.json", channel);
    for (size_t i = 0; (name = metadata_delegation(&m, i)); i++)
        if (metadata_delegates(&m, i, path, &terminating))
            return err_set(err, ERR_EXISTS, "role '%.60s' speaks for channel '%s' already", name,
                           channel);
    return 0;
}

/* "delegations" of a targets body, made where absent. */
static json_t *delegations_of(json_t *body)
{
    json_t *d = json_object_get(body, "delegations");

    if (d)
        return d;
    d = json_pack("{s:{}, s:[]}", "keys", "roles");
    return json_object_set_new(body, "delegations", d) < 0 ? NULL : d;
}

int ceremony_add_channel(json_t *body, const char *channel, const struct key *const *keys,
                         size_t n_keys, int threshold, struct err *err)
{
    char name[TUF_ROLE_NAME_MAX], pattern[TUF_TARGET_MAX];
    json_t *d = delegations_of(body), *role;
    int r = check_folder(body, channel, err);

    if (r < 0)
        return r;
    if (content_role_name(channel, name, sizeof name) < 0)
        return err_set(err, ERR_INVALID, "channel name is too long");
    snprintf(pattern, sizeof pattern, CONTENT_FOLDER "%s/*", channel);
    role = json_pack("{s:s, s:[], s:i, s:[s], s:b}", "name", name, "keyids", "threshold", threshold,
                     "paths", pattern, "terminating", 1);
    if (!d || json_array_append_new(json_object_get(d, "roles"), role) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n_keys; i++)
        r = add_key(json_object_get(d, "keys"), role, name, keys[i], err);
    return r == 0 ? check_role(role, name, err) : r;
}
