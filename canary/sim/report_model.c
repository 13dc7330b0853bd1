#include "report_model.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "text.h"

#define MS_PER_MIN   60000.0
#define MOST_OF_THEM 0.9

/* ---- growing lists ---- */

/* Room for one more; false when out of memory. */
static bool grow(void **list, int n, int *max, size_t size)
{
    int more = *max > 0 ? 2 * *max : 512;
    void *grown;

    if (n < *max)
        return true;
    grown = realloc(*list, (size_t)more * size);
    if (!grown)
        return false;
    *list = grown;
    *max = more;
    return true;
}

static bool add_point(struct report_run *run, double min, const struct fleet_totals *t)
{
    if (!grow((void **)&run->points, run->n_points, &run->max_points, sizeof(run->points[0])))
        return false;
    run->points[run->n_points++] = (struct report_point){min, (double)t->admitted, (double)t->harm};
    run->last_min = min;
    return true;
}

/* ---- the others ---- */

struct other_ctx {
    struct report_run *run;
    bool failed;
};

static void other_tick(void *ctx, int64_t now_ms, const struct fleet_totals *t)
{
    struct other_ctx *c = ctx;

    c->failed |= !add_point(c->run, (double)now_ms / MS_PER_MIN, t);
}

static int sample_other(const struct scenario *s, const struct policy *p, uint64_t seed,
                        enum other_kind kind, struct report_run *run, struct err *err)
{
    const struct fleet_totals none = {0};
    struct other_ctx ctx = {.run = run, .failed = !add_point(run, 0.0, &none)};
    const struct other_watch watch = {other_tick, &ctx};
    int r = other_run(s, p, seed, kind, &watch, &run->outcome, err);

    return r == 0 && ctx.failed ? err_set(err, ERR_NOMEM, "out of memory") : r;
}

/* ---- the gate: first which evidence came nearest ---- */

struct nearest {
    double share; /* log E of its threshold, at its highest */
    int metric, node;
};

static void survey_tick(void *ctx, const struct rollout *r, const struct rollout_facts *f,
                        const struct rollout_decision *d, const struct fleet_totals *t)
{
    struct nearest *best = ctx;

    (void)f;
    (void)d;
    (void)t;
    for (int node = 0; node < topology_nodes(&r->topology); node++)
        for (int m = 0; m < N_METRICS + r->policy.n_extras && topology_has_node(&r->topology, node);
             m++) {
            double halt =
                gate_threshold(&r->policy, &r->topology, node, (enum metric)m, r->policy.alpha);
            double share = r->gate.log_e[m][node] / halt;

            if (r->gate.sums[m][node].n_t > 0 && share > best->share)
                *best = (struct nearest){share, m, node};
        }
}

static int choose_evidence(const struct scenario *s, const struct policy *p, uint64_t seed,
                           struct report_evidence *ret, struct err *err)
{
    struct nearest best = {-INFINITY, METRIC_SF, 0};
    const struct run_watch watch = {survey_tick, &best};
    struct outcome o;
    int r = run_seed(s, p, seed, &watch, &o, err);

    if (r < 0)
        return r;
    ret->halted = o.halted_cohorts > 0 && o.node >= 0;
    ret->direct = ret->halted && o.metric < 0;
    ret->metric = ret->halted ? o.metric : best.metric;
    ret->node = ret->halted ? o.node : best.node;
    return 0;
}

/* ---- the gate: then what happened ---- */

struct gate_ctx {
    struct report *report;
    bool failed;
    bool warned, paused, asked; /* as of the tick before; warned: in this ring */
};

static void add_event(struct report *r, enum report_event_kind kind, double min, const char *words,
                      const char *reason)
{
    struct report_event *e = &r->events[r->n_events];
    struct text t;

    if (r->n_events == REPORT_MAX_EVENTS) {
        r->more_events++;
        return;
    }
    r->n_events++;
    e->kind = kind;
    e->min = min;
    t = text_in(e->text, sizeof(e->text));
    text_add(&t, "%s%s%s", words, *words && *reason ? ": " : "", reason);
}

static const char *reason_of(const struct rollout_decision *d, enum verdict v)
{
    for (int i = 0; i < d->n_reasons; i++)
        if (d->reasons[i].verdict == v)
            return d->reasons[i].text;
    return "";
}

static void take_halt(struct gate_ctx *c, double min, const struct rollout *r,
                      const struct rollout_decision *d)
{
    char words[160];
    struct text t = text_in(words, sizeof(words));
    int n = 0, last = 0;

    for (int k = 0; k < r->topology.n_cohorts; k++)
        if (d->newly_halted[k]) {
            n++;
            last = k;
        }
    if (n == 0)
        return;
    if (r->all_halted)
        text_add(&t, "halted everywhere");
    else if (n == 1)
        text_add(&t, "halted on %s, the others go on", r->topology.cohorts[last].name);
    else
        text_add(&t, "halted on %d of %d builds, the others go on", n, r->topology.n_cohorts);
    add_event(c->report, REPORT_HALTED, min, words, reason_of(d, VERDICT_HALT));
}

/* Warnings come and go with the noise: one is told a ring. */
static void take_holds(struct gate_ctx *c, double min, const struct rollout *r,
                       const struct rollout_decision *d)
{
    bool paused = r->gate.pause_ticks > 0, warned = *reason_of(d, VERDICT_WARN) != '\0';

    if (r->all_halted)
        return;
    if (paused && !c->paused)
        add_event(c->report, REPORT_PAUSED, min, "paused", reason_of(d, VERDICT_PAUSE));
    if (!paused && c->paused)
        add_event(c->report, REPORT_RESUMED, min, "goes on: the controls are back", "");
    if (warned && !c->warned)
        add_event(c->report, REPORT_WARNED, min, "warned, the ring does not end",
                  reason_of(d, VERDICT_WARN));
    if (r->asks && !c->asked)
        add_event(c->report, REPORT_ASKED, min, "asked a person", reason_of(d, VERDICT_ASK));
    c->paused = paused;
    c->warned = (c->warned || warned) && !d->opened;
    c->asked = r->asks;
}

static bool add_level(struct report_evidence *e, double min, const struct rollout *r,
                      const struct rollout_facts *f)
{
    int64_t direct = 0, admitted = 0;
    struct report_level *l;

    if (!grow((void **)&e->levels, e->n_levels, &e->max_levels, sizeof(e->levels[0])))
        return false;
    l = &e->levels[e->n_levels++];
    for (int k = 0; k < r->topology.n_cohorts; k++)
        if (topology_in_node(&r->topology, e->node, k)) {
            direct += f->cohorts[k].direct;
            admitted += f->cohorts[k].admitted;
        }
    *l = (struct report_level){.min = min};
    if (e->direct) {
        l->value = (double)direct;
        l->limit = (double)gate_direct_limit(&r->policy, &r->topology, e->node, admitted,
                                             r->gate.control_crash[e->node]);
    } else {
        l->value = r->gate.log_e[e->metric][e->node];
    }
    return true;
}

/* What a halt of this node left behind is no evidence any more: the picture ends with it. */
static bool evidence_rests(const struct report *r)
{
    const struct report_evidence *e = &r->evidence;

    if (!e->halted)
        return false;
    for (int i = 0; i < r->n_events; i++)
        if (r->events[i].kind == REPORT_HALTED)
            return true;
    return false;
}

static void name_evidence(struct report_evidence *e, const struct rollout *r)
{
    snprintf(e->name, sizeof(e->name), "%s%s", e->node == 0 ? "the " : "",
             topology_node_name(&r->topology, e->node));
    if (e->direct)
        return;
    snprintf(e->metric_name, sizeof(e->metric_name), "%s",
             policy_metric_name(&r->policy, (enum metric)e->metric));
    e->halt =
        gate_threshold(&r->policy, &r->topology, e->node, (enum metric)e->metric, r->policy.alpha);
    e->warn = gate_threshold(&r->policy, &r->topology, e->node, (enum metric)e->metric,
                             r->policy.alpha_warn);
}

static void gate_tick_seen(void *ctx, const struct rollout *r, const struct rollout_facts *f,
                           const struct rollout_decision *d, const struct fleet_totals *t)
{
    struct gate_ctx *c = ctx;
    struct report *report = c->report;
    double min = (double)f->now_ms / MS_PER_MIN;

    if (report->evidence.n_levels == 0)
        name_evidence(&report->evidence, r);
    c->failed |= !add_point(&report->runs[REPORT_GATE], min, t);
    if (!evidence_rests(report))
        c->failed |= !add_level(&report->evidence, min, r, f);
    if (d->opened || d->completed)
        add_event(report, d->completed ? REPORT_COMPLETED : REPORT_OPENED, min, "",
                  reason_of(d, VERDICT_PROMOTE));
    take_holds(c, min, r, d);
    take_halt(c, min, r, d);
}

static int sample_gate(const struct scenario *s, const struct policy *p, uint64_t seed,
                       struct report *ret, struct err *err)
{
    const struct fleet_totals none = {0};
    struct report_run *run = &ret->runs[REPORT_GATE];
    struct gate_ctx ctx = {.report = ret, .failed = !add_point(run, 0.0, &none)};
    const struct run_watch watch = {gate_tick_seen, &ctx};
    int r = choose_evidence(s, p, seed, &ret->evidence, err);

    if (r == 0)
        r = run_seed(s, p, seed, &watch, &run->outcome, err);
    return r == 0 && ctx.failed ? err_set(err, ERR_NOMEM, "out of memory") : r;
}

/* ---- all of it ---- */

int report_sample(const struct scenario *s, const struct policy *p, uint64_t seed,
                  uint64_t shown_seed, struct report *ret, struct err *err)
{
    int r;

    *ret = (struct report){
        .fleet = s->fleet, .builds = s->topology.n_cohorts, .good = s->good, .seed = shown_seed};
    snprintf(ret->scenario, sizeof(ret->scenario), "%s", s->name);
    snprintf(ret->text, sizeof(ret->text), "%s", s->text);
    snprintf(ret->policy, sizeof(ret->policy), "%s", p->name);
    r = sample_gate(s, p, seed, ret, err);
    for (int k = 0; k < N_OTHERS && r == 0; k++)
        r = sample_other(s, p, seed, (enum other_kind)k, &ret->runs[k], err);
    return r;
}

void report_release(struct report *r)
{
    for (int i = 0; i < REPORT_RUNS; i++)
        free(r->runs[i].points);
    free(r->evidence.levels);
    *r = (struct report){0};
}

double report_run_end(const struct report_run *run)
{
    const struct report_point *last = &run->points[run->n_points - 1];
    double end = run->outcome.halt_min > run->outcome.complete_min ? run->outcome.halt_min
                                                                   : run->outcome.complete_min;

    for (int i = 0; i < run->n_points && run->outcome.halt_min < 0.0; i++) {
        const struct report_point *at = &run->points[i];
        bool most = last->crashed > 0.0 ? at->crashed >= MOST_OF_THEM * last->crashed
                                        : at->exposed >= MOST_OF_THEM * last->exposed;

        if (most)
            return fmax(end, at->min);
    }
    return end;
}
