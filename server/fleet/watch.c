/* watch: see watch.h. */
#include "fleet/watch.h"

#include <string.h>

void watch_init(struct watch *w, int32_t deadline_ticks, int64_t deadline_ms)
{
    memset(w, 0, sizeof *w);
    w->deadline_slots = deadline_ticks;
    w->deadline_ms = deadline_ms;
    w->slot_ms = deadline_ms / WATCH_PARTS;
}

static struct watch_cell *cell(struct watch *w, const struct place *p)
{
    return &w->cells[p->cohort][p->stratum][p->side][p->slot % WATCH_SLOTS];
}

static int32_t *standing(struct watch *w, const struct place *p)
{
    return &w->standing[p->cohort][p->stratum][p->side];
}

static bool is_unresolved(const struct watch *w, const struct place *p)
{
    return p->slot >= 0 && p->slot >= w->oldest;
}

bool watch_has_failed(const struct watch *w, const struct place *p)
{
    return p->slot >= 0 && p->slot < w->oldest;
}

void watch_leave(struct watch *w, struct place *p)
{
    if (is_unresolved(w, p)) {
        cell(w, p)->still--;
        --*standing(w, p);
    }
    p->slot = -1;
}

void watch_excuse(struct watch *w, struct place *p)
{
    if (is_unresolved(w, p))
        cell(w, p)->entered--;
    watch_leave(w, p);
}

void watch_fail(struct watch *w, struct place *p)
{
    (void)w;
    p->slot = -1;
}

void watch_move(struct watch *w, struct place *p, int cohort, enum stratum stratum,
                enum arm_side side)
{
    if (p->slot == w->now) {
        if (p->cohort == cohort && p->stratum == (int)stratum && p->side == (int)side)
            return;
        watch_excuse(w, p); /* what it was at the slot's end counts */
    } else {
        watch_leave(w, p);
    }
    *p = (struct place){.slot = w->now,
                        .cohort = (uint8_t)cohort,
                        .stratum = (uint8_t)stratum,
                        .side = (uint8_t)side};
    cell(w, p)->entered++;
    cell(w, p)->still++;
    ++*standing(w, p);
}

int64_t watch_unresolved_tick(const struct watch *w)
{
    return w->first_tick[w->oldest % WATCH_SLOTS];
}

void watch_new_round(struct watch *w)
{
    w->void_slot = w->oldest;
    w->void_tick = watch_unresolved_tick(w);
}

static bool is_due(const struct watch *w, int64_t now_ms)
{
    return w->oldest < w->now && w->now - w->oldest >= w->deadline_slots &&
           now_ms - w->ended_ms[w->oldest % WATCH_SLOTS] >= w->deadline_ms;
}

int watch_resolve(struct watch *w, enum metric metric, int64_t now_ms, struct batch *ret, int max)
{
    int slot = w->oldest % WATCH_SLOTS, n = 0;

    if (!is_due(w, now_ms))
        return 0;
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        for (int s = 0; s < N_STRATA; s++) {
            const struct watch_cell *t = &w->cells[c][s][SIDE_TREATED][slot];
            const struct watch_cell *o = &w->cells[c][s][SIDE_CONTROL][slot];

            w->standing[c][s][SIDE_TREATED] -= t->still;
            w->standing[c][s][SIDE_CONTROL] -= o->still;
            if (ret && n < max && t->entered > 0 && o->entered > 0)
                ret[n++] = (struct batch){.metric = metric,
                                          .cohort = c,
                                          .stratum = (enum stratum)s,
                                          .tick = w->first_tick[slot],
                                          .n_t = t->entered,
                                          .f_t = t->still,
                                          .n_c = o->entered,
                                          .f_c = o->still};
        }
    w->oldest++;
    return n;
}

void watch_turn(struct watch *w, int64_t tick, int64_t now_ms)
{
    int slot = (w->now + 1) % WATCH_SLOTS;

    /* Where the ring is full the open slot takes in one tick more. */
    if (now_ms - w->begun_ms < w->slot_ms || w->now + 1 - w->oldest >= WATCH_SLOTS)
        return;
    w->ended_ms[w->now % WATCH_SLOTS] = now_ms;
    w->begun_ms = now_ms;
    w->first_tick[slot] = tick;
    w->now++;
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        for (int s = 0; s < N_STRATA; s++)
            for (int a = 0; a < N_SIDES; a++)
                w->cells[c][s][a][slot] = (struct watch_cell){0};
}

void watch_clear(struct watch *w)
{
    memset(w->cells, 0, sizeof w->cells);
    memset(w->standing, 0, sizeof w->standing);
}
