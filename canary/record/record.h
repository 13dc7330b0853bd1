/*
 * record: a rollout line by line, one JSON object each, as `firebreak rollout record` and
 * `firebreak-sim run --record` write it and `firebreak-sim replay` reads it.
 *
 *   file    = head *tick [end]
 *   head    = {"policy": NAME or policy object, "cohorts": [{"name", "os", "size"}],
 *              "canary": devices of the canary group (0), "record": 1 where it is whole, ...}
 *   tick    = [facts] *batch [decided]                all of one tick, which never goes back
 *   facts   = {"tick", "facts": as facts_json.h says, without tick and batches; 0 may be left out}
 *   batch   = {"tick", "stratum", "cohort", "metric", "nT", "fT", "nC", "fC", "admitted",
 *              "trial": the tick that the trials began in, for people}
 *   decided = {"tick", "decided": {"verdict", "ring", "admit", ...}}   what was decided then
 *   end     = {"end": {"state", "ticks", ...}}
 *
 * "tick" is the tick in which the gate takes the batch in; "admitted" how many devices of the
 * cohort had been given the release by its end, since the start. Head and batches are all that is
 * needed to judge evidence. A whole record has facts in every tick from 0 on, none left out, and an
 * end, so that one that was cut off is found; it gives the whole decision back. Members that are
 * not named here are let be.
 */
#ifndef FIREBREAK_RECORD_H
#define FIREBREAK_RECORD_H

#include <jansson.h>

#include "base/err.h"
#include "facts_json.h"
#include "policy.h"

#define RECORD_VERSION  1
#define RECORD_LINE_MAX (1024 * 1024) /* bytes */
#define RECORD_TICK_MAX 100000000     /* 31 years of 10 s */
#define RECORD_MAX_JUMP 1000000       /* ticks without a line */

/* --- writing ---------------------------------------------------------------------------------- */

typedef int (*record_line_fn)(void *ctx, const json_t *line, struct err *err);

struct record_writer {
    record_line_fn line;
    void *ctx;
};

/* topology, facts, decision: as facts_json.h writes them. `about`: further members of the head, or
 * of the end; may be NULL. No reference is taken. */
int record_put_head(const struct record_writer *w, const json_t *policy, const json_t *topology,
                    const json_t *about, struct err *err);
int record_put_tick(const struct record_writer *w, const json_t *facts, const json_t *decision,
                    struct err *err);
int record_put_end(const struct record_writer *w, const char *state, int64_t ticks,
                   const json_t *about, struct err *err);

/* --- reading ---------------------------------------------------------------------------------- */

struct record;

struct record_head {
    char policy_name[POLICY_NAME_MAX];
    bool has_policy; /* the policy itself is in the file */
    struct policy policy;
    struct topology topology;
    int64_t canary;
    bool whole;
};

struct record_tick {
    int64_t tick;
    int64_t line; /* its first */
    struct facts facts;
    struct record_decided {
        bool given, has_fleet; /* has_fleet: the last two are given */
        enum verdict verdict;
        int ring;
        int64_t admit[GATE_MAX_COHORTS], admit_fleet, admit_canary;
    } decided;
};

/* Reads the head. "-": standard input. Every refusal is "FILE: line N: reason", ERR_INVALID. Holds
 * one line and one tick at a time. */
int record_open(const char *path, struct record **ret, struct err *err);
/* fd is closed with it; `what` names it in errors. */
int record_open_fd(int fd, const char *what, struct record **ret, struct err *err);
void record_close(struct record *r);

const struct record_head *record_head(const struct record *r);
const char *record_name(const struct record *r);

/* The next tick that has lines: 1; 0 at the end. Cohorts first seen in it are added to the rollout,
 * which must have been begun with the head's topology. */
int record_next(struct record *r, struct rollout *rollout, struct record_tick *ret,
                struct err *err);

#endif
