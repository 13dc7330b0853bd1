/*
 * ceremony_show: a file of root, targets or content metadata told in full, as one JSON object and
 * as text for whoever is about to sign it.
 */
#ifndef FIREBREAK_CTL_CEREMONY_SHOW_H
#define FIREBREAK_CTL_CEREMONY_SHOW_H

#include <stdio.h>

#include "ceremony/ceremony_sign.h"

struct ceremony_show {
    const char *name; /* of the file */
    const char *role;
    const struct metadata *m;
    const struct metadata *previous; /* NULL: not at hand, so no changes are told */
    const struct ceremony_groups *groups;
    int64_t now_s;
};

/* {"file", "role", "version", "expires", "expires_in_s",
 *  "roles": [{"role", "threshold", "keys": [{"keyid", "type"}], "paths": [...]}],
 *  "targets": [{"path", "sha256", "length", "sequence"}], "revoked": [{"digest", "reason"}],
 *  "previous_version", "changes": [...],             (ceremony_diff.h; absent without previous)
 *  "signatures", "needs", "complete"}                (ceremony_sign.h) */
int ceremony_show_make(const struct ceremony_show *s, json_t **ret, struct err *err);

void ceremony_show_print(const json_t *show, FILE *out);

/* One line for each group: how many have signed and how many are missing. */
void ceremony_show_needs(const json_t *show, FILE *out);

#endif
