/*
 * facts: the end of a tick in numbers, for the gate. Batches come from counters and watches; what
 * depends on "now" (ready, late, overdue) is read from the arms in one pass: some 150 bytes a
 * device, once a tick, with no second copy of the truth to drift away from it.
 */
#include <string.h>

#include "rollouts/flight.h"

struct pass {
    struct flight *flight;
    const struct fleet *fleet;
    int64_t tick, now_ms, boot_ms;
    int64_t lately_ms; /* heard within this: awake */
    struct rollout_facts *f;
    uint64_t silent_groups[4]; /* bits; groups beyond share them */
};

static void add_treated(const struct pass *p, const struct arm *m, struct cohort_facts *c)
{
    const struct policy *policy = &p->flight->gate.policy;
    bool healthy = m->state == ARM_HEALTHY;

    c->admitted++;
    c->canary_admitted += m->canary;
    c->healthy += healthy;
    c->healthy_slow += healthy && m->healthy_ms <= p->now_ms - policy->slow_window_ms;
    c->excused += !healthy && m->away;
    c->overdue += arm_is_unacknowledged(m) && p->tick - m->granted_tick >= policy->stuck_ticks;
    c->direct += m->direct;
    c->soaking += !m->soaked && m->acks > 0 && m->state != ARM_ROLLED_BACK &&
                  m->state != ARM_RECALLED && p->now_ms - m->granted_ms <= policy->direct_window_ms;
}

static void add_untreated(const struct pass *p, const struct arm *m, const struct device *d,
                          struct cohort_facts *c)
{
    const struct admission *a = &p->flight->admission;
    bool waiting = arm_is_waiting(m, p->tick), below = admission_below(a, m);
    bool awake = !m->away && d->seen_boot_ms >= 0 && p->boot_ms - d->seen_boot_ms <= p->lately_ms;

    if (m->running)
        return; /* has it from elsewhere */
    /* Passed by the threshold, but the manifest's pace is still ahead of it: not to be had yet. */
    c->late += below && waiting && !m->paced;
    c->ready += waiting && !below;
    c->canary_ready += waiting && m->canary;
    c->passed_away += below && !(waiting && !m->paced);
    c->staging += awake && !m->ready && !m->held && flight_stages(p->flight, m);
    if (waiting && m->evidence && !m->crash_spent)
        c->controls++;
}

static void add_arm(struct pass *p, struct arm *m, const struct device *d)
{
    struct cohort_facts *c;

    if (!m->known || m->cohort < 0)
        return;
    c = &p->f->cohorts[m->cohort];
    c->canary_size += m->canary;
    if (arm_is_treated(m))
        add_treated(p, m, c);
    else
        add_untreated(p, m, d, c);
    if (counters_fails(&m->standing, p->tick) && m->standing.side == SIDE_CONTROL) {
        int g = fleet_group_of(p->fleet, d) & 255;

        p->silent_groups[g / 64] |= UINT64_C(1) << (g % 64);
    }
}

static void sum_controls(struct rollout_facts *f)
{
    for (int i = 0; i < f->n_batches; i++) {
        if (f->batches[i].metric != METRIC_SF)
            continue;
        f->silent_controls += f->batches[i].f_c;
        f->tick_controls += f->batches[i].n_c;
    }
}

void facts_collect(const struct server *s, struct flight *f, struct facts *ret)
{
    const struct fleet *fleet = s->fleet;
    int64_t age_s = (clock_wall_ms(s->clock) - f->published_ms) / 1000;
    int64_t interval_ms = s->config.checkin_interval_ms;
    struct pass p = {.flight = f,
                     .fleet = fleet,
                     .tick = f->tick,
                     .now_ms = f->elapsed_ms,
                     .boot_ms = clock_boot_ms(s->clock),
                     .lately_ms = 2 * (interval_ms > f->tick_ms ? interval_ms : f->tick_ms),
                     .f = &ret->f};
    int bits = 0;

    memset(ret, 0, sizeof *ret);
    for (int64_t i = 0; i < fleet_size(fleet) && i < f->arms.n; i++)
        add_arm(&p, &f->arms.rows[i], fleet_at(fleet, i));
    for (int i = 0; i < 4; i++)
        bits += __builtin_popcountll(p.silent_groups[i]);
    f->counters.silent_groups[(f->tick + COUNTERS_TICKS - COUNTERS_DEADLINE) % COUNTERS_TICKS] =
        bits;
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        ret->f.cohorts[c].control_crashes = f->control_crashes[c];
        ret->f.cohorts[c].controls += f->control_crashes[c]; /* were at risk, too */
    }

    ret->f.now_ms = f->elapsed_ms;
    ret->f.tick = f->tick;
    ret->f.batches = ret->batches;
    ret->f.n_batches =
        counters_resolve(&f->counters, f->tick - COUNTERS_LAG, ret->batches, FACTS_MAX_BATCHES);
    ret->f.n_batches += flight_watch_resolve(f, f->elapsed_ms, ret->batches + ret->f.n_batches,
                                             FACTS_MAX_BATCHES - ret->f.n_batches);
    sum_controls(&ret->f);
    if (f->tick >= COUNTERS_LAG)
        ret->f.silent_groups = f->counters.silent_groups[(f->tick - COUNTERS_LAG) % COUNTERS_TICKS];
    ret->f.groups = fleet_groups(fleet);
    ret->f.pace_ppm = pace_share_ppm(&f->pace, age_s > 0 ? age_s : 0);
    ret->f.person_promotes = f->person_promotes;
}
