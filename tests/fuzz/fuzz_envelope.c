/* fuzz_envelope: nothing counts as signed that is not, and what was signed counts once. The input
 * is taken as an envelope, and as a body to be signed. */
#include "fuzz.h"

#include <string.h>

#include "base/jsonx.h"
#include "fuzz_signer.h"

#define CAP_BYTES 65536

/* The public keys of both signers; the second under the first one's key too, where `aliased`. */
static struct key_set key_set(int aliased, int threshold)
{
    struct key_set set = {.keys = calloc(FUZZ_SIGNERS, sizeof *set.keys),
                          .n_keys = FUZZ_SIGNERS,
                          .threshold = threshold};
    struct err err = {0};

    FUZZ_CHECK(set.keys);
    for (size_t i = 0; i < FUZZ_SIGNERS; i++) {
        json_auto_t *o = key_to_json(signer_key(fuzz_signer(aliased ? 0 : i)));

        FUZZ_CHECK(key_from_json_as(o, aliased && i ? "alias" : NULL, &set.keys[i], &err) == 0);
    }
    return set;
}

static int verify(const json_t *e, int aliased, int threshold)
{
    struct key_set set = key_set(aliased, threshold);
    struct err err = {0};
    int r = envelope_verify(e, &set, "file", &err), valid = 0;

    if (fuzz_ok(r, &err)) {
        for (size_t i = 0; i < (aliased ? 1 : set.n_keys); i++)
            valid += fuzz_is_signed_by(e, set.keys[i]);
        FUZZ_CHECK(valid >= threshold);
    }
    key_set_release(&set);
    return r;
}

static void check_given(const json_t *e)
{
    int one = verify(e, 0, 1), two = verify(e, 0, 2);

    FUZZ_CHECK(two < 0 || one == 0);
    if (one == 0) {
        json_auto_t *bare = fuzz_unsigned(e);
        json_auto_t *altered = json_deep_copy(e);
        json_t *body = json_object_get(altered, "signed");

        FUZZ_CHECK(verify(bare, 0, 1) == -ERR_UNDERSIGNED);
        json_object_set_new(body, "fuzz", json_integer(json_object_size(body)));
        FUZZ_CHECK(json_equal(altered, e) || verify(altered, 0, 1) == -ERR_UNDERSIGNED);
    }
}

/* As published: dumped, and read by another. */
static void check_published(const json_t *e)
{
    json_auto_t *again = NULL;
    struct err err = {0};
    struct buf b;

    buf_init(&b, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(envelope_dump(e, &b, &err), &err));
    again = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(again && verify(again, 0, 2) == 0);
    buf_release(&b);
}

static void check_signed(json_t *body)
{
    json_auto_t *e = envelope_new(body);
    struct err err = {0};

    FUZZ_CHECK(e && verify(e, 0, 1) < 0);
    if (!fuzz_ok(envelope_sign(e, fuzz_signer(0), &err), &err))
        return;
    FUZZ_CHECK(envelope_sign(e, fuzz_signer(0), &err) == 0);
    FUZZ_CHECK(json_array_size(json_object_get(e, "signatures")) == 1);
    FUZZ_CHECK(verify(e, 0, 1) == 0 && verify(e, 0, 2) == -ERR_UNDERSIGNED);
    /* One key under two ids is one signer. */
    json_array_append_new(
        json_object_get(e, "signatures"),
        json_pack("{s:s,s:O}", "keyid", "alias", "sig",
                  json_object_get(json_array_get(json_object_get(e, "signatures"), 0), "sig")));
    FUZZ_CHECK(verify(e, 1, 1) == 0 && verify(e, 1, 2) == -ERR_UNDERSIGNED);
    FUZZ_CHECK(envelope_sign(e, fuzz_signer(1), &err) == 0);
    check_published(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_auto_t *v = NULL;
    struct err err = {0};

    if (jsonx_parse((const char *)data, len, CAP_BYTES, &v, &err) < 0)
        return 0;
    check_given(v);
    if (json_is_object(v))
        check_signed(v);
    return 0;
}
