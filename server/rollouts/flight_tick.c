/* flight_tick: a rollout's shape and the turn of its ticks; see flight.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "rollouts/flight.h"

/* What platforms beyond the gate's table share: a row, and an OS family. */
#define OTHERS "other"

void flight_free(struct flight *f)
{
    if (!f)
        return;
    arms_release(&f->arms);
    tally_release(&f->tally);
    free(f->policy_text);
    free(f->topology_text);
    free(f->ended_ms_of_tick);
    free(f);
}

int64_t flight_elapsed_ms(const struct flight *f, const struct clock *clock)
{
    if (!flight_is_open(f))
        return f->elapsed_ms;
    return f->elapsed_ms + (clock_boot_ms(clock) - f->tick_begun_boot_ms);
}

bool flight_in_canary_ring(const struct flight *f)
{
    return f->gate.n_rings > 0 && f->gate.rings[f->gate.ring].kind == RING_CANARY;
}

static int64_t stage_ppm(const struct flight *f, int cohort)
{
    int64_t ppm = f->last.stage_ppm;

    return f->last.stage_cohort_ppm[cohort] > ppm ? f->last.stage_cohort_ppm[cohort] : ppm;
}

bool flight_cohort_stages(const struct flight *f, int cohort)
{
    return flight_is_open(f) && cohort >= 0 && !f->gate.halted[cohort];
}

bool flight_stages(const struct flight *f, const struct arm *m)
{
    return flight_cohort_stages(f, m->cohort) &&
           (m->canary || draw_within(m->u, stage_ppm(f, m->cohort)));
}

struct threshold flight_stage_threshold(const struct flight *f, int cohort)
{
    uint64_t last;

    if (!flight_cohort_stages(f, cohort) || !draw_last_within(stage_ppm(f, cohort), &last))
        return (struct threshold){0};
    return (struct threshold){.open = true, .draw = last};
}

void flight_open(struct flight *f, int64_t interval_ms)
{
    const struct policy *p = &f->gate.policy;
    const struct tally_config config = {.devices = topology_fleet(&f->gate.topology),
                                        .stuck_ticks = p->stuck_ticks,
                                        .slow_window_ms = p->slow_window_ms,
                                        .direct_window_ms = p->direct_window_ms,
                                        .interval_ms =
                                            interval_ms > p->tick_ms ? interval_ms : p->tick_ms};

    f->admission.canary_ring = flight_in_canary_ring(f);
    f->track_ppm = PPM;
    flight_watch_open(f, config.interval_ms);
    tally_init(&f->tally, &config);
}

void flight_note(struct flight *f, int64_t at_ms, const struct rollout_decision *d)
{
    const struct flight_note *last =
        f->n_history ? &f->history[(f->n_history - 1) % FLIGHT_HISTORY] : NULL;
    struct flight_note *n = &f->history[f->n_history % FLIGHT_HISTORY];
    const char *text =
        d->n_reasons > 0 && d->verdict != VERDICT_WAIT ? d->reasons[0].text : d->stands;

    /* That a ring is full is news once; how long it bakes is none. */
    if (last && last->verdict == d->verdict && !d->opened && !d->completed &&
        (!d->ring_full || last->full))
        return;
    if (last && last->verdict == d->verdict && strcmp(last->text, text) == 0)
        return;
    n->full = d->ring_full;
    n->tick = f->tick;
    n->at_ms = at_ms;
    n->verdict = d->verdict;
    snprintf(n->text, sizeof n->text, "%s", text);
    f->n_history++;
}

/* --- topology --------------------------------------------------------------------------------- */

int flight_cohort(const struct topology *t, const char *cohort)
{
    int others = -1;

    for (int c = 0; c < t->n_cohorts; c++) {
        if (strcmp(t->cohorts[c].name, cohort) == 0)
            return c;
        if (strcmp(t->cohorts[c].name, OTHERS) == 0)
            others = c;
    }
    return others;
}

bool flight_shared_row_halted(const struct flight *f)
{
    const struct topology *t = &f->gate.topology;

    for (int c = 0; c < t->n_cohorts; c++)
        if (f->gate.halted[c] && strcmp(t->cohorts[c].name, OTHERS) == 0)
            return true;
    return false;
}

struct platform_count {
    const char *cohort, *os;
    int64_t n;
};

static int by_size(const void *a, const void *b)
{
    const struct platform_count *x = a, *y = b;

    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return strcmp(x->cohort, y->cohort);
}

/* Devices by cohort, largest first; *ret_n rows in the caller's memory. NULL: no memory. */
static struct platform_count *count_platforms(const struct fleet *fleet, const char *channel,
                                              int *ret_n, int64_t *ret_canary)
{
    int64_t size = fleet_size(fleet);
    struct platform_count *t = calloc((size_t)size + 1, sizeof *t);
    int n = 0;

    *ret_canary = 0;
    for (int64_t i = 0; t && i < size; i++) {
        const struct device *d = fleet_at(fleet, i);
        int k = 0;

        *ret_canary += device_in_canary_group(d, channel);
        while (k < n && strcmp(t[k].cohort, d->cohort) != 0)
            k++;
        if (k == n)
            t[n++] = (struct platform_count){.cohort = d->cohort, .os = d->platform.os};
        t[k].n++;
    }
    if (t)
        qsort(t, (size_t)n, sizeof *t, by_size);
    *ret_n = n;
    return t;
}

static int os_row(struct topology *t, const char *os)
{
    if (t->n_os == GATE_MAX_OS - 1)
        os = OTHERS;
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    snprintf(t->os[t->n_os], sizeof t->os[0], "%s", os);
    return t->n_os++;
}

static int known_os(struct topology *t, const char *os)
{
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    return os_row(t, os);
}

void flight_topology(const struct fleet *fleet, const char *channel, struct topology *ret,
                     int64_t *ret_canary)
{
    _cleanup_(free_p)
    struct platform_count *t = NULL;
    int n = 0;

    memset(ret, 0, sizeof *ret);
    t = count_platforms(fleet, channel, &n, ret_canary);
    for (int i = 0; t && i < n; i++) {
        bool shared = n > GATE_MAX_COHORTS && i >= GATE_MAX_COHORTS - 1;
        struct topology_cohort *c = &ret->cohorts[shared ? GATE_MAX_COHORTS - 1 : i];

        if (!shared || i == GATE_MAX_COHORTS - 1) {
            snprintf(c->name, sizeof c->name, "%s", shared ? OTHERS : t[i].cohort);
            c->os = known_os(ret, shared ? OTHERS : t[i].os);
            ret->n_cohorts++;
        }
        c->size += t[i].n;
    }
}

/* --- turning ---------------------------------------------------------------------------------- */

int flight_turn(struct flight *f, const struct rollout_decision *d, int64_t boot_ms)
{
    int r = admission_move(&f->admission, &f->tally, &f->arms, d, flight_in_canary_ring(f),
                           f->gate.halted);
    bool staged_more = d->stage_ppm > f->last.stage_ppm;

    if (r < 0)
        return r;
    f->last = *d;
    f->tick++;
    f->tick_ms = d->tick_ms;
    f->tick_begun_boot_ms = boot_ms;
    f->person_promotes = false;
    admission_begin(&f->admission, (int32_t)f->tick);
    flight_watch_turn(f, f->elapsed_ms, staged_more);
    flight_figures_turn(f);
    tally_turn(&f->tally, (int32_t)f->tick, f->elapsed_ms);
    flight_track(f);
    memset(f->control_crashes, 0, sizeof f->control_crashes);
    counters_turn(&f->counters, f->tick);
    return 0;
}

/* A trial of that tick has not become a batch yet. */
static bool is_unresolved(const struct flight *f, int64_t tick)
{
    return tick >= 0 && f->tick - tick <= COUNTERS_LAG;
}

/* The side on which a device stands in unresolved trials, and the stratum; N_STRATA: in none. */
static enum stratum unresolved(const struct flight *f, const struct arm *m, enum arm_side *ret_side)
{
    enum stratum stratum;

    *ret_side = arm_is_treated(m) ? SIDE_TREATED : SIDE_CONTROL;
    if (!m->known || !m->evidence || !m->tracked || m->away || m->cohort < 0)
        return N_STRATA;
    if (arm_is_treated(m)) {
        /* Who was fresh among the controls is not known any more: both stand with the others. */
        stratum = m->stratum == STRATUM_FRESH ? STRATUM_MAIN : (enum stratum)m->stratum;
        return is_unresolved(f, m->granted_tick) ? stratum : N_STRATA;
    }
    if (m->marks & MARK_APART || !m->ready || m->held || !is_unresolved(f, m->ready_tick) ||
        admission_below(&f->admission, m))
        return N_STRATA;
    if (m->first_ready == m->ready_tick)
        return f->admission.canary_ring && m->canary ? N_STRATA : STRATUM_LATE;
    return m->canary ? STRATUM_CANARY : STRATUM_MAIN;
}

/* One that was awake is to be waited for as if it had just been heard, in either arm. */
static void wait_for(struct flight *f, struct arm *m)
{
    int64_t ticks = flight_ready_ticks(f, m);

    flight_note_pool(f, m);
    if (m->pool_tick >= 0 && f->tick - m->pool_tick < ticks)
        m->pool_tick = (int32_t)f->tick;
    if (!arm_is_treated(m) && m->ready && f->tick - m->ready_tick < ticks) {
        m->ready_tick = m->seen_tick = (int32_t)f->tick;
        tally_heard(&f->tally, m);
    }
}

/*
 * While the server was away nobody could check in, so silence then is evidence of nothing. All
 * unresolved trials are therefore begun anew in the present tick, in both arms by the same rule:
 * who stood in one, heard since or not, is to be heard within the whole deadline. (Of the treated
 * only the silent ones would be a choice by outcome, which the controls do not have.) Who never
 * comes back still fails then, in either arm.
 */
void flight_resume(struct flight *f, int64_t boot_ms)
{
    memset(&f->counters, 0, sizeof f->counters);
    f->tick_begun_boot_ms = boot_ms;
    flight_watch_resume(f);
    flight_figures_resume(f);
    for (int64_t i = 0; i < f->arms.n; i++) {
        struct arm *m = &f->arms.rows[i];
        enum arm_side side;
        enum stratum stratum = unresolved(f, m, &side);

        m->standing.tick = -1;
        if (stratum != N_STRATA)
            flight_enter(f, m, stratum, side);
        if (m->known)
            wait_for(f, m);
    }
    tally_again(&f->tally, &f->arms);
}
