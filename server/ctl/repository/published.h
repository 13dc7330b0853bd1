/*
 * published: what the server publishes now, verified from a trusted root, as exact bytes: what a
 * ceremony starts from, and what it is checked against before it is sent.
 *
 * Expiry is told, not obeyed: what has expired is just what wants to be renewed. It may then not be
 * the newest, which the server finds out.
 */
#ifndef FIREBREAK_CTL_PUBLISHED_H
#define FIREBREAK_CTL_PUBLISHED_H

#include <stdbool.h>

#include "api.h"
#include "base/buf.h"

struct published;

/* Refresh with the root in `root_file`, all in memory; every role that targets delegates to is
 * fetched when it is asked for. api must outlive it. */
int published_open(struct api *a, const char *root_file, int64_t now_s, struct published **ret,
                   struct err *err);
void published_free(struct published *p);
DEFINE_CLEANUP(struct published *, published_free)

/* What had expired when it was opened, as one sentence; NULL: nothing. */
const char *published_expired(const struct published *p);

/* Add the bytes of root, targets or content-<channel> to ret. ERR_NOT_FOUND: never published. */
int published_get(struct published *p, const char *role, struct buf *ret, struct err *err);

/* Does the server have exactly these bytes as this version of root, the newest or one before it? */
bool published_has_root(struct published *p, int64_t version, const struct buf *text);

#endif
