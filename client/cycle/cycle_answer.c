/* cycle: the answer to a check-in, and the worker that applies. See cycle.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply.h"
#include "base/hex.h"
#include "base/log.h"
#include "cycle/cycle_internal.h"
#include "fetch/exchange.h"
#include "cycle/schedule.h"
#include "state/spool.h"

#define RECALL_JITTER_MS 5000
#define REJECTED_MAX     3
#define CLOCKS_DIFFER_S  3600

/* --- the applying worker ---------------------------------------------------------------------- */

static int permit_worker(void *ctx, const volatile sig_atomic_t *stop, json_t *result,
                         struct err *err)
{
    const struct cycle *c = ctx;
    struct apply ap = {c->agent, c->applying, stop};
    bool healthy = false;
    int r = apply_permit(&ap, &c->rq, c->permit, &healthy, err);

    if (r == 0 && json_object_set_new(result, "healthy", json_boolean(healthy)) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    return r;
}

static int resolve_worker(void *ctx, const volatile sig_atomic_t *stop, json_t *result,
                          struct err *err)
{
    const struct cycle *c = ctx;
    int first = 0;

    (void)result;
    for (size_t i = 0; i < c->agent->config.n_channels; i++) {
        struct apply ap = {c->agent, &c->agent->config.channels[i], stop};
        struct err why = {0};
        int r = apply_resolve(&ap, &why);

        if (r < 0 && first == 0) {
            first = r;
            *err = why;
        }
    }
    return first;
}

static bool is_unresolved(const struct cycle *c, bool *ret_recall)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    bool found = false;

    *ret_recall = true;
    if (state_load(&c->agent->place, &s, NULL) < 0)
        return false;
    for (size_t i = 0; i < c->agent->config.n_channels; i++) {
        const struct state_channel *ch = state_channel(s, c->agent->config.channels[i].name);

        if (!ch || !apply_is_unresolved(c->agent, s, ch))
            continue;
        found = true;
        if (ch->attempt.digest[0] || ch->pending.digest[0] || strcmp(ch->leave.cause, "owner") == 0)
            *ret_recall = false;
    }
    return found;
}

int64_t cycle_resolve(struct cycle *c, bool at_once)
{
    int64_t now = clock_boot_ms(c->agent->clock);
    struct err err = {0};
    bool recall;

    if (c->apply.pid)
        return 0;
    if (!is_unresolved(c, &recall)) {
        c->resolve_ms = 0;
        return 0;
    }
    if (!c->resolve_ms) {
        /* A fleet that leaves a release does not reload all its consumers in one second. */
        int64_t most = c->tick_ms && c->tick_ms < RECALL_JITTER_MS ? c->tick_ms : RECALL_JITTER_MS;

        c->resolve_ms = now + (recall && !at_once ? schedule_jitter(most, rand_u64()) : 0);
    }
    if (now < c->resolve_ms)
        return c->resolve_ms;
    /* Where it fails it is tried again, but not in a circle. */
    c->resolve_ms = now + c->agent->config.poll_interval_ms;
    if (child_start_worker(resolve_worker, c, &c->apply, &err) < 0)
        cycle_fail(c, &err);
    return c->resolve_ms;
}

static void start_apply(struct cycle *c, const struct answer_channel *ch)
{
    const struct permit_request *rq = report_asked(&c->report, ch->channel);
    struct err err = {0};

    c->applying = config_channel(&c->agent->config, ch->channel);
    if (!rq || !c->applying) {
        err_set(&err, ERR_BAD_PERMIT, "a permit for channel '%s', which was not asked for",
                ch->channel);
        cycle_fail(c, &err);
        return;
    }
    if (c->apply.pid)
        return; /* one change at a time */
    c->rq = *rq;
    json_decref(c->permit);
    c->permit = json_incref(ch->permit);
    c->was_permitted = true;
    if (child_start_worker(permit_worker, c, &c->apply, &err) < 0)
        cycle_fail(c, &err);
}

int cycle_applied(struct cycle *c, struct err *err)
{
    json_auto_t *result = NULL;
    int r = child_finish(&c->apply, &result, err);

    if (r < 0 && r != -ERR_UNAVAILABLE)
        log_warn("apply", "%s", err->msg);
    if (r == 0 && json_is_false(json_object_get(result, "healthy")))
        r = err_set(err, ERR_REFUSED, "the release was not taken: see 'status'");
    return r;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void obey(struct cycle *c, const struct checkin_answer *an)
{
    int64_t ask_again_ms = 0;

    c->offered_version = an->snapshot_version;
    for (size_t i = 0; i < an->n_channels; i++) {
        const struct answer_channel *ch = &an->channels[i];

        if (ch->permit)
            start_apply(c, ch);
        else if (report_asked(&c->report, ch->channel) &&
                 (!ask_again_ms || ch->retry_ms < ask_again_ms))
            ask_again_ms = ch->retry_ms;
    }
    c->next_ms = an->next_ms > ask_again_ms ? an->next_ms : ask_again_ms;
}

static int note_alive(struct state *s, void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    s->dead_identity[0] = '\0';
    return 0;
}

/* The server knows this device after all. */
static void revive_identity(struct cycle *c)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    struct err err = {0};

    if (state_load(&c->agent->place, &s, NULL) < 0 || !s->dead_identity[0])
        return;
    if (state_update(&c->agent->place, note_alive, NULL, &err) < 0)
        cycle_fail(c, &err);
}

static int note_server_time(struct state *s, void *ctx, struct err *err)
{
    (void)err;
    s->server_ahead_s = *(const int64_t *)ctx;
    return 0;
}

/* How far apart the clocks are, for words: kept where it changes, not with each answer. */
static void compare_clocks(struct cycle *c, int64_t server_time)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    int64_t ahead = server_time - clock_wall_ms(c->agent->clock) / 1000;
    struct err err = {0};

    if (llabs(ahead) < CLOCKS_DIFFER_S)
        ahead = 0;
    if (state_load(&c->agent->place, &s, NULL) < 0 || s->lost ||
        llabs(ahead - s->server_ahead_s) < (ahead ? CLOCKS_DIFFER_S : 1))
        return;
    if (state_update(&c->agent->place, note_server_time, &ahead, &err) < 0)
        cycle_fail(c, &err);
}

static void take_answer(struct cycle *c, const struct exchange_answer *an)
{
    _cleanup_(checkin_answer_free_p)
    struct checkin_answer *answer = NULL;
    struct err err = {0};

    if (checkin_answer_parse(an->body, an->len, &answer, &err) < 0 ||
        report_acknowledge(&c->report, c->agent, &err) < 0) {
        c->failures++;
        report_forget(&c->report);
        cycle_fail(c, &err);
        return;
    }
    c->failures = c->rejected = 0;
    revive_identity(c);
    compare_clocks(c, answer->server_time);
    obey(c, answer);
}

static int note_dead(struct state *s, void *ctx, struct err *err)
{
    (void)err;
    snprintf(s->dead_identity, sizeof s->dead_identity, "%s", (const char *)ctx);
    return 0;
}

/* The identity is of no use: check-ins end (or, where it is only unknown, become rare) until the
 * device is enrolled again. */
static void end_identity(struct cycle *c, const char *slug)
{
    struct err err = {0};

    log_error("cycle", "the server says '%s': enrol this device again; its content stays", slug);
    if (state_update(&c->agent->place, note_dead, (void *)slug, &err) < 0)
        cycle_fail(c, &err);
}

/* An event that the server cannot take would mute the device for ever, and silence is evidence
 * against what it runs: after some tries the oldest one goes. */
static void note_rejected(struct cycle *c, int r)
{
    struct err err = {0};

    if (r != -ERR_INVALID && r != -ERR_TOO_LARGE) {
        c->rejected = 0;
        return;
    }
    if (++c->rejected < REJECTED_MAX || c->report.n_sent == 0)
        return;
    c->rejected = 0;
    log_error("cycle", "event %s is dropped: the server takes no check-in with it",
              c->report.sent[0]);
    if (spool_remove(c->agent->config.state_dir, c->report.sent[0], &err) < 0)
        cycle_fail(c, &err);
}

void cycle_answer(struct cycle *c, int r, const json_t *result, const struct err *failure)
{
    struct exchange_answer an = {.retry_after_s = -1};
    struct err err = *failure;

    c->retry_after_ms = 0;
    if (r < 0) { /* no answer: the same request again */
        c->failures++;
        cycle_fail(c, &err);
        return;
    }
    r = exchange_read_answer(result, &an, &err);
    if (an.retry_after_s > 0)
        c->retry_after_ms = an.retry_after_s * 1000;
    if (r == 0) {
        take_answer(c, &an);
        return;
    }
    c->failures++;
    note_rejected(c, r);
    report_forget(&c->report);
    cycle_fail(c, &err);
    if (r == -ERR_FORKED || r == -ERR_UNKNOWN_DEVICE)
        end_identity(c, err_slug(r));
}
