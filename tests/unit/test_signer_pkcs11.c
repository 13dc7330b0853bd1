/* signer_pkcs11: keys on SoftHSM's token through OpenSSL's engine, and everything that can be wrong
 * with a token told as what it is. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tuf/signer_pkcs11.h"

#define MODULE "?module-path=/usr/lib/softhsm/libsofthsm2.so"
#define FAULTY "?module-path=" FAULTY_TOKEN

static char dir[] = "/tmp/fb-token-XXXXXX";

static void must_run(const char *fmt, const char *a, const char *b)
{
    char command[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(command, sizeof command, fmt, a, b);
#pragma GCC diagnostic pop
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* A key pair of this type, on the token under the name of its type; its public half. */
static struct key *import(const char *token, const char *type)
{
    char path[128], command[512];
    struct err err = {0};
    struct key *key = NULL;

    snprintf(path, sizeof path, "%s/%s-%s.pem", dir, token, type);
    if (key_generate(type, path, NULL, &key, &err) < 0)
        fail_msg("%s", err.msg);
    snprintf(command, sizeof command,
             "softhsm2-util --import %s --token %s --label %s --id %02x --pin 1234 >/dev/null",
             path, token, type, (unsigned)strlen(type));
    must_run("%s%s", command, "");
    return key;
}

static struct key *keys[3];
static const char *const types[] = {"ecdsa", "ecdsa-p384", "rsa"};

static int make_tokens(void **state)
{
    char conf[128], text[256];
    struct err err = {0};

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(conf, sizeof conf, "%s/tokens", dir);
    if (mkdir(conf, 0700) < 0)
        return -1;
    snprintf(text, sizeof text, "directories.tokendir = %s/tokens\nlog.level = ERROR\n", dir);
    snprintf(conf, sizeof conf, "%s/softhsm.conf", dir);
    if (file_write_durable(conf, text, strlen(text), 0600, &err) < 0)
        return -1;
    setenv("SOFTHSM2_CONF", conf, 1);
    must_run("softhsm2-util --init-token --free --label %s --pin 1234 --so-pin 5678 >/dev/null%s",
             "fb", "");
    must_run("softhsm2-util --init-token --free --label %s --pin 1234 --so-pin 5678 >/dev/null%s",
             "mixed", "");
    for (size_t i = 0; i < 3; i++)
        keys[i] = import("fb", types[i]);
    key_free(import("mixed", "ecdsa"));
    key_free(import("mixed", "ed25519"));
    return 0;
}

static int remove_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        key_free(keys[i]);
    return file_remove_tree(dir, NULL);
}

static void test_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(signer_free_p)
        struct signer *s = NULL;
        char ref[256], hex[KEY_SIG_MAX + 1];
        struct err err = {0};

        snprintf(ref, sizeof ref, "pkcs11:token=fb;object=%s" MODULE, types[i]);
        if (signer_open(ref, "1234", &s, &err) < 0)
            fail_msg("%s", err.msg);
        assert_string_equal(key_id(signer_key(s)), key_id(keys[i]));
        if (signer_sign(s, "data", 4, hex, &err) < 0)
            fail_msg("%s", err.msg);
        assert_true(key_verify(keys[i], "data", 4, hex));
        assert_false(key_verify(keys[i], "dat", 3, hex));
    }
}

static void test_named_by_id(void **state)
{
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(signer_open("pkcs11:token=fb;id=%05;type=private" MODULE, "1234", &s, &err),
                     0);
    assert_string_equal(key_id(signer_key(s)), key_id(keys[0]));
}

static void test_refusals(void **state)
{
    static const struct {
        const char *ref, *pin;
        int want;
        const char *says, *remedy;
    } rows[] = {
        {"pkcs11:token=fb;object=ecdsa" MODULE, "9999", -ERR_REFUSED, "wrong PIN",
         "--passphrase-file"},
        {"pkcs11:token=fb;object=ecdsa" MODULE, NULL, -ERR_REFUSED, "asks for its PIN",
         "--passphrase-file"},
        {"pkcs11:token=none;object=ecdsa" MODULE, "1234", -ERR_NOT_FOUND, "no such token",
         "plug it in"},
        {"pkcs11:token=fb;object=none" MODULE, "1234", -ERR_NOT_FOUND, "no such private key",
         "object="},
        {"pkcs11:token=mixed;object=ed25519" MODULE, "1234", -ERR_REFUSED, "Ed25519", "P-256"},
        {"pkcs11:token=mixed;object=ecdsa" MODULE, "1234", -ERR_REFUSED, "Ed25519", "P-256"},
        {"pkcs11:token=fb;object=ecdsa?module-path=/nonexistent.so", "1234", -ERR_NOT_FOUND,
         "module cannot be loaded", "module-path"},
        {"pkcs11:token=fb;object=ecdsa?module-path=/usr/bin/env", "1234", -ERR_NOT_FOUND,
         "module cannot be loaded", "module-path"},
        {"pkcs11:token=fb;object=ecdsa?pin-value=1234", NULL, -ERR_REFUSED, "pin-value",
         "--passphrase-file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct signer *s = NULL;
        struct err err = {0};

        if (signer_open(rows[i].ref, rows[i].pin, &s, &err) != rows[i].want ||
            !strstr(err.msg, rows[i].says) || !strstr(err.remedy, rows[i].remedy) || s)
            fail_msg("%s: %s (%s)", rows[i].ref, err.msg, err.remedy);
        assert_null(strstr(err.msg, "1234"));
    }
}

static void test_no_engine(void **state)
{
    struct signer *s = NULL;
    struct err err = {0};

    (void)state;
    setenv("OPENSSL_ENGINES", dir, 1);
    assert_int_equal(signer_open("pkcs11:token=fb;object=ecdsa" MODULE, "1234", &s, &err),
                     -ERR_NOT_FOUND);
    unsetenv("OPENSSL_ENGINES");
    assert_non_null(strstr(err.msg, "engine"));
    assert_non_null(strstr(err.remedy, "libengine-pkcs11-openssl"));
}

/* One question to the faulty module; how often it was asked to log in. */
static int ask_faulty(const char *fault, const char *pin, int64_t deadline_ms, int want,
                      struct err *err)
{
    struct token_uri token;
    struct token_job job = {.token = &token, .pin = pin};
    char calls[128];
    struct stat st = {0};
    struct buf text;

    snprintf(calls, sizeof calls, "%s/calls", dir);
    unlink(calls);
    setenv("FAULTY_TOKEN_CALLS", calls, 1);
    if (fault)
        setenv("FAULTY_TOKEN", fault, 1);
    buf_init(&text, 8192);
    assert_int_equal(token_uri_parse("token=fb;object=ecdsa" FAULTY, &token, err), 0);
    if (signer_pkcs11_ask(&job, deadline_ms, &text, err) != want)
        fail_msg("%s: %s", fault ? fault : "none", err->msg);
    buf_release(&text);
    unsetenv("FAULTY_TOKEN");
    unsetenv("FAULTY_TOKEN_CALLS");
    return stat(calls, &st) == 0 ? (int)st.st_size : 0;
}

static void test_faulty_modules(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(ask_faulty(NULL, "1234", 30000, 0, &err), 1);
    assert_int_equal(ask_faulty("locked", "1234", 30000, -ERR_REFUSED, &err), 1);
    assert_non_null(strstr(err.msg, "locked"));
    assert_non_null(strstr(err.remedy, "security officer"));
    ask_faulty("crash", "1234", 30000, -ERR_REFUSED, &err);
    assert_non_null(strstr(err.msg, "killed by signal 11"));
    ask_faulty("hang", "1234", 300, -ERR_TIMEOUT, &err);
    assert_non_null(strstr(err.msg, "did not finish in time"));
}

/* A token locks itself after a few wrong PINs, so that one is never tried twice. */
static void test_a_wrong_pin_is_tried_once(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(ask_faulty(NULL, "9999", 30000, -ERR_REFUSED, &err), 1);
    assert_int_equal(ask_faulty(NULL, NULL, 30000, -ERR_REFUSED, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),          cmocka_unit_test(test_named_by_id),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_no_engine),
        cmocka_unit_test(test_faulty_modules), cmocka_unit_test(test_a_wrong_pin_is_tried_once),
    };

    return cmocka_run_group_tests(tests, make_tokens, remove_tokens);
}
