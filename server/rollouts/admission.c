/* admission: see admission.h. */
#include "rollouts/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static bool is_below(const struct threshold *t, const struct arm *m)
{
    return t->open && m->u <= t->draw;
}

bool admission_below(const struct admission *a, const struct arm *m)
{
    if (m->cohort < 0)
        return false;
    if (a->canary_ring)
        return m->canary && is_below(&a->canary_now, m);
    return is_below(&a->now[m->cohort], m);
}

bool admission_was_below(const struct admission *a, const struct arm *m)
{
    if (m->cohort < 0)
        return false;
    if (a->canary_ring)
        return m->canary && is_below(&a->canary_before, m);
    return is_below(&a->before[m->cohort], m);
}

bool admission_has_room(const struct admission *a, const struct arm *m)
{
    if (m->cohort < 0 || a->left[m->cohort] <= 0)
        return false;
    if (a->canary_ring && (!m->canary || a->left_canary <= 0))
        return false;
    return !a->fleet_wide || a->left_fleet > 0;
}

void admission_take(struct admission *a, const struct arm *m)
{
    a->left[m->cohort]--;
    a->left_fleet--;
    if (a->canary_ring)
        a->left_canary--;
}

void admission_close(struct admission *a)
{
    memset(a->left, 0, sizeof a->left);
    a->left_fleet = a->left_canary = 0;
}

/* The devices that one threshold is moved through. */
struct pool {
    int cohort; /* -1: all */
    bool canary;
    int64_t k; /* admissions; late ones are taken off */
};

static bool is_of(const struct pool *p, const struct arm *m, const bool *halted)
{
    return (p->cohort < 0 || m->cohort == p->cohort) && (!p->canary || m->canary) &&
           !halted[m->cohort];
}

/* The new threshold of a pool; `draws` has room for all arms. */
static struct threshold move(const struct admission *a, const struct pool *p,
                             const struct arms *arms, int64_t tick, const bool *halted,
                             struct threshold old, uint64_t *draws)
{
    int64_t n = 0, k = p->k;
    uint64_t at;

    for (int64_t i = 0; i < arms->n; i++) {
        const struct arm *m = &arms->rows[i];

        if (!arm_is_grantable(m, tick) || !is_of(p, m, halted))
            continue;
        if (admission_below(a, m))
            k--;
        else
            draws[n++] = m->u;
    }
    if (k <= 0 || n == 0)
        return old;
    at = draws_kth(draws, n, k < n ? k : n);
    if (old.open && old.draw > at)
        return old;
    return (struct threshold){.open = true, .draw = at};
}

static void move_cohorts(struct admission *a, const struct arms *arms, int64_t tick,
                         const struct rollout_decision *d, const bool *halted, uint64_t *draws)
{
    struct threshold next[GATE_MAX_COHORTS];

    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        struct pool p = {.cohort = d->fleet_wide ? -1 : c,
                         .k = d->fleet_wide ? d->admit_fleet : d->admit[c]};

        next[c] = a->now[c];
        if (p.k <= 0)
            continue;
        /* Fleet-wide the pool is the same for all: one pass, then copied. */
        if (d->fleet_wide && c > 0)
            next[c] = a->now[c].open && next[0].open && a->now[c].draw > next[0].draw ? a->now[c]
                                                                                      : next[0];
        else
            next[c] = move(a, &p, arms, tick, halted, a->now[c], draws);
    }
    memcpy(a->now, next, sizeof a->now);
}

int admission_move(struct admission *a, const struct arms *arms, int64_t tick,
                   const struct rollout_decision *d, bool canary_ring, const bool *halted)
{
    _cleanup_(free_p)
    uint64_t *draws = malloc((size_t)(arms->n + 1) * sizeof *draws);

    if (!draws)
        return -ERR_NOMEM;
    a->canary_ring = canary_ring;
    a->fleet_wide = d->fleet_wide;
    memcpy(a->before, a->now, sizeof a->before);
    a->canary_before = a->canary_now;
    if (canary_ring) {
        struct pool p = {.cohort = -1, .canary = true, .k = d->admit_canary};

        a->canary_now = move(a, &p, arms, tick, halted, a->canary_now, draws);
    } else {
        move_cohorts(a, arms, tick, d, halted, draws);
    }
    memcpy(a->left, d->admit, sizeof a->left);
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        if (halted[c])
            a->left[c] = 0;
    a->left_fleet = d->admit_fleet;
    a->left_canary = d->admit_canary;
    return 0;
}
