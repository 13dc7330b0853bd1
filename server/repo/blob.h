/* blob: immutable bytes with an ETag and counted references. How others see them: repo.h. */
#ifndef FIREBREAK_SERVER_BLOB_H
#define FIREBREAK_SERVER_BLOB_H

#include <stddef.h>

#include "base/cleanup.h"
#include "repo/repo.h"

/* A copy of the bytes. NULL: out of memory. The ETag is their SHA-256. */
struct blob *blob_new(const void *data, size_t len);
/* Takes malloc'd bytes whose SHA-256 is known already; freed also on failure. */
struct blob *blob_take(void *data, size_t len, const char *sha256);
const char *blob_sha256(const struct blob *b);
DEFINE_CLEANUP(struct blob *, blob_unref)

#endif
