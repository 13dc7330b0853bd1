/*
 * fuzz_permit: no permit is taken that the permit key did not sign for this question, in this boot,
 * in time. The input is taken as an envelope, and its "signed" (or all of it) as a body to be
 * signed by the right key.
 */
#include "fuzz.h"

#include <string.h>

#include "base/jsonx.h"
#include "fuzz_signer.h"
#include "permit.h"

#define CAP_BYTES 65536
#define BOOT      "f3b1a7c2-0001-4c4e-9d5b-0a0b0c0d0e0f"
#define MADE      1000000 /* boot clock, ms */

/* What schema/json/examples/permit.json answers. */
static const struct permit_request asked = {
    .device = "00112233445566778899aabbccddeeff",
    .channel = "crs",
    .digest = "1a55cc0686c775fbbda7186abbd017087665716fc9e228f56b26837f74e4fb12",
    .nonce = "0123456789abcdef0123456789abcdef",
    .snapshot_version = 7,
    .boot_id = BOOT,
    .made_boot_ms = MADE,
};

static int check(const json_t *e, const struct permit_request *rq, const char *boot_id,
                 int64_t now_ms, struct permit *ret)
{
    struct key *k = (struct key *)signer_key(fuzz_signer(0)); /* borrowed by the set */
    const struct key_set set = {.keys = &k, .n_keys = 1, .threshold = 1};
    struct permit untouched = *ret;
    struct err err = {0};
    int r = permit_check(e, &set, rq, boot_id, now_ms, ret, &err);

    if (fuzz_ok(r, &err))
        FUZZ_CHECK(fuzz_is_signed_by(e, k));
    else
        FUZZ_CHECK(memcmp(&untouched, ret, sizeof untouched) == 0);
    return r;
}

static void check_binding(const json_t *e, const struct permit *p)
{
    struct permit_request other[5] = {asked, asked, asked, asked, asked};
    struct permit ignored = {0};

    FUZZ_CHECK(!strcmp(p->device, asked.device) && !strcmp(p->channel, asked.channel) &&
               !strcmp(p->digest, asked.digest) && !strcmp(p->nonce, asked.nonce) &&
               p->snapshot_version == asked.snapshot_version);
    other[0].device[0] ^= 1;
    other[1].channel[0] ^= 1;
    other[2].digest[0] ^= 1;
    other[3].nonce[0] ^= 1;
    other[4].snapshot_version++;
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        FUZZ_CHECK(check(e, &other[i], BOOT, MADE, &ignored) == -ERR_BAD_PERMIT);
}

static void check_life(const json_t *e, const struct permit *p)
{
    struct permit ignored = {0};
    int64_t end = MADE + p->valid_s * 1000;

    FUZZ_CHECK(check(e, &asked, BOOT, end - 1, &ignored) == 0);
    FUZZ_CHECK(check(e, &asked, BOOT, end, &ignored) == -ERR_BAD_PERMIT);
    FUZZ_CHECK(check(e, &asked, BOOT, MADE - 1, &ignored) == -ERR_BAD_PERMIT);
    FUZZ_CHECK(check(e, &asked, "another", MADE, &ignored) == -ERR_BAD_PERMIT);
    FUZZ_CHECK(check(e, &asked, "", MADE, &ignored) == -ERR_BAD_PERMIT);
}

static void check_envelope(const json_t *e)
{
    struct permit p = {0}, ignored = {0};
    json_auto_t *again = NULL;
    struct err err = {0};

    if (check(e, &asked, BOOT, MADE, &p) < 0)
        return;
    check_binding(e, &p);
    check_life(e, &p);
    json_auto_t *bare = fuzz_unsigned(e);
    FUZZ_CHECK(check(bare, &asked, BOOT, MADE, &ignored) == -ERR_UNDERSIGNED);
    FUZZ_CHECK(permit_sign(&p, fuzz_signer(0), &again, &err) == 0);
    FUZZ_CHECK(check(again, &asked, BOOT, MADE, &ignored) == 0);
    FUZZ_CHECK(ignored.kind == p.kind && ignored.valid_s == p.valid_s &&
               ignored.server_time == p.server_time);
}

static void check_signed(json_t *body)
{
    json_auto_t *ours = envelope_new(body);
    json_auto_t *foreign = envelope_new(body);
    struct permit ignored = {0};
    struct err err = {0};

    if (!fuzz_ok(envelope_sign(ours, fuzz_signer(0), &err), &err))
        return;
    check_envelope(ours);
    FUZZ_CHECK(envelope_sign(foreign, fuzz_signer(1), &err) == 0);
    FUZZ_CHECK(check(foreign, &asked, BOOT, MADE, &ignored) == -ERR_UNDERSIGNED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_auto_t *v = NULL;
    struct err err = {0};
    json_t *body;

    if (jsonx_parse((const char *)data, len, CAP_BYTES, &v, &err) < 0)
        return 0;
    check_envelope(v);
    body = json_object_get(v, "signed");
    if (json_is_object(body) || json_is_object(v))
        check_signed(json_is_object(body) ? body : v);
    return 0;
}
