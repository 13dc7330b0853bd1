/*
 * repo_file: the files that people carry between ceremonies: root, targets and content metadata,
 * and public keys. An output that exists is never overwritten; a file that is signed is replaced
 * atomically, and only where it is still what was read.
 */
#ifndef FIREBREAK_CTL_REPO_FILE_H
#define FIREBREAK_CTL_REPO_FILE_H

#include "base/buf.h"
#include "base/cli.h"
#include "ceremony/ceremony_sign.h"

struct repo_file {
    const char *path; /* NULL: not given */
    struct buf text;  /* exact */
    struct metadata *m;
    char role[TUF_ROLE_NAME_MAX];
};

/* Read one. role: what it must be; NULL: any that people sign. */
int repo_file_read(const char *path, const char *role, struct repo_file *ret, struct err *err);
void repo_file_release(struct repo_file *f);

/* Replace it by its envelope as it now stands. ERR_CONFLICT where somebody else changed the file
 * since it was read. */
int repo_file_rewrite(const struct repo_file *f, struct err *err);

/* ERR_EXISTS: outputs are new files. */
int repo_file_is_new(const char *path, struct err *err);

/* A draft of this body, without signatures, as a new file. */
int repo_file_write_draft(const char *path, json_t *body, struct err *err);

/* The public keys of a repeated option, in its order. */
struct repo_keys {
    struct key *keys[CLI_MAX_OPTS];
    size_t n;
};
int repo_keys_read(const struct cli *cli, const char *option, struct repo_keys *ret,
                   struct err *err);
void repo_keys_release(struct repo_keys *k);

/* A file with all that --root, --targets and --previous say about it. For a root, the one before it
 * is what it is compared with and whose keys must sign: either option gives both. */
struct repo_view {
    struct repo_file file, root, targets, previous;
    struct ceremony_groups groups;
    json_t *show; /* ceremony_show.h */
};
int repo_view_open(const struct cli *cli, const char *path, int64_t now_s, struct repo_view *ret,
                   struct err *err);
/* Tell it again after a change of its signatures. */
int repo_view_update(struct repo_view *v, int64_t now_s, struct err *err);
void repo_view_release(struct repo_view *v);

#endif
