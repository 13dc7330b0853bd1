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
    /* What was verified. Both may be NULL. `data` is the exact bytes. */
    int (*got_plan)(void *ctx, const char *channel, const struct buf *data, struct err *err);
    int (*got_manifest)(void *ctx, const char *channel, const struct buf *data,
                        const struct manifest *m, struct err *err);
    void *ctx;
};

/* One channel. ERR_NOT_FOUND: the repository has no plan for it. A manifest that the plan names and
 * content metadata does not list is passed over: it cannot be consented to. */
int walk_channel(const struct walk *w, const char *channel, struct err *err);

#endif
