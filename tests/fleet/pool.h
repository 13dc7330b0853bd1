/*
 * pool: many HTTP requests at once over few kept-alive connections (libcurl multi), one thread.
 */
#ifndef FIREBREAK_FLEET_POOL_H
#define FIREBREAK_FLEET_POOL_H

#include <stdbool.h>

#include "net/http.h"

struct pool;

#define POOL_MAX_HEADERS 6

struct pool_request {
    const char *path;
    const char *headers[POOL_MAX_HEADERS]; /* "Name: value"; NULL ends them; copied */
    const char *body;                      /* must stay until its answer is delivered */
    size_t body_len;
    void *ctx;
};

/* The answer to a POST: r is 0 for any HTTP answer, or ERR_UNREACHABLE, ERR_TIMEOUT, ERR_TOO_LARGE,
 * negative. rs is valid during the call. May submit further requests. */
typedef void (*pool_done_fn)(void *user, void *ctx, int r, const struct http_response *rs);

/* At most `requests` at once. ERR_INSECURE: plain http to another machine, where an enrolment token
 * would travel in clear. */
int pool_new(const struct http_options *o, int64_t requests, struct pool **ret, struct err *err);
void pool_free(struct pool *p); /* drops what is in flight */

bool pool_is_full(const struct pool *p);
int pool_submit(struct pool *p, const struct pool_request *rq, struct err *err);

/* Move transfers on and deliver what has ended, waiting at most wait_ms for either, for `fd` (-1:
 * none) to be readable or for pool_wake. */
int pool_run(struct pool *p, int64_t wait_ms, int fd, pool_done_fn done, void *user,
             struct err *err);

/* End the wait of pool_run; any thread. */
void pool_wake(struct pool *p);

#endif
