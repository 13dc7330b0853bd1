/*
 * pacing: how many more devices may have the release now. Growth is clocked by acknowledgements:
 * devices that die cannot acknowledge, so it stops before any statistics are needed.
 *
 *     A_c <= min( n0_c + probe + g H_c ; 2000 s_c + 8 H_c(slow_window ago) ; ring cap )
 *
 * per cohort, or fleet-wide for small fleets and in the canary ring.
 */
#ifndef FIREBREAK_PACING_H
#define FIREBREAK_PACING_H

#include "rollout.h"

/* n0 of a fleet: 1 % of it, at least 1, at most the policy's; of a small fleet at most 3, as so
 * many that stay away stop it. */
int64_t pacing_first(const struct policy *p, int64_t fleet);

/* n0 over the cohorts, by largest remainder; ties go to the earlier row. */
void pacing_spread(int64_t n0, const struct topology *t, int64_t ret[GATE_MAX_COHORTS]);

/* 0 up to small_fleet devices, 1 from ten times that, straight between: how far the rules of small
 * fleets (each step waits for the acknowledgements of the one before, few may stay away) give way
 * to the statistics, which are then quicker. Without it the harm jumps at small_fleet. */
double pacing_passage(const struct policy *p, int64_t fleet);

/* Treated devices that may stay unacknowledged: floor(2 + tau A + 3 sqrt(tau A)), in the passage up
 * to ten times that, beyond it no limit (INT64_MAX). */
int64_t pacing_unacknowledged_limit(const struct policy *p, int64_t fleet, int64_t admitted);

/* First content on one platform build, outside any rollout: how many devices may have been given it
 * and not have come back yet, where so many run it well. From 100 on it is known ground
 * (INT64_MAX). */
int64_t pacing_ground_room(int64_t settled);

/* Treated, neither healthy nor excused. */
int64_t pacing_unacknowledged(const struct cohort_facts *f);

/* Treated, not heard of yet, not overdue either. */
int64_t pacing_in_flight(const struct cohort_facts *f);

/* True where the manifest's pace lets nobody more in by now. */
bool pacing_held_by_pace(const struct rollout *r, const struct rollout_facts *f,
                         const struct cohort_facts *sum);

/* True while the fast tick holds: until the ring that is given as a count (where there is none, the
 * first that is not the canary group's) is full. */
bool pacing_is_fast(const struct rollout *r);

/* Fill the admissions of the next tick; advances probes and idle counts. Not while paused or
 * asking: then only pacing_hold(). `sum` are the facts of all live cohorts. */
void pacing_admit(struct rollout *r, const struct rollout_facts *f, const struct cohort_facts *sum,
                  struct rollout_decision *ret);

/* A tick without admissions by decision: idle time does not count. */
void pacing_hold(struct rollout *r, const struct rollout_facts *f);

#endif
