/*
 * trust: the privileged verification. What the fetching child left in incoming/ is gone through by
 * the same TUF client and the same walk as the child's, with the trusted metadata in
 * tuf/<repository>; what passes is kept (plan, manifests) and its consequences are written into the
 * state: first sight, lifted quarantines, recalls, revocations, refusals.
 *
 * What allows must be fresh and whole. What restricts need not: revocations count from metadata of
 * any age, from any mirror, and where all the rest has failed. One channel's trouble is its own.
 */
#ifndef FIREBREAK_CLIENT_TRUST_H
#define FIREBREAK_CLIENT_TRUST_H

#include "agent.h"

/* Begin to trust the configured root, where tuf/<repository> has none. ERR_UNTRUSTED where the
 * identity's repository is another one. */
int trust_init(const struct agent *a, struct err *err);

/* Verify incoming/ as of the wall clock. fetched: why the fetching child says that not all came
 * (NULL: it did), which tells more than that nothing is there. 0 also where a channel failed: the
 * first one's failure is in *ret_channel then (code 0: none), and where it is not the network's
 * doing the state holds the channel for it. ERR_HELD where the clock cannot be right. Revocations
 * are obeyed in any case. */
int trust_verify(const struct agent *a, const struct err *fetched, struct err *ret_channel,
                 struct err *err);

/* The folder of trusted metadata. */
struct path;
const char *trust_dir(struct path *p, const struct agent *a);

#endif
