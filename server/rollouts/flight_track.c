/*
 * flight_track: who is asked every tick (docs/gate.md "Many devices"). SF, SA and SL compare
 * devices that are: those with a second draw v below V, in both arms alike. V falls as soon as all
 * that stage would ask more often than the policy's budget, before any of the new ones is treated,
 * and never rises; a device takes the V of each check-in for what it enters in it and for when it
 * is to come again, so that no trial waits for a device that was told to come later.
 */
#include "rollouts/flight.h"

bool flight_tracks(const struct flight *f, const struct device *d)
{
    return f->track_ppm >= PPM || draw_within(draw_v(d->draw_key, f->digest), f->track_ppm);
}

/* One cohort's devices that would be asked every tick if all were: treated, ready, to stage. */
static int64_t busy(const struct flight *f, int cohort)
{
    int64_t n = f->tally.sums[cohort].admitted;

    for (int canary = 0; canary < 2; canary++) {
        const struct threshold stages = flight_stage_threshold(f, cohort);
        struct tally_counts all, staging;

        tally_count(&f->tally, &f->arms, cohort, canary, NULL, &all);
        tally_count(&f->tally, &f->arms, cohort, canary, &stages, &staging);
        n += all.grantable + all.paced + (canary ? all.staging : staging.staging);
    }
    return n;
}

void flight_track(struct flight *f)
{
    const struct rollout *r = &f->gate;
    int64_t a_tick = r->policy.budget_s * f->tick_ms / 1000, n = 0;

    if (f->state != ROLLOUT_RUNNING && f->state != ROLLOUT_PAUSED)
        return;
    for (int c = 0; c < r->topology.n_cohorts; c++)
        if (flight_cohort_stages(f, c))
            n += busy(f, c);
    if (n > a_tick && PPM * a_tick / n < f->track_ppm)
        f->track_ppm = PPM * a_tick / n;
}

/* One under way is asked every tick, tracked or not, so that its acknowledgement is late for no
 * other reason than the release. */
static bool is_asked_every_tick(const struct flight *f, const struct arm *m)
{
    if (!flight_is_open(f) || m->away)
        return false;
    if (arm_is_treated(m))
        return arm_is_under_way(m) || m->ready || (m->tracked && flight_compares(f, m));
    if (m->ready)
        return m->tracked || m->due;
    return m->tracked && !m->running && flight_stages(f, m);
}

int64_t flight_ready_ticks(const struct flight *f, const struct arm *m)
{
    if (m->tracked)
        return ARM_AWAKE_TICKS;
    return (f->tally.heard.slot_ms + f->tick_ms - 1) / f->tick_ms + 1;
}

int64_t flight_interval_ms(const struct flight *f, const struct arm *m, int64_t usual_ms)
{
    bool often = f && m && is_asked_every_tick(f, m);

    return often && f->tick_ms < usual_ms ? f->tick_ms : usual_ms;
}

void flight_as_before(struct flight *f, struct arm *m)
{
    flight_note_pool(f, m);
    flight_alive(f, m);
    if (!m->away)
        flight_enter_pool(f, m);
    if (!arm_is_ready(m) || m->ready_tick == f->tick)
        return;
    m->prev_ready = m->ready_tick;
    m->ready_tick = (int32_t)f->tick;
    tally_note(&f->tally, m);
}
