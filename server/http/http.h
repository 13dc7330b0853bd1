/*
 * http: the one door. libmicrohttpd with epoll and a pool of threads behind one const table of
 * routes; roles and body caps are enforced before a handler runs. A handler parses, calls, replies.
 *
 * A route marked ASYNC is suspended before its handler runs, and the handler (or a store
 * completion, from any thread) replies exactly once later; its struct request lives until then. On
 * stop all suspended requests are answered 503 and resumed first (libmicrohttpd 0.9.75 aborts
 * otherwise).
 *
 * To add an endpoint: one row in routes.c, one handler in the file of its subject, one line in
 * schema/openapi.yaml, one test.
 */
#ifndef FIREBREAK_SERVER_HTTP_H
#define FIREBREAK_SERVER_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth.h"
#include "base/buf.h"
#include "base/err.h"
#include "server.h"

#define ROUTE_MAX_PARAMS 3
#define REQUEST_ID_LEN   16

struct request {
    struct server *server;
    const struct route *route;
    const char *path;                     /* as sent, without the query */
    const char *params[ROUTE_MAX_PARAMS]; /* what the pattern's {} matched; percent-decoded */
    const char *body;                     /* NUL-terminated; "" where none */
    size_t body_len;
    struct operator_ref who;     /* the operator; name "" for public, device and enrol routes */
    bool secure;                 /* TLS, or the peer is on loopback */
    char id[REQUEST_ID_LEN + 1]; /* on each log line and in X-Request-Id */
    int64_t retry_after_s;       /* set by a handler: told with a problem; 0 nothing */
};

/* A request header or query argument, NULL if absent. Valid until the reply. */
const char *request_header(const struct request *rq, const char *name);
const char *request_query(const struct request *rq, const char *name);
/* A decimal number in [min, max], `otherwise` where it is absent. ERR_INVALID names it. */
int request_query_int(const struct request *rq, const char *name, int64_t min, int64_t max,
                      int64_t otherwise, int64_t *ret, struct err *err);
/* Bearer token of the Authorization header, NULL if absent. */
const char *request_bearer(const struct request *rq);

/* Reply, once. After the call rq is gone for ASYNC routes. */
void reply_json(struct request *rq, int status, const json_t *o);
void reply_buf(struct request *rq, int status, const char *content_type,
               struct buf *body);                              /* takes the bytes */
void reply_problem(struct request *rq, const struct err *err); /* RFC 9457 from the err table */

/* Bytes that stay in memory: ref counted, with a strong ETag; 304 is answered by itself. */
struct blob; /* repo.h */
void reply_blob(struct request *rq, struct blob *b, const char *content_type,
                const char *cache_control);

enum route_flags { ROUTE_ASYNC = 1, ROUTE_TAIL = 2 /* the last {} matches slashes too */ };

struct route {
    const char *method;  /* "GET" answers HEAD too */
    const char *pattern; /* "/api/v1/channels/{}/rollout" */
    enum role role;      /* least role; ROLE_PUBLIC, ROLE_DEVICE, ROLE_ENROL check in the handler */
    size_t body_cap;     /* bytes; 0: no body */
    unsigned flags;
    void (*run)(struct request *rq);
    const char *sentence; /* for the API's description */
};
extern const struct route routes[]; /* ends with a row without method */

int http_start(struct server *s, struct http **ret, struct err *err);
int http_port(const struct http *h);
void http_stop(struct http *h); /* answers what is suspended, closes, frees */

#endif
