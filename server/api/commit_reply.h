/* commit_reply: an operator's act is answered after its commit (invariant 12), from the store's
 * thread; no thread of the pool waits. */
#ifndef FIREBREAK_SERVER_COMMIT_REPLY_H
#define FIREBREAK_SERVER_COMMIT_REPLY_H

#include <jansson.h>

#include "http/http.h"

struct repo_change;
struct store_batch;

/* Takes batch, answer and change (NULL: none). With the site lock held, so that batches reach the
 * store in the order in which memory was changed. After the commit the change is published and the
 * answer given; where it fails the change is discarded, the server degraded and the problem told.
 * rq is of an ASYNC route and gone afterwards. */
void commit_reply(struct request *rq, struct store_batch *batch, struct repo_change *change,
                  int status, json_t *answer);

/* Fails while commits do, as they do (ERR_FULL: the disk), and with ERR_UNAVAILABLE while memory is
 * read again after them. */
int commit_possible(const struct server *s, struct err *err);

#endif
