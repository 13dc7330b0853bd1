/*
 * admission: the threshold. Each decision moves it to the draw of the k-th lowest ready device,
 * never first come first served (docs/gate.md "Words"); a check-in in the next tick at or below it
 * gets a permit as long as that tick's allowance lasts.
 */
#ifndef FIREBREAK_SERVER_ADMISSION_H
#define FIREBREAK_SERVER_ADMISSION_H

#include "fleet/tally.h"
#include "rollout.h"

struct admission {
    struct threshold now[GATE_MAX_COHORTS], before[GATE_MAX_COHORTS];
    struct threshold canary_now, canary_before; /* instead of those while the canary ring is open */
    bool canary_ring;
    bool fleet_wide;
    int64_t left[GATE_MAX_COHORTS], left_fleet, left_canary; /* of this tick */
    int32_t moved[GATE_MAX_COHORTS], canary_moved; /* first tick of the present ones; 0: none yet */
};

/* Where its draw stands; `before`: as it stood in the tick before. */
bool admission_below(const struct admission *a, const struct arm *m);
/* Below it, or, of the canary group, below where it stood in the canary ring. */
bool admission_passed(const struct admission *a, const struct arm *m);
bool admission_was_below(const struct admission *a, const struct arm *m);
bool admission_has_room(const struct admission *a, const struct arm *m);
void admission_take(struct admission *a, const struct arm *m);
/* The threshold of those of a cohort that are in the canary group, or of the others. */
struct threshold admission_threshold(const struct admission *a, int cohort, bool canary);

/* At the end of a tick: allowances of the next one and the moved threshold. Late devices, passed
 * while away, are counted first. halted: per cohort. 0 or -ERR_NOMEM (nothing changes). */
int admission_move(struct admission *a, const struct tally *t, const struct arms *arms,
                   const struct rollout_decision *d, bool canary_ring, const bool *halted);
/* `tick` begins, with thresholds as they are now: those that moved hold from it on. */
void admission_begin(struct admission *a, int32_t tick);
/* The first tick of the threshold that speaks of it. */
int32_t admission_since(const struct admission *a, const struct arm *m);
/* Nobody more (halt, contradiction). */
void admission_close(struct admission *a);

#endif
