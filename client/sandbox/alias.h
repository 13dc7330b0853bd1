/* alias: other paths by which a directory is to be seen: on embedded systems and in containers the
 * state directory is often a bind mount of a folder on a data partition, which is mounted, too. */
#ifndef FIREBREAK_CLIENT_SANDBOX_ALIAS_H
#define FIREBREAK_CLIENT_SANDBOX_ALIAS_H

#include <limits.h>

#include "base/err.h"

#define ALIAS_MAX 16

struct alias {
    char path[PATH_MAX];
};

/* Those that lead to `dir` (absolute, without links in it) from other mounts of its file system,
 * in this mount namespace. Returns how many; ERR_IO, and ERR_REFUSED where there are more. */
int alias_find(const char *dir, struct alias ret[ALIAS_MAX], struct err *err);

#endif
