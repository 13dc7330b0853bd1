/* token_uri: what names a key on a token, and what is refused before any token is asked. */
#include "cmocka_all.h"

#include <string.h>

#include "tuf/token_uri.h"

static void test_good(void **state)
{
    static const struct {
        const char *rest, *uri, *module;
    } rows[] = {
        {"token=fb;object=k", "pkcs11:token=fb;object=k", ""},
        {"object=k;serial=01;type=private", "pkcs11:object=k;serial=01;type=private", ""},
        {"token=a%20b;id=%01;model=m;manufacturer=n?module-path=/usr/lib/a%2ab.so",
         "pkcs11:token=a%20b;id=%01;model=m;manufacturer=n", "/usr/lib/a*b.so"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct token_uri u = {0};
        struct err err = {0};

        assert_int_equal(token_uri_parse(rows[i].rest, &u, &err), 0);
        assert_string_equal(u.uri, rows[i].uri);
        assert_string_equal(u.module, rows[i].module);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *rest;
        int want;
        const char *part;
    } rows[] = {
        {"", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb", -ERR_USAGE, "both a token and a key"},
        {"object=k", -ERR_USAGE, "both a token and a key"},
        {"token=fb;object=", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb;;object=k", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb;object=k;", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb;object=k?", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb;object", -ERR_USAGE, "not NAME=VALUE"},
        {"token=fb;token=fc;object=k", -ERR_USAGE, "'token' twice"},
        {"token=fb;object=k;colour=red", -ERR_USAGE, "'colour'"},
        {"token=fb;object=k;type=public", -ERR_USAGE, "not 'private'"},
        {"token=fb;object=k;module-path=/x.so", -ERR_USAGE, "'module-path'"},
        {"token=fb?object=k", -ERR_USAGE, "'object'"},
        {"token=fb;object=k?module-path=x.so", -ERR_USAGE, "absolute"},
        {"token=fb;object=k?module-path=/x%0", -ERR_USAGE, "absolute"},
        {"token=fb;object=k?module-path=/x%00y", -ERR_USAGE, "absolute"},
        {"token=fb;object=k?module-path=/x%zz", -ERR_USAGE, "absolute"},
        {"token=fb;object=a b", -ERR_USAGE, "%XX"},
        {"token=f\xc3\xa4;object=k", -ERR_USAGE, "%XX"},
        {"token=fb;object=k?pin-value=secret", -ERR_REFUSED, "'pin-value'"},
        {"token=fb;object=k;pin-value=secret", -ERR_REFUSED, "'pin-value'"},
        {"token=fb;object=k?pin-source=file:/secret", -ERR_REFUSED, "'pin-source'"},
        {"PIN-VALUE=secret;token=fb;object=k", -ERR_USAGE, "'PIN-VALUE'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct token_uri u = {.uri = "untouched"};
        struct err err = {0};

        if (token_uri_parse(rows[i].rest, &u, &err) != rows[i].want ||
            !strstr(err.msg, rows[i].part))
            fail_msg("'%s': %s", rows[i].rest, err.msg);
        assert_null(strstr(err.msg, "secret"));
        assert_string_not_equal(err.remedy, "");
        assert_string_equal(u.uri, "untouched");
    }
}

static void test_long(void **state)
{
    char rest[2 * TOKEN_URI_MAX] = "token=fb;object=";
    struct token_uri u;
    struct err err = {0};

    (void)state;
    memset(rest + strlen(rest), 'k', TOKEN_URI_MAX);
    assert_int_equal(token_uri_parse(rest, &u, &err), -ERR_USAGE);
    assert_non_null(strstr(err.msg, "too long"));
    rest[TOKEN_URI_MAX - 1 - strlen("pkcs11:")] = '\0';
    assert_int_equal(token_uri_parse(rest, &u, &err), 0);
    assert_int_equal(strlen(u.uri), TOKEN_URI_MAX - 1);
    rest[TOKEN_URI_MAX - 1 - strlen("pkcs11:")] = 'k';
    rest[TOKEN_URI_MAX - strlen("pkcs11:")] = '\0';
    assert_int_equal(token_uri_parse(rest, &u, &err), -ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
