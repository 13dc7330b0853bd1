/*
 * metadata: one TUF client for the whole fleet, in a thread of its own so that a slow repository
 * never delays a check-in. It refreshes when an answer names a newer snapshot, and now and then
 * without being asked.
 */
#ifndef FIREBREAK_FLEET_METADATA_H
#define FIREBREAK_FLEET_METADATA_H

#include "catalog.h"
#include "net/http.h"

struct metadata_thread;

struct metadata_options {
    struct http_options http; /* strings must outlive the thread */
    const char *root_file;    /* NULL: the server's own root 1 is trusted, as a load tool may */
    const char *channel;      /* "": the only one that the targets role delegates */
    int64_t poll_ms;          /* refresh at least this often */
    void (*wake)(void *ctx);  /* called on the thread when there is news */
    void *ctx;
};

/* Trust the root and start. */
int metadata_start(const struct metadata_options *o, struct metadata_thread **ret, struct err *err);
void metadata_stop(struct metadata_thread *t); /* joins; takes NULL */

/* A snapshot of this version exists. */
void metadata_want(struct metadata_thread *t, int64_t snapshot_version);

/* The newest view not yet taken (owned by the caller), NULL: nothing new. *ret_failure: the code of
 * the last refresh where it failed since the last call, else 0. */
struct view *metadata_take(struct metadata_thread *t, int *ret_failure);

#endif
