/* view: what of the file system is to be seen in a sandbox, built in a mount namespace of its own.
 */
#ifndef FIREBREAK_CLIENT_SANDBOX_VIEW_H
#define FIREBREAK_CLIENT_SANDBOX_VIEW_H

#include "sandbox/sandbox.h"

/* Every real file system, with a layer of memory over it (where that cannot be: read-only), below
 * `ret_root`. Mounts move no more into or out of this namespace. The caller has just unshared it.
 */
int view_build(const struct sandbox *s, char *ret_root, unsigned long size, struct err *err);

/* By process 1 of a new pid namespace: its own /proc, then this root becomes the root. */
int view_enter(const char *root, struct err *err);

/* Make its /proc read-only: once users are mapped, before the checker starts. What /proc shows of
 * the machine belongs to users whom the checker may have power over: their files must not change
 * mode or owner. */
int view_lock(struct err *err);

#endif
