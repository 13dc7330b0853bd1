/*
 * trouble: why nothing new comes where clock or metadata are to blame, as a word for the check-in
 * (its hold) and a sentence for people. Pure: facts in, words out.
 *
 * No such trouble ever stops what runs, the boot guard or a way back: it stops updating. The
 * server's time is told with check-in answers, which prove nothing: it helps people to see whether
 * the clock or the repository is wrong, and decides nothing.
 */
#ifndef FIREBREAK_CLIENT_TROUBLE_H
#define FIREBREAK_CLIENT_TROUBLE_H

#include "state/state.h"

/* The clock is before the day on which this agent was built: expiry cannot be judged by it, and a
 * server (or whoever sets the clock) could show metadata of any age. */
#define TROUBLE_CLOCK "clock-before-build"

struct trouble_clock {
    int64_t now_s;   /* what the clock says, Unix seconds */
    int64_t built_s; /* when this agent was built */
    int64_t
        server_ahead_s; /* how much more the server's clock said; 0 about the same, or unknown */
};

bool trouble_clock_is_early(const struct trouble_clock *c);

/* "the clock says 1970-01-01, before this agent was built (2026-11-25): set it" */
void trouble_early(const struct trouble_clock *c, struct state_trouble *ret);

/* "timestamp version 7 expired at ...; the clock says 2100-01-01, the server said 2026-11-25: ..."
 * what: which role has expired and when, as metadata_check_expiry says it: the role first. */
void trouble_expired(const struct trouble_clock *c, const char *what, struct state_trouble *ret);

/* What a failed verification means: nothing (ret->hold "") where it may be the network's doing. */
void trouble_of(const struct trouble_clock *c, const struct err *err, struct state_trouble *ret);

/* What holds a channel now: the clock, what the last refresh found for all or for this channel, or
 * that what was verified has run out since. channel may be NULL. */
struct state_trouble trouble_now(const struct trouble_clock *c, const struct state *s,
                                 const struct state_channel *channel);

#endif
