/*
 * replay_tell: a replay for programs (a JSON object a line) and for people (a table). A line is
 * told where a verdict changes: another one holds, something is halted, a ring opens.
 */
#ifndef FIREBREAK_SIM_REPLAY_TELL_H
#define FIREBREAK_SIM_REPLAY_TELL_H

#include <stdio.h>

#include "replay.h"

struct replay_teller {
    FILE *out;
    bool json, headed;
    /* what holds since the last line */
    enum verdict verdict;
    bool asks, paused;
};

/* After each step. */
int replay_tell(struct replay_teller *t, const struct replay *r, struct err *err);
/* After the last one. own_policy: the record's own, so that nothing should differ. */
int replay_tell_final(struct replay_teller *t, const struct replay *r, bool own_policy,
                      struct err *err);

/* True where anything is halted. */
bool replay_ends_halted(const struct replay *r);

#endif
