/* jsonx: hostile documents are refused, and the error names the field. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"

static void test_parse_refuses(void **state)
{
    static const struct {
        const char *text;
        int want;
        const char *part; /* of the message */
    } table[] = {
        {"{\"a\":1,\"a\":2}", -ERR_INVALID, "duplicate"},
        {"{\"a\":1} x", -ERR_INVALID, "line 1"},
        {"{\"a\":", -ERR_INVALID, "malformed"},
        {"", -ERR_INVALID, "malformed"},
        {"{\"a\":\"\\u0000\"}", -ERR_INVALID, "malformed"},
        {"{\"a\":\"\xff\"}", -ERR_INVALID, "malformed"},
        {"{\"a\":99999999999999999999}", -ERR_INVALID, "malformed"},
        {"[\"0123456789012345678901234567890123456789012345678901234567890123\"]", -ERR_TOO_LARGE,
         "longer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err err = {0};
        json_t *o = NULL;

        assert_int_equal(jsonx_parse(table[i].text, strlen(table[i].text), 64, &o, &err),
                         table[i].want);
        assert_null(o);
        if (!strstr(err.msg, table[i].part))
            fail_msg("'%s' does not hold '%s'", err.msg, table[i].part);
    }
}

static int parse_nested(int depth, const char *inner)
{
    char text[4096] = "";
    struct err err = {0};
    json_t *o = NULL;
    size_t n = 0;
    int r;

    for (int i = 0; i < depth; i++)
        text[n++] = '[';
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", inner);
    for (int i = 0; i < depth; i++)
        text[n++] = ']';
    r = jsonx_parse(text, n, sizeof text, &o, &err);
    json_decref(o);
    return r;
}

/* A list of n empty objects. */
static int parse_objects(size_t n)
{
    char *text = malloc(3 * n + 2);
    struct err err = {0};
    json_t *o = NULL;
    int r;

    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(text + 1 + 3 * i, "{},", 3);
    memcpy(text + 3 * n, "]", 2); /* in place of the last comma */
    r = jsonx_parse(text, 3 * n + 1, 3 * n + 1, &o, &err);
    assert_true(r == 0 || strstr(err.msg, "objects and lists"));
    json_decref(o);
    free(text);
    return r;
}

static void test_containers_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_objects((1 << 18) - 1), 0); /* with the list itself */
    assert_int_equal(parse_objects(1 << 18), -ERR_TOO_LARGE);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(32, "1"), 0);
    assert_int_equal(parse_nested(33, "1"), -ERR_INVALID);
    /* brackets in a string, behind an escaped quote, are no depth */
    assert_int_equal(parse_nested(30, "\"\\\"[[[[[[[[[[\""), 0);
    assert_int_equal(parse_nested(1900, ""), -ERR_INVALID);
}

static void test_members(void **state)
{
    static const char text[] =
        "{\"s\":\"abc\",\"c\":\"a\\nb\",\"i\":7,\"r\":1.5,\"b\":true,\"n\":null,"
        "\"o\":{},\"a\":[1,2,3],\"h\":\"0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef\",\"H\":\"ABC\",\"_type\":\"t\"}";
    struct err err = {0};
    json_auto_t *o = NULL;
    const char *s = NULL;
    char four[4] = "-", hash[65] = "";
    int64_t i = -1;
    bool b = false;
    json_t *v = NULL;

    (void)state;
    assert_int_equal(jsonx_parse(text, strlen(text), sizeof text, &o, &err), 0);
    assert_int_equal(jsonx_string(o, "doc", "s", 3, &s, &err), 0);
    assert_string_equal(s, "abc");
    assert_int_equal(jsonx_string(o, "doc", "s", 2, &s, &err), -ERR_INVALID);
    assert_string_equal(err.msg, "doc: 's' is longer than 2 bytes");
    assert_int_equal(jsonx_copy(o, "doc", "s", four, sizeof four, &err), 0);
    assert_string_equal(four, "abc");
    assert_int_equal(jsonx_copy(o, "doc", "s", four, 3, &err), -ERR_INVALID);
    assert_int_equal(jsonx_copy(o, "doc", "c", four, sizeof four, &err), -ERR_INVALID);
    assert_string_equal(four, "abc");
    assert_int_equal(jsonx_int(o, "doc", "i", 7, 7, &i, &err), 0);
    assert_int_equal(i, 7);
    assert_int_equal(jsonx_int(o, "doc", "i", 8, 9, &i, &err), -ERR_INVALID);
    assert_string_equal(err.msg, "doc: 'i' is 7, not in 8 to 9");
    assert_int_equal(jsonx_int(o, "doc", "r", 0, 9, &i, &err), -ERR_INVALID);
    assert_int_equal(jsonx_bool(o, "doc", "b", &b, &err), 0);
    assert_true(b);
    assert_int_equal(jsonx_bool(o, "doc", "i", &b, &err), -ERR_INVALID);
    assert_int_equal(jsonx_object(o, "doc", "o", &v, &err), 0);
    assert_int_equal(jsonx_object(o, "doc", "a", &v, &err), -ERR_INVALID);
    assert_int_equal(jsonx_array(o, "doc", "a", 3, &v, &err), 0);
    assert_int_equal(jsonx_array(o, "doc", "a", 2, &v, &err), -ERR_INVALID);
    assert_int_equal(jsonx_sha256(o, "doc", "h", hash, &err), 0);
    assert_int_equal(strlen(hash), 64);
    assert_int_equal(jsonx_sha256(o, "doc", "H", hash, &err), -ERR_INVALID);
    assert_int_equal(jsonx_type(o, "doc", "t", &err), 0);
    assert_int_equal(jsonx_type(o, "doc", "u", &err), -ERR_INVALID);
    assert_true(jsonx_has(o, "s"));
    assert_false(jsonx_has(o, "n"));
    assert_false(jsonx_has(o, "zzz"));
}

static void test_errors_name_the_path(void **state)
{
    struct err err = {0};
    json_auto_t *o = json_object();
    char hash[65];

    (void)state;
    assert_int_equal(jsonx_sha256(o, "manifest: files[3]", "sha256", hash, &err), -ERR_INVALID);
    assert_string_equal(err.msg, "manifest: 'files[3].sha256' is missing");
    json_decref(o);
    o = json_array();
    assert_int_equal(jsonx_sha256(o, "manifest", "sha256", hash, &err), -ERR_INVALID);
    assert_string_equal(err.msg, "manifest is not an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_refuses),          cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_containers_are_bounded), cmocka_unit_test(test_members),
        cmocka_unit_test(test_errors_name_the_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
