/* flight_checkin: what one check-in changes in a rollout; see flight.h. */
#include <string.h>

#include "rollouts/flight.h"

#define STEADY_MS (INT64_C(7) * 24 * 3600 * 1000)

/* No consumer crash in the 7 days before. */
static bool was_steady(const struct device *d, int64_t at_ms)
{
    return d->consumer_crash_ms < 0 || d->consumer_crash_ms > at_ms ||
           at_ms - d->consumer_crash_ms > STEADY_MS;
}

static void arm_fill(struct flight *f, struct arm *m, const struct device *d, int64_t wall_ms)
{
    int cohort = flight_cohort(&f->gate.topology, d->cohort);

    if (cohort < 0)
        cohort = rollout_add_cohort(&f->gate, d->cohort, d->platform.os);
    *m = (struct arm){.known = true,
                      .tracked = flight_tracks(f, d),
                      .heard = -1,
                      .group = (uint8_t)(d->group_index % COUNTERS_GROUPS),
                      .u = draw_u(d->draw_key, f->digest),
                      .cohort = (int8_t)cohort,
                      .first_ready = -1,
                      .prev_ready = -1,
                      .ready_tick = -1,
                      .seen_tick = -1,
                      .pool_tick = -1,
                      .stood_tick = -1,
                      .granted_tick = -1,
                      .ack_tick = -1,
                      .granted_ms = -1,
                      .healthy_ms = -1,
                      .standing.tick = -1,
                      .silent.slot = -1,
                      .long_silent.slot = -1,
                      .reboot.slot = -1,
                      .alive.slot = -1,
                      .watched = N_STRATA,
                      .crash_tick = -1,
                      .reboot_tick = -1,
                      .figures_tick = -1,
                      .stratum = N_STRATA,
                      .canary = device_in_canary_group(d, f->channel),
                      .excluded = d->no_evidence,
                      .evidence = !d->no_evidence && d->enrolled_ms <= f->started_ms &&
                                  cohort >= 0 && cohort < f->n_cohorts_at_start};
    m->steady = was_steady(d, wall_ms);
}

struct arm *flight_arm(struct flight *f, const struct device *d, int64_t wall_ms)
{
    struct arm *m = arms_at(&f->arms, d->index);

    if (!m || m->known)
        return m;
    arm_fill(f, m, d, wall_ms);
    if (m->cohort >= 0 && tally_join(&f->tally, m, d->index) < 0) {
        m->known = false;
        return NULL;
    }
    return m;
}

void flight_make_canary(struct flight *f, struct arm *m)
{
    /* Without memory for it it stays outside the group until its next check-in. */
    (void)tally_make_canary(&f->tally, m, (uint32_t)(m - f->arms.rows));
}

void flight_drop_evidence(struct flight *f, struct arm *m)
{
    counters_excuse(&f->counters, &m->standing, f->tick);
    flight_watch_drop(f, m);
    m->evidence = false;
    m->excluded = true;
    m->direct = false;
    tally_note(&f->tally, m);
}

/* --- events ----------------------------------------------------------------------------------- */

/* Evidence that blames the release, from a device whose consumer was steady before, soon enough
 * after the switch. Once a device. */
static void note_direct(const struct flight *f, struct arm *m, const struct event *e,
                        int64_t elapsed_ms)
{
    if (e->blamed && m->evidence && m->steady && m->granted_ms >= 0 &&
        elapsed_ms - m->granted_ms <= f->gate.policy.direct_window_ms)
        m->direct = true;
}

static bool is_final(const struct arm *m)
{
    return m->state == ARM_PREFLIGHT_FAILED || m->state == ARM_ROLLED_BACK ||
           m->state == ARM_RECALLED;
}

bool flight_is_control_crash(const struct flight *f, const char *channel, const char *digest,
                             const char *cause)
{
    return channel && digest && cause && strcmp(channel, f->channel) == 0 &&
           strcmp(digest, f->digest) != 0 && strcmp(cause, "consumer") == 0;
}

/* A crash on something else than the release: hazard of the controls, first one of each only. */
static void note_control_crash(struct flight *f, struct arm *m, const struct event *e)
{
    if (!flight_is_control_crash(f, e->channel, e->digest, e->cause) || arm_is_treated(m) ||
        !m->evidence || m->crash_spent || m->first_ready < 0)
        return;
    m->crash_spent = true;
    f->control_crashes[m->cohort]++;
}

/* The exposure stays open: the device may try again under it (DESIGN section 4, "a retry gets the
 * same exposure again"). So after a checker's word that it is not the content's fault, and after an
 * interruption. */
static bool is_worth_a_retry(const struct event *e)
{
    return !e->blamed &&
           (e->kind == EVENT_PREFLIGHT_FAILED || strcmp(e->cause, "interrupted") == 0);
}

/* Left because it was told to, by a plan or by those who sign. */
static bool is_recall(const struct event *e)
{
    return strcmp(e->cause, "recall") == 0 || strcmp(e->cause, "revoked") == 0;
}

static void reopen(struct arm *m)
{
    if (is_final(m))
        return;
    m->state = ARM_GRANTED;
    m->acks = 0;
    m->ack_tick = -1;
}

static void hear_event(struct flight *f, struct arm *m, const struct event *e)
{
    bool ours = strcmp(e->digest, f->digest) == 0 && strcmp(e->channel, f->channel) == 0;
    /* The event happened in this tick or before: the clock of the tick's beginning is near enough.
     */
    int64_t elapsed_ms = f->elapsed_ms;

    if (e->kind == EVENT_CRASH)
        note_control_crash(f, m, e);
    if (!ours || !arm_is_treated(m))
        return;
    if (is_worth_a_retry(e)) {
        reopen(m);
        return;
    }
    switch (e->kind) {
    case EVENT_PREFLIGHT_FAILED:
        if (m->state == ARM_GRANTED || m->state == ARM_APPLIED) {
            m->state = ARM_PREFLIGHT_FAILED;
            note_direct(f, m, e, elapsed_ms);
        }
        break;
    case EVENT_APPLIED:
        if (m->state == ARM_GRANTED)
            m->state = ARM_APPLIED;
        break;
    case EVENT_HEALTHY:
        m->soaked = true;
        break;
    case EVENT_CRASH:
        m->crashed = true;
        if (!is_final(m)) {
            m->state = ARM_CRASHED;
            m->acks = 0;
        }
        break;
    case EVENT_ROLLED_BACK:
        if (m->state != ARM_RECALLED && m->state != ARM_PREFLIGHT_FAILED) {
            m->state = is_recall(e) ? ARM_RECALLED : ARM_ROLLED_BACK;
            note_direct(f, m, e, elapsed_ms);
        }
        break;
    case EVENT_RECALLED:
        if (!is_final(m))
            m->state = ARM_RECALLED;
        break;
    case EVENT_REFUSED:
    case EVENT_GOODBYE:
    case EVENT_N_KINDS:
        break;
    }
}

/* --- who the threshold may pass --------------------------------------------------------------- */

void flight_note_pool(const struct flight *f, struct arm *m)
{
    int32_t since = admission_since(&f->admission, m);
    int64_t window = flight_ready_ticks(f, m);
    bool was_there = m->pool_tick >= 0 && m->pool_tick >= since - window;
    /* A permit had to be taken then, too. */
    bool in_time = f->tick <= since + (m->tracked ? 0 : window);

    if (m->pool_tick >= since)
        return; /* decided at an earlier check-in */
    m->marks &= (uint16_t)~MARK_APART;
    if (!was_there || !in_time)
        m->marks |= MARK_APART;
}

void flight_enter_pool(const struct flight *f, struct arm *m)
{
    if (arm_is_treated(m) || (m->ready && !m->held))
        m->pool_tick = (int32_t)f->tick;
}

/* --- signs of life ---------------------------------------------------------------------------- */

static bool was_recalled(const struct flight *f, const struct arm *m)
{
    return f->state == ROLLOUT_HALTED || (m->cohort >= 0 && f->gate.halted[m->cohort]);
}

static void acknowledge(struct flight *f, struct arm *m)
{
    if (!arm_is_treated(m) || is_final(m))
        return;
    if (!m->running) {
        /* It ran the release and does not any more, and said nothing of it. */
        if (m->acks > 0 && m->ack_tick >= 0 && m->ack_tick < f->tick)
            m->state = was_recalled(f, m) ? ARM_RECALLED : ARM_ROLLED_BACK;
        return;
    }
    if (m->state == ARM_GRANTED)
        m->state = ARM_APPLIED;
    if (f->tick <= m->granted_tick || f->tick <= m->ack_tick)
        return;
    m->ack_tick = (int32_t)f->tick;
    if (++m->acks >= ARM_ACKS && m->state != ARM_HEALTHY) {
        m->state = ARM_HEALTHY;
        m->healthy_ms = f->elapsed_ms;
    }
}

/* This check-in's events are not the device's past yet. */
static bool tells_consumer_crash(const struct hearing *h)
{
    for (size_t i = 0; i < h->checkin->n_events; i++) {
        const struct event *e = &h->checkin->events[i];

        if (h->fresh[i] && e->kind == EVENT_CRASH && !e->blamed &&
            strcmp(e->cause, "consumer") == 0)
            return true;
    }
    return false;
}

static void hear_ready(struct flight *f, struct arm *m, const struct device *d,
                       const struct hearing *h)
{
    const struct checkin_channel *cc = h->channel;

    m->ready = cc && cc->has_ready && !h->leaving && strcmp(cc->ready, f->digest) == 0;
    m->held = cc && cc->hold[0];
    m->running = cc && strcmp(cc->running, f->digest) == 0;
    m->booted = m->running && cc->boots > 0;
    m->paced = m->ready && cc->pace_wait_s > 0;
    if (!m->ready || m->held)
        return;
    if (m->first_ready < 0) {
        m->first_ready = (int32_t)f->tick;
        m->steady = was_steady(d, h->wall_ms) && !tells_consumer_crash(h);
        flight_watch_staged(m, d, h);
    }
    if (m->ready_tick != f->tick) {
        m->prev_ready = m->ready_tick;
        m->ready_tick = (int32_t)f->tick;
    }
}

static bool is_away(const struct hearing *h)
{
    bool away = false;

    for (size_t i = 0; i < h->checkin->n_events; i++) {
        const struct event *e = &h->checkin->events[i];

        if (e->kind == EVENT_GOODBYE && h->fresh[i])
            away = goodbye_is_away(e->cause);
    }
    return away;
}

bool flight_hear(struct flight *f, struct arm *m, const struct device *d, const struct hearing *h)
{
    struct arm before = *m;

    if (d->no_evidence && m->evidence)
        flight_drop_evidence(f, m);
    counters_alive(&f->counters, &m->standing, f->tick);
    m->tracked = flight_tracks(f, d);
    m->seen_tick = (int32_t)f->tick;
    tally_heard(&f->tally, m);
    if (device_in_canary_group(d, f->channel))
        flight_make_canary(f, m);
    flight_note_pool(f, m);
    m->away = h->leaving && is_away(h);
    if (m->away)
        counters_excuse(&f->counters, &m->standing, f->tick);
    flight_watch_hear(f, m, h);
    hear_ready(f, m, d, h);
    flight_figures_hear(f, m, h);
    if (!h->leaving)
        flight_enter_pool(f, m);
    for (size_t i = 0; i < h->checkin->n_events; i++)
        if (h->fresh[i])
            hear_event(f, m, &h->checkin->events[i]);
    acknowledge(f, m);
    tally_note(&f->tally, m);
    return arm_is_treated(m) &&
           (m->state != before.state || m->acks != before.acks || m->direct != before.direct);
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_recalled(const struct channel *ch, const char *digest, const char *cohort)
{
    for (int i = 0; i < ch->n_recalls; i++) {
        const struct recall *r = &ch->recalls[i];

        if (strcmp(r->digest, digest) != 0)
            continue;
        if (r->n_cohorts == 0)
            return true;
        for (int k = 0; k < r->n_cohorts; k++)
            if (strcmp(r->cohorts[k], cohort) == 0)
                return true;
    }
    return false;
}

struct decide flight_ask(const struct channel *ch, const struct arm *m, const struct hearing *h)
{
    const struct checkin_channel *cc = h->channel;
    const struct flight *f = ch->flight;
    char cohort[COHORT_NAME_MAX];
    struct decide_facts x = {.has_ready = cc->has_ready,
                             .leaving = h->leaving,
                             .held = cc->hold[0],
                             .ground_is_open = h->ground_is_open,
                             .has_content = cc->running[0],
                             .snapshot_version = cc->snapshot_version,
                             .newest_snapshot = h->newest_snapshot,
                             .pace_wait_s = cc->pace_wait_s,
                             .has_rollout = f && m};

    platform_cohort(&h->checkin->platform, cohort);
    if (cc->has_ready) {
        x.ready_is_baseline = strcmp(cc->ready, ch->baseline.digest) == 0;
        x.recalled = is_recalled(ch, cc->ready, cohort);
    }
    if (x.has_rollout) {
        x.ready_is_rollout = cc->has_ready && strcmp(cc->ready, f->digest) == 0;
        x.state = f->state;
        x.has_row = m->cohort >= 0;
        x.cohort_halted = x.has_row && f->gate.halted[m->cohort];
        x.min_snapshot = f->min_snapshot;
        x.treated = arm_is_treated(m);
        x.open_exposure = m->state == ARM_GRANTED;
        x.below = admission_below(&f->admission, m);
        x.allowance = admission_has_room(&f->admission, m);
    }
    return checkin_decide(&x);
}

/* --- trials ----------------------------------------------------------------------------------- */

/* It said ready in time before this check-in. */
static bool was_ready(const struct flight *f, const struct arm *m)
{
    return m->prev_ready >= 0 && m->prev_ready >= f->tick - flight_ready_ticks(f, m);
}

/* The threshold had passed it before this check-in; who is asked seldom has come for the first time
 * since, whenever that was. */
static bool was_passed(const struct flight *f, const struct arm *m)
{
    return m->tracked ? admission_was_below(&f->admission, m) : m->due;
}

/* Its stratum in this tick as one of `side`; N_STRATA: none, because the draw alone did not
 * separate it (passed by the threshold while away, or served late by the budget). */
static enum stratum stratum_of(const struct flight *f, const struct arm *m, const struct hearing *h,
                               enum arm_side side)
{
    bool first = m->first_ready == f->tick;
    /* Was in the pool that the threshold moved through. */
    bool pooled = !first && was_ready(f, m);

    if (!m->evidence)
        return N_STRATA;
    if (first)
        return f->admission.canary_ring && m->canary ? N_STRATA : STRATUM_LATE;
    if (!pooled || (side == SIDE_TREATED && was_passed(f, m)))
        return N_STRATA;
    /* Also after their ring: the lowest draws among them are gone, so that they and the others are
     * not alike to be drawn. */
    if (m->canary)
        return STRATUM_CANARY;
    if (h->checkin->awake_s * 1000 < f->gate.policy.fresh_wake_ms)
        return STRATUM_FRESH;
    return STRATUM_MAIN;
}

void flight_enter(struct flight *f, struct arm *m, enum stratum stratum, enum arm_side side)
{
    const struct standing into = {.tick = (int32_t)f->tick,
                                  .cohort = (uint8_t)m->cohort,
                                  .stratum = (uint8_t)stratum,
                                  .side = (uint8_t)side,
                                  .group = m->group};

    counters_enter(&f->counters, &m->standing, &into);
}

void flight_grant(struct flight *f, struct arm *m, const struct hearing *h, enum verdict_kind kind)
{
    enum stratum stratum;

    memcpy(m->nonce, h->channel->nonce, sizeof m->nonce);
    if (kind != DECIDE_PERMIT)
        return; /* the same exposure again */
    stratum = stratum_of(f, m, h, SIDE_TREATED);
    m->state = ARM_GRANTED;
    m->stratum = (uint8_t)stratum;
    m->granted_tick = (int32_t)f->tick;
    m->granted_ms = f->elapsed_ms;
    m->granted_wall_ms = h->wall_ms;
    admission_take(&f->admission, m);
    counters_excuse(&f->counters, &m->standing, f->tick);
    if (stratum != N_STRATA && m->tracked)
        flight_enter(f, m, stratum, SIDE_TREATED);
    tally_note(&f->tally, m);
}

void flight_count_control(struct flight *f, struct arm *m, const struct hearing *h,
                          const struct decide *d)
{
    enum stratum stratum;

    m->due = !arm_is_treated(m) && m->ready && admission_below(&f->admission, m);
    if (!m->tracked)
        return;
    if (d->kind != DECIDE_WAIT || !tally_is_waiting(&f->tally, m) || m->standing.tick >= 0 ||
        !flight_is_open(f) || f->gate.halted[m->cohort] || admission_below(&f->admission, m) ||
        h->channel->snapshot_version < f->min_snapshot)
        return;
    stratum = stratum_of(f, m, h, SIDE_CONTROL);
    if (stratum != N_STRATA)
        flight_enter(f, m, stratum, SIDE_CONTROL);
}

struct row_exposure flight_exposure(const struct flight *f, const struct arm *m,
                                    const struct device *d)
{
    return (struct row_exposure){.device = d->id,
                                 .channel = f->channel,
                                 .digest = f->digest,
                                 .kind = "rollout",
                                 .nonce = m->nonce,
                                 .at_ms = m->granted_wall_ms,
                                 .tick = m->granted_tick,
                                 .stratum = m->stratum == N_STRATA ? -1 : m->stratum,
                                 .state = arm_state_name((enum arm_state)m->state),
                                 .acks = m->acks,
                                 .direct = m->direct};
}
