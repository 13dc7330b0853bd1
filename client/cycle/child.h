/*
 * child: the processes that the supervisor starts: fetching children (exec'd, unprivileged, with a
 * job on standard input) and workers (forked, privileged). Either answers with one JSON object
 * through a pipe, capped, and ends. The supervisor dies with none left: each gets SIGKILL then.
 */
#ifndef FIREBREAK_CLIENT_CHILD_H
#define FIREBREAK_CLIENT_CHILD_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "agent.h"
#include "base/buf.h"

#define CHILD_RESULT_MAX 400000

struct child {
    pid_t pid; /* 0: none */
    int out;   /* the pipe's end; readable: call child_read */
    bool ended;
    int64_t deadline_ms; /* boot clock; 0: none */
    struct buf result;
};

/* Start firebreak-agent-fetch on a job (not taken). life_ms: until it is killed. */
int child_start_fetch(const struct agent *a, const json_t *job, int64_t life_ms, struct child *ret,
                      struct err *err);

/* Fork a worker: run(ctx, stop, result) and its error become the answer. *stop is set by SIGTERM.
 */
typedef int (*child_worker_fn)(void *ctx, const volatile sig_atomic_t *stop, json_t *result,
                               struct err *err);
int child_start_worker(child_worker_fn run, void *ctx, struct child *ret, struct err *err);

/* Take what is in the pipe; c->ended once it is closed. */
void child_read(struct child *c);

/* Wait for the end (c->ended, or after child_kill) and give its answer (owned; an empty object
 * where there is none), or its error. The child is free again. */
int child_finish(struct child *c, json_t **ret, struct err *err);

void child_kill(struct child *c, int signal);

/* For verbs without a loop: read until it ends or its deadline passes, then finish. */
int child_wait(const struct agent *a, struct child *c, json_t **ret, struct err *err);

#endif
