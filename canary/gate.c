#include "gate.h"

#include <math.h>
#include <string.h>

#include "scope.h"
#include "text.h"
#include "tolerance.h"

#define ADVERSARY_PPM     1000 /* n_adv is at most this share of the fleet */
#define CALM_PERCENT      2    /* failed trials of a tick above which it proves nothing */
#define PAUSE_SHARE       0.02
#define PAUSE_EPS         0.01
#define PAUSE_MIN_SILENT  5
#define PAUSE_CLEAN_TICKS 5
#define MAX_TICK_CONTROLS ((int64_t)GATE_MAX_DEVICES * GATE_MAX_COHORTS)
#define DIRECT_EPS        1e-3 /* of all nodes together */
#define LATE_WEIGHT       0.4
#define CONTROL_FACTOR    1.5 /* of the controls' crash hazard, in L */

static const char *const verdict_names[] = {
    [VERDICT_WAIT] = "wait",   [VERDICT_PROMOTE] = "promote", [VERDICT_WARN] = "warn",
    [VERDICT_PAUSE] = "pause", [VERDICT_ASK] = "ask",         [VERDICT_HALT] = "halt",
};

static const char *const stratum_names[N_STRATA] = {
    [STRATUM_MAIN] = "main",
    [STRATUM_LATE] = "late",
    [STRATUM_FRESH] = "fresh",
    [STRATUM_CANARY] = "canary",
};

/* "3 of 3 treated ..."; of a policy's own ones "above LIMIT" */
static const char *const failure_words[N_METRICS] = {
    [METRIC_SF] = "silent",          [METRIC_SA] = "fell silent",
    [METRIC_SL] = "silent for long", [METRIC_RB] = "not back from a reboot",
    [METRIC_CR] = "crashed",
};

const char *verdict_name(enum verdict v)
{
    return verdict_names[v];
}

const char *stratum_name(enum stratum s)
{
    return stratum_names[s];
}

void gate_init(struct gate *g)
{
    memset(g, 0, sizeof(*g));
    for (int m = 0; m < GATE_METRICS; m++)
        for (int node = 0; node < GATE_MAX_NODES; node++)
            eprocess_init(&g->e[m][node]);
}

void gate_restart_above(struct gate *g, const struct topology *t, int cohort)
{
    int of[3];

    topology_cohort_nodes(t, cohort, of);
    for (int k = 0; k < 2; k++) { /* its own node stays as it is */
        for (int m = 0; m < GATE_METRICS; m++) {
            eprocess_init(&g->e[m][of[k]]);
            g->log_e[m][of[k]] = 0.0;
            g->forgiven[m][of[k]] = 0;
            g->sums[m][of[k]] = (struct gate_sums){0};
        }
        g->fresh_sf[of[k]] = 0;
    }
}

double gate_threshold(const struct policy *p, const struct topology *t, int node, enum metric m,
                      double alpha)
{
    return -log(alpha * topology_node_weight(t, node) * policy_metric_weight(p, m));
}

static int64_t hostile_devices(const struct policy *p, const struct topology *t)
{
    int64_t most = topology_fleet(t) / (1000000 / ADVERSARY_PPM);

    return p->n_adv < most ? p->n_adv : most;
}

static int64_t node_total(const struct topology *t, int node, const int64_t *per_cohort)
{
    int64_t sum = 0;

    for (int c = 0; c < t->n_cohorts; c++)
        if (topology_in_node(t, node, c))
            sum += per_cohort[c];
    return sum;
}

/* h(x), x the node's admitted share. */
static int64_t node_tolerance(const struct policy *p, const struct topology *t, int node,
                              int64_t admitted)
{
    int64_t size = 0;

    if (topology_node_size(t, node, &size) < 0 || size == 0)
        return 0;
    return tolerance_hostile(hostile_devices(p, t), (double)admitted / (double)size);
}

/* Of every node, once a tick. */
static void tolerate_nodes(const struct policy *p, const struct topology *t,
                           const struct gate_facts *f, int64_t ret[GATE_MAX_NODES])
{
    for (int node = 0; node < topology_nodes(t); node++)
        ret[node] = node_tolerance(p, t, node, node_total(t, node, f->admitted));
}

/* The nodes share the error as the tests do; one added during the rollout gets a cohort's share. */
static int64_t direct_quantile(const struct policy *p, const struct topology *t, int node,
                               int64_t admitted, double control_crash)
{
    double weight = topology_node_weight(t, node);

    if (!(weight > 0.0))
        weight = LATE_WEIGHT / t->n_cohorts;
    return tolerance_poisson(p->tau_rb * (double)admitted + control_crash, DIRECT_EPS * weight);
}

int64_t gate_direct_limit(const struct policy *p, const struct topology *t, int node,
                          int64_t admitted, double control_crash)
{
    return node_tolerance(p, t, node, admitted) +
           direct_quantile(p, t, node, admitted, control_crash);
}

static bool batch_is_sane(const struct batch *b, const struct policy *p, const struct topology *t)
{
    return (int)b->metric >= 0 && (int)b->metric < policy_metrics(p) && b->cohort >= 0 &&
           b->cohort < t->n_cohorts && (int)b->stratum >= 0 && b->stratum < N_STRATA &&
           b->f_t >= 0 && b->f_t <= b->n_t && b->n_t <= GATE_MAX_DEVICES && b->f_c >= 0 &&
           b->f_c <= b->n_c && b->n_c <= GATE_MAX_DEVICES;
}

static bool count_is_sane(int64_t n)
{
    return n >= 0 && n <= GATE_MAX_DEVICES;
}

static bool facts_are_sane(const struct gate_facts *f, const struct policy *p,
                           const struct topology *t)
{
    if (f->n_batches < 0 || (f->n_batches > 0 && !f->batches))
        return false;
    for (int i = 0; i < f->n_batches; i++)
        if (!batch_is_sane(&f->batches[i], p, t))
            return false;
    for (int c = 0; c < t->n_cohorts; c++)
        if (!count_is_sane(f->admitted[c]) || !count_is_sane(f->direct[c]) ||
            !count_is_sane(f->soaking[c]) || !count_is_sane(f->controls[c]) ||
            f->control_crashes[c] < 0 || f->control_crashes[c] > f->controls[c])
            return false;
    return f->silent_controls >= 0 && f->silent_controls <= f->tick_controls &&
           f->tick_controls <= MAX_TICK_CONTROLS && f->silent_groups >= 0 && f->groups >= 0;
}

/* What one tick adds to a node. */
struct node_tick {
    bool any;
    double log_e[N_OMEGA];
    struct gate_sums sums;
};

static void node_tick_add(struct node_tick *n, const struct batch *b, const double log_e[N_OMEGA])
{
    n->any = true;
    for (int j = 0; j < N_OMEGA; j++)
        n->log_e[j] += log_e[j];
    n->sums.n_t += b->n_t;
    n->sums.f_t += b->f_t;
    n->sums.n_c += b->n_c;
    n->sums.f_c += b->f_c;
}

/* The first failures of a node are forgiven, ln omega each: as many as hostile devices could
 * contribute, and for SF what the benign rate explains. */
static void forgive(struct gate *g, const struct policy *p, int64_t hostile, enum metric m,
                    int node, struct node_tick *n)
{
    int64_t allowed = hostile, now;

    if (m == METRIC_SF) {
        g->fresh_sf[node] += n->sums.n_t;
        allowed += tolerance_benign(p->tau, g->fresh_sf[node]);
    }
    now = allowed - g->forgiven[m][node];
    if (now > n->sums.f_t)
        now = n->sums.f_t;
    if (now <= 0)
        return;
    g->forgiven[m][node] += now;
    for (int j = 0; j < N_OMEGA; j++)
        n->log_e[j] -= (double)now * eprocess_ln_omega[j];
}

static void take_node(struct gate *g, enum metric m, int node, const struct node_tick *n)
{
    struct gate_sums *s = &g->sums[m][node];

    s->n_t += n->sums.n_t;
    s->f_t += n->sums.f_t;
    s->n_c += n->sums.n_c;
    s->f_c += n->sums.f_c;
    g->log_e[m][node] = eprocess_add(&g->e[m][node], n->log_e);
}

static bool is_halted(const struct gate_facts *f, int cohort)
{
    return f->halted && f->halted[cohort];
}

/* A halted cohort speaks for itself only. */
static int64_t live_total(const struct topology *t, const struct gate_facts *f, int node,
                          const int64_t *per_cohort)
{
    int64_t sum = 0;

    for (int c = 0; c < t->n_cohorts; c++)
        if (topology_in_node(t, node, c) && (node >= TOPOLOGY_COHORT_NODE || !is_halted(f, c)))
            sum += per_cohort[c];
    return sum;
}

/* Margins of one metric: what the tick proves, and what it had proved with no treated failure. */
static void take_margins(struct gate *g, const struct policy *p, const struct gate_facts *f,
                         enum metric m, const struct gate_sums *tick)
{
    double *ni = m == METRIC_CR ? g->ni_cr : g->ni_sl;
    double *best = m == METRIC_CR ? g->ni_best_cr : g->ni_best_sl;

    if ((tick->f_t + tick->f_c) * 100 > (tick->n_t + tick->n_c) * CALM_PERCENT)
        return;
    for (int r = 0; r < p->n_rings; r++) {
        double rho = m == METRIC_CR ? p->rings[r].rho_cr : p->rings[r].rho_sl;

        for (int i = 0; i < f->n_batches && rho > 0.0; i++) {
            const struct batch *b = &f->batches[i];

            if (b->metric != m || is_halted(f, b->cohort))
                continue;
            ni[r] += batch_log_ni(b->n_t, b->f_t, b->n_c, b->f_c, rho);
            best[r] += batch_log_ni(b->n_t, 0, b->n_c, b->f_c, rho);
        }
    }
}

/* One metric's batches into its nodes. A batch without controls says nothing. */
static void take_metric(struct gate *g, const struct policy *p, const struct topology *t,
                        const struct gate_facts *f, const int64_t hostile[GATE_MAX_NODES],
                        enum metric m)
{
    struct node_tick nodes[GATE_MAX_NODES];

    memset(nodes, 0, sizeof(nodes));
    for (int i = 0; i < f->n_batches; i++) {
        const struct batch *b = &f->batches[i];
        double log_e[N_OMEGA];
        int of[3];

        if (b->metric != m || b->n_t == 0 || b->n_c == 0 || is_halted(f, b->cohort))
            continue;
        batch_log_e(b->n_t, b->f_t, b->n_c, b->f_c, log_e);
        topology_cohort_nodes(t, b->cohort, of);
        for (int k = 0; k < 3; k++)
            node_tick_add(&nodes[of[k]], b, log_e);
    }
    if (!nodes[0].any)
        return;
    if (m == METRIC_CR || m == METRIC_SL)
        take_margins(g, p, f, m, &nodes[0].sums);
    for (int node = 0; node < topology_nodes(t); node++) {
        if (!nodes[node].any)
            continue;
        forgive(g, p, hostile[node], m, node, &nodes[node]);
        take_node(g, m, node, &nodes[node]);
    }
}

static void take_controls(struct gate *g, const struct topology *t, const struct gate_facts *f)
{
    for (int node = 0; node < topology_nodes(t); node++) {
        int64_t at_risk = node_total(t, node, f->controls);
        double hazard =
            at_risk > 0 ? (double)node_total(t, node, f->control_crashes) / (double)at_risk : 0.0;

        g->control_crash[node] += CONTROL_FACTOR * (double)node_total(t, node, f->soaking) * hazard;
    }
}

/* True where the controls alone fall silent: telemetry, the network or the world, not the release.
 */
static bool controls_are_silent(const struct gate_facts *f)
{
    int groups = f->groups >= 2 ? 2 : f->groups;

    return f->silent_controls >= PAUSE_MIN_SILENT && f->silent_groups >= groups &&
           tolerance_binomial_tail(f->tick_controls, PAUSE_SHARE, f->silent_controls) < PAUSE_EPS;
}

/* Controls were asked and answered; or there is nobody left who could be one, because they have the
 * release or said goodbye. Where they are just gone, no tick is clean. */
static bool tick_is_clean(const struct gate_facts *f)
{
    return f->tick_controls > 0 || !f->deserted;
}

struct reasons {
    struct gate_reason *list;
    int n, max;
};

static bool comes_before(const struct gate_reason *a, const struct gate_reason *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    if (a->node != b->node)
        return a->node < b->node;
    return a->log_e - a->threshold > b->log_e - b->threshold;
}

/* Keep the worst max. */
static void reasons_add(struct reasons *r, const struct gate_reason *new)
{
    int at = r->n;

    while (at > 0 && comes_before(new, &r->list[at - 1]))
        at--;
    if (at == r->max)
        return;
    if (r->n < r->max)
        r->n++;
    memmove(&r->list[at + 1], &r->list[at], (size_t)(r->n - 1 - at) * sizeof(r->list[0]));
    r->list[at] = *new;
}

static void say_failure(struct text *s, const struct policy *p, enum metric m)
{
    if ((int)m < N_METRICS)
        text_add(s, " treated %s, ", failure_words[m]);
    else
        text_add(s, " treated above %.10g, ", p->extras[m - N_METRICS].limit);
}

static void say_sums(struct text *s, const struct policy *p, const struct topology *t, int node,
                     enum metric m, const struct gate_sums *sums)
{
    text_add(s, "%s %s: ", policy_metric_name(p, m), topology_node_name(t, node));
    text_count(s, sums->f_t);
    text_add(s, " of ");
    text_count(s, sums->n_t);
    say_failure(s, p, m);
    text_count(s, sums->f_c);
    text_add(s, " of ");
    text_count(s, sums->n_c);
    text_add(s, " controls; log E ");
}

static struct text say_test(struct gate_reason *r, const struct policy *p, const struct topology *t,
                            enum metric m)
{
    struct text s = text_in(r->text, sizeof(r->text));
    const struct gate_sums sums = {.n_t = r->n_t, .f_t = r->f_t, .n_c = r->n_c, .f_c = r->f_c};

    say_sums(&s, p, t, r->node, m, &sums);
    text_add(&s, "%.1f >= %.1f", r->log_e, r->threshold);
    return s;
}

bool gate_say_metric(const struct gate *g, const struct policy *p, const struct topology *t,
                     int node, enum metric m, char *ret, unsigned long size)
{
    struct text s = text_in(ret, size);

    if (g->sums[m][node].n_t == 0)
        return false;
    say_sums(&s, p, t, node, m, &g->sums[m][node]);
    text_add(&s, "%.1f of %.1f", g->log_e[m][node], gate_threshold(p, t, node, m, p->alpha));
    return true;
}

/* A halt's scope: where what was found at a node lies. */
static void set_scope(struct gate_reason *r, const struct topology *t, struct text *s,
                      const struct scope_part *parts, bool ret_halt[GATE_MAX_NODES])
{
    int scope = scope_of(t, r->node, parts);

    if (scope != r->node)
        text_add(s, "; all of it in %s, which alone is halted", topology_node_name(t, scope));
    r->node = scope;
    ret_halt[scope] = true;
}

static void test_parts(const struct gate *g, const struct topology *t, const struct gate_facts *f,
                       enum metric m, struct scope_part *ret)
{
    for (int c = 0; c < t->n_cohorts; c++) {
        const struct gate_sums *s = &g->sums[m][TOPOLOGY_COHORT_NODE + c];

        ret[c] = (struct scope_part){0};
        if (is_halted(f, c))
            continue;
        ret[c].n = s->n_t;
        ret[c].f = s->f_t;
        if (s->n_c > 0)
            ret[c].expected = (double)s->n_t * (double)s->f_c / (double)s->n_c;
    }
}

static void direct_parts(const struct gate *g, const struct policy *p, const struct topology *t,
                         const struct gate_facts *f, struct scope_part *ret)
{
    for (int c = 0; c < t->n_cohorts; c++) {
        ret[c] = (struct scope_part){0};
        if (is_halted(f, c))
            continue;
        ret[c].n = f->admitted[c];
        ret[c].f = f->direct[c];
        ret[c].expected =
            p->tau_rb * (double)f->admitted[c] + g->control_crash[TOPOLOGY_COHORT_NODE + c];
    }
}

static void judge_test(const struct gate *g, const struct policy *p, const struct topology *t,
                       const struct gate_facts *f, enum metric m, int node, struct reasons *reasons,
                       bool ret_halt[GATE_MAX_NODES], bool ret_warn[GATE_MAX_NODES])
{
    struct scope_part parts[GATE_MAX_COHORTS];
    const struct gate_sums *sums = &g->sums[m][node];
    struct text s;
    double halt, warn;
    struct gate_reason r = {.node = node,
                            .metric = (int)m,
                            .log_e = g->log_e[m][node],
                            .n_t = sums->n_t,
                            .f_t = sums->f_t,
                            .n_c = sums->n_c,
                            .f_c = sums->f_c};

    if (!(r.log_e > 0.0))
        return; /* no threshold lies there */
    warn = gate_threshold(p, t, node, m, p->alpha_warn);
    if (!(r.log_e >= warn))
        return;
    halt = gate_threshold(p, t, node, m, p->alpha);
    r.verdict = r.log_e >= halt && policy_metric_halts(p, m) ? VERDICT_HALT : VERDICT_WARN;
    r.threshold = r.verdict == VERDICT_HALT ? halt : warn;
    s = say_test(&r, p, t, m);
    if (r.verdict == VERDICT_HALT) {
        test_parts(g, t, f, m, parts);
        set_scope(&r, t, &s, parts, ret_halt);
    } else {
        ret_warn[node] = true;
    }
    reasons_add(reasons, &r);
}

static void judge_direct(const struct gate *g, const struct policy *p, const struct topology *t,
                         const struct gate_facts *f, int64_t hostile, int node,
                         struct reasons *reasons, bool ret_halt[GATE_MAX_NODES])
{
    struct gate_reason r = {.verdict = VERDICT_HALT, .node = node, .metric = -1};
    struct scope_part parts[GATE_MAX_COHORTS];
    struct text s = text_in(r.text, sizeof(r.text));
    int64_t limit;

    r.f_t = live_total(t, f, node, f->direct);
    if (r.f_t == 0)
        return;
    r.n_t = live_total(t, f, node, f->admitted);
    limit = hostile + direct_quantile(p, t, node, r.n_t, g->control_crash[node]);
    if (r.f_t <= limit)
        return;
    r.threshold = (double)limit;
    text_add(&s, "direct evidence on %s: ", topology_node_name(t, node));
    text_count(&s, r.f_t);
    text_add(&s, " of ");
    text_count(&s, r.n_t);
    text_add(&s, " admitted refused or rolled back, blamed on the release; limit ");
    text_count(&s, limit);
    direct_parts(g, p, t, f, parts);
    set_scope(&r, t, &s, parts, ret_halt);
    reasons_add(reasons, &r);
}

static void judge_pause(const struct gate *g, const struct gate_facts *f, struct reasons *reasons)
{
    struct gate_reason r = {.verdict = VERDICT_PAUSE,
                            .metric = METRIC_SF,
                            .n_c = f->tick_controls,
                            .f_c = f->silent_controls};
    struct text s = text_in(r.text, sizeof(r.text));

    if (f->tick_controls == 0 && f->deserted) {
        text_add(&s, "controls fell silent (telemetry or network) and are away since; ");
    } else if (g->pause_ticks == PAUSE_CLEAN_TICKS) {
        text_add(&s, "telemetry or network, not the release: ");
        text_count(&s, f->silent_controls);
        text_add(&s, " of ");
        text_count(&s, f->tick_controls);
        text_add(&s, " controls silent in one tick; ");
    } else {
        text_add(&s, "controls were silent (telemetry or network); ");
    }
    text_add(&s, "nobody is admitted until %d more clean tick%s", g->pause_ticks,
             g->pause_ticks == 1 ? "" : "s");
    reasons_add(reasons, &r);
}

int gate_tick(struct gate *g, const struct policy *p, const struct topology *t,
              const struct gate_facts *f, struct gate_reason *ret, int max,
              bool ret_halt[GATE_MAX_NODES], bool ret_warn[GATE_MAX_NODES], bool *ret_pause)
{
    struct reasons reasons = {.list = ret, .max = max};
    int64_t hostile[GATE_MAX_NODES];

    if (!facts_are_sane(f, p, t))
        return -1;
    tolerate_nodes(p, t, f, hostile);
    memset(ret_halt, 0, GATE_MAX_NODES * sizeof(ret_halt[0]));
    memset(ret_warn, 0, GATE_MAX_NODES * sizeof(ret_warn[0]));
    for (int m = 0; m < policy_metrics(p); m++)
        take_metric(g, p, t, f, hostile, (enum metric)m);
    take_controls(g, t, f);
    if (controls_are_silent(f))
        g->pause_ticks = PAUSE_CLEAN_TICKS;
    else if (g->pause_ticks > 0 && tick_is_clean(f))
        g->pause_ticks--;

    for (int node = 0; node < topology_nodes(t); node++) {
        for (int m = 0; m < policy_metrics(p); m++)
            judge_test(g, p, t, f, (enum metric)m, node, &reasons, ret_halt, ret_warn);
        judge_direct(g, p, t, f, hostile[node], node, &reasons, ret_halt);
    }
    *ret_pause = g->pause_ticks > 0;
    if (*ret_pause)
        judge_pause(g, f, &reasons);
    return reasons.n;
}
