/*
 * fleet: a fleet of millions in one rollout, counted per cohort (and canary group), not per device.
 * One step is one tick of any length: orders in, the facts out that a server would have counted,
 * for rollout_tick() or for any other policy. The same scenario and seed give the same fleet;
 * devices are neither lost nor made (fleet_count).
 *
 * A device is: not asked to stage -> staging -> ready (a control) -> treated; awake or asleep
 * throughout. The moving threshold passes by devices that are away: they come back as late joiners.
 * Treated devices that the release kills leave the treated.
 */
#ifndef FIREBREAK_SIM_FLEET_H
#define FIREBREAK_SIM_FLEET_H

#include "rollout.h"
#include "scenario.h"

/* What the server's plan and permits say for one tick. */
struct fleet_orders {
    bool fleet_wide; /* the admit_fleet lowest draws of all ready devices; else admit[] */
    int64_t admit_fleet, admit[GATE_MAX_COHORTS];
    int64_t admit_canary; /* > 0: the lowest draws of the canary group, and nobody else */
    int64_t stage_ppm[GATE_MAX_COHORTS];
};

void fleet_orders_of(const struct rollout_decision *d, int n_cohorts, struct fleet_orders *ret);

struct fleet;

/* s and p are copied. */
int fleet_new(const struct scenario *s, const struct policy *p, uint64_t seed, struct fleet **ret,
              struct err *err);
void fleet_free(struct fleet *f);

const struct topology *fleet_topology(const struct fleet *f);

/* One tick. ret: the facts at its end; batches stay valid until the next step. */
int fleet_step(struct fleet *f, const struct fleet_orders *o, int64_t tick_ms,
               struct rollout_facts *ret, struct err *err);
/* Halt and recall: from the next tick on nobody of the cohort is admitted and the defect rests. */
void fleet_recall(struct fleet *f, int cohort);

struct fleet_totals {
    int64_t devices, admitted;
    int64_t harm;         /* crashed by the content */
    int64_t stuck;        /* of them not back by themselves */
    double peak_checkins; /* a second, so far */
};
void fleet_totals(const struct fleet *f, struct fleet_totals *ret);
/* Devices of a cohort over all states; always the cohort's size. */
int64_t fleet_count(const struct fleet *f, int cohort);
/* True where no state of any cohort holds a negative number. */
bool fleet_is_sane(const struct fleet *f);

#endif
