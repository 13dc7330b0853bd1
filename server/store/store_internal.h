/*
 * store_internal: what the store's files share. store.c: the queue and the group commit;
 * store_batch.c: rows in a batch; store_sqlite*.c: the driver.
 */
#ifndef FIREBREAK_SERVER_STORE_INTERNAL_H
#define FIREBREAK_SERVER_STORE_INTERNAL_H

#include "store/store_rows.h"

/* A row and the strings that it points to, in one piece of memory. */
struct store_row {
    enum store_noun noun;
    bool remove; /* by its key, instead of put */
    void *row;
};

struct store_batch {
    struct store_row *rows;
    size_t n, size;
    bool nomem; /* a row could not be copied: the batch is not committed */
    store_done_fn done;
    void *ctx;
    struct store_batch *next; /* in the queue */
};

/* A question to a driver: rows of a table in key order. */
struct store_query {
    enum store_noun table;
    const char *column; /* those where it is above `above`; NULL: all rows */
    int64_t above;
    const char *equal; /* and this one is `to`; NULL: whatever it is */
    int64_t to;
    int64_t limit; /* 0: none */
};

typedef int (*store_row_fn)(void *ctx, const void *row, struct err *err);

/*
 * A driver. commit and recover are called by one thread at a time, load by any one thread at a time
 * beside it. commit writes all rows of all batches in one durable transaction or nothing.
 */
struct store_driver {
    int (*open)(const struct store_options *o, void **ret, struct err *err);
    void (*close)(void *d);
    int (*commit)(void *d, const struct store_batch *first, struct err *err);
    int (*recover)(void *d, struct err *err); /* prove that a commit works again */
    int (*load)(void *d, const struct store_query *q, store_row_fn row, void *ctx, struct err *err);
};

extern const struct store_driver store_sqlite;

#endif
