/*
 * golden: the gate's arithmetic on fixed counts, for comparison with other implementations. The
 * lines are those of the design's reference program (its command `golden`); docs/gate.md says
 * which.
 */
#ifndef FIREBREAK_SIM_GOLDEN_H
#define FIREBREAK_SIM_GOLDEN_H

#include <jansson.h>
#include <stdio.h>

/* The lines for people, or the same as one object. NULL: out of memory. */
void golden_print(FILE *out);
json_t *golden_json(void);

#endif
