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
#include <stddef.h>
#include <stdint.h>

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
 * publishes empty plans for the channels that targets delegates. */
int repo_open(struct server *s, struct repo **ret, struct err *err);
void repo_free(struct repo *r);
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
/* Channels that targets delegates: n names. */
size_t repo_channels(const struct repo *r, const char *const **ret_names);

/* Take in a release: content metadata (threshold of the channel's keys, version above the present
 * one, nothing that a plan needs dropped) and the manifest that it lists; every blob present with
 * its length. Adds metadata, release and audit rows: with 0, the batch must be submitted. manifest
 * is NUL-terminated text. *ret_manifest may be NULL. */
int repo_stage_release(struct server *s, const char *channel, const char *manifest, size_t len,
                       const char *content_metadata, size_t metadata_len, const char *by,
                       struct store_batch *b, struct repo_change **ret,
                       struct manifest **ret_manifest, struct err *err);
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
 * published_ms, by} (new reference). NULL: out of memory. */
json_t *repo_releases(struct repo *r, const char *channel);
/* What the channel's content metadata revokes, with what is staged; nothing where there is none. */
int repo_revoked(struct server *s, const char *channel, struct revoked *ret, struct err *err);
/* The channel's present content metadata; NULL: there is none yet. */
struct blob *repo_content_metadata(struct repo *r, const char *channel);

/* The node's permit key. */
const struct signer *repo_permit_signer(const struct repo *r);

#endif
