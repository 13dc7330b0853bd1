/*
 * repo_walk: all of a repository, verified as a stranger would: the chain of roots, what they lead
 * to, every role, every release and plan that is listed, and which files these name. What is wrong
 * is collected, so that one look tells all of it; only a repository that cannot be reached ends it.
 */
#ifndef FIREBREAK_CTL_REPO_WALK_H
#define FIREBREAK_CTL_REPO_WALK_H

#include "manifest.h"
#include "repository/repo_source.h"

#define REPO_WALK_PROBLEMS 64 /* told; more are counted */

struct walk_role {
    char name[TUF_ROLE_NAME_MAX];
    int64_t version; /* 0: not published yet */
    int64_t expires_s;
    int threshold, keys;
    bool online; /* signed by the server, renewed by itself */
};

struct walk_channel {
    char name[CHANNEL_NAME_MAX];
    int64_t releases, revoked; /* listed; taken back */
    int64_t unversioned;       /* version of the copy that revocations are read from */
    char newest[RELEASE_VERSION_MAX];
};

/* A file of metadata as it was verified. */
struct walk_file {
    char *path; /* "metadata/3.root.json" */
    char *data;
    size_t len;
};

/* A file that is known by its hash: a manifest, a plan, a blob. */
struct walk_hashed {
    char *path;
    char sha256[65];
    int64_t length;
};

struct walk_problem {
    char subject[160]; /* the file, the role */
    struct err err;
};

struct repo_walk {
    struct walk_role *roles;
    size_t n_roles;
    struct walk_channel *channels;
    size_t n_channels;
    struct walk_file *files; /* in the order in which they were asked for */
    size_t n_files;
    struct walk_hashed *targets; /* manifests and plans */
    size_t n_targets;
    struct walk_hashed *blobs; /* each once */
    size_t n_blobs;
    int64_t blob_bytes;
    int64_t root_version, snapshot_version;
    struct walk_problem problems[REPO_WALK_PROBLEMS];
    size_t n_problems; /* may be more than there is room for */
    bool root_given;   /* otherwise its own first root was believed */
};

/* root: the trusted one's bytes (NULL: the repository's first). 0 also with problems. ERR_INVALID
 * and the like where the root is none; ERR_UNREACHABLE. */
int repo_walk(struct repo_source *source, const struct buf *root, int64_t now_s,
              struct repo_walk **ret, struct err *err);
void repo_walk_free(struct repo_walk *w);
DEFINE_CLEANUP(struct repo_walk *, repo_walk_free)

/* Note what is wrong with a file. */
void repo_walk_problem(struct repo_walk *w, const char *subject, const struct err *err);
/* The first problem as the error of the verb, its exit status 3; 0: there is none. */
int repo_walk_verdict(const struct repo_walk *w, struct err *err);

#endif
