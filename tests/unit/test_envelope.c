/* envelope: threshold, tampering, duplicate ids, one key under two ids, foreign signatures. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tuf/envelope.h"

#define N_SIGNERS 3

static char dir[] = "/tmp/fb-envelope-XXXXXX";
static struct signer *signers[N_SIGNERS];

static struct key *public_of(const struct signer *s, const char *id)
{
    json_auto_t *o = key_to_json(signer_key(s));
    struct err err = {0};
    struct key *k = NULL;

    assert_int_equal(key_from_json_as(o, id, &k, &err), 0);
    return k;
}

/* The first n signers' keys. */
static struct key_set set_of(size_t n, int threshold)
{
    struct key_set set = {.keys = calloc(n, sizeof(struct key *)), .threshold = threshold};

    for (size_t i = 0; i < n; i++)
        set.keys[set.n_keys++] = public_of(signers[i], NULL);
    return set;
}

static json_t *signed_by(size_t n)
{
    json_auto_t *body = json_pack("{s:s,s:i}", "_type", "x", "version", 7);
    json_t *e = envelope_new(body);
    struct err err = {0};

    for (size_t i = 0; i < n; i++)
        assert_int_equal(envelope_sign(e, signers[i], &err), 0);
    return e;
}

static void add_raw(json_t *e, const char *keyid, const char *sig)
{
    json_array_append_new(json_object_get(e, "signatures"),
                          json_pack("{s:s,s:s}", "keyid", keyid, "sig", sig));
}

static void test_threshold(void **state)
{
    (void)state;
    for (size_t n = 0; n <= N_SIGNERS; n++) {
        struct key_set set = set_of(N_SIGNERS, 2);
        json_auto_t *e = signed_by(n);
        struct err err = {0};
        int r = envelope_verify(e, &set, "file", &err);

        assert_int_equal(r, n < 2 ? -ERR_UNDERSIGNED : 0);
        key_set_release(&set);
    }
}

static void test_tamper_and_resign(void **state)
{
    struct key_set set = set_of(1, 1);
    json_auto_t *e = signed_by(1);
    struct err err = {0};

    (void)state;
    json_object_set_new(json_object_get(e, "signed"), "version", json_integer(8));
    assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_UNDERSIGNED);
    assert_int_equal(envelope_sign(e, signers[0], &err), 0);
    assert_int_equal(json_array_size(json_object_get(e, "signatures")), 1);
    assert_int_equal(envelope_verify(e, &set, "file", &err), 0);
    json_object_set_new(json_object_get(e, "signed"), "real", json_real(0.5));
    assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_INVALID);
    key_set_release(&set);
}

static void test_extra_signatures_are_tolerated(void **state)
{
    struct key_set set = set_of(2, 1);
    json_auto_t *e = signed_by(1);
    struct err err = {0};

    (void)state;
    add_raw(e, key_id(signer_key(signers[1])), "");
    add_raw(e, "unknown", "abcd");
    add_raw(e, key_id(signer_key(signers[2])), "not hex");
    assert_int_equal(envelope_verify(e, &set, "file", &err), 0);
    set.threshold = 2;
    assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_UNDERSIGNED);
    key_set_release(&set);
}

static void test_duplicate_key_id_refuses(void **state)
{
    struct key_set set = set_of(1, 1);
    json_auto_t *e = signed_by(1);
    struct err err = {0};

    (void)state;
    add_raw(e, key_id(signer_key(signers[0])), "");
    assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_UNTRUSTED);
    key_set_release(&set);
}

static void test_one_key_under_two_ids_counts_once(void **state)
{
    struct key_set set = {.keys = calloc(2, sizeof(struct key *)), .n_keys = 2, .threshold = 2};
    json_auto_t *e = signed_by(1);
    const char *sig = json_string_value(
        json_object_get(json_array_get(json_object_get(e, "signatures"), 0), "sig"));
    struct err err = {0};

    (void)state;
    set.keys[0] = public_of(signers[0], NULL);
    set.keys[1] = public_of(signers[0], "alias");
    add_raw(e, "alias", sig);
    assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_UNDERSIGNED);
    set.threshold = 1;
    assert_int_equal(envelope_verify(e, &set, "file", &err), 0);
    key_set_release(&set);
}

static void test_shapes(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"signed\":{}}",
        "{\"signatures\":[]}",
        "{\"signed\":[],\"signatures\":[]}",
        "{\"signed\":{},\"signatures\":[1]}",
        "{\"signed\":{},\"signatures\":[{\"keyid\":\"a\"}]}",
    };
    struct key_set set = set_of(1, 1);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_auto_t *e = json_loads(rows[i], 0, NULL);
        struct err err = {0};

        assert_non_null(e);
        assert_int_equal(envelope_verify(e, &set, "file", &err), -ERR_INVALID);
    }
    key_set_release(&set);
}

static void test_dump_parses_back(void **state)
{
    struct key_set set = set_of(2, 2);
    json_auto_t *e = signed_by(2);
    struct err err = {0};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(envelope_dump(e, &b, &err), 0);
    json_auto_t *again = json_loadb(b.data, b.len, 0, NULL);
    assert_int_equal(envelope_verify(again, &set, "file", &err), 0);
    buf_release(&b);
    buf_init(&b, 16);
    assert_int_equal(envelope_dump(e, &b, &err), -ERR_TOO_LARGE);
    buf_release(&b);
    key_set_release(&set);
}

static int make_signers(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    for (int i = 0; i < N_SIGNERS; i++) {
        char path[64];

        snprintf(path, sizeof path, "%s/%d.pem", dir, i);
        if (key_generate(i % 2 ? "ecdsa" : "ed25519", path, NULL, NULL, NULL) < 0 ||
            signer_open(path, NULL, &signers[i], NULL) < 0)
            return -1;
    }
    return 0;
}

static int remove_signers(void **state)
{
    (void)state;
    for (int i = 0; i < N_SIGNERS; i++)
        signer_free(signers[i]);
    return file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_tamper_and_resign),
        cmocka_unit_test(test_extra_signatures_are_tolerated),
        cmocka_unit_test(test_duplicate_key_id_refuses),
        cmocka_unit_test(test_one_key_under_two_ids_counts_once),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_dump_parses_back),
    };

    return cmocka_run_group_tests(tests, make_signers, remove_signers);
}
