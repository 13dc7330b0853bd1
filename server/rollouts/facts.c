/*
 * facts: the end of a tick in numbers, for the gate. Batches come from counters and watches, the
 * rest from the tally; nothing here passes over the devices.
 */
#include <string.h>

#include "rollouts/flight.h"

/* Of those that are asked to stage. */
static int64_t away(const struct tally_counts *asked)
{
    return asked->part - asked->grantable - asked->paced - asked->staging;
}

/* One cohort's devices in the canary group, or the others: those not treated. */
static void add_row(const struct flight *f, int cohort, bool canary, struct cohort_facts *to)
{
    const struct threshold admitted = admission_threshold(&f->admission, cohort, canary);
    const struct threshold stages = flight_stage_threshold(f, cohort);
    struct tally_counts all, below, asked;

    if (!f->tally.rows[cohort][canary])
        return;
    tally_count(&f->tally, &f->arms, cohort, canary, NULL, &all);
    tally_count(&f->tally, &f->arms, cohort, canary, &admitted, &below);
    /* Passed by the threshold, but the manifest's pace is still ahead of it: not to be had yet. */
    to->late += below.grantable;
    to->ready += all.grantable + all.paced - below.grantable - below.paced;
    to->passed_away += below.all - below.grantable;
    if (canary) { /* they stage whatever the share */
        to->canary_size += f->tally.rows[cohort][canary]->size;
        to->canary_ready += all.grantable + all.paced;
        asked = flight_cohort_stages(f, cohort) ? all : (struct tally_counts){0};
        to->canary_away += away(&asked);
    } else {
        tally_count(&f->tally, &f->arms, cohort, canary, &stages, &asked);
    }
    to->staging += asked.staging;
    to->away += away(&asked);
}

static void add_cohort(const struct flight *f, int cohort, struct cohort_facts *to)
{
    const struct tally *t = &f->tally;
    const struct tally_sums *s = &t->sums[cohort];

    for (int canary = 0; canary < 2; canary++)
        add_row(f, cohort, canary, to);
    to->admitted = s->admitted;
    to->canary_admitted = s->canary_admitted;
    to->healthy = s->healthy;
    to->healthy_slow = t->healthy.past[cohort];
    to->excused = s->excused;
    to->booted = s->booted;
    to->overdue = t->overdue.past[cohort];
    to->direct = s->direct;
    to->heard = tally_heard_treated(t, cohort);
    to->soaking = ages_recent(&t->soaking, cohort);
    to->control_crashes = f->control_crashes[cohort];
    /* Those that crashed were at risk, too. */
    to->controls = tally_controls(t, cohort) + f->control_crashes[cohort];
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

/* Of the release. By the rollout's own clock once it began: the wall clock may be set meanwhile. */
static int64_t age_s(const struct flight *f)
{
    int64_t waited_ms = f->started_ms - f->published_ms;

    return ((waited_ms > 0 ? waited_ms : 0) + f->elapsed_ms) / 1000;
}

void facts_collect(const struct server *s, struct flight *f, struct facts *ret)
{
    memset(ret, 0, sizeof *ret);
    tally_expire(&f->tally, f->elapsed_ms);
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        add_cohort(f, c, &ret->f.cohorts[c]);
    ret->f.now_ms = f->elapsed_ms;
    ret->f.tick = f->tick;
    ret->f.batches = ret->batches;
    ret->f.n_batches =
        counters_resolve(&f->counters, f->tick - COUNTERS_LAG, ret->batches, FACTS_MAX_BATCHES);
    ret->f.n_batches += flight_watch_resolve(f, f->elapsed_ms, ret->batches + ret->f.n_batches,
                                             FACTS_MAX_BATCHES - ret->f.n_batches);
    ret->f.n_batches += flight_figures_batches(f, ret->batches + ret->f.n_batches,
                                               FACTS_MAX_BATCHES - ret->f.n_batches);
    sum_controls(&ret->f);
    ret->f.silent_groups = counters_silent_groups(&f->counters, f->tick - COUNTERS_LAG);
    ret->f.groups = fleet_groups(s->fleet);
    ret->f.early_boot = f->early_boot;
    ret->f.pace_ppm = pace_share_ppm(&f->pace, age_s(f));
    ret->f.person_promotes = f->person_promotes;
    ret->f.hears = true;
}
