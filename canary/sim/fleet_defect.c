/* What a bad release does to the devices that have it. One function per kind of defect; to add one:
 * a row in DEFECT_TABLE, its keys in scenario_file.c, its harm here. */
#include <math.h>

#include "fleet_state.h"

#define SQRT_HALF 0.70710678118654752

static bool hits(const struct fleet *f, const struct pool *p)
{
    return f->s.defect.hits[p->cohort] && !f->recalled[p->cohort];
}

static double lognormal_cdf(double x, double median, double sigma)
{
    return x > 0.0 ? 0.5 * erfc(-log(x / median) / sigma * SQRT_HALF) : 0.0;
}

/* LATER: what part of each past tick's admissions crashes in this one. */
void defect_weather(struct fleet *f, struct weather *w)
{
    const struct scenario_defect *d = &f->s.defect;
    double window = (double)f->policy.direct_window_ms / MINUTE_MS;
    int64_t first = f->tick - f->history + 1;

    if (d->kind != DEFECT_LATER)
        return;
    for (int64_t t = f->tick - 1; t >= 0 && t >= first; t--) {
        double age = w->at_min - (double)fleet_time(f, t)->start_ms / MINUTE_MS;
        double cdf = lognormal_cdf(age, d->median_min, d->sigma);
        double now = lognormal_cdf(age + w->minutes, d->median_min, d->sigma);

        f->later_chance[t % f->history] = (now - cdf) * d->share;
        f->later_direct_chance[t % f->history] = age < window ? (now - cdf) * d->share : 0.0;
    }
}

static void strike_later(struct fleet *f, const struct pool *p, int pool, struct strike *ret)
{
    int64_t first = f->tick - f->history + 1, crashed;
    double all = 0.0, direct = 0.0;

    for (int64_t t = f->tick - 1; t >= 0 && t >= first; t--) {
        double n = fleet_trial(f, t, pool)->admitted;

        all += n * f->later_chance[t % f->history];
        direct += n * f->later_direct_chance[t % f->history];
    }
    if (!(all > 0.0))
        return;
    crashed = random_poisson(&f->random, all);
    crashed = crashed < p->treated_aw ? crashed : p->treated_aw;
    ret->rolled_back = random_binomial(&f->random, crashed, f->s.defect.reported);
    ret->blamed = random_binomial(&f->random, ret->rolled_back, direct / all);
    ret->die = crashed - ret->rolled_back;
}

static double soaking_share(const struct pool *p)
{
    return p->treated_aw > 0 ? (double)p->soaking / (double)p->treated_aw : 0.0;
}

static void strike_hazard(struct fleet *f, const struct pool *p, const struct weather *w,
                          struct strike *ret)
{
    const struct scenario_life *l = &f->s.life;
    double more = l->crashes_h / HOUR_MIN * w->minutes * (f->s.defect.ratio - 1.0);
    int64_t n = random_poisson(&f->random, (double)p->treated_aw * more);

    ret->rolled_back = n < p->treated_aw ? n : p->treated_aw;
    ret->blamed = random_binomial(&f->random, ret->rolled_back, soaking_share(p));
}

void defect_strike(struct fleet *f, const struct pool *p, int pool, const struct weather *w,
                   int64_t main, int64_t late, struct strike *ret)
{
    const struct scenario_defect *d = &f->s.defect;

    *ret = (struct strike){0};
    if (!hits(f, p))
        return;
    switch (d->kind) {
    case DEFECT_NONE:
    case DEFECT_REBOOT:
    case N_DEFECTS:
        break;
    case DEFECT_LOAD:
        ret->load_main = random_binomial(&f->random, main, d->share);
        ret->load_late = random_binomial(&f->random, late, d->share);
        ret->recover = defect_recover(f, pool, ret->load_main + ret->load_late);
        break;
    case DEFECT_LATER:
        strike_later(f, p, pool, ret);
        break;
    case DEFECT_HAZARD:
        strike_hazard(f, p, w, ret);
        break;
    case DEFECT_BOMB:
        if (w->at_min >= d->from_min)
            ret->die = random_binomial(&f->random, p->treated_aw, d->per_min * w->minutes);
        break;
    case DEFECT_ILL:
        ret->ill = random_binomial(&f->random, main + late, d->share);
        break;
    }
}

int64_t defect_at_reboot(struct fleet *f, const struct pool *p, int64_t reboots)
{
    if (f->s.defect.kind != DEFECT_REBOOT || !hits(f, p))
        return 0;
    return random_binomial(&f->random, reboots, f->s.defect.share);
}

/* Uniformly between recover_min and recover_max_min from now. */
int64_t defect_recover(struct fleet *f, int pool, int64_t dead)
{
    const struct scenario_defect *d = &f->s.defect;
    int64_t all = random_binomial(&f->random, dead, d->recovers), left = all;
    int64_t from = f->now_ms + (int64_t)(d->recover_min * MINUTE_MS);
    int64_t to = f->now_ms + (int64_t)(d->recover_max_min * MINUTE_MS);

    for (int64_t at = from; left > 0; at += f->grain_ms) {
        int64_t slots = (to - at) / f->grain_ms + 1;
        int64_t n = slots > 1 ? random_binomial(&f->random, left, 1.0 / (double)slots) : left;

        fleet_arrival(f, at, pool)->back += (int32_t)n;
        left -= n;
    }
    return all;
}
