#include "tolerance.h"

#include <math.h>

#define HOSTILE_EPS 1e-4
#define NEGLIGIBLE  1e-18
#define LN_SMALLEST -700.0 /* exp() of less is 0 */

/* lgamma() would write the global signgam. */
static double ln_factorial(int64_t n)
{
    int sign;

    return lgamma_r((double)n + 1.0, &sign);
}

static double ln_binomial(int64_t n, double p, int64_t k)
{
    return ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k) + (double)k * log(p) +
           (double)(n - k) * log1p(-p);
}

int64_t tolerance_hostile(int64_t n_adv, double share)
{
    double cdf = 0.0, first, term;

    if (n_adv <= 0 || !(share > 0.0))
        return 0;
    if (share >= 1.0)
        return n_adv;
    first = (double)n_adv * log1p(-share);
    term = exp(first);
    for (int64_t h = 0; h < n_adv; h++) {
        cdf += term;
        if (1.0 - cdf <= HOSTILE_EPS)
            return h;
        /* The first terms of many devices vanish: then each anew. */
        if (first > LN_SMALLEST)
            term *= (double)(n_adv - h) / (double)(h + 1) * (share / (1.0 - share));
        else
            term = exp(ln_binomial(n_adv, share, h + 1));
    }
    return n_adv;
}

int64_t tolerance_benign(double rate, int64_t n)
{
    double mean = rate * (double)n;

    if (!(mean > 0.0))
        return 0;
    return (int64_t)floor(mean + 3.0 * sqrt(mean));
}

int64_t tolerance_poisson(double mean, double eps)
{
    /* What lies further below the mean weighs less than rounding. */
    int64_t k = mean > 400.0 ? (int64_t)(mean - 12.0 * sqrt(mean)) : 0;
    double cdf = 0.0, end = mean + 40.0 * sqrt(mean) + 100.0; /* nothing is left beyond */
    double term;

    if (!(mean > 0.0))
        return 0;
    term = exp((double)k * log(mean) - mean - ln_factorial(k));
    for (; (double)k < end; k++) {
        cdf += term;
        if (1.0 - cdf <= eps)
            break;
        term *= mean / (double)(k + 1);
    }
    return k;
}

double tolerance_binomial_tail(int64_t n, double p, int64_t f)
{
    double term, sum, odds = p / (1.0 - p);

    if (f <= 0)
        return 1.0;
    if (f > n)
        return 0.0;
    if ((double)f <= (double)n * p) { /* the shorter side */
        sum = 0.0;
        term = exp(ln_binomial(n, p, f - 1));
        for (int64_t k = f - 1; k >= 0 && term > NEGLIGIBLE; k--) {
            sum += term;
            term *= (double)k / (double)(n - k + 1) / odds;
        }
        return 1.0 - sum;
    }
    sum = term = exp(ln_binomial(n, p, f));
    for (int64_t k = f; k < n && term > sum * NEGLIGIBLE; k++) {
        term *= (double)(n - k) / (double)(k + 1) * odds;
        sum += term;
    }
    return sum;
}
