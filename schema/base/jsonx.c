/* jsonx: see jsonx.h. */
#include "base/jsonx.h"

#include <string.h>

#include "base/hex.h"

/* Our deepest document (a permit in a check-in answer) nests nine levels. */
#define JSONX_MAX_DEPTH 32

/* An empty object takes two bytes of text and two hundred of memory: "[{},{},..." of five megabytes
 * would take hundreds. The fullest targets metadata of that size that means something has half as
 * many. */
#define JSONX_MAX_CONTAINERS (1 << 18)

/* jansson bounds depth at 2,048; that is a deeper recursion than a small stack should bear. */
static int check_nesting(const char *data, size_t len, struct err *err)
{
    bool in_string = false;
    int depth = 0, containers = 0;

    for (size_t i = 0; i < len; i++) {
        char c = data[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSONX_MAX_DEPTH)
                return err_set(err, ERR_INVALID, "json is nested deeper than %d levels",
                               JSONX_MAX_DEPTH);
            if (++containers > JSONX_MAX_CONTAINERS)
                return err_set(err, ERR_TOO_LARGE, "json holds more than %d objects and lists",
                               JSONX_MAX_CONTAINERS);
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return 0;
}

int jsonx_parse(const char *data, size_t len, size_t cap, json_t **ret, struct err *err)
{
    json_error_t why;
    json_t *o;
    int r;

    if (len > cap)
        return err_set(err, ERR_TOO_LARGE, "json of %zu bytes is longer than %zu", len, cap);
    r = check_nesting(data, len, err);
    if (r < 0)
        return r;
    o = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!o && json_error_code(&why) == json_error_out_of_memory)
        return err_set(err, ERR_NOMEM, "out of memory while parsing json");
    if (!o)
        return err_set(err, ERR_INVALID, "malformed json at line %d, column %d: %.160s", why.line,
                       why.column, why.text);
    *ret = o;
    return 0;
}

/* "manifest: files[3]" and "sha256" are told as "manifest: 'files[3].sha256' <complaint>". */
static int complain(struct err *err, const char *what, const char *key, const char *complaint)
{
    const char *path = strstr(what, ": ");

    if (!path)
        return err_set(err, ERR_INVALID, "%.120s: '%.80s' %s", what, key, complaint);
    return err_set(err, ERR_INVALID, "%.*s: '%.80s.%.80s' %s", (int)(path - what), what, path + 2,
                   key, complaint);
}

static int member(const json_t *o, const char *what, const char *key, json_t **ret, struct err *err)
{
    json_t *v = NULL;

    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "%.120s is not an object", what);
    v = json_object_get(o, key);
    if (!v)
        return complain(err, what, key, "is missing");
    *ret = v;
    return 0;
}

int jsonx_string(const json_t *o, const char *what, const char *key, size_t max_len,
                 const char **ret, struct err *err)
{
    char complaint[64];
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_string(v))
        return complain(err, what, key, "is not a string");
    if (json_string_length(v) > max_len) {
        snprintf(complaint, sizeof complaint, "is longer than %zu bytes", max_len);
        return complain(err, what, key, complaint);
    }
    *ret = json_string_value(v);
    return 0;
}

int jsonx_copy(const json_t *o, const char *what, const char *key, char *ret, size_t size,
               struct err *err)
{
    const char *s;
    int r = jsonx_string(o, what, key, size - 1, &s, err);

    if (r < 0)
        return r;
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return complain(err, what, key, "holds a control character");
    memcpy(ret, s, strlen(s) + 1);
    return 0;
}

int jsonx_int(const json_t *o, const char *what, const char *key, int64_t min, int64_t max,
              int64_t *ret, struct err *err)
{
    char complaint[96];
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_integer(v))
        return complain(err, what, key, "is not an integer");
    if (json_integer_value(v) < min || json_integer_value(v) > max) {
        snprintf(complaint, sizeof complaint, "is %lld, not in %lld to %lld",
                 (long long)json_integer_value(v), (long long)min, (long long)max);
        return complain(err, what, key, complaint);
    }
    *ret = json_integer_value(v);
    return 0;
}

int jsonx_bool(const json_t *o, const char *what, const char *key, bool *ret, struct err *err)
{
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_boolean(v))
        return complain(err, what, key, "is neither true nor false");
    *ret = json_is_true(v);
    return 0;
}

int jsonx_object(const json_t *o, const char *what, const char *key, json_t **ret, struct err *err)
{
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_object(v))
        return complain(err, what, key, "is not an object");
    *ret = v;
    return 0;
}

int jsonx_array(const json_t *o, const char *what, const char *key, size_t max_items, json_t **ret,
                struct err *err)
{
    char complaint[64];
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_array(v))
        return complain(err, what, key, "is not an array");
    if (json_array_size(v) > max_items) {
        snprintf(complaint, sizeof complaint, "has more than %zu items", max_items);
        return complain(err, what, key, complaint);
    }
    *ret = v;
    return 0;
}

int jsonx_sha256(const json_t *o, const char *what, const char *key, char ret[65], struct err *err)
{
    json_t *v = NULL;
    int r = member(o, what, key, &v, err);

    if (r < 0)
        return r;
    if (!json_is_string(v) || !hex_is(json_string_value(v), SHA256_HEX_LEN))
        return complain(err, what, key, "is not 64 hexadecimal digits");
    memcpy(ret, json_string_value(v), SHA256_HEX_LEN + 1);
    return 0;
}

int jsonx_type(const json_t *o, const char *what, const char *type, struct err *err)
{
    char complaint[128];
    const char *given;
    int r = jsonx_string(o, what, "_type", 64, &given, err);

    if (r < 0)
        return r;
    if (strcmp(given, type) != 0) {
        snprintf(complaint, sizeof complaint, "is not '%s'", type);
        return complain(err, what, "_type", complaint);
    }
    return 0;
}

bool jsonx_has(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return v && !json_is_null(v);
}
