/*
 * jsonx: hostile JSON, read strictly. Depth and the number of objects and lists are bounded,
 * duplicate keys are refused, and a field that is missing or of the wrong type is named: "manifest:
 * 'files[3].sha256' is not 64 hexadecimal digits". Written with jansson.
 */
#ifndef FIREBREAK_JSONX_H
#define FIREBREAK_JSONX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Parse one JSON value of at most `cap` bytes; duplicate keys refused. ERR_INVALID, ERR_TOO_LARGE.
 * *ret_: owned by the caller. */
int jsonx_parse(const char *data, size_t len, size_t cap, json_t **ret, struct err *err);

/* Members of an object. `what` names the document in errors, and after ": " the path of the object
 * within it ("manifest: files[3]"). Borrowed results. Values outside the stated limits are
 * ERR_INVALID. */
int jsonx_string(const json_t *o, const char *what, const char *key, size_t max_len,
                 const char **ret, struct err *err);
/* Copied into a field of `size` bytes (so at most size-1 long); no control characters. */
int jsonx_copy(const json_t *o, const char *what, const char *key, char *ret, size_t size,
               struct err *err);
int jsonx_int(const json_t *o, const char *what, const char *key, int64_t min, int64_t max,
              int64_t *ret, struct err *err);
int jsonx_bool(const json_t *o, const char *what, const char *key, bool *ret, struct err *err);
int jsonx_object(const json_t *o, const char *what, const char *key, json_t **ret, struct err *err);
int jsonx_array(const json_t *o, const char *what, const char *key, size_t max_items, json_t **ret,
                struct err *err);
/* 64 lowercase hexadecimal digits, copied. */
int jsonx_sha256(const json_t *o, const char *what, const char *key, char ret[65], struct err *err);

/* Fails unless "_type" is `type`. */
int jsonx_type(const json_t *o, const char *what, const char *type, struct err *err);

/* True if key is present and not null. */
bool jsonx_has(const json_t *o, const char *key);

#endif
