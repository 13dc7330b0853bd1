/* cycle: see cycle.h. Answers and the applying worker are in cycle_answer.c. */
#include "cycle/cycle.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "cycle/cycle_internal.h"
#include "fetch/exchange.h"
#include "field.h"
#include "layout.h"
#include "cycle/schedule.h"
#include "apply/stage.h"
#include "apply/tree.h"
#include "trust/trust.h"

#define UNKNOWN_MS                                                                                 \
    3600000 /* at most, between check-ins of a device that the server does not know */

static const char *const step_names[] = {
#define X(name, text) text,
    CYCLE_STEPS(X)
#undef X
};

void cycle_init(struct cycle *c, struct agent *a)
{
    memset(c, 0, sizeof *c);
    c->agent = a;
    c->next_ms = c->checkin_ms = a->config.poll_interval_ms;
    report_init(&c->report);
}

void cycle_release(struct cycle *c)
{
    child_kill(&c->job, SIGKILL);
    report_release(&c->report);
    json_decref(c->missing);
    json_decref(c->permit);
}

void cycle_fail(struct cycle *c, const struct err *err)
{
    if (strcmp(c->told_err.msg, err->msg) != 0)
        log_warn("cycle", "%s: %s", step_names[c->step], err->msg);
    c->told_err = *err;
    if (!c->first_err.code)
        c->first_err = *err;
}

/* Start the step's child; where that fails, the step has failed. */
static bool start_fetch(struct cycle *c, enum cycle_step step, json_t *stolen, int64_t life_ms)
{
    struct err err = {0};
    int r = stolen ? child_start_fetch(c->agent, stolen, life_ms, &c->job, &err)
                   : err_set(&err, ERR_NOMEM, "out of memory");

    json_decref(stolen);
    c->step = step;
    if (r < 0)
        cycle_fail(c, &err);
    return r == 0;
}

static bool start_worker(struct cycle *c, enum cycle_step step, child_worker_fn run)
{
    struct err err = {0};
    int r = child_start_worker(run, c, &c->job, &err);

    c->step = step;
    if (r < 0)
        cycle_fail(c, &err);
    return r == 0;
}

static int verify_worker(void *ctx, const volatile sig_atomic_t *stop, json_t *result,
                         struct err *err)
{
    const struct cycle *c = ctx;

    struct err failed = {0};
    int r = trust_verify(c->agent, c->fetch_r < 0 ? &c->fetch_err : NULL, &failed, err);

    (void)stop;
    if (failed.code &&
        field_set(result, "failed",
                  json_pack("{s:s, s:s}", "code", err_slug(failed.code), "message", failed.msg),
                  NULL) < 0)
        log_warn("cycle", "%s", failed.msg);
    return r;
}

static int stage_worker(void *ctx, const volatile sig_atomic_t *stop, json_t *result,
                        struct err *err)
{
    const struct cycle *c = ctx;

    (void)stop;
    (void)result;
    return stage_build(c->agent, c->agent->config.channels[c->staging].name, c->staging_digest,
                       err);
}

/* --- check-in --------------------------------------------------------------------------------- */

static bool is_fresh(const struct cycle *c, const struct state *s)
{
    return c->verified && s->expires_s > clock_wall_ms(c->agent->clock) / 1000;
}

/* A server that was restored from a backup may know this device again: it is asked, but seldom.
 * After a fork only enrolment helps. */
static bool may_check_in(struct cycle *c, const struct state *s)
{
    int64_t now = clock_boot_ms(c->agent->clock);

    if (!s->dead_identity[0])
        return true;
    if (strcmp(s->dead_identity, err_slug(ERR_UNKNOWN_DEVICE)) != 0 || now < c->unknown_ms)
        return false;
    c->unknown_ms = now + UNKNOWN_MS / 2 + schedule_jitter(UNKNOWN_MS / 2, rand_u64());
    return true;
}

static void warn_of_figures(struct cycle *c)
{
    const struct err *e = &c->report.figures_err;

    if (e->code && strcmp(c->told_figures_err.msg, e->msg) != 0) {
        log_warn("figures", "%s", e->msg);
        c->told_figures_err = *e;
    }
}

static void begin_checkin(struct cycle *c)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const char *holds[CHECKIN_MAX_CHANNELS];
    struct err err = {0};
    json_t *job = NULL;
    int r = state_load(&c->agent->place, &s, &err);

    for (size_t i = 0; i < CHECKIN_MAX_CHANNELS; i++)
        holds[i] = c->holds[i];
    if (r == 0 && !may_check_in(c, s)) {
        err_set(&err, err_from_slug(s->dead_identity), "no check-in: the server said '%s'",
                s->dead_identity);
        c->step = CYCLE_IDLE;
        cycle_fail(c, &err);
        return;
    }
    if (r == 0)
        r = report_make(&c->report, c->agent, is_fresh(c, s) && !c->apply.pid, holds, &err);
    warn_of_figures(c);
    if (r == 0)
        r = exchange_signed_post(c->agent, "/api/v1/checkin", &c->report.body, CHECKIN_ANSWER_MAX,
                                 &job, &err);
    if (r < 0) {
        c->step = CYCLE_IDLE;
        cycle_fail(c, &err);
    } else if (!start_fetch(c, CYCLE_CHECKIN, job, EXCHANGE_POST_MS)) {
        c->step = CYCLE_IDLE;
    }
}

/* --- staging ---------------------------------------------------------------------------------- */

struct telling {
    const char *channel, *digest;
};

static int note_told(struct state *s, void *ctx, struct err *err)
{
    struct telling *t = ctx;
    struct state_channel *c = state_channel(s, t->channel);

    (void)err;
    for (size_t i = 0; c && i < c->n_quarantine; i++)
        if (strcmp(c->quarantine[i].digest, t->digest) == 0)
            c->quarantine[i].told = true;
    return 0;
}

static bool was_told(const struct cycle *c, struct state *s, size_t i, const char *digest)
{
    struct state_channel *ch = state_channel(s, c->agent->config.channels[i].name);
    const struct state_quarantine *q = ch ? state_quarantined(ch, digest) : NULL;

    return q && q->told;
}

/* A refusal is told once, not with each check-in: what is quarantined once for all, the rest once
 * in a process's life, as a new agent or configuration may think otherwise. */
static void tell_refusal(struct cycle *c, struct state *s, size_t i, const char *digest,
                         const char *cause)
{
    const char *channel = c->agent->config.channels[i].name;
    struct telling told = {channel, digest};
    char what[sizeof c->told[0]];
    struct err err = {0};

    snprintf(what, sizeof what, "%.64s %.30s", digest, cause);
    if (strcmp(what, c->told[i]) == 0 || was_told(c, s, i, digest))
        return;
    memcpy(c->told[i], what, sizeof what);
    if (agent_event(c->agent, EVENT_REFUSED, channel, digest, cause, false, NULL, &err) < 0 ||
        state_update(&c->agent->place, note_told, &told, &err) < 0)
        cycle_fail(c, &err);
}

/* The next channel with something to stage; false: none. */
static bool find_staging(struct cycle *c, struct state *s)
{
    for (size_t i = 0; i < c->agent->config.n_channels; i++) {
        const struct config_channel *conf = &c->agent->config.channels[i];
        struct stage_choice choice;
        struct err err = {0};

        if (stage_choose(c->agent, s, conf, &choice, &err) < 0) {
            cycle_fail(c, &err);
            continue;
        }
        if (choice.refused[0] && strcmp(choice.refusal, "older") != 0)
            tell_refusal(c, s, i, choice.refused, choice.refusal);
        if (!choice.want.digest[0] || choice.hold[0] || choice.refusal[0] || choice.staged)
            continue;
        c->staging = i;
        memcpy(c->staging_digest, choice.want.digest, sizeof c->staging_digest);
        return true;
    }
    return false;
}

static void hold_staging(struct cycle *c, const struct err *err)
{
    const char *hold = err->code == ERR_FULL ? "disk-full" : "download-failed";

    cycle_fail(c, err);
    snprintf(c->holds[c->staging], sizeof c->holds[0], "%s", hold);
}

static void begin_stage(struct cycle *c)
{
    if (!start_worker(c, CYCLE_STAGE, stage_worker))
        begin_checkin(c);
}

static void begin_staging(struct cycle *c)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    struct err err = {0};

    json_decref(c->missing);
    c->missing = NULL;
    if (!c->verified || c->apply.pid || state_load(&c->agent->place, &s, &err) < 0 ||
        !find_staging(c, s)) {
        begin_checkin(c);
        return;
    }
    if (stage_missing(c->agent, c->agent->config.channels[c->staging].name, c->staging_digest,
                      &c->missing, &err) < 0) {
        hold_staging(c, &err);
        begin_checkin(c);
    } else if (json_array_size(c->missing) == 0) {
        begin_stage(c);
    } else if (!start_fetch(c, CYCLE_BLOBS, exchange_blobs(c->agent, c->missing),
                            EXCHANGE_BLOBS_MS)) {
        begin_checkin(c);
    }
}

/* --- the cycle -------------------------------------------------------------------------------- */

static bool needs_refresh(const struct cycle *c)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    int64_t now = clock_boot_ms(c->agent->clock);

    if (now < c->refresh_ms)
        return false;
    if (!c->verified || now - c->verified_ms >= c->checkin_ms)
        return true;
    return state_load(&c->agent->place, &s, NULL) == 0 &&
           (c->offered_version > s->snapshot_version || !is_fresh(c, s));
}

/* By such a clock metadata of any age would look fresh. */
static bool is_early(const struct cycle *c)
{
    const struct trouble_clock clock = {.now_s = clock_wall_ms(c->agent->clock) / 1000,
                                        .built_s = c->agent->built_s};

    return trouble_clock_is_early(&clock);
}

void cycle_begin(struct cycle *c)
{
    struct err err = {0};

    memset(&c->first_err, 0, sizeof c->first_err);
    c->was_permitted = false;
    memset(c->holds, 0, sizeof c->holds);
    if (agent_read_identity(c->agent, &err) < 0 || agent_need_identity(c->agent, &err) < 0 ||
        trust_init(c->agent, &err) < 0) {
        cycle_fail(c, &err);
        return;
    }
    if (!needs_refresh(c))
        begin_staging(c);
    else if (!start_fetch(c, CYCLE_REFRESH, exchange_refresh(c->agent, !is_early(c)),
                          EXCHANGE_REFRESH_MS))
        begin_checkin(c);
}

/* How often the plan means to be polled, and how long its ticks are. */
static void read_pace_of_plan(struct cycle *c)
{
    for (size_t i = 0; i < c->agent->config.n_channels; i++) {
        _cleanup_(plan_free_p)
        struct plan *plan = NULL;

        if (agent_plan(c->agent, c->agent->config.channels[i].name, &plan, NULL) < 0)
            continue;
        c->checkin_ms = plan->checkin_ms;
        c->tick_ms = plan->tick_ms;
    }
}

/* The repository is asked again later and later; check-ins go on meanwhile. */
static void note_refreshed(struct cycle *c, int r)
{
    int64_t now = clock_boot_ms(c->agent->clock);

    c->verified = r == 0;
    if (r == 0) {
        c->verified_ms = now;
        c->refresh_failures = 0;
        c->refresh_ms = 0;
        return;
    }
    c->refresh_failures++;
    c->refresh_ms = now + schedule_after_failure(c->refresh_failures, 0, 0, rand_u64());
}

static bool read_failed(const json_t *o, struct err *ret)
{
    const char *code = json_string_value(json_object_get(o, "code"));
    const char *message = json_string_value(json_object_get(o, "message"));

    if (code && message)
        err_set(ret, err_from_slug(code), "%s", message);
    return code && message;
}

/* One channel's failure is the pass's first error, and stops no other channel. */
static void tell_channel(struct cycle *c, const json_t *result)
{
    struct err err = {0};

    if (!read_failed(json_object_get(result, "failed"), &err))
        return;
    /* That it is not there: the fetching child knows why. */
    if (c->fetch_channel_err.code && (err.code == ERR_NOT_FOUND || err.code == ERR_UNAVAILABLE))
        err = c->fetch_channel_err;
    cycle_fail(c, &err);
}

static void end_verify(struct cycle *c, int r, const struct err *err)
{
    if (c->fetch_r < 0 && r == 0) {
        r = c->fetch_r;
        err = &c->fetch_err;
    }
    note_refreshed(c, r);
    if (r < 0)
        cycle_fail(c, err);
    else
        read_pace_of_plan(c);
    begin_staging(c);
}

void cycle_continue(struct cycle *c)
{
    json_auto_t *result = NULL;
    struct err err = {0};
    int r = child_finish(&c->job, &result, &err);

    switch (c->step) {
    case CYCLE_IDLE:
        return;
    case CYCLE_REFRESH:
        c->fetch_r = r;
        c->fetch_err = err;
        memset(&c->fetch_channel_err, 0, sizeof c->fetch_channel_err);
        read_failed(json_array_get(json_object_get(result, "failed"), 0), &c->fetch_channel_err);
        /* In any case: a new root or a revocation may have come, though the rest has not. */
        if (!start_worker(c, CYCLE_VERIFY, verify_worker))
            end_verify(c, -ERR_INTERNAL, &c->first_err);
        return;
    case CYCLE_VERIFY:
        tell_channel(c, result);
        end_verify(c, r, &err);
        return;
    case CYCLE_BLOBS:
        if (r < 0) {
            hold_staging(c, &err);
            begin_checkin(c);
        } else {
            begin_stage(c);
        }
        return;
    case CYCLE_STAGE:
        if (r < 0)
            hold_staging(c, &err);
        begin_checkin(c);
        return;
    case CYCLE_CHECKIN:
        cycle_answer(c, r, result, &err);
        c->step = CYCLE_IDLE;
        return;
    }
}
