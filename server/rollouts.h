/*
 * rollouts: rollouts in flight, between the counters (fleet.h), the decision (canary/rollout.h) and
 * the signed plan (repo.h). Under the site lock.
 */
#ifndef FIREBREAK_SERVER_ROLLOUTS_H
#define FIREBREAK_SERVER_ROLLOUTS_H

#include <jansson.h>

#include "server.h"

int rollouts_open(struct server *s, struct rollouts **ret,
                  struct err *err); /* loads, replays ticks */
void rollouts_free(struct rollouts *r);
int rollouts_reload(struct server *s, struct err *err);

/* Run every tick that is due at now (boot clock); returns ms until the next one. Commits. */
int64_t rollouts_tick(struct server *s);

/* True if this digest is part of a rollout in flight, the baseline or a recall's way back: content
 * metadata must go on listing it. */
int rollouts_needs(struct server *s, const char *channel, const char *digest);

#endif
