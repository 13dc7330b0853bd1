/*
 * watch: who of either arm falls silent or stays away, without timers, O(1) a check-in
 * (docs/gate.md "How it compares"). Per cohort, stratum and arm a ring of cells by time:
 *
 *   entered[s]  devices that checked in in slot s (or said in it that they reboot)
 *   still[s]    those of them not heard since
 *
 * A check-in moves a device from its old cell to the open slot's; what is left in a slot once its
 * deadline is past has failed, and becomes a batch. A slot is one tick where the deadline counts
 * ticks; where it is a time, a slot is at least a fifteenth of it (60 s of 15 min), so that the
 * ring is short however short the ticks are.
 *
 * `standing` sums the devices in unresolved slots: who was heard lately. Pure.
 */
#ifndef FIREBREAK_SERVER_WATCH_H
#define FIREBREAK_SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/counters.h"
#include "gate.h"

#define WATCH_SLOTS   24 /* more than WATCH_PARTS closed ones, the open one, and stragglers */
#define WATCH_PARTS   15
#define WATCH_SILENCE 5 /* ticks of silence that SA counts as a failure */

/* The cell that a device stands in; slot -1: none. */
struct place {
    int32_t slot;
    uint8_t cohort, stratum, side;
};

struct watch {
    struct watch_cell {
        int32_t entered, still;
    } cells[GATE_MAX_COHORTS][N_STRATA][N_SIDES][WATCH_SLOTS];
    int32_t standing[GATE_MAX_COHORTS][N_STRATA][N_SIDES];
    int32_t now, oldest;                              /* the open slot; the first unresolved one */
    int64_t first_tick[WATCH_SLOTS];                  /* of each slot */
    int64_t ended_ms[WATCH_SLOTS], begun_ms, slot_ms; /* the rollout's clock */
    int32_t deadline_slots;
    int64_t deadline_ms;
    int32_t void_slot; /* failures before belong to an earlier round of marks */
    int64_t void_tick; /* the same, as a tick */
};

/* A deadline of so many ticks, or of a time (the other one 0). */
void watch_init(struct watch *w, int32_t deadline_ticks, int64_t deadline_ms);
/* Out of its old cell, heard; into the open slot's. Where the old trial was resolved it has failed:
 * ask watch_has_failed() first. */
void watch_move(struct watch *w, struct place *p, int cohort, enum stratum stratum,
                enum arm_side side);
/* Heard, or back; stands nowhere afterwards. */
void watch_leave(struct watch *w, struct place *p);
/* Out of the trial, as if it had never stood there. */
void watch_excuse(struct watch *w, struct place *p);
/* Failed before its deadline: stays counted so; stands nowhere afterwards. */
void watch_fail(struct watch *w, struct place *p);
/* Its trial was resolved while it stood there. */
bool watch_has_failed(const struct watch *w, const struct place *p);

/* First tick whose trials are not resolved. */
int64_t watch_unresolved_tick(const struct watch *w);
/* From now on failures count as first events again. */
void watch_new_round(struct watch *w);

/* The end of a tick: the oldest slot whose deadline is past, one at most, becomes batches (ret
 * NULL: none are wanted). Those without one of the arms say nothing and are left out. */
int watch_resolve(struct watch *w, enum metric metric, int64_t now_ms, struct batch *ret, int max);
/* Then `tick` begins. */
void watch_turn(struct watch *w, int64_t tick, int64_t now_ms);
/* Empty all cells; the slots stay numbered as they are. */
void watch_clear(struct watch *w);

#endif
