/* field: see field.h. */
#include "field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "text.h"

/* "manifest: files[3]" and "sha256" are shown as "manifest: 'files[3].sha256'", as in jsonx. */
struct shown {
    char text[224];
};

static struct shown show(const char *what, const char *key)
{
    const char *path = strstr(what, ": ");
    struct shown s;

    if (path)
        snprintf(s.text, sizeof s.text, "%.*s: '%.80s.%.80s'", (int)(path - what), what, path + 2,
                 key);
    else
        snprintf(s.text, sizeof s.text, "%.80s: '%.80s'", what, key);
    return s;
}

static int read_text(const json_t *o, const char *what, const struct field *f, char *ret,
                     struct err *err)
{
    int r = jsonx_copy(o, what, f->key, ret, f->size, err);

    if (r < 0 || !f->check || (f->none && !ret[0]))
        return r;
    return err_context(err, f->check(ret, err), "%s", show(what, f->key).text);
}

static int read_hex(const json_t *o, const char *what, const struct field *f, char *ret,
                    struct err *err)
{
    const char *text;
    int r;

    if (f->none && json_is_null(json_object_get(o, f->key))) {
        ret[0] = '\0';
        return 0;
    }
    r = jsonx_string(o, what, f->key, f->size - 1, &text, err);
    if (r < 0)
        return r;
    if (!hex_is(text, f->size - 1))
        return err_set(err, ERR_INVALID, "%s is not %zu lowercase hexadecimal digits",
                       show(what, f->key).text, f->size - 1);
    memcpy(ret, text, f->size);
    return 0;
}

static int read_bytes(const json_t *o, const char *what, const struct field *f, void *ret,
                      struct err *err)
{
    const char *text;
    int r = jsonx_string(o, what, f->key, 2 * f->size, &text, err);

    if (r < 0)
        return r;
    if (hex_decode(text, ret, f->size) < 0)
        return err_set(err, ERR_INVALID, "%s is not %zu lowercase hexadecimal digits",
                       show(what, f->key).text, 2 * f->size);
    return 0;
}

static int read_name(const json_t *o, const char *what, const struct field *f, void *ret,
                     struct err *err)
{
    const char *text;
    int r = jsonx_string(o, what, f->key, 64, &text, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < f->n_names; i++) {
        if (strcmp(f->names[i], text) == 0) {
            unsigned value = (unsigned)i; /* gnu17: such an enum is an unsigned int */

            memcpy(ret, &value, sizeof value);
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s is not a value that is known: '%.*s'",
                   show(what, f->key).text, text_shown(text, 40), text);
}

static int read_one(const json_t *o, const char *what, const struct field *f, void *at,
                    struct err *err)
{
    switch (f->type) {
    case FIELD_TEXT_T:
        return read_text(o, what, f, at, err);
    case FIELD_HEX_T:
        return read_hex(o, what, f, at, err);
    case FIELD_BYTES_T:
        return read_bytes(o, what, f, at, err);
    case FIELD_INT_T:
        return jsonx_int(o, what, f->key, f->min, f->max, at, err);
    case FIELD_BOOL_T:
        return jsonx_bool(o, what, f->key, at, err);
    case FIELD_NAME_T:
        return read_name(o, what, f, at, err);
    }
    return err_set(err, ERR_INTERNAL, "%s has no type", show(what, f->key).text);
}

int field_read(const json_t *o, const char *what, const struct field *rows, void *target,
               struct err *err)
{
    for (const struct field *f = rows; f->key; f++) {
        int r = read_one(o, what, f, (char *)target + f->offset, err);

        if (r < 0)
            return r;
    }
    return 0;
}

static json_t *value_of(const struct field *f, const void *at)
{
    int64_t number;
    unsigned index;
    bool yes;

    switch (f->type) {
    case FIELD_TEXT_T:
        return json_string(at);
    case FIELD_HEX_T:
        return f->none && !*(const char *)at ? json_null() : json_string(at);
    case FIELD_BYTES_T: {
        char *hex = malloc(2 * f->size + 1);
        json_t *v = NULL;

        if (hex) {
            hex_encode(at, f->size, hex);
            v = json_string(hex);
        }
        free(hex);
        return v;
    }
    case FIELD_INT_T:
        memcpy(&number, at, sizeof number);
        return json_integer(number);
    case FIELD_BOOL_T:
        memcpy(&yes, at, sizeof yes);
        return json_boolean(yes);
    case FIELD_NAME_T:
        memcpy(&index, at, sizeof index);
        return index < f->n_names ? json_string(f->names[index]) : NULL;
    }
    return NULL;
}

/* True where a row's value keeps to the row, so that nothing is sent that would be refused. */
static int check_value(const struct field *f, const char *what, const void *at, struct err *err)
{
    int64_t number;

    if (f->type == FIELD_INT_T) {
        memcpy(&number, at, sizeof number);
        if (number < f->min || number > f->max)
            return err_set(err, ERR_INVALID, "%s is out of range: %lld", show(what, f->key).text,
                           (long long)number);
    } else if (f->type == FIELD_HEX_T) {
        if (!(f->none && !*(const char *)at) && !hex_is(at, f->size - 1))
            return err_set(err, ERR_INVALID, "%s is not %zu hexadecimal digits",
                           show(what, f->key).text, f->size - 1);
    } else if (f->type == FIELD_TEXT_T) {
        if (f->check && !(f->none && !*(const char *)at))
            return err_context(err, f->check(at, err), "%s", show(what, f->key).text);
    }
    return 0;
}

int field_write(json_t *o, const char *what, const struct field *rows, const void *source,
                struct err *err)
{
    for (const struct field *f = rows; f->key; f++) {
        const void *at = (const char *)source + f->offset;
        int r = check_value(f, what, at, err);
        json_t *v;

        if (r < 0)
            return r;
        v = value_of(f, at);
        if (!v)
            return err_set(err, ERR_INVALID, "%s cannot be written", show(what, f->key).text);
        r = field_set(o, f->key, v, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int field_dump(const json_t *v, size_t json_flags, const char *what, struct buf *ret,
               struct err *err)
{
    char *text = json_dumps(v, json_flags);
    int r;

    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory while writing the %s", what);
    r = buf_adds(ret, text);
    free(text);
    if (r < 0)
        return err_set(err, (enum err_code) - r, "%s: more than %zu bytes", what, ret->cap);
    return 0;
}

int field_set(json_t *o, const char *key, json_t *stolen, struct err *err)
{
    if (json_object_set_new(o, key, stolen) < 0)
        return err_set(err, ERR_NOMEM, "out of memory while writing '%s'", key);
    return 0;
}

int field_append(json_t *array, json_t *stolen, struct err *err)
{
    if (json_array_append_new(array, stolen) < 0)
        return err_set(err, ERR_NOMEM, "out of memory while writing a list");
    return 0;
}
