/*
 * tally: what all arms of a rollout come to, kept up by each check-in, so that a tick costs the
 * same whatever the size of the fleet (docs/server.md "What a tick costs").
 *
 *   a check-in   the arm changes; tally_note() takes out what it counted as and puts in what it is
 *   a tick       sums per cohort are read, what depends on time has moved on by slots, and the
 *                threshold is found in histograms over the draw; tally_turn() empties a slot or two
 *
 * Three kinds of sums:
 *   plain        admitted, healthy, excused, direct
 *   by age       overdue, soaking, healthy for long: struct ages
 *   by draw      who waits, and who is to stage: per cohort a histogram over the draw for each slot
 *                of time (two ticks of those asked every tick, four slots of those asked seldom),
 *                emptied when its time is past. So one threshold, or the k-th lowest draw, needs
 *                one pass over a cohort's buckets and the members of one bucket
 *
 * An arm remembers what it is counted as (struct tallied), so that nothing is taken out that was
 * not put in, whatever happened to it since. A bucket's members are linked by device index: four
 * bytes a device. Buckets hold some 32 devices until there are TALLY_MAX_BUCKETS.
 */
#ifndef FIREBREAK_SERVER_TALLY_H
#define FIREBREAK_SERVER_TALLY_H

#include "fleet/ages.h"
#include "fleet/arms.h"

#define TALLY_MIN_BUCKETS 64
#define TALLY_MAX_BUCKETS 4096

#define TALLY_HEARD_SLOTS 4
#define TALLY_WAIT_SLOTS  (ARM_AWAKE_TICKS + TALLY_HEARD_SLOTS) /* by tick, then by time */

/* Histograms of a row: everybody not treated, those of them that take part (heard in this rollout
 * or just before, not held), then who may be granted, who waits for the manifest's pace, and who is
 * to stage. */
enum tally_hist {
    HIST_ALL,
    HIST_PART,
    HIST_GRANTABLE,
    HIST_PACED = HIST_GRANTABLE + TALLY_WAIT_SLOTS,
    HIST_STAGING = HIST_PACED + TALLY_WAIT_SLOTS,
    N_HISTS = HIST_STAGING + TALLY_HEARD_SLOTS
};

struct threshold {
    bool open; /* false: nobody is below */
    uint64_t draw;
};

/* One cohort's devices in the canary group, or those outside it. */
struct tally_row {
    int64_t size;
    int32_t *members; /* first of each bucket: device index + 1 */
    int32_t total[N_HISTS];
    int32_t *fine[N_HISTS];   /* by bucket */
    int32_t *coarse[N_HISTS]; /* by TALLY_MIN_BUCKETS buckets */
};

struct tally_sums {
    int64_t admitted, canary_admitted, healthy, excused, direct, booted;
    int64_t controls[TALLY_WAIT_SLOTS];
    int64_t heard[TALLY_WAIT_SLOTS]; /* treated */
};

struct tally {
    int buckets, shift;                          /* of a row; of a draw */
    struct tally_row *rows[GATE_MAX_COHORTS][2]; /* NULL: nobody; [1]: the canary group */
    int32_t *next;                               /* in a bucket, by device index; 0 the last */
    int64_t n_next;
    struct tally_sums sums[GATE_MAX_COHORTS];
    struct ages overdue, soaking, healthy;
    int32_t tick;
    struct {
        int32_t now, oldest; /* the open slot; the first that counts as heard lately */
        int64_t begun_ms, slot_ms, ended_ms[TALLY_HEARD_SLOTS];
    } heard;
};

/* What a threshold splits: devices at or below it. */
struct tally_counts {
    int64_t all;  /* neither treated nor running the release */
    int64_t part; /* of those, heard in this rollout and not held */
    int64_t grantable, paced, staging;
};

struct tally_config {
    int64_t devices;     /* about so many */
    int64_t stuck_ticks; /* of the policy: overdue, ... */
    int64_t slow_window_ms, direct_window_ms;
    int64_t interval_ms; /* the longest that devices are told; awake is who was heard in two */
};

/* Before the first tick, at 0 ms of the rollout's clock. */
void tally_init(struct tally *t, const struct tally_config *config);
void tally_release(struct tally *t);

/* A device's arm is filled in; it has a cohort. 0 or -ERR_NOMEM. */
int tally_join(struct tally *t, struct arm *m, uint32_t device_index);
/* It is in the canary group from now on. 0 or -ERR_NOMEM: it is not. */
int tally_make_canary(struct tally *t, struct arm *m, uint32_t device_index);
/* It was heard just now; before this rollout, so long ago (less than nothing: never). */
void tally_heard(const struct tally *t, struct arm *m);
void tally_heard_before(const struct tally *t, struct arm *m, int64_t ms_ago);
/* It may have changed. */
void tally_note(struct tally *t, struct arm *m);
/* Forget what all were counted as and note them anew. */
void tally_again(struct tally *t, struct arms *arms);

/* Ready, awake and not treated: said so in this tick or the one before; where it is not asked every
 * tick, within the last times that it was to be heard. */
bool tally_is_waiting(const struct tally *t, const struct arm *m);

/* The end of a tick: what is too old counts no more. */
void tally_expire(struct tally *t, int64_t now_ms);
/* Then the next one begins. */
void tally_turn(struct tally *t, int32_t tick, int64_t now_ms);

/* Of one row, at or below a threshold (NULL: all). */
void tally_count(const struct tally *t, const struct arms *arms, int cohort, bool canary,
                 const struct threshold *at, struct tally_counts *ret);
/* Controls at risk of a consumer's crash: waiting, their first one not seen. */
int64_t tally_controls(const struct tally *t, int cohort);
/* Treated devices heard lately, and not away since. */
int64_t tally_heard_treated(const struct tally *t, int cohort);

/* Rows that a threshold is moved through together, each with where it stands in it. */
struct tally_pool {
    struct tally_pool_row {
        int cohort;
        bool canary;
        struct threshold at;
    } rows[GATE_MAX_COHORTS * 2];
    int n;
};

/* The draw up to which k more (k from 1) may be granted: who is at or below its row's threshold and
 * waits comes first, then the lowest above; the highest where they are fewer. 1, 0 where the
 * threshold need not move, -ERR_NOMEM. */
int tally_kth(const struct tally *t, const struct arms *arms, const struct tally_pool *pool,
              int64_t k, uint64_t *ret);

#endif
