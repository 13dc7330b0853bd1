/* schedule: when to check in next. Pure: randomness comes in as a number. */
#ifndef FIREBREAK_CLIENT_SCHEDULE_H
#define FIREBREAK_CLIENT_SCHEDULE_H

#include <stdint.h>

#define SCHEDULE_BASE_MS    500
#define SCHEDULE_BACKOFF_MS 300000 /* longest wait after failures, unless polls are rarer */

/* After an answer: the server's word, less a jitter of up to a tenth, so that a fleet that was
 * started at once spreads out and no check-in comes later than it was asked for. */
int64_t schedule_after_answer(int64_t next_ms, uint64_t random);

/* After the n-th failure in a row (n >= 1): exponential with full jitter between half and the
 * whole, never before `least_ms` (Retry-After). */
int64_t schedule_after_failure(int failures, int64_t poll_ms, int64_t least_ms, uint64_t random);

/* Up to `most_ms`, evenly. */
int64_t schedule_jitter(int64_t most_ms, uint64_t random);

#endif
