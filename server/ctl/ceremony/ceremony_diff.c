/* ceremony_diff: see ceremony_diff.h. */
#include "ceremony/ceremony_diff.h"

#include <string.h>

#include "ceremony/ceremony.h"
#include "revoked.h"

/* One comparison. A change that memory did not hold must not go missing. */
struct diff {
    json_t *list;
    const struct metadata *from, *to;
    bool failed;
};

static void add(struct diff *d, json_t *change)
{
    d->failed |= json_array_append_new(d->list, change) < 0;
}

/* JSON as text, whole: it is cut only where it is shown. */
static json_t *text_of(const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : strdup("");
    json_t *o = json_string(text);

    free(text);
    return o;
}

/* --- keys and roles ------------------------------------------------------------------------- */

const char *ceremony_key_type(const json_t *table, const char *keyid)
{
    const char *scheme =
        json_string_value(json_object_get(json_object_get(table, keyid), "scheme"));

    return scheme ? scheme : "?";
}

/* A role in both versions; NULL where it is absent. */
struct role_pair {
    const char *name;
    json_t *from, *from_table, *to, *to_table;
};

static void add_key(struct diff *d, const char *what, const struct role_pair *p, const char *id,
                    const json_t *table)
{
    add(d, json_pack("{s:s, s:s, s:s, s:s}", "change", what, "role", p->name, "keyid", id, "type",
                     ceremony_key_type(table, id)));
}

static void diff_keys(struct diff *d, const struct role_pair *p)
{
    size_t i;
    json_t *o;

    json_array_foreach (json_object_get(p->from, "keyids"), i, o)
        if (!ceremony_names_key(p->to, json_string_value(o)))
            add_key(d, "key-removed", p, json_string_value(o), p->from_table);
    json_array_foreach (json_object_get(p->to, "keyids"), i, o) {
        const char *id = json_string_value(o);

        if (!ceremony_names_key(p->from, id))
            add_key(d, "key-added", p, id, p->to_table);
        else if (!json_equal(json_object_get(p->from_table, id), json_object_get(p->to_table, id)))
            add_key(d, "key-changed", p, id, p->to_table);
    }
}

static void diff_threshold(struct diff *d, const struct role_pair *p)
{
    json_int_t from = json_integer_value(json_object_get(p->from, "threshold"));
    json_int_t to = json_integer_value(json_object_get(p->to, "threshold"));

    if (from != to)
        add(d, json_pack("{s:s, s:s, s:I, s:I}", "change", "threshold", "role", p->name, "from",
                         from, "to", to));
}

static void diff_role_field(struct diff *d, const struct role_pair *p, const char *field)
{
    const json_t *from = json_object_get(p->from, field), *to = json_object_get(p->to, field);

    if (!from != !to || (from && !json_equal(from, to)))
        add(d, json_pack("{s:s, s:s, s:s, s:o, s:o}", "change", "role-field", "role", p->name,
                         "field", field, "from", text_of(from), "to", text_of(to)));
}

static void diff_role_fields(struct diff *d, const struct role_pair *p)
{
    static const char *const told[] = {"name", "keyids", "threshold"};
    json_auto_t *all = json_object();
    const char *field;
    json_t *o;

    d->failed |= json_object_update(all, p->to ? p->to : p->from) < 0;
    if (p->from)
        d->failed |= json_object_update_missing(all, p->from) < 0;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        json_object_del(all, told[i]);
    json_object_foreach (all, field, o)
        diff_role_field(d, p, field);
}

static void diff_role(struct diff *d, const char *name)
{
    struct role_pair p = {.name = name};
    struct err ignored = {0};

    ceremony_role(d->from->body, name, &p.from, &p.from_table, &ignored);
    ceremony_role(d->to->body, name, &p.to, &p.to_table, &ignored);
    if (!p.from)
        add(d, json_pack("{s:s, s:s}", "change", "role-added", "role", name));
    if (!p.to) {
        add(d, json_pack("{s:s, s:s}", "change", "role-removed", "role", name));
        return;
    }
    diff_threshold(d, &p);
    diff_keys(d, &p);
    diff_role_fields(d, &p);
}

/* Names of roles in the order in which they stand, those of `to` first. */
static json_t *role_names(const struct metadata *m)
{
    json_t *names = json_array(), *o;
    const char *name;

    json_object_foreach (json_object_get(m->body, "roles"), name, o)
        json_array_append_new(names, json_string(name));
    for (size_t i = 0; m->type == TUF_TARGETS && (name = metadata_delegation(m, i)); i++)
        json_array_append_new(names, json_string(name));
    return names;
}

static bool has_name(const json_t *names, const char *name)
{
    size_t i;
    json_t *o;

    json_array_foreach (names, i, o)
        if (strcmp(json_string_value(o), name) == 0)
            return true;
    return false;
}

/* The first delegation that covers a path may have the last word, so their order counts. */
static void diff_order(struct diff *d, const json_t *from, const json_t *to)
{
    size_t at = 0, i;
    json_t *o;

    json_array_foreach (from, i, o) {
        if (!has_name(to, json_string_value(o)))
            continue;
        while (at < json_array_size(to) &&
               !has_name(from, json_string_value(json_array_get(to, at))))
            at++;
        if (!json_equal(o, json_array_get(to, at++))) {
            add(d, json_pack("{s:s, s:s, s:o, s:o}", "change", "field", "field",
                             "order of delegations", "from", text_of(from), "to", text_of(to)));
            return;
        }
    }
}

static void diff_roles(struct diff *d)
{
    json_auto_t *from = role_names(d->from);
    json_auto_t *to = role_names(d->to);
    size_t i;
    json_t *o;

    json_array_foreach (to, i, o)
        diff_role(d, json_string_value(o));
    json_array_foreach (from, i, o)
        if (!has_name(to, json_string_value(o)))
            diff_role(d, json_string_value(o));
    if (d->to->type == TUF_TARGETS)
        diff_order(d, from, to);
}

/* --- targets -------------------------------------------------------------------------------- */

static const char *sha256_of(const json_t *target)
{
    const char *s = json_string_value(json_object_get(json_object_get(target, "hashes"), "sha256"));

    return s ? s : "";
}

/* Everything of a target but its custom part. */
static bool same_file(const json_t *a, const json_t *b)
{
    json_auto_t *x = json_copy((json_t *)a);
    json_auto_t *y = json_copy((json_t *)b);

    json_object_del(x, "custom");
    json_object_del(y, "custom");
    return x && json_equal(x, y);
}

static void diff_target(struct diff *d, const char *path, const json_t *from, const json_t *to)
{
    const json_t *was = json_object_get(from, "custom"), *is = json_object_get(to, "custom");
    const char *what = !from ? "target-added" : !to ? "target-removed" : "target-changed";

    if (!from || !to || !same_file(from, to))
        add(d, json_pack("{s:s, s:s, s:s, s:s}", "change", what, "path", path, "from",
                         sha256_of(from), "to", sha256_of(to)));
    if (to && (!was != !is || (was && !json_equal(was, is))))
        add(d, json_pack("{s:s, s:s, s:o, s:o}", "change", "target-custom", "path", path, "from",
                         text_of(was), "to", text_of(is)));
}

static void diff_targets(struct diff *d)
{
    const json_t *from = json_object_get(d->from->body, "targets");
    const json_t *to = json_object_get(d->to->body, "targets");
    const char *path;
    json_t *o;

    json_object_foreach ((json_t *)to, path, o)
        diff_target(d, path, json_object_get(from, path), o);
    json_object_foreach ((json_t *)from, path, o)
        if (!json_object_get(to, path))
            diff_target(d, path, o, NULL);
}

/* Those of `a` that are not in `b`. */
static void add_revoked(struct diff *d, const char *what, const struct revoked *a,
                        const struct revoked *b)
{
    for (size_t i = 0; i < a->n; i++) {
        const char *there = revoked_reason(b, a->items[i].digest);

        if (!there)
            add(d, json_pack("{s:s, s:s, s:s}", "change", what, "digest", a->items[i].digest,
                             "reason", a->items[i].reason));
    }
}

static int diff_revoked(struct diff *d, struct err *err)
{
    struct revoked *both = calloc(2, sizeof *both);
    int r = both ? revoked_read(d->from, &both[0], err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = revoked_read(d->to, &both[1], err);
    if (r == 0) {
        add_revoked(d, "revoked", &both[1], &both[0]);
        add_revoked(d, "revocation-dropped", &both[0], &both[1]);
    }
    free(both);
    return r;
}

/* --- the rest ------------------------------------------------------------------------------- */

static void diff_field(struct diff *d, const char *field, const json_t *from, const json_t *to)
{
    if (!from != !to || (from && !json_equal(from, to)))
        add(d, json_pack("{s:s, s:s, s:o, s:o}", "change", "field", "field", field, "from",
                         text_of(from), "to", text_of(to)));
}

/* Members of an object that differ, but those told elsewhere. */
static void diff_members(struct diff *d, const json_t *from, const json_t *to,
                         const char *const *told)
{
    json_auto_t *all = json_object();
    const char *field;
    json_t *o;

    if (from)
        d->failed |= json_object_update(all, (json_t *)from) < 0;
    if (to)
        d->failed |= json_object_update(all, (json_t *)to) < 0;
    for (; *told; told++)
        json_object_del(all, *told);
    json_object_foreach (all, field, o)
        diff_field(d, field, json_object_get(from, field), json_object_get(to, field));
}

static void diff_head(struct diff *d)
{
    const json_t *from = json_object_get(d->from->body, "expires");
    const json_t *to = json_object_get(d->to->body, "expires");

    if (d->from->version != d->to->version)
        add(d, json_pack("{s:s, s:I, s:I}", "change", "version", "from",
                         (json_int_t)d->from->version, "to", (json_int_t)d->to->version));
    if (!json_equal(from, to))
        add(d, json_pack("{s:s, s:O, s:O}", "change", "expires", "from", from, "to", to));
}

int ceremony_diff(const struct metadata *from, const struct metadata *to, json_t **ret,
                  struct err *err)
{
    static const char *const told_of_root[] = {"version", "expires", "keys", "roles", NULL};
    static const char *const told[] = {"version", "expires", "targets", "delegations", NULL};
    static const char *const told_below[] = {"keys", "roles", NULL};
    json_auto_t *list = json_array();
    struct diff d = {.list = list, .from = from, .to = to};
    int r = 0;

    diff_head(&d);
    diff_roles(&d);
    if (to->type == TUF_TARGETS) {
        diff_targets(&d);
        diff_members(&d, json_object_get(from->body, "delegations"),
                     json_object_get(to->body, "delegations"), told_below);
        r = diff_revoked(&d, err);
    }
    diff_members(&d, from->body, to->body, to->type == TUF_ROOT ? told_of_root : told);
    if (r == 0 && (!list || d.failed))
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        *ret = json_incref(list);
    return r;
}
