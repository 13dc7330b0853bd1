/*
 * repo_internal: what the repository's files share.
 *
 *   repo.c            life: loading, publishing, what readers ask
 *   repo_image.c      one whole state of the repository, in memory
 *   repo_prune.c      what goes from it
 *   repo_status.c     versions, keys and expiry of its roles
 *   repo_channels.c   its channels, as targets delegates them
 *   repo_load.c       it, out of the store
 *   repo_bootstrap.c  the first start, and newer files at every start
 *   repo_keys.c       the server's own keys
 *   repo_sign.c       signing plan, rollout, snapshot and timestamp
 *   repo_verify.c     would a client take it?
 *   repo_content.c    is content metadata what may be published next?
 *   repo_release.c    taking in a release
 *   repo_intake.c     taking in roots, targets and content metadata without a release
 *   blobs.c           content-addressed files, cached
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

#define REPO_SINCE    "repository.since/" /* settings: when a role's present version came */
#define REPO_PATH_MAX (TUF_TARGET_MAX + 96)
/* Superseded versions that are still served: a client that began its refresh before a change
 * finishes on the old ones. */
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

/* Of metadata that was signed offline. */
struct repo_life {
    int64_t expires_s;
    int64_t since_s; /* when this version was taken in; 0: not known */
};

/* Once known a channel stays: no client takes a snapshot that drops a role. */
struct repo_channel {
    char name[CHANNEL_NAME_MAX];
    int64_t content; /* version of its content metadata; 0: none yet */
    struct repo_life life;
    bool gone; /* targets delegates it no longer */
};

struct online_key;

struct repo_image {
    atomic_int refs;
    int64_t number;          /* grows with each change */
    struct repo_file *files; /* sorted by path */
    size_t n_files;
    struct repo_listing *releases; /* in the order of publication */
    size_t n_releases;
    int64_t root, targets; /* versions */
    struct repo_life root_life, targets_life;
    int64_t version[REPO_N_ONLINE]; /* 0: none yet */
    int64_t expires_s[REPO_N_ONLINE];
    struct online_key *keys[REPO_N_ONLINE]; /* that root and targets name; NULL: not looked for */
    struct repo_channel *channels;
    size_t n_channels;
};

struct repo {
    pthread_rwlock_t lock; /* of current and next */
    struct repo_image *current;
    struct repo_image *next; /* newest staged one; NULL: none */
    struct blobs *blobs;
    struct signer *permit;
    char root_id[65];
};

struct repo_change {
    struct repo_image *image, *base;
    struct store_batch *batch; /* until repo_finish */
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
/* Borrowed until the image changes; NULL: there is none. */
struct repo_file *image_file(const struct repo_image *i, const char *path);
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
/* The life of root, targets or a content role; NULL: another role. */
struct repo_life *image_life(struct repo_image *i, const char *role);

/* --- repo_prune.c ---------------------------------------------------------------------------- */

/* Drop what is superseded for good, from the store, too (b; NULL: not). */
void repo_prune(struct repo_image *i, struct store_batch *b);
/* The manifests that it lists count as of this version, or a later one that did. */
int repo_note_listed(struct repo_image *i, const struct metadata *content, struct err *err);
/* The same for all content metadata that there is. */
int repo_note_all_listed(struct repo_image *i, struct err *err);

/* --- repo_channels.c ------------------------------------------------------------------------- */

#define CONTENT_PREFIX "content-"

/* One that targets delegates; one that it ever did. NULL: there is none. */
struct repo_channel *image_channel(const struct repo_image *i, const char *name);
struct repo_channel *image_any_channel(const struct repo_image *i, const char *name);
/* The channels are those that targets delegates content of; the others are gone. */
int image_set_channels(struct repo_image *i, const struct metadata *targets, struct err *err);
/* What a snapshot lists of content, of channels that are gone, too. */
int image_set_content(struct repo_image *i, const struct metadata *snapshot, struct err *err);

/* --- repo_keys.c ----------------------------------------------------------------------------- */

/* A private key that images share; counted references. */
struct online_key *online_key_ref(struct online_key *k); /* NULL stays NULL */
void online_key_unref(struct online_key *k);
const struct signer *online_key_signer(const struct online_key *k);

int repo_open_permit(const char *dir, struct signer **ret, struct err *err);
/* The private keys of the online roles that the image's root and targets name: those of `have`
 * (NULL: none) that still fit, otherwise whichever of <role>.pem and <role>-*.pem in dir does.
 * ERR_UNTRUSTED where there is none. */
int repo_find_keys(struct repo_image *i, const struct repo_image *have, const char *dir,
                   struct err *err);

/* --- repo_sign.c ----------------------------------------------------------------------------- */

const char *repo_online_name(enum repo_online role);
/* Bytes into the image and into the batch. */
int repo_put(const struct repo_work *w, const char *path, const void *data, size_t len,
             int64_t version, struct err *err);
/* The present metadata of an offline role, just taken in, lives from now on. */
void repo_begin_life(const struct repo_work *w, const char *role, int64_t expires_s);
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
/* Take the image as a client would that has `base` (NULL: the first root only, or one as far back
 * as a client can follow): refresh, find and read each channel's plan and newest release. */
int repo_verify(const struct repo_image *base, const struct repo_image *i, int64_t now_s,
                struct err *err);

/* Signed by the keys that root names for a top-level role? */
int repo_verify_by_root(const struct metadata *root, const struct metadata *m, const char *role,
                        struct err *err);

/* --- repo_load.c ----------------------------------------------------------------------------- */

/* What the store has. *ret NULL: nothing yet. Sets the repository's id; keys are not looked for.
 * Nothing is dropped from it. */
int repo_load(struct server *s, struct repo *r, struct repo_image **ret, struct err *err);
int repo_set_id(struct repo *r, const struct repo_image *i, struct err *err);

/* --- repo_bootstrap.c ------------------------------------------------------------------------ */

/* First start: from bootstrap_dir, verified. Rows go into the batch. */
int repo_bootstrap(struct server *s, struct repo *r, struct store_batch *b, struct repo_image **ret,
                   struct err *err);

/* --- repo_content.c -------------------------------------------------------------------------- */

/* Content metadata of a channel that is to be published. */
struct content {
    struct server *server;
    const struct repo_image *image; /* root and targets in force, and what was published so far */
    const struct repo_channel *channel;
    char role[TUF_ROLE_NAME_MAX];
    char release[TUF_TARGET_MAX];    /* target of a release that comes along; "": none */
    struct metadata *next, *present; /* present: NULL where there is none yet */
};

/* ERR_NOT_FOUND where there is no such channel. The checks then are, each in turn: signed by the
 * channel's keys; not expired; above the present version; lists nothing but what was published;
 * its revocations can be read, and it drops nothing else that is needed. */
int content_init(struct content *c, struct server *s, const struct repo_image *i,
                 const char *channel, const char *text, size_t len, struct err *err);
void content_release(struct content *c);
int content_check_signed(const struct content *c, struct err *err);
int content_check_expiry(const struct content *c, struct err *err);
int content_check_version(const struct content *c, struct err *err);
int content_check_listed(const struct content *c, struct err *err);
int content_check_dropped(const struct content *c, struct err *err);
/* Where it lists a release, it gives it the sequence that the manifest has: whoever makes the next
 * list goes by it. */
int content_check_sequence(const struct content *c, const struct tuf_target *t, int64_t sequence,
                           struct err *err);
/* Published metadata under targets that changed: still signed, still allowed to list what it lists?
 */
int content_check_present(struct server *s, const struct repo_image *i,
                          const struct repo_channel *channel, struct err *err);
/* Into the image and the batch, as the channel's present one. */
int content_put(const struct repo_work *w, const struct content *c, const char *text, size_t len,
                struct err *err);

/* --- repo_intake.c --------------------------------------------------------------------------- */

/* Everything of an intake but its audit row: checked, put into the image and signed above. *ret_new
 * says whether anything was. base: what was there before. */
int repo_take_in(const struct repo_work *w, const struct repo_image *base,
                 struct repo_upload *files, size_t n, bool *ret_new, struct err *err);

/* --- repo.c ---------------------------------------------------------------------------------- */

/* A copy of the newest staged image, to be changed; under the site lock. Its image is in *ret_work.
 */
int repo_begin(struct server *s, struct store_batch *b, struct repo_change **ret,
               struct repo_work *ret_work, struct err *err);
/* With r = 0, verify it: it becomes the newest and *ret is set. Otherwise, or where a client would
 * refuse it, c is discarded. */
int repo_finish(struct server *s, int r, struct repo_change *c, struct repo_change **ret,
                struct err *err);
/* The published image; the newest staged one. Referenced. */
struct repo_image *repo_image(struct repo *r);
struct repo_image *repo_staged_image(struct repo *r);

#endif
