/* world: a site with a release, 1.0, and a client that has it and keeps what it trusts. */
#ifndef FIREBREAK_TEST_WORLD_H
#define FIREBREAK_TEST_WORLD_H

#include "offline.h"
#include "tuf/store_memory.h"

#define ROOTS   "offline/root-1 offline/root-2"
#define TARGETS "offline/targets-1 offline/targets-2"
#define CONTENT "offline/content-crs-1 offline/content-crs-2"

/* What somebody else serves in place of the repository's own. */
struct forged {
    char path[128];
    char *text;
};

struct follower {
    struct tuf_memory *memory;
    struct tuf_store store;
    struct repo *repo;
    const struct forged *forged;
    size_t n_forged;
};

/* Trusts root 1, and refreshes. */
void follower_init(struct follower *f, struct site *site);
/* Refresh and read this target, "" none; what the client says. */
int follower_refresh(struct follower *f, struct site *site, const char *target, struct err *err);

struct world {
    struct site *site;
    struct follower old;
};

int world_set_up(void **state);
int world_tear_down(void **state);
int64_t world_snapshot(const struct world *w);
/* Is this path served? */
bool world_has(const struct world *w, const char *path);
/* The client from before follows, and goes on doing so after a restart. */
void world_check_followed(struct world *w);
void world_check_taken(struct world *w, int r, const struct err *err);
/* Refused with this code and these words, and nothing changed: the snapshot had this version. */
void world_check_refused(struct world *w, int64_t snapshot, int r, int code, const char *words,
                         const struct err *err);

#endif
