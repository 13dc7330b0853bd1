/* client_internal: the state that client.c (refresh) and client_find.c (targets) share. */
#ifndef FIREBREAK_TUF_CLIENT_INTERNAL_H
#define FIREBREAK_TUF_CLIENT_INTERNAL_H

#include <stdbool.h>

#include "tuf/client.h"

#define CLIENT_MAX_ROTATIONS 256  /* root files taken in one refresh */
#define CLIENT_MAX_ROLES     32   /* roles visited in one search */
#define CLIENT_PATH_MAX      2048 /* of a metadata file in the repository */

/* A delegated role in memory. It is verified against its delegator at every use. */
struct loaded_role {
    struct loaded_role *next;
    struct metadata *m;
    char name[];
};

struct tuf_client {
    struct tuf_store store;
    struct tuf_fetch fetch;
    struct metadata *root; /* never NULL */
    struct metadata *timestamp, *snapshot, *targets;
    struct loaded_role *roles;
    bool complete; /* a whole refresh or load has succeeded */
    bool offline;  /* loaded: no fetch, no expiry */
};

/* A role that the snapshot (or, for the snapshot itself, the timestamp) lists. */
struct listed_role {
    const char *name;
    enum tuf_type type;
    const struct key_set *keys;
    struct meta_ref ref;
};

/* The trusted file of a listed role: the stored one where it is what the list says, else a fetched
 * one, which is then stored. Offline: the stored one, if not newer than the list says. */
int client_load_listed(struct tuf_client *c, const struct listed_role *role, int64_t now_s,
                       struct metadata **ret, struct err *err);

#endif
