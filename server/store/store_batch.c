/* store_batch: rows wait in a batch as copies of their own. See store.h. */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

struct store_batch *store_batch_new(void)
{
    return calloc(1, sizeof(struct store_batch));
}

void store_batch_free(struct store_batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        free(b->rows[i].row);
    free(b->rows);
    free(b);
}

static size_t bytes_of(const struct store_column *c, const void *row)
{
    const char *p;

    if (c->type == COLUMN_BLOB)
        return column_get_length(c, row);
    p = c->type == COLUMN_TEXT ? column_get_text(c, row) : NULL;
    return p ? strlen(p) + 1 : 0;
}

/* The struct, and behind it everything that it points to. */
static void *copy_row(const struct store_table *t, const void *row)
{
    size_t size = t->row_size;
    char *copy, *at;

    for (const struct store_column *c = t->columns; c->name; c++)
        size += bytes_of(c, row);
    copy = malloc(size);
    if (!copy)
        return NULL;
    memcpy(copy, row, t->row_size);
    at = copy + t->row_size;
    for (const struct store_column *c = t->columns; c->name; c++) {
        size_t n = bytes_of(c, row);

        if (n == 0)
            continue;
        memcpy(at, column_get_text(c, row), n);
        *column_text(c, copy) = at;
        at += n;
    }
    return copy;
}

static int reserve(struct store_batch *b)
{
    size_t size = b->size ? b->size * 2 : 8;
    struct store_row *rows;

    if (b->n < b->size)
        return 0;
    rows = realloc(b->rows, size * sizeof *rows);
    if (!rows)
        return -ERR_NOMEM;
    b->rows = rows;
    b->size = size;
    return 0;
}

static void add(struct store_batch *b, enum store_noun noun, bool remove, const void *row)
{
    void *copy;

    if (!b)
        return;
    copy = reserve(b) == 0 ? copy_row(&store_tables[noun], row) : NULL;
    if (copy)
        b->rows[b->n++] = (struct store_row){noun, remove, copy};
    else
        b->nomem = true;
}

#define X(noun)                                                                                    \
    void store_put_##noun(struct store_batch *b, const struct row_##noun *row)                     \
    {                                                                                              \
        add(b, STORE_##noun, false, row);                                                          \
    }
STORE_ROWS(X)
#undef X

void store_delete_metadata(struct store_batch *b, const char *name)
{
    const struct row_metadata key = {.name = name};

    add(b, STORE_metadata, true, &key);
}
