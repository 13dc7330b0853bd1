/*
 * tuf_world: one client over one repository in memory (tuf_repo.h), as the tests of tuf_client
 * share it. Everything asserts with cmocka; call it from tests and fixtures only.
 */
#ifndef FIREBREAK_TUF_WORLD_H
#define FIREBREAK_TUF_WORLD_H

#include "tuf_repo.h"

struct tuf_world {
    struct tuf_repo *repo;
    struct tuf_store store;
    struct tuf_fetch fetch;
    struct tuf_client *client;
    struct buf text;
    struct err err;
};

/* Setup and teardown of one test: a fresh repository, its first root trusted. */
int tuf_world_set_up(void **state);
int tuf_world_tear_down(void **state);

/* Put the repository's first root into the store, as an installer does. */
void tuf_world_trust_root_1(struct tuf_world *w);
/* A new process over the same store. */
void tuf_world_reopen(struct tuf_world *w);

/* A refresh by a new process; what it asks for is in repo->requests. */
int tuf_world_refresh_at(struct tuf_world *w, int64_t now_s);
int tuf_world_refresh(struct tuf_world *w); /* at TUF_REPO_NOW */
/* Look up TUF_REPO_TARGET. */
int tuf_world_find(struct tuf_world *w);

/* What was asked for since the requests were last forgotten is `want` (tuf_repo_requests). */
void tuf_world_assert_requests(struct tuf_world *w, const char *want);
/* Version of a trusted file; 0 where there is none. */
int64_t tuf_world_trusted(struct tuf_world *w, const char *name);

/* A change of content, published up to the timestamp. */
void tuf_world_publish_next(struct tuf_world *w);

#endif
