/*
 * rollout: the whole decision of one tick (docs/gate.md): rings, bake, pacing, gate. Facts in,
 * decision and reasons out. The server feeds it from its counters, the simulator from its fleet, a
 * replay from stored lines; the code is the same. Pure: no clock, no I/O, no allocation; the state
 * is one plain struct, to be stored and restored as bytes by one program version only.
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
    int64_t excused;      /* treated, not healthy yet, away with a goodbye */
    int64_t overdue; /* treated, neither healthy nor excused, admitted stuck_ticks ago or more */
    int64_t canary_size, canary_ready,
        canary_admitted; /* of the canary group, also counted above */
    int64_t direct;      /* D since the start */
    int64_t soaking;
    int64_t control_crashes, controls; /* this tick */
    int64_t booted;                    /* treated, came back from a boot on the release */
    int64_t heard;                     /* treated, heard lately, no goodbye since */
    int64_t away;        /* untreated, should have the release, was heard in this rollout, and is
                            not now: with a goodbye or without */
    int64_t canary_away; /* of the canary group, also counted in away */
};

struct rollout_facts {
    int64_t now_ms; /* of the rollout's own clock: elapsed while the server ran */
    int64_t tick;   /* counts from 0 */
    struct cohort_facts cohorts[GATE_MAX_COHORTS];
    const struct batch *batches;
    int n_batches;
    int64_t silent_controls, tick_controls;
    int silent_groups, groups;
    bool hears; /* `heard` and `away` are counted. False in ticks stored before they were: then all
                   who are treated pass for heard, and nobody for away */
    int64_t pace_ppm;     /* what the manifest's pace allows by now, the fastest device's view; the
                             canary ring is exempt, as its devices are */
    bool early_boot;      /* the manifest's: rings bake in boots, too */
    bool person_promotes; /* a person (or two) said go on: acts once. Where too many treated devices
                             stay unacknowledged it accepts those and the ring goes on; else it
                             opens the next ring, one at most. Never against a halt. */
};

#define ROLLOUT_PROOF_LN 2.995732273553991 /* ln 20: a margin is shown with an error of 5 % */

/* Kept between ticks; plain data. */
struct rollout {
    struct policy policy;
    struct topology topology;
    struct gate gate;
    int ring;             /* index into the merged rings below */
    struct rollout_ring { /* the policy's rings on this fleet; equal ones are merged */
        enum ring_kind kind;
        int64_t cap;           /* devices, of the whole fleet */
        int first_policy_ring; /* the first and the last policy ring merged into it; -1, -1: holdout
                                */
        int policy_ring;
        int64_t share_ppm; /* of the fleet; RING_CANARY: 0 */
        int64_t bake_ms, bake_boots;
        double rho_cr, rho_sl; /* the strictest that must be shown to leave it; 0: none */
    } rings[POLICY_MAX_RINGS];
    int n_rings;
    int64_t full_since_ms; /* less the time in which nobody was heard; -1: ring not full yet */
    int64_t last_ms;       /* the tick before */
    bool halted[GATE_MAX_COHORTS];
    bool all_halted, complete;
    int64_t probe[GATE_MAX_COHORTS], probe_fleet;
    int64_t idle_ticks[GATE_MAX_COHORTS], idle_fleet; /* without an admission, pauses apart */
    int64_t last_admitted[GATE_MAX_COHORTS];
    int64_t staged_tick; /* when the staging share last rose */
    int64_t stage_ppm;
    int64_t accepted;      /* unacknowledged devices that a person accepted */
    int64_t accepted_away; /* devices that were away when a person said go on */
    double best_at_full_cr[POLICY_MAX_RINGS], best_at_full_sl[POLICY_MAX_RINGS];
    bool asks;    /* waits for a person */
    int unproven; /* rings promoted without proof */
};

#define ROLLOUT_MAX_REASONS 16

struct rollout_decision {
    enum verdict verdict; /* the worst that holds; HALT also where one cohort is halted and
                             the others go on: see halts_all */
    int64_t admit[GATE_MAX_COHORTS]; /* how many more may be given permits in the next tick */
    int64_t admit_canary;            /* of them from the canary group, while ring 0 is open */
    bool fleet_wide;                 /* small fleet or canary ring: admit[0..] is a cap; the k =
                                        admit_fleet lowest draws of all ready devices (while
                                        admit_canary > 0: of the canary group's) are meant */
    int64_t admit_fleet;
    int64_t stage_ppm; /* y for the plan: share of draws that should stage; the canary group does */
    int64_t stage_cohort_ppm[GATE_MAX_COHORTS]; /* y where a cohort is so small that it needs more;
                                                   never below stage_ppm */
    int64_t tick_ms;                            /* length of the next tick */
    int ring;
    bool ring_full, opened, completed; /* opened, completed: in this tick */
    bool newly_halted[GATE_MAX_COHORTS];
    bool halts_all;
    struct gate_reason reasons[ROLLOUT_MAX_REASONS];
    int n_reasons;
    char stands[GATE_REASON_MAX]; /* one plain sentence: why it stands where it stands, what it
                                     waits for */
};

/* 0, or -1 with a reason in ret_why where the policy or the fleet cannot work. A canary group of
 * size 0 means no canary ring. */
int rollout_init(struct rollout *r, const struct policy *p, const struct topology *t,
                 int64_t canary_size, char *ret_why, unsigned long size);

/* Staging share before the first tick; nobody is admitted. */
void rollout_first(const struct rollout *r, struct rollout_decision *ret);

/* Take in one tick's facts; 0, or -1 where they contradict themselves (nothing changes). A complete
 * rollout goes on: what comes back later is still paced, watched and halted. */
int rollout_tick(struct rollout *r, const struct rollout_facts *f, struct rollout_decision *ret);

/* The gate's half of a tick alone: evidence in, halts, warnings and pauses out, no rings, no
 * pacing, no questions: for evidence of which nothing else is known. Of the decision verdict,
 * reasons, newly_halted and halts_all are filled. Returns as rollout_tick. */
int rollout_judge(struct rollout *r, const struct rollout_facts *f, struct rollout_decision *ret);

/* A cohort first seen during the rollout; its index, or -1 when the table is full. Its size counts
 * from what the facts then show. */
int rollout_add_cohort(struct rollout *r, const char *name, const char *os);

/* The n-th margin (from 0) that must be shown to leave the present ring: "odds of a crash below 1.5
 * times the controls': not shown yet, proof 1.2 of 3.0". False where there is none. */
bool rollout_say_margin(const struct rollout *r, int n, char *ret, unsigned long size);

/* "ring 2 of 4 (10 %)" */
void rollout_ring_name(const struct rollout *r, int ring, char *ret, unsigned long size);

#endif
