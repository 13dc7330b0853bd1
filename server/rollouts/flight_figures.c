/*
 * flight_figures: the consumer's health figures of both arms, for the metrics of the policy's own
 * (docs/gate.md "How it compares"); see flight.h.
 *
 * A trial is a device that is heard in a tick and says the figure; above the policy's limit it has
 * failed, and leaves the metric until the marks are renewed. One trial a tick, the first: who
 * checks in more often has no more chances than others. Only tracked devices, because a count since
 * the last check-in compares only where all are told the same interval.
 */
#include <string.h>

#include "rollouts/flight.h"

_Static_assert(FIGURE_NAME_MAX == METRIC_NAME_MAX, "a figure's name is its metric's");
_Static_assert(POLICY_MAX_EXTRAS <= 4, "struct arm has so many bits");

/* What a device said in the tick figures_tick, so that a restart in its middle loses no trial. */
#define SAID(i)       (1U << (i))
#define FAILED(i)     (1U << (4 + (i)))
#define SAID_ANY      0x0fU
#define WAS_TREATED   0x100U
#define STRATUM_SHIFT 9

static uint16_t spent(int i)
{
    return (uint16_t)(MARK_FIGURE << i);
}

/* Of a treated device only what it said on the release, of a control only what on something else:
 * as with crashes, those that ran nothing at first are in neither arm. */
static bool is_on_trial(const struct flight *f, const struct arm *m, const struct hearing *h)
{
    if (!h->channel || !h->channel->running[0] || m->running != arm_is_treated(m))
        return false;
    return m->watched != N_STRATA && m->tracked && !(m->marks & MARK_BARE) &&
           m->figures_tick != f->tick;
}

static void count(struct flight *f, const struct arm *m)
{
    enum arm_side side = m->figures & WAS_TREATED ? SIDE_TREATED : SIDE_CONTROL;

    for (int i = 0; i < f->gate.policy.n_extras; i++) {
        struct figure_count *c = &f->figures[m->cohort][m->figures >> STRATUM_SHIFT][side][i];

        c->said += !!(m->figures & SAID(i));
        c->failed += !!(m->figures & FAILED(i));
    }
}

void flight_figures_hear(struct flight *f, struct arm *m, const struct hearing *h)
{
    const struct policy *p = &f->gate.policy;
    unsigned said = 0;

    if (p->n_extras == 0 || !is_on_trial(f, m, h))
        return;
    for (int i = 0; i < p->n_extras; i++) {
        const struct figure *x = figures_find(&h->channel->figures, p->extras[i].name);

        if (!x || m->marks & spent(i))
            continue;
        said |= SAID(i);
        if (x->value > p->extras[i].limit) {
            said |= FAILED(i);
            m->marks |= spent(i);
        }
    }
    if (!said)
        return;
    /* Its stratum and arm since its last check-in: what the figures are of. */
    m->figures = (uint16_t)(said | (arm_is_treated(m) ? WAS_TREATED : 0) |
                            (unsigned)m->watched << STRATUM_SHIFT);
    m->figures_tick = (int32_t)f->tick;
    count(f, m);
}

int flight_figures_batches(const struct flight *f, struct batch *ret, int max)
{
    int n = 0;

    for (int i = 0; i < f->gate.policy.n_extras; i++)
        for (int c = 0; c < GATE_MAX_COHORTS; c++)
            for (int s = 0; s < N_STRATA && n < max; s++) {
                const struct figure_count *t = &f->figures[c][s][SIDE_TREATED][i];
                const struct figure_count *o = &f->figures[c][s][SIDE_CONTROL][i];

                if (t->said > 0 && o->said > 0)
                    ret[n++] = (struct batch){.metric = (enum metric)(N_METRICS + i),
                                              .cohort = c,
                                              .stratum = (enum stratum)s,
                                              .tick = f->tick,
                                              .n_t = t->said,
                                              .f_t = t->failed,
                                              .n_c = o->said,
                                              .f_c = o->failed};
            }
    return n;
}

void flight_figures_turn(struct flight *f)
{
    memset(f->figures, 0, sizeof f->figures);
}

void flight_figures_resume(struct flight *f)
{
    flight_figures_turn(f);
    for (int64_t i = 0; i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];

        if (m->known && m->evidence && m->cohort >= 0 && m->figures_tick == f->tick &&
            m->figures & SAID_ANY && m->figures >> STRATUM_SHIFT < N_STRATA)
            count(f, m);
    }
}
