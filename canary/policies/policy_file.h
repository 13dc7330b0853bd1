/*
 * policy_file: policies as JSON files (canary/policies/NAME.json). Beside canary/, not in it: it
 * allocates. Durations in the file are seconds (fractions allowed).
 */
#ifndef FIREBREAK_POLICY_FILE_H
#define FIREBREAK_POLICY_FILE_H

#include <jansson.h>

#include "base/err.h"
#include "policy.h"

/* Read and check. ERR_POLICY with `what`, line, field and reason. */
int policy_parse(const char *data, unsigned long len, const char *what, struct policy *ret,
                 struct err *err);
/* dir/NAME.json, which must name itself so. ret_text: its text as well (owned); NULL: not wanted.
 * ERR_INVALID for what is no policy's name. */
int policy_read(const char *dir, const char *name, char **ret_text, struct policy *ret,
                struct err *err);
/* a-z, 0-9 and '-', not first; what may be a file's name. */
bool policy_name_is_plain(const char *name);

/* All NAME.json of a folder by name, at most POLICY_DIR_MAX: p, or NULL and why it is refused. A
 * negative result stops. ERR_NOT_FOUND: no such folder. */
#define POLICY_DIR_MAX 256
typedef int (*policy_visit)(void *ctx, const char *name, const struct policy *p,
                            const struct err *why, struct err *err);
int policy_each(const char *dir, policy_visit visit, void *ctx, struct err *err);

/* A file, whatever its name. */
int policy_read_path(const char *path, struct policy *ret, struct err *err);
/* A name in the folder dir, as above, or (with a '/' or '.' in it) a file's path. */
int policy_find(const char *dir, const char *name, struct policy *ret, struct err *err);
/* What policy_parse reads as the same policy. NULL: no memory. */
json_t *policy_to_json(const struct policy *p);

#endif
