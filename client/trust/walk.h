/*
 * walk: what of the repository an endpoint needs, gone through with a TUF client that has been
 * refreshed: the plan of each channel, and the manifests that the plan means for its cohort. The
 * fetching child runs it over the network to bring the files, the privileged part runs the same
 * code over what was brought, to verify and keep them.
 */
#ifndef FIREBREAK_CLIENT_WALK_H
#define FIREBREAK_CLIENT_WALK_H

#include "manifest.h"
#include "plan.h"
#include "tuf/client.h"

struct walk {
    struct tuf_client *client;
    int64_t now_s;
    const char *state_dir; /* for what is kept already; only read here */
    const char *cohort;
    /* What was verified. All may be NULL. `data` is the exact bytes. */
    int (*got_plan)(void *ctx, const char *channel, const struct buf *data, struct err *err);
    int (*got_manifest)(void *ctx, const char *channel, const struct buf *data,
                        const struct manifest *m, struct err *err);
    /* Content metadata, with its revocations. */
    int (*got_content)(void *ctx, const char *channel, const struct metadata *content,
                       struct err *err);
    /* The plan means it and content metadata does not list it: it cannot be consented to. */
    void (*got_unlisted)(void *ctx, bool baseline, const char *digest);
    void *ctx;
};

/* One channel: as much of it as is good. ERR_NOT_FOUND: the repository has no plan for it;
 * ERR_UNAVAILABLE: it lacks what its metadata names. */
int walk_channel(const struct walk *w, const char *channel, struct err *err);

#endif
