#include "others.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"

#define MS_PER_MIN       60000
#define MS_PER_H         3600000
#define LOOK_MS          (24 * (int64_t)MS_PER_H)
#define AFTER_HALT_TICKS 3     /* for reports that are on their way */
#define MANY_HIT         3     /* so many bad builds: stopping the others, too, is no false halt */
#define NOTICE_MIN       78    /* from 04:09 to 05:27 UTC */
#define NOTICE_WINDOW    120   /* min */
#define NOTICE_SHARE     0.001 /* of the fleet, crashed within the window */
#define DONE_SHARE       0.002 /* of the fleet still ready and not admitted: complete */
#define GROUP_SUCCESS    0.80  /* of a group's devices: the next one starts */
#define GROUP_ERRORS     0.01  /* of all devices so far reported an error: no other one starts */
#define WAVE_FAILED      0.05  /* silent, of the treated or of those of one build */
#define WAVE_BUILD_MIN   100   /* treated devices of a build, to judge it alone */
#define WAVE_CRASHES     30    /* crash reports at least, ... */
#define WAVE_CRASH_RATIO 2.0   /* ... and so many times what the others' rate explains */
#define WINDOW_MIN       60    /* failures count so long */
#define MAX_STEPS        5
#define UNBOUNDED        1000000000 /* check-ins a second: everybody is looked at */

DEFINE_CLEANUP(struct fleet *, fleet_free)

/* To add one: a row, its way to the next step in may_advance(), its rule in judge(). */
static const struct plan {
    const char *name, *title;
    int n_steps;
    double steps[MAX_STEPS]; /* shares of the fleet, the last one all */
    int64_t bake_ms;
} plans[N_OTHERS] = {
    [OTHER_PUSH] = {"@push", "one push to all", 1, {1.0}, 0},
    [OTHER_GROUPS] = {"@groups", "fixed groups", 5, {1e-5, 1e-3, 0.01, 0.1, 1.0}, 0},
    [OTHER_WAVES] = {"@waves", "fixed waves with bake", 4, {1e-4, 0.01, 0.1, 1.0}, 3 * MS_PER_H},
};

const char *other_name(enum other_kind k)
{
    return plans[k].name;
}

const char *other_title(enum other_kind k)
{
    return plans[k].title;
}

int other_find(const char *name)
{
    for (int k = 0; k < N_OTHERS; k++)
        if (strcmp(name, plans[k].name) == 0)
            return k;
    return -1;
}

/* What the telemetry of one minute said. */
struct minute {
    int64_t silent[GATE_MAX_COHORTS];
    int64_t crashes, at_risk; /* of treated devices; device-ticks */
};

struct steer {
    enum other_kind kind;
    const struct plan *plan;
    const struct scenario *s;
    const struct policy *policy;
    struct fleet *fleet;
    struct rollout_facts facts;
    struct cohort_facts sum;
    struct fleet_totals totals;
    struct outcome *out;
    int step;
    int64_t opened_ms, admitted_before, healthy_before; /* of the step */
    bool stopped;                                       /* nobody more is admitted */
    bool recalled;
    int quiet; /* ticks since it is over */

    int64_t onset_ms;                     /* first crash; -1: none yet */
    int64_t harm_at[NOTICE_WINDOW];       /* by minute, a ring */
    struct minute minutes[WINDOW_MIN];    /* a ring */
    struct minute window;                 /* their sum */
    int64_t minute;                       /* the latest in both */
    double control_crashes, control_risk; /* since the start */
};

static int64_t step_cap(const struct steer *st)
{
    double cap = st->plan->steps[st->step] * (double)st->totals.devices;

    if (st->step == st->plan->n_steps - 1)
        return st->totals.devices;
    return cap < 1.0 ? 1 : (int64_t)llround(cap);
}

/* The lowest draws up to the step's end; who comes back with a draw below it gets it then. */
static int64_t room(const struct steer *st)
{
    const struct cohort_facts *f = &st->sum;
    int64_t left = step_cap(st) - f->admitted - f->passed_away - f->late;

    return (left > 0 ? left : 0) + f->late;
}

static void give_orders(const struct steer *st, struct fleet_orders *ret)
{
    *ret = (struct fleet_orders){.fleet_wide = true, .admit_fleet = st->stopped ? 0 : room(st)};
    for (int c = 0; c < st->s->topology.n_cohorts; c++)
        ret->stage_ppm[c] = 1000000;
}

static void stop(struct steer *st, bool recall)
{
    const struct scenario *s = st->s;
    struct outcome *o = st->out;
    int hit = 0, n = s->topology.n_cohorts;

    for (int c = 0; c < n; c++)
        hit += s->defect.hits[c];
    for (int c = 0; c < n && recall; c++)
        fleet_recall(st->fleet, c);
    st->stopped = true;
    st->recalled |= recall;
    if (o->halt_min >= 0.0)
        return;
    o->halt_min = (double)st->facts.now_ms / MS_PER_MIN;
    o->exposed_at_halt = st->totals.admitted;
    o->halted_cohorts = n;
    o->false_halts = s->good ? n : hit < MANY_HIT ? n - hit : 0;
}

/* ---- the telemetry that waves look at ---- */

static void window_add(struct minute *to, const struct minute *from, int sign)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        to->silent[c] += sign * from->silent[c];
    to->crashes += sign * from->crashes;
    to->at_risk += sign * from->at_risk;
}

/* Up to the minute of now: what is older than the window is forgotten. */
static void pass_minutes(struct steer *st)
{
    int64_t now = st->facts.now_ms / MS_PER_MIN;

    for (; st->minute < now; st->minute++) {
        struct minute *oldest = &st->minutes[(st->minute + 1) % WINDOW_MIN];

        st->harm_at[st->minute % NOTICE_WINDOW] = st->totals.harm;
        window_add(&st->window, oldest, -1);
        memset(oldest, 0, sizeof(*oldest));
    }
}

static void take_telemetry(struct steer *st)
{
    struct minute now = {0};

    for (int i = 0; i < st->facts.n_batches; i++) {
        const struct batch *b = &st->facts.batches[i];

        if (b->metric == METRIC_SA)
            now.silent[b->cohort] += b->f_t;
        if (b->metric != METRIC_CR)
            continue;
        now.crashes += b->f_t;
        now.at_risk += b->n_t;
        st->control_crashes += (double)b->f_c;
        st->control_risk += (double)b->n_c;
    }
    window_add(&st->minutes[st->minute % WINDOW_MIN], &now, 1);
    window_add(&st->window, &now, 1);
}

static bool too_silent(int64_t silent, int64_t treated)
{
    return treated > 0 && (double)silent >= WAVE_FAILED * (double)treated && silent > 1;
}

static bool wave_fails(const struct steer *st)
{
    const struct minute *w = &st->window;
    double expected =
        st->control_risk > 0.0 ? (double)w->at_risk * st->control_crashes / st->control_risk : 0.0;
    int64_t all = 0;

    for (int c = 0; c < st->s->topology.n_cohorts; c++) {
        int64_t treated = st->facts.cohorts[c].admitted;

        all += w->silent[c];
        if (treated >= WAVE_BUILD_MIN && too_silent(w->silent[c], treated))
            return true;
    }
    return too_silent(all, st->sum.admitted) ||
           (w->crashes >= WAVE_CRASHES && (double)w->crashes >= WAVE_CRASH_RATIO * expected);
}

/* ---- steering ---- */

static bool person_notices(struct steer *st)
{
    int64_t before = st->harm_at[st->minute % NOTICE_WINDOW], seen = st->totals.harm - before;

    if (st->onset_ms < 0 && st->totals.harm > 0)
        st->onset_ms = st->facts.now_ms;
    return st->onset_ms >= 0 && st->facts.now_ms - st->onset_ms >= NOTICE_MIN * MS_PER_MIN &&
           (double)seen >= NOTICE_SHARE * (double)st->totals.devices;
}

/* Stopping groups leaves the devices that have it alone: that is how such rollouts do it. */
static void judge(struct steer *st)
{
    if (person_notices(st)) {
        st->out->by_person = st->out->halt_min < 0.0;
        stop(st, true);
        return;
    }
    switch (st->kind) {
    case OTHER_PUSH:
    case N_OTHERS:
        break;
    case OTHER_GROUPS:
        if (!st->stopped && st->sum.admitted > 0 &&
            (double)st->sum.direct >= GROUP_ERRORS * (double)st->sum.admitted)
            stop(st, false);
        break;
    case OTHER_WAVES:
        if (wave_fails(st))
            stop(st, true);
        break;
    }
}

static bool may_advance(const struct steer *st)
{
    int64_t given = st->sum.admitted - st->admitted_before;

    if (st->stopped || st->step == st->plan->n_steps - 1)
        return false;
    switch (st->kind) {
    case OTHER_PUSH:
    case N_OTHERS:
        return false;
    case OTHER_GROUPS:
        return given > 0 &&
               (double)(st->sum.healthy - st->healthy_before) >= GROUP_SUCCESS * (double)given;
    case OTHER_WAVES:
        return given > 0 && st->facts.now_ms - st->opened_ms >= st->plan->bake_ms;
    }
    return false;
}

static void advance(struct steer *st)
{
    if (!may_advance(st))
        return;
    st->step++;
    st->opened_ms = st->facts.now_ms;
    st->admitted_before = st->sum.admitted;
    st->healthy_before = st->sum.healthy;
}

/* Everybody who was there has it: hardly anybody who is ready is left, and nobody downloads. */
static void take_completion(struct steer *st)
{
    int64_t waiting = st->sum.ready + st->sum.late + st->sum.staging;

    if (st->out->complete_min < 0.0 && !st->stopped && st->step == st->plan->n_steps - 1 &&
        (double)waiting <= DONE_SHARE * (double)st->totals.devices)
        st->out->complete_min = (double)st->facts.now_ms / MS_PER_MIN;
}

static void sum_facts(struct steer *st)
{
    struct cohort_facts *sum = &st->sum;

    *sum = (struct cohort_facts){0};
    for (int c = 0; c < st->s->topology.n_cohorts; c++) {
        const struct cohort_facts *f = &st->facts.cohorts[c];

        sum->ready += f->ready;
        sum->late += f->late;
        sum->staging += f->staging;
        sum->passed_away += f->passed_away;
        sum->admitted += f->admitted;
        sum->healthy += f->healthy;
        sum->direct += f->direct;
    }
}

static bool is_over(struct steer *st)
{
    int64_t limit = st->s->limit_ms < LOOK_MS ? st->s->limit_ms : LOOK_MS;

    if (st->facts.now_ms >= limit)
        return true;
    if (!st->recalled && !(st->s->good && st->out->complete_min >= 0.0))
        return false;
    return ++st->quiet > AFTER_HALT_TICKS;
}

/* Groups follow each other within a minute: short ticks until the last one has begun. */
static int64_t next_tick_ms(const struct steer *st)
{
    return st->kind == OTHER_GROUPS && st->step < st->plan->n_steps - 1 && !st->stopped &&
                   st->facts.now_ms < MS_PER_H
               ? st->policy->fast_tick_ms
               : st->policy->tick_ms;
}

static int play(struct steer *st, const struct other_watch *watch, struct err *err)
{
    struct fleet_orders orders;

    fleet_totals(st->fleet, &st->totals);
    do {
        int r;

        give_orders(st, &orders);
        r = fleet_step(st->fleet, &orders, next_tick_ms(st), &st->facts, err);
        if (r < 0)
            return r;
        fleet_totals(st->fleet, &st->totals);
        sum_facts(st);
        pass_minutes(st);
        take_telemetry(st);
        if (!st->recalled)
            judge(st);
        advance(st);
        take_completion(st);
        if (watch)
            watch->tick(watch->ctx, st->facts.now_ms, &st->totals);
    } while (!is_over(st));
    st->out->harm = st->totals.harm;
    st->out->stuck = st->totals.stuck;
    st->out->exposed = st->totals.admitted;
    return 0;
}

int other_run(const struct scenario *s, const struct policy *p, uint64_t seed, enum other_kind kind,
              const struct other_watch *watch, struct outcome *ret, struct err *err)
{
    _cleanup_(fleet_free_p)
    struct fleet *fleet = NULL;
    _cleanup_(free_p)
    struct steer *st = calloc(1, sizeof(*st));
    struct policy policy = *p;
    struct outcome out = {
        .halt_min = -1.0, .complete_min = -1.0, .ask_min = -1.0, .metric = -1, .node = -1};
    int r;

    if (!st)
        return err_set(err, ERR_NOMEM, "out of memory");
    policy.budget_s = UNBOUNDED;
    r = fleet_new(s, &policy, seed, &fleet, err);
    if (r < 0)
        return r;
    *st = (struct steer){.kind = kind,
                         .plan = &plans[kind],
                         .s = s,
                         .policy = &policy,
                         .fleet = fleet,
                         .out = &out,
                         .onset_ms = -1};
    r = play(st, watch, err);
    if (r == 0)
        *ret = out;
    return r;
}

int other_play(const struct scenario *s, const struct policy *p, uint64_t seed, const void *ctx,
               struct outcome *ret, struct err *err)
{
    const enum other_kind *kind = ctx;

    return other_run(s, p, seed, *kind, NULL, ret, err);
}
