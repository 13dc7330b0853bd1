/*
 * gate: evidence in, verdict and reason out (GATE.md "Evidence" and "Verdicts"). Pure: no clock, no
 * I/O, no allocation; state is one plain struct, so that replaying stored batches rebuilds it.
 */
#ifndef FIREBREAK_GATE_H
#define FIREBREAK_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "eprocess.h"
#include "policy.h"
#include "topology.h"

#define GATE_REASON_MAX 240

/* What tells treated and control of one stratum and tick apart from other ones. */
enum stratum {
    STRATUM_MAIN,  /* ready before this tick; separated by the moved threshold */
    STRATUM_LATE,  /* first ready this tick, draw already below the threshold */
    STRATUM_FRESH, /* awake for less than fresh_wake */
    STRATUM_CANARY,
    N_STRATA
};
const char *stratum_name(enum stratum s);

struct batch {
    enum metric metric;
    int cohort;
    enum stratum stratum;
    int64_t tick;               /* of the trial */
    int64_t n_t, f_t, n_c, f_c; /* treated, failed treated, controls, failed controls */
};

enum verdict {
    VERDICT_WAIT,    /* not enough evidence yet: go on as paced */
    VERDICT_PROMOTE, /* the next ring opens */
    VERDICT_WARN,    /* blocks promotion */
    VERDICT_PAUSE,   /* nobody is admitted */
    VERDICT_ASK,     /* a person decides */
    VERDICT_HALT     /* stop and recall in the scope */
};
const char *verdict_name(enum verdict v);

struct gate_reason {
    enum verdict verdict;
    int node;   /* scope */
    int metric; /* enum metric, or N_METRICS + i of the policy's own; -1: direct evidence or none */
    double log_e, threshold;
    int64_t n_t, f_t, n_c, f_c; /* the node's sums behind it; direct: f_t = D, n_t = admitted */
    char text[GATE_REASON_MAX]; /* "SF windows-10.0.22631: 3 of 3 treated silent, 41 of 170,000
                                   controls; log E 14.2 >= 11.6" */
};

struct gate_sums {
    int64_t n_t, f_t, n_c, f_c;
};

struct gate {
    struct eprocess e[GATE_METRICS][GATE_MAX_NODES];
    double log_e[GATE_METRICS][GATE_MAX_NODES];     /* latest */
    int64_t forgiven[GATE_METRICS][GATE_MAX_NODES]; /* tolerance used */
    struct gate_sums sums[GATE_METRICS][GATE_MAX_NODES];
    int64_t fresh_sf[GATE_MAX_NODES];                        /* N of the SF tolerance */
    double ni_cr[POLICY_MAX_RINGS], ni_sl[POLICY_MAX_RINGS]; /* non-inferiority, per margin */
    double ni_best_cr[POLICY_MAX_RINGS], ni_best_sl[POLICY_MAX_RINGS]; /* had no treated failed */
    double control_crash[GATE_MAX_NODES]; /* 1.5 Sum soaking x control crash hazard, of L */
    int pause_ticks;                      /* clean ticks still asked for */
};

/* Per-node numbers of the tick that the verdict needs beside the batches. */
struct gate_facts {
    const struct batch *batches;
    int n_batches;
    const bool *halted;      /* per cohort: no longer speaks for the rest; NULL: none */
    const int64_t *admitted; /* per cohort */
    const int64_t *direct;   /* D per cohort: preflight failures and blamed rollbacks */
    const int64_t *soaking;  /* treated still soaking, per cohort */
    const int64_t *control_crashes,
        *controls;                          /* first consumer crashes this tick, devices at risk */
    int64_t silent_controls, tick_controls; /* control SF of this tick, for PAUSE */
    int silent_groups;                      /* enrolment groups among the silent controls */
    int groups;                             /* enrolment groups there are */
    bool deserted; /* whoever could be a control is away: a tick without any is not a clean one */
};

void gate_init(struct gate *g);

/* A cohort was halted: the nodes above it begin anew, without it. Their evidence cannot be taken
 * apart, and what is left of the dead cohort's would halt or warn all others at their next mishap.
 * Costs no error: that a cohort halts at all has its share of alpha, and each beginning is an
 * e-process. */
void gate_restart_above(struct gate *g, const struct topology *t, int cohort);

/* Take in one tick. Writes at most max reasons, worst first, and returns how many; halts and
 * warnings by node in ret_halt, ret_warn (GATE_MAX_NODES flags), pause in *ret_pause. Contradictory
 * counts (negative, f > n, above GATE_MAX_DEVICES) are refused: returns -1 and changes nothing. */
int gate_tick(struct gate *g, const struct policy *p, const struct topology *t,
              const struct gate_facts *f, struct gate_reason *ret, int max,
              bool ret_halt[GATE_MAX_NODES], bool ret_warn[GATE_MAX_NODES], bool *ret_pause);

/* -ln(alpha w_node w_metric). */
double gate_threshold(const struct policy *p, const struct topology *t, int node, enum metric m,
                      double alpha);
/* Where a node stands in one metric: "SA fleet: 2 of 300 treated fell silent, 5 of 900 controls;
 * log E -0.3 of 9.7" (the threshold of a halt). False where nothing was compared yet. */
bool gate_say_metric(const struct gate *g, const struct policy *p, const struct topology *t,
                     int node, enum metric m, char *ret, unsigned long size);
/* Largest D that is not yet a halt. */
int64_t gate_direct_limit(const struct policy *p, const struct topology *t, int node,
                          int64_t admitted, double control_crash);

#endif
