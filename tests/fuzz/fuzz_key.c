/* fuzz_key: a TUF key object, and a signature "sig" of "data" beside it. A key that is let in is
 * what was written, means the same after it was written again, and signs for one text only. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "tuf/key.h"

#define CAP_BYTES 65536

static const char *member(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

/* Nothing but what the object says; one public key has one id. */
static void check_again(const json_t *o, const struct key *k)
{
    json_auto_t *written = key_to_json(k);
    struct err err = {0};
    struct key *again = NULL, *named = NULL;

    FUZZ_CHECK(written && hex_is(key_id(k), KEY_ID_LEN));
    FUZZ_CHECK(!strcmp(member(written, "keytype"), member(o, "keytype")));
    FUZZ_CHECK(!strcmp(member(written, "scheme"), member(o, "scheme")));
    FUZZ_CHECK(!strcmp(member(json_object_get(written, "keyval"), "public"),
                       member(json_object_get(o, "keyval"), "public")));
    FUZZ_CHECK(key_from_json(written, &again, &err) == 0);
    FUZZ_CHECK(key_from_json_as(written, "other", &named, &err) == 0);
    FUZZ_CHECK(key_same(k, again) && key_same(k, named));
    FUZZ_CHECK(!strcmp(key_id(k), key_id(again)) && !strcmp(key_id(named), "other"));
    key_free(again);
    key_free(named);
}

static void check_signature(const json_t *o, const struct key *k)
{
    const char *sig = member(o, "sig"), *data = member(o, "data");
    size_t len = strlen(data);

    if (!key_verify(k, data, len, sig))
        return;
    FUZZ_CHECK(strlen(sig) <= KEY_SIG_MAX && strlen(sig) % 2 == 0);
    FUZZ_CHECK(!key_verify(k, data, len + 1, sig)); /* the NUL, too */
    FUZZ_CHECK(len == 0 || !key_verify(k, data, len - 1, sig));
    FUZZ_CHECK(!key_verify(k, data, len, sig + 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *o = NULL;
    struct err err = {0};
    struct key *k = NULL;

    if (!fuzz_ok(jsonx_parse((const char *)data, len, CAP_BYTES, &o, &err), &err))
        return 0;
    if (fuzz_ok(key_from_json(o, &k, &err), &err)) {
        check_again(o, k);
        check_signature(o, k);
    }
    key_free(k);
    json_decref(o);
    return 0;
}
