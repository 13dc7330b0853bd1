/*
 * signer_cmd: running a signer command (the "cmd:PATH" kind of key.h): a program, never a shell, in
 * its own process group, with a deadline and a cap on what it may print.
 */
#ifndef FIREBREAK_SIGNER_CMD_H
#define FIREBREAK_SIGNER_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SIGNER_CMD_DEADLINE_MS 60000

/* Run `path` with one argument (NULL: none); standard input holds the data, standard output is
 * appended to ret, which carries the cap, standard error stays the caller's. ERR_TIMEOUT after
 * deadline_ms (its process group is killed), ERR_TOO_LARGE, ERR_REFUSED where it fails. */
int signer_cmd_run(const char *path, const char *arg, const void *data, size_t len,
                   int64_t deadline_ms, struct buf *ret, struct err *err);

#endif
