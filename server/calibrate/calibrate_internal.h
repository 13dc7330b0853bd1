/* calibrate_internal: what calibrate*.c share. Site lock throughout. */
#ifndef FIREBREAK_SERVER_CALIBRATE_INTERNAL_H
#define FIREBREAK_SERVER_CALIBRATE_INTERNAL_H

#include "calibrate/calibrate.h"
#include "calibrate/rates.h"
#include "rollouts/flight.h"

#define CALIBRATE_ERROR 0.05 /* of the one-sided bound of the share of false alarms */

/* X(NAME, text of the row and the API) */
#define CALIBRATION_STATES(X)                                                                      \
    X(RUNNING, "running")                                                                          \
    X(DONE, "done")                                                                                \
    X(STOPPED, "stopped")                                                                          \
    X(SUPERSEDED, "superseded") /* by a rollout */                                                 \
    X(FAILED, "failed")         /* no memory, or a fleet that no policy can work on */

enum calibration_state {
#define X(name, text) CALIBRATION_##name,
    CALIBRATION_STATES(X)
#undef X
};

#define ROUND_ENDS(X) X(COMPLETE, "complete") X(HALTED, "halted") X(LIMIT, "limit")

enum round_end {
#define X(name, text) ROUND_##name,
    ROUND_ENDS(X)
#undef X
};

/* What is known of a round, under way or finished. */
struct round {
    int64_t number, lane;       /* number: from 1, in the order in which they ended; 0 under way */
    int64_t begun_ms, ended_ms; /* wall */
    enum round_end end;
    int64_t ticks, paused;
    bool halted, warned, asked;
    char halt[GATE_REASON_MAX], warning[GATE_REASON_MAX], question[GATE_REASON_MAX]; /* the first */
    int64_t admitted, direct;
    int unproven;
};

struct lane {
    struct flight *flight; /* NULL: none under way */
    struct round round;
    int64_t filled;         /* devices whose arms were looked at */
    bool open;              /* all were: ticks run */
    int64_t resolved_ms[3]; /* where the last resolved slot of SA, SL and RB ended */
};

struct calibration {
    int64_t id, started_ms, ended_ms;
    char channel[CHANNEL_NAME_MAX], by[OPERATOR_NAME_MAX], why[GATE_REASON_MAX];
    enum calibration_state state;
    char *policy_text; /* owned */
    struct policy policy;
    int64_t rounds_wanted, n_lanes, share_ppm, limit_ms;
    char sample[65]; /* whose draw says who takes part */
    int64_t restarts;
    int64_t ticks, paused; /* of all lanes, unfinished rounds too */
    struct rates rates;    /* of the first lane, so that nothing counts twice */
    struct round *rounds;  /* finished; owned */
    int64_t n_rounds;
    struct lane lanes[CALIBRATE_MAX_LANES];
    int64_t saved_boot_ms;
};

const char *calibration_state_name(enum calibration_state s);
const char *round_end_name(enum round_end e);

static inline bool calibration_runs(const struct calibration *c)
{
    return c && c->state == CALIBRATION_RUNNING;
}
/* Read from the store while it ran: its lanes begin anew. */
void calibrate_resume(struct server *s, struct calibration *c);
bool calibration_samples(const struct calibration *c, const struct device *d);

/* --- lanes (calibrate_lane.c) -------------------------------------------------------------------
 */

/* The fleet as a round sees it, sampled, with its canary group. */
void lane_topology(const struct server *s, const struct calibration *c, struct topology *ret,
                   int64_t *ret_canary);
int lane_begin(const struct server *s, const struct calibration *c, struct lane *l,
               struct err *err);
void lane_free(struct lane *l);
int64_t lane_hear(struct lane *l, const struct device *d, const struct hearing *h, bool permitted,
                  int64_t usual_ms);
int64_t lane_put_off(struct lane *l, const struct device *d, int64_t usual_ms);
void lane_alive(struct lane *l, const struct device *d);
/* What is due: *ret_ms until the next; *ret_ended: the round is over. rates NULL: not of this lane.
 */
int lane_tick(const struct server *s, struct calibration *c, struct lane *l, struct rates *rates,
              int64_t *ret_ms, bool *ret_ended, struct err *err);

/* --- rows (calibrate_rows.c) --------------------------------------------------------------------
 */

void calibration_put(struct store_batch *b, const struct calibration *c);
void calibration_put_round(struct store_batch *b, const struct calibration *c,
                           const struct round *r);
json_t *round_to_json(const struct round *r);
int calibration_add_round(struct calibration *c, const struct round *r);

/* --- the report (calibrate_report.c, calibrate_suggest.c) ----------------------------------------
 */

json_t *calibration_to_json(const struct server *s, const struct calibration *c);
json_t *calibration_suggest(const struct server *s, const struct calibration *c);
/* The measured part of a scenario's `life` (canary/sim/scenarios/README.md). */
json_t *calibration_life(const struct calibration *c);

#endif
