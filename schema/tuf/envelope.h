/*
 * envelope: {"signed": {...}, "signatures": [{"keyid","sig"}]}, the shape of all TUF metadata and
 * of permits. Signatures cover the canonical form of "signed".
 */
#ifndef FIREBREAK_ENVELOPE_H
#define FIREBREAK_ENVELOPE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "tuf/key.h"

/* Who may sign: keys by id and a threshold. keys are borrowed or owned by whoever made the set. */
struct key_set {
    struct key **keys;
    size_t n_keys;
    int threshold;
};

void key_set_release(struct key_set *s); /* frees the keys too */

/* Verify: at least `threshold` different public keys of the set signed. A duplicate key id among
 * the signatures refuses the file (TUF 1.0.34, 4.2.1); signatures that are unknown, empty or bad
 * are ignored. ERR_UNDERSIGNED says how many of how many. `what` names the file. */
int envelope_verify(const json_t *envelope, const struct key_set *set, const char *what,
                    struct err *err);

/* A new envelope without signatures around `signed_` (reference not stolen). */
json_t *envelope_new(json_t *signed_);

/* Add (or replace) the signer's signature. */
int envelope_sign(json_t *envelope, const struct signer *signer, struct err *err);

/* Serialise for publishing: compact ordinary JSON, sorted keys. */
int envelope_dump(const json_t *envelope, struct buf *ret, struct err *err);

#endif
