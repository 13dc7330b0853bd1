/*
 * name: role names and target paths, which a repository may choose freely, as one component of a
 * URL or as the name of a file.
 */
#ifndef FIREBREAK_TUF_NAME_H
#define FIREBREAK_TUF_NAME_H

#include <stddef.h>

#include "base/err.h"

#define TUF_FILE_NAME_MAX                                                                          \
    241 /* with the NUL: room for a temporary file's suffix below NAME_MAX                         \
         */

/* Percent-encode all of `name` but letters, digits and -._~, so that '/', '?', '#' and '%' lose
 * their meaning. ERR_TOO_LARGE where ret is too small. */
int name_quote(const char *name, char *ret, size_t size, struct err *err);

/* The same for a path: '/' stays, and with it what a URL's path may hold besides (!$&'()*+,;=:@).
 */
int name_quote_path(const char *path, char *ret, size_t size, struct err *err);

/* A flat file name: quoted, then `suffix`. One that would be too long is named by its hash,
 * "%sha256-<64 digits><suffix>", which no quoting makes. */
void name_file(const char *name, const char *suffix, char ret[TUF_FILE_NAME_MAX]);

#endif
