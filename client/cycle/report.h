/*
 * report: the check-in as the agent makes it, and what its answer means. Numbers and nonces live in
 * memory only: a random epoch at each start, a counter, and a fresh nonce with each `ready`.
 *
 * A request whose answer was lost is sent again as it was, under its number, so that the server
 * answers as the first time (and a permit is not lost); once it is too old for that, a new one is
 * made.
 */
#ifndef FIREBREAK_CLIENT_REPORT_H
#define FIREBREAK_CLIENT_REPORT_H

#include "agent.h"
#include "cycle/figures_file.h"
#include "permit.h"

#define REPORT_RESEND_MS 30000

struct report {
    char epoch[17];
    int64_t number;
    struct buf body;                                 /* sent and not answered yet; empty: none */
    int64_t made_ms;                                 /* boot clock */
    char sent[CHECKIN_MAX_EVENTS][EVENT_ID_LEN + 1]; /* events in it */
    size_t n_sent;
    struct permit_request asked[CHECKIN_MAX_CHANNELS]; /* digest "": not asked */
    size_t n_asked;
    struct figures_file figures[CHECKIN_MAX_CHANNELS]; /* as they were told last */
    struct err figures_err; /* why one was refused in the last request; code 0: none was */
};

void report_init(struct report *rp);
void report_release(struct report *rp);

/* Make the next request (or keep the one that is to be sent again) in rp->body. `may_ask`: metadata
 * is fresh and no change is going on. `holds[i]`: a further reason of the i-th configured channel,
 * NULL or "": none. */
int report_make(struct report *rp, const struct agent *a, bool may_ask, const char *const *holds,
                struct err *err);

/* A 2xx came: its events are done with; the next request is a new one. */
int report_acknowledge(struct report *rp, const struct agent *a, struct err *err);

/* Any other answer: the next request is a new one, with the same events. */
void report_forget(struct report *rp);

/* What was asked for a channel, NULL: nothing. */
const struct permit_request *report_asked(const struct report *rp, const char *channel);

#endif
