/*
 * policy_file: policies as JSON files (canary/policies/NAME.json). Beside canary/, not in it: it
 * allocates. Durations in the file are seconds (fractions allowed).
 */
#ifndef FIREBREAK_POLICY_FILE_H
#define FIREBREAK_POLICY_FILE_H

#include "base/err.h"
#include "policy.h"

/* Read and check. ERR_POLICY with `what`, line, field and reason. */
int policy_parse(const char *data, unsigned long len, const char *what, struct policy *ret,
                 struct err *err);
/* dir/NAME.json, which must name itself so. ret_text: its text as well (owned); NULL: not wanted.
 * ERR_INVALID for what is no policy's name. */
int policy_read(const char *dir, const char *name, char **ret_text, struct policy *ret,
                struct err *err);

#endif
