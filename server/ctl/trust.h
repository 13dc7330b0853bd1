/*
 * trust: what the server publishes for a channel, verified from a trusted root before anything is
 * built or signed on top of it: whoever stole the server must not get targets of his own signed.
 */
#ifndef FIREBREAK_CTL_TRUST_H
#define FIREBREAK_CTL_TRUST_H

#include "api.h"
#include "tuf/client.h"
#include "tuf/metadata.h"

struct trust {
    struct metadata *content; /* of the channel; NULL: it has no release yet */
    struct key_set keys;      /* who may sign it, by the verified targets */
};
void trust_release(struct trust *t);

/* Refresh from the server (TUF workflow in memory) with the root in `root_file`, then load the
 * channel's content role. */
int trust_refresh(struct api *a, const char *root_file, const char *channel, int64_t now_s,
                  struct trust *ret, struct err *err);

/* tuf_client_refresh as often as it takes to come to the newest root: one refresh follows at most
 * TUF_CLIENT_ROTATIONS of them. */
int trust_refresh_to_newest(struct tuf_client *c, int64_t now_s, struct err *err);

/* The repository that the server publishes. a must outlive it. */
struct tuf_fetch trust_fetch(struct api *a);

#endif
