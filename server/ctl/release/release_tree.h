/*
 * release_tree: a source tree walked into a manifest's files and content-addressed blobs. Plain
 * files only: links, devices, sockets and names that no endpoint would take are refused, not left
 * out. What is hashed is what is copied, whatever else writes to the tree meanwhile.
 */
#ifndef FIREBREAK_CTL_RELEASE_TREE_H
#define FIREBREAK_CTL_RELEASE_TREE_H

#include "manifest.h"

/* Walk src; each file goes to <blobs>/aa/<sha256> (once per content) and into m->files, sorted by
 * path. blobs exists and is on one file system. ERR_BAD_PATH, ERR_TOO_LARGE. */
int release_tree_read(const char *src, const char *blobs, struct manifest *m, struct err *err);

/* SHA-256 and length of what fd has from here on, copied to out_fd where that is >= 0.
 * ERR_TOO_LARGE above MANIFEST_FILE_MAX. `what` names it. */
int release_tree_hash(int fd, int out_fd, const char *what, char ret_sha256[65],
                      int64_t *ret_length, struct err *err);

#endif
