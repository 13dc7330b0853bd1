/*
 * audit_chain: the audit log's hash chain, recomputed: an entry's hash is the SHA-256 of the
 * canonical JSON of the entry without "hash"; its prev is the hash of the one before (64 zeros for
 * the first); seq counts from 1 without gaps.
 */
#ifndef FIREBREAK_CTL_AUDIT_CHAIN_H
#define FIREBREAK_CTL_AUDIT_CHAIN_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

struct audit_chain {
    int64_t seq; /* of the last entry taken */
    char head[SHA256_HEX_LEN + 1];
};

void audit_chain_init(struct audit_chain *c);

/* Take the next entry. ERR_TAMPERED says which entry breaks the chain and how. */
int audit_chain_add(struct audit_chain *c, const json_t *entry, struct err *err);

#endif
