/* tally_internal: what tally.c and tally_read.c share. */
#ifndef FIREBREAK_SERVER_TALLY_INTERNAL_H
#define FIREBREAK_SERVER_TALLY_INTERNAL_H

#include <string.h>

#include "fleet/tally.h"

/* What an arm is counted as, besides its histogram. */
enum tally_is {
    IS_UNTREATED = 1, /* and does not run the release */
    IS_CONTROL = 2,   /* while it waits: its first crash was not seen */
    IS_TREATED = 4,
    IS_CANARY = 8, /* treated as one */
    IS_HEALTHY = 16,
    IS_EXCUSED = 32,
    IS_UNACKNOWLEDGED = 64,
    IS_DIRECT = 128,
    IS_SOAKING = 256,
    IS_PART = 512,    /* untreated, heard in this rollout, not held */
    IS_BOOTED = 2048, /* treated, since a boot on the release */
    IS_HEARD = 1024   /* treated, and not away since its last check-in */
};

static inline int tally_bucket(const struct tally *t, uint64_t u)
{
    return (int)(u >> t->shift);
}

/* Slot of a histogram of waiting devices, and of those that are to stage, among all slots. */
static inline int tally_wait_slot(int hist)
{
    if (hist >= HIST_STAGING)
        return ARM_AWAKE_TICKS + hist - HIST_STAGING;
    return (hist - HIST_GRANTABLE) % TALLY_WAIT_SLOTS;
}

/* A slot of time that is not past; `hist` says whether ticks are counted or times. */
static inline bool tally_is_lately(const struct tally *t, int hist, int32_t slot)
{
    return tally_wait_slot(hist) < ARM_AWAKE_TICKS ? t->tick - slot < ARM_AWAKE_TICKS
                                                   : slot >= t->heard.oldest;
}

/* It stands in a histogram whose time is not past. */
static inline bool tally_is_counted(const struct tally *t, const struct tallied *x)
{
    return x->is & IS_UNTREATED && x->hist && tally_is_lately(t, x->hist, x->slot);
}

static inline void tally_empty(const struct tally *t, struct tally_row *r, int hist)
{
    if (!r->total[hist])
        return; /* and so is each bucket */
    r->total[hist] = 0;
    memset(r->fine[hist], 0, (size_t)t->buckets * sizeof *r->fine[hist]);
    memset(r->coarse[hist], 0, (size_t)(t->buckets / TALLY_MIN_BUCKETS) * sizeof *r->coarse[hist]);
}

#endif
