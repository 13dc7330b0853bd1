/*
 * script: what a fleet plays (schema/FORMATS.md, "Fleet script"), read strictly.
 *
 *   {"seed", "tick_ms", "channel"?, "connections"?, "soak_ms"?, "duration_s"?,
 *    "life": {...}?, "outage": {"on_release", "after_ms", "for_ms"}?,
 *    "groups": [{"count", "cohort", "canary"?, "behaviour", "on_release"?, "share_ppm"?,
 *                "slow_ticks"?, "recover_share_ppm"?, "recover_ticks"?, "recover_max_ticks"?,
 *                "figures"?, "figures_ill"?: {name: number}}]}
 */
#ifndef FIREBREAK_FLEET_SCRIPT_H
#define FIREBREAK_FLEET_SCRIPT_H

#include "checkin.h"

#define SCRIPT_MAX_GROUPS    64
#define SCRIPT_MAX_ENDPOINTS 200000

/* X(NAME, text): how an endpoint takes a release, once it has a permit for it. */
#define BEHAVIOURS(X)                                                                              \
    X(HEALTHY, "healthy")             /* applied at once, healthy after the soak */                \
    X(CRASH_AT_LOAD, "crash-at-load") /* never heard again, or back later with the old content */  \
    X(SILENT, "silent")               /* never heard again */                                      \
    X(SLOW, "slow")                   /* applied ticks later, healthy after the soak */            \
    X(CRASH_AT_REBOOT, "crash-at-reboot") /* dies at the first reboot with it, as above */         \
    X(ILL, "ill")                         /* runs on, but its consumer says figures_ill */

enum behaviour {
#define X(name, text) BEHAVIOUR_##name,
    BEHAVIOURS(X)
#undef X
};

struct script_group {
    int64_t count;
    char cohort[COHORT_NAME_MAX];
    struct platform platform; /* of that cohort */
    bool canary;
    enum behaviour behaviour;
    char on_release[RELEASE_VERSION_MAX]; /* "" on each; on others: healthy */
    int64_t share_ppm;                    /* of the group's endpoints behave so */
    int64_t slow_ticks;
    int64_t recover_share_ppm, recover_ticks, recover_max_ticks;
    struct figures figures, figures_ill; /* said in each check-in: usually, and while it is ill */
};

/* What happens to devices anyway, once all run soaked content: the life of the simulator's
 * scenarios (canary/sim/scenarios/README.md), per device and hour in millionths. */
struct script_life {
    bool on;
    int64_t minute_ms; /* length of a minute in what follows: a scenario may be played faster */
    int64_t asleep_ppm;
    int64_t goodbyes_ppm_h, wakes_ppm_h;
    int64_t silences_ppm_h, long_silence_ppm;
    int64_t reboots_ppm_h, reboot_5min_ppm, reboot_15min_ppm;
    int64_t crashes_ppm_h, consumer_ppm, report_ms;
    int64_t staged_ms; /* mean time to download once asked to */
    bool prestaged;    /* who is awake when the rollout starts has staged before */
};

/* Nobody gets through for a while. */
struct script_outage {
    char on_release[RELEASE_VERSION_MAX]; /* counts from the fleet's first sight of it; "" never */
    int64_t after_ms, for_ms;
};

struct script {
    int64_t seed, tick_ms, soak_ms;
    int64_t connections;            /* requests at once */
    int64_t duration_s;             /* 0: until told to stop */
    char channel[CHANNEL_NAME_MAX]; /* "": the only one that there is */
    struct script_life life;
    struct script_outage outage;
    struct script_group groups[SCRIPT_MAX_GROUPS];
    size_t n_groups;
    int64_t n_endpoints; /* of all groups */
};

int script_read(const char *path, struct script *ret, struct err *err);
int script_parse(const char *data, size_t len, struct script *ret, struct err *err);

/* True for a share of indices, chosen by seed, index and purpose; always the same ones. */
bool script_chosen(int64_t seed, int64_t index, const char *purpose, int64_t share_ppm);

#endif
