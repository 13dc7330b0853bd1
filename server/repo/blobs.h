/*
 * blobs: content-addressed files in a directory, the ones asked for lately also in memory. A file
 * that no longer has the bytes of its name is not given to anyone.
 */
#ifndef FIREBREAK_SERVER_BLOBS_H
#define FIREBREAK_SERVER_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct blob;
struct blobs;

int blobs_open(const char *dir, int64_t cache_bytes, struct blobs **ret, struct err *err);
void blobs_free(struct blobs *b);

/* A reference; NULL: there is none. */
struct blob *blobs_get(struct blobs *b, const char *sha256);
/* True if it is there; *ret_length may be NULL. */
int blobs_has(const struct blobs *b, const char *sha256, int64_t *ret_length);
/* ERR_TAMPERED where the bytes do not have this name. Durable when 0 is returned. */
int blobs_put(struct blobs *b, const char *sha256, const void *data, size_t len, struct err *err);

#endif
