/* admission: see admission.h. */
#include "rollouts/admission.h"

#include <string.h>

static bool is_below(const struct threshold *t, const struct arm *m)
{
    return t->open && m->u <= t->draw;
}

struct threshold admission_threshold(const struct admission *a, int cohort, bool canary)
{
    if (a->canary_ring)
        return canary ? a->canary_now : (struct threshold){0};
    return a->now[cohort];
}

bool admission_below(const struct admission *a, const struct arm *m)
{
    struct threshold t;

    if (m->cohort < 0)
        return false;
    t = admission_threshold(a, m->cohort, m->canary);
    return is_below(&t, m);
}

bool admission_passed(const struct admission *a, const struct arm *m)
{
    return admission_below(a, m) || (m->canary && is_below(&a->canary_now, m));
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

static bool is_other(const struct threshold *a, const struct threshold *b)
{
    return a->open != b->open || (a->open && a->draw != b->draw);
}

void admission_begin(struct admission *a, int32_t tick)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        if (is_other(&a->now[c], &a->before[c]))
            a->moved[c] = tick;
    if (is_other(&a->canary_now, &a->canary_before))
        a->canary_moved = tick;
}

int32_t admission_since(const struct admission *a, const struct arm *m)
{
    if (m->cohort < 0)
        return 0;
    return a->canary_ring && m->canary ? a->canary_moved : a->moved[m->cohort];
}

void admission_close(struct admission *a)
{
    memset(a->left, 0, sizeof a->left);
    a->left_fleet = a->left_canary = 0;
}

static void add_rows(struct tally_pool *p, const struct admission *a, int cohort, bool canary_only,
                     const bool *halted)
{
    for (int canary = canary_only; canary < 2 && !halted[cohort]; canary++)
        p->rows[p->n++] = (struct tally_pool_row){
            .cohort = cohort, .canary = canary, .at = admission_threshold(a, cohort, canary)};
}

/* The new threshold of those: moved so that k more may be granted. */
static int move(const struct tally *t, const struct arms *arms, const struct tally_pool *pool,
                int64_t k, struct threshold *at)
{
    uint64_t draw;
    int r = k > 0 ? tally_kth(t, arms, pool, k, &draw) : 0;

    if (r == 1 && !(at->open && at->draw > draw))
        *at = (struct threshold){.open = true, .draw = draw};
    return r < 0 ? r : 0;
}

static int move_all(const struct admission *a, const struct tally *t, const struct arms *arms,
                    bool canary_only, int64_t k, const bool *halted, struct threshold *at)
{
    struct tally_pool pool = {0};

    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        add_rows(&pool, a, c, canary_only, halted);
    return move(t, arms, &pool, k, at);
}

/* Fleet-wide there is one threshold; a cohort's own may be ahead of it. */
static int move_together(struct admission *a, const struct tally *t, const struct arms *arms,
                         int64_t k, const bool *halted)
{
    struct threshold next = a->now[0];
    int r = move_all(a, t, arms, false, k, halted, &next);

    for (int c = 0; r == 0 && k > 0 && c < GATE_MAX_COHORTS; c++)
        if (next.open && !(a->now[c].open && a->now[c].draw > next.draw))
            a->now[c] = next;
    return r;
}

static int move_cohorts(struct admission *a, const struct tally *t, const struct arms *arms,
                        const int64_t *admit, const bool *halted)
{
    struct threshold next[GATE_MAX_COHORTS];
    int r = 0;

    memcpy(next, a->now, sizeof next);
    for (int c = 0; r == 0 && c < GATE_MAX_COHORTS; c++) {
        struct tally_pool pool = {0};

        add_rows(&pool, a, c, false, halted);
        r = move(t, arms, &pool, admit[c], &next[c]);
    }
    if (r == 0)
        memcpy(a->now, next, sizeof a->now);
    return r;
}

int admission_move(struct admission *a, const struct tally *t, const struct arms *arms,
                   const struct rollout_decision *d, bool canary_ring, const bool *halted)
{
    struct admission to = *a;
    int r;

    to.canary_ring = canary_ring;
    to.fleet_wide = d->fleet_wide;
    memcpy(to.before, a->now, sizeof to.before);
    to.canary_before = a->canary_now;
    if (canary_ring)
        r = move_all(&to, t, arms, true, d->admit_canary, halted, &to.canary_now);
    else if (d->fleet_wide)
        r = move_together(&to, t, arms, d->admit_fleet, halted);
    else
        r = move_cohorts(&to, t, arms, d->admit, halted);
    if (r < 0)
        return r;
    memcpy(to.left, d->admit, sizeof to.left);
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        if (halted[c])
            to.left[c] = 0;
    to.left_fleet = d->admit_fleet;
    to.left_canary = d->admit_canary;
    *a = to;
    return 0;
}
