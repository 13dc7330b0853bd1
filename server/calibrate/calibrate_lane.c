/* calibrate_lane: one round, a rollout of nothing; see calibrate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "calibrate/calibrate_internal.h"
#include "rollouts/rollouts_internal.h"

#define FILL_STEP 20000 /* arms at a time: some 15 ms under the site lock */
#define FILL_MS   5

bool calibration_samples(const struct calibration *c, const struct device *d)
{
    return c->share_ppm >= PPM || draw_within(draw_u(d->draw_key, c->sample), c->share_ppm);
}

/* --- beginning -------------------------------------------------------------------------------- */

void lane_topology(const struct server *s, const struct calibration *c, struct topology *ret,
                   int64_t *ret_canary)
{
    flight_topology(s->fleet, c->channel, ret, ret_canary);
    if (c->share_ppm >= PPM)
        return;
    *ret_canary = 0;
    for (int i = 0; i < ret->n_cohorts; i++)
        ret->cohorts[i].size = 0;
    for (int64_t i = 0; i < fleet_size(s->fleet); i++) {
        const struct device *d = fleet_at(s->fleet, i);
        int row = calibration_samples(c, d) ? flight_cohort(ret, d->cohort) : -1;

        if (row < 0)
            continue;
        ret->cohorts[row].size++;
        *ret_canary += device_in_canary_group(d, c->channel);
    }
}

static int shape(const struct server *s, const struct calibration *c, struct flight *f,
                 struct err *err)
{
    _cleanup_(free_p)
    struct topology *t = malloc(sizeof *t);
    int64_t canary;
    char why[200];

    if (!t)
        return err_set(err, ERR_NOMEM, "no memory for a calibration");
    lane_topology(s, c, t, &canary);
    if (rollout_init(&f->gate, &c->policy, t, canary, why, sizeof why) < 0)
        return err_set(err, ERR_CONFLICT, "nothing to calibrate on: %s", why);
    f->n_cohorts_at_start = t->n_cohorts;
    return 0;
}

int lane_begin(const struct server *s, const struct calibration *c, struct lane *l, struct err *err)
{
    struct flight *f = calloc(1, sizeof *f);
    int r;

    if (!f)
        return err_set(err, ERR_NOMEM, "no memory for a calibration");
    f->state = ROLLOUT_RUNNING;
    f->started_ms = f->published_ms = clock_wall_ms(s->clock);
    f->ended_ms = f->halted_after_ms = -1;
    f->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
    f->tick_begun_boot_ms = clock_boot_ms(s->clock);
    snprintf(f->channel, sizeof f->channel, "%s", c->channel);
    snprintf(f->version, sizeof f->version, "calibration");
    rand_hex(f->digest, SHA256_LEN);
    r = shape(s, c, f, err);
    if (r < 0) {
        flight_free(f);
        return r;
    }
    rollout_first(&f->gate, &f->last);
    f->tick_ms = f->last.tick_ms;
    flight_open(f, s->config.checkin_interval_ms);
    *l = (struct lane){.flight = f, .round = {.begun_ms = f->started_ms, .lane = l - c->lanes}};
    return 0;
}

void lane_free(struct lane *l)
{
    flight_free(l->flight);
    *l = (struct lane){0};
}

/* Everybody has an arm before the first tick, a part of the fleet at a time: a rollout elsewhere
 * need not wait for it. */
static int fill(const struct server *s, const struct calibration *c, struct lane *l,
                struct err *err)
{
    struct flight *f = l->flight;
    int64_t n = fleet_size(s->fleet), to = l->filled + FILL_STEP;

    for (; l->filled < n && l->filled < to; l->filled++) {
        const struct device *d = fleet_at(s->fleet, l->filled);
        struct arm *m = calibration_samples(c, d) ? arms_at(&f->arms, d->index) : NULL;

        if (m && m->known)
            continue; /* heard meanwhile */
        if (!calibration_samples(c, d))
            continue;
        m = flight_arm(f, d, f->started_ms);
        if (!m)
            return err_set(err, ERR_NOMEM, "no memory for the arms of a calibration");
        m->away = d->away;
        if (d->seen_boot_ms >= 0 && !d->away)
            tally_heard_before(&f->tally, m, f->tick_begun_boot_ms - d->seen_boot_ms);
        tally_note(&f->tally, m);
    }
    l->open = l->filled >= n;
    if (l->open) {
        f->tick_begun_boot_ms = clock_boot_ms(s->clock);
        flight_track(f);
    }
    return 0;
}

/* --- a check-in ------------------------------------------------------------------------------- */

/* Whoever runs anything is ready for the release that does not exist, then runs it. Who is about to
 * get a real one is neither. */
static void channel_as_if(const struct flight *f, const struct arm *m,
                          const struct checkin_channel *cc, struct checkin_channel *ret)
{
    *ret = *cc;
    ret->has_ready = cc->running[0] && !cc->has_ready && !arm_is_treated(m);
    memcpy(ret->ready, f->digest, sizeof ret->ready);
    ret->nonce[0] = '\0';
    ret->pace_wait_s = 0;
    if (arm_is_treated(m) && cc->running[0])
        memcpy(ret->running, f->digest, sizeof ret->running);
}

static bool soaks(const struct flight *f, const struct arm *m)
{
    return m->granted_ms >= 0 && f->elapsed_ms - m->granted_ms <= f->gate.policy.direct_window_ms;
}

/* As the agent of a treated device would tell it: the crash was on the release; a consumer's, while
 * it may be blamed, made it go back. */
static void event_as_if(const struct flight *f, const struct arm *m, struct event *e)
{
    if (e->kind != EVENT_CRASH || strcmp(e->channel, f->channel) != 0)
        return;
    memcpy(e->digest, f->digest, sizeof e->digest);
    e->blamed = strcmp(e->cause, "consumer") == 0 && soaks(f, m);
    if (e->blamed)
        e->kind = EVENT_ROLLED_BACK;
}

int64_t lane_hear(struct lane *l, const struct device *d, const struct hearing *h, bool permitted,
                  int64_t usual_ms)
{
    struct flight *f = l->flight;
    struct channel as_if = {.flight = f};
    struct checkin_channel channel;
    struct hearing x = *h;
    struct checkin said;
    struct arm *m = f ? flight_arm(f, d, h->wall_ms) : NULL;
    struct decide decide;

    if (!m)
        return usual_ms;
    if (permitted && m->evidence)
        flight_drop_evidence(f, m);
    if (h->checkin->n_events > 0 && arm_is_treated(m)) {
        said = *h->checkin; /* details stay the check-in's */
        for (size_t i = 0; i < said.n_events; i++)
            event_as_if(f, m, &said.events[i]);
        x.checkin = &said;
    }
    if (h->channel) {
        channel_as_if(f, m, h->channel, &channel);
        channel.snapshot_version = h->newest_snapshot;
        x.channel = &channel;
    }
    flight_hear(f, m, d, &x);
    if (x.channel) {
        decide = flight_ask(&as_if, m, &x);
        if (decide.kind == DECIDE_PERMIT)
            flight_grant(f, m, &x, decide.kind);
        else
            flight_count_control(f, m, &x, &decide);
    }
    flight_watch(f, m, &x);
    return x.channel ? flight_interval_ms(f, m, usual_ms) : usual_ms;
}

static struct arm *known_arm(const struct lane *l, const struct device *d)
{
    const struct flight *f = l->flight;

    if (!f || d->index >= f->arms.n || !f->arms.rows[d->index].known)
        return NULL;
    return &f->arms.rows[d->index];
}

int64_t lane_put_off(struct lane *l, const struct device *d, int64_t usual_ms)
{
    struct arm *m = known_arm(l, d);

    if (!m)
        return usual_ms;
    flight_as_before(l->flight, m);
    return flight_interval_ms(l->flight, m, usual_ms);
}

void lane_alive(struct lane *l, const struct device *d)
{
    struct flight *f = l->flight;
    struct arm *m = known_arm(l, d);

    if (!m)
        return;
    if (d->no_evidence && m->evidence)
        flight_drop_evidence(f, m);
    flight_alive(f, m);
}

/* --- a tick ----------------------------------------------------------------------------------- */

static void take_sf(const struct flight *f, struct rates *rates)
{
    int64_t of = f->tick - COUNTERS_LAG;
    struct rates_tick tick = {.span_ms = f->tick_ms};

    if (of < 0)
        return;
    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        for (int s = 0; s < N_STRATA; s++)
            for (int a = 0; a < N_SIDES; a++) {
                tick.trials[c] += f->counters.cells[c][s][a][of % COUNTERS_TICKS].entered;
                tick.failures[c] += f->counters.cells[c][s][a][of % COUNTERS_TICKS].still;
            }
    rates_take(rates, METRIC_SF, &f->gate.topology, &tick);
}

/* The slot that was resolved just now, if one was. *ended_ms: where the one before ended. */
static void take_watch(const struct flight *f, enum metric m, const struct watch *w,
                       int32_t oldest_before, int64_t *ended_ms, struct rates *rates)
{
    int slot = oldest_before % WATCH_SLOTS;
    struct rates_tick tick = {.span_ms = w->ended_ms[slot] - *ended_ms};

    if (w->oldest == oldest_before)
        return;
    *ended_ms = w->ended_ms[slot];
    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        for (int s = 0; s < N_STRATA; s++)
            for (int a = 0; a < N_SIDES; a++) {
                tick.trials[c] += w->cells[c][s][a][slot].entered;
                tick.failures[c] += w->cells[c][s][a][slot].still;
            }
    rates_take(rates, m, &f->gate.topology, &tick);
}

static void take_cr(const struct flight *f, struct rates *rates, int64_t span_ms)
{
    struct rates_tick tick = {.span_ms = span_ms};

    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        for (int s = 0; s < N_STRATA; s++)
            for (int a = 0; a < N_SIDES; a++) {
                tick.failures[c] += f->crashes[c][s][a];
                tick.trials[c] += f->alive.standing[c][s][a] + f->crashes[c][s][a];
            }
    rates_take(rates, METRIC_CR, &f->gate.topology, &tick);
}

/* facts_collect, and what the gate does not ask for: trials of which only one arm has any, too. */
static void collect(const struct server *s, struct lane *l, int64_t span_ms, struct facts *x,
                    struct rates *rates)
{
    struct flight *f = l->flight;
    const struct watch *const watches[] = {&f->silence, &f->long_silence, &f->reboots};
    static const enum metric metrics[] = {METRIC_SA, METRIC_SL, METRIC_RB};
    int32_t oldest[3];

    for (int i = 0; i < 3; i++)
        oldest[i] = watches[i]->oldest;
    facts_collect(s, f, x);
    if (!rates)
        return;
    take_sf(f, rates);
    take_cr(f, rates, span_ms);
    for (int i = 0; i < 3; i++)
        take_watch(f, metrics[i], watches[i], oldest[i], &l->resolved_ms[i], rates);
}

/* The first of its kind is kept. */
static void note(bool *flag, char text[GATE_REASON_MAX], const struct rollout_decision *d)
{
    if (!*flag)
        snprintf(text, GATE_REASON_MAX, "%s", d->n_reasons > 0 ? d->reasons[0].text : d->stands);
    *flag = true;
}

static void note_decision(struct round *r, const struct rollout_decision *d)
{
    r->ticks++;
    switch (d->verdict) {
    case VERDICT_HALT:
        note(&r->halted, r->halt, d);
        break;
    case VERDICT_ASK:
        note(&r->asked, r->question, d);
        break;
    case VERDICT_WARN:
        note(&r->warned, r->warning, d);
        break;
    case VERDICT_PAUSE:
        r->paused++;
        break;
    case VERDICT_WAIT:
    case VERDICT_PROMOTE:
        break;
    }
}

static void note_sums(const struct flight *f, struct round *r, struct rates *rates)
{
    int64_t admitted = 0, direct = 0;

    for (int c = 0; c < f->gate.topology.n_cohorts; c++) {
        admitted += f->tally.sums[c].admitted;
        direct += f->tally.sums[c].direct;
    }
    if (rates) {
        rates->admitted += admitted - r->admitted;
        rates->direct += direct - r->direct;
    }
    r->admitted = admitted;
    r->direct = direct;
    r->unproven = f->gate.unproven;
}

static void follow(struct flight *f, const struct rollout_decision *d)
{
    if (d->halts_all || flight_shared_row_halted(f))
        f->state = ROLLOUT_HALTED;
    else if (d->completed)
        f->state = ROLLOUT_COMPLETE;
    else
        f->state = d->verdict == VERDICT_PAUSE ? ROLLOUT_PAUSED : ROLLOUT_RUNNING;
}

static int end_tick(const struct server *s, struct lane *l, struct rates *rates, int64_t boot_ms,
                    struct err *err)
{
    struct flight *f = l->flight;
    int64_t span_ms = boot_ms - f->tick_begun_boot_ms;
    _cleanup_(free_p)
    struct facts *x = malloc(sizeof *x);
    _cleanup_(free_p)
    struct rollout_decision *d = malloc(sizeof *d);
    int r;

    if (!x || !d)
        return err_set(err, ERR_NOMEM, "no memory for a tick of a calibration");
    f->elapsed_ms += span_ms;
    f->tick_begun_boot_ms = boot_ms;
    collect(s, l, span_ms, x, rates);
    flight_decide(f, x, d);
    note_decision(&l->round, d);
    note_sums(f, &l->round, rates);
    follow(f, d);
    r = flight_turn(f, d, boot_ms);
    if (r < 0)
        return err_set(err, ERR_NOMEM, "no memory for a tick of a calibration");
    if (f->state == ROLLOUT_HALTED)
        admission_close(&f->admission);
    return 0;
}

static bool is_over(const struct calibration *c, const struct flight *f, enum round_end *ret)
{
    if (f->state == ROLLOUT_HALTED)
        *ret = ROUND_HALTED;
    else if (f->state == ROLLOUT_COMPLETE)
        *ret = ROUND_COMPLETE;
    else if (f->elapsed_ms >= c->limit_ms)
        *ret = ROUND_LIMIT;
    else
        return false;
    return true;
}

int lane_tick(const struct server *s, struct calibration *c, struct lane *l, struct rates *rates,
              int64_t *ret_ms, bool *ret_ended, struct err *err)
{
    struct flight *f = l->flight;
    int64_t boot_ms = clock_boot_ms(s->clock), left_ms, paused = l->round.paused;
    int r;

    *ret_ended = false;
    *ret_ms = FILL_MS;
    if (!l->open)
        return fill(s, c, l, err);
    left_ms = f->tick_begun_boot_ms + f->tick_ms - boot_ms;
    *ret_ms = left_ms > 0 ? left_ms : f->tick_ms;
    if (left_ms > 0)
        return 0;
    if (flight_stood_still(f, boot_ms)) {
        flight_resume(f, boot_ms);
        return 0;
    }
    r = end_tick(s, l, rates, boot_ms, err);
    if (r < 0)
        return r;
    c->ticks++;
    c->paused += l->round.paused - paused;
    *ret_ms = f->tick_ms;
    *ret_ended = is_over(c, f, &l->round.end);
    return 0;
}
