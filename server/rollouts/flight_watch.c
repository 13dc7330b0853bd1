/*
 * flight_watch: silence, reboots and crashes of both arms while a rollout runs (SA, SL, RB and CR
 * of docs/gate.md); see flight.h and watch.h.
 *
 * Treated devices and controls are told the same interval then, so that a check-in says the same of
 * either. Once a rollout is complete hardly anybody is left to compare with, and nothing is
 * counted.
 */
#include <string.h>

#include "rollouts/flight.h"

#define STEADY_MS (INT64_C(7) * 24 * 3600 * 1000)
#define MIN_TICKS 3 /* a time is never less: one check-in may come late */

/* --- first events ----------------------------------------------------------------------------- */

static void renew_marks(const struct flight *f, struct arm *m)
{
    if (m->marks_from == f->marks_from)
        return;
    m->marks &= MARKS_KEPT;
    m->marks_from = (int32_t)f->marks_from;
}

static void mark(struct arm *m, enum metric metric)
{
    m->marks |= (uint16_t)(1U << metric);
}

static bool is_spent(const struct arm *m, enum metric metric)
{
    return m->marks >> metric & 1U;
}

static bool may_crash(const struct arm *m)
{
    return !(m->marks & (MARK_FLAKY | MARK_BARE)) && !is_spent(m, METRIC_CR);
}

static bool may_reboot(const struct arm *m)
{
    return !(m->marks & MARK_BARE) && !is_spent(m, METRIC_RB);
}

/* It stood in a trial that has become a batch: it failed there. */
static void note_failure(struct watch *w, struct place *p, struct arm *m, enum metric metric)
{
    if (!watch_has_failed(w, p))
        return;
    if (p->slot >= w->void_slot)
        mark(m, metric);
    p->slot = -1;
}

static void note_failures(struct flight *f, struct arm *m)
{
    renew_marks(f, m);
    note_failure(&f->silence, &m->silent, m, METRIC_SA);
    note_failure(&f->long_silence, &m->long_silent, m, METRIC_SL);
    note_failure(&f->reboots, &m->reboot, m, METRIC_RB);
    if (watch_has_failed(&f->alive, &m->alive))
        m->alive.slot = -1; /* not heard for long; no event of CR */
}

/* --- who is watched --------------------------------------------------------------------------- */

static enum arm_side side_of(const struct arm *m)
{
    return arm_is_treated(m) ? SIDE_TREATED : SIDE_CONTROL;
}

/*
 * Which arm is the draw's word alone: of those that were there when the threshold last moved, ready
 * or treated, all at or below it are treated (late ones are served before it moves), all above are
 * not. Nothing that came of a device since leaves it out of one arm and not of the other.
 */
bool flight_compares(const struct flight *f, const struct arm *m)
{
    bool running = f->state == ROLLOUT_RUNNING || f->state == ROLLOUT_PAUSED;

    if (!running || !m->known || !m->evidence || m->cohort < 0 || f->gate.halted[m->cohort])
        return false;
    return arm_is_treated(m) ||
           (m->first_ready >= 0 && !m->running && !admission_passed(&f->admission, m));
}

static enum stratum watched_stratum(const struct flight *f, const struct arm *m, bool fresh)
{
    if (!flight_compares(f, m) || m->held || m->marks & MARK_APART)
        return N_STRATA;
    if (m->canary)
        return STRATUM_CANARY;
    return fresh ? STRATUM_FRESH : STRATUM_MAIN;
}

/* Saying goodbye it stands as it stood before. */
static enum stratum stratum_now(const struct flight *f, const struct arm *m,
                                const struct hearing *h)
{
    bool below = !arm_is_treated(m) && admission_passed(&f->admission, m);

    if (h->leaving || !h->checkin)
        return m->evidence && !below ? (enum stratum)m->watched : N_STRATA;
    return watched_stratum(f, m, h->checkin->awake_s * 1000 < f->gate.policy.fresh_wake_ms);
}

/* A treated device's crash counts on the release, a control's on what else it runs; so does the
 * time that they have to crash in. */
static bool is_at_risk(const struct arm *m)
{
    bool ours = m->running || arm_is_under_way(m);

    return may_crash(m) && (arm_is_treated(m) ? ours : !m->running);
}

static void stand(struct watch *w, struct place *p, const struct arm *m, bool in)
{
    if (in)
        watch_move(w, p, m->cohort, (enum stratum)m->watched, side_of(m));
    else
        watch_leave(w, p);
}

/*
 * What a check-in says of crashes it says of the time since the one before, so of the cell that the
 * device stood in then: that is where it is at risk in this tick, crashed or not, wherever it
 * stands from now on. Who has just begun to be at risk is so from the next tick.
 */
static void stand_at_risk(struct flight *f, struct arm *m, bool in)
{
    const struct place was = m->alive;
    const struct place *is = &m->alive;
    bool stood = m->risks;

    stand(&f->alive, &m->alive, m, in);
    m->risks = in;
    if (stood && in && was.cohort == is->cohort && was.stratum == is->stratum &&
        was.side == is->side)
        return;
    if (stood)
        f->at_risk[was.cohort][was.stratum][was.side]++;
    if (in)
        f->at_risk[is->cohort][is->stratum][is->side]--;
}

/* Gone with a goodbye: at risk in this tick, and again when it is back, but not meanwhile. */
static void rest_at_risk(struct flight *f, struct arm *m)
{
    watch_excuse(&f->alive, &m->alive);
    if (m->risks)
        f->at_risk[m->alive.cohort][m->alive.stratum][m->alive.side]++;
}

void flight_watch(struct flight *f, struct arm *m, const struct hearing *h)
{
    bool in;

    note_failures(f, m);
    if (m->away) {
        watch_excuse(&f->silence, &m->silent);
        watch_excuse(&f->long_silence, &m->long_silent);
        rest_at_risk(f, m);
        return;
    }
    m->watched = (uint8_t)stratum_now(f, m, h);
    in = m->watched != N_STRATA;
    m->stood_tick = in ? (int32_t)f->tick : -1;
    stand(&f->silence, &m->silent, m, in && m->tracked && !is_spent(m, METRIC_SA));
    stand(&f->long_silence, &m->long_silent, m, in && m->tracked && !is_spent(m, METRIC_SL));
    stand_at_risk(f, m, in && is_at_risk(m));
}

void flight_watch_drop(struct flight *f, struct arm *m)
{
    note_failures(f, m);
    watch_excuse(&f->silence, &m->silent);
    watch_excuse(&f->long_silence, &m->long_silent);
    watch_excuse(&f->reboots, &m->reboot);
    watch_excuse(&f->alive, &m->alive);
    m->risks = false;
    m->watched = N_STRATA;
}

void flight_alive(struct flight *f, struct arm *m)
{
    const struct hearing h = {0}; /* nothing new is known of it */

    counters_alive(&f->counters, &m->standing, f->tick);
    m->seen_tick = (int32_t)f->tick;
    tally_heard(&f->tally, m);
    if (!m->away)
        flight_watch(f, m, &h);
    tally_note(&f->tally, m);
}

/* --- crashes and reboots ---------------------------------------------------------------------- */

static bool is_unclean_boot(const struct event *e)
{
    return e->kind == EVENT_CRASH && strcmp(e->cause, "unclean-boot") == 0;
}

static bool is_reboot(const struct event *e)
{
    return e->kind == EVENT_GOODBYE && !goodbye_is_away(e->cause);
}

/* Arm and release as of the crash: of a treated device only what the release did, of a control only
 * what happened on something else. What evidence blames on the release is judged as such; only
 * treated devices can report it. */
static void hear_crash(struct flight *f, struct arm *m, const struct event *e)
{
    bool ours = strcmp(e->digest, f->digest) == 0;

    if (e->kind != EVENT_CRASH || e->blamed || strcmp(e->channel, f->channel) != 0 ||
        ours != arm_is_treated(m) || !m->risks)
        return;
    watch_leave(&f->alive, &m->alive);
    mark(m, METRIC_CR);
    m->risks = false;
    m->crash_tick = (int32_t)f->tick;
    f->crashes[m->cohort][m->watched][side_of(m)]++;
}

void flight_watch_hear(struct flight *f, struct arm *m, const struct hearing *h)
{
    bool waited;

    note_failures(f, m);
    waited = m->reboot.slot >= 0;
    for (size_t i = 0; i < h->checkin->n_events; i++) {
        const struct event *e = &h->checkin->events[i];

        if (!h->fresh[i])
            continue;
        hear_crash(f, m, e);
        if (is_unclean_boot(e) && m->reboot.slot >= 0) {
            watch_fail(&f->reboots, &m->reboot);
            mark(m, METRIC_RB);
        }
        if (is_reboot(e) && m->reboot.slot < 0 && m->watched != N_STRATA && may_reboot(m)) {
            watch_move(&f->reboots, &m->reboot, m->cohort, (enum stratum)m->watched, side_of(m));
            m->reboot_tick = (int32_t)f->tick;
            waited = false;
        }
    }
    if (waited)
        watch_leave(&f->reboots, &m->reboot); /* back, in order */
}

void flight_watch_staged(struct arm *m, const struct device *d, const struct hearing *h)
{
    bool flaky =
        d->crash_ms >= 0 && d->crash_ms <= h->wall_ms && h->wall_ms - d->crash_ms <= STEADY_MS;

    for (size_t i = 0; i < h->checkin->n_events; i++)
        flaky |= h->fresh[i] && h->checkin->events[i].kind == EVENT_CRASH;
    m->marks = (uint16_t)((m->marks & MARK_APART) | (flaky ? MARK_FLAKY : 0) |
                          (h->channel->running[0] ? 0 : MARK_BARE));
}

/* --- ticks ------------------------------------------------------------------------------------ */

void flight_watch_open(struct flight *f, int64_t interval_ms)
{
    const struct policy *p = &f->gate.policy;
    int64_t least_ms = MIN_TICKS * p->tick_ms;
    int64_t silence_ms = p->long_silence_ms > least_ms ? p->long_silence_ms : least_ms;
    /* Who is asked seldom is at risk between its check-ins, too. */
    int64_t alive_ms = silence_ms > 2 * interval_ms ? silence_ms : 2 * interval_ms;

    watch_init(&f->silence, WATCH_SILENCE, 0);
    watch_init(&f->long_silence, 0, silence_ms);
    watch_init(&f->alive, 0, alive_ms);
    watch_init(&f->reboots, 0, p->reboot_window_ms > least_ms ? p->reboot_window_ms : least_ms);
    f->marks_from = 0;
}

/* A device that reports a crash in its first tick at risk makes one more failed than at risk. */
static int64_t risked(const struct flight *f, int cohort, int stratum, enum arm_side side)
{
    int64_t crashed = f->crashes[cohort][stratum][side];
    int64_t others =
        (int64_t)f->alive.standing[cohort][stratum][side] + f->at_risk[cohort][stratum][side];

    return crashed + (others > 0 ? others : 0);
}

static int crash_batches(const struct flight *f, struct batch *ret, int max)
{
    int n = 0;

    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        for (int s = 0; s < N_STRATA && n < max; s++) {
            struct batch b = {.metric = METRIC_CR,
                              .cohort = c,
                              .stratum = (enum stratum)s,
                              .tick = f->tick,
                              .n_t = risked(f, c, s, SIDE_TREATED),
                              .f_t = f->crashes[c][s][SIDE_TREATED],
                              .n_c = risked(f, c, s, SIDE_CONTROL),
                              .f_c = f->crashes[c][s][SIDE_CONTROL]};

            if (b.n_t > 0 && b.n_c > 0)
                ret[n++] = b;
        }
    return n;
}

int flight_watch_resolve(struct flight *f, int64_t now_ms, struct batch *ret, int max)
{
    int n = watch_resolve(&f->silence, METRIC_SA, now_ms, ret, max);

    n += watch_resolve(&f->long_silence, METRIC_SL, now_ms, ret ? ret + n : NULL, max - n);
    n += watch_resolve(&f->reboots, METRIC_RB, now_ms, ret ? ret + n : NULL, max - n);
    watch_resolve(&f->alive, METRIC_CR, now_ms, NULL, 0);
    return ret ? n + crash_batches(f, ret + n, max - n) : 0;
}

void flight_watch_turn(struct flight *f, int64_t now_ms, bool staged_more)
{
    struct watch *const all[] = {&f->silence, &f->long_silence, &f->reboots, &f->alive};

    memset(f->crashes, 0, sizeof f->crashes);
    memset(f->at_risk, 0, sizeof f->at_risk);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        watch_turn(all[i], f->tick, now_ms);
        if (staged_more)
            watch_new_round(all[i]);
    }
    if (staged_more)
        f->marks_from = f->tick;
}

/* --- after a restart -------------------------------------------------------------------------- */

/* Into the open slot where its trial of tick `at` is unresolved; else it failed there. True where
 * it stands. */
static bool resume(struct watch *w, struct place *p, struct arm *m, enum metric metric, int64_t at)
{
    if (at < 0 || is_spent(m, metric))
        return false;
    if (at >= watch_unresolved_tick(w)) {
        watch_move(w, p, m->cohort, (enum stratum)m->watched, side_of(m));
        return true;
    }
    if (at >= w->void_tick)
        mark(m, metric);
    return false;
}

static void resume_reboot(struct flight *f, struct arm *m)
{
    bool back = m->seen_tick > m->reboot_tick;

    if (m->reboot_tick < 0 || m->marks & MARK_BARE ||
        (back && m->reboot_tick < watch_unresolved_tick(&f->reboots)))
        return;
    if (is_spent(m, METRIC_RB)) { /* back from a failed boot; in its batch where that is to come */
        if (m->reboot_tick < watch_unresolved_tick(&f->reboots))
            return;
        watch_move(&f->reboots, &m->reboot, m->cohort, (enum stratum)m->watched, side_of(m));
        watch_fail(&f->reboots, &m->reboot);
    } else if (resume(&f->reboots, &m->reboot, m, METRIC_RB, m->reboot_tick) && back) {
        watch_leave(&f->reboots, &m->reboot);
    }
}

/* A crash that the present tick's batch would have had. The one of a device that was then granted
 * the release in the same tick was a control's, unless the release crashed. */
static void resume_crash(struct flight *f, const struct arm *m)
{
    enum arm_side side = side_of(m);

    if (m->granted_tick == f->tick && is_at_risk(m)) { /* as a control until then */
        f->at_risk[m->cohort][m->watched][SIDE_CONTROL]++;
        f->at_risk[m->cohort][m->watched][SIDE_TREATED]--;
    }
    if (m->crash_tick != f->tick || !is_spent(m, METRIC_CR))
        return;
    if (m->granted_tick == f->tick && !m->crashed)
        side = SIDE_CONTROL;
    f->crashes[m->cohort][m->watched][side]++;
}

static void resume_arm(struct flight *f, struct arm *m)
{
    bool stands = false;

    m->silent.slot = m->long_silent.slot = m->reboot.slot = m->alive.slot = -1;
    m->risks = false;
    m->watched = (uint8_t)watched_stratum(f, m, false);
    if (m->watched == N_STRATA)
        return;
    renew_marks(f, m);
    resume_crash(f, m);
    m->risks = is_at_risk(m);
    m->alive.cohort = (uint8_t)m->cohort;
    m->alive.stratum = m->watched;
    m->alive.side = (uint8_t)side_of(m);
    if (m->away)
        return;
    if (m->tracked) {
        resume(&f->silence, &m->silent, m, METRIC_SA, m->stood_tick);
        stands = resume(&f->long_silence, &m->long_silent, m, METRIC_SL, m->stood_tick);
    }
    if (m->risks && m->stood_tick >= watch_unresolved_tick(&f->alive)) {
        watch_move(&f->alive, &m->alive, m->cohort, (enum stratum)m->watched, side_of(m));
        stands = true;
    }
    resume_reboot(f, m);
    if (stands)
        m->stood_tick = (int32_t)f->tick;
}

void flight_watch_resume(struct flight *f)
{
    watch_clear(&f->silence);
    watch_clear(&f->long_silence);
    watch_clear(&f->reboots);
    watch_clear(&f->alive);
    memset(f->crashes, 0, sizeof f->crashes);
    memset(f->at_risk, 0, sizeof f->at_risk);
    for (int64_t i = 0; i < f->arms.n; i++)
        resume_arm(f, &f->arms.rows[i]);
}
