/* cycle: the steps of a cycle and what starts the applying worker; between supervisor.c (the loop)
 * and the modules that do the work. Of supervisor.c only. */
#ifndef FIREBREAK_CLIENT_CYCLE_H
#define FIREBREAK_CLIENT_CYCLE_H

#include "cycle/child.h"
#include "cycle/report.h"

/* X(NAME, text) */
#define CYCLE_STEPS(X)                                                                             \
    X(IDLE, "idle")                                                                                \
    X(REFRESH, "refresh")                                                                          \
    X(VERIFY, "verify")                                                                            \
    X(BLOBS, "download")                                                                           \
    X(STAGE, "stage")                                                                              \
    X(CHECKIN, "check-in")

enum cycle_step {
#define X(name, text) CYCLE_##name,
    CYCLE_STEPS(X)
#undef X
};

struct cycle {
    struct agent *agent;
    enum cycle_step step;
    struct child job;   /* of the present step */
    struct child apply; /* pid 0: none */
    struct report report;
    /* what is known of the metadata in this process */
    bool verified; /* a refresh has succeeded, the last one too */
    int fetch_r;   /* how the fetching part of the last refresh ended: 0 or its error */
    struct err fetch_err;
    struct err fetch_channel_err; /* of the first channel that did not come; code 0: none */
    int64_t verified_ms;          /* boot clock */
    int refresh_failures;         /* in a row */
    int64_t refresh_ms;           /* boot clock: after a failure not before this */
    int64_t offered_version;      /* snapshot version that the server spoke of last */
    int64_t tick_ms;              /* of the plan, for jitters; 0 unknown */
    int64_t checkin_ms;
    char holds[CHECKIN_MAX_CHANNELS][64];     /* further reasons: "disk-full", "download-failed" */
    char told[CHECKIN_MAX_CHANNELS][65 + 32]; /* digest and cause of the last refusal told */
    size_t staging;                           /* channel that is being staged */
    char staging_digest[65];
    json_t *missing;
    /* the last answer, for the schedule */
    int64_t next_ms, retry_after_ms;
    int failures;
    int64_t unknown_ms; /* boot clock: a server that did not know this device is not asked before */
    int rejected;       /* check-ins in a row that the server could not read */
    struct err first_err;        /* of this cycle; code 0: none */
    struct err told_err;         /* the last one that was logged: once is enough */
    struct err told_figures_err; /* the same, of the consumer's figures */
    bool was_permitted;
    /* for the applying worker, which inherits a copy */
    struct permit_request rq;
    json_t *permit;
    const struct config_channel *applying;
    int64_t resolve_ms; /* boot clock at which what is unresolved is taken up; 0: nothing is */
};

void cycle_init(struct cycle *c, struct agent *a);
void cycle_release(struct cycle *c);

/* Begin a cycle (step must be IDLE). */
void cycle_begin(struct cycle *c);

/* The job of the present step has ended: go on, until a child runs again or the step is IDLE. */
void cycle_continue(struct cycle *c);

/* The applying worker has ended. 0 or its error. */
int cycle_applied(struct cycle *c, struct err *err);

/* Look for what an ended process or a recall left; starts its worker when it is due. Returns the
 * boot clock at which it is, 0: nothing. */
int64_t cycle_resolve(struct cycle *c, bool at_once);

#endif
