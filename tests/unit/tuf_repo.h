/*
 * tuf_repo: a TUF repository in memory, to be bent by tests: change a body, sign and publish it.
 * What is fetched is counted; where it comes from and where trusted files go is plain memory.
 * Everything asserts with cmocka; call it from tests and fixtures only.
 */
#ifndef FIREBREAK_TUF_REPO_H
#define FIREBREAK_TUF_REPO_H

#include <jansson.h>

#include "tuf/client.h"

#define TUF_REPO_NOW     INT64_C(1764028800)
#define TUF_REPO_DAY     INT64_C(86400)
#define TUF_REPO_SIGNERS 8
#define TUF_REPO_ROLE    "content-crs"
#define TUF_REPO_TARGET  "content/crs/1.0.json"
#define TUF_REPO_CONTENT "{\"release\":\"1.0\"}"

/* Who signs a role: signers by number, the first n of which sign what is published. */
struct tuf_repo_role {
    size_t n;
    int signers[TUF_REPO_SIGNERS];
};

struct tuf_repo {
    char dir[64]; /* key files */
    struct signer *signers[TUF_REPO_SIGNERS];
    struct tuf_repo_role root_by, timestamp_by, snapshot_by, targets_by, content_by;
    json_t *root, *timestamp, *snapshot, *targets, *content; /* "signed" bodies */
    json_t *files;                                           /* path -> bytes, as published */
    json_t *trusted;                                         /* name -> bytes, the client's */
    json_t *requests;                                        /* paths in order */
    int put_fails;                                           /* -ERR_...: what put answers */
    int changes_left; /* of the store before the process dies; below 0: it does not */
};

/* Root and targets signed by 0 and 1 (threshold 2), timestamp by 2, snapshot by 3, content-crs by 4
 * and 5 (threshold 2); all at version 1 and published. */
struct tuf_repo *tuf_repo_new(void);
void tuf_repo_free(struct tuf_repo *r);

struct tuf_fetch tuf_repo_fetch(struct tuf_repo *r);
struct tuf_store tuf_repo_store(struct tuf_repo *r);

/* Sign a body by a role's signers and put the file at a path; bytes to `ret` (may be NULL). */
void tuf_repo_put(struct tuf_repo *r, const char *path, json_t *body,
                  const struct tuf_repo_role *by, struct buf *ret);

/* Name the keys of a top-level role in the root body. */
void tuf_repo_set_role(struct tuf_repo *r, const char *role, const struct tuf_repo_role *by,
                       int threshold);

/* The root as it stands, signed by root_by, at its version's path. */
void tuf_repo_publish_root(struct tuf_repo *r);
/* All below the root as they stand; refs are set by the bodies' versions. */
void tuf_repo_publish(struct tuf_repo *r);
/* Raise a body's version by `by`. */
void tuf_repo_bump(json_t *body, int by);
/* Set a body's expiry. */
void tuf_repo_expire(json_t *body, int64_t at_s);

/* Requests since the last call, joined by spaces without "metadata/", and forgotten. */
const char *tuf_repo_requests(struct tuf_repo *r, struct buf *ret);

#endif
