/*
 * metadata: reading and making TUF role metadata (specification 1.0.34, section 4) over jansson's
 * tree, so that unknown fields survive. Structs are views for the fields that we use.
 */
#ifndef FIREBREAK_METADATA_H
#define FIREBREAK_METADATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tuf/envelope.h"

#define TUF_SPEC_VERSION  "1.0.34"
#define TUF_ROOT_MAX      512000
#define TUF_TIMESTAMP_MAX 16384
#define TUF_SNAPSHOT_MAX  2000000
#define TUF_TARGETS_MAX   5000000
#define TUF_ROLE_NAME_MAX 513 /* with the NUL */
#define TUF_TARGET_MAX    512 /* longest target path */

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS };

/* Parsed and shape-checked, signatures not yet verified. */
struct metadata {
    enum tuf_type type;
    json_t *envelope; /* owned */
    json_t *body;     /* its "signed", borrowed */
    int64_t version;  /* 1 .. 2^53 */
    int64_t expires_s;
    size_t memory_bytes; /* about what the tree takes: dense JSON takes thirty times its text */
};

/* Parse bytes as metadata of `type` (cap by type). ERR_INVALID, ERR_TOO_LARGE. */
int metadata_parse(const char *data, size_t len, enum tuf_type type, const char *what,
                   struct metadata **ret, struct err *err);
void metadata_free(struct metadata *m);
DEFINE_CLEANUP(struct metadata *, metadata_free)

/* ERR_EXPIRED where expires_s <= now_s. */
int metadata_check_expiry(const struct metadata *m, int64_t now_s, const char *what,
                          struct err *err);

/* Keys and threshold of a top-level role by root, or of a delegated role by a targets file. */
int metadata_root_keys(const struct metadata *root, const char *role, struct key_set *ret,
                       struct err *err);
int metadata_delegated_keys(const struct metadata *targets, const char *role, struct key_set *ret,
                            struct err *err);

/* The i-th role that a targets file delegates to, in its order (borrowed); NULL past the last.
 * Hash bins are not among them. */
const char *metadata_delegation(const struct metadata *targets, size_t i);

/* True if the i-th delegation trusts its role with this target path; *ret_terminating then says
 * whether the search ends with that role. */
int metadata_delegates(const struct metadata *targets, size_t i, const char *path,
                       int *ret_terminating);

/* The role among succinct hash bins that a target path falls to, written to ret; NULL where the
 * file has none. */
const char *metadata_bin(const struct metadata *targets, const char *path,
                         char ret[TUF_ROLE_NAME_MAX]);

/* The version that a snapshot (or timestamp) gives for "<name>.json"; length and hashes are
 * optional there: -1 and "" where absent. ERR_NOT_FOUND. */
struct meta_ref {
    int64_t version;
    int64_t length;
    bool hashed; /* at least one hash is given, known here or not */
    char sha256[65], sha512[129];
};
int metadata_ref(const struct metadata *m, const char *name, struct meta_ref *ret, struct err *err);

/* A target of a targets file. ERR_NOT_FOUND. A hash that is not given is ""; custom is borrowed,
 * NULL where absent. */
struct tuf_target {
    char path[TUF_TARGET_MAX];
    int64_t length;
    char sha256[65], sha512[129];
    const json_t *custom;
};
int metadata_target(const struct metadata *targets, const char *path, struct tuf_target *ret,
                    struct err *err);

/* True if a delegation's pattern covers this target path: '*' and '?' do not cross '/'. */
int metadata_path_matches(const char *pattern, const char *path);

/* Building blocks, each a new "signed" object. expires_s is Unix time. */
json_t *metadata_new_root(int64_t version, int64_t expires_s);
int metadata_root_set_role(json_t *root, const char *role, const struct key *const *keys,
                           size_t n_keys, int threshold);
json_t *metadata_new_targets(int64_t version, int64_t expires_s);
int metadata_targets_delegate(json_t *targets, const char *role, const char *const *paths,
                              size_t n_paths, const struct key *const *keys, size_t n_keys,
                              int threshold);
int metadata_targets_add(json_t *targets, const char *path, const void *data, size_t len,
                         json_t *custom); /* custom may be NULL; reference not stolen */
json_t *metadata_new_snapshot(int64_t version, int64_t expires_s);
json_t *metadata_new_timestamp(int64_t version, int64_t expires_s);
/* Names with .json; data for length and sha256 (NULL: version only). */
int metadata_set_ref(json_t *snapshot_or_timestamp, const char *file, int64_t version,
                     const void *data, size_t len);

#endif
