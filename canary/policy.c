#include "policy.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define MINUTE_MS 60000
#define ALL_PPM   1000000
#define MAX_BOOTS 1000000
#define MAX_MS    (INT64_C(366) * 24 * 60 * MINUTE_MS)
#define MAX_TICK  (60 * MINUTE_MS)
#define MAX_COUNT 1000000000
#define MAX_RHO   1000.0
#define MAX_LIMIT 1e15
#define MAX_EXTRA 0.5 /* of the error, for all metrics of a policy's own */

static const struct {
    const char *name;
    double weight;
    int lag;
} metrics[N_METRICS] = {
#define X(name, text, weight, lag) {text, weight, lag},
    METRIC_TABLE(X)
#undef X
};

const char *metric_name(enum metric m)
{
    return metrics[m].name;
}

double metric_weight(enum metric m)
{
    return metrics[m].weight;
}

int metric_lag_ticks(enum metric m)
{
    return metrics[m].lag;
}

/* ---- a policy's metrics ---- */

static bool is_extra(enum metric m)
{
    return (int)m >= N_METRICS;
}

static double extra_weights(const struct policy *p)
{
    double sum = 0.0;

    for (int i = 0; i < p->n_extras; i++)
        sum += p->extras[i].weight;
    return sum;
}

int policy_metrics(const struct policy *p)
{
    return N_METRICS + p->n_extras;
}

const char *policy_metric_name(const struct policy *p, enum metric m)
{
    return is_extra(m) ? p->extras[m - N_METRICS].name : metric_name(m);
}

bool policy_find_metric(const struct policy *p, const char *name, enum metric *ret)
{
    for (int m = 0; m < policy_metrics(p); m++)
        if (strcmp(policy_metric_name(p, (enum metric)m), name) == 0) {
            *ret = (enum metric)m;
            return true;
        }
    return false;
}

double policy_metric_weight(const struct policy *p, enum metric m)
{
    return is_extra(m) ? p->extras[m - N_METRICS].weight
                       : metric_weight(m) * (1.0 - extra_weights(p));
}

bool policy_metric_halts(const struct policy *p, enum metric m)
{
    return !is_extra(m) || p->extras[m - N_METRICS].halts;
}

/* ---- the policy that ships ---- */

void policy_standard(struct policy *ret)
{
    static const struct policy standard = {
        .name = "standard",
        .version = 1,
        .fast_tick_ms = 10000,
        .tick_ms = 60000,
        .rings =
            {
                {.kind = RING_CANARY, .bake_ms = 60 * MINUTE_MS, .bake_boots = 10},
                {.kind = RING_COUNT,
                 .count = 2000,
                 .share_ppm = 10000,
                 .bake_ms = 60 * MINUTE_MS,
                 .bake_boots = 50},
                {.kind = RING_SHARE,
                 .share_ppm = 10000,
                 .bake_ms = 60 * MINUTE_MS,
                 .bake_boots = 50,
                 .rho_cr = 3.0,
                 .rho_sl = 1.5},
                {.kind = RING_SHARE,
                 .share_ppm = 100000,
                 .bake_ms = 60 * MINUTE_MS,
                 .bake_boots = 50,
                 .rho_cr = 1.5,
                 .rho_sl = 1.25},
                {.kind = RING_SHARE, .share_ppm = 950000, .bake_ms = 60 * MINUTE_MS},
                {.kind = RING_SHARE, .share_ppm = ALL_PPM},
            },
        .n_rings = 6,
        .underpowered = UNDERPOWERED_BAKE,
        .alpha = 1e-3,
        .alpha_warn = 0.05,
        .tau = 5e-4,
        .tau_rb = 2e-4,
        .n_adv = 100,
        .n0 = 4,
        .growth_fast = 1.5,
        .growth = 2.0,
        .max_admissions_s = 2500,
        .stuck_ticks = 6,
        .small_fleet = 5000,
        .direct_window_ms = 60 * MINUTE_MS,
        .slow_window_ms = 15 * MINUTE_MS,
        .fresh_wake_ms = 15 * MINUTE_MS,
        .long_silence_ms = 15 * MINUTE_MS,
        .reboot_window_ms = 15 * MINUTE_MS,
        .stage_wait_ticks = 30,
        .budget_s = 10000,
        .holdout_ms = 24 * 60 * MINUTE_MS,
    };

    *ret = standard;
}

void policy_ring_name(const struct policy_ring *ring, char *ret, unsigned long size)
{
    struct text t = text_in(ret, size);

    switch (ring->kind) {
    case RING_CANARY:
        text_add(&t, "the canary group");
        break;
    case RING_COUNT:
        text_count(&t, ring->count);
        text_add(&t, " devices");
        break;
    case RING_SHARE:
        text_share(&t, ring->share_ppm);
        break;
    }
}

static bool is_margin(double rho)
{
    return rho == 0.0 || (rho > 1.0 && rho <= MAX_RHO); /* false for NaN */
}

/* A count and a share are compared as shares: the count is never more than its share_ppm. */
static bool ring_grows(const struct policy_ring *before, const struct policy_ring *r)
{
    if (before->kind == RING_SHARE)
        return r->kind == RING_SHARE && r->share_ppm > before->share_ppm;
    if (before->kind == RING_COUNT)
        return r->share_ppm >= before->share_ppm &&
               (r->kind != RING_COUNT || r->count > before->count);
    return true;
}

/* A rule of the policy: where it is broken (a member's path in the file), and the words. */
struct rule {
    bool broken;
    const char *where, *why;
};

static const struct rule *first_broken(const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rules[i].broken)
            return &rules[i];
    return NULL;
}

static const char *ring_why(const struct policy *p, int i, struct policy_fault *ret)
{
    const struct policy_ring *r = &p->rings[i];
    bool last = i == p->n_rings - 1, asks = r->rho_cr != 0.0 || r->rho_sl != 0.0;
    const char *size_at = r->kind == RING_COUNT ? "devices" : "share_ppm";
    const struct rule rules[] = {
        {r->bake_ms < 0, "bake_s", "bakes for a negative time"},
        {r->bake_boots < 0 || r->bake_boots > MAX_BOOTS, "bake_boots",
         "asks an impossible number of boots"},
        {r->bake_boots > 0 && r->bake_ms == 0, "bake_boots", "bakes in boots, but for no time"},
        {r->bake_ms > MAX_MS, "bake_s", "bakes for more than a year"},
        {!is_margin(r->rho_cr), "rho_cr", "asks a margin that is not above 1, or above 1,000"},
        {!is_margin(r->rho_sl), "rho_sl", "asks a margin that is not above 1, or above 1,000"},
        {asks && r->bake_ms == 0 && !last, r->rho_cr != 0.0 ? "rho_cr" : "rho_sl",
         "asks a margin, but no bake in which it could be shown"},
        {r->kind == RING_CANARY && i > 0, "canary", "must come first"},
        {r->kind != RING_CANARY && (r->share_ppm <= 0 || r->share_ppm > ALL_PPM), "share_ppm",
         "has a share outside 1 to 1,000,000 ppm"},
        {r->kind == RING_COUNT && r->count <= 0, "devices", "has no devices"},
        {r->kind == RING_COUNT && r->count > MAX_COUNT, "devices", "has more devices than a fleet"},
        {i > 0 && !ring_grows(&p->rings[i - 1], r), size_at, "does not grow over ring"},
    };
    const struct rule *broken = first_broken(rules, sizeof(rules) / sizeof(rules[0]));
    struct text why = text_in(ret->why, sizeof(ret->why));
    struct text where = text_in(ret->where, sizeof(ret->where));
    char name[48];

    if (!broken)
        return NULL;
    policy_ring_name(r, name, sizeof(name));
    text_add(&why, "ring %d (%s) %s", i + 1, name, broken->why);
    if (broken == &rules[sizeof(rules) / sizeof(rules[0]) - 1])
        text_add(&why, " %d", i);
    text_add(&where, "rings[%d].%s", i, broken->where);
    return ret->why;
}

static const char *fault_at(struct policy_fault *ret, const char *where, const char *why)
{
    struct text w = text_in(ret->where, sizeof(ret->where));
    struct text y = text_in(ret->why, sizeof(ret->why));

    text_add(&w, "%s", where);
    text_add(&y, "%s", why);
    return ret->why;
}

static const char *rings_why(const struct policy *p, struct policy_fault *ret)
{
    const struct policy_ring *last;
    struct text where;

    if (p->n_rings < 1 || p->n_rings > POLICY_MAX_RINGS)
        return fault_at(ret, "rings", "has no ring, or more than 8");
    for (int i = 0; i < p->n_rings; i++) {
        const char *why = ring_why(p, i, ret);

        if (why)
            return why;
    }
    last = &p->rings[p->n_rings - 1];
    if (last->kind != RING_SHARE || last->share_ppm != ALL_PPM)
        fault_at(ret, "", "the last ring is not 100 %");
    else if (last->rho_cr != 0.0 || last->rho_sl != 0.0)
        fault_at(ret, "", "the last ring asks a margin, but there is no ring after it");
    else
        return NULL;
    where = text_in(ret->where, sizeof(ret->where));
    text_add(&where, "rings[%d]", p->n_rings - 1);
    return ret->why;
}

static bool name_is_figure(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n > 0 && n < METRIC_NAME_MAX && name[n] == '\0' && name[0] != '-';
}

/* "sf" for "SF": built-in names are capitals. */
static bool is_in_small(const char *capitals, const char *name)
{
    while (*capitals && *name == *capitals - 'A' + 'a') {
        capitals++;
        name++;
    }
    return !*capitals && !*name;
}

/* The name of a built-in metric in small letters, or of an earlier one of the policy. */
static bool name_is_taken(const struct policy *p, int i)
{
    for (int m = 0; m < N_METRICS; m++)
        if (is_in_small(metric_name((enum metric)m), p->extras[i].name))
            return true;
    for (int k = 0; k < i; k++)
        if (strcmp(p->extras[k].name, p->extras[i].name) == 0)
            return true;
    return false;
}

static const char *metrics_why(const struct policy *p, struct policy_fault *ret)
{
    struct text where = text_in(ret->where, sizeof(ret->where));

    if (p->n_extras < 0 || p->n_extras > POLICY_MAX_EXTRAS)
        return fault_at(ret, "metrics", "has more than 4 metrics");
    for (int i = 0; i < p->n_extras; i++) {
        const struct policy_metric *x = &p->extras[i];
        const struct rule rules[] = {
            {!name_is_figure(x->name), "name",
             "a metric's name is not 1 to 23 of a-z, 0-9 and '-', the first no '-'"},
            {name_is_taken(p, i), "name", "a metric's name is taken"},
            {!(x->limit >= 0.0 && x->limit <= MAX_LIMIT), "limit",
             "a metric's limit must be in [0, 1e15]"},
            {!(x->weight > 0.0 && x->weight < MAX_EXTRA), "weight",
             "a metric's weight must be in (0, 0.5)"},
        };
        const struct rule *broken = first_broken(rules, sizeof(rules) / sizeof(rules[0]));

        if (!broken)
            continue;
        fault_at(ret, "", broken->why);
        text_add(&where, "metrics[%d].%s", i, broken->where);
        return ret->why;
    }
    if (!(extra_weights(p) < MAX_EXTRA))
        return fault_at(ret, "metrics",
                        "the metrics' weights sum to 0.5 or more: the built-in "
                        "metrics need the rest");
    return NULL;
}

static bool is_within(double v, double above, double most)
{
    return v > above && v <= most;
}

const char *policy_find_fault(const struct policy *p, struct policy_fault *ret)
{
    const struct rule rules[] = {
        {p->tick_ms < 100, "tick_s", "ticks must be at least 0.1 s"},
        {p->fast_tick_ms < 100, "fast_tick_s", "ticks must be at least 0.1 s"},
        {p->fast_tick_ms > p->tick_ms, "fast_tick_s",
         "the fast tick must not be longer than the other"},
        {!is_within(p->alpha, 0.0, 0.05), "alpha", "alpha must be in (0, 0.05]"},
        {!(p->alpha_warn >= p->alpha && p->alpha_warn < 0.5), "alpha_warn",
         "alpha_warn must be between alpha and 0.5"},
        {!(p->tau >= 0.0 && p->tau <= 0.05), "tau", "tau must be in [0, 0.05]"},
        {!(p->tau_rb >= 0.0 && p->tau_rb <= 0.05), "tau_rb", "tau_rb must be in [0, 0.05]"},
        {p->n_adv < 0, "n_adv", "n_adv must not be negative"},
        {p->n0 < 1 || p->n0 > 1000, "n0", "n0 must be in 1 to 1,000"},
        {!is_within(p->growth_fast, 0.0, 10.0), "growth_fast", "growth_fast must be in (0, 10]"},
        {!is_within(p->growth, 0.0, 10.0), "growth", "growth must be in (0, 10]"},
        {p->max_admissions_s < 1 || p->max_admissions_s > 1000000, "max_admissions_s",
         "max_admissions_s must be in 1 to 1,000,000"},
        {p->stuck_ticks < 1 || p->stuck_ticks > 1000, "stuck_ticks",
         "stuck_ticks must be in 1 to 1,000"},
        {p->small_fleet < 0, "small_fleet", "small_fleet must not be negative"},
        {p->stage_wait_ticks < 0, "stage_wait_ticks", "stage_wait_ticks must not be negative"},
        {p->budget_s < 1, "budget_s", "budget_s must be positive"},
        {p->direct_window_ms < 0, "direct_window_s", "a window is negative"},
        {p->slow_window_ms < 0, "slow_window_s", "a window is negative"},
        {p->fresh_wake_ms < 0, "fresh_wake_s", "a window is negative"},
        {p->long_silence_ms < 1000, "long_silence_s", "long_silence must be at least a second"},
        {p->reboot_window_ms < 1000, "reboot_window_s", "reboot_window must be at least a second"},
        {p->holdout_ppm < 0 || p->holdout_ppm > 50000, "holdout_ppm",
         "holdout must be at most 5 % and not negative"},
        {p->holdout_ms < 0, "holdout_s", "holdout must not be negative"},
        {p->tick_ms > MAX_TICK, "tick_s", "ticks must be at most an hour"},
        {p->n_adv > MAX_COUNT, "n_adv", "n_adv is more than a fleet"},
        {p->small_fleet > MAX_COUNT, "small_fleet", "small_fleet is more than a fleet"},
        {p->stage_wait_ticks > MAX_COUNT, "stage_wait_ticks", "stage_wait_ticks never end"},
        {p->budget_s > MAX_COUNT, "budget_s", "budget_s is more than a fleet"},
        {p->direct_window_ms > MAX_MS, "direct_window_s", "a window is longer than a year"},
        {p->slow_window_ms > MAX_MS, "slow_window_s", "a window is longer than a year"},
        {p->fresh_wake_ms > MAX_MS, "fresh_wake_s", "a window is longer than a year"},
        {p->long_silence_ms > MAX_MS, "long_silence_s", "a window is longer than a year"},
        {p->reboot_window_ms > MAX_MS, "reboot_window_s", "a window is longer than a year"},
        {p->holdout_ms > MAX_MS, "holdout_s", "holdout must be at most a year"},
        {p->holdout_ppm > 0 && p->n_rings == POLICY_MAX_RINGS, "holdout_ppm",
         "no room for the holdout among 8 rings"},
    };
    const struct rule *broken = first_broken(rules, sizeof(rules) / sizeof(rules[0]));

    if (broken)
        return fault_at(ret, broken->where, broken->why);
    return metrics_why(p, ret) ? ret->why : rings_why(p, ret);
}

const char *policy_check(const struct policy *p, char *ret_why, unsigned long size)
{
    struct policy_fault fault;
    struct text t = text_in(ret_why, size);

    if (!policy_find_fault(p, &fault))
        return NULL;
    text_add(&t, "%s", fault.why);
    return ret_why;
}
