/* pace: reading it strictly, and who may apply when. */
#include "cmocka_all.h"

#include <string.h>

#include "base/jsonx.h"
#include "draw.h"
#include "pace.h"

static int parse(const char *text, struct pace *ret, struct err *err)
{
    json_t *v = NULL;
    int r = jsonx_parse(text, strlen(text), 10000, &v, err);

    if (r == 0)
        r = pace_from_json(v, ret, err);
    json_decref(v);
    return r;
}

static void test_default_pace(void **state)
{
    const struct pace *p = &pace_default;

    (void)state;
    assert_int_equal(pace_share_ppm(p, -1), 0);
    assert_int_equal(pace_share_ppm(p, 0), 1000);
    assert_int_equal(pace_share_ppm(p, 1799), 1000);
    assert_int_equal(pace_share_ppm(p, 1800), 10000);
    assert_int_equal(pace_share_ppm(p, 3600), 100000);
    assert_int_equal(pace_share_ppm(p, 5400), PPM);
    assert_int_equal(pace_share_ppm(p, INT64_MAX), PPM);
}

static void test_wait_follows_the_draw(void **state)
{
    (void)state;
    assert_int_equal(pace_wait_s(&pace_default, 0), 0);
    assert_int_equal(pace_wait_s(&pace_default, UINT64_MAX), 5400);
    assert_int_equal(pace_wait_s(&pace_urgent, UINT64_MAX), 1800);
    /* 0.1 % of 2^64 is 18446744073709551.6: the first draw beyond it waits. */
    assert_int_equal(pace_wait_s(&pace_default, UINT64_C(18446744073709551)), 0);
    assert_int_equal(pace_wait_s(&pace_default, UINT64_C(18446744073709552)), 1800);
    /* Whoever waits w seconds is within the share at w, and was not just before. */
    for (uint64_t u = 0; u < UINT64_MAX - (UINT64_MAX >> 8); u += UINT64_MAX >> 8) {
        int64_t w = pace_wait_s(&pace_urgent, u);

        assert_true(draw_within(u, pace_share_ppm(&pace_urgent, w)));
        assert_false(draw_within(u, pace_share_ppm(&pace_urgent, w - 1)));
    }
}

static void test_faster(void **state)
{
    struct err err = {0};
    struct pace p;

    (void)state;
    assert_false(pace_is_faster(&pace_default, &pace_default));
    assert_true(pace_is_faster(&pace_urgent, &pace_default));
    assert_false(pace_is_faster(&pace_default, &pace_urgent));
    assert_int_equal(parse("[{\"after_s\":0,\"share_ppm\":0},{\"after_s\":9000,"
                           "\"share_ppm\":1000000}]",
                           &p, &err),
                     0);
    assert_false(pace_is_faster(&p, &pace_default));
    /* Slower at first, faster in the middle: still faster. */
    assert_int_equal(parse("[{\"after_s\":0,\"share_ppm\":0},{\"after_s\":5399,"
                           "\"share_ppm\":1000000}]",
                           &p, &err),
                     0);
    assert_true(pace_is_faster(&p, &pace_default));
}

static void test_round_trip(void **state)
{
    json_auto_t *v = pace_to_json(&pace_default);
    struct err err = {0};
    struct pace p;

    (void)state;
    assert_non_null(v);
    assert_int_equal(pace_from_json(v, &p, &err), 0);
    assert_int_equal(p.n_steps, pace_default.n_steps);
    for (int i = 0; i < p.n_steps; i++) {
        assert_int_equal(p.steps[i].after_s, pace_default.steps[i].after_s);
        assert_int_equal(p.steps[i].share_ppm, pace_default.steps[i].share_ppm);
    }
}

static void test_hostile(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "\"fast\"",
        "[1]",
        "[{\"after_s\":0}]",
        "[{\"share_ppm\":1000000}]",
        "[{\"after_s\":1,\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":999999}]",
        "[{\"after_s\":0,\"share_ppm\":1000001}]",
        "[{\"after_s\":0,\"share_ppm\":-1},{\"after_s\":1,\"share_ppm\":1000000}]",
        "[{\"after_s\":-1,\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":1000000.0}]",
        "[{\"after_s\":\"0\",\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":5},{\"after_s\":0,\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":5},{\"after_s\":9,\"share_ppm\":4},"
        "{\"after_s\":10,\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":5},{\"after_s\":99999999999,\"share_ppm\":1000000}]",
        "[{\"after_s\":0,\"share_ppm\":99999999999999999999}]",
        "[{\"after_s\":0,\"after_s\":0,\"share_ppm\":1000000}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pace p = {.n_steps = -3};
        struct err err = {0};

        if (parse(bad[i], &p, &err) != -ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(p.n_steps, -3);
    }
}

static void test_too_many_steps(void **state)
{
    json_auto_t *v = json_array();
    struct err err = {0};
    struct pace p;

    (void)state;
    for (int i = 0; i <= PACE_MAX_STEPS; i++)
        json_array_append_new(v, json_pack("{s:i,s:i}", "after_s", i, "share_ppm", PPM));
    assert_int_equal(pace_from_json(v, &p, &err), -ERR_INVALID);
    json_array_remove(v, PACE_MAX_STEPS);
    assert_int_equal(pace_from_json(v, &p, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_pace), cmocka_unit_test(test_wait_follows_the_draw),
        cmocka_unit_test(test_faster),       cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hostile),      cmocka_unit_test(test_too_many_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
