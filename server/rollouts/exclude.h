/*
 * exclude: devices out of the evidence, for good: clones that prove themselves, and what an
 * operator does not believe (DESIGN section 4). They are paced, admitted and recorded like all
 * others, and stand in no counter of any rollout. Batches that were formed stay as they are; direct
 * evidence, which is counted anew with each tick, loses theirs. Under the site lock.
 */
#ifndef FIREBREAK_SERVER_EXCLUDE_H
#define FIREBREAK_SERVER_EXCLUDE_H

#include "auth.h"
#include "fleet/fleet.h"

#define EXCLUDE_MAX 1000000 /* devices at once: they are rows of one commit */

/* Exactly one of the three. */
struct exclusion {
    const char *token, *group, *device; /* id of an enrolment token, name, id; else NULL */
};

struct excluded {
    int64_t devices, already; /* that it names; of them, those that were out before */
    int64_t uses;             /* withdrawn with the token */
};

/* One device, durably with this batch. */
void exclude_device(struct server *s, struct device *d, struct store_batch *b);

/* All that it names; with a token also its uses that are left, so that nobody more comes with it.
 * ERR_NOT_FOUND where it names nobody, ERR_TOO_LARGE: nothing is changed. */
int exclude_devices(struct server *s, const struct exclusion *x, struct store_batch *b,
                    struct excluded *ret, struct err *err);

#endif
