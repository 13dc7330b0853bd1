/* apply: the way forward. See apply.h. */
#include "apply/apply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apply/apply_internal.h"
#include "base/file.h"
#include "base/log.h"
#include "layout.h"
#include "apply/tree.h"

#define SOAK_STEP_MS 500

struct changing {
    const char *channel;
    apply_change_fn change;
    const void *ctx;
};

static int change_channel(struct state *s, void *ctx, struct err *err)
{
    const struct changing *ch = ctx;
    struct state_channel *c;
    int r = state_add_channel(s, ch->channel, &c, err);

    if (r == 0)
        ch->change(s, c, ch->ctx);
    return r;
}

int apply_change(const struct apply *ap, apply_change_fn change, const void *ctx, struct err *err)
{
    struct changing ch = {ap->conf->name, change, ctx};

    return state_update(&ap->agent->place, change_channel, &ch, err);
}

void apply_version(const struct apply *ap, const char *digest, char ret[RELEASE_VERSION_MAX])
{
    _cleanup_(free_p)
    struct state *s = NULL;
    struct state_channel *c = NULL;
    const struct state_release *r;

    ret[0] = '\0';
    if (state_load(&ap->agent->place, &s, NULL) == 0)
        c = state_channel(s, ap->conf->name);
    r = c ? state_release(c, digest) : NULL;
    if (r)
        snprintf(ret, RELEASE_VERSION_MAX, "%s", r->version);
}

bool apply_must_leave(const struct apply *ap, const char *digest, char ret_cause[STATE_CAUSE_MAX])
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c = NULL;

    if (state_load(&ap->agent->place, &s, NULL) == 0)
        c = state_channel(s, ap->conf->name);
    if (!c || !c->leave.digest[0] || strcmp(c->leave.digest, digest) != 0)
        return false;
    memcpy(ret_cause, c->leave.cause, STATE_CAUSE_MAX);
    return true;
}

/* --- before the switch ------------------------------------------------------------------------ */

/* A refusal is told once it is certain; the error stays the first one. */
static int refuse(const struct apply *ap, const char *digest, const char *cause, int r,
                  struct err *err)
{
    struct err why = {0};

    if (agent_event(ap->agent, EVENT_REFUSED, ap->conf->name, digest, cause, false, err->msg,
                    &why) < 0)
        log_error("apply", "%s", why.msg);
    return r;
}

/* The device's own rules, once more, against the plan and the state as they are now. */
static int check_own_rules(const struct apply *ap, struct state *s, const struct plan *plan,
                           const struct manifest *m, enum permit_kind kind,
                           char ret_cause[STATE_HOLD_MAX], struct err *err)
{
    struct state_channel *c = state_channel(s, ap->conf->name);
    struct decide_facts f;
    const char *why;
    struct want w;
    int64_t wait_s;

    strcpy(ret_cause, "no-state");
    if (!c)
        return err_set(err, ERR_HELD, "channel '%s' is unknown here", ap->conf->name);
    f = agent_facts(ap->agent, ap->conf, s, c);
    f.plan = plan;
    f.manifest = m;
    snprintf(ret_cause, STATE_HOLD_MAX, "%s", decide_hold(&f));
    if (*ret_cause)
        return err_set(err, ERR_HELD, "nothing new is applied: %s", ret_cause);
    w = decide_want(&f, &why);
    if (strcmp(w.digest, m->digest) != 0) {
        snprintf(ret_cause, STATE_HOLD_MAX, "%s", *why ? why : "not-planned");
        return err_set(err, ERR_REFUSED, "the plan no longer means version '%s' for this device",
                       m->version);
    }
    strcpy(ret_cause, "permit");
    if (!decide_kind_fits(&f, &w, kind))
        return err_set(err, ERR_BAD_PERMIT, "permit is of another kind: '%s'",
                       permit_kind_name(kind));
    snprintf(ret_cause, STATE_HOLD_MAX, "%s", decide_refusal(&f, &w, FIREBREAK_VERSION));
    if (*ret_cause)
        return err_set(err, ERR_REFUSED, "version '%s' is refused: %s", m->version, ret_cause);
    wait_s = decide_pace_wait_s(&f);
    strcpy(ret_cause, "pace");
    if (wait_s > 0)
        return err_set(err, ERR_PACE,
                       "a permit for version '%s' came %lld s before the manifest's pace reaches "
                       "this device",
                       m->version, (long long)wait_s);
    return 0;
}

static int check_permit(const struct apply *ap, const struct plan *plan,
                        const struct permit_request *rq, const json_t *envelope, struct permit *ret,
                        struct err *err)
{
    const struct agent *a = ap->agent;

    return permit_check(envelope, &plan->permit_keys, rq, a->boot_id, clock_boot_ms(a->clock), ret,
                        err);
}

static void drop_staged(const struct apply *ap, const char *digest)
{
    struct path p;
    struct err err = {0};

    layout_at(&p, ap->agent->config.state_dir, "channels/%s/releases/%s", ap->conf->name, digest);
    if (file_remove_tree(p.s, &err) < 0)
        log_error("apply", "%s", err.msg);
}

static int check_all(const struct apply *ap, const struct plan *plan,
                     const struct permit_request *rq, const json_t *envelope,
                     const struct manifest *m, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    char cause[STATE_HOLD_MAX] = "permit";
    struct permit p;
    int r = check_permit(ap, plan, rq, envelope, &p, err);

    if (r == 0)
        r = state_load(&ap->agent->place, &s, err);
    if (r == 0)
        r = check_own_rules(ap, s, plan, m, p.kind, cause, err);
    if (r < 0)
        return refuse(ap, rq->digest, cause, r, err);
    r = tree_verify(ap->agent->config.state_dir, m, m->digest, err);
    if (r == 0)
        return 0;
    drop_staged(ap, m->digest); /* to be built anew */
    return refuse(ap, rq->digest, "staged-tree", r, err);
}

struct attempt {
    const struct apply *ap;
    const char *digest;
};

/* Under the update lock: the last look and the record are one step. */
static int begin_attempt(struct state *s, void *ctx, struct err *err)
{
    const struct attempt *at = ctx;
    struct state_channel *c = state_channel(s, at->ap->conf->name);

    if (!c || state_unsoaked(s) || s->hold || state_put_away(c, at->digest))
        return err_set(err, ERR_HELD, "the state has changed since the permit was asked for");
    snprintf(c->attempt.digest, sizeof c->attempt.digest, "%s", at->digest);
    snprintf(c->attempt.boot_id, sizeof c->attempt.boot_id, "%s", at->ap->agent->boot_id);
    return 0;
}

struct failure {
    const char *digest;
    const struct hook_result *result;
};

static void end_attempt(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct failure *f = ctx;

    (void)s;
    memset(&c->attempt, 0, sizeof c->attempt);
    if (f->result->blamed)
        state_add_quarantine(c, f->digest, f->result->cause, true);
    else
        apply_count_unblamed(c, f->digest, f->result->cause);
}

void apply_count_unblamed(struct state_channel *c, const char *digest, const char *cause)
{
    struct state_release *r = state_release(c, digest);

    if (r && ++r->unblamed >= APPLY_UNBLAMED_MAX)
        state_add_quarantine(c, digest, cause, false);
}

static int fail_attempt(const struct apply *ap, const char *digest,
                        const struct hook_result *result, struct err *err)
{
    struct failure f = {digest, result};
    int r = agent_event(ap->agent, EVENT_PREFLIGHT_FAILED, ap->conf->name, digest, result->cause,
                        result->blamed, result->output, err);

    return r < 0 ? r : apply_change(ap, end_attempt, &f, err);
}

/* --- the switch ------------------------------------------------------------------------------- */

struct step {
    const struct apply *ap;
    const char *digest;
};

static void begin_switch(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct step *st = ctx;

    (void)s;
    memset(&c->attempt, 0, sizeof c->attempt);
    memset(&c->pending, 0, sizeof c->pending);
    snprintf(c->pending.digest, sizeof c->pending.digest, "%s", st->digest);
    memcpy(c->pending.from, c->current, sizeof c->pending.from);
    snprintf(c->pending.boot_id, sizeof c->pending.boot_id, "%s", st->ap->agent->boot_id);
    c->pending.phase = PHASE_SWITCH;
}

static void note_switched(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct step *st = ctx;
    struct state_release *r = state_add_release(c, st->digest);

    snprintf(c->current, sizeof c->current, "%s", st->digest);
    r->since_s = state_awake_s(s, &st->ap->agent->place);
    r->boots = r->crashes = 0;
    c->pending.phase = PHASE_ACTIVATE;
}

static int do_switch(const struct apply *ap, const char *digest, struct err *err)
{
    const struct agent *a = ap->agent;
    struct step st = {ap, digest};
    int r = apply_change(ap, begin_switch, &st, err);

    if (r == 0)
        r = tree_set_link(a->config.state_dir, ap->conf->name, "current", digest, err);
    if (r == 0)
        r = agent_event(a, EVENT_APPLIED, ap->conf->name, digest, "", false, NULL, err);
    return r < 0 ? r : apply_change(ap, note_switched, &st, err);
}

static bool is_revoked(const struct apply *ap, const char *digest)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c = NULL;

    if (state_load(&ap->agent->place, &s, NULL) == 0)
        c = state_channel(s, ap->conf->name);
    return c && state_revoked(c, digest);
}

/* A preflight takes its time: has the permit run out, or the release been taken back? */
static void check_once_more(const struct apply *ap, const struct plan *then,
                            const struct permit_request *rq, const json_t *envelope,
                            struct hook_result *ret)
{
    _cleanup_(plan_free_p)
    struct plan *now = NULL;
    struct err err = {0};
    const char *cause = NULL;
    struct permit p;

    if (check_permit(ap, then, rq, envelope, &p, &err) < 0)
        cause = "permit-expired";
    else if (agent_plan(ap->agent, ap->conf->name, &now, &err) == 0 &&
             plan_recalls(now, rq->digest, ap->agent->cohort))
        cause = "recalled-meanwhile";
    else if (is_revoked(ap, rq->digest))
        cause = "revoked-meanwhile";
    if (!cause)
        return;
    memset(ret, 0, sizeof *ret);
    snprintf(ret->cause, sizeof ret->cause, "%s", cause);
    snprintf(ret->output, sizeof ret->output, "%s", err.msg);
}

int apply_permit(const struct apply *ap, const struct permit_request *rq, const json_t *envelope,
                 bool *ret_healthy, struct err *err)
{
    _cleanup_(close_p)
    int lock = agent_lock(ap->agent, LAYOUT_APPLY_LOCK, err);
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct attempt attempt = {ap, rq->digest};
    struct hook_result hook;
    int r = lock;

    if (r >= 0)
        r = agent_plan(ap->agent, ap->conf->name, &plan, err);
    if (r == 0)
        r = tree_manifest(ap->agent->config.state_dir, ap->conf->name, rq->digest, &m, err);
    if (r == 0)
        r = check_all(ap, plan, rq, envelope, m, err);
    if (r == 0)
        r = state_update(&ap->agent->place, begin_attempt, &attempt, err);
    if (r < 0)
        return r;
    apply_hook(ap, PHASE_NONE, m->digest, m->version, &hook);
    *ret_healthy = false;
    if (hook.good)
        check_once_more(ap, plan, rq, envelope, &hook);
    if (!hook.good)
        return fail_attempt(ap, m->digest, &hook, err);
    r = do_switch(ap, m->digest, err);
    return r < 0 ? r : apply_from(ap, m->digest, PHASE_ACTIVATE, ret_healthy, err);
}

/* --- after the switch ------------------------------------------------------------------------- */

static void set_phase(struct state *s, struct state_channel *c, const void *ctx)
{
    (void)s;
    c->pending.phase = *(const enum apply_phase *)ctx;
}

static void sleep_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL); /* a signal ends it early: the caller looks at its flag */
}

/* How the soak ended: 0 good, 1 with a verdict, -ERR_UNAVAILABLE asked to stop. */
static int soak(const struct apply *ap, const char *digest, const char *version,
                struct hook_result *hook, struct verdict *v)
{
    const struct clock *clock = ap->agent->clock;
    int64_t end = clock_awake_ms(clock) + ap->conf->soak_ms;
    int64_t check = clock_awake_ms(clock) + ap->conf->health_interval_ms;

    for (;;) {
        int64_t now = clock_awake_ms(clock);
        int64_t until = end < check ? end : check;

        if (apply_must_leave(ap, digest, v->cause))
            return 1;
        if (now < until) {
            if (ap->stop && *ap->stop)
                return -ERR_UNAVAILABLE;
            sleep_ms(until - now < SOAK_STEP_MS ? until - now : SOAK_STEP_MS);
            continue;
        }
        apply_hook(ap, PHASE_SOAK, digest, version, hook);
        if (!hook->good) {
            *v = (struct verdict){.blamed = hook->blamed, .detail = hook->output};
            memcpy(v->cause, hook->cause, sizeof v->cause);
            return 1;
        }
        if (now >= end)
            return 0;
        check = now + ap->conf->health_interval_ms;
    }
}

static void end_soak(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct step *st = ctx;
    struct state_release *r = state_add_release(c, st->digest);
    int64_t now_s = state_awake_s(s, &st->ap->agent->place);

    snprintf(c->good_run, sizeof c->good_run, "%s", st->digest);
    r->healthy_s = now_s > 0 ? now_s : 1;
    r->unblamed = 0;
    memset(&c->pending, 0, sizeof c->pending);
}

static int finish(const struct apply *ap, const char *digest, struct err *err)
{
    struct step st = {ap, digest};
    int r = tree_set_link(ap->agent->config.state_dir, ap->conf->name, "good-run", digest, err);

    if (r == 0)
        r = agent_event(ap->agent, EVENT_HEALTHY, ap->conf->name, digest, "", false, NULL, err);
    return r < 0 ? r : apply_change(ap, end_soak, &st, err);
}

/* One phase after another; 0 good, 1 with a verdict, negative. */
static int run_phases(const struct apply *ap, const char *digest, enum apply_phase phase,
                      struct hook_result *hook, struct verdict *v, struct err *err)
{
    static const enum apply_phase order[] = {PHASE_ACTIVATE, PHASE_HEALTH};
    char version[RELEASE_VERSION_MAX];
    enum apply_phase soaking = PHASE_SOAK;
    int r;

    apply_version(ap, digest, version);
    for (size_t i = 0; phase != PHASE_SOAK && i < sizeof order / sizeof order[0]; i++) {
        r = apply_change(ap, set_phase, &order[i], err);
        if (r < 0)
            return r;
        apply_hook(ap, order[i], digest, version, hook);
        if (!hook->good) {
            *v = (struct verdict){.blamed = hook->blamed, .detail = hook->output};
            memcpy(v->cause, hook->cause, sizeof v->cause);
            return 1;
        }
    }
    r = apply_change(ap, set_phase, &soaking, err);
    return r < 0 ? r : soak(ap, digest, version, hook, v);
}

static void read_from(const struct apply *ap, char ret[65])
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c = NULL;

    if (state_load(&ap->agent->place, &s, NULL) == 0)
        c = state_channel(s, ap->conf->name);
    snprintf(ret, 65, "%s", c ? c->pending.from : "");
}

int apply_from(const struct apply *ap, const char *digest, enum apply_phase phase,
               bool *ret_healthy, struct err *err)
{
    struct hook_result hook = {0};
    struct verdict v = {0};
    char from[65], to[65];
    int r = run_phases(ap, digest, phase, &hook, &v, err);

    *ret_healthy = false;
    if (r == -ERR_UNAVAILABLE)
        return err_set(err, ERR_UNAVAILABLE, "asked to stop: the soak goes on at the next start");
    if (r == 0) {
        r = finish(ap, digest, err);
        *ret_healthy = r == 0;
        return r;
    }
    if (r < 0)
        return r;
    read_from(ap, from);
    /* A recall is the server's word, and the lowest sequence binds it; what failed here goes back
     * to what ran before, whatever that is. */
    r = apply_way_back(ap, digest, strcmp(v.cause, "recall") == 0 ? "" : from, v.cause, to, err);
    return r < 0 ? r : apply_back(ap, digest, to, &v, err);
}
