/*
 * tolerance: how much failure is nobody's fault. Tails of the binomial and Poisson distributions,
 * summed exactly enough for counts of millions.
 */
#ifndef FIREBREAK_TOLERANCE_H
#define FIREBREAK_TOLERANCE_H

#include <stdbool.h>
#include <stdint.h>

/* h: smallest with P(Bin(n_adv, share) > h) <= 1e-4: so many of the hostile devices may be among
 * the admitted share (0..1). */
int64_t tolerance_hostile(int64_t n_adv, double share);

/* floor(rate n + 3 sqrt(rate n)): so many of n devices may fail at a benign rate. */
int64_t tolerance_benign(double rate, int64_t n);

/* q: smallest with P(Poisson(mean) > q) <= eps. */
int64_t tolerance_poisson(double mean, double eps);

/* P(Bin(n, p) >= f), 0 <= f <= n, 0 < p < 1. The exact (Clopper-Pearson) lower 1 - eps bound of f/n
 * exceeds p where this is below eps. */
double tolerance_binomial_tail(int64_t n, double p, int64_t f);

#endif
