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
/* A name in the folder dir, as above, or (with a '/' or '.' in it) a file's path. */
int policy_find(const char *dir, const char *name, struct policy *ret, struct err *err);
/* What policy_parse reads as the same policy. NULL: no memory. */
json_t *policy_to_json(const struct policy *p);

#endif
