/* canon: see canon.h. The grammar is OLPC's: http://wiki.laptop.org/go/Canonical_JSON, with strings
 * as raw UTF-8 in which only '"' and '\' are escaped. */
#include "tuf/canon.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CANON_MAX_DEPTH 64

static int write_value(const json_t *v, int depth, struct buf *ret, struct err *err);

static int told(int r, struct err *err)
{
    if (r == -ERR_TOO_LARGE)
        return err_set(err, ERR_TOO_LARGE, "canonical form is too large");
    if (r < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static int write_string(const char *s, size_t len, struct buf *ret)
{
    int r = buf_addc(ret, '"');

    for (size_t i = 0; r == 0 && i < len;) {
        size_t plain = 0;

        while (i + plain < len && s[i + plain] != '"' && s[i + plain] != '\\')
            plain++;
        r = buf_add(ret, s + i, plain);
        i += plain;
        if (r == 0 && i < len) {
            char escaped[2] = {'\\', s[i++]};

            r = buf_add(ret, escaped, 2);
        }
    }
    return r == 0 ? buf_addc(ret, '"') : r;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_members(const json_t *o, const char **keys, size_t n, int depth, struct buf *ret,
                         struct err *err)
{
    int r = told(buf_addc(ret, '{'), err);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = i ? buf_addc(ret, ',') : 0;
        if (r == 0)
            r = write_string(keys[i], strlen(keys[i]), ret);
        if (r == 0)
            r = buf_addc(ret, ':');
        r = told(r, err);
        if (r == 0)
            r = write_value(json_object_get(o, keys[i]), depth, ret, err);
    }
    return r == 0 ? told(buf_addc(ret, '}'), err) : r;
}

static int write_object(const json_t *o, int depth, struct buf *ret, struct err *err)
{
    size_t n = json_object_size(o), i = 0;
    _cleanup_(free_p)
    const char **keys = calloc(n ? n : 1, sizeof *keys);
    const char *key;
    json_t *member;

    if (!keys)
        return err_set(err, ERR_NOMEM, "out of memory");
    json_object_foreach ((json_t *)o, key, member)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_bytes);
    return write_members(o, keys, n, depth, ret, err);
}

static int write_array(const json_t *a, int depth, struct buf *ret, struct err *err)
{
    int r = told(buf_addc(ret, '['), err);

    for (size_t i = 0; r == 0 && i < json_array_size(a); i++) {
        r = i ? told(buf_addc(ret, ','), err) : 0;
        if (r == 0)
            r = write_value(json_array_get(a, i), depth, ret, err);
    }
    return r == 0 ? told(buf_addc(ret, ']'), err) : r;
}

static int write_value(const json_t *v, int depth, struct buf *ret, struct err *err)
{
    if (!v)
        return err_set(err, ERR_INVALID, "no JSON value to make canonical");
    if (depth >= CANON_MAX_DEPTH)
        return err_set(err, ERR_INVALID, "JSON is nested deeper than %d levels", CANON_MAX_DEPTH);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return write_object(v, depth + 1, ret, err);
    case JSON_ARRAY:
        return write_array(v, depth + 1, ret, err);
    case JSON_STRING:
        return told(write_string(json_string_value(v), json_string_length(v), ret), err);
    case JSON_INTEGER:
        return told(buf_addf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(v)), err);
    case JSON_TRUE:
        return told(buf_adds(ret, "true"), err);
    case JSON_FALSE:
        return told(buf_adds(ret, "false"), err);
    case JSON_NULL:
        return told(buf_adds(ret, "null"), err);
    case JSON_REAL:
        break;
    }
    return err_set(err, ERR_INVALID, "signed JSON holds a number that is not an integer");
}

int canon_write(const json_t *v, struct buf *ret, struct err *err)
{
    size_t before = ret->len;
    int r = write_value(v, 0, ret, err);

    if (r < 0 && ret->len > before) { /* a failed call leaves ret as it was */
        ret->len = before;
        ret->data[before] = '\0';
    }
    return r;
}
