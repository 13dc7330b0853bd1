/*
 * ungranted: what devices say of the release under rollout without ever having been granted it. It
 * is evidence of nothing (flight_hear takes none of it) and is told in the log, a line a minute at
 * most: who makes it up could else fill the log. Under the site lock.
 */
#ifndef FIREBREAK_SERVER_UNGRANTED_H
#define FIREBREAK_SERVER_UNGRANTED_H

#include <stdbool.h>
#include <stdint.h>

#include "rollouts/flight.h"

#define UNGRANTED_LOG_MS 60000

/* Its new events that name the release, of a device that never had a permit for it: neither from
 * the rollout nor as its first content. Refusals are no such claim. */
int ungranted_events(const struct flight *f, const struct arm *m, const struct hearing *h);
/* So many more; true where they are to be told, *ret_since: how many since the last time. */
bool ungranted_count(struct ungranted *u, int n, int64_t boot_ms, int64_t *ret_since);

/* Both, for a check-in that flight_hear has taken in: counted and logged. */
void ungranted_note(struct server *s, const struct flight *f, const struct arm *m,
                    const struct device *d, const struct hearing *h);

#endif
