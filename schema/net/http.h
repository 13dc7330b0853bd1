/*
 * http: one request with libcurl, with every cap set: time, size, redirects (none), protocols (http
 * and https only). Used by the agent's fetching child and the CLI. firebreakd never fetches.
 */
#ifndef FIREBREAK_NET_HTTP_H
#define FIREBREAK_NET_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

struct http_client; /* keeps its connection open between requests; one thread */

struct http_options {
    const char
        *base_url;       /* "https://host:port", or with a path; no trailing slash needed; copied */
    const char *ca_file; /* NULL: the system's */
    const char *proxy;   /* NULL: the environment's; "": none. Never used towards loopback */
    int64_t timeout_ms;  /* whole request; 0: 30,000. http_get_fd adds its cap at max_bytes_s */
    int64_t max_bytes_s; /* bandwidth cap; 0: none */
};

int http_client_new(const struct http_options *o, struct http_client **ret, struct err *err);
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free)

struct http_request {
    const char *method;         /* "GET" */
    const char *path;           /* "/api/v1/checkin"; appended to base_url */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *bearer;         /* token for Authorization, NULL: none */
    const void *body;           /* NULL: none */
    size_t body_len;
    int64_t timeout_ms; /* whole request; 0: the client's */
};

struct http_response {
    int status;
    struct buf body; /* the caller inits it with the cap and releases it */
    char etag[128];
    int64_t retry_after_s; /* -1: none */
    int64_t length;        /* that it says its body has; of a HEAD, the file's; -1: not told */
};

/* 0 for any HTTP answer. ERR_UNREACHABLE (no connection, TLS refused), ERR_TIMEOUT,
 * ERR_TOO_LARGE. ERR_INSECURE where a bearer token would go to another machine over plain http. */
int http_do(struct http_client *c, const struct http_request *rq, struct http_response *rs,
            struct err *err);

/* GET into a file descriptor, appending from `offset` (Range); for blobs. A server without ranges
 * sends the whole, which then replaces what was there. `cap_bytes` bounds the whole file. What came
 * before a failure stays for resuming. ERR_NOT_FOUND on 404, ERR_CONFLICT where the server has
 * nothing past `offset` (truncate and start over). */
int http_get_fd(struct http_client *c, const char *path, int fd, int64_t offset, int64_t cap_bytes,
                struct err *err);

/* Turn an answer >= 400 into err: reads the RFC 9457 problem (slug -> code, detail, remedy). */
int http_problem(const struct http_response *rs, const char *what, struct err *err);

#endif
