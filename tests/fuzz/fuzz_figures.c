/* fuzz_figures: a consumer's file; what is taken can be told to the server, and is taken there as
 * it was. */
#include "fuzz.h"

#include <string.h>

#include "figure.h"

static void check_told(const struct figures *f)
{
    struct figures again;
    struct err err = {0};
    json_t *o;

    FUZZ_CHECK(fuzz_ok(figures_to_json(f, "figures", &o, &err), &err));
    FUZZ_CHECK(fuzz_ok(figures_from_json(o, "figures", &again, &err), &err));
    FUZZ_CHECK(again.n == f->n);
    for (size_t i = 0; i < f->n; i++) {
        FUZZ_CHECK(strcmp(again.rows[i].name, f->rows[i].name) == 0);
        FUZZ_CHECK(again.rows[i].value == f->rows[i].value);
    }
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len);
    struct figures f = {.n = 77};
    struct err err = {0};

    if (fuzz_ok(figures_parse(text, len, &f, &err), &err))
        check_told(&f);
    else
        FUZZ_CHECK(f.n == 77);
    free(text);
    return 0;
}
