/* draw: derivations against values computed with another implementation of HMAC (Python's). */
#include "cmocka_all.h"

#include <string.h>

#include "draw.h"

#define DEVICE "00112233445566778899aabbccddeeff"
#define ONE    "65873e8edacdf13220544036728e115798a13623da29754aceee0a406215afee"
#define TWO    "d988a4a21cfacb44cfc0076290c6cc50473d4928d5caabed4fa2cd1c5ddfd0c3"

/* 00 01 02 ... 1f */
static void fill_master(uint8_t ret[SHA256_LEN])
{
    for (int i = 0; i < SHA256_LEN; i++)
        ret[i] = (uint8_t)i;
}

static void assert_hex(const uint8_t raw[SHA256_LEN], const char *want)
{
    char text[65];

    hex_encode(raw, SHA256_LEN, text);
    assert_string_equal(text, want);
}

static void test_keys_match_golden_values(void **state)
{
    uint8_t master[SHA256_LEN], key[SHA256_LEN];

    (void)state;
    fill_master(master);
    draw_key_derive(master, DEVICE, key);
    assert_hex(key, "ab28e235c34075b3f6aff0e0c4931ed7f314597943c0ea432f8849f39466593a");
    device_key_derive(master, DEVICE, 1, key);
    assert_hex(key, "6b21427754514a2a074482d7c5600ed2819f5727c394b13e2483bde1e0cf67b6");
    device_key_derive(master, DEVICE, 12, key);
    assert_hex(key, "d7d66707f7834d70eac70dc77019c4531469335078db21427e96966f64ebd4a7");
}

static void test_draws_match_golden_values(void **state)
{
    uint8_t master[SHA256_LEN], key[SHA256_LEN];

    (void)state;
    fill_master(master);
    draw_key_derive(master, DEVICE, key);
    assert_true(draw_u(key, ONE) == UINT64_C(0x741cd343dc3b451f));
    assert_true(draw_v(key, ONE) == UINT64_C(0x3491dc0c94d43698));
    assert_true(draw_u(key, TWO) == UINT64_C(0x87a15b161168cb1f));
    assert_true(draw_v(key, TWO) == UINT64_C(0xf69a674ebaa79e7f));
}

static void test_within_is_exact_at_the_edge(void **state)
{
    (void)state;
    /* Golden draw of ONE: floor(u * 10^6 / 2^64) = 453564. */
    assert_false(draw_within(UINT64_C(0x741cd343dc3b451f), 453564));
    assert_true(draw_within(UINT64_C(0x741cd343dc3b451f), 453565));
    assert_false(draw_within(0, 0));
    assert_true(draw_within(0, 1));
    assert_false(draw_within(UINT64_MAX, 999999));
    assert_true(draw_within(UINT64_MAX, 1000000));
    assert_false(draw_within(0, -1));
}

static void test_the_last_draw_within(void **state)
{
    static const int64_t shares[] = {1, 2, 3, 499999, 500000, 453565, 999999};
    uint64_t last = 7;

    (void)state;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        assert_true(draw_last_within(shares[i], &last));
        assert_true(draw_within(last, shares[i]));
        assert_false(draw_within(last + 1, shares[i]));
    }
    assert_true(draw_last_within(1000000, &last));
    assert_true(last == UINT64_MAX);
    assert_false(draw_last_within(0, &last));
    assert_false(draw_last_within(-5, &last));
}

static void test_what_is_no_digest_is_due_last(void **state)
{
    uint8_t key[SHA256_LEN] = {0};

    (void)state;
    assert_true(draw_u(key, "") == UINT64_MAX);
    assert_true(draw_u(key, "65873E") == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_match_golden_values),
        cmocka_unit_test(test_draws_match_golden_values),
        cmocka_unit_test(test_within_is_exact_at_the_edge),
        cmocka_unit_test(test_the_last_draw_within),
        cmocka_unit_test(test_what_is_no_digest_is_due_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
