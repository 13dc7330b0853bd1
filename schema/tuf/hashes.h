/*
 * hashes: what metadata says of a file's hashes: any number of algorithms, of which SHA-256 and
 * SHA-512 are known here. Others are ignored; of those known each must match, and one there must
 * be.
 */
#ifndef FIREBREAK_TUF_HASHES_H
#define FIREBREAK_TUF_HASHES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define SHA512_HEX_LEN 128 /* without the NUL */

/* The member "hashes" of `o`. "" where an algorithm is not listed. ERR_INVALID. */
int hashes_read(const json_t *o, const char *what, char ret_sha256[65],
                char ret_sha512[SHA512_HEX_LEN + 1], struct err *err);

/* False also where neither is known. */
bool hashes_match(const char *sha256, const char *sha512, const void *data, size_t len);

#endif
