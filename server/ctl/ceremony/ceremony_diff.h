/*
 * ceremony_diff: what changes from one version of a file to the next, so that nobody signs what
 * they did not see. Complete: every member of "signed" that differs is told, also one that nobody
 * here knows. No I/O.
 */
#ifndef FIREBREAK_CTL_CEREMONY_DIFF_H
#define FIREBREAK_CTL_CEREMONY_DIFF_H

#include <jansson.h>

#include "tuf/metadata.h"

/* A list of objects, each with "change" and what belongs to it:
 *   version, expires                          "from", "to"
 *   role-added, role-removed                  "role"
 *   threshold                                 "role", "from", "to"
 *   key-added, key-removed, key-changed       "role", "keyid", "type"
 *   role-field                                "role", "field", "from", "to" (paths and the like)
 *   target-added, -removed, -changed          "path", "from", "to" (sha256)
 *   target-custom                             "path", "from", "to"
 *   revoked, revocation-dropped               "digest", "reason"
 *   field                                     "field", "from", "to"
 * from and to of fields are JSON as text, "" where absent. Both are of one role. */
int ceremony_diff(const struct metadata *from, const struct metadata *to, json_t **ret,
                  struct err *err);

/* "ed25519", "ecdsa-sha2-nistp256": the scheme of a key in a table; "?" where it has none. */
const char *ceremony_key_type(const json_t *table, const char *keyid);

#endif
