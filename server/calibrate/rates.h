/*
 * rates: what a fleet does anyway, counted: failures of each metric, both arms together, by cohort
 * and for the fleet, with intervals, and what they say of a policy. Pure, but for JSON.
 *
 *   rates_take   once a tick: what that tick's trials came to -> sums
 *   rates_figure sums -> rate, 95 % interval, spread
 *   rates_margin sums -> could a margin of the policy be shown on this fleet?
 *
 * Trials are those of the gate (docs/gate.md), so a rate is what `tau` and the margins mean: SF, SA
 * and SL per trial, RB per announced reboot, CR per device and tick. Only first events count.
 *
 * The interval is Clopper and Pearson's. It holds for failures that come one by one; where they
 * come in bursts the spread (variance between ticks over that of independent failures) is above 1,
 * and both counts are divided by it first.
 */
#ifndef FIREBREAK_SERVER_RATES_H
#define FIREBREAK_SERVER_RATES_H

#include <jansson.h>

#include "base/err.h"
#include "gate.h"

struct rate {
    int64_t trials, failures;
    int64_t batches;  /* ticks with trials */
    double squares;   /* sum of failures^2 / trials over them */
    double device_ms; /* trials, each as long as it took */
};

struct rates_row {
    char name[GATE_NAME_MAX];
    struct rate of[N_METRICS];
};

struct rates {
    struct rate fleet[N_METRICS];
    struct rates_row rows[GATE_MAX_COHORTS];
    int n_rows; /* cohorts beyond the table count in the fleet only */
    int64_t admitted, direct;
    int64_t crashes, consumer_crashes, goodbyes, reboots; /* events heard */
};

/* One tick's trials of one metric: by row of the topology, each so long. */
struct rates_tick {
    int64_t trials[GATE_MAX_COHORTS], failures[GATE_MAX_COHORTS];
    int64_t span_ms;
};
void rates_take(struct rates *r, enum metric m, const struct topology *t,
                const struct rates_tick *tick);

struct rate_figure {
    double rate, low, high; /* 0, 0, 1 without trials */
    double spread;          /* 1 where there are too few failures to tell */
};
struct rate_figure rates_figure(const struct rate *r);

/* Exact bounds of a share: P(that many failures or more | low) = P(as many or fewer | high) =
 * error. Counts may be fractions. */
double rates_low(double trials, double failures, double error);
double rates_high(double trials, double failures, double error);

/* Crashes per device and day. */
double rates_crashes_day(const struct rate *r);

/* Whether a ring's margin could be shown in four of its bakes by a release that changes nothing:
 * the log evidence expected of them, by the gate's arithmetic, beside what is needed. */
struct rates_margin {
    double expected, needed;
    double bakes; /* in so many it would be there; 0: never */
};
struct rates_ring {
    double rho, share;        /* the margin, and the ring's share of the fleet */
    int64_t bake_ms, span_ms; /* of a bake; of one batch */
    double scale;             /* devices that a rollout compares to one counted here */
};
struct rates_margin rates_margin(const struct rates *r, enum metric m,
                                 const struct rates_ring *ring);

/* Sums, for the store. NULL: no memory. */
json_t *rates_to_json(const struct rates *r);
int rates_from_json(const json_t *o, struct rates *ret, struct err *err);

#endif
