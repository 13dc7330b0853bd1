/*
 * tree: content on disk: verified blobs, complete release trees made of them, and the links that
 * say which tree is meant (DESIGN section 5).
 *
 *   blobs/aa/<sha256>
 *   channels/<channel>/manifests/<digest>.json    named by the hash of its own bytes
 *   channels/<channel>/releases/<digest>/         complete, read-only, fsynced; a name is taken
 *                                                 only by a tree that was read back and verified
 *   channels/<channel>/releases/<digest>.boot/    the copy that good-boot points to: own inodes
 *   channels/<channel>/current, good-run, good-boot -> releases/<name>
 */
#ifndef FIREBREAK_CLIENT_TREE_H
#define FIREBREAK_CLIENT_TREE_H

#include <stdbool.h>

#include "base/err.h"
#include "manifest.h"

#define TREE_NAME_MAX    80 /* "<digest>.boot" with the NUL */
#define TREE_BOOT_SUFFIX ".boot"

/* True if the blob is there with this length (its bytes were verified when it came in). */
bool blob_is_here(const char *state_dir, const char *sha256, int64_t length);

/* Copy incoming/blobs/<sha256>, which somebody unprivileged may be writing to, into blobs/, hashing
 * what is copied. ERR_TAMPERED where hash or length is not the one named, or it is no file. Durable
 * before 0 is returned. */
int blob_take(const char *state_dir, const char *sha256, int64_t length, struct err *err);

/* Keep a manifest's bytes, durably; and read one back (its digest is checked). ERR_NOT_FOUND,
 * ERR_TAMPERED. */
int tree_put_manifest(const char *state_dir, const char *channel, const char *digest,
                      const void *data, size_t len, struct err *err);
int tree_manifest(const char *state_dir, const char *channel, const char *digest,
                  struct manifest **ret, struct err *err);

/* Build releases/<name> for m and verify what was written; a tree that is there and whole is left
 * alone, one that is not is replaced. Files come from the tree releases/<from> where it is given
 * and from blobs/ otherwise. ERR_FULL, ERR_TAMPERED, ERR_NOT_FOUND (a blob is missing). */
int tree_build(const char *state_dir, const struct manifest *m, const char *name, const char *from,
               struct err *err);

/* Read every byte of releases/<name>. ERR_TAMPERED names the first file that is missing, changed,
 * or not the manifest's. */
int tree_verify(const char *state_dir, const struct manifest *m, const char *name, struct err *err);

bool tree_is_here(const char *state_dir, const char *channel, const char *name);

/* The name that a link ("current", "good-run", "good-boot") points to; "" none. ERR_INVALID where
 * it is not a link of ours. */
int tree_link(const char *state_dir, const char *channel, const char *link, char ret[TREE_NAME_MAX],
              struct err *err);

/* Point the link at releases/<name>, by a new link and a rename, the directory fsynced: whoever
 * looks sees the old one or the new one. name "" removes it. */
int tree_set_link(const char *state_dir, const char *channel, const char *link, const char *name,
                  struct err *err);

/* Remove trees and manifests of the channel that are not among `keep` (digests; their .boot copies
 * stay with them), and half-built ones. What cannot be removed stays: not an error. */
void tree_collect(const char *state_dir, const char *channel, const char *const *keep,
                  size_t n_keep);

/* Remove the blobs that none of these manifests names (NULL entries are passed over). Trees hold
 * copies: a blob is only kept so that the next release need not download it again. */
void blob_collect(const char *state_dir, const struct manifest *const *wanted, size_t n);

#endif
