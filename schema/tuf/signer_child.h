/*
 * signer_child: whatever signs outside this program's own code (a signer command, a token's
 * module) is a child process in a group of its own, with a deadline and a cap on what it may say.
 */
#ifndef FIREBREAK_SIGNER_CHILD_H
#define FIREBREAK_SIGNER_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define SIGNER_DEADLINE_MS 60000

/* Append all that child `pid`, leader of its process group, writes to the other end of fd to ret,
 * which carries the cap, then reap it. ERR_TIMEOUT once clock_awake_ms reaches until_ms,
 * ERR_TOO_LARGE: its whole group is killed. ERR_REFUSED where it fails. `what` is the child's name
 * in errors ("signer command '/x'"). */
int signer_child_collect(pid_t pid, int fd, int64_t until_ms, const char *what, struct buf *ret,
                         struct err *err);

/* Run the program `path`, never through a shell, with one argument (NULL: none); standard input
 * holds the data, standard output is appended to ret as above, standard error stays the caller's.
 */
int signer_cmd_run(const char *path, const char *arg, const void *data, size_t len,
                   int64_t deadline_ms, struct buf *ret, struct err *err);

#endif
