/* copy: one file's bytes, hashed as they pass. Links are never followed, nothing but regular files
 * is read, and no more than the length that is expected. */
#ifndef FIREBREAK_CLIENT_COPY_H
#define FIREBREAK_CLIENT_COPY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Copy `from` to the new file `to` and fsync it. ERR_TAMPERED where the bytes that passed are not
 * `length` bytes with this hash; `to` is removed then. */
int copy_verified(const char *from, const char *to, mode_t mode, const char *sha256, int64_t length,
                  struct err *err);

/* The same from an open file, which errors call `what`; `in` stays the caller's. */
int copy_verified_fd(int in, const char *what, const char *to, mode_t mode, const char *sha256,
                     int64_t length, struct err *err);

/* Read it through. ERR_TAMPERED (also where it is missing, no file, or has another mode). */
int copy_check(const char *path, mode_t mode, const char *sha256, int64_t length, struct err *err);

#endif
