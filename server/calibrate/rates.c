/* rates: see rates.h. */
#include "calibrate/rates.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ERROR        0.025 /* on either side: 95 % */
#define MANY         10000 /* failures and successes from which a normal bound is exact enough */
#define MANY_SIGMA   1.959963984540054
#define MIN_FAILURES 5 /* to tell a spread */
#define DAY_MS       86400000.0
#define BAKES        4
#define PROOF_LN     2.995732273553991 /* ln 20, as in canary/rollout.c */
#define CALM         0.02
#define FEW          50.0 /* failures a batch, up to which each count is weighed */

/* --- sums ------------------------------------------------------------------------------------- */

static struct rates_row *row_of(struct rates *r, const char *name)
{
    for (int i = 0; i < r->n_rows; i++)
        if (strcmp(r->rows[i].name, name) == 0)
            return &r->rows[i];
    if (r->n_rows == GATE_MAX_COHORTS)
        return NULL;
    snprintf(r->rows[r->n_rows].name, sizeof r->rows[0].name, "%s", name);
    return &r->rows[r->n_rows++];
}

static void add(struct rate *r, int64_t trials, int64_t failures, int64_t span_ms)
{
    r->trials += trials;
    r->failures += failures;
    r->batches++;
    r->squares += (double)failures * (double)failures / (double)trials;
    r->device_ms += (double)trials * (double)span_ms;
}

void rates_take(struct rates *r, enum metric m, const struct topology *t,
                const struct rates_tick *tick)
{
    int64_t trials = 0, failures = 0;

    for (int c = 0; c < t->n_cohorts; c++) {
        struct rates_row *row;

        if (tick->trials[c] <= 0)
            continue;
        trials += tick->trials[c];
        failures += tick->failures[c];
        row = row_of(r, t->cohorts[c].name);
        if (row)
            add(&row->of[m], tick->trials[c], tick->failures[c], tick->span_ms);
    }
    if (trials > 0)
        add(&r->fleet[m], trials, failures, tick->span_ms);
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* Continued fraction of the incomplete beta function (Lentz). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0), h;

    d = 1.0 / (fabs(d) < 1e-300 ? 1e-300 : d);
    h = d;
    for (int i = 1; i < 2000; i++) {
        double m = i, even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step;

        d = 1.0 / (1.0 + even * d);
        c = 1.0 + even / c;
        h *= d * c;
        d = 1.0 / (1.0 + odd * d);
        c = 1.0 + odd / c;
        step = d * c;
        h *= step;
        if (fabs(step - 1.0) < 1e-14)
            break;
    }
    return h;
}

/* I_x(a, b): P(Bin(a + b - 1, x) >= a). */
static double beta_share(double a, double b, double x)
{
    int sign;
    double front;

    if (x <= 0.0 || x >= 1.0)
        return x <= 0.0 ? 0.0 : 1.0;
    front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) +
                b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0))
        return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* x with I_x(a, b) = share. */
static double beta_quantile(double a, double b, double share)
{
    double low = 0.0, high = 1.0;

    for (int i = 0; i < 64; i++) {
        double x = (low + high) / 2;

        if (beta_share(a, b, x) < share)
            low = x;
        else
            high = x;
    }
    return (low + high) / 2;
}

/* Wilson's bounds at ERROR, for counts so large that they are the same. */
static bool are_many(double trials, double failures, double error)
{
    return error == ERROR && failures > MANY && trials - failures > MANY;
}

static double wilson(double trials, double failures, double z)
{
    double p = failures / trials;
    double around = z * sqrt(p * (1.0 - p) / trials + z * z / (4.0 * trials * trials));

    return (p + z * z / (2.0 * trials) + around) / (1.0 + z * z / trials);
}

double rates_low(double trials, double failures, double error)
{
    if (!(failures > 0.0))
        return 0.0;
    if (are_many(trials, failures, error))
        return 1.0 - wilson(trials, trials - failures, MANY_SIGMA);
    return beta_quantile(failures, trials - failures + 1.0, error);
}

double rates_high(double trials, double failures, double error)
{
    if (!(trials > failures))
        return 1.0;
    if (are_many(trials, failures, error))
        return wilson(trials, failures, MANY_SIGMA);
    return beta_quantile(failures + 1.0, trials - failures, 1.0 - error);
}

/* --- figures ---------------------------------------------------------------------------------- */

/* Pearson's statistic over the ticks, by its degrees of freedom. */
static double spread_of(const struct rate *r)
{
    double n = (double)r->trials, f = (double)r->failures, p = f / n;

    if (r->failures < MIN_FAILURES || r->batches < 2 || p >= 1.0)
        return 1.0;
    return (r->squares - f * f / n) / (p * (1.0 - p)) / (double)(r->batches - 1);
}

struct rate_figure rates_figure(const struct rate *r)
{
    struct rate_figure ret = {.high = 1.0, .spread = 1.0};
    double by;

    if (r->trials <= 0)
        return ret;
    ret.rate = (double)r->failures / (double)r->trials;
    ret.spread = spread_of(r);
    by = ret.spread > 1.0 ? ret.spread : 1.0;
    ret.low = rates_low((double)r->trials / by, (double)r->failures / by, ERROR);
    ret.high = rates_high((double)r->trials / by, (double)r->failures / by, ERROR);
    return ret;
}

double rates_crashes_day(const struct rate *r)
{
    return r->device_ms > 0.0 ? (double)r->failures / r->device_ms * DAY_MS : 0.0;
}

/* --- margins ---------------------------------------------------------------------------------- */

/* Log evidence expected of one batch of n devices, each failing with p in either arm. */
static double expect_batch(double n, double p, double share, double rho)
{
    int64_t n_t = (int64_t)llround(n * share), n_c = (int64_t)llround(n) - n_t;
    double mean = (double)(n_t + n_c) * p, weight = exp(-mean), sum = 0.0;
    int64_t most = (int64_t)(mean + 12.0 * sqrt(mean) + 12.0);

    if (n_t <= 0 || n_c <= 0)
        return 0.0;
    if (mean > FEW) {
        sum = lng_lower(n_t, n_c, (int64_t)llround(mean), rho);
    } else {
        for (int64_t m = 0; m <= most && m <= n_t + n_c; m++) {
            sum += weight * lng_lower(n_t, n_c, m, rho);
            weight *= mean / (double)(m + 1);
        }
    }
    return sum - (double)n_t * p * log(rho);
}

struct rates_margin rates_margin(const struct rates *r, enum metric m,
                                 const struct rates_ring *ring)
{
    struct rates_margin ret = {.needed = PROOF_LN};
    double batch = 0.0, batches = (double)ring->bake_ms / (double)ring->span_ms;

    for (int i = 0; i < r->n_rows; i++) {
        const struct rate *of = &r->rows[i].of[m];
        double p;

        if (of->batches == 0 || !(of->device_ms > 0.0))
            continue;
        p = (double)of->failures / of->device_ms * (double)ring->span_ms;
        if (p <= CALM)
            batch += expect_batch((double)of->trials / (double)of->batches * ring->scale, p,
                                  ring->share, ring->rho);
    }
    ret.expected = batch * batches * BAKES;
    if (batch > 0.0 && batches > 0.0)
        ret.bakes = PROOF_LN / (batch * batches);
    return ret;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *rate_to_json(const struct rate of[N_METRICS])
{
    json_t *o = json_object();

    for (int m = 0; m < N_METRICS; m++)
        json_object_set_new(o, metric_name((enum metric)m),
                            json_pack("[I, I, I, f, f]", (json_int_t)of[m].trials,
                                      (json_int_t)of[m].failures, (json_int_t)of[m].batches,
                                      of[m].squares, of[m].device_ms));
    return o;
}

json_t *rates_to_json(const struct rates *r)
{
    json_t *rows = json_object();

    for (int i = 0; i < r->n_rows; i++)
        json_object_set_new(rows, r->rows[i].name, rate_to_json(r->rows[i].of));
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "fleet", rate_to_json(r->fleet),
                     "cohorts", rows, "admitted", (json_int_t)r->admitted, "direct",
                     (json_int_t)r->direct, "crashes", (json_int_t)r->crashes, "consumer_crashes",
                     (json_int_t)r->consumer_crashes, "goodbyes", (json_int_t)r->goodbyes,
                     "reboots", (json_int_t)r->reboots);
}

/* A metric that an earlier version did not know stays 0. */
static int rate_from_json(const json_t *o, struct rate of[N_METRICS], struct err *err)
{
    for (int m = 0; m < N_METRICS; m++) {
        const json_t *a = json_object_get(o, metric_name((enum metric)m));

        if (!a)
            continue;
        of[m] = (struct rate){.trials = json_integer_value(json_array_get(a, 0)),
                              .failures = json_integer_value(json_array_get(a, 1)),
                              .batches = json_integer_value(json_array_get(a, 2)),
                              .squares = json_number_value(json_array_get(a, 3)),
                              .device_ms = json_number_value(json_array_get(a, 4))};
        if (of[m].failures < 0 || of[m].trials < of[m].failures || of[m].batches < 0)
            return err_set(err, ERR_INVALID, "rates: %s cannot be", metric_name((enum metric)m));
    }
    return 0;
}

int rates_from_json(const json_t *o, struct rates *ret, struct err *err)
{
    const struct {
        const char *key;
        int64_t *to;
    } numbers[] = {{"admitted", &ret->admitted}, {"direct", &ret->direct},
                   {"crashes", &ret->crashes},   {"consumer_crashes", &ret->consumer_crashes},
                   {"goodbyes", &ret->goodbyes}, {"reboots", &ret->reboots}};
    const char *name;
    json_t *v;
    int r;

    memset(ret, 0, sizeof *ret);
    r = rate_from_json(json_object_get(o, "fleet"), ret->fleet, err);
    json_object_foreach (json_object_get(o, "cohorts"), name, v) {
        struct rates_row *row = r == 0 ? row_of(ret, name) : NULL;

        if (row)
            r = rate_from_json(v, row->of, err);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].to = json_integer_value(json_object_get(o, numbers[i].key));
    return r;
}
