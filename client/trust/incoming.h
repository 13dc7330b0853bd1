/*
 * incoming: what the privileged part reads of the directory that the unprivileged fetching child
 * owns. The child may have planted anything there: links (in place of folders, too), pipes, huge
 * files. Below incoming/ no link is followed and nothing but a regular file is read: to open a
 * device as root, a watchdog say, would be harm enough.
 */
#ifndef FIREBREAK_CLIENT_INCOMING_H
#define FIREBREAK_CLIENT_INCOMING_H

#include "base/err.h"
#include "tuf/client.h"

/* Open incoming/<path> to read: an fd to close. ERR_NOT_FOUND, ERR_BAD_PATH, ERR_TAMPERED. */
int incoming_open(const char *state_dir, const char *path, struct err *err);

/* Remove incoming/<dir>/<name>, whatever it is; dir is one name. Best effort. */
void incoming_remove(const char *state_dir, const char *dir, const char *name);

/* The repository as the child laid it out; borrows state_dir. */
struct tuf_fetch incoming_fetch(const char *state_dir);

#endif
