/*
 * store_memory: a tuf_store that lives as long as its process, alone or over another store that is
 * only read: what is put or removed here stays here. For those who verify without being allowed (or
 * meaning) to change what is trusted.
 */
#ifndef FIREBREAK_STORE_MEMORY_H
#define FIREBREAK_STORE_MEMORY_H

#include "tuf/client.h"

#define TUF_MEMORY_FILES_MAX 256                /* names put or removed */
#define TUF_MEMORY_BYTES_MAX (64 * 1024 * 1024) /* of all files put */

struct tuf_memory;

/* below: NULL, or what is asked for names that were neither put nor removed here; its ctx must
 * outlive the store. NULL when out of memory. */
struct tuf_memory *tuf_memory_new(const struct tuf_store *below);
void tuf_memory_free(struct tuf_memory *m);
DEFINE_CLEANUP(struct tuf_memory *, tuf_memory_free)

/* Valid as long as m. put: ERR_TOO_LARGE past a limit. */
struct tuf_store tuf_memory_store(struct tuf_memory *m);

#endif
