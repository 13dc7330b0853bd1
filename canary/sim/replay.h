/*
 * replay: a recorded rollout (record.h) through the gate again, under the policy of the record or
 * another one. A whole record goes through rollout_tick and gives the decisions back to the bit;
 * head and batches alone go through its gate's half, rollout_judge.
 *
 * Under another policy the same evidence is judged by other thresholds, rings and bakes; who was
 * exposed stays as recorded, as nobody knows what another exposure would have shown.
 */
#ifndef FIREBREAK_SIM_REPLAY_H
#define FIREBREAK_SIM_REPLAY_H

#include "record.h"

struct replay {
    struct record *record;
    struct rollout *rollout;
    struct record_tick *next; /* read, not yet judged; valid while has_next */
    bool has_next, at_end;
    struct rollout_facts facts; /* of the last tick judged; no batches */
    struct rollout_decision decision;
    int64_t tick;   /* the last one judged; -1: none */
    int64_t judged; /* ticks with lines */
    /* Beside what was decided when it was recorded. */
    int64_t compared, differ, first_differs; /* -1 */
};

/* Takes the record, also where it fails. */
int replay_new(struct record *record, const struct policy *policy, struct replay **ret,
               struct err *err);
void replay_free(struct replay *r);

/* Judge the next tick: r->tick, r->decision, r->rollout are as of its end. 1; 0 at the end. Ticks
 * without a line are judged only while they count: a pause ends after so many clean ones. */
int replay_step(struct replay *r, struct err *err);

#endif
