/* eprocess: golden vectors, and what an e-value must be. */
#include "cmocka_all.h"

#include <math.h>

#include "eprocess.h"

#define NEAR 1e-8

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= NEAR))
        fail_msg("got %.12f, want %.12f", got, want);
}

struct golden {
    int64_t n_t, f_t, n_c, f_c;
    double log_e[N_OMEGA];
};

static const struct golden golden[] = {
    {12,
     12,
     60000,
     20,
     {0, 2.676123074, 4.862382474, 8.311369511, 13.170557898, 19.287690121, 27.573578187,
      40.630255326, 54.644828144, 77.769500806, 88.379039238}},
    {1,
     1,
     170000,
     60,
     {0, 0.22305385, 0.405285713, 0.692788424, 1.097894903, 1.608003656, 2.299360904, 3.390845328,
      4.570263263, 6.601401662, 7.686927698}},
    {16,
     0,
     7000000,
     2400,
     {0, -0.001371366, -0.002742615, -0.005484758, -0.010967633, -0.021927746, -0.049295221,
      -0.158299377, -0.534069898, -4.712689016, -23.807939364}},
    {1000,
     3,
     50000,
     17,
     {0, 0.57163477, 1.021285197, 1.691122715, 2.526634439, 3.318476002, 3.658175465, 1.20183354,
      -7.756289861, -39.764618609, -78.032195048}},
    {1000, 1000, 20000, 20000, {0}},
    {1000,
     500,
     20000,
     10000,
     {0, -5.9367235, -19.564676693, -56.69703654, -139.273482658, -286.325584469, -542.706513902,
      -1026.77258531, -1604.829147206, -2746.728888766, -3897.077051486}},
    {68000,
     14,
     7400000,
     740,
     {0, 1.409588773, 2.251586792, 2.869777683, 1.773588884, -4.440241186, -27.148147603,
      -129.053448107, -420.025855283, -1646.609894803, -3280.789316837}},
    {850000,
     100,
     6500000,
     400,
     {0, 8.063689885, 12.440243595, 14.598725161, 5.831429985, -29.153649695, -126.406176859,
      -395.380475448, -800.280340219, -1688.277361333, -2605.884389649}},
    {5,
     2,
     3,
     1,
     {0, 0.015314917, 0.009081098, -0.034594531, -0.162706877, -0.420701895, -0.90117628,
      -1.8445407, -2.991248143, -5.271306636, -7.571625274}},
    {4,
     3,
     40,
     1,
     {0, 0.580141281, 1.040651, 1.737759898, 2.644670488, 3.626285301, 4.595873484, 5.187357179,
      4.7989546, 2.86188089, 0.597767051}},
    {30,
     6,
     300,
     9,
     {0, 1.003144953, 1.77072853, 2.868247084, 4.124758308, 5.092182521, 5.028393792, 1.376360763,
      -6.470830328, -25.860114959, -46.443188515}},
};

static void test_golden_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        const struct golden *g = &golden[i];
        double e[N_OMEGA];

        batch_log_e(g->n_t, g->f_t, g->n_c, g->f_c, e);
        for (int j = 0; j < N_OMEGA; j++)
            assert_near(e[j], g->log_e[j]);
    }
}

static void test_golden_process(void **state)
{
    static const struct {
        int64_t n[4];
        double log_e;
    } steps[] = {{{16, 0, 7000000, 2400}, -0.274614694},
                 {{1000, 3, 50000, 17}, 2.102722553},
                 {{1000, 6, 50000, 17}, 11.440857297},
                 {{1000, 1000, 20000, 20000}, 11.440857297},
                 {{2000, 12, 50000, 17}, 30.380640184}};
    struct eprocess p;

    (void)state;
    eprocess_init(&p);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const int64_t *n = steps[i].n;
        double e[N_OMEGA];

        batch_log_e(n[0], n[1], n[2], n[3], e);
        assert_near(eprocess_add(&p, e), steps[i].log_e);
    }
}

static void test_golden_non_inferiority(void **state)
{
    (void)state;
    assert_near(batch_log_ni(68000, 7, 7400000, 740, 3.0), 5.789657268158526);
    assert_near(batch_log_ni(600000, 60, 6800000, 680, 1.5), 5.079284052222093);
}

static double log_choose(int64_t n, int64_t k)
{
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

/* ln E[omega^F] by summing the hypergeometric distribution. */
static double lng_exact(int64_t n_t, int64_t n_c, int64_t m, double omega)
{
    int64_t lo = m > n_c ? m - n_c : 0, hi = n_t < m ? n_t : m;
    double sum = 0.0;

    for (int64_t f = lo; f <= hi; f++)
        sum += exp(log_choose(n_t, f) + log_choose(n_c, m - f) - log_choose(n_t + n_c, m) +
                   (double)f * log(omega));
    return log(sum);
}

/* The bounds enclose the true value for every small table, so that the mean of e is at most 1. */
static void test_bounds_enclose(void **state)
{
    (void)state;
    for (int64_t n_t = 1; n_t <= 12; n_t++)
        for (int64_t n_c = 1; n_c <= 12; n_c++)
            for (int64_t m = 0; m <= n_t + n_c; m++)
                for (int j = 0; j < N_OMEGA; j++) {
                    double omega = eprocess_omega[j], exact = lng_exact(n_t, n_c, m, omega);

                    assert_true(lng_upper(n_t, n_c, m, omega) >= exact - 1e-9);
                    assert_true(lng_lower(n_t, n_c, m, omega) <= exact + 1e-9);
                }
}

static void test_empty_arms_say_nothing(void **state)
{
    double e[N_OMEGA];

    (void)state;
    batch_log_e(5, 5, 0, 0, e);
    for (int j = 0; j < N_OMEGA; j++)
        assert_true(e[j] == 0.0);
    batch_log_e(0, 0, 5, 5, e);
    for (int j = 0; j < N_OMEGA; j++)
        assert_true(e[j] == 0.0);
    assert_true(batch_log_ni(5, 5, 0, 0, 3.0) == 0.0);
}

/* Fixed share: wealth lost on one alternative comes back within ln(11 / eps), however long the good
 * time before a bomb was. */
static void test_change_point_is_bounded(void **state)
{
    struct eprocess p;
    double e[N_OMEGA], good = 0.0, bad = 0.0;

    (void)state;
    eprocess_init(&p);
    batch_log_e(1000, 0, 50000, 500, e);
    for (int i = 0; i < 1000; i++)
        good = eprocess_add(&p, e);
    batch_log_e(1000, 1000, 50000, 500, e);
    bad = eprocess_add(&p, e);
    assert_true(good < 0.0);
    assert_true(bad > 1000.0);
    assert_true(isfinite(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_batches),
        cmocka_unit_test(test_golden_process),
        cmocka_unit_test(test_golden_non_inferiority),
        cmocka_unit_test(test_bounds_enclose),
        cmocka_unit_test(test_empty_arms_say_nothing),
        cmocka_unit_test(test_change_point_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
