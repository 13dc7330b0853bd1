/* canon: golden forms, order by bytes, refusals. */
#include "cmocka_all.h"

#include <string.h>

#include "tuf/canon.h"

static int canon_text(const char *json, struct buf *ret, struct err *err)
{
    json_auto_t *v = json_loads(json, JSON_DECODE_ANY, NULL);

    assert_non_null(v);
    return canon_write(v, ret, err);
}

static void test_golden(void **state)
{
    static const struct {
        const char *json, *canonical;
    } rows[] = {
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"{\"b\": [1, -2, null], \"a\": {\"y\": true, \"x\": false}}",
         "{\"a\":{\"x\":false,\"y\":true},\"b\":[1,-2,null]}"},
        /* only '"' and '\' are escaped: line ends and other controls stay raw */
        {"\"a\\n\\\"b\\\\c\\u0001\\/\"", "\"a\n\\\"b\\\\c\x01/\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        /* by UTF-8 bytes: U+FF5E (ef bd 9e) before U+1F600 (f0 9f ..), unlike UTF-16's order */
        {"{\"\\ud83d\\ude00\":1,\"\\uff5e\":2,\"Z\":3,\"a\":4,\"\":5}",
         "{\"\":5,\"Z\":3,\"a\":4,\"\xef\xbd\x9e\":2,\"\xf0\x9f\x98\x80\":1}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        struct buf b;

        buf_init(&b, 4096);
        assert_int_equal(canon_text(rows[i].json, &b, &err), 0);
        assert_string_equal(b.data, rows[i].canonical);
        buf_release(&b);
    }
}

static void test_refusals_leave_the_buffer(void **state)
{
    struct err err = {0};
    struct buf b;

    (void)state;
    buf_init(&b, 16);
    assert_int_equal(buf_adds(&b, "kept"), 0);
    assert_int_equal(canon_text("{\"a\":[1,1.0]}", &b, &err), -ERR_INVALID);
    assert_string_equal(b.data, "kept");
    assert_int_equal(canon_text("\"0123456789abcdef\"", &b, &err), -ERR_TOO_LARGE);
    assert_string_equal(b.data, "kept");
    buf_release(&b);
}

static void test_depth_is_bounded(void **state)
{
    struct err err = {0};
    json_t *v = json_integer(1);
    struct buf b;

    (void)state;
    for (int i = 0; i < 63; i++)
        v = json_pack("[o]", v);
    buf_init(&b, 4096);
    assert_int_equal(canon_write(v, &b, &err), 0);
    v = json_pack("{s:o}", "deeper", v);
    assert_int_equal(canon_write(v, &b, &err), -ERR_INVALID);
    json_decref(v);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_refusals_leave_the_buffer),
        cmocka_unit_test(test_depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
