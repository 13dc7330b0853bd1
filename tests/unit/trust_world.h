/*
 * trust_world: one agent with one channel, crs, and a repository in memory (tuf_repo.h) that is
 * laid out in incoming/ as the fetching child leaves it; for the tests of trust. Everything asserts
 * with cmocka; call it from tests and fixtures only.
 */
#ifndef FIREBREAK_TRUST_WORLD_H
#define FIREBREAK_TRUST_WORLD_H

#include "agent.h"
#include "tuf_repo.h"

struct world {
    char *dir;
    struct agent *agent;
    struct tuf_repo *repo;
    struct clock_fixed now;
    struct clock clock;
    struct plan plan;
    struct key *keys[1];
    struct buf manifest;
    char digest[65]; /* of release 1.0, sequence 4, lowest 2: the plan's candidate */
};

/* Setup and teardown of one test: nothing is fetched yet. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* The agent again with further lines of configuration: top ones, then channels. */
void world_reopen(struct world *w, const char *top, const char *channels);

void world_write(const struct world *w, const char *path, const void *data, size_t len);
void world_dump_plan(struct world *w, struct buf *ret);
/* The repository with the plan as it stands, in incoming/ as the child leaves it. */
void world_bring(struct world *w);
/* The same, the plan and all else as they were bent meanwhile. */
void world_bring_more(struct world *w);
/* Content metadata as it stands, next version, as source `i` shows it without a version. */
void world_show_content(struct world *w, int source);
/* Nothing came this time. */
void world_bring_nothing(struct world *w);

/* The whole pass's failure, or its one channel's. */
int world_verify(struct world *w);
/* The channel as it is on disk. */
struct state_channel world_channel(struct world *w);

#endif
