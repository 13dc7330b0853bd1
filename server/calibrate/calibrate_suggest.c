/*
 * calibrate_suggest: what the rates found say of a policy: tau, tau_rb, margins; and the `life` of
 * a scenario for the simulator.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "calibrate/calibrate_internal.h"

#define TWICE   2.0  /* the upper bound of what was measured */
#define TAU_MAX 0.05 /* of a policy */
#define HOUR_MS 3600000.0

/* Up, to two digits. */
static double rounded_up(double x)
{
    double unit = pow(10.0, floor(log10(x)) - 1.0);

    return ceil(x / unit - 1e-9) * unit;
}

static void say(json_t *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(json_t *lines, const char *format, ...)
{
    char line[300];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    json_array_append_new(lines, json_string(line));
}

/* --- tau -------------------------------------------------------------------------------------- */

static void suggest_rate(json_t *o, json_t *lines, const char *key, double has,
                         const struct rate *of, const char *what)
{
    double rate = rates_figure(of).high * TWICE;

    if (of->trials == 0) {
        json_object_set_new(o, key, json_null());
        say(lines, "%s: nothing is known yet: no %s.", key, what);
        return;
    }
    rate = rounded_up(rate);
    if (rate > TAU_MAX) {
        json_object_set_new(o, key, json_null());
        say(lines, "%s: %lld of %lld %s; twice what that may mean is more than a policy may allow.",
            key, (long long)of->failures, (long long)of->trials, what);
        return;
    }
    json_object_set_new(o, key, json_real(rate));
    say(lines, "%s: %.2g (the policy has %.2g), twice the upper bound of %lld in %lld %s.", key,
        rate, has, (long long)of->failures, (long long)of->trials, what);
}

/* --- margins ---------------------------------------------------------------------------------- */

struct margins {
    const struct calibration *c;
    const struct rollout *shape; /* the policy on the whole fleet */
    double scale;                /* devices of the fleet to one that takes part */
    json_t *list, *lines;
};

static int64_t ceil_to(int64_t ms, int64_t unit_ms)
{
    return (ms + unit_ms - 1) / unit_ms * unit_ms;
}

/* Tracked share of a fleet: SL compares no others. */
static double tracked(const struct margins *m, int64_t tick_ms)
{
    const struct policy *p = &m->shape->policy;
    double most = (double)p->budget_s * (double)tick_ms / 1000.0;
    double fleet = (double)topology_fleet(&m->shape->topology);

    return most < fleet ? most / fleet : 1.0;
}

static void suggest_margin(struct margins *m, int ring, enum metric metric, double rho)
{
    const struct policy *p = &m->shape->policy;
    int64_t span_ms = metric == METRIC_CR ? p->tick_ms : p->long_silence_ms / WATCH_PARTS;
    double fleet = (double)topology_fleet(&m->shape->topology);
    const struct rates_ring of = {.rho = rho,
                                  .share = (double)m->shape->rings[ring].cap / fleet,
                                  .bake_ms = m->shape->rings[ring].bake_ms,
                                  .span_ms = ceil_to(span_ms, p->tick_ms),
                                  .scale = m->scale *
                                           (metric == METRIC_SL ? tracked(m, p->tick_ms) : 1.0)};
    struct rates_margin found;
    char name[64];
    bool shown;

    if (!(rho > 0.0))
        return;
    found = rates_margin(&m->c->rates, metric, &of);
    shown = found.expected >= found.needed;
    rollout_ring_name(m->shape, ring, name, sizeof name);
    json_array_append_new(m->list,
                          json_pack("{s:s, s:s, s:f, s:f, s:f, s:o, s:b}", "ring", name, "metric",
                                    metric_name(metric), "rho", rho, "expected", found.expected,
                                    "needed", found.needed, "bakes",
                                    found.bakes > 0.0 ? json_real(found.bakes) : json_null(),
                                    "shown", shown));
    if (shown)
        say(m->lines, "%s: %s %.2f can be shown, in about %.1f bakes.", name,
            metric == METRIC_CR ? "rho_cr" : "rho_sl", rho, found.bakes);
    else
        say(m->lines,
            "%s: %s %.2f: too small, the underpowered rule decides (%.1f of %.1f in 4 bakes).",
            name, metric == METRIC_CR ? "rho_cr" : "rho_sl", rho, found.expected, found.needed);
}

static void suggest_margins(const struct server *s, const struct calibration *c, json_t *o,
                            json_t *lines)
{
    struct margins m = {.c = c, .list = json_array(), .lines = lines};
    _cleanup_(free_p)
    struct rollout *shape = malloc(sizeof *shape);
    _cleanup_(free_p)
    struct topology *t = malloc(sizeof *t);
    int64_t canary, sampled;
    char why[200];

    json_object_set_new(o, "margins", m.list);
    if (!shape || !t)
        return;
    lane_topology(s, c, t, &canary);
    sampled = topology_fleet(t);
    flight_topology(s->fleet, c->channel, t, &canary);
    if (sampled == 0 || rollout_init(shape, &c->policy, t, canary, why, sizeof why) < 0)
        return;
    m.shape = shape;
    m.scale = (double)topology_fleet(t) / (double)sampled;
    for (int i = 0; i < shape->n_rings; i++) {
        suggest_margin(&m, i, METRIC_CR, shape->rings[i].rho_cr);
        suggest_margin(&m, i, METRIC_SL, shape->rings[i].rho_sl);
    }
}

json_t *calibration_suggest(const struct server *s, const struct calibration *c)
{
    json_t *o = json_object(), *lines = json_array();
    const struct rate direct = {.trials = c->rates.admitted, .failures = c->rates.direct};

    suggest_rate(o, lines, "tau", c->policy.tau, &c->rates.fleet[METRIC_SF],
                 "check-ins that no next one followed in time");
    suggest_rate(o, lines, "tau_rb", c->policy.tau_rb, &direct,
                 "admissions with a crash that would have been blamed");
    suggest_margins(s, c, o, lines);
    json_object_set_new(o, "text", lines);
    return o;
}

/* --- a scenario's life ------------------------------------------------------------------------ */

static void put(json_t *o, const char *key, double value)
{
    double unit = value > 0.0 ? pow(10.0, floor(log10(value)) - 3.0) : 1.0;

    json_object_set_new(o, key, json_real(value > 0.0 ? round(value / unit) * unit : 0.0));
}

json_t *calibration_life(const struct calibration *c)
{
    const struct rates *r = &c->rates;
    const struct rate *sf = &r->fleet[METRIC_SF], *sa = &r->fleet[METRIC_SA];
    const struct rate *sl = &r->fleet[METRIC_SL], *rb = &r->fleet[METRIC_RB];
    const struct rate *cr = &r->fleet[METRIC_CR];
    double hours = cr->device_ms / HOUR_MS;
    double silences = sa->device_ms > 0.0 ? (double)sa->failures / sa->device_ms * HOUR_MS : 0.0;
    double longs = sl->device_ms > 0.0 ? (double)sl->failures / sl->device_ms * HOUR_MS : 0.0;
    double gaps = rates_figure(sf).rate - rates_figure(sa).rate;
    json_t *o = json_object();

    if (!(hours > 0.0))
        return o;
    put(o, "crashes_h", (double)(cr->failures + r->direct) / hours);
    if (r->crashes > 0)
        put(o, "consumer_share", (double)r->consumer_crashes / (double)r->crashes);
    if (sa->trials > 0)
        put(o, "silences_h", silences);
    if (sa->failures > 0 && sl->trials > 0)
        put(o, "long_silence_share", longs < silences ? longs / silences : 1.0);
    put(o, "reboots_h", (double)r->reboots / hours);
    if (rb->trials > 0)
        put(o, "reboot_15min", rates_figure(rb).rate);
    put(o, "goodbyes_h", (double)r->goodbyes / hours);
    put(o, "goodbyes_day_h", 0.0); /* the mean is in goodbyes_h */
    put(o, "goodbyes_evening_h", 0.0);
    if (sf->trials > 0 && sa->trials > 0)
        put(o, "gap_share", gaps > 0.0 ? gaps : 0.0);
    return o;
}
