#include "random.h"

#include <math.h>

#define SMALL_MEAN   10.0 /* below: walk up the distribution; above: rejection */
#define SMALL_SAMPLE 10

static uint64_t splitmix(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void random_init(struct random *r, uint64_t seed, uint64_t stream)
{
    uint64_t s = seed;

    s = splitmix(&s) ^ stream;
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&s);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* xoshiro256++ of Blackman and Vigna */
uint64_t random_next(struct random *r)
{
    uint64_t *s = r->s, result = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double random_uniform(struct random *r)
{
    return ((double)(random_next(r) >> 12) + 0.5) * 0x1p-52;
}

double random_between(struct random *r, double lo, double hi)
{
    return lo + (hi - lo) * random_uniform(r);
}

double random_gamma4(struct random *r)
{
    double product = 1.0;

    for (int i = 0; i < 4; i++)
        product *= random_uniform(r);
    return -log(product) / 4.0;
}

/* ln k! - Stirling's formula */
static double stirling_rest(double k)
{
    static const double small[] = {
        0.0810614667953272,  0.0413406959554092,  0.0276779256849983, 0.02079067210376509,
        0.0166446911898211,  0.0138761288230707,  0.0118967099458917, 0.0104112652619720,
        0.00925546218271273, 0.00833056343336287,
    };
    double k1 = k + 1.0, sq = k1 * k1;

    if (k < 10.0)
        return small[(int)k];
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / sq) / sq) / k1;
}

/* n p < 10: walk up from 0. */
static int64_t binomial_walk(struct random *r, int64_t n, double p)
{
    double u = random_uniform(r), odds = p / (1.0 - p), at;
    int64_t k = 0;

    if (u <= 1.0 - (double)n * p)
        return 0; /* (1-p)^n is at least 1 - n p: most calls end here */
    at = exp((double)n * log1p(-p));
    while (u > at && k < n) {
        u -= at;
        at *= (double)(n - k) / (double)(k + 1) * odds;
        k++;
    }
    return k;
}

/* Hoermann's BTRS (1993): transformed rejection; n p >= 10, p <= 1/2. */
static int64_t binomial_reject(struct random *r, int64_t count, double p)
{
    double n = (double)count, sd = sqrt(n * p * (1.0 - p)), odds = p / (1.0 - p);
    double b = 1.15 + 2.53 * sd, a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
    double sure = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * sd, m = floor((n + 1.0) * p);

    for (;;) {
        double u = random_uniform(r) - 0.5, v = random_uniform(r), us = 0.5 - fabs(u);
        double k = floor((2.0 * a / us + b) * u + c), bound;

        if (k < 0.0 || k > n)
            continue;
        if (us >= 0.07 && v <= sure)
            return (int64_t)k;
        bound = (m + 0.5) * log((m + 1.0) / (odds * (n - m + 1.0))) +
                (n + 1.0) * log((n - m + 1.0) / (n - k + 1.0)) +
                (k + 0.5) * log(odds * (n - k + 1.0) / (k + 1.0)) + stirling_rest(m) +
                stirling_rest(n - m) - stirling_rest(k) - stirling_rest(n - k);
        if (log(v * alpha / (a / (us * us) + b)) <= bound)
            return (int64_t)k;
    }
}

int64_t random_binomial(struct random *r, int64_t n, double p)
{
    if (n <= 0 || !(p > 0.0))
        return 0;
    if (p >= 1.0)
        return n;
    if (p > 0.5)
        return n - random_binomial(r, n, 1.0 - p);
    if ((double)n * p < SMALL_MEAN)
        return binomial_walk(r, n, p);
    return binomial_reject(r, n, p);
}

static int64_t poisson_walk(struct random *r, double mean)
{
    double u = random_uniform(r), at;
    int64_t k = 0;

    if (u <= 1.0 - mean)
        return 0; /* e^-mean is at least that */
    at = exp(-mean);
    while (u > at && at > 0.0) {
        u -= at;
        at *= mean / (double)(k + 1);
        k++;
    }
    return k;
}

/* Hoermann's PTRS (1993); mean >= 10. */
static int64_t poisson_reject(struct random *r, double mean)
{
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
    double inverse = 1.1239 + 1.1328 / (b - 3.4), sure = 0.9277 - 3.6224 / (b - 2.0);

    for (;;) {
        double u = random_uniform(r) - 0.5, v = random_uniform(r), us = 0.5 - fabs(u);
        double k = floor((2.0 * a / us + b) * u + mean + 0.43);
        int sign;

        if (us >= 0.07 && v <= sure)
            return (int64_t)k;
        if (k < 0.0 || (us < 0.013 && v > us))
            continue;
        if (log(v * inverse / (a / (us * us) + b)) <=
            k * log(mean) - mean - lgamma_r(k + 1.0, &sign))
            return (int64_t)k;
    }
}

int64_t random_poisson(struct random *r, double mean)
{
    if (!(mean > 0.0))
        return 0;
    return mean < SMALL_MEAN ? poisson_walk(r, mean) : poisson_reject(r, mean);
}

/* One after the other. */
static int64_t hypergeometric_draw(struct random *r, int64_t marked, int64_t other, int64_t sample)
{
    int64_t got = 0;

    for (; sample > 0 && marked > got; sample--) {
        double all = (double)(marked - got) + (double)other;

        if (random_uniform(r) * all < (double)(marked - got))
            got++;
        else
            other--;
    }
    return got;
}

static double ln_factorial(double n)
{
    int sign;

    return lgamma_r(n + 1.0, &sign);
}

/* Stadlober's HRUA (1989): ratio of uniforms; few <= many, 2 sample <= few + many. */
static double hypergeometric_reject(struct random *r, double few, double many, double sample)
{
    double all = few + many, p = few / all;
    double mid = sample * p + 0.5;
    double sd = sqrt((all - sample) * sample * p * (1.0 - p) / (all - 1.0) + 0.5);
    double width = 1.7155277699214135 * sd + 0.8989161620588988;
    double mode = floor((sample + 1.0) * (few + 1.0) / (all + 2.0));
    double top = ln_factorial(mode) + ln_factorial(few - mode) + ln_factorial(sample - mode) +
                 ln_factorial(many - sample + mode);
    double end = fmin(fmin(sample, few) + 1.0, floor(mid + 16.0 * sd));

    for (;;) {
        double x = random_uniform(r), y = random_uniform(r);
        double w = mid + width * (y - 0.5) / x, k, t;

        if (w < 0.0 || w >= end)
            continue;
        k = floor(w);
        t = top - (ln_factorial(k) + ln_factorial(few - k) + ln_factorial(sample - k) +
                   ln_factorial(many - sample + k));
        if (x * (4.0 - x) - 3.0 <= t)
            return k;
        if (x * (x - t) >= 1.0)
            continue;
        if (2.0 * log(x) <= t)
            return k;
    }
}

int64_t random_hypergeometric(struct random *r, int64_t marked, int64_t other, int64_t sample)
{
    int64_t all, k;

    if (marked <= 0 || sample <= 0)
        return 0;
    if (other <= 0)
        return sample < marked ? sample : marked;
    all = marked + other;
    if (sample >= all)
        return marked;
    /* Each of the three symmetries leads to a smaller problem. */
    if (2 * sample > all)
        return marked - random_hypergeometric(r, marked, other, all - sample);
    if (marked < sample)
        return random_hypergeometric(r, sample, all - sample, marked);
    if (sample <= SMALL_SAMPLE)
        return hypergeometric_draw(r, marked, other, sample);
    if (marked > other)
        return sample - random_hypergeometric(r, other, marked, sample);
    k = (int64_t)hypergeometric_reject(r, (double)marked, (double)other, (double)sample);
    return k;
}
