/* stage: from a wanted release to a complete, verified tree: what is to be downloaded, what comes
 * in, and what is not needed any longer. */
#ifndef FIREBREAK_CLIENT_STAGE_H
#define FIREBREAK_CLIENT_STAGE_H

#include <jansson.h>

#include "agent.h"

/* What to stage or ask for in one channel, with everything considered. */
struct stage_choice {
    struct want want; /* digest "": nothing */
    char hold[64];    /* why nothing new is applied; "" none */
    char refused[65]; /* a release that the plan means and this device refuses; "" none */
    char refusal[32]; /* why */
    bool staged;      /* its tree is there */
    int64_t pace_wait_s;
};

/* Choose, from the state s as loaded. 0 also where there is no plan yet. */
int stage_choose(const struct agent *a, struct state *s, const struct config_channel *conf,
                 struct stage_choice *ret, struct err *err);

/* The blobs of a release that are neither here nor, in full, in incoming/: [{"sha256","length"}].
 * ERR_FULL where the disk has no room for them and the tree. */
int stage_missing(const struct agent *a, const char *channel, const char *digest, json_t **ret,
                  struct err *err);

/* Privileged: take the blobs in, build the tree, collect what is not needed. A blob that does not
 * hold what its name says is removed, to be fetched anew. */
int stage_build(const struct agent *a, const char *channel, const char *digest, struct err *err);

#endif
