/*
 * fleet_state: the fleet's inside, shared by fleet.c (orders, facts), fleet_life.c (what devices do
 * in a tick) and fleet_defect.c (what the release does to them). Nobody else includes it.
 */
#ifndef FIREBREAK_SIM_FLEET_STATE_H
#define FIREBREAK_SIM_FLEET_STATE_H

#include "fleet.h"
#include "random.h"

#define FLEET_MAX_POOLS (2 * GATE_MAX_COHORTS)
#define MINUTE_MS       60000.0
#define HOUR_MIN        60.0

/* The devices of one cohort that are (or are not) in the canary group, by state. _aw awake, _sl
 * asleep. Every device is in exactly one of the states down to `lost`. */
struct pool {
    int cohort;
    bool canary;
    int64_t size;
    int64_t idle_aw, idle_sl;   /* not asked to stage */
    int64_t stage_aw, stage_sl; /* asked to, not ready */
    int64_t ready_aw, ready_sl; /* ready, above the threshold: the controls */
    int64_t passed_stage_aw, passed_stage_sl, passed_sl; /* passed by the threshold while away */
    int64_t late;                                        /* passed and ready again */
    int64_t treated_aw, treated_sl;
    int64_t lost; /* treated, and the release took them down or back */

    int64_t ready_new, late_new; /* of ready_aw, late: first so in the tick before */
    int64_t admitted, admitted_late, healthy;
    int64_t away_excused, away_silent; /* just treated, asleep before their first sign of life */
    int64_t pending;                   /* acknowledgements that telemetry has not brought */
    int64_t harm, stuck, direct, hostile;
    int64_t flaky_treated, flaky_ready; /* consumers that crash anyway, by arm */
    int64_t fresh_treated, fresh_ready; /* of them: first event not counted yet */
    int64_t recent, soaking;            /* admitted in the last stuck_ticks; still soaking */
    double asked;                       /* y */
};

struct counts {
    int32_t n_t, f_t, n_c, f_c;
};

/* What one tick's trials will say when they resolve. */
struct trial {
    int32_t admitted, acknowledged, healthy;
    struct counts of[N_METRICS];
    int32_t consumer_c;   /* first consumer crashes among the controls */
    struct counts figure; /* the first metric of the policy's own */
    struct counts late;   /* SF of late joiners against those first ready in the same tick */
};

/* Reports on their way, by the tick in which they arrive. */
struct arrival {
    int32_t blamed; /* rollbacks and preflight failures that evidence blames on the release */
    int32_t back;   /* devices that died, recovered and say so */
};

struct tick_time {
    int64_t start_ms, len_ms;
};

/* What a tick brings to every pool: chances per device, before a cohort's own variation. */
struct weather {
    double minutes, at_min; /* length and start of the tick */
    double goodbye, silent, asleep, reboot, wake, crash, flaky, figure;
    bool outage, customer;
};

struct fleet {
    struct scenario s;
    struct policy policy;
    struct topology topology;
    struct random random;
    struct pool pools[FLEET_MAX_POOLS];
    int n_pools;
    bool recalled[GATE_MAX_COHORTS];
    int64_t tick, now_ms;
    double day_min; /* time of day at the start */
    double world_min;
    bool customer_done;
    int unheard;    /* ticks of the outage so far */
    double tracked; /* V: share of devices that check in every tick */
    double peak;

    int history; /* ticks that are remembered, a ring */
    struct tick_time *times;
    struct trial *trials;                       /* [tick % history][pool] */
    double *later_chance, *later_direct_chance; /* [tick % history]: crashes now, of its admitted */
    int64_t due[N_METRICS], figure_due, soak_from, recent_from, slow_from; /* cursors, ticks */

    int64_t grain_ms; /* arrivals are kept in buckets of so long */
    int buckets;
    int64_t drained;          /* buckets up to here are empty */
    struct arrival *arrivals; /* [bucket % buckets][pool] */

    struct batch *batches;
    int n_batches, max_batches;
    int64_t pause_silent, pause_controls;
    int customer_groups; /* among the silent controls of the tick */
    int64_t customer_tick;
};

static inline struct trial *fleet_trial(const struct fleet *f, int64_t tick, int pool)
{
    return &f->trials[(size_t)(tick % f->history) * (size_t)f->n_pools + (size_t)pool];
}

static inline struct tick_time *fleet_time(const struct fleet *f, int64_t tick)
{
    return &f->times[tick % f->history];
}

/* What the release did to a pool in this tick. */
struct strike {
    int64_t load_main, load_late; /* of those just admitted */
    int64_t die;                  /* treated before; silent */
    int64_t rolled_back, blamed;  /* crashed, rolled back and said so; of them within the window */
    int64_t recover;              /* of load_*: will come back by themselves */
    int64_t ill;                  /* of those just admitted: their consumers will say so */
};

void defect_weather(struct fleet *f, struct weather *w);
/* main, late: just admitted. */
void defect_strike(struct fleet *f, const struct pool *p, int pool, const struct weather *w,
                   int64_t main, int64_t late, struct strike *ret);
/* Of devices that announced a reboot: those that the release kills in it. */
int64_t defect_at_reboot(struct fleet *f, const struct pool *p, int64_t reboots);
/* Of dead devices: those that will recover; their reports are put on their way. */
int64_t defect_recover(struct fleet *f, int pool, int64_t dead);

/* Put reports on their way. */
struct arrival *fleet_arrival(struct fleet *f, int64_t at_ms, int pool);

void fleet_weather(struct fleet *f, int64_t tick_ms, struct weather *ret);
/* One tick of one pool, `admit` permits included. */
void fleet_live(struct fleet *f, int pool, const struct weather *w, int64_t admit);

#endif
