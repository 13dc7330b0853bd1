/*
 * remote: a tuf_fetch over HTTP: "metadata/..." comes from one address, "targets/..." from another.
 * No redirect is followed. Size and time of every answer are bounded, and the time that all
 * metadata may take together.
 */
#ifndef FIREBREAK_CLIENT_TUF_REMOTE_H
#define FIREBREAK_CLIENT_TUF_REMOTE_H

#include "base/clock.h"
#include "net/http.h"
#include "tuf/client.h"

#define REMOTE_METADATA_S 300 /* all of a run's metadata */

struct remote {
    const struct clock *clock;
    int64_t until_ms; /* of the metadata, on the clock that does not jump */
    struct http_client *metadata;
    struct http_client *targets; /* NULL: none are asked for */
};

/* From now on. targets_url may be NULL. */
int remote_open(struct remote *r, const struct clock *clock, const char *metadata_url,
                const char *targets_url, struct err *err);
void remote_release(struct remote *r);

struct tuf_fetch remote_fetch(struct remote *r);

#endif
