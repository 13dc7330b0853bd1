/* revoked: the union over targets, its bounds, and what is refused. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "revoked.h"

static struct revoked got; /* large */

/* 64 digits that end in n. */
static const char *digest_of(int n, char ret[65])
{
    snprintf(ret, 65, "%064x", n);
    return ret;
}

static json_t *item(int n, const char *reason)
{
    char digest[65];

    return json_pack("{s:s, s:s}", "digest", digest_of(n, digest), "reason", reason);
}

/* Content metadata whose i-th target has customs[i] (stolen; NULL: none). */
static int read_customs(json_t *const *customs, size_t n, struct revoked *ret, struct err *err)
{
    json_auto_t *body = metadata_new_targets(1, 1000);
    json_auto_t *envelope = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    char path[64];
    struct buf text;

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "content/crs/%zu.0.json", i + 1);
        assert_int_equal(metadata_targets_add(body, path, "x", 1, customs[i]), 0);
        json_decref(customs[i]);
    }
    envelope = envelope_new(body);
    buf_init(&text, TUF_TARGETS_MAX);
    assert_int_equal(envelope_dump(envelope, &text, err), 0);
    assert_int_equal(metadata_parse(text.data, text.len, TUF_TARGETS, "file", &m, err), 0);
    buf_release(&text);
    return revoked_read(m, ret, err);
}

static int read_one(const char *custom, struct revoked *ret, struct err *err)
{
    json_t *v = json_loads(custom, JSON_DECODE_ANY, NULL);

    assert_non_null(v);
    return read_customs(&v, 1, ret, err);
}

static void test_none(void **state)
{
    json_t *customs[] = {NULL, json_pack("{s:i}", "sequence", 1), json_string("text"),
                         json_pack("{s:[]}", "revoked")};
    struct err err = {0};
    char digest[65];

    (void)state;
    got.n = 7;
    assert_int_equal(read_customs(customs, 4, &got, &err), 0);
    assert_int_equal(got.n, 0);
    assert_null(revoked_reason(&got, digest_of(1, digest)));
}

static void test_union_is_sorted_and_has_none_twice(void **state)
{
    json_t *customs[] = {json_pack("{s:[o, o]}", "revoked", item(9, "nine"), item(3, "three")),
                         NULL, json_pack("{s:[o, o]}", "revoked", item(3, "again"), item(1, ""))};
    struct err err = {0};
    char digest[65];

    (void)state;
    assert_int_equal(read_customs(customs, 3, &got, &err), 0);
    assert_int_equal(got.n, 3);
    assert_string_equal(got.items[0].digest, digest_of(1, digest));
    assert_string_equal(got.items[1].digest, digest_of(3, digest));
    assert_string_equal(got.items[2].digest, digest_of(9, digest));
    assert_string_equal(revoked_reason(&got, digest_of(3, digest)), "three");
    assert_string_equal(revoked_reason(&got, digest_of(1, digest)), "");
    assert_null(revoked_reason(&got, digest_of(2, digest)));
}

static void test_unknown_members_are_ignored(void **state)
{
    char text[256], digest[65];
    struct err err = {0};

    (void)state;
    snprintf(text, sizeof text,
             "{\"revoked\":[{\"digest\":\"%s\",\"reason\":\"r\",\"by\":[1],\"sequence\":12}],"
             "\"more\":null}",
             digest_of(5, digest));
    assert_int_equal(read_one(text, &got, &err), 0);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.items[0].sequence, 12);
    assert_string_equal(revoked_reason(&got, digest), "r");
}

static void test_bad_shapes(void **state)
{
#define GOOD "0000000000000000000000000000000000000000000000000000000000000001"
    static const char *const bad[] = {
        "{\"revoked\":null}",
        "{\"revoked\":{}}",
        "{\"revoked\":\"" GOOD "\"}",
        "{\"revoked\":[\"" GOOD "\"]}",
        "{\"revoked\":[null]}",
        "{\"revoked\":[{}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\"}]}",
        "{\"revoked\":[{\"reason\":\"r\"}]}",
        "{\"revoked\":[{\"digest\":1,\"reason\":\"r\"}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "0\",\"reason\":\"r\"}]}",
        "{\"revoked\":[{\"digest\":\"A" GOOD "\",\"reason\":\"r\"}]}",
        "{\"revoked\":[{\"digest\":\"\",\"reason\":\"r\"}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":null}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":[]}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":\"two\\nlines\"}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":\"c1 \\u0085\"}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":\"r\",\"sequence\":0}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":\"r\",\"sequence\":\"1\"}]}",
        "{\"revoked\":[{\"digest\":\"" GOOD "\",\"reason\":\"r\"}, 3]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {0};

        got.n = 7;
        if (read_one(bad[i], &got, &err) != -ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(got.n, 7);
        assert_non_null(strstr(err.msg, "content/crs/1.0.json"));
    }
}

static void test_reason_is_bounded(void **state)
{
    char reason[258];
    json_t *custom;
    struct err err = {0};
    char digest[65];

    (void)state;
    memset(reason, 'r', sizeof reason);
    reason[256] = '\0';
    custom = json_pack("{s:[o]}", "revoked", item(1, reason));
    assert_int_equal(read_customs(&custom, 1, &got, &err), 0);
    assert_string_equal(revoked_reason(&got, digest_of(1, digest)), reason);
    reason[256] = 'r';
    reason[257] = '\0';
    custom = json_pack("{s:[o]}", "revoked", item(1, reason));
    assert_int_equal(read_customs(&custom, 1, &got, &err), -ERR_INVALID);
}

/* n different ones, split over two targets. */
static int read_many(int n, struct revoked *ret, struct err *err)
{
    json_t *customs[] = {json_object(), json_object()};
    json_t *lists[] = {json_array(), json_array()};

    for (int i = 0; i < n; i++)
        json_array_append_new(lists[i % 2], item(n - i, "r"));
    for (size_t i = 0; i < 2; i++)
        json_object_set_new(customs[i], "revoked", lists[i]);
    return read_customs(customs, 2, ret, err);
}

static void test_number_is_bounded_over_all_targets(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(read_many(REVOKED_MAX, &got, &err), 0);
    assert_int_equal(got.n, REVOKED_MAX);
    for (size_t i = 1; i < got.n; i++)
        assert_true(strcmp(got.items[i - 1].digest, got.items[i].digest) < 0);
    assert_int_equal(read_many(REVOKED_MAX + 1, &got, &err), -ERR_TOO_LARGE);
    assert_int_equal(got.n, REVOKED_MAX);
}

static void test_round_trip(void **state)
{
    _cleanup_(free_p)
    struct revoked *r = calloc(1, sizeof *r);
    struct err err = {0};
    json_t *custom = json_object(), *list = NULL;

    (void)state;
    r->n = 2;
    digest_of(1, r->items[0].digest);
    snprintf(r->items[0].reason, sizeof r->items[0].reason, "breaks \xc3\xa9 and \"quotes\"");
    digest_of(2, r->items[1].digest);
    r->items[1].sequence = 77;
    assert_int_equal(revoked_to_json(r, &list, &err), 0);
    json_object_set_new(custom, "revoked", list);
    assert_int_equal(read_customs(&custom, 1, &got, &err), 0);
    assert_int_equal(got.n, 2);
    assert_string_equal(got.items[0].reason, r->items[0].reason);
    assert_int_equal(got.items[0].sequence, 0);
    assert_int_equal(got.items[1].sequence, 77);
}

static void test_only_what_would_be_read_back_is_written(void **state)
{
    static const char *const bad[] = {"two\nlines", "not \xff utf-8", "esc \x1b[2J"};
    _cleanup_(free_p)
    struct revoked *r = calloc(1, sizeof *r);
    json_t *list = NULL;

    (void)state;
    r->n = 1;
    digest_of(1, r->items[0].digest);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {0};

        snprintf(r->items[0].reason, sizeof r->items[0].reason, "%s", bad[i]);
        assert_int_equal(revoked_to_json(r, &list, &err), -ERR_INVALID);
        assert_null(list);
    }
    snprintf(r->items[0].reason, sizeof r->items[0].reason, "good");
    r->items[0].digest[63] = 'X';
    assert_int_equal(revoked_to_json(r, &list, NULL), -ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_union_is_sorted_and_has_none_twice),
        cmocka_unit_test(test_unknown_members_are_ignored),
        cmocka_unit_test(test_bad_shapes),
        cmocka_unit_test(test_reason_is_bounded),
        cmocka_unit_test(test_number_is_bounded_over_all_targets),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_only_what_would_be_read_back_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
