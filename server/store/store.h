/*
 * store: what must outlive the process. The interface is asynchronous: hand in a batch of rows, get
 * its completion after the commit; several batches share one commit (group commit). No driver's
 * types show. Drivers: store_sqlite.c; PostgreSQL later. To add one: a struct store_driver.
 *
 * Rows of one batch are committed together or not at all. Batches are committed in the order of
 * submission. When a commit fails (full disk), that batch and all queued ones fail with the same
 * error, and everything later fails too until store_recover().
 */
#ifndef FIREBREAK_SERVER_STORE_H
#define FIREBREAK_SERVER_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;

/* --- rows: one struct a table; strings are copied by the batch; NULL is SQL NULL ------------- */

struct row_device {
    const char *id, *grp, *token_id, *attempt, *machine;
    const char *os, *os_version, *arch, *label;
    int64_t generation, enrolled_ms;
    bool no_evidence; /* clones, taken out by an operator */
};

/* The last check-in of a device: what makes a repeated one get the same answer. */
struct row_checkin {
    const char *device, *epoch;
    int64_t number, at_ms;
    const char *body_sha256, *answer; /* answer: the JSON sent */
};

/* What runs on a device's channel and its arm in the rollout there. One row a (device, channel). */
struct row_device_channel {
    const char *device, *channel;
    const char *running, *hold;
    const char *ready;  /* digest, NULL */
    int64_t ready_tick; /* of the rollout `ready`; -1 */
    int64_t last_tick;
    bool canary; /* by its owner's configuration */
    /* First events in that rollout (arms.h): bits, the tick that this round of them began in, the
     * tick of the crash among them and of the last announced reboot (-1 none). */
    int64_t marks, marks_from, crash_tick, reboot_tick;
    int64_t figures, figures_tick; /* what its consumer said in that tick (flight_figures.c); -1 */
};

/* One exposure per (device, digest); written before the permit leaves. Later states replace it. */
struct row_exposure {
    const char *device, *channel, *digest, *kind, *nonce;
    int64_t at_ms, tick;
    int64_t stratum;
    const char
        *state;   /* granted, applied, healthy, preflight_failed, rolled_back, crashed, recalled */
    int64_t acks; /* check-ins after applying */
    bool direct;  /* counted as direct evidence */
};

struct row_event {
    const char *device, *id, *kind, *channel, *digest, *cause, *detail;
    bool blamed;
    int64_t at_ms;
};

struct row_release {
    const char *channel, *version, *digest, *manifest; /* exact text */
    int64_t sequence, published_ms;
    const char *by;
};

struct row_metadata { /* exact bytes of signed metadata and of targets */
    const char *name; /* "metadata/3.snapshot.json", "targets/rollout/<hash>.crs.json" */
    const void *data;
    size_t len;
    int64_t version;
};

struct row_rollout {
    const char *channel, *digest, *version, *policy; /* policy: its JSON as started */
    int64_t id, sequence, started_ms, elapsed_ms, tick, ended_ms;
    const char *state, *by, *topology; /* topology: JSON */
    int64_t min_snapshot;              /* permits only for metadata at least this new */
    int64_t halted_after_ms;           /* -1 */
};

/* Facts and decision of one tick: what rebuilds the gate after a restart, what replay reads. */
struct row_tick {
    int64_t rollout, tick, at_ms;
    const char *facts, *decision; /* JSON */
};

struct row_audit {
    int64_t seq, at_ms;
    const char *actor, *action, *subject, *detail, *prev, *hash;
};

struct row_operator {
    const char *name, *role, *token_sha256;
    int64_t created_ms;
    bool revoked;
};

struct row_enrolment {
    const char *id, *grp, *token_sha256;
    int64_t uses_left, created_ms;
};

struct row_recall {
    const char *channel, *digest, *cohorts; /* JSON array; "[]": everywhere */
    int64_t at_ms;
};

struct row_approval { /* the first of two people */
    const char *channel, *version, *action, *by, *reason;
    int64_t at_ms;
    bool open;
};

struct row_setting { /* small singletons: plan serials, baseline of a channel */
    const char *key, *value;
};

struct row_calibration {
    int64_t id;
    const char *channel, *policy, *state, *why, *by; /* policy: its JSON as started */
    int64_t started_ms, ended_ms;                    /* ended_ms -1: not yet */
    const char *options, *totals;                    /* JSON */
};

struct row_calibration_round {
    int64_t calibration, round, at_ms;
    const char *result; /* JSON */
};

/* --- batches --------------------------------------------------------------------------------- */

struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b); /* only where it was not submitted */
/* X(noun): void store_put_<noun>(struct store_batch *, const struct row_<noun> *): insert or
 * replace by the table's key. */
#define STORE_ROWS(X)                                                                              \
    X(device)                                                                                      \
    X(checkin)                                                                                     \
    X(device_channel)                                                                              \
    X(exposure)                                                                                    \
    X(event)                                                                                       \
    X(release)                                                                                     \
    X(metadata)                                                                                    \
    X(rollout)                                                                                     \
    X(tick)                                                                                        \
    X(audit)                                                                                       \
    X(operator)                                                                                    \
    X(enrolment)                                                                                   \
    X(recall)                                                                                      \
    X(approval)                                                                                    \
    X(setting)                                                                                     \
    X(calibration)                                                                                 \
    X(calibration_round)
#define X(noun) void store_put_##noun(struct store_batch *b, const struct row_##noun *row);
STORE_ROWS(X)
#undef X

/* The row of this name goes, where there is one: metadata that nobody asks for any more. In order
 * with the puts of the batch. */
void store_delete_metadata(struct store_batch *b, const char *name);

/* Called once, on the store's thread, after the commit (r = 0) or its failure (r < 0, err). It must
 * be short and must not wait for the store or the site lock (store_recover waits for it under that
 * lock). A NULL batch, that is out of memory, is told so at once on the caller's thread. */
typedef void (*store_done_fn)(void *ctx, int r, const struct err *err);

/* Takes the batch. done may be NULL. */
void store_submit(struct store *s, struct store_batch *b, store_done_fn done, void *ctx);

/* The same, waiting for the commit (CLI-facing handlers of rare acts, start-up). */
int store_commit(struct store *s, struct store_batch *b, struct err *err);

/* --- reading back: at start, after store_recover(), and for rare questions -------------------- */

/* Each visitor may be NULL; a negative result stops. Rows are valid during the call only. */
struct store_visitor {
#define X(noun) int (*noun)(void *ctx, const struct row_##noun *row, struct err *err);
    STORE_ROWS(X)
#undef X
};
/* All rows of the tables whose visitor is set, in key order (audit by seq, tick by rollout, tick).
 */
int store_load(struct store *s, const struct store_visitor *v, void *ctx, struct err *err);

/* Audit rows after `after`, at most limit. */
int store_audit_after(struct store *s, int64_t after, int64_t limit,
                      int (*row)(void *ctx, const struct row_audit *row, struct err *err),
                      void *ctx, struct err *err);

/* Ticks of one rollout after this one (-1: from the first), at most limit. */
int store_ticks_after(struct store *s, int64_t rollout, int64_t tick, int64_t limit,
                      int (*row)(void *ctx, const struct row_tick *row, struct err *err), void *ctx,
                      struct err *err);

/* --- life ------------------------------------------------------------------------------------ */

struct store_options {
    const char *path; /* SQLite file */
    int64_t commit_delay_ms;
    size_t max_batch_rows;
};
int store_open(const struct store_options *o, struct store **ret, struct err *err);
void store_close(struct store *s); /* commits what is queued */

/* True while commits fail. Try again: 0 when the store works; the caller reads memory again first.
 */
bool store_failed(struct store *s);
/* 0, or why they fail. */
int store_failure(struct store *s, struct err *err);
int store_recover(struct store *s, struct err *err);

/* Rows that wait for a commit. */
int64_t store_queued(struct store *s);

/* Counts since the start, for metrics. */
struct store_stats {
    int64_t commits, batches, rows, failures;
};
void store_get_stats(struct store *s, struct store_stats *ret);

#endif
