/* fuzz_canon: OLPC canonical JSON. What is written is read back by a reader of its own, which takes
 * nothing but the canonical form, as the very same value: so two values never share one form, and
 * one value has one form. */
#include "fuzz.h"

#include <string.h>

#include "base/jsonx.h"
#include "tuf/canon.h"

#define CAP_BYTES 65536

/* Canonical text. Where it is not, the target ends: there is no error to return. */
struct reader {
    const char *at, *end;
};

static char next(struct reader *r)
{
    FUZZ_CHECK(r->at < r->end);
    return *r->at++;
}

static int peek(const struct reader *r)
{
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

static void expect(struct reader *r, const char *text)
{
    for (; *text; text++)
        FUZZ_CHECK(next(r) == *text);
}

/* Raw bytes; '"' and '\' escaped, and nothing else. free(). */
static char *read_text(struct reader *r, size_t *ret_len)
{
    char *text = malloc((size_t)(r->end - r->at) + 1);
    size_t n = 0;
    char c;

    FUZZ_CHECK(text);
    expect(r, "\"");
    while ((c = next(r)) != '"') {
        if (c == '\\') {
            c = next(r);
            FUZZ_CHECK(c == '"' || c == '\\');
        }
        text[n++] = c;
    }
    text[n] = '\0';
    *ret_len = n;
    return text;
}

static json_t *read_string(struct reader *r)
{
    size_t len;
    char *text = read_text(r, &len);
    json_t *v = json_stringn(text, len); /* NULL where it is not UTF-8 */

    FUZZ_CHECK(v);
    free(text);
    return v;
}

static json_t *read_integer(struct reader *r)
{
    const char *start = r->at;
    char *end, again[32];
    long long n = strtoll(r->at, &end, 10);

    FUZZ_CHECK(end > start && end <= r->end);
    r->at = end;
    snprintf(again, sizeof again, "%lld", n);
    FUZZ_CHECK(strlen(again) == (size_t)(end - start) && !memcmp(again, start, strlen(again)));
    return json_integer(n);
}

static json_t *read_value(struct reader *r);

static json_t *read_array(struct reader *r)
{
    json_t *a = json_array();

    expect(r, "[");
    while (peek(r) != ']') {
        if (json_array_size(a))
            expect(r, ",");
        FUZZ_CHECK(json_array_append_new(a, read_value(r)) == 0);
    }
    expect(r, "]");
    return a;
}

/* Names rise by their bytes, so none is there twice. */
static json_t *read_object(struct reader *r)
{
    json_t *o = json_object();
    char *before = NULL;

    expect(r, "{");
    while (peek(r) != '}') {
        size_t len;
        char *name;

        if (before)
            expect(r, ",");
        name = read_text(r, &len);
        FUZZ_CHECK(strlen(name) == len && (!before || strcmp(before, name) < 0));
        expect(r, ":");
        FUZZ_CHECK(json_object_set_new(o, name, read_value(r)) == 0);
        free(before);
        before = name;
    }
    expect(r, "}");
    free(before);
    return o;
}

static json_t *read_value(struct reader *r)
{
    switch (peek(r)) {
    case '{':
        return read_object(r);
    case '[':
        return read_array(r);
    case '"':
        return read_string(r);
    case 't':
        expect(r, "true");
        return json_true();
    case 'f':
        expect(r, "false");
        return json_false();
    case 'n':
        expect(r, "null");
        return json_null();
    default:
        return read_integer(r);
    }
}

/* The same members, put in the other way round. */
static json_t *turned(const json_t *v)
{
    json_t *o, *item;
    const char *names[64], *name;
    size_t n = 0;

    if (!json_is_object(v) || json_object_size(v) > sizeof names / sizeof names[0])
        return json_incref((json_t *)v);
    o = json_object();
    json_object_foreach ((json_t *)v, name, item)
        names[n++] = name;
    while (n-- > 0)
        FUZZ_CHECK(json_object_set_new(o, names[n], turned(json_object_get(v, names[n]))) == 0);
    return o;
}

static int has_real(const json_t *v)
{
    const char *name;
    json_t *item;
    size_t i;

    json_object_foreach ((json_t *)v, name, item)
        if (has_real(item))
            return 1;
    json_array_foreach (v, i, item)
        if (has_real(item))
            return 1;
    return json_is_real(v);
}

static void check_same_form(const json_t *v, const struct buf *form)
{
    struct err err = {0};
    struct buf b;

    buf_init(&b, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(canon_write(v, &b, &err), &err));
    FUZZ_CHECK(b.len == form->len && !memcmp(b.data, form->data, b.len));
    buf_release(&b);
}

static void check_form(const json_t *v, const struct buf *form)
{
    struct reader r = {form->data, form->data + form->len};
    json_t *again = read_value(&r), *other = turned(v);

    FUZZ_CHECK(r.at == r.end);
    FUZZ_CHECK(json_equal(v, again));
    check_same_form(again, form);
    check_same_form(other, form);
    json_decref(again);
    json_decref(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    json_t *v = NULL;
    struct buf form;

    if (!fuzz_ok(jsonx_parse((const char *)data, len, CAP_BYTES, &v, &err), &err))
        return 0;
    buf_init(&form, FUZZ_TEXT_MAX);
    FUZZ_CHECK(buf_adds(&form, "before") == 0);
    if (fuzz_ok(canon_write(v, &form, &err), &err)) {
        struct buf rest = {.data = form.data + 6, .len = form.len - 6};

        FUZZ_CHECK(!has_real(v));
        check_form(v, &rest);
    } else {
        FUZZ_CHECK(has_real(v));
        fuzz_same(form.data, "before"); /* a failed call leaves the buffer */
    }
    buf_release(&form);
    json_decref(v);
    return 0;
}
