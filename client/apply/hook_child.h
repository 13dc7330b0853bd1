/* hook_child: the forked child of a hook, up to exec; of hook.c only. */
#ifndef FIREBREAK_CLIENT_HOOK_CHILD_H
#define FIREBREAK_CLIENT_HOOK_CHILD_H

#include <sys/types.h>

#include "apply/hook.h"

#define EXIT_NOT_THE_CONTENT 75

/* Ends for the child to write to: what the command prints, and one byte where it is about to run.
 */
struct hook_pipes {
    int out, started;
};

void __attribute__((noreturn)) hook_become(const struct hook *h, enum sandbox_level level,
                                           const struct hook_pipes *pipes, pid_t parent);

#endif
