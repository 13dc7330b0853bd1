/* random: moments and bounds of each sampler over its whole range, repeatability. */
#include "cmocka_all.h"

#include <math.h>

#include "random.h"

#define DRAWS 20000

struct moments {
    double mean, var;
    int64_t min, max;
};

struct sampler {
    int64_t (*draw)(struct random *r, const double *arg);
    double arg[3];
    double mean, var;
    int64_t min, max;
};

static int64_t binomial(struct random *r, const double *a)
{
    return random_binomial(r, (int64_t)a[0], a[1]);
}

static int64_t poisson(struct random *r, const double *a)
{
    return random_poisson(r, a[0]);
}

static int64_t hypergeometric(struct random *r, const double *a)
{
    return random_hypergeometric(r, (int64_t)a[0], (int64_t)a[1], (int64_t)a[2]);
}

#define BIN(n, p)                                                                                  \
    {                                                                                              \
        binomial, {n, p}, (double)(n) * (p), (double)(n) * (p) * (1 - (p)), 0, n                   \
    }
#define POI(m)                                                                                     \
    {                                                                                              \
        poisson, {m}, m, m, 0, INT64_MAX                                                           \
    }
#define HYP(k, o, s)                                                                               \
    {                                                                                              \
        hypergeometric, {k, o, s}, (double)(s) * (k) / ((k) + (o)),                                \
            (double)(s) * (k) / ((k) + (o)) * (o) / ((k) + (o)) * ((k) + (o) - (s)) /              \
                ((k) + (o)-1.0),                                                                   \
            (s) > (o) ? (s) - (o) : 0, (s) < (k) ? (s) : (k)                                       \
    }

static const struct sampler samplers[] = {
    BIN(1, 0.5),
    BIN(7, 0.01),
    BIN(30, 0.3),
    BIN(30, 0.97),
    BIN(1000, 0.0099),
    BIN(1000, 0.0101),
    BIN(1000, 0.4),
    BIN(8500000, 1e-6),
    BIN(8500000, 0.12),
    BIN(8500000, 0.999),
    BIN(100000000, 0.5),
    POI(0.001),
    POI(2.5),
    POI(9.9),
    POI(10.1),
    POI(1234.0),
    POI(5e6),
    HYP(3, 5, 4),
    HYP(50, 50, 8),
    HYP(20, 4000, 900),
    HYP(4000, 20, 900),
    HYP(300, 400, 650),
    HYP(1000, 8000000, 4000000),
    HYP(7000000, 1500000, 2000),
};

static struct moments moments_of(const struct sampler *s)
{
    struct moments m = {.min = INT64_MAX, .max = INT64_MIN};
    double sum = 0.0, squares = 0.0;
    struct random r;

    random_init(&r, 42, 7);
    for (int i = 0; i < DRAWS; i++) {
        int64_t k = s->draw(&r, s->arg);
        double d = (double)k - s->mean;

        sum += d;
        squares += d * d;
        m.min = k < m.min ? k : m.min;
        m.max = k > m.max ? k : m.max;
    }
    m.mean = s->mean + sum / DRAWS;
    m.var = squares / DRAWS;
    return m;
}

static void samplers_have_their_moments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samplers) / sizeof(samplers[0]); i++) {
        const struct sampler *s = &samplers[i];
        struct moments m = moments_of(s);
        /* 5 standard errors; of the variance with the fourth moment of a Poisson. */
        double mean_off = 5.0 * sqrt(s->var / DRAWS);
        double var_off = 5.0 * sqrt((2.0 * s->var * s->var + s->var) / DRAWS);

        if (fabs(m.mean - s->mean) > mean_off || fabs(m.var - s->var) > var_off)
            fail_msg("sampler %zu: mean %g, want %g; variance %g, want %g", i, m.mean, s->mean,
                     m.var, s->var);
        if (m.min < s->min || m.max > s->max)
            fail_msg("sampler %zu: out of bounds: %lld to %lld", i, (long long)m.min,
                     (long long)m.max);
    }
}

/* Chance of each outcome, not only moments: where walking and rejecting meet. */
static void hypergeometric_is_exact(void **state)
{
    /* 12 marked, 30 other, 15 drawn: P(k) = C(12,k) C(30,15-k) / C(42,15) */
    double p[13], sum = 0.0, chi = 0.0;
    int64_t seen[13] = {0};
    struct random r;

    (void)state;
    for (int k = 0; k <= 12; k++) {
        p[k] = exp(lgamma(13) - lgamma(k + 1) - lgamma(13 - k) + lgamma(31) - lgamma(16 - k) -
                   lgamma(16 + k));
        sum += p[k];
    }
    random_init(&r, 1, 1);
    for (int i = 0; i < 10 * DRAWS; i++)
        seen[random_hypergeometric(&r, 12, 30, 15)]++;
    for (int k = 0; k <= 10; k++) {
        double want = 10.0 * DRAWS * p[k] / sum;

        chi += ((double)seen[k] - want) * ((double)seen[k] - want) / want;
    }
    assert_true(chi < 40.0); /* 10 degrees of freedom: P < 2e-5 */
}

static void gamma_has_its_moments(void **state)
{
    double sum = 0.0, squares = 0.0;
    struct random r;

    (void)state;
    random_init(&r, 3, 9);
    for (int i = 0; i < DRAWS; i++) {
        double g = random_gamma4(&r);

        assert_true(g > 0.0);
        sum += g;
        squares += (g - 1.0) * (g - 1.0);
    }
    assert_true(fabs(sum / DRAWS - 1.0) < 5.0 * sqrt(0.25 / DRAWS));
    assert_true(fabs(squares / DRAWS - 0.25) < 0.02);
}

static void odd_arguments_are_taken_as_the_nearest(void **state)
{
    struct random r;

    (void)state;
    random_init(&r, 5, 5);
    assert_int_equal(random_binomial(&r, -3, 0.5), 0);
    assert_int_equal(random_binomial(&r, 10, -0.5), 0);
    assert_int_equal(random_binomial(&r, 10, 1.5), 10);
    assert_int_equal(random_binomial(&r, 10, NAN), 0);
    assert_int_equal(random_poisson(&r, -1.0), 0);
    assert_int_equal(random_poisson(&r, NAN), 0);
    assert_int_equal(random_hypergeometric(&r, 5, 0, 3), 3);
    assert_int_equal(random_hypergeometric(&r, 5, 5, 99), 5);
    assert_int_equal(random_hypergeometric(&r, -5, 5, 3), 0);
}

static void streams_repeat_and_differ(void **state)
{
    struct random a, b, c;

    (void)state;
    random_init(&a, 1, 2);
    random_init(&b, 1, 2);
    random_init(&c, 2, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_next(&a);

        assert_true(x == random_next(&b));
        assert_true(x != random_next(&c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samplers_have_their_moments),
        cmocka_unit_test(hypergeometric_is_exact),
        cmocka_unit_test(gamma_has_its_moments),
        cmocka_unit_test(odd_arguments_are_taken_as_the_nearest),
        cmocka_unit_test(streams_repeat_and_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
