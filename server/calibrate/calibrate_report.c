/* calibrate_report: what a calibration found, as the API shows it (schema/openapi.yaml). */
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "calibrate/calibrate_internal.h"

/* --- rounds ----------------------------------------------------------------------------------- */

static json_t *count_rounds(const struct calibration *c)
{
    int64_t ends[ROUND_LIMIT + 1] = {0}, halted = 0, warned = 0, asked = 0, unproven = 0;

    for (int64_t i = 0; i < c->n_rounds; i++) {
        const struct round *r = &c->rounds[i];

        ends[r->end]++;
        halted += r->halted;
        warned += r->warned;
        asked += r->asked;
        unproven += r->unproven > 0;
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "finished", (json_int_t)c->n_rounds,
                     "complete", (json_int_t)ends[ROUND_COMPLETE], "limit",
                     (json_int_t)ends[ROUND_LIMIT], "halted", (json_int_t)halted, "warned",
                     (json_int_t)warned, "asked", (json_int_t)asked, "unproven",
                     (json_int_t)unproven);
}

/* A halt anywhere makes a round a false alarm. */
static json_t *false_alarms(const struct calibration *c)
{
    int64_t halted = 0;

    for (int64_t i = 0; i < c->n_rounds; i++)
        halted += c->rounds[i].halted;
    if (c->n_rounds == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:f, s:f}", "rounds", (json_int_t)c->n_rounds, "halted",
                     (json_int_t)halted, "rate", (double)halted / (double)c->n_rounds, "high",
                     rates_high((double)c->n_rounds, (double)halted, CALIBRATE_ERROR));
}

static json_t *results(const struct calibration *c)
{
    json_t *a = json_array();

    for (int64_t i = 0; i < c->n_rounds; i++)
        json_array_append_new(a, round_to_json(&c->rounds[i]));
    return a;
}

static json_t *under_way(const struct calibration *c)
{
    json_t *a = json_array();

    for (int i = 0; i < c->n_lanes; i++) {
        const struct flight *f = c->lanes[i].flight;
        char ring[64];

        if (!f)
            continue;
        rollout_ring_name(&f->gate, f->gate.ring, ring, sizeof ring);
        json_array_append_new(
            a, json_pack("{s:i, s:I, s:I, s:s, s:I, s:s, s:s}", "lane", i, "begun_ms",
                         (json_int_t)f->started_ms, "tick", (json_int_t)f->tick, "ring", ring,
                         "admitted", (json_int_t)c->lanes[i].round.admitted, "verdict",
                         verdict_name(f->last.verdict), "stands", f->last.stands));
    }
    return a;
}

/* --- rates ------------------------------------------------------------------------------------ */

static json_t *figure_to_json(const struct rate *r)
{
    const struct rate_figure f = rates_figure(r);

    return json_pack("{s:I, s:I, s:f, s:f, s:f, s:f}", "trials", (json_int_t)r->trials, "failures",
                     (json_int_t)r->failures, "rate", f.rate, "low", f.low, "high", f.high,
                     "spread", f.spread);
}

/* A metric without any trial is left out, and so is a cohort. */
static json_t *metrics(const struct rates *r)
{
    json_t *o = json_object();

    for (int m = 0; m < N_METRICS; m++) {
        json_t *cohorts, *of;

        if (r->fleet[m].trials == 0)
            continue;
        of = figure_to_json(&r->fleet[m]);
        cohorts = json_object();
        for (int i = 0; i < r->n_rows; i++)
            if (r->rows[i].of[m].trials > 0)
                json_object_set_new(cohorts, r->rows[i].name, figure_to_json(&r->rows[i].of[m]));
        json_object_set_new(of, "cohorts", cohorts);
        json_object_set_new(o, metric_name((enum metric)m), of);
    }
    return o;
}

static json_t *direct(const struct rates *r)
{
    const struct rate of = {.trials = r->admitted, .failures = r->direct};
    const struct rate_figure f = rates_figure(&of);

    return json_pack("{s:I, s:I, s:f, s:f, s:f}", "admitted", (json_int_t)r->admitted, "direct",
                     (json_int_t)r->direct, "rate", f.rate, "low", f.low, "high", f.high);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Devices that take part, and the check-ins a second that they are asked for while ticks are fast.
 */
static void add_load(const struct server *s, const struct calibration *c, json_t *o)
{
    const struct policy *p = &c->policy;
    int64_t tick_ms = p->fast_tick_ms < p->tick_ms ? p->fast_tick_ms : p->tick_ms;
    int64_t usual_ms = s->config.checkin_interval_ms, canary;
    _cleanup_(free_p)
    struct topology *t = malloc(sizeof *t);

    if (!t)
        return;
    lane_topology(s, c, t, &canary);
    json_object_set_new(o, "devices", json_integer(topology_fleet(t)));
    json_object_set_new(o, "checkins_s",
                        json_real((double)topology_fleet(t) * 1000.0 /
                                  (double)(tick_ms < usual_ms ? tick_ms : usual_ms)));
}

json_t *calibration_to_json(const struct server *s, const struct calibration *c)
{
    json_t *o = json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:I}", "id",
        (json_int_t)c->id, "channel", c->channel, "state", calibration_state_name(c->state), "why",
        c->why, "by", c->by, "policy", c->policy.name, "started_ms", (json_int_t)c->started_ms,
        "ended_ms", (json_int_t)c->ended_ms, "options", "rounds", (json_int_t)c->rounds_wanted,
        "lanes", (json_int_t)c->n_lanes, "share_ppm", (json_int_t)c->share_ppm, "limit_s",
        (json_int_t)(c->limit_ms / 1000), "restarts", (json_int_t)c->restarts);

    if (!o)
        return NULL;
    add_load(s, c, o);
    json_object_set_new(o, "rounds", count_rounds(c));
    json_object_set_new(o, "false_alarms", false_alarms(c));
    json_object_set_new(o, "ticks", json_integer(c->ticks));
    json_object_set_new(o, "paused_share",
                        json_real(c->ticks ? (double)c->paused / (double)c->ticks : 0.0));
    json_object_set_new(o, "metrics", metrics(&c->rates));
    json_object_set_new(o, "crashes_day", json_real(rates_crashes_day(&c->rates.fleet[METRIC_CR])));
    json_object_set_new(o, "direct", direct(&c->rates));
    json_object_set_new(o, "suggestion", calibration_suggest(s, c));
    json_object_set_new(o, "life", calibration_life(c));
    json_object_set_new(o, "under_way", under_way(c));
    json_object_set_new(o, "results", results(c));
    return o;
}

int calibrate_status(struct server *s, const char *channel, json_t **ret, struct err *err)
{
    const struct channel *ch = rollouts_channel(s->rollouts, channel);

    if (!ch)
        return err_set(err, ERR_NOT_FOUND, "no channel '%.40s'", channel);
    if (!ch->calibration) {
        err_set(err, ERR_NOT_FOUND, "channel '%s' has had no calibration", channel);
        return err_remedy(err, "start one with 'firebreak calibrate start'");
    }
    *ret = calibration_to_json(s, ch->calibration);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "no memory for a calibration's report");
}
