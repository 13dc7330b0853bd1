/* ceremony_show: see ceremony_show.h. Here the JSON; the text is in ceremony_print.c. */
#include "ceremony/ceremony_show.h"

#include <string.h>

#include "ceremony/ceremony.h"
#include "ceremony/ceremony_diff.h"
#include "revoked.h"

static json_t *show_keys(const json_t *role, const json_t *table)
{
    json_t *keys = json_array(), *o;
    size_t i;

    json_array_foreach (json_object_get(role, "keyids"), i, o)
        json_array_append_new(keys, json_pack("{s:O, s:s}", "keyid", o, "type",
                                              ceremony_key_type(table, json_string_value(o))));
    return keys;
}

static int show_role(const struct metadata *m, const char *name, json_t *list, struct err *err)
{
    json_t *role, *table, *o;
    int r = ceremony_role(m->body, name, &role, &table, err);

    if (r < 0)
        return r;
    o = json_pack("{s:s, s:O, s:o, s:O*}", "role", name, "threshold",
                  json_object_get(role, "threshold"), "keys", show_keys(role, table), "paths",
                  json_object_get(role, "paths"));
    return json_array_append_new(list, o) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

static int show_roles(const struct metadata *m, json_t *list, struct err *err)
{
    static const char *const top[] = {"root", "targets", "snapshot", "timestamp"};
    const char *name;
    int r = 0;

    for (size_t i = 0; r == 0 && m->type == TUF_ROOT && i < sizeof top / sizeof top[0]; i++)
        r = show_role(m, top[i], list, err);
    for (size_t i = 0; r == 0 && m->type == TUF_TARGETS && (name = metadata_delegation(m, i)); i++)
        r = show_role(m, name, list, err);
    return r;
}

static int show_targets(const struct metadata *m, json_t *list, struct err *err)
{
    const char *path;
    json_t *o;

    json_object_foreach (json_object_get(m->body, "targets"), path, o) {
        json_t *hashes = json_object_get(o, "hashes"), *custom = json_object_get(o, "custom");
        json_t *row =
            json_pack("{s:s, s:O, s:O, s:O*}", "path", path, "sha256",
                      json_object_get(hashes, "sha256"), "length", json_object_get(o, "length"),
                      "sequence", json_object_get(custom, "sequence"));

        if (json_array_append_new(list, row) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

static int show_revoked(const struct metadata *m, json_t *list, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    int r = revoked ? revoked_read(m, revoked, err) : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; r == 0 && i < revoked->n; i++)
        if (json_array_append_new(list, json_pack("{s:s, s:s}", "digest", revoked->items[i].digest,
                                                  "reason", revoked->items[i].reason)) < 0)
            r = err_set(err, ERR_NOMEM, "out of memory");
    return r;
}

/* What the file says by itself. */
static int show_file(const struct ceremony_show *s, json_t *show, struct err *err)
{
    json_t *roles = json_array(), *targets = json_array(), *revoked = json_array();
    int r = 0;

    if (json_object_set_new(show, "roles", roles) < 0 ||
        json_object_set_new(show, "targets", targets) < 0 ||
        json_object_set_new(show, "revoked", revoked) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = show_roles(s->m, roles, err);
    if (r == 0 && s->m->type == TUF_TARGETS)
        r = show_targets(s->m, targets, err);
    if (r == 0 && s->m->type == TUF_TARGETS)
        r = show_revoked(s->m, revoked, err);
    return r;
}

static int show_changes(const struct ceremony_show *s, json_t *show, struct err *err)
{
    json_t *changes;
    int r;

    if (!s->previous)
        return 0;
    r = ceremony_diff(s->previous, s->m, &changes, err);
    if (r < 0)
        return r;
    if (json_object_set_new(show, "changes", changes) < 0 ||
        json_object_set_new(show, "previous_version", json_integer(s->previous->version)) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

int ceremony_show_make(const struct ceremony_show *s, json_t **ret, struct err *err)
{
    json_auto_t *show =
        json_pack("{s:s, s:s, s:I, s:O, s:I}", "file", s->name, "role", s->role, "version",
                  (json_int_t)s->m->version, "expires", json_object_get(s->m->body, "expires"),
                  "expires_in_s", (json_int_t)(s->m->expires_s - s->now_s));
    json_auto_t *tally = NULL;
    int r = show ? show_file(s, show, err)
                 : err_set(err, ERR_INVALID, "file name '%.80s' is not UTF-8", s->name);

    if (r == 0)
        r = show_changes(s, show, err);
    if (r == 0)
        r = ceremony_tally(s->m->envelope, s->groups, s->name, &tally, err);
    if (r == 0 && json_object_update(show, tally) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        *ret = json_incref(show);
    return r;
}
