/*
 * eprocess: the arithmetic of the gate's evidence (docs/gate.md). Natural logarithms throughout.
 *
 * A batch is four counts: treated, failed treated, controls, failed controls. Under "the release
 * changes nothing" failures fall on the arms at random, so the failures F in the treated arm are
 * hypergeometric. exp(F ln omega - lnG) with G >= E[omega^F] then has a mean of at most 1: an
 * e-value. Products of them (sums of logs) reach 1/alpha with a chance of at most alpha, however
 * often one looks.
 */
#ifndef FIREBREAK_EPROCESS_H
#define FIREBREAK_EPROCESS_H

#include <stdint.h>

#define N_OMEGA 11
extern const double eprocess_omega[N_OMEGA]; /* 1, 1.25, ... 1e4 */
extern const double eprocess_ln_omega[N_OMEGA];

/* ln of the upper (halt) or lower (promotion) bound of E[omega^F], omega >= 1, with n_t treated,
 * n_c controls and 0 <= m <= n_t + n_c failures among them. Exact where m = 0, m = n, or n_c = 0.
 */
double lng_upper(int64_t n_t, int64_t n_c, int64_t m, double omega);
double lng_lower(int64_t n_t, int64_t n_c, int64_t m, double omega);

/* One batch: log e for each omega; all 0 where n_t = 0 or n_c = 0. 0 <= f <= n in either arm. */
void batch_log_e(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double ret[N_OMEGA]);

/* One batch against "odds ratio >= rho" (non-inferiority), rho >= 1. */
double batch_log_ni(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double rho);

/* Wealth per omega, in logs; 1 in all at the start, spread evenly. */
struct eprocess {
    double w[N_OMEGA];
};
void eprocess_init(struct eprocess *e);
/* Multiply in a node's summed log e, then fixed share (which leaves the total as it is and bounds
 * the price of a change point); returns log E. Only for non-empty batches. */
double eprocess_add(struct eprocess *e, const double log_e[N_OMEGA]);

#endif
