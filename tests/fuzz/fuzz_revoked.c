/* fuzz_revoked: revocations in content metadata. What is read is exactly what stands there, sorted
 * and once each, and comes back the same from what is written. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "revoked.h"

/* How often the digest stands in the lists, the naive way. */
static int stands_there(const struct metadata *m, const char *digest)
{
    json_t *targets = json_object_get(m->body, "targets"), *target, *o;
    const char *path;
    int n = 0;
    size_t i;

    json_object_foreach (targets, path, target)
        json_array_foreach (json_object_get(json_object_get(target, "custom"), "revoked"), i, o) {
            const char *text = json_string_value(json_object_get(o, "digest"));

            n += text && !strcmp(text, digest);
        }
    return n;
}

static int has_entries(const struct metadata *m)
{
    json_t *targets = json_object_get(m->body, "targets"), *target;
    const char *path;

    json_object_foreach (targets, path, target)
        if (json_array_size(json_object_get(json_object_get(target, "custom"), "revoked")))
            return 1;
    return 0;
}

static void check(const struct metadata *m, const struct revoked *r)
{
    FUZZ_CHECK(r->n <= REVOKED_MAX && (r->n > 0) == has_entries(m));
    for (size_t i = 0; i < r->n; i++) {
        const struct revoked_item *item = &r->items[i];

        FUZZ_CHECK(hex_is(item->digest, SHA256_HEX_LEN) && item->sequence >= 0);
        FUZZ_CHECK(i == 0 || strcmp(r->items[i - 1].digest, item->digest) < 0);
        FUZZ_CHECK(stands_there(m, item->digest));
        FUZZ_CHECK(revoked_reason(r, item->digest) == item->reason);
        for (const char *s = item->reason; *s; s++)
            FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
    }
}

/* As one target's custom part, read again. */
static void check_again(const struct metadata *m, const struct revoked *r, struct revoked *again)
{
    json_auto_t *body = json_copy(m->body), *list = NULL, *envelope = NULL;
    struct metadata *other = NULL;
    struct err err = {0};
    struct buf text;

    FUZZ_CHECK(revoked_to_json(r, &list, &err) == 0);
    json_object_set_new(body, "targets",
                        json_pack("{s:{s:i, s:{}, s:{s:O}}}", "x", "length", 0, "hashes", "custom",
                                  "revoked", list));
    envelope = envelope_new(body);
    buf_init(&text, FUZZ_TEXT_MAX);
    FUZZ_CHECK(envelope_dump(envelope, &text, &err) == 0);
    FUZZ_CHECK(metadata_parse(text.data, text.len, TUF_TARGETS, "again", &other, &err) == 0);
    FUZZ_CHECK(revoked_read(other, again, &err) == 0);
    FUZZ_CHECK(again->n == r->n);
    for (size_t i = 0; i < r->n; i++) {
        fuzz_same(again->items[i].digest, r->items[i].digest);
        fuzz_same(again->items[i].reason, r->items[i].reason);
        FUZZ_CHECK(again->items[i].sequence == r->items[i].sequence);
    }
    metadata_free(other);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct revoked *r = calloc(2, sizeof *r); /* too large for the stack */
    struct metadata *m = NULL;
    struct err err = {0};

    FUZZ_CHECK(r);
    if (metadata_parse((const char *)data, len, TUF_TARGETS, "file", &m, &err) == 0 &&
        fuzz_ok(revoked_read(m, r, &err), &err)) {
        check(m, r);
        check_again(m, r, r + 1);
    }
    metadata_free(m);
    free(r);
    return 0;
}
