/*
 * random: a seeded generator and exact samplers for fleets of millions. Own code and not a
 * library's: the same seed gives the same rollout on every machine and in years to come, published
 * figures can be repeated, and each sampler is fast for any n (libraries sample the hypergeometric
 * by walking).
 *
 * Counts beyond what there is (negative n, p outside 0..1) are taken as the nearest that is: rates
 * of a scenario may add up to more than 1.
 */
#ifndef FIREBREAK_SIM_RANDOM_H
#define FIREBREAK_SIM_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t s[4]; /* xoshiro256++ */
};

/* Independent streams for each (seed, stream). */
void random_init(struct random *r, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *r);
/* In (0, 1), never 0 or 1. */
double random_uniform(struct random *r);
double random_between(struct random *r, double lo, double hi);
/* Mean 1, variance 1/4: rates of cohorts vary so from tick to tick. */
double random_gamma4(struct random *r);
/* Successes in n trials of chance p. */
int64_t random_binomial(struct random *r, int64_t n, double p);
int64_t random_poisson(struct random *r, double mean);
/* Marked ones among `sample` drawn without replacement from `marked` and `other`. */
int64_t random_hypergeometric(struct random *r, int64_t marked, int64_t other, int64_t sample);

#endif
