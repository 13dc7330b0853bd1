/*
 * repo_source: a repository as a stranger sees it: over HTTP, from a server, a mirror or any static
 * host, or as a folder. Paths are relative to it: "metadata/timestamp.json", "blobs/aa/<sha256>".
 * Nothing that comes from it is believed here.
 */
#ifndef FIREBREAK_CTL_REPO_SOURCE_H
#define FIREBREAK_CTL_REPO_SOURCE_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/cli.h"
#include "tuf/client.h"

struct repo_source;

/* --url, or --dir, or the server's /repo. ERR_USAGE where none or two are given. */
int repo_source_open(const struct cli *cli, struct repo_source **ret, struct err *err);
void repo_source_free(struct repo_source *s);
DEFINE_CLEANUP(struct repo_source *, repo_source_free)

const char *repo_source_name(const struct repo_source *s); /* for messages */

/* The bytes; ret carries the cap. ERR_NOT_FOUND, ERR_FORBIDDEN (static hosts), ERR_UNREACHABLE. */
int repo_source_get(struct repo_source *s, const char *path, struct buf *ret, struct err *err);
struct tuf_fetch repo_source_fetch(struct repo_source *s);

/* Its length without its bytes. */
int repo_source_length(struct repo_source *s, const char *path, int64_t *ret, struct err *err);

/* Length and SHA-256 of all of it; copied to fd, where that is >= 0. cap_bytes bounds it. */
struct repo_sum {
    int64_t length;
    char sha256[65];
};
int repo_source_read(struct repo_source *s, const char *path, int64_t cap_bytes, int fd,
                     struct repo_sum *ret, struct err *err);

/* True for an error that says nothing about the repository: it was not reached. */
bool repo_source_is_away(int r);

#endif
