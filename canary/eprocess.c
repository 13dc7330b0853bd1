#include "eprocess.h"

#include <math.h>
#include <string.h>

/*
 * F, the failures in the treated arm given m failures among n = n_t + n_c devices, is
 * hypergeometric: a sum of K = min(n_t, m) independent Bernoulli variables (its generating
 * polynomial is real-rooted) with known mean and variance. ln(1 + p(omega - 1)) has a positive
 * third derivative in p, so among all such p the sum is largest on {x, 1} and smallest on {0, x}.
 * Both are closed forms; in whole numbers they shorten to
 *
 *     a = mean p       = max(n_t, m) / n
 *     v = mean p (1-p) = a (n-m)(n-n_t) / (n(n-1))
 *     upper: x = v / (1-a) = a max(n-m, n_c) / (n-1)
 *     lower: x = (a-v) / a = 1 - (n-m)(n-n_t) / (n(n-1))
 *
 * which keeps them exact where a is near 1.
 */

/* "1" is the wealth kept as cash. */
const double eprocess_omega[N_OMEGA] = {1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4};

const double eprocess_ln_omega[N_OMEGA] = {0.0,
                                           0.22314355131420976,
                                           0.4054651081081644,
                                           0.6931471805599453,
                                           1.0986122886681098,
                                           1.6094379124341003,
                                           2.302585092994046,
                                           3.4011973816621555,
                                           4.605170185988092,
                                           6.907755278982137,
                                           9.210340371976184};

#define FIXED_SHARE 1e-3 /* of the wealth, spread anew after each batch */

struct arms {
    double n, n_t, n_c, m; /* all devices, per arm, failures in all */
    double k, a;
};

static struct arms arms_of(int64_t n_t, int64_t n_c, int64_t m)
{
    struct arms s = {
        .n = (double)n_t + (double)n_c, .n_t = (double)n_t, .n_c = (double)n_c, .m = (double)m};

    s.k = n_t < m ? s.n_t : s.m;
    s.a = (n_t < m ? s.m : s.n_t) / s.n;
    return s;
}

/* The largest case: k trials, a part lam of them certain, the others of chance x. */
struct mixture {
    double k, x, lam;
};

static struct mixture upper_mixture(int64_t n_t, int64_t n_c, int64_t m)
{
    struct arms s = arms_of(n_t, n_c, m);
    struct mixture u = {.k = s.k, .lam = 1.0};
    double rest = s.n - s.m;

    if (m <= 0 || n_t <= 0)
        return (struct mixture){0};
    if (n_c == 0 || rest <= 0.0)
        return u; /* F is known beforehand */
    u.x = s.a * (rest > s.n_c ? rest : s.n_c) / (s.n - 1.0);
    u.lam = 1.0 - (1.0 - s.a) / (1.0 - u.x);
    if (u.lam < 0.0)
        u.lam = 0.0;
    return u;
}

static double mixture_ln(const struct mixture *u, double omega, double ln_omega)
{
    return u->k * ((1.0 - u->lam) * log1p(u->x * (omega - 1.0)) + u->lam * ln_omega);
}

double lng_upper(int64_t n_t, int64_t n_c, int64_t m, double omega)
{
    struct mixture u = upper_mixture(n_t, n_c, m);

    return mixture_ln(&u, omega, log(omega));
}

double lng_lower(int64_t n_t, int64_t n_c, int64_t m, double omega)
{
    if (m <= 0 || n_t <= 0)
        return 0.0;

    struct arms s = arms_of(n_t, n_c, m);
    double x, weight;

    if (n_c == 0)
        return s.k * log(omega);
    x = 1.0 - (s.n - s.m) * s.n_c / (s.n * (s.n - 1.0));
    weight = s.a / x;
    if (weight > 1.0)
        weight = 1.0;
    return s.k * weight * log1p(x * (omega - 1.0));
}

void batch_log_e(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double ret[N_OMEGA])
{
    struct mixture u;

    memset(ret, 0, N_OMEGA * sizeof(ret[0]));
    if (n_t <= 0 || n_c <= 0)
        return;
    if (f_t + f_c == 0)
        return; /* nothing failed, nothing was expected to */
    u = upper_mixture(n_t, n_c, f_t + f_c);
    for (int j = 0; j < N_OMEGA; j++)
        ret[j] = (double)f_t * eprocess_ln_omega[j] -
                 mixture_ln(&u, eprocess_omega[j], eprocess_ln_omega[j]);
}

double batch_log_ni(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double rho)
{
    if (n_t <= 0 || n_c <= 0)
        return 0.0;
    return lng_lower(n_t, n_c, f_t + f_c, rho) - (double)f_t * log(rho);
}

void eprocess_init(struct eprocess *e)
{
    for (int j = 0; j < N_OMEGA; j++)
        e->w[j] = -log((double)N_OMEGA);
}

static double log_sum_exp(const double *z, int n)
{
    double max = z[0], sum = 0.0;

    for (int j = 1; j < n; j++)
        max = z[j] > max ? z[j] : max;
    for (int j = 0; j < n; j++)
        sum += exp(z[j] - max);
    return max + log(sum);
}

double eprocess_add(struct eprocess *e, const double log_e[N_OMEGA])
{
    double total;

    for (int j = 0; j < N_OMEGA; j++)
        e->w[j] += log_e[j];
    total = log_sum_exp(e->w, N_OMEGA);
    for (int j = 0; j < N_OMEGA; j++)
        e->w[j] = total + log((1.0 - FIXED_SHARE) * exp(e->w[j] - total) + FIXED_SHARE / N_OMEGA);
    return total;
}
