/*
 * remote: a tuf_fetch over HTTP: "metadata/..." comes from one address, "targets/..." from another.
 * No redirect is followed; size and time of every answer are bounded.
 */
#ifndef FIREBREAK_CLIENT_TUF_REMOTE_H
#define FIREBREAK_CLIENT_TUF_REMOTE_H

#include "net/http.h"
#include "tuf/client.h"

struct remote {
    struct http_client *metadata;
    struct http_client *targets; /* NULL: none are asked for */
};

/* targets_url may be NULL. */
int remote_open(struct remote *r, const char *metadata_url, const char *targets_url,
                struct err *err);
void remote_release(struct remote *r);

struct tuf_fetch remote_fetch(struct remote *r);

#endif
