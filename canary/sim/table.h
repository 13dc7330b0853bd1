/*
 * table: many seeds of one scenario on several threads, and what came of them as percentiles. The
 * result is the same whatever the number of threads: each seed has its own generator and place.
 */
#ifndef FIREBREAK_SIM_TABLE_H
#define FIREBREAK_SIM_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "run.h"

/* Plays one seed: run_seed() for the gate; comparison policies bring their own. */
typedef int (*table_play)(const struct scenario *s, const struct policy *p, uint64_t seed,
                          const void *ctx, struct outcome *ret, struct err *err);

struct table_job {
    const struct scenario *scenario;
    const struct policy *policy;
    const char *policy_name;
    table_play play; /* NULL: the gate */
    const void *ctx; /* of play */
    int seeds;
    uint64_t seed;
    int threads;
    FILE *progress; /* a terminal, or NULL */
};

struct table_spread {
    int n; /* values there are; the percentiles are -1 without any */
    double p50, p95, p99;
};

struct table_row {
    char scenario[SCENARIO_NAME_MAX], policy[POLICY_NAME_MAX];
    int64_t fleet;
    int seeds;
    struct table_spread harm, stuck, exposed, exposed_at_halt, halt_min, ask_min, complete_min,
        halted_cohorts;
    int halts;       /* rollouts halted where the defect is (good content: anywhere) */
    int false_halts; /* rollouts with a halt where there is no defect */
    int unproven;    /* rollouts with a ring promoted without proof */
    int asked, paused, warned, passed_cr;
    int admitted_paused; /* ticks */
    double peak_checkins;
};

/* Outcomes of all seeds into a row. ERR_* of the first seed that fails. */
int table_run(const struct table_job *job, struct table_row *ret, struct err *err);

/* CONTRACTS' result; NULL: out of memory. */
json_t *table_json(const struct table_row *row);

/* For people: heading once, then a line each with the scenario's targets under it. */
void table_print_heading(FILE *out);
void table_print(FILE *out, const struct table_row *row, const struct scenario_targets *targets);
/* Figures that miss their target, named; 0: none. */
int table_print_missed(FILE *out, const struct table_row *row, const struct scenario_targets *t);

#endif
