#include "pacing.h"

#include <math.h>
#include <string.h>

#include "ring.h"
#include "tolerance.h"

#define GROUND_FIRST     4 /* devices on ground that nobody knows */
#define GROUND_KNOWN     100
#define ALL_PPM          1000000
#define UNACKED_ALWAYS   2
#define SLOW_START       2000 /* devices that may go before the slow window is past */
#define SLOW_GROWTH      8
#define PASSAGE          10  /* the small-fleet limit fades out at so many times small_fleet */
#define SMALL_COHORT_ROW 2.0 /* a cohort without a share of n0 starts at s_c (n0 + 2 H) >= 1 */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t pacing_first(const struct policy *p, int64_t fleet)
{
    int64_t most = fleet < p->small_fleet ? min64(p->n0, UNACKED_ALWAYS + 1) : p->n0;

    return max64(min64((fleet + 50) / 100, most), 1);
}

void pacing_spread(int64_t n0, const struct topology *t, int64_t ret[GATE_MAX_COHORTS])
{
    double rest[GATE_MAX_COHORTS] = {0}, fleet = (double)topology_fleet(t);
    int64_t left = n0;

    memset(ret, 0, GATE_MAX_COHORTS * sizeof(ret[0]));
    if (!(fleet > 0.0))
        return;
    for (int c = 0; c < t->n_cohorts; c++) {
        double want = (double)n0 * (double)t->cohorts[c].size / fleet;

        ret[c] = (int64_t)floor(want);
        rest[c] = want - (double)ret[c];
        left -= ret[c];
    }
    while (left-- > 0) {
        int best = 0;

        for (int c = 1; c < t->n_cohorts; c++)
            if (rest[c] > rest[best])
                best = c;
        ret[best]++;
        rest[best] -= 1.0;
    }
}

double pacing_passage(const struct policy *p, int64_t fleet)
{
    double small = (double)p->small_fleet, n = (double)fleet;

    if (n >= small * PASSAGE)
        return 1.0;
    return n <= small ? 0.0 : (n - small) / (small * (PASSAGE - 1));
}

int64_t pacing_unacknowledged_limit(const struct policy *p, int64_t fleet, int64_t admitted)
{
    double passage = pacing_passage(p, fleet);
    int64_t limit = UNACKED_ALWAYS + tolerance_benign(p->tau, admitted);

    if (passage >= 1.0)
        return INT64_MAX;
    return (int64_t)((double)limit * (1.0 + passage * (PASSAGE - 1)));
}

int64_t pacing_ground_room(int64_t settled)
{
    return settled >= GROUND_KNOWN ? INT64_MAX : GROUND_FIRST + settled;
}

int64_t pacing_unacknowledged(const struct cohort_facts *f)
{
    return max64(f->admitted - f->healthy - f->excused, 0);
}

int64_t pacing_in_flight(const struct cohort_facts *f)
{
    return max64(pacing_unacknowledged(f) - f->overdue, 0);
}

bool pacing_is_fast(const struct rollout *r)
{
    const struct policy *p = &r->policy;
    int until = r->rings[0].kind == RING_CANARY && r->n_rings > 1 ? 1 : 0;

    for (int i = 0; i < p->n_rings; i++)
        for (int k = 0; p->rings[i].kind == RING_COUNT && k < r->n_rings; k++)
            if (r->rings[k].first_policy_ring <= i && i <= r->rings[k].policy_ring)
                until = k;
    return r->ring < until || (r->ring == until && r->full_since_ms < 0);
}

static double growth(const struct rollout *r)
{
    return pacing_is_fast(r) ? r->policy.growth_fast : r->policy.growth;
}

static int64_t grown(double g, int64_t healthy)
{
    return (int64_t)floor(g * (double)healthy + 1e-9);
}

/* Counts ticks without an admission; the fleet's too. */
static void count_idle(struct rollout *r, const struct rollout_facts *f, bool paused)
{
    bool any = false;

    for (int c = 0; c < r->topology.n_cohorts; c++) {
        bool moved = f->cohorts[c].admitted != r->last_admitted[c];

        any |= moved;
        if (moved)
            r->idle_ticks[c] = 0;
        else if (!paused)
            r->idle_ticks[c]++;
        r->last_admitted[c] = f->cohorts[c].admitted;
    }
    if (any)
        r->idle_fleet = 0;
    else if (!paused)
        r->idle_fleet++;
}

void pacing_hold(struct rollout *r, const struct rollout_facts *f)
{
    count_idle(r, f, true);
}

/* The manifest's pace, in devices; the canary group is exempt by its owners' configuration. */
static int64_t pace_cap(const struct rollout_facts *f, int64_t size)
{
    if (f->pace_ppm >= ALL_PPM)
        return INT64_MAX / 4;
    return (int64_t)ceil((double)size * (double)f->pace_ppm / ALL_PPM);
}

bool pacing_held_by_pace(const struct rollout *r, const struct rollout_facts *f,
                         const struct cohort_facts *sum)
{
    return r->rings[r->ring].kind != RING_CANARY &&
           sum->admitted >= pace_cap(f, topology_fleet(&r->topology));
}

static int64_t admissions_per_tick(const struct rollout *r)
{
    int64_t tick_ms = pacing_is_fast(r) ? r->policy.fast_tick_ms : r->policy.tick_ms;

    return max64(r->policy.max_admissions_s * tick_ms / 1000, 1);
}

/* What the ring still has for these devices: above the threshold, and passed by it before. */
struct supply {
    int64_t room, late;
};

static struct supply supply_of(const struct rollout *r, int64_t tick, int64_t cap,
                               const struct cohort_facts *of)
{
    struct supply s = {.late = of->late};
    int64_t passed = of->admitted + of->late + of->passed_away;

    if (!ring_waits_for_staging(r, tick, of))
        s.room = min64(max64(cap - passed, 0), of->ready);
    return s;
}

/* While somebody stays away, a step that would cost a quarter of a device if that was the content.
 */
static int64_t careful_step(int64_t admitted, int64_t overdue)
{
    return max64(admitted / (4 * overdue), 1);
}

static void admit_fleet(struct rollout *r, const struct rollout_facts *f,
                        const struct cohort_facts *sum, struct rollout_decision *ret)
{
    const struct policy *p = &r->policy;
    int64_t fleet = topology_fleet(&r->topology), n0 = pacing_first(p, fleet);
    bool canary = r->rings[r->ring].kind == RING_CANARY;
    struct supply s = {0};
    int64_t k, limit;

    if (canary && !ring_waits_for_staging(r, f->tick, sum))
        s.room = min64(ring_canary_room(r, sum), sum->canary_ready);
    else if (!canary)
        s = supply_of(r, f->tick, ring_live_cap(r, r->ring), sum);
    if (r->ring == r->n_rings - 1 && !ring_waits_for_staging(r, f->tick, sum))
        s.room = sum->ready; /* the last ring is open to all, also to those enrolled since */
    limit = n0 + r->probe_fleet + grown(growth(r), sum->healthy);
    if (r->idle_fleet >= p->stuck_ticks && s.room + s.late > 0 && sum->admitted > 0 &&
        sum->admitted >= limit) {
        r->probe_fleet += n0;
        r->idle_fleet = 0;
        limit += n0;
    }
    k = min64(limit, SLOW_START + SLOW_GROWTH * sum->healthy_slow) - sum->admitted;
    if (!canary)
        k = min64(k, pace_cap(f, fleet) - sum->admitted);
    if (fleet < p->small_fleet && sum->overdue > r->accepted)
        k = min64(k, careful_step(sum->admitted, sum->overdue - r->accepted));
    k = max64(min64(min64(k, s.room + s.late), admissions_per_tick(r)), 0);
    ret->admit_fleet = k;
    ret->admit_canary = canary ? k : 0;
    for (int c = 0; c < r->topology.n_cohorts; c++)
        ret->admit[c] = r->halted[c] ? 0 : k;
}

static int64_t admit_cohort(struct rollout *r, const struct rollout_facts *f, int c, int64_t n0,
                            bool starts)
{
    const struct cohort_facts *of = &f->cohorts[c];
    const struct policy *p = &r->policy;
    double share = (double)r->topology.cohorts[c].size / (double)topology_fleet(&r->topology);
    struct supply s = supply_of(r, f->tick, ring_cohort_cap(r, r->ring, c), of);
    int64_t limit, slow, k;

    if (starts)
        n0 = max64(n0, 1);
    limit = n0 + r->probe[c] + grown(growth(r), of->healthy);
    if (r->idle_ticks[c] >= p->stuck_ticks && s.room + s.late > 0 && of->admitted > 0 &&
        of->admitted >= limit) {
        r->probe[c] += max64(n0, 1);
        r->idle_ticks[c] = 0;
        limit += max64(n0, 1);
    }
    slow = (int64_t)ceil(SLOW_START * share) + SLOW_GROWTH * of->healthy_slow;
    k = min64(min64(limit, slow), pace_cap(f, r->topology.cohorts[c].size)) - of->admitted;
    return max64(min64(k, s.room + s.late), 0);
}

static void admit_cohorts(struct rollout *r, const struct rollout_facts *f,
                          const struct cohort_facts *sum, struct rollout_decision *ret)
{
    const struct topology *t = &r->topology;
    int64_t fleet = topology_fleet(t), first = pacing_first(&r->policy, fleet), total = 0;
    int64_t n0[GATE_MAX_COHORTS], most = admissions_per_tick(r);

    pacing_spread(first, t, n0);
    for (int c = 0; c < t->n_cohorts; c++) {
        double grows = (double)t->cohorts[c].size / (double)fleet *
                       ((double)first + SMALL_COHORT_ROW * (double)sum->healthy);

        if (!r->halted[c])
            ret->admit[c] = admit_cohort(r, f, c, n0[c], grows >= 1.0);
        total += ret->admit[c];
    }
    for (int c = 0; c < t->n_cohorts && total > most; c++)
        ret->admit[c] = (int64_t)((double)ret->admit[c] * (double)most / (double)total);
    for (int c = 0; c < t->n_cohorts; c++)
        ret->admit_fleet += ret->admit[c];
}

static bool is_fleet_wide(const struct rollout *r)
{
    return topology_fleet(&r->topology) < r->policy.small_fleet ||
           r->rings[r->ring].kind == RING_CANARY;
}

void pacing_admit(struct rollout *r, const struct rollout_facts *f, const struct cohort_facts *sum,
                  struct rollout_decision *ret)
{
    int64_t fleet = topology_fleet(&r->topology);
    double passage = pacing_passage(&r->policy, fleet);

    count_idle(r, f, false);
    ret->fleet_wide = is_fleet_wide(r);
    if (passage < 1.0 &&
        (double)pacing_in_flight(sum) > passage * (double)(sum->admitted - sum->overdue))
        return; /* each step waits for the acknowledgements of the one before */
    if (ret->fleet_wide)
        admit_fleet(r, f, sum, ret);
    else
        admit_cohorts(r, f, sum, ret);
}
