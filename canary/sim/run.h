/*
 * run: one seed of one scenario under one policy, until it is halted or complete, or the time
 * limit.
 */
#ifndef FIREBREAK_SIM_RUN_H
#define FIREBREAK_SIM_RUN_H

#include "fleet.h"

/* What came of one rollout, whoever steered it. Minutes are negative where it never happened. */
struct outcome {
    int64_t harm, stuck, exposed;
    int64_t exposed_at_halt;
    double halt_min; /* the first halt of a cohort that the defect hits (good content: of any) */
    double complete_min;
    double ask_min; /* first time a person was asked */
    int halted_cohorts;
    int false_halts; /* halted cohorts that the defect does not hit */
    int unproven;    /* rings promoted without proof */
    bool paused, warned;
    int admitted_paused; /* ticks in which somebody was admitted though paused: must be 0 */
    bool passed_cr; /* the policy's tightest CR margin was shown and the ring behind it opened */
    double peak_checkins;
    int metric, node; /* first halt's evidence; metric -1: direct or none; node -1: none */
    bool by_person;   /* no rule stopped it, a person who noticed did (others.h) */
};

/* Told after each tick; for reports. */
struct run_watch {
    void (*tick)(void *ctx, const struct rollout *r, const struct rollout_facts *f,
                 const struct rollout_decision *d, const struct fleet_totals *t);
    void *ctx;
};

/* `watch` may be NULL. */
int run_seed(const struct scenario *s, const struct policy *p, uint64_t seed,
             const struct run_watch *watch, struct outcome *ret, struct err *err);

#endif
