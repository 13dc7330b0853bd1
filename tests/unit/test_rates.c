/* rates: intervals against published figures, the spread, and what they say of margins. */
#include "cmocka_all.h"

#include <math.h>
#include <string.h>

#include "calibrate/rates.h"

static void near(double is, double expected, double relative)
{
    if (fabs(is - expected) > relative * fabs(expected))
        fail_msg("%.12g, expected %.12g", is, expected);
}

/* R: binom.test(f, n)$conf.int */
static void bounds_are_exact(void **state)
{
    static const struct {
        double n, f, low, high;
    } rows[] = {{10, 0, 0, 0.3084971},
                {10, 1, 0.002528579, 0.4450161},
                {10, 10, 0.6915029, 1},
                {100, 5, 0.01643188, 0.1128349}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        near(rates_low(rows[i].n, rows[i].f, 0.025), rows[i].low, 1e-6);
        near(rates_high(rows[i].n, rows[i].f, 0.025), rows[i].high, 1e-6);
    }
    near(rates_high(1000, 0, 0.05), 1 - pow(0.05, 1e-3), 1e-9); /* the rule of three */
    near(rates_high(20, 0, 0.05), 0.1391, 1e-3);
    /* the exact and the normal bound meet */
    near(rates_high(1e9, 9999, 0.025), rates_high(1e9, 10001, 0.025), 1e-3);
    near(rates_low(1e9, 9999, 0.025), rates_low(1e9, 10001, 0.025), 1e-3);
}

static struct topology two_cohorts(void)
{
    struct topology t = {.n_os = 1, .os = {"linux"}, .n_cohorts = 2};

    strcpy(t.cohorts[0].name, "linux-a");
    strcpy(t.cohorts[1].name, "linux-b");
    t.cohorts[0].size = t.cohorts[1].size = 100000;
    return t;
}

/* 1,000 ticks of 1,000 devices in each cohort, 2 failures in each tick of the first; in bursts: all
 * 200 of 100 ticks at once. */
static void take(struct rates *r, int burst)
{
    const struct topology t = two_cohorts();

    for (int i = 0; i < 1000; i++) {
        struct rates_tick tick = {.trials = {1000, 1000}, .span_ms = 60000};

        if (i % burst == 0)
            tick.failures[0] = 2 * burst;
        rates_take(r, METRIC_CR, &t, &tick);
    }
}

static void bursts_widen_the_interval(void **state)
{
    struct rates even = {0}, bursts = {0};
    struct rate_figure a, b;

    (void)state;
    take(&even, 1);
    take(&bursts, 100);
    a = rates_figure(&even.rows[0].of[METRIC_CR]);
    b = rates_figure(&bursts.rows[0].of[METRIC_CR]);
    near(a.rate, 0.002, 1e-12);
    near(b.rate, 0.002, 1e-12);
    assert_true(a.spread < 0.01);
    near(b.spread, 198, 0.02);
    near(a.high, rates_high(1e6, 2000, 0.025), 1e-12);
    assert_true(b.high > 1.4 * b.rate && b.low < 0.7 * b.rate);
    assert_int_equal(rates_figure(&even.rows[1].of[METRIC_CR]).rate, 0);
    near(rates_figure(&even.fleet[METRIC_CR]).rate, 0.001, 1e-12);
    near(rates_crashes_day(&even.rows[0].of[METRIC_CR]), 0.002 * 1440, 1e-12);
    assert_true(rates_figure(&even.fleet[METRIC_RB]).high >= 1); /* nothing is known of it */
}

/* Many failures show a margin, few do not, none never; a wider margin is easier. */
static void margins_need_failures(void **state)
{
    struct rates many = {0}, none = {0};
    struct rates_ring ring = {
        .rho = 1.5, .share = 0.1, .bake_ms = 3600000, .span_ms = 60000, .scale = 1};
    const struct topology t = two_cohorts();
    const struct rates_tick quiet = {.trials = {1000, 1000}, .span_ms = 60000};
    struct rates_margin m, wider;

    (void)state;
    take(&many, 1);
    rates_take(&none, METRIC_CR, &t, &quiet);
    m = rates_margin(&many, METRIC_CR, &ring);
    assert_true(m.expected > 0 && m.bakes > 0);
    near(m.bakes * m.expected / 4, m.needed, 1e-9);
    ring.rho = 3;
    wider = rates_margin(&many, METRIC_CR, &ring);
    assert_true(wider.expected > m.expected);
    assert_true(wider.expected > wider.needed);
    ring.scale = 0.01; /* a fleet of a hundredth */
    assert_true(rates_margin(&many, METRIC_CR, &ring).expected < m.needed);
    m = rates_margin(&none, METRIC_CR, &ring);
    assert_true(m.expected <= 0 && m.bakes <= 0);
}

/* What is expected is what the gate would add up over batches drawn at that rate. */
static void expected_is_the_mean(void **state)
{
    struct rates r = {0};
    const struct topology t = two_cohorts();
    const struct rates_tick tick = {.trials = {1000, 0}, .failures = {2, 0}, .span_ms = 1000};
    const struct rates_ring ring = {
        .rho = 2, .share = 0.25, .bake_ms = 1000, .span_ms = 1000, .scale = 1};
    double sum = 0.0;

    (void)state;
    rates_take(&r, METRIC_SL, &t, &tick);
    for (int ft = 0; ft < 14; ft++) /* Poisson, 0.5 and 1.5 on average */
        for (int fc = 0; fc < 20; fc++)
            sum += exp(-2.0 + ft * log(0.5) + fc * log(1.5) - lgamma(ft + 1.0) - lgamma(fc + 1.0)) *
                   batch_log_ni(250, ft, 750, fc, 2);
    near(rates_margin(&r, METRIC_SL, &ring).expected, 4 * sum, 1e-6);
}

static void sums_outlast_the_store(void **state)
{
    struct rates r = {.admitted = 7, .direct = 1, .goodbyes = 3}, again;
    json_auto_t *o = NULL, *bad = json_loads("{\"fleet\": {\"SF\": [1, 2, 1, 0.0, 0.0]}}", 0, NULL);
    struct err err = {0};

    (void)state;
    take(&r, 10);
    o = rates_to_json(&r);
    assert_int_equal(rates_from_json(o, &again, &err), 0);
    assert_memory_equal(&r, &again, sizeof r);
    assert_int_equal(rates_from_json(bad, &again, &err), -ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_exact),       cmocka_unit_test(bursts_widen_the_interval),
        cmocka_unit_test(margins_need_failures),  cmocka_unit_test(expected_is_the_mean),
        cmocka_unit_test(sums_outlast_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
