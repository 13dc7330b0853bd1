/*
 * calibrate_rows: calibrations in the store, and out of it at start.
 *
 *   calibrations        options {"rounds", "lanes", "share_ppm", "limit_ms", "sample"},
 *                       totals {"ticks", "paused", "restarts", "rates"}
 *   calibration_rounds  result: as the API shows a round
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "calibrate/calibrate_internal.h"
#include "policy_file.h"

#define STORED_MAX 1000000 /* bytes of JSON in a row */

/* --- writing ---------------------------------------------------------------------------------- */

static void put_text(json_t *o, const char *key, bool is, const char *text)
{
    if (is)
        json_object_set_new(o, key, json_string(text));
}

json_t *round_to_json(const struct round *r)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:i}", "round",
                          (json_int_t)r->number, "lane", (json_int_t)r->lane, "begun_ms",
                          (json_int_t)r->begun_ms, "ended_ms", (json_int_t)r->ended_ms, "end",
                          round_end_name(r->end), "ticks", (json_int_t)r->ticks, "paused",
                          (json_int_t)r->paused, "admitted", (json_int_t)r->admitted, "direct",
                          (json_int_t)r->direct, "unproven", r->unproven);

    put_text(o, "halt", r->halted, r->halt);
    put_text(o, "warning", r->warned, r->warning);
    put_text(o, "question", r->asked, r->question);
    return o;
}

void calibration_put_round(struct store_batch *b, const struct calibration *c,
                           const struct round *r)
{
    json_auto_t *o = round_to_json(r);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    const struct row_calibration_round row = {.calibration = c->id,
                                              .round = r->number,
                                              .at_ms = r->ended_ms,
                                              .result = text}; /* no memory: the commit fails */

    store_put_calibration_round(b, &row);
    free(text);
}

void calibration_put(struct store_batch *b, const struct calibration *c)
{
    json_auto_t *options =
        json_pack("{s:I, s:I, s:I, s:I, s:s}", "rounds", (json_int_t)c->rounds_wanted, "lanes",
                  (json_int_t)c->n_lanes, "share_ppm", (json_int_t)c->share_ppm, "limit_ms",
                  (json_int_t)c->limit_ms, "sample", c->sample);
    json_auto_t *totals = json_pack("{s:I, s:I, s:I, s:o}", "ticks", (json_int_t)c->ticks, "paused",
                                    (json_int_t)c->paused, "restarts", (json_int_t)c->restarts,
                                    "rates", rates_to_json(&c->rates));
    char *options_text = options ? json_dumps(options, JSON_COMPACT) : NULL;
    char *totals_text = totals ? json_dumps(totals, JSON_COMPACT) : NULL;
    const struct row_calibration row = {.id = c->id,
                                        .channel = c->channel,
                                        .policy = c->policy_text,
                                        .state = calibration_state_name(c->state),
                                        .why = c->why,
                                        .by = c->by,
                                        .started_ms = c->started_ms,
                                        .ended_ms = c->ended_ms,
                                        .options = options_text,
                                        .totals = totals_text};

    store_put_calibration(b, &row);
    free(options_text);
    free(totals_text);
}

int calibration_add_round(struct calibration *c, const struct round *r)
{
    struct round *p = realloc(c->rounds, (size_t)(c->n_rounds + 1) * sizeof *p);

    if (!p)
        return -ERR_NOMEM;
    c->rounds = p;
    p[c->n_rounds++] = *r;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct loading {
    struct server *server;
    struct rollouts *r;
};

static int parse(const char *text, json_t **ret, struct err *err)
{
    return jsonx_parse(text ? text : "", text ? strlen(text) : 0, STORED_MAX, ret, err);
}

static int number(const json_t *o, const char *key, int64_t max, int64_t *ret, struct err *err)
{
    return jsonx_int(o, "calibration", key, 0, max, ret, err);
}

static int options_from_json(const json_t *o, struct calibration *c, struct err *err)
{
    int r = number(o, "rounds", CALIBRATE_MAX_ROUNDS, &c->rounds_wanted, err);

    if (r == 0)
        r = number(o, "lanes", CALIBRATE_MAX_LANES, &c->n_lanes, err);
    if (r == 0)
        r = number(o, "share_ppm", PPM, &c->share_ppm, err);
    if (r == 0)
        r = number(o, "limit_ms", INT64_C(1000) * CALIBRATE_MAX_LIMIT_S, &c->limit_ms, err);
    return r < 0 ? r : jsonx_sha256(o, "calibration", "sample", c->sample, err);
}

static int totals_from_json(const json_t *o, struct calibration *c, struct err *err)
{
    int r = number(o, "ticks", INT64_MAX, &c->ticks, err);

    if (r == 0)
        r = number(o, "paused", INT64_MAX, &c->paused, err);
    if (r == 0)
        r = number(o, "restarts", INT64_MAX, &c->restarts, err);
    return r < 0 ? r : rates_from_json(json_object_get(o, "rates"), &c->rates, err);
}

static int state_from(const char *text, enum calibration_state *ret, struct err *err)
{
    for (int i = 0; i <= CALIBRATION_FAILED; i++)
        if (strcmp(calibration_state_name((enum calibration_state)i), text) == 0) {
            *ret = (enum calibration_state)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "unknown state '%.20s'", text);
}

static int from_row(struct calibration *c, const struct row_calibration *row, struct err *err)
{
    json_auto_t *options = NULL, *totals = NULL;
    int r;

    c->id = row->id;
    c->started_ms = row->started_ms;
    c->ended_ms = row->ended_ms;
    c->policy_text = strdup(row->policy);
    snprintf(c->channel, sizeof c->channel, "%s", row->channel);
    snprintf(c->by, sizeof c->by, "%s", row->by);
    snprintf(c->why, sizeof c->why, "%s", row->why);
    if (!c->policy_text)
        return err_set(err, ERR_NOMEM, "no memory for a calibration");
    r = policy_parse(c->policy_text, strlen(c->policy_text), "stored policy", &c->policy, err);
    if (r == 0)
        r = state_from(row->state, &c->state, err);
    if (r == 0)
        r = parse(row->options, &options, err);
    if (r == 0)
        r = parse(row->totals, &totals, err);
    if (r == 0)
        r = options_from_json(options, c, err);
    return r < 0 ? r : totals_from_json(totals, c, err);
}

static int on_calibration(void *ctx, const struct row_calibration *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);

    if (row->id > l->r->last_calibration)
        l->r->last_calibration = row->id;
    if (!ch) /* rows come by id: the latest of a channel comes last */
        return 0;
    calibration_free(ch->calibration);
    ch->calibration = calloc(1, sizeof *ch->calibration);
    if (!ch->calibration)
        return err_set(err, ERR_NOMEM, "no memory for a calibration");
    return err_context(err, from_row(ch->calibration, row, err), "calibration %lld",
                       (long long)row->id);
}

static void copy(const json_t *o, const char *key, bool *flag, char text[GATE_REASON_MAX])
{
    const char *s = json_string_value(json_object_get(o, key));

    *flag = s != NULL;
    snprintf(text, GATE_REASON_MAX, "%s", s ? s : "");
}

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void round_from_json(const json_t *o, struct round *r)
{
    const char *ended = json_string_value(json_object_get(o, "end"));

    *r = (struct round){.number = int_of(o, "round"),
                        .lane = int_of(o, "lane"),
                        .begun_ms = int_of(o, "begun_ms"),
                        .ended_ms = int_of(o, "ended_ms"),
                        .ticks = int_of(o, "ticks"),
                        .paused = int_of(o, "paused"),
                        .admitted = int_of(o, "admitted"),
                        .direct = int_of(o, "direct"),
                        .unproven = (int)int_of(o, "unproven")};
    for (int i = 0; ended && i <= ROUND_LIMIT; i++)
        if (strcmp(round_end_name((enum round_end)i), ended) == 0)
            r->end = (enum round_end)i;
    copy(o, "halt", &r->halted, r->halt);
    copy(o, "warning", &r->warned, r->warning);
    copy(o, "question", &r->asked, r->question);
}

static int on_round(void *ctx, const struct row_calibration_round *row, struct err *err)
{
    struct loading *l = ctx;

    for (int i = 0; i < l->r->n_channels; i++) {
        struct calibration *c = l->r->channels[i].calibration;
        json_auto_t *o = NULL;
        struct round round;

        if (!c || c->id != row->calibration)
            continue;
        if (parse(row->result, &o, err) < 0)
            return -(int)err->code;
        round_from_json(o, &round);
        if (calibration_add_round(c, &round) < 0)
            return err_set(err, ERR_NOMEM, "no memory for a calibration");
    }
    return 0;
}

/* Lanes begin anew at the first tick; that is told at the next save. */
int calibrate_load(struct server *s, struct rollouts *r, struct err *err)
{
    const struct store_visitor v = {.calibration = on_calibration, .calibration_round = on_round};
    struct loading l = {.server = s, .r = r};
    int rc = store_load(s->store, &v, &l, err);

    for (int i = 0; rc == 0 && i < r->n_channels; i++) {
        struct calibration *c = r->channels[i].calibration;

        if (calibration_runs(c))
            calibrate_resume(s, c);
    }
    return err_context(err, rc, "load calibrations");
}
