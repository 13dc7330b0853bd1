/* metadata_internal: what metadata.c and metadata_delegation.c share. */
#ifndef FIREBREAK_METADATA_INTERNAL_H
#define FIREBREAK_METADATA_INTERNAL_H

#include <stdbool.h>

#include "tuf/metadata.h"

#define WHAT_MAX 256 /* how errors name a place in a document */

/* {"keyids": [...], "threshold": n}, of root's roles and of delegations alike. */
int metadata_check_role(const json_t *role, const char *what, struct err *err);

/* The keys of such an object, out of the table `keys`. */
int metadata_role_keys(const json_t *table, const json_t *role, struct key_set *ret,
                       struct err *err);

/* root, timestamp, snapshot, targets. */
bool metadata_is_top_level(const char *role);

/* The member "delegations" of a targets body, where there is one. */
int metadata_check_delegations(const json_t *body, const char *what, struct err *err);

#endif
