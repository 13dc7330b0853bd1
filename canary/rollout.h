/*
 * rollout: the whole decision of one tick (GATE.md): rings, bake, pacing, gate. Facts in, decision
 * and reasons out. The server feeds it from its counters, the simulator from its fleet, a replay
 * from stored lines; the code is the same. Pure: no clock, no I/O, no allocation.
 */
#ifndef FIREBREAK_ROLLOUT_H
#define FIREBREAK_ROLLOUT_H

#include "draws.h"
#include "gate.h"
#include "policy.h"

/* One cohort's numbers at the end of a tick. "Now" is the tick's end. */
struct cohort_facts {
    int64_t ready;        /* ready, awake, not treated: those above the threshold */
    int64_t late;         /* ready, not treated, draw at or below the threshold */
    int64_t staging;      /* should stage, seen lately, not yet ready */
    int64_t passed_away;  /* passed by the threshold while away, not treated (asleep, held) */
    int64_t admitted;     /* permits given since the start */
    int64_t healthy;      /* H: two check-ins after applying */
    int64_t healthy_slow; /* H as of slow_window ago */
    int64_t excused;      /* treated, not healthy yet, said goodbye */
    int64_t overdue; /* treated, neither healthy nor excused, admitted stuck_ticks ago or more */
    int64_t canary_size, canary_ready,
        canary_admitted; /* of the canary group, also counted above */
    int64_t direct;      /* D since the start */
    int64_t soaking;
    int64_t control_crashes, controls; /* this tick */
};

struct rollout_facts {
    int64_t now_ms; /* of the rollout's own clock: elapsed while the server ran */
    int64_t tick;   /* counts from 0 */
    struct cohort_facts cohorts[GATE_MAX_COHORTS];
    const struct batch *batches;
    int n_batches;
    int64_t silent_controls, tick_controls;
    int silent_groups, groups;
    int64_t pace_ppm;     /* what the manifest's pace allows by now, the fastest device's view */
    bool person_promotes; /* a person (or two) opened the next ring: acts once */
};

/* Kept between ticks; plain data. */
struct rollout {
    struct policy policy;
    struct topology topology;
    struct gate gate;
    int ring;             /* index into the merged rings below */
    struct rollout_ring { /* the policy's rings on this fleet; equal ones are merged */
        enum ring_kind kind;
        int64_t cap;     /* devices */
        int policy_ring; /* the last policy ring merged into it */
        int64_t bake_ms;
        double rho_cr, rho_sl;
    } rings[POLICY_MAX_RINGS];
    int n_rings;
    int64_t full_since_ms; /* -1: ring not full yet */
    bool halted[GATE_MAX_COHORTS];
    bool all_halted, complete;
    int64_t probe[GATE_MAX_COHORTS], probe_fleet;
    int64_t idle_ticks[GATE_MAX_COHORTS];
    int64_t last_admitted[GATE_MAX_COHORTS];
    bool asks;    /* waits for a person */
    int unproven; /* rings promoted without proof */
};

#define ROLLOUT_MAX_REASONS 16

struct rollout_decision {
    enum verdict verdict;            /* the worst that holds */
    int64_t admit[GATE_MAX_COHORTS]; /* how many more may be given permits in the next tick */
    int64_t admit_canary;            /* of them from the canary group, while ring 0 is open */
    bool fleet_wide;                 /* small fleet: admit[0..] is a cap; the k = admit_fleet lowest
                                        draws of all ready devices are meant */
    int64_t admit_fleet;
    int64_t stage_ppm; /* y for the plan: share of draws that should stage */
    int64_t ask_ppm;   /* coarse share for the plan */
    int64_t tick_ms;   /* length of the next tick */
    int ring;
    bool ring_full, opened, completed;
    bool newly_halted[GATE_MAX_COHORTS];
    bool halts_all;
    struct gate_reason reasons[ROLLOUT_MAX_REASONS];
    int n_reasons;
    char stands[GATE_REASON_MAX]; /* one plain sentence: why it stands where it stands, what it
                                     waits for */
};

/* 0, or -1 with a reason in ret_why where the policy or the fleet cannot work. */
int rollout_init(struct rollout *r, const struct policy *p, const struct topology *t,
                 int64_t canary_size, char *ret_why, unsigned long size);

/* Staging share before the first tick. */
void rollout_first(const struct rollout *r, struct rollout_decision *ret);

/* Take in one tick's facts; 0, or -1 where they contradict themselves (nothing changes). */
int rollout_tick(struct rollout *r, const struct rollout_facts *f, struct rollout_decision *ret);

/* A cohort first seen during the rollout; its index, or -1 when the table is full. */
int rollout_add_cohort(struct rollout *r, const char *name, const char *os);

#endif
