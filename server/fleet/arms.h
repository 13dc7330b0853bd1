/*
 * arms: what each device is in one rollout: treated, control, or neither yet (docs/gate.md
 * "Words"). One array per rollout, indexed by device.index; plain memory, rebuilt from exposures
 * and device_channel rows after a restart.
 *
 * Devices without evidence (clones, enrolled after the start, taken out by an operator) are paced,
 * admitted and recorded like all others, but stand in no counter.
 */
#ifndef FIREBREAK_SERVER_ARMS_H
#define FIREBREAK_SERVER_ARMS_H

#include "fleet/counters.h"
#include "fleet/watch.h"
#include "permit.h"

#define ARM_AWAKE_TICKS 2 /* ready "now": said so in this tick or the one before */
#define ARM_ACKS        2 /* check-ins on the release that make a device healthy */

/* X(NAME, text of the exposure's row) */
#define ARM_STATES(X)                                                                              \
    X(UNTREATED, "untreated") /* no exposure */                                                    \
    X(GRANTED, "granted")                                                                          \
    X(APPLIED, "applied")                                                                          \
    X(HEALTHY, "healthy")                                                                          \
    X(CRASHED, "crashed") /* and still on the release; acknowledges anew */                        \
    X(PREFLIGHT_FAILED, "preflight_failed")                                                        \
    X(ROLLED_BACK, "rolled_back")                                                                  \
    X(RECALLED, "recalled")

/* First events, one bit a metric (1 << METRIC_x), and what keeps a device out of some metrics. */
#define MARK_FLAKY  0x40   /* a crash in the 7 days before it staged: not in CR */
#define MARK_BARE   0x80   /* ran nothing on the channel then: reports no crash, not in CR and RB */
#define MARK_FIGURE 0x100  /* << i: in the i-th metric of the policy's own */
#define MARK_APART  0x1000 /* not there when the threshold last moved: in no trial until it does */
#define MARKS_KEPT  (MARK_FLAKY | MARK_BARE | MARK_APART) /* whatever becomes of first events */

enum arm_state {
#define X(name, text) ARM_##name,
    ARM_STATES(X)
#undef X
        N_ARM_STATES
};
const char *arm_state_name(enum arm_state s);
int arm_state_from(const char *text, enum arm_state *ret);

/* What the tally counts an arm as; see tally.h. */
struct tallied {
    int32_t slot;           /* of its histogram, or of its permit for being overdue */
    int32_t soaks, healthy; /* slots by age */
    int32_t heard;          /* treated: its slot of time, hist says among which */
    uint16_t is;            /* bits of tally.c */
    uint8_t hist;           /* besides HIST_ALL; 0 none */
};

struct arm {
    uint64_t u;                                  /* its draw for this release */
    int32_t first_ready, prev_ready, ready_tick; /* ticks that it said ready in; -1 never */
    int32_t seen_tick;                           /* last check-in; -1 */
    int32_t pool_tick; /* last check-in treated, or as one that the threshold may pass; -1 */
    int32_t granted_tick, ack_tick; /* -1 */
    int32_t stood_tick; /* when it last stood in SA, SL and CR, or began anew there; -1 */
    int64_t granted_ms, healthy_ms; /* of the rollout's clock; -1 */
    int64_t granted_wall_ms;
    struct standing standing;
    struct place silent, long_silent, reboot; /* where it stands in SA, SL and RB */
    struct place alive;                       /* heard lately: at risk in CR */
    struct tallied tallied;
    int32_t heard;                   /* the tally's slot of its last check-in; -1 */
    int32_t marks_from;              /* the round that its marks are of */
    int32_t crash_tick, reboot_tick; /* of its first crash, its last announced reboot; -1 */
    uint8_t state, stratum;
    uint8_t watched; /* stratum in SA, SL, RB and CR, as of its last check-in; N_STRATA none */
    uint16_t marks;
    uint16_t figures;     /* what its consumer said in the tick below; see flight_figures.c */
    int32_t figures_tick; /* -1 never */
    uint8_t group;        /* enrolment group, as far as groups are told apart */
    int8_t cohort;        /* -1: no row left for it */
    int acks;
    char nonce[NONCE_LEN + 1]; /* of the last permit */
    bool known;                /* filled in */
    bool evidence;
    bool canary;
    bool ready;       /* said so in its last check-in */
    bool paced;       /* ready, but the manifest's pace has not reached it */
    bool held;        /* its owner or its boot guard holds updates */
    bool running;     /* runs the release */
    bool risks;       /* a crash that it reports next counts in CR */
    bool given;       /* got it as its first content, without exposure in this rollout */
    bool away;        /* said goodbye */
    bool excluded;    /* clones, taken out by an operator: not believed, and not waited for */
    bool due;         /* waited in its last check-in with a draw already passed */
    bool tracked;     /* asked every tick */
    bool steady;      /* no consumer crash in the 7 days before it staged */
    bool direct;      /* counted as direct evidence */
    bool crashed;     /* reported a crash on the release */
    bool crash_spent; /* its first crash as a control is counted */
    bool soaked;
    bool booted; /* runs the release, since a boot on it */
};

struct arms {
    struct arm *rows;
    int64_t n;
};

void arms_release(struct arms *a);
/* The arm of a device; made empty where it is new. NULL: no memory. */
struct arm *arms_at(struct arms *a, uint32_t device_index);

static inline bool arm_is_treated(const struct arm *m)
{
    return m->state != ARM_UNTREATED;
}

/* It has its permit, and has not come back healthy. */
bool arm_is_under_way(const struct arm *m);
/* Ready and not treated, as of its last check-in. */
bool arm_is_ready(const struct arm *m);
/* Treated, neither healthy nor away with a goodbye, and believed. Failed ones never acknowledge:
 * what no direct evidence speaks of (an unblamed rollback) still stops growth so. */
bool arm_is_unacknowledged(const struct arm *m);

#endif
