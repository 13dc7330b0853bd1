/*
 * content_next: a channel's next content metadata, made from the present one: which releases it
 * goes on listing, what is added, what is revoked. No files, no clock, no keys.
 *
 * Only the newest releases are listed, so that the metadata stays small however long a channel
 * lives (well under 100 KB with 64 of them). Leaving a release out harms no device that runs it.
 * What must be kept is what a plan may still send devices to: baselines, and what --keep-version
 * names.
 *
 * All revocations stand on the newest listed release, so that leaving others out loses none.
 */
#ifndef FIREBREAK_CTL_CONTENT_NEXT_H
#define FIREBREAK_CTL_CONTENT_NEXT_H

#include <stdio.h>

#include "manifest.h"
#include "revoked.h"

#define CONTENT_KEEP          64   /* releases listed, unless told otherwise */
#define CONTENT_KEEP_MAX      4096 /* the metadata is then still within its cap */
#define CONTENT_KEEP_BASELINE 2    /* newest safe baselines, kept in addition */
#define CONTENT_REASON_BYTES  120  /* of a revocation that is carried on */

struct content_next {
    const char *channel;
    const struct metadata *previous; /* NULL: this is the channel's first release */
    int64_t expires_s;
    int64_t keep; /* newest releases that stay listed, the new one included; 0: all */
    const char *const *keep_versions;
    size_t n_keep_versions;
};

/* What was left out on the way. */
struct content_left_out {
    int64_t releases;    /* no longer listed */
    int64_t revocations; /* of the oldest releases: beyond REVOKED_MAX */
};

/* A line for each kind, nothing where nothing was. */
void content_left_out_note(const struct content_left_out *left, FILE *out);

/* Lowest (of those not revoked) and highest sequence that `previous` lists; both 0 where nothing is
 * listed. */
int content_sequences(const struct metadata *previous, int64_t *ret_lowest, int64_t *ret_highest,
                      struct err *err);

/* The next body (new reference) with this release added. ERR_EXISTS where its version is listed. */
struct content_release {
    const struct manifest *manifest;
    const struct buf *text; /* exact bytes */
    bool faster_pace;
};
int content_add(const struct content_next *n, const struct content_release *release, json_t **ret,
                struct content_left_out *ret_left, struct err *err);

/* The next body with one more revocation; nothing else is added or left out. version may be no
 * longer listed where digest is given; digest NULL: that of the listed version. ERR_EXISTS where it
 * is revoked already. */
struct content_revocation {
    const char *version, *digest, *reason;
};
int content_revoke(const struct content_next *n, const struct content_revocation *revocation,
                   json_t **ret, char ret_digest[65], struct content_left_out *ret_left,
                   struct err *err);

#endif
