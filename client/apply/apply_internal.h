/* apply_internal: the steps that the way forward (apply.c), the way back (apply_back.c) and the
 * resolution of what was left (apply_resolve.c) share. */
#ifndef FIREBREAK_CLIENT_APPLY_INTERNAL_H
#define FIREBREAK_CLIENT_APPLY_INTERNAL_H

#include "apply/apply.h"
#include "apply/hook.h"

/* Why a release is left or refused. */
struct verdict {
    char cause[STATE_CAUSE_MAX];
    bool blamed;
    const char *detail; /* captured output; NULL: none */
};

/* Run a hook of the channel on a release; a missing hook is good. Where it could not even be
 * started the content is not to blame. */
void apply_hook(const struct apply *ap, enum apply_phase phase, const char *digest,
                const char *version, struct hook_result *ret);

/* From the switch on: activate, health, soak, end. `phase` is where to begin (ACTIVATE or SOAK).
 * 0: *ret_healthy says how it ended. -ERR_UNAVAILABLE: asked to stop during the soak. */
int apply_from(const struct apply *ap, const char *digest, enum apply_phase phase,
               bool *ret_healthy, struct err *err);

/* Leave `digest` for `to` ("": remove current), resumable at any point. */
int apply_back(const struct apply *ap, const char *digest, const char *to, const struct verdict *v,
               struct err *err);

/* Where to go back to from digest for this cause; `from`: what ran before it, preferred. */
int apply_way_back(const struct apply *ap, const char *digest, const char *from, const char *cause,
                   char ret[65], struct err *err);

/* Make releases/<digest> whole again, from its boot copy or blobs if need be. */
int apply_ensure_tree(const struct agent *a, const char *channel, const char *digest,
                      struct err *err);

/* One transaction on this channel's state. */
typedef void (*apply_change_fn)(struct state *s, struct state_channel *c, const void *ctx);
int apply_change(const struct apply *ap, apply_change_fn change, const void *ctx, struct err *err);

/* The version that the state knows for a digest; "" none. */
void apply_version(const struct apply *ap, const char *digest, char ret[RELEASE_VERSION_MAX]);

/* Count an attempt without verdict; at the limit the release is put away. */
void apply_count_unblamed(struct state_channel *c, const char *digest, const char *cause);

/* What the state says is to be left now, if it is this digest. */
bool apply_must_leave(const struct apply *ap, const char *digest, char ret_cause[STATE_CAUSE_MAX]);

#endif
