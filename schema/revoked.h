/*
 * revoked: what a channel's signers have taken back, signed offline like the releases themselves: a
 * member "revoked" in the custom part of any target that a content-<channel> role lists. The union
 * over all listed targets counts, so that it does not matter on which of them it stands.
 *
 * A revocation restricts and never allows. Whoever has an authentic list may act on it, however old
 * it is and wherever it came from: a mirror, a stick, a server that is otherwise not believed.
 */
#ifndef FIREBREAK_REVOKED_H
#define FIREBREAK_REVOKED_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "tuf/metadata.h"

#define REVOKED_MAX        256 /* in one content metadata, over all its targets */
#define REVOKED_REASON_MAX 257 /* with the NUL */

struct revoked {
    size_t n;
    struct revoked_item {
        char digest[65]; /* of the manifest */
        char reason[REVOKED_REASON_MAX];
        int64_t sequence; /* of the release; 0: not told */
    } items[REVOKED_MAX];
};

/* The union over all targets, sorted by digest, none twice: of one that stands there twice the
 * first in the order of the file counts. ret is untouched on failure. ERR_INVALID names the target;
 * ERR_TOO_LARGE for more than REVOKED_MAX. Large (about 84 kB): mind the stack. */
int revoked_read(const struct metadata *content, struct revoked *ret, struct err *err);

/* The reason given (may be empty, borrowed); NULL: this digest is not revoked. */
const char *revoked_reason(const struct revoked *r, const char *digest);

/* The list as it stands in a custom part (new reference). ERR_INVALID where it would not be read
 * back. */
int revoked_to_json(const struct revoked *r, json_t **ret, struct err *err);

#endif
