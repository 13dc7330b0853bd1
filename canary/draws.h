/*
 * draws: the threshold. Devices are admitted in the order of their draws, never in that of arrival.
 */
#ifndef FIREBREAK_DRAWS_H
#define FIREBREAK_DRAWS_H

#include <stdint.h>

/* The k-th lowest (k from 1) of n draws; reorders them. n > 0, 1 <= k <= n. */
uint64_t draws_kth(uint64_t *draws, int64_t n, int64_t k);

#endif
