/*
 * store_rows: one table says which columns each kind of row has and where they lie in its struct;
 * copying, writing and reading all come from it. For the store's own files.
 *
 * To add a kind of row: a struct and its noun in store.h, a table here, a migration in schema/sql.
 */
#ifndef FIREBREAK_SERVER_STORE_ROWS_H
#define FIREBREAK_SERVER_STORE_ROWS_H

#include "store/store.h"

#define STORE_MAX_COLUMNS 16

enum store_column_type {
    COLUMN_TEXT, /* const char * */
    COLUMN_INT,  /* int64_t */
    COLUMN_BOOL, /* bool */
    COLUMN_BLOB, /* const void *, its size_t length at `length` */
};

struct store_column {
    const char *name; /* NULL ends the list */
    enum store_column_type type;
    size_t offset;
    size_t length;
};

enum store_noun {
#define X(noun) STORE_##noun,
    STORE_ROWS(X)
#undef X
        STORE_N_NOUNS
};

struct store_table {
    const char *name; /* of the SQL table */
    size_t row_size;
    int n_key;        /* the first so many columns are the key */
    bool append_only; /* a key that is there already is an error, not a replacement */
    struct store_column columns[STORE_MAX_COLUMNS];
};

extern const struct store_table store_tables[STORE_N_NOUNS];

/* Fields of a row by their column. */
static inline const char **column_text(const struct store_column *c, void *row)
{
    return (const char **)(void *)((char *)row + c->offset);
}

static inline const char *column_get_text(const struct store_column *c, const void *row)
{
    return *(const char *const *)(const void *)((const char *)row + c->offset);
}

static inline size_t column_get_length(const struct store_column *c, const void *row)
{
    return *(const size_t *)(const void *)((const char *)row + c->length);
}

static inline int64_t column_get_int(const struct store_column *c, const void *row)
{
    const char *at = (const char *)row + c->offset;

    return c->type == COLUMN_BOOL ? *(const bool *)at : *(const int64_t *)(const void *)at;
}

static inline void column_set_int(const struct store_column *c, void *row, int64_t v)
{
    char *at = (char *)row + c->offset;

    if (c->type == COLUMN_BOOL)
        *(bool *)at = v != 0;
    else
        *(int64_t *)(void *)at = v;
}

#endif
