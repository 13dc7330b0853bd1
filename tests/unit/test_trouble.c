/* trouble: which clock or role is to blame, as a word and in words. */
#include "cmocka_all.h"

#include <string.h>

#include "trust/trouble.h"

#define BUILT INT64_C(1795478400) /* 2026-11-24 */
#define NOW   (BUILT + 86400)

static const struct trouble_clock good = {.now_s = NOW, .built_s = BUILT};

static void test_a_clock_before_the_build(void **state)
{
    struct trouble_clock c = {.now_s = 5, .built_s = BUILT};
    struct state_trouble t;

    (void)state;
    assert_true(trouble_clock_is_early(&c));
    assert_false(trouble_clock_is_early(&good));
    trouble_early(&c, &t);
    assert_string_equal(t.hold, "clock-before-build");
    assert_string_equal(
        t.words, "the clock says 1970-01-01, before this agent was built (2026-11-24): set it");
    c.now_s = INT64_MIN;
    assert_true(trouble_clock_is_early(&c));
    trouble_early(&c, &t);
}

static void test_expiry_names_role_and_clocks(void **state)
{
    struct trouble_clock c = {.now_s = INT64_C(4102444800), .built_s = BUILT};
    struct err err = {0};
    struct state_trouble t;

    (void)state;
    err_set(&err, ERR_EXPIRED, "timestamp version 7 expired at 2026-11-26T00:00:00Z");
    err_context(&err, -ERR_EXPIRED, "verify");
    trouble_of(&c, &err, &t);
    assert_string_equal(t.hold, "expired-timestamp");
    assert_string_equal(t.words, "timestamp version 7 expired at 2026-11-26T00:00:00Z; the clock "
                                 "says 2100-01-01: if the clock is wrong set it, otherwise the "
                                 "repository has expired");
    c.server_ahead_s = NOW - c.now_s;
    trouble_of(&c, &err, &t);
    assert_non_null(
        strstr(t.words, "the clock says 2100-01-01, the server said 2026-11-25: if the clock"));
    err_set(&err, ERR_EXPIRED, "?%%&/ expired"); /* a role's name is anybody's */
    trouble_of(&c, &err, &t);
    assert_string_equal(t.hold, "expired-metadata");
}

static void test_the_network_is_no_trouble_of_trust(void **state)
{
    static const enum err_code network[] = {ERR_UNREACHABLE, ERR_TIMEOUT, ERR_UNAVAILABLE,
                                            ERR_NOT_FOUND,   ERR_FULL,    ERR_NOMEM};
    struct err err = {0};
    struct state_trouble t;

    (void)state;
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++) {
        err_set(&err, network[i], "no");
        trouble_of(&good, &err, &t);
        assert_string_equal(t.hold, "");
    }
    err_set(&err, ERR_TAMPERED, "snapshot does not have the hash that is signed for it");
    trouble_of(&good, &err, &t);
    assert_string_equal(t.hold, "metadata-tampered");
    assert_string_equal(t.words, err.msg);
}

static void test_what_holds_now(void **state)
{
    static struct state s;
    struct state_channel *c = &s.channels[0];
    struct trouble_clock early = {.now_s = 0, .built_s = BUILT};

    (void)state;
    s.n_channels = 1;
    strcpy(c->trouble.hold, "metadata-tampered");
    s.expires_s = NOW + 1;
    strcpy(s.expires_role, "snapshot");
    assert_string_equal(trouble_now(&good, &s, NULL).hold, "");
    assert_string_equal(trouble_now(&good, &s, c).hold, "metadata-tampered");
    s.expires_s = NOW; /* nothing came, and what there is has run out */
    assert_string_equal(trouble_now(&good, &s, c).hold, "expired-snapshot");
    strcpy(s.trouble.hold, "metadata-version-rollback");
    assert_string_equal(trouble_now(&good, &s, c).hold, "metadata-version-rollback");
    assert_string_equal(trouble_now(&early, &s, c).hold, "clock-before-build");
    strcpy(s.trouble.hold, "clock-before-build"); /* of a clock that was set since */
    s.expires_s = NOW + 1;
    assert_string_equal(trouble_now(&good, &s, NULL).hold, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clock_before_the_build),
        cmocka_unit_test(test_expiry_names_role_and_clocks),
        cmocka_unit_test(test_the_network_is_no_trouble_of_trust),
        cmocka_unit_test(test_what_holds_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
