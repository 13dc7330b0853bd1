/*
 * repo_internal: what the repository's files share.
 *
 *   repo.c          life: loading, first start, publishing, what readers ask
 *   repo_image.c    one whole state of the repository, in memory
 *   repo_sign.c     signing plan, rollout, snapshot and timestamp
 *   repo_verify.c   would a client take it?
 *   repo_release.c  taking in a release
 *   blobs.c         content-addressed files, cached
 *
 * An image never changes once it is published: readers hold a file's bytes by reference. A change
 * is staged on a copy of the newest staged image, so that changes staged one after the other before
 * the first is committed contain each other.
 */
#ifndef FIREBREAK_SERVER_REPO_INTERNAL_H
#define FIREBREAK_SERVER_REPO_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "auth.h"
#include "base/cleanup.h"
#include "repo/blob.h"
#include "repo/blobs.h"
#include "repo/repo.h"
#include "store/store.h"
#include "tuf/metadata.h"

#define REPO_PATH_MAX (TUF_TARGET_MAX + 96)
/* Superseded snapshots, rollout metadata and plans that are still served: a client that began its
 * refresh before a change finishes on the old ones. */
#define REPO_KEEP 128

struct repo_file {
    char *path; /* "metadata/3.snapshot.json" */
    struct blob *blob;
    int64_t version;
};

struct repo_listing { /* a release that was published */
    char channel[CHANNEL_NAME_MAX];
    char version[RELEASE_VERSION_MAX];
    char digest[65];
    char by[OPERATOR_NAME_MAX];
    int64_t sequence, published_ms;
};

/* The roles that are signed here. X(NAME, "name") */
#define REPO_ONLINE(X) X(ROLLOUT, "rollout") X(SNAPSHOT, "snapshot") X(TIMESTAMP, "timestamp")
enum repo_online {
#define X(name, text) REPO_##name,
    REPO_ONLINE(X)
#undef X
        REPO_N_ONLINE
};

struct repo_image {
    atomic_int refs;
    int64_t number;          /* grows with each change */
    struct repo_file *files; /* sorted by path */
    size_t n_files;
    struct repo_listing *releases; /* in the order of publication */
    size_t n_releases;
    int64_t root, targets;          /* versions */
    int64_t version[REPO_N_ONLINE]; /* 0: none yet */
    int64_t expires_s[REPO_N_ONLINE];
    int64_t *content; /* version of each channel's content metadata, as in repo.channels; 0: none */
    size_t n_content;
};

struct repo {
    pthread_rwlock_t lock; /* of current and next */
    struct repo_image *current;
    struct repo_image *next; /* newest staged one; NULL: none */
    struct blobs *blobs;
    struct signer *signers[REPO_N_ONLINE];
    struct signer *permit;
    char root_id[65];
    char **channels;
    size_t n_channels;
};

struct repo_change {
    struct repo_image *image, *base;
};

/* What staging works with. */
struct repo_work {
    struct server *server;
    struct repo *repo;
    struct repo_image *image;
    struct store_batch *batch;
};

/* --- repo_image.c ---------------------------------------------------------------------------- */

struct repo_image *image_new(void);
struct repo_image *image_ref(struct repo_image *i);
void image_unref(struct repo_image *i);
DEFINE_CLEANUP(struct repo_image *, image_unref)
/* Same content, number one higher. NULL: out of memory. */
struct repo_image *image_copy(const struct repo_image *i);
/* Borrowed; NULL: there is none. */
struct blob *image_get(const struct repo_image *i, const char *path);
/* Replaces what has this path; takes a reference of its own. */
int image_put(struct repo_image *i, const char *path, struct blob *b, int64_t version,
              struct err *err);
int image_add_release(struct repo_image *i, const struct repo_listing *l, struct err *err);
const struct repo_listing *image_release(const struct repo_image *i, const char *channel,
                                         const char *version);
/* "metadata/3.targets.json"; version 0: "metadata/timestamp.json" */
void image_metadata_path(const char *role, int64_t version, char ret[REPO_PATH_MAX]);
/* Parsed anew. ERR_NOT_FOUND. */
int image_metadata(const struct repo_image *i, const char *role, int64_t version,
                   enum tuf_type type, struct metadata **ret, struct err *err);
/* "targets/rollout/<sha256>.crs.json" */
int image_target_path(const char *target, const char *sha256, char ret[REPO_PATH_MAX],
                      struct err *err);
/* A target that a role's present metadata lists: its path in the image. ERR_NOT_FOUND. */
int image_target(const struct repo_image *i, const char *role, int64_t version, const char *target,
                 char ret_path[REPO_PATH_MAX], struct err *err);
/* Drop what is superseded by more than REPO_KEEP versions. */
void image_prune(struct repo_image *i);

/* --- repo_sign.c ----------------------------------------------------------------------------- */

const char *repo_online_name(enum repo_online role);
int repo_open_signers(struct repo *r, const char *dir, struct err *err);
/* Are they the keys that root and targets name? */
int repo_check_signers(const struct repo *r, const struct repo_image *i, struct err *err);
/* Bytes into the image and into the batch. */
int repo_put(const struct repo_work *w, const char *path, const void *data, size_t len,
             int64_t version, struct err *err);
/* Each in turn: rollout metadata over the present plans, these channels' replaced by new ones;
 * snapshot; timestamp. */
int repo_sign_rollout(const struct repo_work *w, const struct plan *const *plans, size_t n,
                      struct err *err);
int repo_sign_snapshot(const struct repo_work *w, struct err *err);
int repo_sign_timestamp(const struct repo_work *w, struct err *err);
/* A plan that says nothing but whose word counts. */
int repo_empty_plan(const struct server *s, const struct repo *r, const char *channel,
                    struct plan **ret, struct err *err);

/* --- repo_verify.c --------------------------------------------------------------------------- */

/* As now_s: nothing has expired. What was signed offline may run out at any time, in any channel;
 * a halt, a recall and fresh timestamps must come out all the same, for the clients that can still
 * take them. */
#define REPO_ANY_TIME INT64_C(0)
/* Take the image as a client would that has `base` (NULL: the first root only): refresh, find and
 * read each channel's plan and newest release. */
int repo_verify(const struct repo *r, const struct repo_image *base, const struct repo_image *i,
                int64_t now_s, struct err *err);

/* --- repo_load.c ----------------------------------------------------------------------------- */

/* What the store has. *ret NULL: nothing yet. Sets the repository's channels and id. */
int repo_load(struct server *s, struct repo *r, struct repo_image **ret, struct err *err);
/* First start: from bootstrap_dir, verified. Rows go into the batch. */
int repo_bootstrap(struct server *s, struct repo *r, struct store_batch *b, struct repo_image **ret,
                   struct err *err);

/* --- repo.c ---------------------------------------------------------------------------------- */

/* A copy of the newest staged image, to be changed; under the site lock. Its image is in *ret_work.
 */
int repo_begin(struct server *s, struct store_batch *b, struct repo_change **ret,
               struct repo_work *ret_work, struct err *err);
/* With r = 0, verify it: it becomes the newest and *ret is set. Otherwise, or where a client would
 * refuse it, c is discarded. */
int repo_finish(struct server *s, int r, struct repo_change *c, struct repo_change **ret,
                struct err *err);
/* Index of a channel, -1: there is none. */
int repo_channel_index(const struct repo *r, const char *channel);
/* The newest staged image, referenced. */
struct repo_image *repo_staged_image(struct repo *r);
/* The published image, referenced. */
struct repo_image *repo_image(struct repo *r);

#endif
