/*
 * policy_file: policies as JSON files (canary/policies/NAME.json). Beside canary/, not in it: it
 * allocates. Durations in the file are seconds (fractions allowed).
 */
#ifndef FIREBREAK_POLICY_FILE_H
#define FIREBREAK_POLICY_FILE_H

#include "base/err.h"
#include "policy.h"

/* Read and check. ERR_POLICY with the field (and line where the JSON itself is bad). */
int policy_parse(const char *data, unsigned long len, const char *what, struct policy *ret,
                 struct err *err);
int policy_read(const char *dir, const char *name, struct policy *ret, struct err *err);

#endif
