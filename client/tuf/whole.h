/*
 * whole: files are written whole or not at all, also where somebody interrupts: the temporary file
 * of an interrupted write would lie about for ever. Signals wait meanwhile; only a kill or a lost
 * machine leaves one.
 */
#ifndef FIREBREAK_CLIENT_TUF_WHOLE_H
#define FIREBREAK_CLIENT_TUF_WHOLE_H

#include "tuf/client.h"

int whole_write(const char *path, const void *data, size_t len, struct err *err);

/* tuf_store_dir() with such a put. dir must outlive it. */
struct tuf_store whole_store(const char *dir);

#endif
