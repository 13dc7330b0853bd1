/*
 * scenario: a fleet, its ordinary life, a defect of the release and what the world does meanwhile,
 * as plain data. Scenarios are JSON files under canary/sim/scenarios (README.md there lists the
 * keys); users write their own. Rates are per hour, times minutes; shares lie in 0..1.
 */
#ifndef FIREBREAK_SIM_SCENARIO_H
#define FIREBREAK_SIM_SCENARIO_H

#include "base/err.h"
#include "topology.h"

#define SCENARIO_NAME_MAX   32
#define SCENARIO_TEXT_MAX   200
#define SCENARIO_FLEET_MAX  100000000
#define SCENARIO_MAX_GROUPS 100000

/* X(NAME, text): to add one: a row, its keys in scenario.c, its harm in fleet_defect.c. */
#define DEFECT_TABLE(X)                                                                            \
    X(NONE, "none")                                                                                \
    X(LOAD, "load")     /* `share` of the treated die when they load it */                         \
    X(LATER, "later")   /* `share` of the treated crash a lognormal time after they loaded it */   \
    X(HAZARD, "hazard") /* consumers crash `ratio` times as often; reported, rolled back */        \
    X(REBOOT, "reboot") /* `share` of the treated die at their next reboot, an announced one */    \
    X(BOMB, "bomb")     /* from minute `from_min` on treated devices die at `per_min` */           \
    X(ILL, "ill")       /* the consumers of `share` of the treated say a figure above its limit */

enum defect_kind {
#define X(name, text) DEFECT_##name,
    DEFECT_TABLE(X)
#undef X
        N_DEFECTS
};
const char *defect_name(enum defect_kind k);

struct scenario_defect {
    enum defect_kind kind;
    bool hits[GATE_MAX_COHORTS];
    double share;
    double recovers;                     /* LOAD, REBOOT: come back by themselves and say so */
    double recover_min, recover_max_min; /* after so long */
    double reported;                     /* LATER: roll back and say so; the others die silently */
    double median_min, sigma;            /* LATER */
    double ratio;                        /* HAZARD */
    double from_min, per_min;            /* BOMB */
};

/* What happens to devices anyway, in both arms alike. */
struct scenario_life {
    double crashes_h;                 /* per device */
    double consumer_share;            /* of crashes; blamed on the release while it soaks */
    double soak_min;                  /* how long after the switch such a crash rolls back */
    double report_min;                /* from a crash to its report */
    double preflight_share;           /* of admissions; refused for want of memory or time */
    double silences_h;                /* unannounced */
    double long_silence_share;        /* of them last 15 min or more */
    double reboots_h;                 /* announced */
    double reboot_5min, reboot_15min; /* share that takes longer than that */
    double goodbyes_h, goodbyes_day_h, goodbyes_evening_h; /* at night; more by day; at 17:30 */
    double wakes_h;                                        /* per sleeping device */
    double asleep_min_share, asleep_max_share;             /* at the start */
    double staged_min;  /* mean time to download once the plan asks for it */
    double slow_share;  /* need 4 to 6 check-ins to come back after applying */
    double gap_share;   /* per tick: a gap of three intervals for no reason */
    double flaky_share; /* consumers that crash at flaky_h anyway */
    double flaky_h;
    double figures_h; /* consumers that say a figure above its limit; the policy's first one */
    double history_h; /* crashes so long before staging leave a device out of CR and direct */
};

/* One thing that happens to the world at a random minute. */
struct scenario_world {
    double at_min, at_max_min; /* when */
    double asleep_share;       /* falls asleep unannounced */
    double asleep_within_min;
    double outage_min;        /* no telemetry */
    int64_t customer_devices; /* of the first cohort and one enrolment group fail at once */
    double back_min;          /* sleepers come back six times as fast from here on; 0: never */
    double hostile_share;     /* of the fleet: report a crash and a blamed rollback when treated */
    int64_t hostile_max;
};

/* Figures that docs/gate.md promises for it; negative: none. */
struct scenario_targets {
    double harm_p50, harm_p99;
    double halt_p50, halt_p99;         /* min, ticks of 60 s throughout */
    double complete_p50, complete_p95; /* min */
    double p_halt_min, p_halt_max;
    double unproven_max; /* share of completed rollouts with a ring without proof */
    double peak_max;     /* check-ins a second */
};

struct scenario {
    char name[SCENARIO_NAME_MAX], text[SCENARIO_TEXT_MAX];
    int64_t fleet;
    struct topology topology; /* sizes are set by scenario_resize */
    double shares[GATE_MAX_COHORTS];
    int64_t canaries; /* devices of the canary group, spread over the cohorts */
    int groups;       /* enrolment groups */
    bool prestaged;   /* ring 1 has staged before the clock starts */
    bool good;        /* no defect: every halt is a false one */
    int64_t limit_ms; /* the rollout is looked at no longer */
    struct scenario_pace {
        double after_min, share;
    } pace[8]; /* of the manifest; none: everybody at once */
    int n_pace;
    struct scenario_life life;
    struct scenario_defect defect;
    struct scenario_world world;
    struct scenario_targets targets;
};

/* The fleet and life of the standard scenarios: 8.5 million devices, 16 cohorts, good content. */
void scenario_standard(struct scenario *ret);
/* Another fleet size: cohorts by largest remainder, canaries at most half of it. */
void scenario_resize(struct scenario *s, int64_t fleet);
/* The manifest's pace after so long, in ppm. */
int64_t scenario_pace_ppm(const struct scenario *s, int64_t elapsed_ms);

/* Read and check; what a file leaves out is as in the standard scenario. ERR_INVALID with line and
 * reason. `what` names the file in errors. */
int scenario_parse(const char *data, size_t len, const char *what, struct scenario *ret,
                   struct err *err);
/* A file by path, or NAME in dir (dir/NAME.json). */
int scenario_read(const char *dir, const char *name, struct scenario *ret, struct err *err);
/* Names in dir, sorted as people count (S2 before S10); a malloc'd list of malloc'd names. */
int scenario_list(const char *dir, char ***ret, int *ret_n, struct err *err);

#endif
