/* fuzz: see fuzz.h. */
#include "fuzz.h"

#include <string.h>

int fuzz_ok(int r, const struct err *err)
{
    json_t *text;

    if (r == 0)
        return 1;
    if (r > 0 || r != -(int)err->code || !err->msg[0])
        fprintf(stderr, "returned %d, told %d: %s\n", r, err->code, err->msg);
    FUZZ_CHECK(r < 0 && r == -(int)err->code);
    FUZZ_CHECK(err->msg[0]);
    for (const char *s = err->msg; *s; s++)
        FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
    text = json_string(err->msg); /* NULL where it is not UTF-8 */
    FUZZ_CHECK(text);
    json_decref(text);
    return 0;
}

char *fuzz_text(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);

    FUZZ_CHECK(text);
    memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

char *fuzz_dump(const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    FUZZ_CHECK(text);
    return text;
}

static int is_rewritten(const char *key)
{
    return !strcmp(key, "detail") || !strcmp(key, "critical") || !strcmp(key, "ask_ppm");
}

static void adds_nothing(const json_t *dumped, const json_t *given)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_number(dumped) && json_is_number(given)) { /* 1e3 is written as 1000 */
        FUZZ_CHECK(json_number_value(dumped) == json_number_value(given));
        return;
    }
    FUZZ_CHECK(given && json_typeof(dumped) == json_typeof(given));
    FUZZ_CHECK(json_array_size(dumped) == json_array_size(given));
    json_object_foreach ((json_t *)dumped, key, item)
        if (!is_rewritten(key))
            adds_nothing(item, json_object_get(given, key));
    json_array_foreach (dumped, i, item)
        adds_nothing(item, json_array_get(given, i));
    FUZZ_CHECK(json_is_object(dumped) || json_is_array(dumped) || json_equal(dumped, given));
}

void fuzz_adds_nothing(const struct buf *dumped, const uint8_t *data, size_t len)
{
    json_t *a = json_loadb(dumped->data, dumped->len, JSON_REJECT_DUPLICATES, NULL);
    json_t *b = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);

    FUZZ_CHECK(a);
    adds_nothing(a, b);
    json_decref(a);
    json_decref(b);
}

void fuzz_same(const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        fprintf(stderr, "first:  %s\nsecond: %s\n", a, b);
    FUZZ_CHECK(strcmp(a, b) == 0);
}
