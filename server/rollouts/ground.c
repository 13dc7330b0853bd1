/* ground: see ground.h. */
#include "rollouts/ground.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pacing.h"

#define GROUND_ROWS       256 /* builds that are told apart at once; others share the last row */
#define GROUND_PENDING    128 /* more than the room of any build that is still new */
#define GROUND_WAIT_MS    (INT64_C(3600) * 1000)
#define GROUND_NOT_IN_ROW (-1)

struct ground_row {
    char cohort[COHORT_NAME_MAX];
    int64_t settled; /* devices that run it and hold nothing back */
    struct {
        uint32_t device;
        int64_t at_ms;
    } pending[GROUND_PENDING]; /* given it, not heard running it */
    int n_pending;
};

struct ground {
    char digest[65]; /* that all this is about */
    struct ground_row rows[GROUND_ROWS];
    int n;
};

struct ground *ground_new(void)
{
    return calloc(1, sizeof(struct ground));
}

void ground_free(struct ground *g)
{
    free(g);
}

static int find_row(const struct ground *g, const char *cohort)
{
    for (int i = 0; i < g->n; i++)
        if (strcmp(g->rows[i].cohort, cohort) == 0)
            return i;
    return -1;
}

/* A row for a build that has none: a new one, or one that nobody stands in; -1. */
static int row_for(struct ground *g)
{
    if (g->n < GROUND_ROWS)
        return g->n++;
    for (int i = 0; i < g->n; i++)
        if (g->rows[i].settled == 0 && g->rows[i].n_pending == 0)
            return i;
    return -1;
}

static int row_of(struct ground *g, const char *cohort)
{
    int i = find_row(g, cohort);

    if (i >= 0)
        return i;
    i = row_for(g);
    if (i < 0)
        return GROUND_ROWS - 1;
    memcpy(g->rows[i].cohort, cohort, COHORT_NAME_MAX);
    return i;
}

void ground_follow(struct ground *g, const struct fleet *f, const char *channel,
                   const char *baseline)
{
    if (strcmp(g->digest, baseline) == 0)
        return;
    memset(g, 0, sizeof *g);
    memcpy(g->digest, baseline, strlen(baseline) + 1);
    for (int64_t i = 0; i < fleet_size(f); i++) {
        struct device *d = fleet_at(f, i);

        for (int k = 0; k < d->n_channels; k++) {
            if (strcmp(d->channels[k].channel, channel) != 0)
                continue;
            d->channels[k].ground = GROUND_NOT_IN_ROW;
            ground_note(g, d, &d->channels[k]);
        }
    }
}

static void drop_pending(struct ground_row *r, int i)
{
    r->pending[i] = r->pending[--r->n_pending];
}

static void forget(struct ground_row *r, uint32_t device)
{
    for (int i = 0; i < r->n_pending; i++)
        if (r->pending[i].device == device)
            drop_pending(r, i);
}

void ground_note(struct ground *g, const struct device *d, struct device_channel *dc)
{
    bool settled = g->digest[0] && strcmp(dc->running, g->digest) == 0 && !dc->hold[0];
    int row = settled ? row_of(g, d->cohort) : GROUND_NOT_IN_ROW;

    if (row == dc->ground)
        return;
    if (dc->ground != GROUND_NOT_IN_ROW)
        g->rows[dc->ground].settled--;
    if (settled) {
        g->rows[row].settled++;
        forget(&g->rows[row], d->index);
    }
    dc->ground = (int16_t)row;
}

/* Those who did not come back in time are told of, and then let others try. */
static void give_up(struct ground_row *r, int64_t boot_ms)
{
    int lost = 0;

    for (int i = 0; i < r->n_pending;) {
        if (boot_ms - r->pending[i].at_ms < GROUND_WAIT_MS) {
            i++;
            continue;
        }
        drop_pending(r, i);
        lost++;
    }
    if (lost > 0)
        log_warn("ground",
                 "%s: %d devices were given the baseline and did not come back with it "
                 "within an hour; %lld run it there",
                 r->cohort, lost, (long long)r->settled);
}

bool ground_may(struct ground *g, const struct device *d, int64_t boot_ms)
{
    struct ground_row *r = &g->rows[row_of(g, d->cohort)];

    for (int i = 0; i < r->n_pending; i++)
        if (r->pending[i].device == d->index)
            return true; /* a retry under the same exposure */
    give_up(r, boot_ms);
    return pacing_ground_room(r->settled) > r->n_pending;
}

void ground_grant(struct ground *g, const struct device *d, int64_t boot_ms)
{
    struct ground_row *r = &g->rows[row_of(g, d->cohort)];

    for (int i = 0; i < g->n; i++) /* whatever build it said before */
        forget(&g->rows[i], d->index);
    if (r->n_pending == GROUND_PENDING)
        return; /* known ground */
    r->pending[r->n_pending].device = d->index;
    r->pending[r->n_pending++].at_ms = boot_ms;
}
