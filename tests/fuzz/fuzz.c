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

void fuzz_same(const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        fprintf(stderr, "first:  %s\nsecond: %s\n", a, b);
    FUZZ_CHECK(strcmp(a, b) == 0);
}
