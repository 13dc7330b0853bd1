/*
 * flight: one rollout in flight, and the channel it flies on. Inside the server only: what
 * rollouts_*.c, facts.c, plan_make.c and the check-in's handler share. Site lock throughout.
 *
 *   a check-in   flight_arm -> flight_hear -> flight_ask -> flight_grant | flight_count_control
 *                -> flight_watch; each one that changes an arm tells the tally
 *   a tick       facts_collect -> rollout_tick -> flight_turn, plan_make
 *   a restart    rows -> rollout_init, every stored tick's facts through rollout_tick, exposures
 *                and device_channel rows into arms -> flight_resume
 *
 * Ticks advance only while the server runs, on its boot clock.
 */
#ifndef FIREBREAK_SERVER_FLIGHT_H
#define FIREBREAK_SERVER_FLIGHT_H

#include "rollouts/admission.h"
#include "fleet/arms.h"
#include "fleet/tally.h"
#include "fleet/watch.h"
#include "rollouts/checkin_decide.h"
#include "facts_json.h"
#include "fleet/fleet.h"
#include "pace.h"
#include "rollout.h"
#include "store/store.h"

#define FLIGHT_HISTORY 128 /* changes of verdict kept for explain */

struct flight_note {
    int64_t tick, at_ms;
    enum verdict verdict;
    bool full; /* the ring was full */
    char text[GATE_REASON_MAX];
};

/* Of one metric of the policy's own, in one tick: devices that said it, and were above its limit.
 */
struct figure_count {
    int32_t said, failed;
};

struct flight {
    int64_t id, sequence;
    int64_t started_ms, ended_ms, halted_after_ms; /* wall, wall, own clock; -1 not */
    char channel[CHANNEL_NAME_MAX], version[RELEASE_VERSION_MAX], digest[65];
    char policy_name[POLICY_NAME_MAX], by[OPERATOR_NAME_MAX];
    char *policy_text, *topology_text; /* as started; owned */
    enum rollout_state state;
    int64_t min_snapshot; /* no permits for metadata older than the plan that says so */
    struct pace pace;
    bool early_boot; /* the manifest's */
    int64_t published_ms;

    struct rollout gate;
    struct rollout_decision last;
    int64_t elapsed_ms;         /* own clock: while the server ran, up to the last tick's end */
    int64_t tick, tick_ms;      /* the present one and its length */
    int64_t tick_begun_boot_ms; /* of the server's boot clock */
    int n_cohorts_at_start;
    bool person_promotes; /* for the next tick */

    struct arms arms;
    struct tally tally; /* of the arms */
    int64_t track_ppm;  /* V: share of devices that are asked every tick */
    struct counters counters;
    struct admission admission;
    int64_t control_crashes[GATE_MAX_COHORTS];            /* this tick */
    struct watch silence, long_silence, reboots;          /* SA, SL, RB */
    struct watch alive;                                   /* heard lately: at risk in CR */
    int32_t crashes[GATE_MAX_COHORTS][N_STRATA][N_SIDES]; /* CR, this tick */
    struct figure_count figures[GATE_MAX_COHORTS][N_STRATA][N_SIDES][POLICY_MAX_EXTRAS];
    int32_t at_risk[GATE_MAX_COHORTS][N_STRATA][N_SIDES]; /* of it, besides who stands in alive */
    int64_t marks_from; /* the tick that this round of first events began in */

    struct flight_note history[FLIGHT_HISTORY];
    int n_history; /* ever */

    int64_t *ended_ms_of_tick, n_ended; /* own clock at the ends of replayed ticks; owned */
};

struct recall {
    char digest[65];
    char cohorts[GATE_MAX_COHORTS][COHORT_NAME_MAX];
    int n_cohorts; /* 0: everywhere */
    int64_t at_ms;
};

struct release_ref {
    char digest[65], version[RELEASE_VERSION_MAX];
    int64_t sequence; /* 0: none */
};

struct ground;

struct channel {
    char name[CHANNEL_NAME_MAX];
    bool gone;                       /* targets delegates it no longer: it rests, its rows stay */
    struct flight *flight;           /* the latest; NULL: none yet */
    struct calibration *calibration; /* likewise */
    struct release_ref baseline, baseline_before;
    struct ground *ground; /* owned */
    struct recall *recalls;
    int n_recalls;
    char *plan_text; /* the present plan without its serial; owned */
    json_t *obeyed;  /* digests of the revocations that were taken in; owned */
    /* the first of two people */
    char approval_by[OPERATOR_NAME_MAX], approval_version[RELEASE_VERSION_MAX];
    /* loading only: settings that belong to the rollout */
    char halt_said[GATE_REASON_MAX];
    int64_t halt_rollout, promote_rollout, promote_tick;
};

/* Events that named a release which the device was never granted; see ungranted.h. */
struct ungranted {
    int64_t n;      /* ever */
    int64_t told_n; /* of them when the log last told of one */
    int64_t told_ms;
};

struct rollouts {
    struct channel *channels;
    int n_channels;
    int64_t last_id, last_calibration;
    struct ungranted ungranted;
};

/* One that targets delegates; any that ever was. NULL: there is none. */
struct channel *rollouts_channel(const struct rollouts *r, const char *name);
struct channel *rollouts_any_channel(const struct rollouts *r, const char *name);

void flight_free(struct flight *f);
static inline bool flight_is_open(const struct flight *f)
{
    return f && (f->state == ROLLOUT_RUNNING || f->state == ROLLOUT_PAUSED ||
                 f->state == ROLLOUT_COMPLETE);
}
int64_t flight_elapsed_ms(const struct flight *f, const struct clock *clock);
bool flight_in_canary_ring(const struct flight *f);
/* Whether anybody of a cohort should stage; and which draws, outside the canary group. */
bool flight_cohort_stages(const struct flight *f, int cohort);
struct threshold flight_stage_threshold(const struct flight *f, int cohort);
/* True where the plan says that this device should stage, or run, the release. */
bool flight_stages(const struct flight *f, const struct arm *m);
void flight_note(struct flight *f, int64_t at_ms, const struct rollout_decision *d);

/* --- a check-in (flight_checkin.c) ------------------------------------------------------------ */

struct hearing {
    const struct checkin *checkin;
    const struct checkin_channel *channel; /* NULL: it says nothing of this channel */
    const bool *fresh;                     /* per event: not seen before */
    bool leaving;                          /* says goodbye */
    bool ground_is_open;                   /* may have the baseline as its first content */
    int64_t newest_snapshot;               /* published here */
    int64_t wall_ms;
};

/* The gate is set up: before the first tick and the first arm. The interval is the longest that
 * devices are told. */
void flight_open(struct flight *f, int64_t interval_ms);

/* The device's arm, made where it is new. NULL: no memory. */
struct arm *flight_arm(struct flight *f, const struct device *d, int64_t wall_ms);
/* Take in what it says: signs of life, events, acknowledgements. True where its exposure changed.
 */
bool flight_hear(struct flight *f, struct arm *m, const struct device *d, const struct hearing *h);
/* It is in the canary group from now on (where there is memory for that). */
void flight_make_canary(struct flight *f, struct arm *m);
struct decide flight_ask(const struct channel *ch, const struct arm *m, const struct hearing *h);
/* A permit goes out: one exposure, also when asked again. */
void flight_grant(struct flight *f, struct arm *m, const struct hearing *h, enum verdict_kind kind);
/* Waits by its draw alone: a control of this tick. */
void flight_count_control(struct flight *f, struct arm *m, const struct hearing *h,
                          const struct decide *d);
struct row_exposure flight_exposure(const struct flight *f, const struct arm *m,
                                    const struct device *d);
/*
 * Trials that go on compare those of either arm that were there when the threshold last moved: only
 * they were separated by it. Who came later or was away then, treated or not, stands apart
 * (MARK_APART) until it moves again: the threshold may have passed its like by, so that newcomers
 * and devices that are seldom there would all be controls. Note before a check-in is taken in,
 * enter after.
 */
void flight_note_pool(const struct flight *f, struct arm *m);
void flight_enter_pool(const struct flight *f, struct arm *m);
/* Whether a crash says how often those crash that do not run the release: its consumer, but on
 * something else. Strings may be NULL. */
bool flight_is_control_crash(const struct flight *f, const char *channel, const char *digest,
                             const char *cause);
/* Into the trial of this tick (SF). */
void flight_enter(struct flight *f, struct arm *m, enum stratum stratum, enum arm_side side);
/* Out of the statistics, whatever comes. */
void flight_drop_evidence(struct flight *f, struct arm *m);

/* --- silence, reboots, crashes (flight_watch.c) ----------------------------------------------- */

/* Last of a check-in, once it is decided: where the device stands from now on. */
void flight_watch(struct flight *f, struct arm *m, const struct hearing *h);
/* Part of flight_hear: the events, before anything else comes of them. */
void flight_watch_hear(struct flight *f, struct arm *m, const struct hearing *h);
/* It is ready for the first time: what it cannot be a witness of. */
void flight_watch_staged(struct arm *m, const struct device *d, const struct hearing *h);
/* Whether its silence and crashes are compared at all, now or when the threshold next moves. */
bool flight_compares(const struct flight *f, const struct arm *m);
/* A sign of life that carried nothing: asked again, or refused after it proved who it is. */
void flight_alive(struct flight *f, struct arm *m);
void flight_watch_drop(struct flight *f, struct arm *m);
/* Before the first tick; the gate's policy is set. The interval is the longest of any device. */
void flight_watch_open(struct flight *f, int64_t interval_ms);
/* The tick is over: batches (ret NULL: none are wanted, as in replay), then the next one begins. */
int flight_watch_resolve(struct flight *f, int64_t now_ms, struct batch *ret, int max);
void flight_watch_turn(struct flight *f, int64_t now_ms, bool staged_more);
void flight_watch_resume(struct flight *f);

/* --- the consumer's figures (flight_figures.c) ------------------------------------------------ */

/* Part of flight_hear, once it is known what the device runs. */
void flight_figures_hear(struct flight *f, struct arm *m, const struct hearing *h);
/* Of the present tick; at most max. */
int flight_figures_batches(const struct flight *f, struct batch *ret, int max);
void flight_figures_turn(struct flight *f);
void flight_figures_resume(struct flight *f);

/* --- who is asked every tick (flight_track.c) ------------------------------------------------- */

/* By its second draw and V. */
bool flight_tracks(const struct flight *f, const struct device *d);
/* V for the tick that begins. */
void flight_track(struct flight *f);
/* Who said ready is to say so again within so many ticks: two, or an interval and a tick. */
int64_t flight_ready_ticks(const struct flight *f, const struct arm *m);
/* A sign of life that says what the last check-in said, and is not written down. */
void flight_as_before(struct flight *f, struct arm *m);
/* When a device is to come again; f, m NULL: no rollout. usual_ms: the longest that any is told. */
int64_t flight_interval_ms(const struct flight *f, const struct arm *m, int64_t usual_ms);

/* --- a tick (flight_tick.c) ------------------------------------------------------------------- */

/* Cohorts of the fleet as it is now; *ret_canary: devices of the canary group. */
void flight_topology(const struct fleet *fleet, const char *channel, struct topology *ret,
                     int64_t *ret_canary);
/* The row that platforms beyond the gate's table share is halted; no plan could name them. */
bool flight_shared_row_halted(const struct flight *f);
/* Row of a cohort: by name, else the row that small ones share; -1. */
int flight_cohort(const struct topology *t, const char *cohort);
/* The gate's word on a tick's facts. Contradicting facts are our own mistake: nobody is admitted on
 * them. */
void flight_decide(struct flight *f, const struct facts *x, struct rollout_decision *ret);
/* So late that the server or its machine was away: the tick begins anew. */
bool flight_stood_still(const struct flight *f, int64_t boot_ms);
/* The tick is over: freeze, move the threshold, begin the next one at boot_ms. */
int flight_turn(struct flight *f, const struct rollout_decision *d, int64_t boot_ms);
/* After a restart or a stall: unresolved trials get fresh deadlines, both arms alike. */
void flight_resume(struct flight *f, int64_t boot_ms);

/* --- facts (facts.c, flight_json.c) ----------------------------------------------------------- */

/* Counters -> facts, at the end of the present tick. */
void facts_collect(const struct server *s, struct flight *f, struct facts *ret);
/* The latest decision and its thresholds, for the store. */
json_t *flight_decision_to_json(const struct flight *f);
/* Thresholds of a stored decision back into the flight. */
int decision_thresholds(const json_t *o, struct admission *ret, struct err *err);
/* V likewise; where the decision has none *ret stays as it is. */
int decision_tracking(const json_t *o, int64_t *ret, struct err *err);

/* --- plan (plan_make.c) ----------------------------------------------------------------------- */

int plan_make(const struct server *s, const struct channel *ch, struct plan **ret, struct err *err);

#endif
