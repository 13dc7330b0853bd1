/*
 * plan: the server's signed word on who may get what (DESIGN section 3): one per channel, target
 * rollout/<channel>.json of the online role "rollout". Changed in coarse steps only.
 */
#ifndef FIREBREAK_PLAN_H
#define FIREBREAK_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "manifest.h"
#include "tuf/envelope.h"

#define PLAN_MAX          1000000
#define PLAN_MAX_ROLLOUTS 3
#define PLAN_MAX_RECALLED 256
#define PLAN_MAX_COHORTS  64
#define COHORT_NAME_MAX   96 /* with the NUL */

/* X(NAME, text) */
#define ROLLOUT_STATES(X)                                                                          \
    X(RUNNING, "running")   /* permits are given */                                                \
    X(PAUSED, "paused")     /* nobody is admitted; resumes */                                      \
    X(HALTED, "halted")     /* stopped and recalled in its scope */                                \
    X(COMPLETE, "complete") /* reached everyone */                                                 \
    X(SUPERSEDED, "superseded")

enum rollout_state {
#define X(name, text) ROLLOUT_##name,
    ROLLOUT_STATES(X)
#undef X
};
const char *rollout_state_name(enum rollout_state s);
int rollout_state_from(const char *text, enum rollout_state *ret);

struct plan_cohort { /* where a cohort differs from its rollout */
    char name[COHORT_NAME_MAX];
    int64_t stage_ppm;
    bool halted;
};

struct plan_rollout {
    char digest[65];
    char version[RELEASE_VERSION_MAX];
    int64_t sequence;
    enum rollout_state state;
    int64_t stage_ppm; /* share of draws that should stage */
    struct plan_cohort *cohorts;
    size_t n_cohorts;
};

struct plan_recall { /* endpoints that run this go back by themselves */
    char digest[65];
    char **cohorts; /* n_cohorts 0: everywhere */
    size_t n_cohorts;
};

struct plan_lift { /* a lifted quarantine; only causes not blamed on the content */
    char digest[65];
};

struct plan {
    char channel[CHANNEL_NAME_MAX];
    int64_t serial;    /* grows with each change */
    char baseline[65]; /* digest for devices without content; "" none */
    char baseline_version[RELEASE_VERSION_MAX];
    struct plan_rollout rollouts[PLAN_MAX_ROLLOUTS];
    size_t n_rollouts;
    struct plan_recall *recalled;
    size_t n_recalled;
    struct plan_lift *lifted;
    size_t n_lifted;
    struct key_set permit_keys; /* threshold 1; owned */
    int64_t checkin_ms;         /* how often to poll and check in when nothing goes on */
    int64_t tick_ms;            /* how often while staged or treated */
};

int plan_parse(const char *data, size_t len, struct plan **ret, struct err *err);
int plan_dump(const struct plan *p, struct buf *ret, struct err *err);
void plan_free(struct plan *p);
DEFINE_CLEANUP(struct plan *, plan_free)

/* "rollout/<channel>.json" */
int plan_target_path(const char *channel, char *ret, size_t size);

/* The rollout of this digest, NULL: not in flight. */
const struct plan_rollout *plan_find(const struct plan *p, const char *digest);
/* The newest release that this cohort should stage: running, paused or complete, neither halted nor
 * recalled for it. NULL: none. */
const struct plan_rollout *plan_candidate(const struct plan *p, const char *cohort);
/* Share that should stage in a cohort; 0 unless running, paused or complete and not halted for it.
 */
int64_t plan_stage_ppm(const struct plan_rollout *r, const char *cohort);
bool plan_recalls(const struct plan *p, const char *digest, const char *cohort);
bool plan_lifts(const struct plan *p, const char *digest);

#endif
