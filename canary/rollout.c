#include "rollout.h"

#include <math.h>
#include <string.h>

#include "pacing.h"
#include "ring.h"
#include "rollout_say.h"
#include "text.h"

#define ALL_PPM            1000000
#define MAX_BAKES          4
#define HALTS_ALL          3     /* halted cohorts that halt everything */
#define STAGE_ALL_BELOW    50000 /* devices: everybody stages from the start */
#define CONTROLS_AHEAD     11    /* y / x: ten controls per treated */
#define READY_PER_COHORT   20
#define MAX_NOW_MS         (INT64_C(1) << 53)
#define IN_FLIGHT_PER_CENT 3 /* of a large fleet's admitted may be under way when a ring ends */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t ceil_ppm(int64_t part, int64_t of)
{
    return of > 0 ? min64((int64_t)ceil((double)part * ALL_PPM / (double)of), ALL_PPM) : ALL_PPM;
}

/* y of the ring: ten controls per treated; below 50,000 devices everybody. */
static int64_t stage_share(const struct rollout *r)
{
    int64_t fleet = topology_fleet(&r->topology);
    int ring =
        r->rings[r->ring].kind == RING_CANARY && r->ring + 1 < r->n_rings ? r->ring + 1 : r->ring;

    if (fleet < STAGE_ALL_BELOW)
        return ALL_PPM;
    return max64(ceil_ppm(CONTROLS_AHEAD * r->rings[ring].cap, fleet), r->stage_ppm);
}

static void raise_staging(struct rollout *r, int64_t tick)
{
    int64_t y = stage_share(r);

    if (y > r->stage_ppm) {
        r->stage_ppm = y;
        r->staged_tick = tick;
    }
}

int rollout_init(struct rollout *r, const struct policy *p, const struct topology *t,
                 int64_t canary_size, char *ret_why, unsigned long size)
{
    struct text why = text_in(ret_why, size);
    char buf[160];
    const char *bad = policy_check(p, buf, sizeof(buf));

    if (bad) {
        text_add(&why, "policy '%.*s': %s", POLICY_NAME_MAX - 1, p->name, bad);
        return -1;
    }
    bad = topology_check(t);
    if (!bad && (canary_size < 0 || canary_size > topology_fleet(t)))
        bad = "a canary group larger than the fleet";
    if (bad) {
        text_add(&why, "fleet: %s", bad);
        return -1;
    }
    memset(r, 0, sizeof(*r));
    r->policy = *p;
    r->topology = *t;
    r->full_since_ms = -1;
    gate_init(&r->gate);
    ring_build(r, canary_size);
    raise_staging(r, 0);
    return 0;
}

int rollout_add_cohort(struct rollout *r, const char *name, const char *os)
{
    int c = topology_add(&r->topology, name, os);

    if (c >= 0)
        r->halted[c] = r->all_halted;
    return c;
}

static bool cohort_is_sane(const struct cohort_facts *f)
{
    const int64_t counts[] = {f->ready,    f->late,        f->staging,         f->passed_away,
                              f->admitted, f->healthy,     f->healthy_slow,    f->excused,
                              f->overdue,  f->canary_size, f->canary_ready,    f->canary_admitted,
                              f->direct,   f->soaking,     f->control_crashes, f->controls,
                              f->heard,    f->away,        f->canary_away,     f->booted};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if (counts[i] < 0 || counts[i] > GATE_MAX_DEVICES)
            return false;
    return f->healthy + f->excused + f->overdue <= f->admitted &&
           f->canary_admitted <= f->admitted && f->heard <= f->admitted &&
           f->healthy_slow <= f->healthy && f->soaking <= f->admitted && f->booted <= f->admitted &&
           f->canary_away <= f->away;
}

static bool facts_are_sane(const struct rollout *r, const struct rollout_facts *f)
{
    for (int c = 0; c < r->topology.n_cohorts; c++)
        if (!cohort_is_sane(&f->cohorts[c]))
            return false;
    for (int i = 0; i < f->n_batches && f->batches; i++)
        if (f->batches[i].tick < 0 || f->batches[i].tick > f->tick)
            return false;
    return f->now_ms >= r->last_ms && f->now_ms <= MAX_NOW_MS && f->tick >= 0 &&
           f->tick <= MAX_NOW_MS && f->pace_ppm >= 0 && f->pace_ppm <= ALL_PPM;
}

/* Cohorts added during the rollout have the size that was seen of them. */
static void grow_late_cohorts(struct rollout *r, const struct rollout_facts *f)
{
    struct topology *t = &r->topology;

    for (int c = t->n_cohorts - t->late_cohorts; c < t->n_cohorts; c++) {
        const struct cohort_facts *of = &f->cohorts[c];

        t->cohorts[c].size = max64(t->cohorts[c].size, of->ready + of->late + of->staging +
                                                           of->passed_away + of->admitted);
    }
    if (t->late_cohorts > 0)
        ring_resize(r);
}

static void sum_live(const struct rollout *r, const struct rollout_facts *f,
                     struct cohort_facts *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (int c = 0; c < r->topology.n_cohorts; c++) {
        const struct cohort_facts *of = &f->cohorts[c];

        if (r->halted[c])
            continue;
        ret->ready += of->ready;
        ret->late += of->late;
        ret->staging += of->staging;
        ret->passed_away += of->passed_away;
        ret->admitted += of->admitted;
        ret->healthy += of->healthy;
        ret->healthy_slow += of->healthy_slow;
        ret->excused += of->excused;
        ret->overdue += of->overdue;
        ret->booted += of->booted;
        ret->canary_size += of->canary_size;
        ret->canary_ready += of->canary_ready;
        ret->canary_admitted += of->canary_admitted;
        ret->heard += f->hears ? of->heard : of->admitted;
        ret->away += of->away;
        ret->canary_away += of->canary_away;
    }
    ret->away = max64(ret->away - r->accepted_away, 0);
}

struct judgement {
    bool halt[GATE_MAX_NODES], warn[GATE_MAX_NODES], pause;
};

static int judge(struct rollout *r, const struct rollout_facts *f, struct judgement *ret_j,
                 struct rollout_decision *ret)
{
    struct cohort_facts sum;
    int64_t admitted[GATE_MAX_COHORTS] = {0}, direct[GATE_MAX_COHORTS] = {0};
    int64_t soaking[GATE_MAX_COHORTS] = {0}, crashes[GATE_MAX_COHORTS] = {0};
    int64_t controls[GATE_MAX_COHORTS] = {0};
    struct gate_facts g = {.batches = f->batches,
                           .n_batches = f->n_batches,
                           .halted = r->halted,
                           .admitted = admitted,
                           .direct = direct,
                           .soaking = soaking,
                           .control_crashes = crashes,
                           .controls = controls,
                           .silent_controls = f->silent_controls,
                           .tick_controls = f->tick_controls,
                           .silent_groups = f->silent_groups,
                           .groups = f->groups};
    int n;

    for (int c = 0; c < r->topology.n_cohorts; c++) {
        admitted[c] = f->cohorts[c].admitted;
        direct[c] = f->cohorts[c].direct;
        soaking[c] = f->cohorts[c].soaking;
        crashes[c] = f->cohorts[c].control_crashes;
        controls[c] = f->cohorts[c].controls;
    }
    sum_live(r, f, &sum);
    g.deserted = f->hears && ring_is_deserted(&sum);
    n = gate_tick(&r->gate, &r->policy, &r->topology, &g, ret->reasons, ROLLOUT_MAX_REASONS,
                  ret_j->halt, ret_j->warn, &ret_j->pause);
    if (n < 0)
        return -1;
    ret->n_reasons = n;
    return 0;
}

static bool cohort_flagged(const struct topology *t, int c, const bool flags[GATE_MAX_NODES])
{
    int nodes[3];

    topology_cohort_nodes(t, c, nodes);
    return flags[nodes[0]] || flags[nodes[1]] || flags[nodes[2]];
}

static void halt_all(struct rollout *r, struct rollout_decision *ret)
{
    r->all_halted = ret->halts_all = true;
    for (int c = 0; c < r->topology.n_cohorts; c++) {
        ret->newly_halted[c] |= !r->halted[c];
        r->halted[c] = true;
    }
}

static void apply_halts(struct rollout *r, const struct judgement *j, struct rollout_decision *ret)
{
    const struct topology *t = &r->topology;
    int halted = 0;

    for (int c = 0; c < t->n_cohorts; c++) {
        if (!r->halted[c] && cohort_flagged(t, c, j->halt))
            r->halted[c] = ret->newly_halted[c] = true;
        halted += r->halted[c];
    }
    if (r->all_halted)
        return;
    if (halted >= HALTS_ALL || halted == t->n_cohorts || j->halt[0]) {
        halt_all(r, ret);
        return;
    }
    for (int c = 0; c < t->n_cohorts; c++)
        if (ret->newly_halted[c])
            gate_restart_above(&r->gate, t, c);
}

static bool live_warning(const struct rollout *r, const struct judgement *j)
{
    for (int c = 0; c < r->topology.n_cohorts; c++)
        if (!r->halted[c] && cohort_flagged(&r->topology, c, j->warn))
            return true;
    return false;
}

/* A bake is time in which somebody who has the release was heard. */
static void count_bake(struct rollout *r, const struct rollout_facts *f,
                       const struct cohort_facts *sum)
{
    if (r->full_since_ms >= 0 && sum->heard == 0)
        r->full_since_ms += max64(f->now_ms - r->last_ms, 0);
    r->last_ms = f->now_ms;
}

static void note_full(struct rollout *r, const struct rollout_facts *f,
                      const struct cohort_facts *sum)
{
    if (r->full_since_ms >= 0 || !ring_is_full(r, f->tick, sum))
        return;
    r->full_since_ms = f->now_ms;
    memcpy(r->best_at_full_cr, r->gate.ni_best_cr, sizeof(r->best_at_full_cr));
    memcpy(r->best_at_full_sl, r->gate.ni_best_sl, sizeof(r->best_at_full_sl));
}

/* One margin: shown, or still possible at the pace at which the last bake could have shown it. */
static enum proof margin_proof(double ni, double best, double best_at_full, double bakes)
{
    double per_bake = bakes > 0.0 ? (best - best_at_full) / bakes : 0.0;

    if (ni >= ROLLOUT_PROOF_LN)
        return PROOF_SHOWN;
    if (bakes >= MAX_BAKES)
        return PROOF_OUT_OF_TIME;
    if (ni + per_bake * (MAX_BAKES - bakes) < ROLLOUT_PROOF_LN)
        return PROOF_IMPOSSIBLE;
    return PROOF_MISSING;
}

static enum proof worse_proof(enum proof a, enum proof b)
{
    return a > b ? a : b;
}

/* What the margins of a full ring that baked so long ago say; merged rings ask all of theirs. */
static enum proof ring_proof(const struct rollout *r, int64_t age_ms)
{
    const struct rollout_ring *ring = &r->rings[r->ring];
    double bakes = ring->bake_ms > 0 ? (double)age_ms / (double)ring->bake_ms : MAX_BAKES;
    enum proof proof = PROOF_NONE_ASKED;

    if (r->ring == r->n_rings - 1 || ring->first_policy_ring < 0)
        return PROOF_NONE_ASKED;
    for (int i = ring->first_policy_ring; i <= ring->policy_ring; i++) {
        if (r->policy.rings[i].rho_cr > 0.0)
            proof = worse_proof(proof, margin_proof(r->gate.ni_cr[i], r->gate.ni_best_cr[i],
                                                    r->best_at_full_cr[i], bakes));
        if (r->policy.rings[i].rho_sl > 0.0)
            proof = worse_proof(proof, margin_proof(r->gate.ni_sl[i], r->gate.ni_best_sl[i],
                                                    r->best_at_full_sl[i], bakes));
    }
    return proof;
}

/* Everybody who was treated has said so, within tolerance, somebody is healthy, and hardly anybody
 * is under way. */
static bool all_acknowledged(const struct rollout *r, const struct cohort_facts *sum,
                             int64_t overdue_limit)
{
    bool small = topology_fleet(&r->topology) < r->policy.small_fleet;

    return sum->healthy > 0 && sum->overdue <= overdue_limit &&
           pacing_in_flight(sum) <= (small ? 0 : sum->admitted * IN_FLIGHT_PER_CENT / 100);
}

enum step { STEP_NONE, STEP_PROMOTE, STEP_ASK };

/* Who is under way may still come: a person is asked once nobody is left who could. */
static enum step acknowledged_step(const struct standing *s)
{
    if (s->acknowledged)
        return STEP_PROMOTE;
    return pacing_in_flight(s->sum) == 0 ? STEP_ASK : STEP_NONE;
}

/* A full ring: may the next one open? */
static enum step baked_step(const struct rollout *r, const struct standing *s)
{
    const struct rollout_ring *ring = &r->rings[r->ring];
    int64_t age = s->now_ms - r->full_since_ms;
    bool approve = r->policy.underpowered == UNDERPOWERED_APPROVE;

    if (r->complete || r->full_since_ms < 0 || age < ring->bake_ms || s->paused ||
        s->sum->heard == 0)
        return STEP_NONE;
    if (s->warned || s->boots_missing > 0)
        return age >= MAX_BAKES * ring->bake_ms ? STEP_ASK : STEP_NONE;
    switch (s->proof) {
    case PROOF_NONE_ASKED:
    case PROOF_SHOWN:
        return acknowledged_step(s);
    case PROOF_MISSING:
        return STEP_NONE;
    case PROOF_IMPOSSIBLE:
        return approve ? STEP_ASK : STEP_NONE;
    case PROOF_OUT_OF_TIME:
        return approve ? STEP_ASK : acknowledged_step(s);
    }
    return STEP_NONE;
}

static void add_reason(struct rollout_decision *ret, const struct gate_reason *new)
{
    int at = 0;

    while (at < ret->n_reasons && ret->reasons[at].verdict >= new->verdict)
        at++;
    if (at == ROLLOUT_MAX_REASONS)
        return;
    if (ret->n_reasons < ROLLOUT_MAX_REASONS)
        ret->n_reasons++;
    memmove(&ret->reasons[at + 1], &ret->reasons[at],
            (size_t)(ret->n_reasons - 1 - at) * sizeof(ret->reasons[0]));
    ret->reasons[at] = *new;
}

static void open_next(struct rollout *r, const struct standing *s, bool by_person,
                      struct rollout_decision *ret)
{
    struct gate_reason why;
    int from = r->ring;

    if (r->complete)
        return;
    if (r->ring == r->n_rings - 1) {
        r->complete = ret->completed = true;
    } else {
        r->ring++;
        r->full_since_ms = -1;
        ret->opened = true;
        raise_staging(r, s->tick);
    }
    if (!by_person && s->proof >= PROOF_MISSING)
        r->unproven++;
    rollout_say_promoted(r, from, by_person, s, &why);
    add_reason(ret, &why);
}

/* Rings, and the questions to a person. */
static void advance(struct rollout *r, const struct rollout_facts *f, struct standing *s,
                    struct rollout_decision *ret)
{
    enum step step = baked_step(r, s);
    struct gate_reason why;

    if (f->person_promotes)
        r->accepted_away += s->sum->away;
    if (f->person_promotes && s->overdue_asked) {
        r->accepted = s->sum->overdue;
        s->overdue_asked = false;
    } else if (f->person_promotes && (r->ring < r->n_rings - 1 || step == STEP_ASK)) {
        r->accepted = max64(r->accepted, s->sum->overdue);
        open_next(r, s, true, ret);
        step = STEP_NONE;
    }
    if (step == STEP_PROMOTE && !s->overdue_asked)
        open_next(r, s, false, ret);
    r->asks = s->overdue_asked || step == STEP_ASK;
    if (!r->asks)
        return;
    rollout_say_asks(r, s, &why);
    add_reason(ret, &why);
}

static void stand(const struct rollout *r, const struct rollout_facts *f,
                  const struct cohort_facts *sum, const struct judgement *j, struct standing *ret)
{
    int64_t fleet = topology_fleet(&r->topology);
    int64_t limit = pacing_unacknowledged_limit(&r->policy, fleet, sum->admitted);
    double passage = pacing_passage(&r->policy, fleet);

    limit = limit > INT64_MAX / 2 ? INT64_MAX / 2 : limit;
    *ret = (struct standing){.sum = sum, .tick = f->tick, .now_ms = f->now_ms};
    ret->paused = j->pause;
    ret->warned = live_warning(r, j);
    ret->held_by_pace = pacing_held_by_pace(r, f, sum);
    ret->overdue_limit = r->accepted + limit;
    /* On a small fleet a warning leaves nothing to tolerate. */
    if (ret->warned)
        ret->overdue_limit = r->accepted + (int64_t)((double)limit * passage);
    ret->overdue_asked = sum->overdue > ret->overdue_limit;
    ret->acknowledged = all_acknowledged(r, sum, ret->overdue_limit);
    if (f->early_boot)
        ret->boots_missing =
            max64(min64(r->rings[r->ring].bake_boots, sum->healthy) - sum->booted, 0);
    if (r->full_since_ms >= 0)
        ret->proof = ring_proof(r, f->now_ms - r->full_since_ms);
}

static void set_shares(const struct rollout *r, struct rollout_decision *ret)
{
    const struct topology *t = &r->topology;

    ret->ring = r->ring;
    ret->tick_ms = pacing_is_fast(r) ? r->policy.fast_tick_ms : r->policy.tick_ms;
    ret->stage_ppm = r->stage_ppm;
    for (int c = 0; c < t->n_cohorts; c++)
        ret->stage_cohort_ppm[c] =
            max64(r->stage_ppm, ceil_ppm(READY_PER_COHORT, t->cohorts[c].size));
}

static enum verdict worst(const struct rollout *r, const struct judgement *j,
                          const struct standing *s, const struct rollout_decision *ret)
{
    for (int c = 0; c < r->topology.n_cohorts; c++)
        if (r->halted[c])
            return VERDICT_HALT;
    if (r->asks)
        return VERDICT_ASK;
    if (j->pause)
        return VERDICT_PAUSE;
    if (s->warned)
        return VERDICT_WARN;
    return ret->opened || ret->completed ? VERDICT_PROMOTE : VERDICT_WAIT;
}

void rollout_first(const struct rollout *r, struct rollout_decision *ret)
{
    struct text t;

    memset(ret, 0, sizeof(*ret));
    set_shares(r, ret);
    t = text_in(ret->stands, sizeof(ret->stands));
    text_add(&t, "started; waits for devices to be ready");
}

int rollout_judge(struct rollout *r, const struct rollout_facts *f, struct rollout_decision *ret)
{
    struct judgement j;

    memset(ret, 0, sizeof(*ret));
    if (!facts_are_sane(r, f) || judge(r, f, &j, ret) < 0)
        return -1;
    grow_late_cohorts(r, f);
    apply_halts(r, &j, ret);
    for (int c = 0; c < r->topology.n_cohorts; c++)
        if (r->halted[c])
            ret->verdict = VERDICT_HALT;
    if (ret->verdict != VERDICT_HALT)
        ret->verdict = j.pause ? VERDICT_PAUSE : live_warning(r, &j) ? VERDICT_WARN : VERDICT_WAIT;
    return 0;
}

int rollout_tick(struct rollout *r, const struct rollout_facts *f, struct rollout_decision *ret)
{
    struct cohort_facts sum;
    struct judgement j;
    struct standing s;

    memset(ret, 0, sizeof(*ret));
    if (!facts_are_sane(r, f) || judge(r, f, &j, ret) < 0)
        return -1;
    grow_late_cohorts(r, f);
    apply_halts(r, &j, ret);
    sum_live(r, f, &sum);
    count_bake(r, f, &sum);
    if (!r->all_halted)
        note_full(r, f, &sum);
    stand(r, f, &sum, &j, &s);
    ret->ring_full = r->full_since_ms >= 0;
    if (!r->all_halted) {
        advance(r, f, &s, ret);
        if (r->asks || j.pause)
            pacing_hold(r, f);
        else
            pacing_admit(r, f, &sum, ret);
    }
    set_shares(r, ret);
    ret->verdict = worst(r, &j, &s, ret);
    rollout_say_stands(r, &s, ret);
    return 0;
}
