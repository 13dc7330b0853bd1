/*
 * What the devices of one pool do in one tick. Ordinary life hits both arms alike: sleep with and
 * without a goodbye, reboots, crashes. What happened is written down as the tick's trials; they
 * resolve later.
 */
#include <math.h>

#include "fleet_state.h"

#define DAY_PEAK_H     13.0
#define DAY_WIDTH_H    3.5
#define EVENING_PEAK_H 17.5
#define EVENING_H      0.6
#define DAY_MIN        1440.0
#define BACK_FACTOR    6.0

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static double bell(double x, double at, double width)
{
    double z = (x - at) / width;

    return exp(-0.5 * z * z);
}

void fleet_weather(struct fleet *f, int64_t tick_ms, struct weather *ret)
{
    const struct scenario_life *l = &f->s.life;
    const struct scenario_world *w = &f->s.world;
    double at = (double)f->now_ms / MINUTE_MS, minutes = (double)tick_ms / MINUTE_MS;
    double hour = fmod(f->day_min + at, DAY_MIN) / HOUR_MIN, scale = minutes / HOUR_MIN;
    bool asleep =
        w->asleep_share > 0.0 && at >= f->world_min && at < f->world_min + w->asleep_within_min;

    *ret = (struct weather){.minutes = minutes, .at_min = at};
    ret->goodbye =
        scale * (l->goodbyes_h + l->goodbyes_day_h * bell(hour, DAY_PEAK_H, DAY_WIDTH_H) +
                 l->goodbyes_evening_h * bell(hour, EVENING_PEAK_H, EVENING_H));
    ret->silent = scale * l->silences_h;
    if (asleep)
        ret->asleep = -log1p(-w->asleep_share) * minutes / w->asleep_within_min;
    ret->reboot = scale * l->reboots_h;
    ret->wake = scale * l->wakes_h * (w->back_min > 0.0 && at > w->back_min ? BACK_FACTOR : 1.0);
    ret->crash = scale * l->crashes_h;
    ret->flaky = -expm1(-scale * l->flaky_h);
    ret->figure = scale * l->figures_h;
    ret->outage = at >= f->world_min && at < f->world_min + w->outage_min;
    ret->customer = w->customer_devices > 0 && !f->customer_done && at >= f->world_min;
    defect_weather(f, ret);
}

/* One pool's tick. */
struct day {
    const struct weather *w;
    double goodbye, silent, reboot, crash; /* with the cohort's own variation */
    int64_t main, late, late_fresh, adm;   /* just admitted; of late: first ready the tick before */
    struct strike s;
    int64_t at_reboot, reboot_recover;
    int64_t hostile;
    int64_t bye_t, bye_c, bye_a;          /* announced; treated, controls, just admitted */
    int64_t silent_t, silent_c, silent_a; /* not announced */
    int64_t silent_main;                  /* of silent_a */
    int64_t customer_t, customer_c;
    int64_t reboot_t, reboot_c, slow5_t, slow5_c, slow15_t, slow15_c;
    int64_t crash_t, crash_c, flaky_t, flaky_c;
    int64_t back; /* came back by themselves and said so */
};

/* The threshold moves to the k-th lowest ready device; those away below it are passed by. Devices
 * that are staging now were asked last: they have the highest draws. */
static void move_threshold(struct fleet *f, struct pool *p, struct day *d, int64_t admit)
{
    double passed;
    int64_t n;

    d->late = min64(admit, p->late);
    d->late_fresh = d->late - min64(d->late, p->late - p->late_new);
    d->main = min64(admit - d->late, p->ready_aw);
    d->adm = d->main + d->late;
    passed = p->ready_aw > 0 ? (double)d->main / (double)p->ready_aw : 0.0;
    n = random_binomial(&f->random, p->ready_sl, passed);
    p->ready_sl -= n;
    p->passed_sl += n;
    n = random_binomial(&f->random, p->stage_sl, passed);
    p->stage_sl -= n;
    p->passed_stage_sl += n;
    p->late -= d->late;
    p->ready_aw -= d->main;
    p->ready_new = min64(p->ready_new, p->ready_aw);
    p->admitted += d->adm;
    p->admitted_late += d->late;
    if (p->flaky_ready > 0 && d->main > 0) {
        int64_t ready = p->ready_aw + d->main;
        int64_t all = random_hypergeometric(&f->random, min64(p->flaky_ready, ready),
                                            ready - min64(p->flaky_ready, ready), d->main);
        int64_t fresh =
            random_hypergeometric(&f->random, p->fresh_ready, p->flaky_ready - p->fresh_ready, all);

        p->flaky_ready -= all;
        p->flaky_treated += all;
        p->fresh_ready -= fresh;
        p->fresh_treated += fresh;
    }
}

/* A customer's devices of both arms fail together, by coincidence. */
static void customer_fails(struct fleet *f, const struct pool *p, struct day *d)
{
    double share = p->size > 0 ? (double)f->s.world.customer_devices / (double)p->size : 0.0;
    int64_t treated = p->treated_aw - d->s.die - d->s.rolled_back - d->bye_t - d->silent_t;
    int64_t ready = p->ready_aw - d->bye_c - d->silent_c;

    if (!d->w->customer || p->cohort != 0 || p->canary)
        return;
    f->customer_done = true;
    f->customer_tick = f->tick;
    d->customer_t = random_binomial(&f->random, treated, share);
    d->customer_c = random_binomial(&f->random, ready, share);
}

static void live_ordinarily(struct fleet *f, struct pool *p, struct day *d)
{
    struct random *r = &f->random;
    const struct scenario_life *l = &f->s.life;
    int64_t treated = p->treated_aw - d->s.die - d->s.rolled_back;
    int64_t dead = d->s.load_main + d->s.load_late;

    d->bye_t = random_binomial(r, treated, d->goodbye);
    d->bye_c = random_binomial(r, p->ready_aw, d->goodbye);
    d->silent_t = random_binomial(r, treated - d->bye_t, d->silent);
    d->silent_c = random_binomial(r, p->ready_aw - d->bye_c, d->silent);
    d->bye_a = random_binomial(r, d->adm - dead, d->goodbye);
    d->silent_a = random_binomial(r, d->adm - dead - d->bye_a, d->silent);
    d->silent_main = d->late == 0 ? d->silent_a
                                  : random_hypergeometric(r, d->main - d->s.load_main,
                                                          d->late - d->s.load_late, d->silent_a);
    customer_fails(f, p, d);
    d->reboot_t = random_binomial(r, treated - d->bye_t - d->silent_t - d->customer_t, d->reboot);
    d->reboot_c =
        random_binomial(r, p->ready_aw - d->bye_c - d->silent_c - d->customer_c, d->reboot);
    d->at_reboot = defect_at_reboot(f, p, d->reboot_t);
    d->slow15_t = random_binomial(r, d->reboot_t - d->at_reboot, l->reboot_15min);
    d->slow15_c = random_binomial(r, d->reboot_c, l->reboot_15min);
    d->slow5_t =
        d->slow15_t + random_binomial(r, d->reboot_t - d->at_reboot - d->slow15_t, l->reboot_5min);
    d->slow5_c = d->slow15_c + random_binomial(r, d->reboot_c - d->slow15_c, l->reboot_5min);
    d->crash_t = min64(random_poisson(r, (double)p->treated_aw * d->crash), p->treated_aw);
    d->crash_c = min64(random_poisson(r, (double)p->ready_aw * d->crash), p->ready_aw);
    d->flaky_t = random_binomial(r, p->fresh_treated, d->w->flaky);
    d->flaky_c = random_binomial(r, p->fresh_ready, d->w->flaky);
    p->fresh_treated -= d->flaky_t;
    p->fresh_ready -= d->flaky_c;
    if (p->hostile > 0) {
        d->hostile =
            random_hypergeometric(r, min64(p->hostile, d->adm + p->size - p->admitted),
                                  p->size - p->admitted + d->adm - p->hostile, d->adm - dead);
        d->hostile = min64(d->hostile, d->adm - dead - d->bye_a - d->silent_a);
        p->hostile -= d->hostile;
    }
}

/* Devices whose crashes before staging are known are left out of CR and of direct evidence. */
static double unknown_flaky(const struct fleet *f)
{
    return exp(-f->s.life.flaky_h * f->s.life.history_h);
}

/* Reports that evidence blames on the release, some minutes on; ordinary ones too. */
static void report(struct fleet *f, struct pool *p, int pool, struct day *d)
{
    const struct scenario_life *l = &f->s.life;
    int64_t soaking = min64(p->soaking, p->treated_aw);
    int64_t at = f->now_ms + (int64_t)(l->report_min * MINUTE_MS);
    int64_t blamed = d->s.blamed + d->hostile;
    double share = p->treated_aw > 0 ? (double)soaking / (double)p->treated_aw : 0.0;

    blamed += random_binomial(&f->random, d->adm, l->preflight_share);
    blamed += random_binomial(&f->random, d->crash_t, share * l->consumer_share);
    blamed += random_binomial(&f->random, d->flaky_t, share * unknown_flaky(f));
    fleet_arrival(f, at, pool)->blamed += (int32_t)blamed;
    if (d->w->outage)
        return; /* the reports wait */
    p->direct += fleet_arrival(f, f->now_ms, pool)->blamed;
    d->back = fleet_arrival(f, f->now_ms, pool)->back;
    p->direct += d->back;
    if (f->s.defect.kind == DEFECT_REBOOT) /* was healthy until then; its return says it is not */
        p->healthy -= min64(d->back, p->healthy);
    *fleet_arrival(f, f->now_ms, pool) = (struct arrival){0};
}

/* `n` devices, `failed` of them; those that are tracked. Which they are has nothing to do with who
 * fails: a rounded n with failures of its own made few devices look worse than many. */
static void tracked(struct fleet *f, double share, int64_t n, int64_t failed, int32_t *ret_n,
                    int32_t *ret_f)
{
    int64_t bad = min64(failed, n), kept = n;

    if (share < 1.0) {
        kept = random_binomial(&f->random, n, share);
        bad = random_hypergeometric(&f->random, bad, n - bad, kept);
    }
    *ret_n = (int32_t)kept;
    *ret_f = (int32_t)bad;
}

/* SF: those just admitted against the controls; late joiners against those first ready when they
 * were. */
static void record_first(struct fleet *f, struct pool *p, struct day *d, struct trial *t)
{
    struct random *r = &f->random;
    const struct scenario_life *l = &f->s.life;
    struct counts *sf = &t->of[METRIC_SF];
    int64_t fail_c = d->silent_c + d->customer_c, fail_t = d->s.load_main + d->silent_main;
    int64_t new_c = d->late_fresh > 0 ? p->ready_new : 0, new_fail;

    fail_t += random_binomial(r, d->main - fail_t, l->slow_share + l->gap_share);
    fail_c += random_binomial(r, p->ready_aw - fail_c, l->gap_share);
    new_fail = random_hypergeometric(r, fail_c, p->ready_aw - fail_c, new_c);
    tracked(f, f->tracked, d->main, fail_t, &sf->n_t, &sf->f_t);
    tracked(f, f->tracked, p->ready_aw - new_c, fail_c - new_fail, &sf->n_c, &sf->f_c);
    if (new_c == 0)
        return;
    fail_t = random_hypergeometric(r, d->s.load_late + d->silent_a - d->silent_main,
                                   d->late - d->s.load_late - d->silent_a + d->silent_main,
                                   d->late_fresh);
    tracked(f, f->tracked, d->late_fresh, fail_t, &t->late.n_t, &t->late.f_t);
    tracked(f, f->tracked, new_c, new_fail, &t->late.n_c, &t->late.f_c);
}

static void record_silence(struct fleet *f, struct pool *p, struct day *d, struct trial *t)
{
    struct random *r = &f->random;
    double joined = p->admitted > 0 ? 1.0 - (double)p->admitted_late / (double)p->admitted : 1.0;
    double share_t = f->tracked * joined, share_c = f->tracked;
    bool world = f->s.world.asleep_share > 0.0;
    int64_t n = p->treated_aw + d->adm, dead = d->s.load_main + d->s.load_late + d->s.die;
    int64_t long_t = d->silent_t + d->silent_a, long_c = d->silent_c;
    struct counts *sa = &t->of[METRIC_SA], *sl = &t->of[METRIC_SL], *rb = &t->of[METRIC_RB];

    dead += d->at_reboot + d->customer_t;
    tracked(f, share_t, n, long_t + dead + d->slow5_t, &sa->n_t, &sa->f_t);
    tracked(f, share_c, p->ready_aw, long_c + d->customer_c + d->slow5_c, &sa->n_c, &sa->f_c);
    if (!world) {
        long_t = random_binomial(r, long_t, f->s.life.long_silence_share);
        long_c = random_binomial(r, long_c, f->s.life.long_silence_share);
    }
    tracked(f, share_t, n, long_t + dead + d->slow15_t, &sl->n_t, &sl->f_t);
    tracked(f, share_c, p->ready_aw, long_c + d->customer_c + d->slow15_c, &sl->n_c, &sl->f_c);
    tracked(f, joined, d->reboot_t, d->at_reboot + d->slow15_t, &rb->n_t, &rb->f_t);
    tracked(f, 1.0, d->reboot_c, d->slow15_c, &rb->n_c, &rb->f_c);
}

/* CR: all staged devices, by event; of the controls' crashes their consumers' are told apart. */
static void record_crashes(struct fleet *f, struct pool *p, struct day *d, struct trial *t)
{
    double joined = p->admitted > 0 ? 1.0 - (double)p->admitted_late / (double)p->admitted : 1.0;
    struct counts *cr = &t->of[METRIC_CR];
    int64_t treated = d->crash_t + d->s.rolled_back + d->hostile + d->back;
    int64_t ready = d->crash_c;

    t->consumer_c = (int32_t)random_binomial(&f->random, d->crash_c, f->s.life.consumer_share);
    if (d->flaky_t + d->flaky_c > 0) {
        int64_t flaky_c = random_binomial(&f->random, d->flaky_c, unknown_flaky(f));

        treated += random_binomial(&f->random, d->flaky_t, unknown_flaky(f));
        ready += flaky_c;
        t->consumer_c += (int32_t)flaky_c;
    }
    tracked(f, joined, p->treated_aw + d->adm, treated, &cr->n_t, &cr->f_t);
    tracked(f, 1.0, p->ready_aw, ready, &cr->n_c, &cr->f_c);
}

/* Figures: tracked devices; what the release does is said once, as it is counted. */
static void record_figures(struct fleet *f, struct pool *p, struct day *d, struct trial *t)
{
    double joined = p->admitted > 0 ? 1.0 - (double)p->admitted_late / (double)p->admitted : 1.0;
    int64_t treated = p->treated_aw + d->adm, above_t, above_c;

    if (f->policy.n_extras == 0)
        return;
    above_t = random_poisson(&f->random, (double)treated * d->w->figure) + d->s.ill;
    above_c = random_poisson(&f->random, (double)p->ready_aw * d->w->figure);
    tracked(f, f->tracked * joined, treated, above_t, &t->figure.n_t, &t->figure.f_t);
    tracked(f, f->tracked, p->ready_aw, above_c, &t->figure.n_c, &t->figure.f_c);
}

/* Devices that wake up or fall asleep in a state where nobody counts them. */
static void sleep_and_wake(struct fleet *f, const struct day *d, int64_t *aw, int64_t *sl)
{
    int64_t down = random_binomial(&f->random, *aw, d->goodbye);
    int64_t up = random_binomial(&f->random, *sl, d->w->wake);

    *aw += up - down;
    *sl += down - up;
}

static void move_controls(struct fleet *f, struct pool *p, const struct day *d)
{
    struct random *r = &f->random;
    int64_t down = d->bye_c + d->silent_c + d->customer_c;
    int64_t up = random_binomial(r, p->ready_sl, d->w->wake), staged, back;
    double stages = -expm1(-d->w->minutes / f->s.life.staged_min);

    p->ready_aw += up - down;
    p->ready_sl += down - up;
    sleep_and_wake(f, d, &p->idle_aw, &p->idle_sl);
    sleep_and_wake(f, d, &p->stage_aw, &p->stage_sl);
    sleep_and_wake(f, d, &p->passed_stage_aw, &p->passed_stage_sl);
    back = random_binomial(r, p->passed_sl, d->w->wake);
    p->passed_sl -= back;
    staged = random_binomial(r, p->stage_aw, stages);
    p->stage_aw -= staged;
    p->ready_aw += staged;
    p->ready_new = min64(staged + up, p->ready_aw);
    if (staged > 0 && f->s.life.flaky_share > 0.0) {
        int64_t n = random_binomial(r, staged, f->s.life.flaky_share);

        p->flaky_ready += n;
        p->fresh_ready += n;
    }
    staged = random_binomial(r, p->passed_stage_aw, stages);
    p->passed_stage_aw -= staged;
    p->late += staged + back;
    p->late_new = staged + back;
}

static void move_treated(struct fleet *f, struct pool *p, const struct day *d)
{
    struct random *r = &f->random;
    int64_t dead = d->s.load_main + d->s.load_late;
    int64_t lost = dead + d->s.die + d->s.rolled_back + d->at_reboot;
    int64_t down = d->bye_t + d->silent_t + d->customer_t + d->bye_a + d->silent_a;
    int64_t up = random_binomial(r, p->treated_sl, d->w->wake);
    int64_t excused = random_binomial(r, p->away_excused, d->w->wake);
    int64_t silent = random_binomial(r, p->away_silent, d->w->wake);

    p->treated_aw += d->adm - lost - down + up;
    p->treated_sl += down - up;
    p->lost += lost;
    p->away_excused += d->bye_a - excused;
    p->away_silent += d->silent_a - silent;
    p->pending += excused + silent;
    p->harm += lost + d->s.ill;
    p->stuck += lost - d->s.rolled_back - d->s.recover - d->reboot_recover;
}

void fleet_live(struct fleet *f, int pool, const struct weather *w, int64_t admit)
{
    struct pool *p = &f->pools[pool];
    struct trial *t = fleet_trial(f, f->tick, pool);
    struct day d = {.w = w};

    *t = (struct trial){0};
    d.goodbye = w->goodbye * random_gamma4(&f->random);
    d.silent = w->silent * random_gamma4(&f->random) + w->asleep;
    d.reboot = w->reboot * random_gamma4(&f->random);
    d.crash = w->crash * random_gamma4(&f->random);
    move_threshold(f, p, &d, admit);
    defect_strike(f, p, pool, w, d.main, d.late, &d.s);
    live_ordinarily(f, p, &d);
    if (d.at_reboot > 0)
        d.reboot_recover = defect_recover(f, pool, d.at_reboot);
    report(f, p, pool, &d);
    if (!w->outage) { /* else nobody is heard */
        record_first(f, p, &d, t);
        record_silence(f, p, &d, t);
        record_crashes(f, p, &d, t);
        record_figures(f, p, &d, t);
    }
    t->admitted = (int32_t)d.adm;
    t->acknowledged =
        (int32_t)(d.adm - d.s.load_main - d.s.load_late - d.silent_a - d.bye_a - d.hostile);
    move_treated(f, p, &d);
    move_controls(f, p, &d);
}
