/*
 * eprocess: the arithmetic of GATE.md "Evidence". Natural logarithms throughout.
 */
#ifndef FIREBREAK_EPROCESS_H
#define FIREBREAK_EPROCESS_H

#include <stdint.h>

#define N_OMEGA 11
extern const double eprocess_omega[N_OMEGA]; /* 1, 1.25, ... 1e4 */

/* ln of the upper (halt) or lower (promotion) bound of E[omega^F]. */
double lng_upper(int64_t n_t, int64_t n_c, int64_t m, double omega);
double lng_lower(int64_t n_t, int64_t n_c, int64_t m, double omega);

/* One batch: log e for each omega; all 0 where n_t = 0 or n_c = 0. */
void batch_log_e(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double ret[N_OMEGA]);

/* One batch against "odds ratio >= rho" (non-inferiority). */
double batch_log_ni(int64_t n_t, int64_t f_t, int64_t n_c, int64_t f_c, double rho);

/* Wealth per omega, in logs. */
struct eprocess {
    double w[N_OMEGA];
};
void eprocess_init(struct eprocess *e);
/* Multiply in a node's summed log e, then fixed share; returns log E. */
double eprocess_add(struct eprocess *e, const double log_e[N_OMEGA]);

#endif
