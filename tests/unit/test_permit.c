/* permit: bound to what was asked, in the boot in which it was asked, for as long as it says. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "permit.h"

#define DEVICE "00112233445566778899aabbccddeeff"
#define DIGEST "65873e8edacdf13220544036728e115798a13623da29754aceee0a406215afee"
#define OTHER  "d988a4a21cfacb44cfc0076290c6cc50473d4928d5caabed4fa2cd1c5ddfd0c3"
#define NONCE  "0123456789abcdef0123456789abcdef"
#define BOOT   "f3b1a7c2-0001-4c4e-9d5b-0a0b0c0d0e0f"
#define MADE   1000000 /* boot clock, ms */

static const struct permit golden = {
    .kind = PERMIT_ROLLOUT,
    .device = DEVICE,
    .channel = "crs",
    .digest = DIGEST,
    .nonce = NONCE,
    .snapshot_version = 7,
    .server_time = 1700000000,
    .valid_s = 90,
};

static const struct permit_request asked = {
    .device = DEVICE,
    .channel = "crs",
    .digest = DIGEST,
    .nonce = NONCE,
    .snapshot_version = 7,
    .boot_id = BOOT,
    .made_boot_ms = MADE,
};

/* Two signers, the first of which the plan names. */
struct keys {
    char dir[32];
    struct signer *ours, *foreign;
    struct key *pub;
    struct key_set set;
};

static void make_signer(const char *dir, const char *name, struct signer **ret)
{
    struct err err = {0};
    _cleanup_(free_p)
    char *path = path_join(dir, name);

    if (key_generate("ed25519", path, NULL, NULL, &err) < 0 ||
        signer_open(path, NULL, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static int setup(void **state)
{
    struct keys *k = calloc(1, sizeof *k);

    assert_non_null(k);
    strcpy(k->dir, "/tmp/fb-permit-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    make_signer(k->dir, "ours", &k->ours);
    make_signer(k->dir, "foreign", &k->foreign);
    k->pub = (struct key *)signer_key(k->ours); /* borrowed by the set */
    k->set = (struct key_set){.keys = &k->pub, .n_keys = 1, .threshold = 1};
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct keys *k = *state;
    struct err err = {0};

    signer_free(k->ours);
    signer_free(k->foreign);
    file_remove_tree(k->dir, &err);
    free(k);
    return 0;
}

static json_t *sign(const struct permit *p, const struct signer *signer)
{
    struct err err = {0};
    json_t *e = NULL;

    if (permit_sign(p, signer, &e, &err) < 0)
        fail_msg("%s", err.msg);
    return e;
}

static int check(const struct keys *k, const json_t *e, const char *boot, int64_t now_ms,
                 struct err *err)
{
    struct permit p = {.valid_s = -1};
    int r = permit_check(e, &k->set, &asked, boot, now_ms, &p, err);

    /* A failed check leaves no permit behind. */
    assert_int_equal(p.valid_s, r == 0 ? golden.valid_s : -1);
    return r;
}

static void test_round_trip(void **state)
{
    const struct keys *k = *state;
    json_auto_t *e = sign(&golden, k->ours);
    struct err err = {0};
    struct permit p;

    if (permit_check(e, &k->set, &asked, BOOT, MADE + 1, &p, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(p.kind, PERMIT_ROLLOUT);
    assert_string_equal(p.device, DEVICE);
    assert_string_equal(p.channel, "crs");
    assert_string_equal(p.digest, DIGEST);
    assert_string_equal(p.nonce, NONCE);
    assert_int_equal(p.snapshot_version, 7);
    assert_int_equal(p.server_time, 1700000000);
    assert_int_equal(p.valid_s, 90);
}

static void test_baseline_kind(void **state)
{
    const struct keys *k = *state;
    struct permit given = golden, p;
    struct err err = {0};

    given.kind = PERMIT_BASELINE;
    json_auto_t *e = sign(&given, k->ours);
    assert_int_equal(permit_check(e, &k->set, &asked, BOOT, MADE, &p, &err), 0);
    assert_int_equal(p.kind, PERMIT_BASELINE);
}

static void test_for_another(void **state)
{
    const struct keys *k = *state;
    struct permit p[5] = {golden, golden, golden, golden, golden};
    static const char *const fields[] = {"device", "channel", "digest", "nonce",
                                         "snapshot_version"};

    p[0].device[0] = 'f';
    strcpy(p[1].channel, "crs2");
    strcpy(p[2].digest, OTHER);
    p[3].nonce[31] = '0';
    p[4].snapshot_version = 8;
    for (int i = 0; i < 5; i++) {
        json_auto_t *e = sign(&p[i], k->ours);
        struct err err = {0};

        assert_int_equal(check(k, e, BOOT, MADE, &err), -ERR_BAD_PERMIT);
        if (!strstr(err.msg, fields[i]))
            fail_msg("does not name %s: %s", fields[i], err.msg);
    }
}

static void test_life(void **state)
{
    const struct keys *k = *state;
    json_auto_t *e = sign(&golden, k->ours);
    struct err err = {0};

    assert_int_equal(check(k, e, BOOT, MADE, &err), 0);
    assert_int_equal(check(k, e, BOOT, MADE + 89999, &err), 0);
    assert_int_equal(check(k, e, BOOT, MADE + 90000, &err), -ERR_BAD_PERMIT);
    assert_non_null(strstr(err.msg, "expired"));
    assert_int_equal(check(k, e, BOOT, INT64_MAX, &err), -ERR_BAD_PERMIT);
    assert_int_equal(check(k, e, BOOT, MADE - 1, &err), -ERR_BAD_PERMIT);
    assert_int_equal(check(k, e, "another-boot", MADE + 1, &err), -ERR_BAD_PERMIT);
    assert_non_null(strstr(err.msg, "boot_id"));
    assert_int_equal(check(k, e, "", MADE + 1, &err), -ERR_BAD_PERMIT);
}

static void test_signature(void **state)
{
    struct keys *k = *state;
    json_auto_t *foreign = sign(&golden, k->foreign);
    json_auto_t *bare = sign(&golden, k->ours);
    json_auto_t *altered = sign(&golden, k->ours);
    json_auto_t *good = sign(&golden, k->ours);
    struct key_set none = {0}, lax = k->set;
    struct err err = {0};
    struct permit p;

    json_array_clear(json_object_get(bare, "signatures"));
    json_object_set_new(json_object_get(altered, "signed"), "valid_s", json_integer(86400));
    assert_int_equal(check(k, foreign, BOOT, MADE, &err), -ERR_UNDERSIGNED);
    assert_int_equal(check(k, bare, BOOT, MADE, &err), -ERR_UNDERSIGNED);
    assert_int_equal(check(k, altered, BOOT, MADE, &err), -ERR_UNDERSIGNED);
    assert_int_equal(permit_check(good, &none, &asked, BOOT, MADE, &p, &err), -ERR_UNDERSIGNED);
    lax.threshold = 0;
    assert_int_equal(permit_check(foreign, &lax, &asked, BOOT, MADE, &p, &err), -ERR_UNDERSIGNED);
    assert_true(check(k, NULL, BOOT, MADE, &err) < 0);
}

/* Signed by the right key, and still not a permit. */
static void test_signed_nonsense(void **state)
{
    static const struct {
        const char *key, *json;
    } edits[] = {
        {"_type", "\"firebreak-plan\""},
        {"version", "2"},
        {"version", "\"1\""},
        {"kind", "\"anything\""},
        {"kind", "0"},
        {"device", "null"},
        {"digest", "\"\""},
        {"nonce", "\"0123\""},
        {"snapshot_version", "\"7\""},
        {"snapshot_version", "0"},
        {"valid_s", "0"},
        {"valid_s", "-1"},
        {"valid_s", "86401"},
        {"valid_s", "9223372036854775807"},
        {"server_time", "-1"},
    };
    const struct keys *k = *state;

    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        json_auto_t *good = sign(&golden, k->ours);
        json_t *body = json_object_get(good, "signed");
        struct err err = {0};

        json_object_set_new(body, edits[i].key, json_loads(edits[i].json, JSON_DECODE_ANY, NULL));
        json_auto_t *e = envelope_new(body);
        assert_int_equal(envelope_sign(e, k->ours, &err), 0);
        if (check(k, e, BOOT, MADE, &err) != -ERR_BAD_PERMIT)
            fail_msg("taken: %s = %s", edits[i].key, edits[i].json);
        assert_int_equal(err.code, ERR_BAD_PERMIT);
        json_object_del(body, edits[i].key);
        json_auto_t *without = envelope_new(body);
        assert_int_equal(envelope_sign(without, k->ours, &err), 0);
        assert_int_equal(check(k, without, BOOT, MADE, &err), -ERR_BAD_PERMIT);
    }
}

static void test_nothing_is_signed_that_would_be_refused(void **state)
{
    const struct keys *k = *state;
    struct permit p = golden;
    struct err err = {0};
    json_t *e = NULL;

    p.valid_s = 86401;
    assert_int_equal(permit_sign(&p, k->ours, &e, &err), -ERR_INVALID);
    p = golden;
    strcpy(p.nonce, "short");
    assert_int_equal(permit_sign(&p, k->ours, &e, &err), -ERR_INVALID);
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_baseline_kind),
        cmocka_unit_test(test_for_another),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_signed_nonsense),
        cmocka_unit_test(test_nothing_is_signed_that_would_be_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
