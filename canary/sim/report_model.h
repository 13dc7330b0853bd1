/*
 * report_model: one rollout as numbers to draw: what the gate did, its evidence, and what rollouts
 * without a gate make of the same scenario and seed. No pixels.
 */
#ifndef FIREBREAK_SIM_REPORT_MODEL_H
#define FIREBREAK_SIM_REPORT_MODEL_H

#include "others.h"

#define REPORT_MAX_EVENTS 12
#define REPORT_GATE       N_OTHERS /* index of the gate among the runs; before it: enum other_kind */
#define REPORT_RUNS       (N_OTHERS + 1)

struct report_point {
    double min, exposed, crashed;
};

struct report_run {
    struct outcome outcome;
    struct report_point *points; /* by tick, from 0; owned */
    int n_points, max_points;
    double last_min; /* it was looked at so long */
};

/* What the picture marks on the gate's run. */
enum report_event_kind {
    REPORT_OPENED,
    REPORT_COMPLETED,
    REPORT_WARNED,
    REPORT_PAUSED,
    REPORT_RESUMED,
    REPORT_ASKED,
    REPORT_HALTED
};

struct report_event {
    enum report_event_kind kind;
    double min;
    char text[GATE_REASON_MAX + 160];
};

struct report_evidence {
    bool halted; /* this is what halted it; else it came nearest */
    bool direct; /* rollbacks and refusals against their limit; else log E */
    int metric;  /* enum metric, or -1 */
    int node;
    char name[GATE_NAME_MAX]; /* of the node */
    char metric_name[METRIC_NAME_MAX];
    double halt, warn; /* thresholds of log E */
    struct report_level {
        double min, value, limit; /* limit: of direct evidence */
    } * levels;                   /* by tick; owned */
    int n_levels, max_levels;
};

struct report {
    char scenario[SCENARIO_NAME_MAX], text[SCENARIO_TEXT_MAX], policy[POLICY_NAME_MAX];
    int64_t fleet;
    int builds;
    bool good;     /* no defect: whoever stops it is wrong */
    uint64_t seed; /* as the person gave it */
    struct report_run runs[REPORT_RUNS];
    struct report_event events[REPORT_MAX_EVENTS];
    int n_events, more_events; /* more than are kept */
    struct report_evidence evidence;
};

/* Play the gate and the others with `seed`; `shown_seed` is what the report says. Free it with
 * report_release, also after a failure. */
int report_sample(const struct scenario *s, const struct policy *p, uint64_t seed,
                  uint64_t shown_seed, struct report *ret, struct err *err);
void report_release(struct report *r);

/* When nothing more happens that a person would look at: it stopped, or nine tenths of those that
 * crash (good content: of those that get it) have. */
double report_run_end(const struct report_run *run);

#endif
