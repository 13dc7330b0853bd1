/*
 * ages: how many things of one kind are older than a window, per cohort, without timers: O(1) for
 * each that comes or goes, and for each tick.
 *
 * What begins in a tick stands in the tick's slot, by the time the tick began; a slot whose time is
 * a window ago is past. A slot takes in several ticks only where a window has more than AGES_PARTS
 * of them; it is then past when its last tick is. Times may be any count that only grows. Pure.
 */
#ifndef FIREBREAK_SERVER_AGES_H
#define FIREBREAK_SERVER_AGES_H

#include <stdbool.h>
#include <stdint.h>

#include "gate.h"

#define AGES_PARTS 512
#define AGES_SLOTS (AGES_PARTS + 8)
#define AGES_PAST  (-1) /* the slot of what is past from the start */

struct ages {
    int64_t window, slot_length;
    int32_t oldest, now;                         /* first slot that is not past; the open one */
    int64_t begun[AGES_SLOTS], last[AGES_SLOTS]; /* a slot's first tick and its last */
    int32_t n[AGES_SLOTS][GATE_MAX_COHORTS];
    int64_t total[GATE_MAX_COHORTS], past[GATE_MAX_COHORTS];
};

/* Its first tick begins at 0. Past is what is at least so old. */
void ages_init(struct ages *a, int64_t window);
/* The slot of what began at this time, no later than the present tick. */
int32_t ages_slot(const struct ages *a, int64_t begun);
/* One more (1) or less (-1) that began in that slot. */
void ages_add(struct ages *a, int cohort, int32_t slot, int by);
/* It is `now`: what is a window old is past. */
void ages_expire(struct ages *a, int64_t now);
/* A tick begins. */
void ages_turn(struct ages *a, int64_t begun);
/* Nobody is left; the slots stay as they are. */
void ages_clear(struct ages *a);

static inline int64_t ages_recent(const struct ages *a, int cohort)
{
    return a->total[cohort] - a->past[cohort];
}

#endif
