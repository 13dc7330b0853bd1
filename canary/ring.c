#include "ring.h"

#define ALL_PPM           1000000
#define FULL_AWAKE_PCT    97   /* of the ready and awake */
#define FULL_COUNT_PCT    90   /* of its count */
#define LAST_LEFT_PPM     2000 /* ready devices that may be left when the last ring is full */
#define STAGING_HOLD_PART 20   /* wait while more than 1/20 of the fleet's staged part is staging */

static int64_t share_of(int64_t n, int64_t ppm)
{
    return (n * ppm + ALL_PPM / 2) / ALL_PPM;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t policy_ring_cap(const struct policy_ring *ring, int64_t fleet, int64_t canary_size)
{
    switch (ring->kind) {
    case RING_CANARY:
        return (canary_size + 1) / 2;
    case RING_COUNT:
        return max64(min64(ring->count, share_of(fleet, ring->share_ppm)), 1);
    case RING_SHARE:
        return max64(share_of(fleet, ring->share_ppm), 1);
    }
    return 0;
}

static double stricter(double a, double b)
{
    if (a == 0.0 || b == 0.0)
        return a + b;
    return a < b ? a : b;
}

static void merge(struct rollout_ring *into, const struct rollout_ring *ring)
{
    into->bake_ms = max64(into->bake_ms, ring->bake_ms);
    into->bake_boots = max64(into->bake_boots, ring->bake_boots);
    if (ring->policy_ring < 0)
        return; /* the holdout: no ring of the policy's, and not larger than what it merges into */
    into->policy_ring = ring->policy_ring;
    into->rho_cr = stricter(into->rho_cr, ring->rho_cr);
    into->rho_sl = stricter(into->rho_sl, ring->rho_sl);
    if (into->kind == RING_CANARY && ring->share_ppm < ALL_PPM)
        return; /* stays among the canaries */
    into->kind = ring->kind;
    into->share_ppm = ring->share_ppm;
    into->cap = max64(into->cap, ring->cap);
}

/* The last ring is everybody's: a canary ring that would cover the whole fleet stays before it. */
static bool merges(const struct rollout *r, const struct rollout_ring *ring)
{
    const struct rollout_ring *last;

    if (r->n_rings == 0)
        return false;
    last = &r->rings[r->n_rings - 1];
    return ring->cap <= last->cap && !(last->kind == RING_CANARY && ring->share_ppm == ALL_PPM);
}

static void push(struct rollout *r, const struct rollout_ring *ring)
{
    if (merges(r, ring))
        merge(&r->rings[r->n_rings - 1], ring);
    else if (r->n_rings < POLICY_MAX_RINGS)
        r->rings[r->n_rings++] = *ring;
}

void ring_build(struct rollout *r, int64_t canary_size)
{
    const struct policy *p = &r->policy;
    int64_t fleet = topology_fleet(&r->topology);

    r->n_rings = 0;
    for (int i = 0; i < p->n_rings; i++) {
        const struct policy_ring *of = &p->rings[i];
        struct rollout_ring ring = {.kind = of->kind,
                                    .cap = policy_ring_cap(of, fleet, canary_size),
                                    .first_policy_ring = i,
                                    .policy_ring = i,
                                    .bake_ms = of->bake_ms,
                                    .bake_boots = of->bake_boots,
                                    .rho_cr = of->rho_cr,
                                    .rho_sl = of->rho_sl};

        if (of->kind == RING_CANARY && canary_size == 0)
            continue;
        if (of->kind == RING_COUNT)
            ring.share_ppm = ring.cap * ALL_PPM / fleet;
        else if (of->kind == RING_SHARE)
            ring.share_ppm = of->share_ppm;
        if (i == p->n_rings - 1 && p->holdout_ppm > 0) {
            struct rollout_ring held = {.kind = RING_SHARE,
                                        .cap = share_of(fleet, ALL_PPM - p->holdout_ppm),
                                        .first_policy_ring = -1,
                                        .policy_ring = -1,
                                        .share_ppm = ALL_PPM - p->holdout_ppm,
                                        .bake_ms = p->holdout_ms};

            if (held.cap < fleet)
                push(r, &held);
        }
        push(r, &ring);
    }
}

void ring_resize(struct rollout *r)
{
    int64_t fleet = topology_fleet(&r->topology);

    for (int i = 0; i < r->n_rings; i++)
        if (r->rings[i].kind == RING_SHARE)
            r->rings[i].cap = max64(r->rings[i].cap, share_of(fleet, r->rings[i].share_ppm));
}

int64_t ring_cohort_cap(const struct rollout *r, int ring, int cohort)
{
    const struct rollout_ring *of = &r->rings[ring];
    int64_t size = r->topology.cohorts[cohort].size, fleet = topology_fleet(&r->topology);

    if (of->kind == RING_SHARE && of->share_ppm == ALL_PPM)
        return INT64_MAX / 4; /* enrolled since the start, too */
    if (fleet == 0)
        return 0;
    return (int64_t)(((double)of->cap * (double)size + (double)fleet - 1.0) / (double)fleet);
}

int64_t ring_live_cap(const struct rollout *r, int ring)
{
    const struct topology *t = &r->topology;
    const struct rollout_ring *of = &r->rings[ring];
    int64_t fleet = topology_fleet(t), live = 0;

    for (int c = 0; c < t->n_cohorts; c++)
        if (!r->halted[c])
            live += t->cohorts[c].size;
    if (live == fleet || fleet == 0)
        return of->cap;
    return (int64_t)((double)of->cap * (double)live / (double)fleet + 0.5);
}

int64_t ring_canary_room(const struct rollout *r, const struct cohort_facts *sum)
{
    int64_t awake = sum->canary_admitted + sum->canary_ready;
    int64_t half = min64(r->rings[r->ring].cap, (awake + 1) / 2);

    return max64(half - sum->canary_admitted, 0);
}

bool ring_waits_for_staging(const struct rollout *r, int64_t tick, const struct cohort_facts *of)
{
    if (tick - r->staged_tick >= r->policy.stage_wait_ticks)
        return false;
    if (r->rings[r->ring].kind == RING_CANARY)
        return of->canary_ready + of->canary_admitted < of->canary_size;
    return of->staging * STAGING_HOLD_PART > of->ready + of->late + of->admitted + of->staging;
}

bool ring_is_deserted(const struct cohort_facts *sum)
{
    int64_t here = sum->heard + sum->ready + sum->late + sum->staging;

    return here == 0 || sum->away > here;
}

static bool canary_is_full(const struct rollout *r, int64_t tick, const struct cohort_facts *sum)
{
    if (sum->canary_admitted * 100 >= r->rings[r->ring].cap * FULL_COUNT_PCT)
        return true;
    return sum->canary_admitted > 0 &&
           sum->canary_away <= sum->canary_ready + sum->canary_admitted &&
           !ring_waits_for_staging(r, tick, sum) && ring_canary_room(r, sum) == 0;
}

bool ring_is_full(const struct rollout *r, int64_t tick, const struct cohort_facts *sum)
{
    const struct rollout_ring *ring = &r->rings[r->ring];
    bool wait = tick - r->staged_tick < r->policy.stage_wait_ticks;
    int64_t left = sum->ready + (wait ? sum->staging : 0);
    int64_t cap, room, reach;

    if (sum->admitted == 0)
        return false;
    if (ring->kind == RING_CANARY)
        return canary_is_full(r, tick, sum);
    cap = ring_live_cap(r, r->ring);
    if (r->ring < r->n_rings - 1 && sum->admitted * 100 >= cap * FULL_COUNT_PCT)
        return true;
    if (ring_is_deserted(sum))
        return false;
    if (r->ring == r->n_rings - 1)
        return (left + sum->late) * ALL_PPM <= sum->admitted * LAST_LEFT_PPM;
    room = max64(cap - sum->admitted - sum->late - sum->passed_away, 0);
    reach = sum->admitted + sum->late + min64(left, room);
    return sum->admitted * 100 >= reach * FULL_AWAKE_PCT;
}
