/*
 * hook: one run of an owner's command (CONTRACTS, "Hooks"): through /bin/sh in a session of its
 * own, directory /, standard input /dev/null, a bare environment with FIREBREAK_*, output captured
 * up to a cap, and a deadline at which the whole process group is killed. Status 0 is good, 75 is
 * not the content's fault; any other, a signal or the deadline blames the content.
 */
#ifndef FIREBREAK_CLIENT_HOOK_H
#define FIREBREAK_CLIENT_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/sandbox.h"

#define HOOK_OUTPUT_MAX 2048
#define HOOK_CAUSE_MAX  48

struct hook {
    const char *kind; /* "preflight", "activate", "health": begins the cause */
    const char *command;
    int64_t deadline_ms;
    /* Checkers run confined: resource limits, and nothing of theirs outlives them, not even what
     * made itself a daemon: the caller must have no other children. An activate hook may start the
     * consumer, which must inherit no limits and live on. */
    bool confined;
    const struct sandbox *sandbox; /* NULL: none. Where there are no namespaces, less of it */
    bool sandbox_required;         /* then rather not at all */
    const char *channel, *version, *digest, *dir;
};

struct hook_result {
    bool good;
    bool blamed;                /* where not good: does it blame the content? */
    char cause[HOOK_CAUSE_MAX]; /* "health-exit-1", "activate-signal-11", "health-deadline" */
    char output[HOOK_OUTPUT_MAX + 1];
    enum sandbox_level level; /* that it ran in */
};

/* Run it and wait. 0 where it ran (ret says how); ERR_IO where it could not be started, or not in
 * the sandbox that it requires. */
int hook_run(const struct hook *h, struct hook_result *ret, struct err *err);

#endif
