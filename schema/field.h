/*
 * field: one table per JSON object says which members it has and where they lie in a struct; reader
 * and writer both come from it, so that they cannot drift apart. Members that the table does not
 * name are ignored by the reader.
 *
 * To add a member: a field in the struct, a row in its table, a line in FORMATS.md and in its
 * schema.
 */
#ifndef FIREBREAK_FIELD_H
#define FIREBREAK_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FIELD_INT_MAX (INT64_C(1) << 53) /* what every JSON reader can hold exactly */

enum field_type {
    FIELD_TEXT_T,  /* char[size]; no control characters; check, where given */
    FIELD_HEX_T,   /* char[size]: exactly size - 1 lowercase hexadecimal digits */
    FIELD_BYTES_T, /* uint8_t[size], written as 2 * size digits */
    FIELD_INT_T,   /* int64_t in [min, max] */
    FIELD_BOOL_T,  /* bool */
    FIELD_NAME_T,  /* an enum that counts from 0, written as names[value] */
};

struct field {
    const char *key; /* NULL ends the table */
    enum field_type type;
    size_t offset, size;
    int64_t min, max;
    int (*check)(const char *text, struct err *err);
    const char *const *names;
    size_t n_names;
    bool none; /* may be absent in the struct: text "" is "", hexadecimal "" is null */
};

#define FIELD_AT_(s, m) .offset = offsetof(s, m), .size = sizeof(((s *)0)->m)

#define FIELD_TEXT(s, m, k, fn)                                                                    \
    {                                                                                              \
        .key = k, .type = FIELD_TEXT_T, FIELD_AT_(s, m), .check = fn                               \
    }
#define FIELD_TEXT_OR_NONE(s, m, k, fn)                                                            \
    {                                                                                              \
        .key = k, .type = FIELD_TEXT_T, FIELD_AT_(s, m), .check = fn, .none = true                 \
    }
#define FIELD_HEX(s, m, k)                                                                         \
    {                                                                                              \
        .key = k, .type = FIELD_HEX_T, FIELD_AT_(s, m)                                             \
    }
#define FIELD_HEX_OR_NULL(s, m, k)                                                                 \
    {                                                                                              \
        .key = k, .type = FIELD_HEX_T, FIELD_AT_(s, m), .none = true                               \
    }
#define FIELD_BYTES(s, m, k)                                                                       \
    {                                                                                              \
        .key = k, .type = FIELD_BYTES_T, FIELD_AT_(s, m)                                           \
    }
#define FIELD_INT(s, m, k, lo, hi)                                                                 \
    {                                                                                              \
        .key = k, .type = FIELD_INT_T, FIELD_AT_(s, m), .min = lo, .max = hi                       \
    }
#define FIELD_BOOL(s, m, k)                                                                        \
    {                                                                                              \
        .key = k, .type = FIELD_BOOL_T, FIELD_AT_(s, m)                                            \
    }
#define FIELD_NAME(s, m, k, table)                                                                 \
    {                                                                                              \
        .key = k, .type = FIELD_NAME_T, FIELD_AT_(s, m), .names = table,                           \
        .n_names = sizeof(table) / sizeof((table)[0])                                              \
    }

/* Fill target from object o. ERR_INVALID names the member; `what` names the document. Members
 * before the bad one are filled. */
int field_read(const json_t *o, const char *what, const struct field *rows, void *target,
               struct err *err);

/* Set the members in object o. ERR_INVALID where a value is not one that field_read would take. */
int field_write(json_t *o, const char *what, const struct field *rows, const void *source,
                struct err *err);

/* Append the serialised value to ret; json_flags are jansson's. */
int field_dump(const json_t *v, size_t json_flags, const char *what, struct buf *ret,
               struct err *err);

/* json_object_set_new and json_array_append_new that tell NULL and failure as ERR_NOMEM. */
int field_set(json_t *o, const char *key, json_t *stolen, struct err *err);
int field_append(json_t *array, json_t *stolen, struct err *err);

#endif
