/* counters: see counters.h. */
#include "fleet/counters.h"

#include <string.h>

static struct counters_cell *cell(struct counters *c, const struct standing *s)
{
    return &c->cells[s->cohort][s->stratum][s->side][s->tick % COUNTERS_TICKS];
}

/* One more or less who is not heard since. */
static void add_still(struct counters *c, const struct standing *s, int by)
{
    cell(c, s)->still += by;
    if (s->side == SIDE_CONTROL)
        c->still_by_group[s->tick % COUNTERS_TICKS][s->group] += by;
}

static bool is_open(const struct standing *s, int64_t now)
{
    return s->tick >= 0 && now - s->tick <= COUNTERS_DEADLINE;
}

void counters_enter(struct counters *c, struct standing *s, const struct standing *into)
{
    *s = *into;
    cell(c, s)->entered++;
    add_still(c, s, 1);
}

void counters_alive(struct counters *c, struct standing *s, int64_t now)
{
    if (s->tick < 0 || s->tick == now)
        return;
    if (is_open(s, now))
        add_still(c, s, -1);
    s->tick = -1;
}

void counters_excuse(struct counters *c, struct standing *s, int64_t now)
{
    if (is_open(s, now)) {
        cell(c, s)->entered--;
        add_still(c, s, -1);
    }
    s->tick = -1;
}

void counters_turn(struct counters *c, int64_t tick)
{
    for (int k = 0; k < GATE_MAX_COHORTS; k++)
        for (int s = 0; s < N_STRATA; s++)
            for (int a = 0; a < N_SIDES; a++)
                c->cells[k][s][a][tick % COUNTERS_TICKS] = (struct counters_cell){0};
    memset(c->still_by_group[tick % COUNTERS_TICKS], 0, sizeof c->still_by_group[0]);
}

int counters_silent_groups(const struct counters *c, int64_t tick)
{
    int n = 0;

    if (tick < 0)
        return 0;
    for (int g = 0; g < COUNTERS_GROUPS; g++)
        n += c->still_by_group[tick % COUNTERS_TICKS][g] > 0;
    return n;
}

int counters_resolve(const struct counters *c, int64_t tick, struct batch *ret, int max)
{
    int n = 0;

    if (tick < 0)
        return 0;
    for (int k = 0; k < GATE_MAX_COHORTS; k++)
        for (int s = 0; s < N_STRATA && n < max; s++) {
            const struct counters_cell *t = &c->cells[k][s][SIDE_TREATED][tick % COUNTERS_TICKS];
            const struct counters_cell *o = &c->cells[k][s][SIDE_CONTROL][tick % COUNTERS_TICKS];

            if (t->entered + o->entered > 0)
                ret[n++] = (struct batch){.metric = METRIC_SF,
                                          .cohort = k,
                                          .stratum = (enum stratum)s,
                                          .tick = tick,
                                          .n_t = t->entered,
                                          .f_t = t->still,
                                          .n_c = o->entered,
                                          .f_c = o->still};
        }
    return n;
}
