/*
 * ring: the policy's rings on one fleet; how large they are and when they are full.
 */
#ifndef FIREBREAK_RING_H
#define FIREBREAK_RING_H

#include "rollout.h"

/* Lay the policy's rings over the fleet. Rings that do not grow over the one before are merged into
 * it, with the longest bake and all margins. canary_size 0: no canary ring. */
void ring_build(struct rollout *r, int64_t canary_size);
/* Caps anew, after cohorts grew. */
void ring_resize(struct rollout *r);

/* Devices of one cohort that the ring may hold. */
int64_t ring_cohort_cap(const struct rollout *r, int ring, int cohort);
/* Devices that the ring may hold, halted cohorts left out. */
int64_t ring_live_cap(const struct rollout *r, int ring);

/* How many more canaries than are admitted may be, so that at least half of the awake ones stay
 * controls. `sum` are the facts of all live cohorts. */
int64_t ring_canary_room(const struct rollout *r, const struct cohort_facts *sum);

/* True while devices that stage are waited for: a moved threshold would pass them by. */
bool ring_waits_for_staging(const struct rollout *r, int64_t tick, const struct cohort_facts *of);

/* More of those who take part are away than here: the few that are left are no measure of a ring.
 */
bool ring_is_deserted(const struct cohort_facts *sum);

/* 90 % of its count; or, where it is not deserted, 97 % of the ready and awake, and of the last
 * ring all but hardly anybody who is ready. */
bool ring_is_full(const struct rollout *r, int64_t tick, const struct cohort_facts *sum);

#endif
