/*
 * supervisor: the resident process of `run`, and the one pass of `once`. It holds no libcurl and no
 * parser of what comes from outside but that of the check-in's answer; all other work is done by
 * children (child.h), of which at most two live at a time: the one of the present cycle and the one
 * that applies. A cycle:
 *
 *   [refresh (child) -> verify (worker)] -> [blobs (child) -> stage (worker)] -> check-in (child)
 *
 * and a permit that comes with the answer starts a worker that applies, while cycles go on.
 */
#ifndef FIREBREAK_CLIENT_SUPERVISOR_H
#define FIREBREAK_CLIENT_SUPERVISOR_H

#include "agent.h"

/* Until SIGTERM or SIGINT. */
int supervisor_run(struct agent *a, struct err *err);

/* One cycle; a permit that it brings is used to the end of the soak and reported. The first failure
 * is returned. */
int supervisor_once(struct agent *a, struct err *err);

#endif
