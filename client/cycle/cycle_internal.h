/* cycle_internal: between cycle.c and cycle_answer.c. */
#ifndef FIREBREAK_CLIENT_CYCLE_INTERNAL_H
#define FIREBREAK_CLIENT_CYCLE_INTERNAL_H

#include "cycle/cycle.h"

/* Log a failure and keep it, where it is the cycle's first. */
void cycle_fail(struct cycle *c, const struct err *err);

/* What the check-in's child brought: r and err as child_finish gave them. */
void cycle_answer(struct cycle *c, int r, const json_t *result, const struct err *err);

#endif
