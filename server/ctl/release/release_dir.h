/*
 * release_dir: a release as a directory between build, signatures and publication (CONTRACTS):
 * manifest.json, content-<channel>.json, blobs/aa/<sha256>.
 */
#ifndef FIREBREAK_CTL_RELEASE_DIR_H
#define FIREBREAK_CTL_RELEASE_DIR_H

#include "manifest.h"
#include "tuf/metadata.h"

struct release_dir {
    char *path;
    struct manifest *manifest;
    struct buf manifest_text; /* exact */
    struct buf content_text;  /* exact */
    struct metadata *content;
    char *content_path;       /* of content-<channel>.json */
    struct tuf_target target; /* of the manifest in the content metadata */
};

/* Read and check that both agree: the metadata lists exactly this manifest. */
int release_dir_read(const char *path, struct release_dir *ret, struct err *err);
void release_dir_release(struct release_dir *d);

/* "<dir>/blobs/aa/<sha256>", malloc'd; NULL when out of memory. */
char *release_dir_blob(const struct release_dir *d, const char *sha256);

/* Hash every blob: all are there and are what the manifest says. */
int release_dir_check_blobs(const struct release_dir *d, struct err *err);

/* Different keys that have a signature in the content metadata (not verified). */
int release_dir_signatures(const struct release_dir *d);

#endif
