#include "run.h"

#include "base/cleanup.h"

#define AFTER_HALT_TICKS 3 /* for reports that are on their way */
#define MANY_HIT         3 /* so many halted cohorts halt all */
#define MS_PER_MIN       60000.0
#define PROOF_LN         2.995732273553991 /* ln 20 */

DEFINE_CLEANUP(struct fleet *, fleet_free)

struct state {
    const struct scenario *s;
    struct fleet *fleet;
    struct rollout *rollout;
    struct rollout_facts facts;
    struct rollout_decision decision;
    struct outcome *out;
    int quiet; /* ticks since nothing more can happen */
};

static double minutes(int64_t ms)
{
    return (double)ms / MS_PER_MIN;
}

static void take_halts(struct state *st)
{
    struct outcome *o = st->out;
    const struct scenario *s = st->s;
    bool first = o->halted_cohorts == 0;
    int hit = 0;

    for (int c = 0; c < s->topology.n_cohorts; c++)
        hit += s->defect.hits[c];

    for (int c = 0; c < st->rollout->topology.n_cohorts; c++) {
        if (!st->decision.newly_halted[c])
            continue;
        fleet_recall(st->fleet, c);
        o->halted_cohorts++;
        /* Where several bad cohorts stop everything, the good ones are no false halt. */
        o->false_halts +=
            s->good || (!s->defect.hits[c] && (hit < MANY_HIT || !st->rollout->all_halted));
        if (o->halt_min < 0.0 && (s->good || s->defect.hits[c])) {
            o->halt_min = minutes(st->facts.now_ms);
            o->exposed_at_halt = 0;
            for (int k = 0; k < st->rollout->topology.n_cohorts; k++)
                o->exposed_at_halt += st->facts.cohorts[k].admitted;
        }
    }
    if (first && o->halted_cohorts > 0 && st->decision.n_reasons > 0) {
        o->metric = st->decision.reasons[0].metric;
        o->node = st->decision.reasons[0].node;
    }
}

static double tightest_margin(const struct policy *p)
{
    double rho = 0.0;

    for (int i = 0; i < p->n_rings; i++)
        if (p->rings[i].rho_cr > 0.0 && (rho == 0.0 || p->rings[i].rho_cr < rho))
            rho = p->rings[i].rho_cr;
    return rho;
}

/* Left the ring with the tightest CR margin, and the margin was shown. */
static void take_promotion(struct state *st)
{
    const struct rollout *r = st->rollout;
    const struct rollout_ring *left;

    if (!st->decision.opened || r->ring < 1)
        return;
    left = &r->rings[r->ring - 1];
    for (int i = left->first_policy_ring; i >= 0 && i <= left->policy_ring; i++)
        if (r->policy.rings[i].rho_cr == tightest_margin(&r->policy))
            st->out->passed_cr |= r->gate.ni_cr[i] >= PROOF_LN;
}

static void take_tick(struct state *st)
{
    struct outcome *o = st->out;
    const struct rollout_decision *d = &st->decision;

    take_halts(st);
    take_promotion(st);
    if (st->rollout->asks && o->ask_min < 0.0)
        o->ask_min = minutes(st->facts.now_ms);
    o->paused |= st->rollout->gate.pause_ticks > 0;
    for (int i = 0; i < d->n_reasons; i++)
        o->warned |= d->reasons[i].verdict == VERDICT_WARN;
    if (d->completed && o->complete_min < 0.0)
        o->complete_min = minutes(st->facts.now_ms);
    o->unproven = st->rollout->unproven;
}

/* Halted everywhere or complete; a defect that is still to come is waited for. */
static bool is_over(struct state *st)
{
    const struct scenario_defect *d = &st->s->defect;
    bool waits = d->kind == DEFECT_BOMB && d->per_min > 0.0;

    if (!st->rollout->all_halted && (st->out->complete_min < 0.0 || waits))
        return false;
    return ++st->quiet > AFTER_HALT_TICKS;
}

static int play(struct state *st, const struct run_watch *watch, struct err *err)
{
    struct fleet_orders orders;
    struct fleet_totals totals;

    rollout_first(st->rollout, &st->decision);
    do {
        bool held = st->rollout->gate.pause_ticks > 0;
        int64_t before;

        fleet_totals(st->fleet, &totals);
        before = totals.admitted;
        fleet_orders_of(&st->decision, st->rollout->topology.n_cohorts, &orders);
        int r = fleet_step(st->fleet, &orders, st->decision.tick_ms, &st->facts, err);

        if (r < 0)
            return r;
        if (rollout_tick(st->rollout, &st->facts, &st->decision) < 0)
            return err_set(err, ERR_INTERNAL, "tick %lld: facts that contradict themselves",
                           (long long)st->facts.tick);
        take_tick(st);
        fleet_totals(st->fleet, &totals);
        st->out->admitted_paused += held && totals.admitted > before;
        if (watch)
            watch->tick(watch->ctx, st->rollout, &st->facts, &st->decision, &totals);
    } while (!is_over(st) && st->facts.now_ms < st->s->limit_ms);
    st->out->harm = totals.harm;
    st->out->stuck = totals.stuck;
    st->out->exposed = totals.admitted;
    st->out->peak_checkins = totals.peak_checkins;
    return 0;
}

int run_seed(const struct scenario *s, const struct policy *p, uint64_t seed,
             const struct run_watch *watch, struct outcome *ret, struct err *err)
{
    _cleanup_(fleet_free_p)
    struct fleet *fleet = NULL;
    _cleanup_(free_p)
    struct state *st = calloc(1, sizeof(*st));
    _cleanup_(free_p)
    struct rollout *rollout = calloc(1, sizeof(*rollout));
    struct outcome out = {
        .halt_min = -1.0, .complete_min = -1.0, .ask_min = -1.0, .metric = -1, .node = -1};
    char why[200];
    int r;

    if (!st || !rollout)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = fleet_new(s, p, seed, &fleet, err);
    if (r < 0)
        return r;
    if (rollout_init(rollout, p, fleet_topology(fleet), s->canaries, why, sizeof(why)) < 0)
        return err_set(err, ERR_INVALID, "%s", why);
    *st = (struct state){.s = s, .fleet = fleet, .rollout = rollout, .out = &out};
    r = play(st, watch, err);
    if (r == 0)
        *ret = out;
    return r;
}
