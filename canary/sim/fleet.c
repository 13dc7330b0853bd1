#include "fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_state.h"

#define ALL_PPM         1000000
#define ACK_INTERVALS   3   /* from a permit to the second check-in after applying */
#define SF_INTERVALS    4   /* silent so long, an outage looks like a missing first check-in */
#define SA_INTERVALS    6   /* ... like a silence */
#define FOUND_TICKS     2   /* until a time that is over is seen to be */
#define AWAKE_TICKS     2   /* not heard for so many, a device counts as away */
#define LATER_QUANTILE  3.4 /* sigmas of the lognormal that are remembered */
#define MAX_HISTORY     200000
#define STREAM_OF_FLEET 0x666c656574ULL

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- making one ---- */

/* SF and SA count intervals, the others are times. */
static bool counts_intervals(enum metric m)
{
    return m == METRIC_SF || m == METRIC_SA;
}

/* From the end of a tick until its trials are known: the policy's time, and the ticks in which a
 * server finds out. */
static int64_t lag_ms(const struct fleet *f, enum metric m)
{
    const struct policy *p = &f->policy;

    if (m == METRIC_SL)
        return p->long_silence_ms + FOUND_TICKS * p->tick_ms;
    if (m == METRIC_RB)
        return p->reboot_window_ms + FOUND_TICKS * p->tick_ms;
    return metric_lag_ticks(m) * p->tick_ms;
}

/* As far back as any rule looks. */
static int history_ticks(const struct fleet *f)
{
    const struct policy *p = &f->policy;
    double span = (double)p->slow_window_ms;

    for (int m = 0; m < N_METRICS; m++)
        if (!counts_intervals((enum metric)m))
            span = fmax(span, (double)lag_ms(f, (enum metric)m));
    span = fmax(span, f->s.life.soak_min * MINUTE_MS);
    if (f->s.defect.kind == DEFECT_LATER)
        span = fmax(span,
                    f->s.defect.median_min * exp(LATER_QUANTILE * f->s.defect.sigma) * MINUTE_MS);
    span =
        span / (double)p->fast_tick_ms + (double)max64(metric_lag_ticks(METRIC_SA), p->stuck_ticks);
    return span < MAX_HISTORY - 8 ? (int)span + 8 : MAX_HISTORY;
}

static int bucket_count(const struct fleet *f)
{
    double latest = fmax(f->s.life.report_min, f->s.defect.recover_max_min) * MINUTE_MS;

    return (int)((latest + (double)f->policy.tick_ms) / (double)f->grain_ms) + 4;
}

static void add_pool(struct fleet *f, int cohort, bool canary, int64_t size, double asleep)
{
    struct pool *p = &f->pools[f->n_pools++];

    *p = (struct pool){.cohort = cohort, .canary = canary, .size = size};
    p->idle_sl = random_binomial(&f->random, size, asleep);
    p->idle_aw = size - p->idle_sl;
}

/* Drawn without replacement: k of the devices, by pool. */
static void spread(struct fleet *f, int64_t k,
                   int64_t (*of)(const struct fleet *, const struct pool *), int64_t *ret)
{
    int64_t left = 0;

    for (int i = 0; i < f->n_pools; i++)
        left += of(f, &f->pools[i]);
    k = min64(k, left);
    for (int i = 0; i < f->n_pools; i++) {
        int64_t n = of(f, &f->pools[i]);

        left -= n;
        ret[i] = random_hypergeometric(&f->random, n, left, k);
        k -= ret[i];
    }
}

static int64_t all_of(const struct fleet *f, const struct pool *p)
{
    (void)f;
    return p->size;
}

static void make_pools(struct fleet *f)
{
    const struct scenario *s = &f->s;
    double asleep = random_between(&f->random, s->life.asleep_min_share, s->life.asleep_max_share);
    int64_t hostile =
        min64((int64_t)(s->world.hostile_share * (double)s->fleet), s->world.hostile_max);
    int64_t by_pool[FLEET_MAX_POOLS], canaries = s->canaries, left = s->fleet;

    for (int c = 0; c < s->topology.n_cohorts; c++) {
        int64_t size = s->topology.cohorts[c].size;
        int64_t n = random_hypergeometric(&f->random, size, left - size, canaries);

        left -= size;
        canaries -= n;
        add_pool(f, c, false, size - n, asleep);
        if (n > 0)
            add_pool(f, c, true, n, asleep);
    }
    spread(f, hostile, all_of, by_pool);
    for (int i = 0; i < f->n_pools; i++)
        f->pools[i].hostile = by_pool[i];
}

static int allocate(struct fleet *f, struct err *err)
{
    size_t n = (size_t)f->history, pools = (size_t)f->n_pools;

    f->times = calloc(n, sizeof(*f->times));
    f->trials = calloc(n * pools, sizeof(*f->trials));
    f->arrivals = calloc((size_t)f->buckets * pools, sizeof(*f->arrivals));
    f->later_chance = calloc(n, sizeof(*f->later_chance));
    f->later_direct_chance = calloc(n, sizeof(*f->later_direct_chance));
    if (!f->times || !f->trials || !f->arrivals || !f->later_chance || !f->later_direct_chance)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

int fleet_new(const struct scenario *s, const struct policy *p, uint64_t seed, struct fleet **ret,
              struct err *err)
{
    struct fleet *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return err_set(err, ERR_NOMEM, "out of memory");
    f->s = *s;
    f->policy = *p;
    f->topology = s->topology;
    f->tracked = 1.0;
    f->customer_tick = -1;
    f->grain_ms = p->fast_tick_ms;
    random_init(&f->random, seed, STREAM_OF_FLEET);
    f->day_min = random_between(&f->random, 0.0, 1440.0);
    f->world_min = random_between(&f->random, s->world.at_min, s->world.at_max_min);
    make_pools(f);
    f->history = history_ticks(f);
    f->buckets = bucket_count(f);
    r = allocate(f, err);
    if (r < 0) {
        fleet_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    free(f->times);
    free(f->trials);
    free(f->arrivals);
    free(f->later_chance);
    free(f->later_direct_chance);
    free(f->batches);
    free(f);
}

const struct topology *fleet_topology(const struct fleet *f)
{
    return &f->topology;
}

/* ---- orders ---- */

void fleet_orders_of(const struct rollout_decision *d, int n_cohorts, struct fleet_orders *ret)
{
    *ret = (struct fleet_orders){.fleet_wide = d->fleet_wide,
                                 .admit_fleet = d->admit_fleet,
                                 .admit_canary = d->admit_canary};
    memcpy(ret->admit, d->admit, sizeof(ret->admit));
    for (int c = 0; c < n_cohorts; c++)
        ret->stage_ppm[c] = max64(d->stage_ppm, d->stage_cohort_ppm[c]);
}

void fleet_recall(struct fleet *f, int cohort)
{
    f->recalled[cohort] = true;
}

/* Whenever y rises, the marks of first events are reset in both arms. */
static void stage_pool(struct fleet *f, struct pool *p, double share)
{
    double more = (share - p->asked) / (1.0 - p->asked);
    int64_t aw, sl;

    if (!(share > p->asked))
        return;
    aw = random_binomial(&f->random, p->idle_aw, more);
    sl = random_binomial(&f->random, p->idle_sl, more);
    p->idle_aw -= aw;
    p->idle_sl -= sl;
    p->stage_aw += aw;
    p->stage_sl += sl;
    p->asked = share;
    p->fresh_treated = p->flaky_treated;
    p->fresh_ready = p->flaky_ready;
}

/* Ring 1 staged before the clock started. */
static void stage_at_once(struct fleet *f, struct pool *p)
{
    int64_t flaky = random_binomial(&f->random, p->stage_aw, f->s.life.flaky_share);

    p->ready_aw += p->stage_aw;
    p->stage_aw = 0;
    p->flaky_ready += flaky;
    p->fresh_ready += flaky;
}

/* The canary group is exempt from the staging share. */
static void stage(struct fleet *f, const struct fleet_orders *o)
{
    for (int i = 0; i < f->n_pools; i++) {
        struct pool *p = &f->pools[i];

        stage_pool(f, p, p->canary ? 1.0 : (double)o->stage_ppm[p->cohort] / ALL_PPM);
        if (f->tick == 0 && f->s.prestaged)
            stage_at_once(f, p);
    }
}

static int64_t live_late(const struct fleet *f, const struct pool *p)
{
    return f->recalled[p->cohort] ? 0 : p->late;
}

static int64_t live_ready(const struct fleet *f, const struct pool *p)
{
    return f->recalled[p->cohort] ? 0 : p->ready_aw;
}

static int64_t canary_late(const struct fleet *f, const struct pool *p)
{
    return p->canary ? live_late(f, p) : 0;
}

static int64_t canary_ready(const struct fleet *f, const struct pool *p)
{
    return p->canary ? live_ready(f, p) : 0;
}

/* The k lowest draws: late joiners have the lowest of all. */
static void share_out(struct fleet *f, int64_t k,
                      int64_t (*late)(const struct fleet *, const struct pool *),
                      int64_t (*ready)(const struct fleet *, const struct pool *), int64_t *ret)
{
    int64_t first[FLEET_MAX_POOLS], then[FLEET_MAX_POOLS];

    spread(f, k, late, first);
    for (int i = 0; i < f->n_pools; i++)
        k -= first[i];
    spread(f, k, ready, then);
    for (int i = 0; i < f->n_pools; i++)
        ret[i] = first[i] + then[i];
}

/* A cohort's permits go to its pools: usually there is one. */
static void share_out_cohort(struct fleet *f, int c, int64_t k, int64_t *ret)
{
    for (int i = 0; i < f->n_pools; i++) {
        struct pool *p = &f->pools[i];
        int64_t others = 0, n;

        if (p->cohort != c || f->recalled[c])
            continue;
        for (int j = i + 1; j < f->n_pools; j++)
            if (f->pools[j].cohort == c)
                others += f->pools[j].late + f->pools[j].ready_aw;
        n = min64(k, p->late + p->ready_aw + others);
        ret[i] = random_hypergeometric(&f->random, p->late + p->ready_aw, others, n);
        k -= ret[i];
    }
}

static void grant(struct fleet *f, const struct fleet_orders *o, int64_t ret[FLEET_MAX_POOLS])
{
    memset(ret, 0, FLEET_MAX_POOLS * sizeof(ret[0]));
    if (o->admit_canary > 0)
        share_out(f, o->admit_canary, canary_late, canary_ready, ret);
    else if (o->fleet_wide)
        share_out(f, o->admit_fleet, live_late, live_ready, ret);
    else
        for (int c = 0; c < f->topology.n_cohorts; c++)
            share_out_cohort(f, c, o->admit[c], ret);
}

/* ---- arrivals ---- */

struct arrival *fleet_arrival(struct fleet *f, int64_t at_ms, int pool)
{
    int64_t bucket = max64(at_ms / f->grain_ms, f->drained);

    return &f->arrivals[(size_t)(bucket % f->buckets) * (size_t)f->n_pools + (size_t)pool];
}

/* All that arrives during the tick is moved to its first bucket. */
static void gather_arrivals(struct fleet *f, int64_t tick_ms)
{
    int64_t last = (f->now_ms + tick_ms - 1) / f->grain_ms, now = f->now_ms / f->grain_ms;

    for (int64_t b = f->drained; b <= last; b++)
        for (int i = 0; i < f->n_pools && b != now; i++) {
            struct arrival *from =
                &f->arrivals[(size_t)(b % f->buckets) * (size_t)f->n_pools + (size_t)i];
            struct arrival *to =
                &f->arrivals[(size_t)(now % f->buckets) * (size_t)f->n_pools + (size_t)i];

            to->blamed += from->blamed;
            to->back += from->back;
            *from = (struct arrival){0};
        }
    f->drained = now;
}

/* ---- facts ---- */

/* Who was heard last before an outage is not heard in time; during it nobody is, so that there are
 * no trials. */
static bool outage_fails(const struct fleet *f, enum metric m, int64_t tick)
{
    const struct tick_time *t = fleet_time(f, tick);
    double at = (double)t->start_ms / MINUTE_MS, interval = (double)t->len_ms / MINUTE_MS;
    double needs = m == METRIC_SF ? SF_INTERVALS * interval
                   : m == METRIC_SA
                       ? SA_INTERVALS * interval
                       : (double)(f->policy.long_silence_ms + f->policy.tick_ms) / MINUTE_MS;

    return m != METRIC_CR && f->s.world.outage_min > 0.0 && at >= f->world_min - interval &&
           at < f->world_min && at + needs <= f->world_min + f->s.world.outage_min;
}

static int add_batch(struct fleet *f, const struct batch *b, struct err *err)
{
    if (f->n_batches == f->max_batches) {
        int more = f->max_batches > 0 ? 2 * f->max_batches : 256;
        struct batch *grown = realloc(f->batches, (size_t)more * sizeof(*grown));

        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory");
        f->batches = grown;
        f->max_batches = more;
    }
    f->batches[f->n_batches++] = *b;
    return 0;
}

/* What is said in a tick is known at its end. */
static int resolve_figures(struct fleet *f, struct err *err)
{
    int r = 0;

    for (; f->policy.n_extras > 0 && f->figure_due < f->tick && r == 0; f->figure_due++)
        for (int i = 0; i < f->n_pools && r == 0; i++) {
            const struct counts *c = &fleet_trial(f, f->figure_due, i)->figure;
            const struct batch b = {.metric = (enum metric)N_METRICS,
                                    .cohort = f->pools[i].cohort,
                                    .stratum = f->pools[i].canary ? STRATUM_CANARY : STRATUM_MAIN,
                                    .tick = f->figure_due,
                                    .n_t = c->n_t,
                                    .f_t = c->f_t,
                                    .n_c = c->n_c,
                                    .f_c = c->f_c};

            if (b.n_t > 0)
                r = add_batch(f, &b, err);
        }
    return r;
}

static int resolve_counts(struct fleet *f, enum metric m, int64_t tick, int pool, bool late,
                          struct err *err)
{
    const struct trial *t = fleet_trial(f, tick, pool);
    const struct counts *c = late ? &t->late : &t->of[m];
    const struct pool *p = &f->pools[pool];
    struct batch b = {.metric = m,
                      .cohort = p->cohort,
                      .stratum = p->canary ? STRATUM_CANARY
                                 : late    ? STRATUM_LATE
                                           : STRATUM_MAIN,
                      .tick = tick,
                      .n_t = c->n_t,
                      .f_t = c->f_t,
                      .n_c = c->n_c,
                      .f_c = c->f_c};

    if (outage_fails(f, m, tick)) {
        b.f_t = b.n_t;
        b.f_c = b.n_c;
    }
    if (m == METRIC_SF) {
        f->pause_controls += b.n_c;
        f->pause_silent += b.f_c;
    }
    return b.n_t > 0 ? add_batch(f, &b, err) : 0;
}

static bool is_due(const struct fleet *f, enum metric m, int64_t tick)
{
    const struct tick_time *t = fleet_time(f, tick);

    if (counts_intervals(m))
        return f->tick - tick >= metric_lag_ticks(m);
    return f->now_ms - t->start_ms - t->len_ms >= lag_ms(f, m);
}

/* Silent controls that share no cause sit in different enrolment groups; a customer's sit in one.
 */
static void add_pause_facts(const struct fleet *f, struct rollout_facts *ret)
{
    int64_t alone = f->pause_silent;

    ret->tick_controls = f->pause_controls;
    ret->silent_controls = f->pause_silent;
    ret->groups = f->s.groups;
    if (f->customer_tick >= 0 && f->tick - f->customer_tick == metric_lag_ticks(METRIC_SF)) {
        alone = 0;
        for (int i = 0; i < f->n_pools; i++)
            if (f->pools[i].cohort != 0)
                alone += fleet_trial(f, f->customer_tick, i)->of[METRIC_SF].f_c;
        alone++;
    }
    ret->silent_groups = (int)min64(alone, f->s.groups);
}

static int resolve(struct fleet *f, struct rollout_facts *ret, struct err *err)
{
    int r = 0;

    f->n_batches = 0;
    f->pause_controls = f->pause_silent = 0;
    for (int m = 0; m < N_METRICS && r == 0; m++)
        for (; f->due[m] < f->tick && is_due(f, (enum metric)m, f->due[m]); f->due[m]++)
            for (int i = 0; i < f->n_pools && r == 0; i++) {
                r = resolve_counts(f, (enum metric)m, f->due[m], i, false, err);
                if (r == 0 && m == METRIC_SF && fleet_trial(f, f->due[m], i)->late.n_t > 0)
                    r = resolve_counts(f, METRIC_SF, f->due[m], i, true, err);
            }
    if (r == 0)
        r = resolve_figures(f, err);
    ret->batches = f->batches;
    ret->n_batches = f->n_batches;
    add_pause_facts(f, ret);
    return r;
}

/* Acknowledgements come with the third check-in; while telemetry is out they wait. */
static void acknowledge(struct fleet *f, bool outage)
{
    int64_t from = f->tick - ACK_INTERVALS;

    for (int i = 0; i < f->n_pools; i++) {
        struct pool *p = &f->pools[i];

        p->pending += from >= 0 ? fleet_trial(f, from, i)->acknowledged : 0;
        if (!outage) {
            p->healthy += p->pending;
            p->pending = 0;
        }
        fleet_trial(f, f->tick, i)->healthy = (int32_t)p->healthy;
        p->recent += fleet_trial(f, f->tick, i)->admitted;
        p->soaking += fleet_trial(f, f->tick, i)->admitted;
    }
}

/* What was admitted long enough ago is neither recent nor soaking any more. */
static void forget_admissions(struct fleet *f)
{
    int64_t soak = min64((int64_t)(f->s.life.soak_min * MINUTE_MS), f->policy.direct_window_ms);

    for (; f->recent_from <= f->tick - f->policy.stuck_ticks; f->recent_from++)
        for (int i = 0; i < f->n_pools; i++)
            f->pools[i].recent -= fleet_trial(f, f->recent_from, i)->admitted;
    for (; f->soak_from < f->tick && fleet_time(f, f->soak_from)->start_ms + soak < f->now_ms;
         f->soak_from++)
        for (int i = 0; i < f->n_pools; i++)
            f->pools[i].soaking -= fleet_trial(f, f->soak_from, i)->admitted;
    while (f->slow_from < f->tick && fleet_time(f, f->slow_from + 1)->start_ms +
                                             fleet_time(f, f->slow_from + 1)->len_ms +
                                             f->policy.slow_window_ms <=
                                         f->now_ms)
        f->slow_from++;
}

static int64_t healthy_slow(const struct fleet *f, int pool)
{
    const struct tick_time *t = fleet_time(f, f->slow_from);

    if (t->start_ms + t->len_ms + f->policy.slow_window_ms > f->now_ms)
        return 0;
    return fleet_trial(f, f->slow_from, pool)->healthy;
}

static void add_facts(struct fleet *f, int pool, struct cohort_facts *to)
{
    const struct pool *p = &f->pools[pool];
    int64_t overdue = p->admitted - p->healthy - p->away_excused - p->recent;
    int64_t here = p->ready_aw + p->late + p->stage_aw + p->passed_stage_aw;

    to->away += p->ready_sl + p->stage_sl + p->passed_sl + p->passed_stage_sl;
    to->passed_away += p->passed_sl + p->passed_stage_aw + p->passed_stage_sl;
    if (f->unheard < AWAKE_TICKS) {
        to->ready += p->ready_aw;
        to->late += p->late;
        to->staging += p->stage_aw;
        to->heard += min64(p->treated_aw, p->admitted);
        to->canary_ready += p->canary ? p->ready_aw : 0;
    } else {
        to->away += here;
        to->canary_away += p->canary ? here : 0;
        to->passed_away += p->late;
    }
    to->admitted += p->admitted;
    to->healthy += p->healthy;
    to->healthy_slow += min64(healthy_slow(f, pool), p->healthy);
    to->excused += p->away_excused;
    to->overdue += max64(overdue, 0);
    to->direct += p->direct;
    to->soaking += min64(p->soaking, p->treated_aw);
    to->control_crashes += min64(fleet_trial(f, f->tick, pool)->consumer_c,
                                 fleet_trial(f, f->tick, pool)->of[METRIC_CR].n_c);
    to->controls += fleet_trial(f, f->tick, pool)->of[METRIC_CR].n_c;
    if (!p->canary)
        return;
    to->canary_size += p->size;
    to->canary_admitted += p->admitted;
    to->canary_away += p->ready_sl + p->stage_sl + p->passed_sl + p->passed_stage_sl;
}

/* V falls when the budget of check-ins would be exceeded, before anybody new is treated; it never
 * rises. */
static void set_tracking(struct fleet *f, int64_t tick_ms)
{
    double awake = 0.0;

    for (int i = 0; i < f->n_pools; i++)
        awake += (double)(f->pools[i].ready_aw + f->pools[i].treated_aw + f->pools[i].stage_aw);
    if (awake > 0.0)
        f->tracked =
            fmin(f->tracked, (double)f->policy.budget_s * (double)tick_ms / 1000.0 / awake);
}

static void note_load(struct fleet *f, int64_t tick_ms)
{
    double requests = 0.0;

    for (int i = 0; i < f->n_pools; i++)
        requests += (double)(f->pools[i].ready_aw + f->pools[i].treated_aw) * f->tracked +
                    ACK_INTERVALS * (double)fleet_trial(f, f->tick, i)->admitted;
    f->peak = fmax(f->peak, requests * 1000.0 / (double)tick_ms);
}

int fleet_step(struct fleet *f, const struct fleet_orders *o, int64_t tick_ms,
               struct rollout_facts *ret, struct err *err)
{
    int64_t admit[FLEET_MAX_POOLS];
    struct weather w;
    int r;

    *fleet_time(f, f->tick) = (struct tick_time){f->now_ms, tick_ms};
    fleet_weather(f, tick_ms, &w);
    f->unheard = w.outage ? f->unheard + 1 : 0;
    gather_arrivals(f, tick_ms);
    stage(f, o);
    set_tracking(f, tick_ms);
    grant(f, o, admit);
    for (int i = 0; i < f->n_pools; i++)
        fleet_live(f, i, &w, w.outage ? 0 : admit[i]);
    acknowledge(f, w.outage);
    f->now_ms += tick_ms;
    forget_admissions(f);
    *ret = (struct rollout_facts){.now_ms = f->now_ms,
                                  .tick = f->tick,
                                  .hears = true,
                                  .pace_ppm = scenario_pace_ppm(&f->s, f->now_ms)};
    r = resolve(f, ret, err);
    for (int i = 0; i < f->n_pools; i++)
        add_facts(f, i, &ret->cohorts[f->pools[i].cohort]);
    note_load(f, tick_ms);
    f->tick++;
    return r;
}

/* ---- looking at it ---- */

void fleet_totals(const struct fleet *f, struct fleet_totals *ret)
{
    *ret = (struct fleet_totals){.peak_checkins = f->peak};
    for (int i = 0; i < f->n_pools; i++) {
        ret->devices += f->pools[i].size;
        ret->admitted += f->pools[i].admitted;
        ret->harm += f->pools[i].harm;
        ret->stuck += f->pools[i].stuck;
    }
}

static int64_t pool_count(const struct pool *p)
{
    return p->idle_aw + p->idle_sl + p->stage_aw + p->stage_sl + p->ready_aw + p->ready_sl +
           p->passed_stage_aw + p->passed_stage_sl + p->passed_sl + p->late + p->treated_aw +
           p->treated_sl + p->lost;
}

int64_t fleet_count(const struct fleet *f, int cohort)
{
    int64_t n = 0;

    for (int i = 0; i < f->n_pools; i++)
        if (f->pools[i].cohort == cohort)
            n += pool_count(&f->pools[i]);
    return n;
}

static bool pool_is_sane(const struct pool *p)
{
    const int64_t counts[] = {p->idle_aw,
                              p->idle_sl,
                              p->stage_aw,
                              p->stage_sl,
                              p->ready_aw,
                              p->ready_sl,
                              p->passed_sl,
                              p->passed_stage_aw,
                              p->passed_stage_sl,
                              p->late,
                              p->treated_aw,
                              p->treated_sl,
                              p->lost,
                              p->ready_new,
                              p->late_new,
                              p->healthy,
                              p->away_excused,
                              p->away_silent,
                              p->pending,
                              p->harm,
                              p->stuck,
                              p->direct,
                              p->hostile,
                              p->flaky_treated,
                              p->flaky_ready,
                              p->recent,
                              p->soaking,
                              p->fresh_treated,
                              p->fresh_ready};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        if (counts[i] < 0)
            return false;
    return p->healthy + p->away_excused <= p->admitted && p->harm <= p->admitted;
}

bool fleet_is_sane(const struct fleet *f)
{
    for (int i = 0; i < f->n_pools; i++)
        if (!pool_is_sane(&f->pools[i]))
            return false;
    return true;
}
