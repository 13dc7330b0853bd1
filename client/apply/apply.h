/*
 * apply: moving an endpoint from one release to another, and back. Every step is written before it
 * is done, in this order, so that a crash at any instant is resolved the same way:
 *
 *   permit, pace and owner's word -> attempt record -> preflight -> pending record -> switch
 *   -> activate -> health -> soak -> good-run, pending cleared, `healthy`
 *
 * A failure after the switch: pending goes to phase `back`, the link is restored, the old content
 * activated again, the release quarantined where the content is to blame, `rolled_back` kept.
 * Runs in a worker process, under the apply lock; check-ins go on meanwhile.
 */
#ifndef FIREBREAK_CLIENT_APPLY_H
#define FIREBREAK_CLIENT_APPLY_H

#include <signal.h>

#include "agent.h"
#include "permit.h"

#define APPLY_UNBLAMED_MAX 3 /* attempts without verdict, after which a release is put away */

struct apply {
    const struct agent *agent;
    const struct config_channel *conf;
    const volatile sig_atomic_t *stop; /* set: leave a soak where it is; NULL: never */
};

/* Apply the release that the permit is for. `rq` is what was asked with. ERR_BAD_PERMIT, ERR_PACE,
 * ERR_HELD, ERR_REFUSED: nothing was touched and a `refused` event is kept; ERR_TAMPERED: the
 * staged tree is damaged. 0 where it ended: *ret_healthy says whether the release was taken. */
int apply_permit(const struct apply *ap, const struct permit_request *rq, const json_t *permit,
                 bool *ret_healthy, struct err *err);

/* Resolve what an ended process left: attempt, pending change, a link that is not the state's, and
 * what is to be left (recall, owner). 0 also where there was nothing. */
int apply_resolve(const struct apply *ap, struct err *err);

/* True if apply_resolve has something to do. */
bool apply_is_unresolved(const struct agent *a, struct state *s, const struct state_channel *c);

#endif
