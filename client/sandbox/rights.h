/* rights: what a confined process may ask of the kernel; taken in this order, for good. */
#ifndef FIREBREAK_CLIENT_SANDBOX_RIGHTS_H
#define FIREBREAK_CLIENT_SANDBOX_RIGHTS_H

#include "sandbox/sandbox.h"

/* Capabilities but those over files and users, no_new_privs, limits, Landlock (where the kernel has
 * it), seccomp. ERR_IO where one of them but Landlock fails. */
int rights_drop(const struct sandbox *s, struct err *err);

#endif
