/* tally_read: thresholds and sums; see tally.h. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "draws.h"
#include "fleet/tally_internal.h"

bool tally_is_waiting(const struct tally *t, const struct arm *m)
{
    if (!arm_is_ready(m))
        return false;
    return m->tracked ? t->tick - m->ready_tick < ARM_AWAKE_TICKS : m->heard >= t->heard.oldest;
}

int64_t tally_controls(const struct tally *t, int cohort)
{
    int64_t n = 0;

    for (int i = 0; i < TALLY_WAIT_SLOTS; i++)
        n += t->sums[cohort].controls[i];
    return n;
}

int64_t tally_heard_treated(const struct tally *t, int cohort)
{
    int64_t n = 0;

    for (int i = 0; i < TALLY_WAIT_SLOTS; i++)
        n += t->sums[cohort].heard[i];
    return n;
}

/* --- below a threshold ------------------------------------------------------------------------ */

/* In the buckets before this one. */
static int64_t before(const struct tally_row *r, int hist, int bucket)
{
    int coarse = bucket / TALLY_MIN_BUCKETS;
    int64_t n = 0;

    if (!r->total[hist])
        return 0;
    for (int i = 0; i < coarse; i++)
        n += r->coarse[hist][i];
    for (int i = coarse * TALLY_MIN_BUCKETS; i < bucket; i++)
        n += r->fine[hist][i];
    return n;
}

/* Where the sum of a histogram belongs. */
static int64_t *count_of(struct tally_counts *c, int hist)
{
    if (hist == HIST_ALL)
        return &c->all;
    if (hist == HIST_PART)
        return &c->part;
    if (hist < HIST_PACED)
        return &c->grantable;
    return hist < HIST_STAGING ? &c->paced : &c->staging;
}

static const struct arm *member(const struct arms *arms, int32_t link)
{
    return &arms->rows[link - 1];
}

static void count_member(const struct tally *t, const struct arm *m, struct tally_counts *ret)
{
    ret->all += (m->tallied.is & IS_UNTREATED) != 0;
    ret->part += (m->tallied.is & IS_PART) != 0;
    if (tally_is_counted(t, &m->tallied))
        ++*count_of(ret, m->tallied.hist);
}

void tally_count(const struct tally *t, const struct arms *arms, int cohort, bool canary,
                 const struct threshold *at, struct tally_counts *ret)
{
    const struct tally_row *r = t->rows[cohort][canary];
    int bucket = at ? tally_bucket(t, at->draw) : 0;

    *ret = (struct tally_counts){0};
    if (!r || (at && !at->open))
        return;
    for (int h = 0; h < N_HISTS; h++)
        *count_of(ret, h) += at ? before(r, h, bucket) : r->total[h];
    for (int32_t i = at ? r->members[bucket] : 0; i; i = t->next[i - 1])
        if (member(arms, i)->u <= at->draw)
            count_member(t, member(arms, i), ret);
}

/* --- the k-th above it ------------------------------------------------------------------------ */

/* One row on the way through its buckets. */
struct walk {
    const struct tally_row *row;
    struct threshold at;
    int64_t below;  /* who may be granted at or below the threshold */
    int64_t passed; /* in the buckets behind us, those below included */
};

static int64_t above(const struct walk *w, int64_t upto)
{
    return upto > w->below ? upto - w->below : 0;
}

static int64_t grantable_in(const struct tally_row *r, bool coarse, int i)
{
    int64_t n = 0;

    for (int h = HIST_GRANTABLE; h < HIST_PACED; h++)
        if (r->total[h])
            n += coarse ? r->coarse[h][i] : r->fine[h][i];
    return n;
}

/* From `from`, at most `n` steps: the one in which the sum of all rows reaches k; the walks stand
 * before it. */
static int step_to(struct walk *w, int n_rows, bool coarse, int from, int n, int64_t k)
{
    for (int i = from; i < from + n - 1; i++) {
        int64_t sum = 0;

        for (int r = 0; r < n_rows; r++)
            sum += above(&w[r], w[r].passed + grantable_in(w[r].row, coarse, i));
        if (sum >= k)
            return i;
        for (int r = 0; r < n_rows; r++)
            w[r].passed += grantable_in(w[r].row, coarse, i);
    }
    return from + n - 1;
}

static bool is_candidate(const struct tally *t, const struct walk *w, const struct arm *m)
{
    return tally_is_counted(t, &m->tallied) && m->tallied.hist < HIST_PACED &&
           !(w->at.open && m->u <= w->at.draw);
}

/* The k-th of all rows lies in this bucket. */
static int kth_in_bucket(const struct tally *t, const struct arms *arms, const struct walk *w,
                         int n_rows, int bucket, int64_t k, uint64_t *ret)
{
    _cleanup_(free_p)
    uint64_t *draws = NULL;
    int64_t n = 0, most = 0;

    for (int r = 0; r < n_rows; r++) {
        k -= above(&w[r], w[r].passed);
        most += grantable_in(w[r].row, false, bucket);
    }
    draws = malloc((size_t)(most + 1) * sizeof *draws);
    if (!draws)
        return -ERR_NOMEM;
    for (int r = 0; r < n_rows; r++)
        for (int32_t i = w[r].row->members[bucket]; i && n < most; i = t->next[i - 1])
            if (is_candidate(t, &w[r], member(arms, i)))
                draws[n++] = member(arms, i)->u;
    if (n == 0 || k < 1)
        return 0;
    *ret = draws_kth(draws, n, k < n ? k : n);
    return 1;
}

static void walk_init(const struct tally *t, const struct arms *arms,
                      const struct tally_pool_row *p, struct walk *ret)
{
    struct tally_counts below;

    tally_count(t, arms, p->cohort, p->canary, &p->at, &below);
    *ret =
        (struct walk){.row = t->rows[p->cohort][p->canary], .at = p->at, .below = below.grantable};
}

int tally_kth(const struct tally *t, const struct arms *arms, const struct tally_pool *pool,
              int64_t k, uint64_t *ret)
{
    struct walk walks[GATE_MAX_COHORTS * 2];
    int64_t n = 0;
    int n_rows = 0, at;

    for (int i = 0; i < pool->n; i++) {
        struct walk *w = &walks[n_rows];

        if (!t->rows[pool->rows[i].cohort][pool->rows[i].canary])
            continue;
        walk_init(t, arms, &pool->rows[i], w);
        for (int h = HIST_GRANTABLE; h < HIST_PACED; h++)
            n += w->row->total[h];
        n -= w->below;
        k -= w->below;
        n_rows++;
    }
    if (k <= 0 || n == 0)
        return 0;
    if (k > n)
        k = n;
    at = step_to(walks, n_rows, true, 0, t->buckets / TALLY_MIN_BUCKETS, k);
    at = step_to(walks, n_rows, false, at * TALLY_MIN_BUCKETS, TALLY_MIN_BUCKETS, k);
    return kth_in_bucket(t, arms, walks, n_rows, at, k, ret);
}
