/*
 * checkin_decide: device + rollout + request -> permit, or wait with a reason (DESIGN section 4).
 * Pure: no clock, no I/O, no memory of its own. Everything that can say no says so here, in one
 * order, and stopping comes first.
 */
#ifndef FIREBREAK_SERVER_CHECKIN_DECIDE_H
#define FIREBREAK_SERVER_CHECKIN_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

/* X(NAME, slug told to the device) */
#define WAITS(X)                                                                                   \
    X(NOTHING, "nothing")           /* nothing to be had, or nothing asked for */                  \
    X(NOT_ADMITTED, "not-admitted") /* its draw alone says not yet: a control */                   \
    X(PAUSED, "paused")                                                                            \
    X(HALTED, "halted")                                                                            \
    X(BUDGET, "budget")             /* its draw is due; this tick's admissions are used up */      \
    X(PACE, "pace")                 /* the manifest's pace has not reached it */                   \
    X(OLD_METADATA, "old-metadata") /* it must see a newer plan first */                           \
    X(UNKNOWN_METADATA, "unknown-metadata") /* it verified some that is not published here */      \
    X(NO_EVIDENCE, "no-evidence")           /* the rollout has no row for its platform */          \
    X(NEW_GROUND, "new-ground") /* first content on a build where few run it: others went first */

enum wait {
#define X(name, text) WAIT_##name,
    WAITS(X)
#undef X
};
const char *wait_name(enum wait w);

enum verdict_kind { DECIDE_WAIT, DECIDE_PERMIT, DECIDE_PERMIT_AGAIN, DECIDE_PERMIT_BASELINE };

struct decide_facts {
    /* the request */
    bool has_ready;
    bool leaving; /* this check-in says goodbye: it asks for nothing */
    bool held;
    bool has_content; /* something runs */
    int64_t snapshot_version, pace_wait_s;
    /* the channel */
    bool ready_is_baseline;
    bool ground_is_open; /* may have it as first content */
    bool has_rollout, ready_is_rollout;
    enum rollout_state state;
    bool cohort_halted, recalled;
    bool has_row;                          /* the rollout has a cohort for it */
    int64_t min_snapshot, newest_snapshot; /* the plan it must have seen; what is published */
    /* the device's arm */
    bool treated, open_exposure; /* open: granted, and nothing came of it yet */
    bool below;                  /* draw at or below its threshold */
    bool allowance;              /* this tick has admissions left for it */
};

struct decide {
    enum verdict_kind kind;
    enum wait wait;
};

struct decide checkin_decide(const struct decide_facts *f);

#endif
