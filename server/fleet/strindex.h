/*
 * strindex: numbers by name, for strings that live elsewhere and outlive the index. Open
 * addressing; names come from the server's own random ids and hashes, so that nobody can choose
 * collisions.
 */
#ifndef FIREBREAK_SERVER_STRINDEX_H
#define FIREBREAK_SERVER_STRINDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct strindex {
    struct strindex_row {
        const char *name; /* NULL free */
        int64_t value;
    } * rows;
    size_t size, used;
};

void strindex_release(struct strindex *x);
/* -1: not there. */
int64_t strindex_find(const struct strindex *x, const char *name);
/* The name must not be there yet. 0 or -ERR_NOMEM. */
int strindex_add(struct strindex *x, const char *name, int64_t value);

#endif
