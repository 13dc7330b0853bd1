/*
 * http_internal: what the files of the door share. http.c: libmicrohttpd's life and callbacks;
 * http_request.c: what a request says and whether it may; http_reply.c: answers.
 */
#ifndef FIREBREAK_SERVER_HTTP_INTERNAL_H
#define FIREBREAK_SERVER_HTTP_INTERNAL_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "http/http.h"

#define ALLOW_MAX  64
#define METHOD_MAX 21

/*
 * One request with its life. libmicrohttpd holds one reference until it calls completed(); an ASYNC
 * handler holds another one until it replies. Where the server stops first, the request is answered
 * 503 here and the handler's late reply only drops its reference.
 */
struct exchange {
    struct request rq; /* first: handlers know only this */
    struct http *http;
    struct MHD_Connection *conn;
    char *path;              /* rq.path */
    char *params;            /* rq.params, one after the other */
    char method[METHOD_MAX]; /* a copy, cut: the connection may be gone before a late reply */
    struct buf body;
    size_t discarded; /* bytes past the cap that were read and dropped */
    bool begun, ran, suspended;
    char allow[ALLOW_MAX]; /* for 405 */
    struct MHD_Response *response;
    int status;
    atomic_bool answered;
    atomic_int refs;
    struct exchange *prev, *next; /* among the suspended ones */
};

static inline struct exchange *exchange_of(const struct request *rq)
{
    return (struct exchange *)(void *)(uintptr_t)rq;
}

void exchange_unref(struct exchange *x);

/* 127/8, ::1, and the first as the second writes it. */
bool http_is_loopback(const struct sockaddr *sa);

/* From the raw request target. NULL: out of memory. */
struct exchange *exchange_new(struct http *h, const char *target);

/* Headers are in: route, role, announced length. Errors are to be answered at once. */
int exchange_begin(struct exchange *x, const char *method, struct err *err);

/* A piece of the body. -ERR_TOO_LARGE: the cap is passed and so is what would be dropped silently:
 * close the connection. */
int exchange_body(struct exchange *x, const char *data, size_t len);
/* The body is whole: does it fit? */
int exchange_check_body(struct exchange *x, struct err *err);

/* Give the response (taken) to whoever waits for it; called once by each reply function. */
void exchange_answer(struct exchange *x, int status, struct MHD_Response *response);

/* http.c: take it out of the suspended ones and let libmicrohttpd go on. */
void http_resume(struct exchange *x);

#endif
