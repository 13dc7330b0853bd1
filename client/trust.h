/*
 * trust: the privileged verification. What the fetching child left in incoming/ is gone through by
 * the same TUF client and the same walk as the child's, with the trusted metadata in
 * tuf/<repository>; what passes is kept (plan, manifests) and its consequences are written into the
 * state: first sight, lifted quarantines, recalls, refusals.
 */
#ifndef FIREBREAK_CLIENT_TRUST_H
#define FIREBREAK_CLIENT_TRUST_H

#include "agent.h"

/* Begin to trust the configured root, where tuf/<repository> has none. ERR_UNTRUSTED where the
 * identity's repository is another one. */
int trust_init(const struct agent *a, struct err *err);

/* Verify incoming/ as of the wall clock. */
int trust_verify(const struct agent *a, struct err *err);

/* The folder of trusted metadata. */
struct path;
const char *trust_dir(struct path *p, const struct agent *a);

#endif
