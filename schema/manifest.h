/*
 * manifest: what a release is, signed offline by the content role (DESIGN section 3; FORMATS.md).
 * Target path: content/<channel>/<version>.json. The release digest is the SHA-256 of its bytes.
 */
#ifndef FIREBREAK_MANIFEST_H
#define FIREBREAK_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "pace.h"

#define MANIFEST_MAX        4000000 /* bytes */
#define MANIFEST_MAX_FILES  16384
#define MANIFEST_FILE_MAX   (INT64_C(1) << 32) /* bytes of one file */
#define BLOB_BYTES_MAX      (INT64_C(1) << 26) /* of one upload: it passes through memory */
#define CHANNEL_NAME_MAX    32                 /* [a-z0-9][a-z0-9-]*, with the NUL */
#define RELEASE_VERSION_MAX 64                 /* [A-Za-z0-9][A-Za-z0-9._+-]*, with the NUL */
#define FILE_PATH_MAX       512                /* with the NUL */

struct manifest_file {
    char *path;     /* relative, normalised; see path_check */
    unsigned mode;  /* 0644 or 0755 */
    int64_t length; /* bytes */
    char sha256[65];
};

struct manifest {
    char channel[CHANNEL_NAME_MAX];
    char version[RELEASE_VERSION_MAX];
    int64_t sequence;        /* grows with each release of the channel */
    int64_t lowest_sequence; /* lowest that anyone may be sent back to */
    char min_agent[32];
    struct pace pace;
    bool early_boot;
    bool baseline;
    char unknown_critical[64]; /* a critical field that this code does not know; "" none: -> hold */
    struct manifest_file *files; /* sorted by path */
    size_t n_files;
    char digest[65]; /* SHA-256 of the bytes it was parsed from */
};

/* Parse and check everything: names, order, duplicates, case clashes, a file as another's folder,
 * lengths. ERR_BAD_PATH, ERR_INVALID, ERR_TOO_LARGE. */
int manifest_parse(const char *data, size_t len, struct manifest **ret, struct err *err);
void manifest_free(struct manifest *m);
DEFINE_CLEANUP(struct manifest *, manifest_free)

/* Serialise (sorted keys, two-space indent: people read it). digest is not used. */
int manifest_dump(const struct manifest *m, struct buf *ret, struct err *err);

int64_t manifest_total_bytes(const struct manifest *m);

/* "content/<channel>/<version>.json" */
int manifest_target_path(const char *channel, const char *version, char *ret, size_t size);
/* "content-<channel>" */
int content_role_name(const char *channel, char *ret, size_t size);

int channel_name_check(const char *name, struct err *err);
int release_version_check(const char *version, struct err *err);

/* One path of a manifest: relative, no empty, "." or ".." parts, no control characters, no
 * backslash, UTF-8, at most FILE_PATH_MAX-1 bytes, parts at most 255. ERR_BAD_PATH. */
int path_check(const char *path, struct err *err);

#endif
