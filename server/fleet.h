/*
 * fleet: every enrolled device in memory, its arm in the rollout of each channel, and the counters
 * by tick that the gate is fed from, O(1) a check-in (GATE.md "Counters"). No I/O; under the site
 * lock. Written by the fleet's engineer; rows come in through fleet_load.c.
 */
#ifndef FIREBREAK_SERVER_FLEET_H
#define FIREBREAK_SERVER_FLEET_H

#include "checkin.h"
#include "server.h"

struct device;

int fleet_open(struct server *s, struct fleet **ret, struct err *err); /* loads from the store */
void fleet_free(struct fleet *f);
int fleet_reload(struct server *s, struct err *err);

struct device *fleet_find(struct fleet *f, const char *device_id);
int64_t fleet_size(const struct fleet *f);

#endif
