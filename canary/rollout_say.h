/*
 * rollout_say: the sentences of a rollout: why it stands where it stands, why a ring opened.
 */
#ifndef FIREBREAK_ROLLOUT_SAY_H
#define FIREBREAK_ROLLOUT_SAY_H

#include "rollout.h"

/* Why a ring that is full and baked does not open, or what it opened on. */
enum proof {
    PROOF_NONE_ASKED, /* the policy asks no margin */
    PROOF_SHOWN,
    PROOF_MISSING,     /* may still come */
    PROOF_IMPOSSIBLE,  /* could not come even with no treated failure */
    PROOF_OUT_OF_TIME, /* four bakes are over */
};

struct standing {
    const struct cohort_facts *sum; /* of live cohorts */
    int64_t tick, now_ms;
    bool paused, warned, held_by_pace;
    bool overdue_asked; /* too many treated devices stay unacknowledged */
    int64_t overdue_limit;
    bool acknowledged; /* all treated, within tolerance */
    enum proof proof;
    int64_t boots_missing; /* that a baked ring still asks for */
};

/* Fill ret->stands from the decision's reasons and the state after it. */
void rollout_say_stands(const struct rollout *r, const struct standing *s,
                        struct rollout_decision *ret);

/* The reason of an opened ring (from: the ring before) or a completed rollout. */
void rollout_say_promoted(const struct rollout *r, int from, bool by_person,
                          const struct standing *s, struct gate_reason *ret);

/* The question to a person. */
void rollout_say_asks(const struct rollout *r, const struct standing *s, struct gate_reason *ret);

#endif
