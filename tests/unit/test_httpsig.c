/* httpsig: a vector made with Python's hmac, and everything that must not verify. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "httpsig.h"

#define DEVICE "00112233445566778899aabbccddeeff"
#define BODY   "{\"hello\": \"world\"}"
#define INPUT                                                                                      \
    "fb=(\"@method\" \"@path\" \"content-digest\");created=1700000000;keyid=\"" DEVICE             \
    ":1\";alg=\"hmac-sha256\""
/* The digest is the one of RFC 9530, appendix B. */
#define DIGEST    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define SIGNATURE "fb=:D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYo=:"

static const uint8_t *key(void)
{
    static uint8_t raw[SHA256_LEN];

    assert_int_equal(
        hex_decode("6b21427754514a2a074482d7c5600ed2819f5727c394b13e2483bde1e0cf67b6", raw, 32), 0);
    return raw;
}

static int verify(const char *method, const char *path, const char *body,
                  const struct httpsig_headers *h, struct err *err)
{
    return httpsig_verify(method, path, body, strlen(body), h, key(), err);
}

static struct httpsig_headers golden(void)
{
    struct httpsig_headers h = {DIGEST, INPUT, SIGNATURE};

    return h;
}

static void test_sign_matches_golden_vector(void **state)
{
    struct httpsig_headers h;
    struct err err = {0};

    (void)state;
    assert_int_equal(httpsig_sign("POST", "/api/v1/checkin", BODY, strlen(BODY), DEVICE, 1, key(),
                                  1700000000, &h, &err),
                     0);
    assert_string_equal(h.content_digest, DIGEST);
    assert_string_equal(h.signature_input, INPUT);
    assert_string_equal(h.signature, SIGNATURE);
}

static void test_golden_vector_verifies(void **state)
{
    struct httpsig_headers h = golden();
    char device[DEVICE_ID_LEN + 1];
    struct err err = {0};
    int64_t generation;

    (void)state;
    assert_int_equal(httpsig_key_id(h.signature_input, device, &generation, &err), 0);
    assert_string_equal(device, DEVICE);
    assert_int_equal(generation, 1);
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), 0);
}

static void test_what_was_signed_binds(void **state)
{
    struct httpsig_headers h = golden();
    struct err err = {0};
    uint8_t other[SHA256_LEN];

    (void)state;
    assert_int_equal(verify("PUT", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_int_equal(verify("POST", "/api/v1/enrol", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_int_equal(verify("POST", "/api/v1/checkin\n", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_int_equal(verify("POST", "", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY " ", &h, &err), -ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.msg, "content-digest"));
    memcpy(other, key(), sizeof other);
    other[31] ^= 1;
    assert_int_equal(httpsig_verify("POST", "/api/v1/checkin", BODY, strlen(BODY), &h, other, &err),
                     -ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.msg, "signature does not fit"));
    /* The parameters are covered too. */
    memcpy(strstr(h.signature_input, "1700000000"), "1700000001", 10);
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
}

static void test_unsigned_requests_say_so(void **state)
{
    struct httpsig_headers h = golden();
    struct err err = {0};

    (void)state;
    h.signature[0] = '\0';
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.msg, "not signed"));
    h = golden();
    h.content_digest[0] = '\0';
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.msg, "not signed"));
    h = golden();
    h.signature_input[0] = '\0';
    assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.msg, "not signed"));
}

#define HEAD "fb=(\"@method\" \"@path\" \"content-digest\");"
#define TAIL ";keyid=\"" DEVICE ":1\";alg=\"hmac-sha256\""

static void test_signature_input_is_read_strictly(void **state)
{
    static const char *const bad[] = {
        NULL,
        "",
        "fb",
        "sig1=(\"@method\" \"@path\" \"content-digest\");created=1700000000" TAIL,
        "fb=(\"@method\" \"@path\");created=1700000000" TAIL,
        "fb=(\"@path\" \"@method\" \"content-digest\");created=1700000000" TAIL,
        "fb=(\"@method\"  \"@path\" \"content-digest\");created=1700000000" TAIL,
        " " HEAD "created=1700000000" TAIL,
        HEAD "created=1700000000" TAIL " ",
        HEAD "created=1700000000" TAIL ", x=()",
        HEAD "created=01700000000" TAIL,
        HEAD "created=-1" TAIL,
        HEAD "created=+1" TAIL,
        HEAD "created=" TAIL,
        HEAD "created=1234567890123456" TAIL,
        HEAD "created=1.5" TAIL,
        HEAD "keyid=\"" DEVICE ":1\";created=1;alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"" DEVICE ":1\"",
        HEAD "created=1;keyid=\"" DEVICE ":1\";alg=\"hmac-sha512\"",
        HEAD "created=1;keyid=\"" DEVICE "\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"" DEVICE ":\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"" DEVICE ":x\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"" DEVICE "0:1\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"00112233445566778899AABBCCDDEEFF:1\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"0011:1\";alg=\"hmac-sha256\"",
        HEAD "created=1;keyid=\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char device[DEVICE_ID_LEN + 1] = "untouched";
        int64_t generation = -7;
        struct err err = {0};

        if (httpsig_key_id(bad[i], device, &generation, &err) != -ERR_BAD_SIGNATURE)
            fail_msg("taken: %s", bad[i] ? bad[i] : "(null)");
        assert_string_equal(device, "untouched");
        assert_int_equal(generation, -7);
    }
}

static void test_other_spellings_of_the_signature_fail(void **state)
{
    static const char *const bad[] = {
        "D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYo=",
        "fb=:D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYo:",
        "fb=:D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYp=:",
        "fb=:D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYo=:, fb=::",
        "sig=:D+2fZRNi5AbZwtUZ8DDfbLwTmJav5WTzQXNw+TVtFYo=:",
        "fb=::",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct httpsig_headers h = golden();
        struct err err = {0};

        snprintf(h.signature, sizeof h.signature, "%s", bad[i]);
        assert_int_equal(verify("POST", "/api/v1/checkin", BODY, &h, &err), -ERR_BAD_SIGNATURE);
    }
}

static void test_a_wrong_clock_does_not_stop_signing(void **state)
{
    struct httpsig_headers h;
    struct err err = {0};

    (void)state;
    assert_int_equal(httpsig_sign("POST", "/api/v1/checkin", "", 0, DEVICE, 3, key(), -5, &h, &err),
                     0);
    assert_int_equal(httpsig_verify("POST", "/api/v1/checkin", "", 0, &h, key(), &err), 0);
    assert_int_equal(
        httpsig_sign("POST", "/api/v1/checkin", "", 0, "nobody", 3, key(), 5, &h, &err),
        -ERR_INVALID);
    assert_int_equal(httpsig_sign("POST", "no slash", "", 0, DEVICE, 3, key(), 5, &h, &err),
                     -ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_matches_golden_vector),
        cmocka_unit_test(test_golden_vector_verifies),
        cmocka_unit_test(test_what_was_signed_binds),
        cmocka_unit_test(test_unsigned_requests_say_so),
        cmocka_unit_test(test_signature_input_is_read_strictly),
        cmocka_unit_test(test_other_spellings_of_the_signature_fail),
        cmocka_unit_test(test_a_wrong_clock_does_not_stop_signing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
