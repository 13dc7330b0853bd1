/*
 * intake: metadata that was signed offline, taken in and acted upon: the repository changes, and
 * with it what follows from it, in one commit. From the API and, at each start, from bootstrap_dir.
 */
#ifndef FIREBREAK_SERVER_INTAKE_H
#define FIREBREAK_SERVER_INTAKE_H

#include "base/err.h"
#include "repo/repo.h"
#include "server.h"

/* All of the files or none, committed and published when 0 is returned; files say what was new.
 * With the site lock held; waits for the store. A failed commit marks the server degraded. */
int intake_take(struct server *s, struct repo_upload *files, size_t n, const char *by,
                struct err *err);

/* What bootstrap_dir has that is newer than what is published; then the server's keys must be those
 * that root and targets name. So a server whose keys were stolen comes back with new ones. */
int intake_at_start(struct server *s, struct err *err);

#endif
