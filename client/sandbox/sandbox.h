/*
 * sandbox: where a candidate is loaded by its consumer's own checker, so that what it does there
 * costs a process and not the machine (DESIGN section 5 "Preflight"):
 *
 *   worker -> keeper -> process 1 of new namespaces -> the checker
 *
 * The checker sees the system as it is, the agent's own directory apart, and may write all of it
 * that its user may: what it writes goes to memory, up to a cap, and is thrown away. No network but
 * a loopback of its own, no other processes, no devices, none of the kernel's switches. When the
 * checker ends, everything that it started ends.
 *
 * It contains what is faulty. Against those who may sign content it is a hurdle, not a wall: they
 * decide what the consumer runs anyway.
 *
 * Layers, each of use alone: namespaces (user, mount, pid, net, ipc, uts), capabilities and
 * no_new_privs, seccomp, Landlock, resource limits. Where the machine gives no namespaces, as in
 * many containers, the others are left (SANDBOX_RIGHTS).
 */
#ifndef FIREBREAK_CLIENT_SANDBOX_H
#define FIREBREAK_CLIENT_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* From the most to nothing. */
enum sandbox_level { SANDBOX_WHOLE, SANDBOX_RIGHTS, SANDBOX_NONE };

struct sandbox {
    const char *hidden; /* the agent's state directory: empty in there */
    const char *shown;  /* one directory that is there nevertheless, read-only; may lie in hidden */
    const char *workspace; /* existing directory to mount on, in namespaces of its own */
    int64_t memory_bytes;  /* private memory of each process */
    int64_t disk_bytes;    /* what may be written, in all */
    int64_t processes;
};

/* In a freshly forked child of one thread, ready to exec: a session of its own, nothing open that
 * is not to be inherited or closed at exec. Returns 0 in the process that is to exec the checker,
 * confined. The ones between never return: they end as the checker ends (128 + n where signal n
 * ended it). ERR_IO where it cannot be had: then exit, do not go on, half of it may be done. */
int sandbox_enter(const struct sandbox *s, enum sandbox_level level, struct err *err);

#endif
