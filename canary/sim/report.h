/*
 * report: one rollout as an SVG picture that a person can read, written in one piece or not at all.
 */
#ifndef FIREBREAK_SIM_REPORT_H
#define FIREBREAK_SIM_REPORT_H

#include "run.h"

struct report_file {
    const char *path;
    uint64_t seed; /* as the picture says it */
};

/* A table_play; ctx: struct report_file. The outcome is the gate's. */
int report_play(const struct scenario *s, const struct policy *p, uint64_t seed, const void *ctx,
                struct outcome *ret, struct err *err);

#endif
