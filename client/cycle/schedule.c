/* schedule: see schedule.h. */
#include "cycle/schedule.h"

#define DOUBLINGS_MAX 20

int64_t schedule_jitter(int64_t most_ms, uint64_t random)
{
    return most_ms > 0 ? (int64_t)(random % (uint64_t)(most_ms + 1)) : 0;
}

int64_t schedule_after_answer(int64_t next_ms, uint64_t random)
{
    return next_ms - schedule_jitter(next_ms / 10, random);
}

int64_t schedule_after_failure(int failures, int64_t poll_ms, int64_t least_ms, uint64_t random)
{
    int64_t most = poll_ms > SCHEDULE_BACKOFF_MS ? poll_ms : SCHEDULE_BACKOFF_MS;
    int64_t wait = SCHEDULE_BASE_MS;

    for (int i = 1; i < failures && i < DOUBLINGS_MAX && wait < most; i++)
        wait *= 2;
    if (wait > most)
        wait = most;
    wait = wait / 2 + schedule_jitter(wait / 2, random);
    return wait > least_ms ? wait : least_ms + schedule_jitter(least_ms / 10, random);
}
