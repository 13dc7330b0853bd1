/* client_internal: the state that the files of the client share, and what they ask of each other.
 */
#ifndef FIREBREAK_TUF_CLIENT_INTERNAL_H
#define FIREBREAK_TUF_CLIENT_INTERNAL_H

#include <stdbool.h>

#include "tuf/client.h"

#define CLIENT_MAX_ROLES   33   /* visited in one search: the top-level targets and 32 others */
#define CLIENT_PATH_MAX    2048 /* of a metadata file in the repository */
#define CLIENT_ROLES_BYTES (256 * 1024 * 1024) /* of memory for delegated roles in one search */

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
    size_t roles_bytes; /* of memory that they take */
    bool complete;      /* a whole refresh or load has succeeded */
    bool offline;       /* loaded: no fetch, no expiry */
    bool unchanged;     /* the timestamp fetched says nothing new */
};

/* A role that the snapshot (or, for the snapshot itself, the timestamp) lists. */
struct listed_role {
    const char *name;
    enum tuf_type type;
    const struct key_set *keys;
    struct meta_ref ref;
    bool settled; /* a stored file that is what the list says is never asked for again */
};

/* client.c */

size_t client_cap(enum tuf_type type); /* most bytes of a file */

/* m is signed as `root` says for the role. */
int client_verify_by_root(const struct metadata *root, const struct metadata *m, const char *role,
                          const char *what, struct err *err);

/* The stored file if it is there, well formed and signed by `keys`; otherwise NULL and 0: a stored
 * file that does not verify (any more) is as good as none. Only a failing store is an error. */
int client_read_local(struct tuf_client *c, const char *role, enum tuf_type type,
                      const struct key_set *keys, struct buf *raw, struct metadata **ret,
                      struct err *err);

void client_forget_roles(struct tuf_client *c);

int client_put(struct tuf_client *c, const char *role, const struct buf *raw, struct err *err);

/* The stored targets by the root's keys alone, of whatever version and age (new reference).
 * ERR_UNAVAILABLE: none. */
int client_stored_targets(struct tuf_client *c, struct metadata **ret, struct err *err);

/* client_root.c */

/* 5.3. Only the last root is judged for expiry. */
int client_update_root(struct tuf_client *c, int64_t now_s, struct err *err);

/* What an earlier client, cut short, has left of a rotation is done now. */
int client_finish_rotation(struct tuf_client *c, struct err *err);

/* client_listed.c */

/* The trusted file of a listed role: the stored one where it is what the list says, else a fetched
 * one, which is then stored. Offline: the stored one, if not newer than the list says. */
int client_load_listed(struct tuf_client *c, const struct listed_role *role, int64_t now_s,
                       struct metadata **ret, struct err *err);

#endif
