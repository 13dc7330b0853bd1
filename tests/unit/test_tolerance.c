/* tolerance: tails against their definitions, also where single terms vanish. */
#include "cmocka_all.h"

#include <math.h>

#include "tolerance.h"

static double binomial_at_most(int64_t n, double p, int64_t k)
{
    double sum = 0.0;

    for (int64_t i = 0; i <= k; i++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) +
                   (double)i * log(p) + (double)(n - i) * log1p(-p));
    return sum;
}

static double poisson_at_most(double mean, int64_t k)
{
    double sum = 0.0;

    for (int64_t i = 0; i <= k; i++)
        sum += exp((double)i * log(mean) - mean - lgamma((double)i + 1));
    return sum;
}

static void test_hostile_is_the_smallest_that_suffices(void **state)
{
    static const int64_t devices[] = {1, 8, 100, 1000, 20000};
    static const double shares[] = {1e-9, 1e-5, 0.001, 0.1, 0.5, 0.95, 0.9999};

    (void)state;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
            int64_t h = tolerance_hostile(devices[i], shares[k]);

            /* rounding of long sums: a hair around 1e-4 */
            if (h < devices[i])
                assert_true(1.0 - binomial_at_most(devices[i], shares[k], h) <= 1.001e-4);
            if (h > 0)
                assert_true(1.0 - binomial_at_most(devices[i], shares[k], h - 1) > 0.999e-4);
        }
    assert_int_equal(tolerance_hostile(0, 0.5), 0);
    assert_int_equal(tolerance_hostile(100, 0.0), 0);
    assert_int_equal(tolerance_hostile(100, 1.0), 100);
}

static void test_poisson_is_the_smallest_that_suffices(void **state)
{
    static const double means[] = {1e-9, 0.01, 1.0, 17.3, 399.0, 401.0, 5000.0};

    (void)state;
    for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
        int64_t q = tolerance_poisson(means[i], 1e-3);

        assert_true(1.0 - poisson_at_most(means[i], q) <= 1.001e-3);
        if (q > 0)
            assert_true(1.0 - poisson_at_most(means[i], q - 1) > 0.999e-3);
    }
    assert_int_equal(tolerance_poisson(0.0, 1e-3), 0);
    assert_int_equal(tolerance_poisson(NAN, 1e-3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_is_the_smallest_that_suffices),
        cmocka_unit_test(test_poisson_is_the_smallest_that_suffices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
