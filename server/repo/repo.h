/*
 * repo: the TUF repository and the blobs, answered from memory. Offline-signed parts come in whole
 * and verified; online parts (plan, rollout, snapshot, timestamp) are signed here.
 *
 * A change is staged under the site lock, its files go into a store batch, and it becomes visible
 * with repo_publish() once that batch is committed: readers see the old repository or the new.
 */
#ifndef FIREBREAK_SERVER_REPO_H
#define FIREBREAK_SERVER_REPO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "manifest.h"
#include "plan.h"
#include "revoked.h"
#include "server.h"

struct store_batch;
struct repo_change;

/* Immutable bytes with an ETag; counted references. */
struct blob;
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);
const void *blob_data(const struct blob *b, size_t *ret_len);
const char *blob_etag(const struct blob *b);

/* Loads from the store; on first start takes the bootstrap files, verifies root and targets, and
 * publishes empty plans for the channels that targets delegates. After the first start the online
 * keys are looked for, but only repo_check_keys insists on them. */
int repo_open(struct server *s, struct repo **ret, struct err *err);
void repo_free(struct repo *r);
/* ERR_UNTRUSTED where the server lacks a key that root or targets names for its roles. */
int repo_check_keys(struct server *s, struct err *err);
/* Read all again from the store (after a failed commit). */
int repo_reload(struct server *s, struct err *err);

/* "metadata/timestamp.json", "targets/..." -> bytes (a new reference), NULL if there is none. */
struct blob *repo_get(struct repo *r, const char *path);
/* Blob by digest (memory cache over state_dir/blobs). NULL if there is none. */
struct blob *repo_get_blob(struct repo *r, const char *sha256);
int repo_has_blob(struct repo *r, const char *sha256, int64_t *ret_length);
/* Verified against its name, durable before 0 is returned. */
int repo_put_blob(struct repo *r, const char *sha256, const void *data, size_t len,
                  struct err *err);

int64_t repo_snapshot_version(const struct repo *r);
const char *
repo_root_id(const struct repo *r); /* SHA-256 of root version 1: the repository's name */

#define REPO_CHANNELS_MAX  64  /* that targets may delegate */
#define REPO_CHANNELS_EVER 256 /* with those that are gone */
struct repo_channel_name {
    char name[CHANNEL_NAME_MAX];
    bool gone; /* targets delegates it no longer */
};
/* All channels that there ever were, with what is staged; n of them. Under the site lock. */
size_t repo_channels(struct repo *r, struct repo_channel_name ret[REPO_CHANNELS_EVER]);
/* True for one that targets delegates now. */
bool repo_has_channel(struct repo *r, const char *channel);

/* Take in a release: content metadata (threshold of the channel's keys, version above the present
 * one, nothing that a plan needs dropped) and the manifest that it lists; every blob present with
 * its length. Adds metadata, release and audit rows: with 0, the batch must be submitted. manifest
 * is NUL-terminated text. *ret_manifest may be NULL. */
int repo_stage_release(struct server *s, const char *channel, const char *manifest, size_t len,
                       const char *content_metadata, size_t metadata_len, const char *by,
                       struct store_batch *b, struct repo_change **ret,
                       struct manifest **ret_manifest, struct err *err);
/* A file of metadata that was signed offline. */
struct repo_upload {
    const char *role; /* "root", "targets", "content-<channel>" */
    const char *text;
    size_t len;
    int64_t version; /* out; before, where not 0: what it must be */
    bool taken;      /* out: false: published already, with the same bytes */
};
#define REPO_UPLOADS_MAX 300 /* files at a time */

/* Take in metadata without a release, all of it or nothing: roots in sequence, targets, content
 * metadata that lists only what was published before. Rollout (where targets changed), snapshot and
 * timestamp are signed anew with the keys that are then in force. *ret NULL: nothing was new;
 * otherwise the batch must be submitted. */
int repo_stage_intake(struct server *s, struct repo_upload *files, size_t n, const char *by,
                      struct store_batch *b, struct repo_change **ret, struct err *err);
/* What bootstrap_dir has that is newer than what is published; the caller frees. */
struct repo_files;
int repo_bootstrap_newer(struct server *s, struct repo_files **ret, struct err *err);
struct repo_upload *repo_files_uploads(struct repo_files *f, size_t *ret_n);
void repo_files_free(struct repo_files *f);
DEFINE_CLEANUP(struct repo_files *, repo_files_free)

/* A role as it is published. */
struct repo_role {
    char name[64];
    int64_t version, expires_s, expires_in_s;
    bool warn; /* near its end: 30 days, or a third of its life where that is less */
};
#define REPO_ROLES_MAX (REPO_CHANNELS_MAX + 5)
/* Root, targets, the online roles, and the content of each channel that has some; n of them. */
size_t repo_roles(struct server *s, struct repo_role ret[REPO_ROLES_MAX]);
/* GET /api/v1/repository (new reference). */
int repo_status(struct server *s, json_t **ret, struct err *err);

/* Sign a new plan of a channel (plan->serial is set here). */
int repo_stage_plan(struct server *s, struct plan *plan, struct store_batch *b,
                    struct repo_change **ret, struct err *err);
/* Renew what is past half of its life; *ret NULL where nothing is. */
int repo_stage_renewal(struct server *s, struct store_batch *b, struct repo_change **ret,
                       struct err *err);
/* The snapshot version that a staged change will have. */
int64_t repo_change_snapshot(const struct repo_change *c);
void repo_publish(struct repo *r, struct repo_change *c); /* after the commit; takes c */
void repo_discard(struct repo *r, struct repo_change *c);

/* A release by version or digest; the manifest is parsed anew (owned). ERR_NOT_FOUND. */
int repo_release(struct server *s, const char *channel, const char *version, struct manifest **ret,
                 struct err *err);
int repo_release_by_digest(struct server *s, const char *channel, const char *digest,
                           struct manifest **ret, struct err *err);

/* Published releases of a channel, newest last: array of {version, digest, sequence,
 * published_ms, by, listed, revoked: why, where it is} (new reference). NULL: out of memory. */
json_t *repo_releases(struct repo *r, const char *channel);
/* What the channel's content metadata revokes, with what is staged; nothing where there is none. */
int repo_revoked(struct server *s, const char *channel, struct revoked *ret, struct err *err);
/* The channel's present content metadata; NULL: there is none yet. */
struct blob *repo_content_metadata(struct repo *r, const char *channel);

/* The node's permit key. */
const struct signer *repo_permit_signer(const struct repo *r);
/* True if the channel's published plan names it. */
bool repo_plan_names_permit(struct repo *r, const char *channel);

#endif
