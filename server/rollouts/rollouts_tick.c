/* rollouts_tick: facts -> decision -> plan, once a tick; see flight.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "calibrate/calibrate.h"
#include "controller.h"
#include "metrics.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"

#define NEXT_MAX_MS   1000
#define STALL_TICKS   2    /* so many ticks late, and ... */
#define STALL_MORE_MS 2000 /* ... this much more: the server (or its machine) was away */

/* --- halting ---------------------------------------------------------------------------------- */

static struct recall *recall_of(struct channel *ch, const char *digest)
{
    struct recall *p;

    for (int i = 0; i < ch->n_recalls; i++)
        if (strcmp(ch->recalls[i].digest, digest) == 0)
            return &ch->recalls[i];
    p = realloc(ch->recalls, (size_t)(ch->n_recalls + 1) * sizeof *p);
    if (!p)
        return NULL;
    ch->recalls = p;
    p = &p[ch->n_recalls++];
    *p = (struct recall){0};
    snprintf(p->digest, sizeof p->digest, "%s", digest);
    return p;
}

int recall_everywhere(struct server *s, struct channel *ch, const char *digest,
                      struct store_batch *b, struct err *err)
{
    struct recall *r = recall_of(ch, digest);

    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for a recall");
    r->at_ms = clock_wall_ms(s->clock);
    r->n_cohorts = 0;
    put_recall(b, ch, r);
    return 0;
}

int recall_halted(struct server *s, struct channel *ch, struct store_batch *b, struct err *err)
{
    const struct flight *f = ch->flight;
    struct recall *r = recall_of(ch, f->digest);

    if (!r)
        return err_set(err, ERR_NOMEM, "no memory for a recall");
    r->at_ms = clock_wall_ms(s->clock);
    r->n_cohorts = 0;
    for (int c = 0; f->state != ROLLOUT_HALTED && c < f->gate.topology.n_cohorts; c++)
        if (f->gate.halted[c])
            snprintf(r->cohorts[r->n_cohorts++], COHORT_NAME_MAX, "%s",
                     f->gate.topology.cohorts[c].name);
    put_recall(b, ch, r);
    return 0;
}

static json_t *release_to_json(const struct release_ref *r)
{
    if (r->sequence == 0)
        return json_object();
    return json_pack("{s:s, s:s, s:I}", "digest", r->digest, "version", r->version, "sequence",
                     (json_int_t)r->sequence);
}

void put_baseline(const struct channel *ch, struct store_batch *b)
{
    json_auto_t *now = release_to_json(&ch->baseline);
    json_auto_t *before = release_to_json(&ch->baseline_before);

    put_setting(b, "baseline", ch->name, now);
    put_setting(b, "baseline-before", ch->name, before);
}

int flight_halt(struct server *s, struct channel *ch, struct store_batch *b, struct err *err)
{
    struct flight *f = ch->flight;

    f->halted_after_ms = flight_elapsed_ms(f, s->clock);
    f->state = ROLLOUT_HALTED;
    f->ended_ms = clock_wall_ms(s->clock);
    admission_close(&f->admission);
    calibrate_supersede(s, ch, b);
    if (strcmp(ch->baseline.digest, f->digest) == 0) { /* it had been complete */
        ch->baseline = ch->baseline_before;
        ch->baseline_before = (struct release_ref){0};
        put_baseline(ch, b);
    }
    if (s->metrics)
        metric_add(s->metrics, METRICS_HALTS, 1);
    return recall_halted(s, ch, b, err);
}

static void complete(struct server *s, struct channel *ch, struct store_batch *b)
{
    struct flight *f = ch->flight;

    f->state = ROLLOUT_COMPLETE;
    f->ended_ms = clock_wall_ms(s->clock);
    ch->baseline_before = ch->baseline;
    ch->baseline = (struct release_ref){.sequence = f->sequence};
    memcpy(ch->baseline.digest, f->digest, sizeof f->digest);
    memcpy(ch->baseline.version, f->version, sizeof f->version);
    put_baseline(ch, b);
}

/* --- one tick --------------------------------------------------------------------------------- */

/* Opening a ring is told as such; other changes of mind count where they ask for attention. */
static bool is_news(enum verdict before, enum verdict now)
{
    return before != now && (before > VERDICT_PROMOTE || now > VERDICT_PROMOTE);
}

static int note_audit(struct server *s, struct store_batch *b, const struct flight *f,
                      const struct rollout_decision *d, enum verdict before, bool halts)
{
    const struct {
        bool is;
        const char *action;
    } acts[] = {{halts, "rollout.halt"},
                {d->opened, "rollout.ring-opened"},
                {d->completed, "rollout.complete"},
                {!halts && is_news(before, d->verdict), "rollout.verdict"}};
    char subject[CHANNEL_NAME_MAX + RELEASE_VERSION_MAX];
    int r = 0;

    snprintf(subject, sizeof subject, "%s/%s", f->channel, f->version);
    for (size_t i = 0; r == 0 && i < sizeof acts / sizeof *acts; i++) {
        json_auto_t *detail = NULL;

        if (!acts[i].is)
            continue;
        detail = json_pack("{s:s, s:s, s:i, s:I, s:o}", "verdict", verdict_name(d->verdict),
                           "stands", d->stands, "ring", d->ring, "tick", (json_int_t)f->tick,
                           "reasons", reasons_to_json(&f->gate.policy, &f->gate.topology, d));
        r = audit_add(s, b, "gate", acts[i].action, subject, detail);
    }
    return r;
}

/* The decision's consequences in state; *ret_halts: something is recalled. */
static int act_on(struct server *s, struct channel *ch, const struct rollout_decision *d,
                  struct store_batch *b, bool *ret_halts, struct err *err)
{
    struct flight *f = ch->flight;
    bool some = false;

    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        some |= d->newly_halted[c];
    *ret_halts = some || d->halts_all;
    if (d->halts_all || flight_shared_row_halted(f))
        return flight_halt(s, ch, b, err);
    if (d->completed)
        complete(s, ch, b);
    else if (f->state != ROLLOUT_COMPLETE)
        f->state = d->verdict == VERDICT_PAUSE ? ROLLOUT_PAUSED : ROLLOUT_RUNNING;
    return some ? recall_halted(s, ch, b, err) : 0;
}

void flight_decide(struct flight *f, const struct facts *x, struct rollout_decision *ret)
{
    if (rollout_tick(&f->gate, &x->f, ret) == 0)
        return;
    log_error("gate", "%s/%s: facts of tick %lld contradict themselves; nobody is admitted",
              f->channel, f->version, (long long)f->tick);
    *ret = f->last;
    memset(ret->admit, 0, sizeof ret->admit);
    memset(ret->newly_halted, 0, sizeof ret->newly_halted);
    ret->admit_fleet = ret->admit_canary = 0;
    ret->opened = ret->completed = ret->halts_all = false;
    ret->n_reasons = 0;
    snprintf(ret->stands, sizeof ret->stands,
             "nobody is admitted: the counters of this tick contradict themselves");
}

static void put_tick(struct server *s, struct store_batch *b, const struct flight *f,
                     const struct facts *x)
{
    json_auto_t *facts =
        facts_to_json(&x->f, &f->gate.policy, &f->gate.topology, f->n_cohorts_at_start);
    json_auto_t *decision = flight_decision_to_json(f);
    char *facts_text = json_dumps(facts, JSON_COMPACT);
    char *decision_text = json_dumps(decision, JSON_COMPACT);
    struct row_tick row = {.rollout = f->id,
                           .tick = x->f.tick,
                           .at_ms = clock_wall_ms(s->clock),
                           .facts = facts_text, /* NULL (no memory): the commit fails */
                           .decision = decision_text};

    store_put_tick(b, &row);
    free(facts_text);
    free(decision_text);
}

static int end_tick(struct server *s, struct channel *ch, int64_t boot_ms, struct err *err)
{
    struct flight *f = ch->flight;
    _cleanup_(free_p)
    struct facts *x = malloc(sizeof *x);
    _cleanup_(free_p)
    struct rollout_decision *d = malloc(sizeof *d);
    struct store_batch *b = store_batch_new();
    enum verdict before = f->last.verdict;
    bool halts;
    int r;

    if (!x || !d || !b) {
        store_batch_free(b);
        return err_set(err, ERR_NOMEM, "no memory for a tick");
    }
    f->elapsed_ms += boot_ms - f->tick_begun_boot_ms;
    f->tick_begun_boot_ms = boot_ms;
    facts_collect(s, f, x);
    flight_decide(f, x, d);
    r = act_on(s, ch, d, b, &halts, err);
    if (r == 0)
        r = note_audit(s, b, f, d, before, halts);
    flight_note(f, clock_wall_ms(s->clock), d);
    if (r == 0)
        r = flight_turn(f, d, boot_ms);
    if (r < 0) {
        store_batch_free(b);
        atomic_store(&s->degraded, true);
        return r;
    }
    if (f->state == ROLLOUT_HALTED)
        admission_close(&f->admission);
    put_tick(s, b, f, x);
    if (d->verdict != before || halts)
        log_info("gate", "%s/%s: %s: %s", f->channel, f->version, verdict_name(d->verdict),
                 d->n_reasons > 0 ? d->reasons[0].text : d->stands);
    return commit_channel(s, ch, halts, b, err);
}

bool flight_stood_still(const struct flight *f, int64_t boot_ms)
{
    return boot_ms - f->tick_begun_boot_ms - f->tick_ms > STALL_TICKS * f->tick_ms + STALL_MORE_MS;
}

static int64_t tick_channel(struct server *s, struct channel *ch)
{
    struct flight *f = ch->flight;
    int64_t boot_ms = clock_boot_ms(s->clock);
    int64_t late_ms = boot_ms - f->tick_begun_boot_ms - f->tick_ms;
    struct err err = {0};

    if (late_ms < 0)
        return -late_ms;
    if (flight_stood_still(f, boot_ms)) {
        log_warn("rollouts", "%s/%s: the server stood still for %lld ms; the tick begins anew",
                 f->channel, f->version, (long long)late_ms);
        flight_resume(f, boot_ms);
        return f->tick_ms;
    }
    if (end_tick(s, ch, boot_ms, &err) < 0)
        log_error("rollouts", "%s/%s: tick: %s", f->channel, f->version, err.msg);
    return f->tick_ms;
}

/* After a start what is published may say something else than what holds now: another permit key,
 * another interval, a revocation. A permit of another key than the plan names would be refused, so
 * whoever has the old plan waits for the new one. */
static void tell_anew(struct server *s, struct channel *ch)
{
    struct store_batch *b = store_batch_new();
    bool revoked = false;
    struct err err = {0};

    if (!b)
        return;
    /* Also what came in with the bootstrap files, or is not in a backup. */
    if (obey_revocations(s, ch, "server", b, &revoked, &err) == 0) {
        commit_channel(s, ch, revoked || !repo_plan_names_permit(s->repo, ch->name), b, &err);
        return;
    }
    store_batch_free(b);
    log_error("rollouts", "%s", err.msg);
    atomic_store(&s->degraded, true);
}

int64_t rollouts_tick(struct server *s)
{
    int64_t next_ms = NEXT_MAX_MS;

    for (int i = 0; i < s->rollouts->n_channels && !atomic_load(&s->degraded); i++) {
        struct channel *ch = &s->rollouts->channels[i];
        int64_t ms;

        if (ch->gone)
            continue;
        if (!ch->plan_text)
            tell_anew(s, ch);
        if (atomic_load(&s->degraded))
            break;
        ms = flight_is_open(ch->flight) ? tick_channel(s, ch) : NEXT_MAX_MS;

        if (ms < next_ms)
            next_ms = ms;
    }
    if (!atomic_load(&s->degraded)) {
        int64_t ms = calibrate_tick(s);

        next_ms = ms < next_ms ? ms : next_ms;
    }
    return next_ms;
}
