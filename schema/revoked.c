/* revoked: see revoked.h. */
#include "revoked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonx.h"
#include "base/utf8.h"
#include "field.h"

/* It is shown on terminals and in pages: one line. */
static int reason_check(const char *s, struct err *err)
{
    uint32_t cp;
    size_t n;

    for (; (n = utf8_next(s, &cp)) > 0; s += n)
        if (utf8_is_control(cp))
            return err_set(err, ERR_INVALID, "holds a control character");
    return *s ? err_set(err, ERR_INVALID, "is not UTF-8") : 0;
}

static const struct field item_fields[] = {
    FIELD_HEX(struct revoked_item, digest, "digest"),
    FIELD_TEXT(struct revoked_item, reason, "reason", reason_check),
    {0},
};

static const struct field sequence_field[] = {
    FIELD_INT(struct revoked_item, sequence, "sequence", 1, FIELD_INT_MAX),
    {0},
};

static int read_item(const json_t *o, const char *where, struct revoked_item *ret, struct err *err)
{
    int r = field_read(o, where, item_fields, ret, err);

    ret->sequence = 0;
    if (r == 0 && jsonx_has(o, "sequence"))
        r = field_read(o, where, sequence_field, ret, err);
    return r;
}

static const struct revoked_item *find(const struct revoked *r, const char *digest)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->items[i].digest, digest) == 0)
            return &r->items[i];
    return NULL;
}

/* What one target's custom part adds. */
static int add_target(struct revoked *r, const json_t *custom, const char *path, struct err *err)
{
    char what[192], where[224];
    json_t *list;
    int e;

    if (!json_object_get(custom, "revoked"))
        return 0;
    snprintf(what, sizeof what, "targets.%.128s.custom", path);
    e = jsonx_array(custom, what, "revoked", REVOKED_MAX, &list, err);
    for (size_t i = 0; e == 0 && i < json_array_size(list); i++) {
        struct revoked_item item;

        snprintf(where, sizeof where, "%s: revoked[%zu]", what, i);
        e = read_item(json_array_get(list, i), where, &item, err);
        if (e < 0 || find(r, item.digest))
            continue;
        if (r->n == REVOKED_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d releases are revoked", REVOKED_MAX);
        r->items[r->n++] = item;
    }
    return e;
}

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct revoked_item *)a)->digest,
                  ((const struct revoked_item *)b)->digest);
}

int revoked_read(const struct metadata *content, struct revoked *ret, struct err *err)
{
    json_t *targets = json_object_get(content->body, "targets"), *o;
    _cleanup_(free_p)
    struct revoked *r = calloc(1, sizeof *r);
    const char *path;

    if (!r)
        return err_set(err, ERR_NOMEM, "out of memory");
    json_object_foreach (targets, path, o) {
        int e = add_target(r, json_object_get(o, "custom"), path, err);

        if (e < 0)
            return err_context(err, e, "revocations");
    }
    qsort(r->items, r->n, sizeof r->items[0], by_digest);
    memcpy(ret, r, sizeof *ret);
    return 0;
}

const char *revoked_reason(const struct revoked *r, const char *digest)
{
    const struct revoked_item *i = find(r, digest);

    return i ? i->reason : NULL;
}

int revoked_to_json(const struct revoked *r, json_t **ret, struct err *err)
{
    json_auto_t *list = json_array();
    int e = 0;

    for (size_t i = 0; e == 0 && i < r->n; i++) {
        const struct revoked_item *item = &r->items[i];
        json_t *o = json_object();

        e = field_append(list, o, err);
        if (e == 0)
            e = field_write(o, "revocation", item_fields, item, err);
        if (e == 0 && item->sequence)
            e = field_write(o, "revocation", sequence_field, item, err);
    }
    if (e == 0 && !list)
        e = err_set(err, ERR_NOMEM, "out of memory");
    if (e == 0)
        *ret = take_ptr(list);
    return e;
}
