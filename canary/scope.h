/*
 * scope: where the evidence behind a halt lies. A node above is often the first to cross its
 * threshold, although one platform is to blame; then that one is halted, and the others go on. Only
 * asked once something is halted, so it costs no error of the tests.
 */
#ifndef FIREBREAK_SCOPE_H
#define FIREBREAK_SCOPE_H

#include "topology.h"

/* What one cohort adds to a node's evidence. */
struct scope_part {
    int64_t n, f;    /* treated, failed of them; 0 of a cohort that is halted already */
    double expected; /* failures that its controls, or the benign rate, explain */
};

/* The cohort, else the OS family, that alone bears what a node shows: what failed outside it is
 * explained (at 5 %), and too little for the rate inside (at 5 %), so that few who are treated
 * elsewhere excuse nothing. Else the node itself. */
int scope_of(const struct topology *t, int node, const struct scope_part parts[GATE_MAX_COHORTS]);

#endif
