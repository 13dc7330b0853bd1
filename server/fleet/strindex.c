/* strindex: see strindex.h. */
#include "fleet/strindex.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h;
}

void strindex_release(struct strindex *x)
{
    free(x->rows);
    *x = (struct strindex){0};
}

static struct strindex_row *slot(const struct strindex *x, const char *name)
{
    size_t i = hash(name) & (x->size - 1);

    while (x->rows[i].name && strcmp(x->rows[i].name, name) != 0)
        i = (i + 1) & (x->size - 1);
    return &x->rows[i];
}

int64_t strindex_find(const struct strindex *x, const char *name)
{
    const struct strindex_row *row = x->size ? slot(x, name) : NULL;

    return row && row->name ? row->value : -1;
}

static int grow(struct strindex *x)
{
    struct strindex larger = {.size = x->size ? x->size * 2 : 64, .used = x->used};

    larger.rows = calloc(larger.size, sizeof *larger.rows);
    if (!larger.rows)
        return -ERR_NOMEM;
    for (size_t i = 0; i < x->size; i++)
        if (x->rows[i].name)
            *slot(&larger, x->rows[i].name) = x->rows[i];
    free(x->rows);
    *x = larger;
    return 0;
}

int strindex_add(struct strindex *x, const char *name, int64_t value)
{
    if ((x->used + 1) * 4 > x->size * 3) {
        int r = grow(x);

        if (r < 0)
            return r;
    }
    *slot(x, name) = (struct strindex_row){.name = name, .value = value};
    x->used++;
    return 0;
}
