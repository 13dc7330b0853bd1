/*
 * counters: who fell silent, without timers, O(1) a check-in (docs/gate.md "Counters").
 *
 * Per cohort, stratum and arm a ring of cells by tick:
 *
 *   entered[t]  trials of tick t: granted a permit in t, or told to wait by the draw alone
 *   still[t]    those of them not heard since
 *
 * A device remembers the one cell that it stands in. Its next check-in in a later tick takes it out
 * of `still`; what is left three ticks later failed and is frozen, and two ticks after that the
 * trial is resolved into a batch (first check-in SF). A goodbye takes a device out of both.
 *
 * Of the controls it also counts who is not heard by enrolment group: a pause asks for silence in
 * more than one.
 */
#ifndef FIREBREAK_SERVER_COUNTERS_H
#define FIREBREAK_SERVER_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "gate.h"

#define COUNTERS_TICKS    8   /* cells kept; more than the lag of resolution */
#define COUNTERS_DEADLINE 3   /* a trial of t fails without a check-in in t+1 .. t+3 */
#define COUNTERS_LAG      5   /* resolved at the end of t+5 */
#define COUNTERS_GROUPS   256 /* enrolment groups told apart; groups beyond share these */

enum arm_side { SIDE_TREATED, SIDE_CONTROL, N_SIDES };

/* The cell that a device stands in; tick -1: none. */
struct standing {
    int32_t tick;
    uint8_t cohort, stratum, side, group;
};

struct counters {
    struct counters_cell {
        int64_t entered, still;
    } cells[GATE_MAX_COHORTS][N_STRATA][N_SIDES][COUNTERS_TICKS];
    int32_t still_by_group[COUNTERS_TICKS][COUNTERS_GROUPS]; /* of the controls */
};

/* Standing moves into the cell that `into` names; the device must not stand anywhere. */
void counters_enter(struct counters *c, struct standing *s, const struct standing *into);
/* A sign of life in tick `now`: leaves its cell if that is of an earlier tick and its deadline is
 * not past. Where the deadline is past it stays counted as failed. Standing is none afterwards,
 * unless the cell is of `now` itself. */
void counters_alive(struct counters *c, struct standing *s, int64_t now);
/* Said goodbye, or left the statistics: out of trials whose deadline is not past. */
void counters_excuse(struct counters *c, struct standing *s, int64_t now);

/* Make room for a new tick. */
void counters_turn(struct counters *c, int64_t tick);
/* Groups among the controls of that trial that failed it, once its deadline is past. */
int counters_silent_groups(const struct counters *c, int64_t tick);
/* The batches of the trial of `tick`, empty ones left out; returns how many (at most max). */
int counters_resolve(const struct counters *c, int64_t tick, struct batch *ret, int max);

#endif
