/*
 * targets: verified target files in a folder, flat: each by its quoted target path (tuf/name.h), so
 * that a new version of a target replaces the old one.
 */
#ifndef FIREBREAK_CLIENT_TUF_TARGETS_H
#define FIREBREAK_CLIENT_TUF_TARGETS_H

#include "tuf/client.h"

#define TARGET_BYTES_MAX (256 * 1024 * 1024) /* of one target: it is verified in memory */

/* Have the target in `dir`: nothing is fetched where it is there already. *ret_path (malloc'd) says
 * where. After a failure the folder is as it was. */
int targets_get(struct tuf_client *c, int64_t now_s, const char *name, const char *dir,
                char **ret_path, struct err *err);

#endif
