/* fuzz_json: strict JSON and its canonical form. */
#include "fuzz.h"

#include <string.h>

#include "base/jsonx.h"
#include "tuf/canon.h"

#define CAP_BYTES 65536
#define DEPTH_MAX 32 /* what jsonx promises */

static int depth_of(const json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;
    int deepest = 0;

    if (!json_is_object(v) && !json_is_array(v))
        return 0;
    json_object_foreach ((json_t *)v, key, item) {
        int d = depth_of(item);

        deepest = d > deepest ? d : deepest;
    }
    json_array_foreach (v, i, item) {
        int d = depth_of(item);

        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

static int has_real(const json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;

    json_object_foreach ((json_t *)v, key, item)
        if (has_real(item))
            return 1;
    json_array_foreach (v, i, item)
        if (has_real(item))
            return 1;
    return json_is_real(v);
}

/* Canonical form writes controls raw, so only without them is it JSON again. */
static int has_control(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if ((unsigned char)b->data[i] < 0x20)
            return 1;
    return 0;
}

static void check_canonical(const json_t *v)
{
    struct buf first, second;
    struct err err = {0};
    json_t *again = NULL;

    buf_init(&first, FUZZ_TEXT_MAX);
    buf_init(&second, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(canon_write(v, &first, &err), &err) == !has_real(v));
    if (!has_real(v) && !has_control(&first)) {
        FUZZ_CHECK(jsonx_parse(first.data, first.len, FUZZ_TEXT_MAX, &again, &err) == 0);
        FUZZ_CHECK(json_equal(v, again));
        FUZZ_CHECK(canon_write(again, &second, &err) == 0);
        fuzz_same(first.data, second.data);
    }
    if (has_real(v))
        FUZZ_CHECK(first.len == 0); /* a failed call leaves the buffer */
    json_decref(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    json_t *v = NULL, *again = NULL;
    char *text;

    if (!fuzz_ok(jsonx_parse((const char *)data, len, CAP_BYTES, &v, &err), &err)) {
        FUZZ_CHECK(!v);
        return 0;
    }
    FUZZ_CHECK(len <= CAP_BYTES);
    FUZZ_CHECK(depth_of(v) <= DEPTH_MAX);
    if (!has_real(v)) { /* a real may be written with fewer digits than it was read with */
        text = fuzz_dump(v);
        FUZZ_CHECK(jsonx_parse(text, strlen(text), FUZZ_TEXT_MAX, &again, &err) == 0);
        FUZZ_CHECK(json_equal(v, again));
        free(text);
    }
    check_canonical(v);
    json_decref(again);
    json_decref(v);
    return 0;
}
