/*
 * policy: how a rollout proceeds (GATE.md), as plain data. Policies are files under
 * canary/policies/, named, versioned, editable and checked; policy_file.h reads them. All durations
 * of the file are seconds and may be fractions, so that tests and demonstrations shrink them; here
 * they are milliseconds.
 */
#ifndef FIREBREAK_POLICY_H
#define FIREBREAK_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_NAME_MAX   32
#define POLICY_MAX_RINGS  8
#define POLICY_MAX_EXTRAS 4  /* metrics of a policy's own */
#define METRIC_NAME_MAX   24 /* of an extra one */

/* X(NAME, text, halt weight w_metric, first tick of resolution: intervals after the trial) */
#define METRIC_TABLE(X)                                                                            \
    X(SF, "SF", 0.30, 5)  /* first check-in after admission missing */                             \
    X(SA, "SA", 0.15, 7)  /* silence */                                                            \
    X(SL, "SL", 0.20, 17) /* long silence */                                                       \
    X(RB, "RB", 0.05, 17) /* reboot not survived */                                                \
    X(CR, "CR", 0.30, 4)  /* crash */

enum metric {
#define X(name, text, weight, lag) METRIC_##name,
    METRIC_TABLE(X)
#undef X
        N_METRICS
};
/* The policy's own metrics follow the built-in ones: the i-th is metric N_METRICS + i. */
#define GATE_METRICS (N_METRICS + POLICY_MAX_EXTRAS)

/* Of built-in ones only; policy_metric_name() knows all. */
const char *metric_name(enum metric m);
/* w_metric of a policy without metrics of its own; policy_metric_weight() is what the gate uses. */
double metric_weight(enum metric m);
/* Ticks of 60 s from the trial to its batch. SF and SA count check-in intervals whatever a tick's
 * length; the others are times. */
int metric_lag_ticks(enum metric m);

enum ring_kind {
    RING_CANARY, /* the canary group: a random half is admitted, the other half is its control */
    RING_COUNT,  /* this many devices, or share_ppm of the fleet if that is fewer */
    RING_SHARE   /* this share of the fleet */
};

/* A health figure of the consumer's, told in check-ins: above the limit the trial has failed. */
struct policy_metric {
    char name[METRIC_NAME_MAX]; /* the figure's, and the metric's */
    double limit;
    double weight; /* w_metric; the built-in ones share what is left */
    bool halts;    /* false: it warns only */
};

struct policy_ring {
    enum ring_kind kind;
    int64_t count;
    int64_t share_ppm;
    int64_t bake_ms;       /* after the ring is full; the last ring's is 0 */
    int64_t bake_boots;    /* early-boot content: so many devices must have come back from a boot
                              on it, all that are healthy where those are fewer; 0: none */
    double rho_cr, rho_sl; /* non-inferiority margins to leave this ring; 0: none asked */
};

enum underpowered_rule { UNDERPOWERED_BAKE, UNDERPOWERED_APPROVE };

struct policy {
    char name[POLICY_NAME_MAX];
    int64_t version;
    int64_t fast_tick_ms; /* until the RING_COUNT ring is full (standard: 10 s) */
    int64_t tick_ms;      /* afterwards (60 s) */
    struct policy_ring rings[POLICY_MAX_RINGS];
    int n_rings;
    enum underpowered_rule underpowered;
    double alpha;      /* any false halt by the e-tests; 1e-3 */
    double alpha_warn; /* 0.05 */
    double tau;        /* benign SF rate allowed for; 5e-4 */
    double tau_rb;     /* benign direct evidence per admission; 2e-4 */
    int64_t n_adv;     /* hostile devices to withstand; min(this, floor(0.1 % of the fleet)) */
    int64_t n0;        /* first admissions; 4 */
    double growth_fast, growth; /* g: 1.5 with fast ticks, 2 afterwards */
    int64_t max_admissions_s;   /* 2,500 */
    int64_t stuck_ticks;        /* probe after so many ticks without admission; 6 */
    int64_t small_fleet;        /* below: pacing, caps and draws fleet-wide; 5,000 */
    int64_t direct_window_ms;   /* direct evidence counts so long after the switch; 60 min */
    int64_t slow_window_ms;     /* H_c(15 min ago) */
    int64_t fresh_wake_ms;      /* devices awake for less form strata of their own; 15 min */
    int64_t long_silence_ms;    /* SL: a silence is long; 15 min, never less than three ticks */
    int64_t reboot_window_ms;   /* RB: to be back in after an announced reboot; 15 min, as above */
    int64_t stage_wait_ticks;   /* wait so long for devices still staging when a threshold is due */
    int64_t budget_s;           /* check-ins a second to track; 10,000 */
    int64_t holdout_ppm;        /* held back as control; 0 */
    int64_t holdout_ms;
    struct policy_metric extras[POLICY_MAX_EXTRAS];
    int n_extras;
};

/* The standard policy's numbers (rings included). */
void policy_standard(struct policy *ret);

/* "the canary group", "2,000 devices", "10 %" */
void policy_ring_name(const struct policy_ring *ring, char *ret, unsigned long size);

/* Built-in and own ones. */
int policy_metrics(const struct policy *p);
const char *policy_metric_name(const struct policy *p, enum metric m);
/* False where it has none of that name; case counts. */
bool policy_find_metric(const struct policy *p, const char *name, enum metric *ret);
/* w_metric: shares of the error that sum to 1 over all of them. */
double policy_metric_weight(const struct policy *p, enum metric m);
/* Its evidence halts, and does not only warn. */
bool policy_metric_halts(const struct policy *p, enum metric m);

/* Why a policy cannot work, and where: a member's path in its file ("rings[2].rho_cr"). */
struct policy_fault {
    char where[48];
    char why[144];
};
/* NULL, or ret->why ("ring 3 (1 %) does not grow over ring 2"). */
const char *policy_find_fault(const struct policy *p, struct policy_fault *ret);
/* The same, the words only: NULL, or ret_why. */
const char *policy_check(const struct policy *p, char *ret_why, unsigned long size);

#endif
