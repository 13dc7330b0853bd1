/* rights: what a confined process may ask of the kernel; taken in this order, for good. */
#ifndef FIREBREAK_CLIENT_SANDBOX_RIGHTS_H
#define FIREBREAK_CLIENT_SANDBOX_RIGHTS_H

#include <sys/types.h>

#include "sandbox/sandbox.h"

#define RIGHTS_NO_ROOT ((uid_t)-1)

/* Capabilities but those over files and users, no_new_privs, limits, Landlock (where the kernel has
 * it), seccomp. `host_root`: the user that it must not become, because the kernel limits its
 * processes never, or RIGHTS_NO_ROOT. ERR_IO where one of them but Landlock fails. */
int rights_drop(const struct sandbox *s, uid_t host_root, struct err *err);

/* Use again what was permitted before this process left root's user. */
int rights_keep(struct err *err);

#endif
