/* exchange: the jobs given to the fetching child (fetch.h), as JSON. New references; NULL: no
 * memory. */
#ifndef FIREBREAK_CLIENT_EXCHANGE_H
#define FIREBREAK_CLIENT_EXCHANGE_H

#include <jansson.h>

#include "agent.h"
#include "base/buf.h"

#define EXCHANGE_REFRESH_MS 180000 /* how long a child may take */
#define EXCHANGE_POST_MS    60000
#define EXCHANGE_BLOBS_MS   3600000 /* what has come by then is resumed */

/* fresh: metadata and plans; revocations are asked for in any case. */
json_t *exchange_refresh(const struct agent *a, bool fresh);
json_t *exchange_blobs(const struct agent *a, json_t *missing);
/* headers: NULL-terminated "Name: value"; bearer NULL: none. */
json_t *exchange_post(const struct agent *a, const char *path, const char *const *headers,
                      const char *bearer, const char *body, size_t cap);

/* A post that the identity signs: check-ins. */
int exchange_signed_post(const struct agent *a, const char *path, const struct buf *body,
                         size_t cap, json_t **ret, struct err *err);

/* What a post brought. Borrowed from the result. */
struct exchange_answer {
    int status;
    int64_t retry_after_s; /* -1: none */
    const char *body;
    size_t len;
};

/* 0 for a status below 400; else the error that the server's problem document names (ret is filled
 * then too). */
int exchange_read_answer(const json_t *result, struct exchange_answer *ret, struct err *err);

#endif
