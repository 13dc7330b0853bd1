/*
 * audit: who did what and why, hash-chained from the first row: hash = SHA-256 of the canonical
 * JSON of the row (audit_to_json) without "hash"; prev is the row's before it (64 zeros for the
 * first).
 */
#ifndef FIREBREAK_SERVER_AUDIT_H
#define FIREBREAK_SERVER_AUDIT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct audit;
struct row_audit;
struct server;
struct store_batch;

/* Reads the whole chain; ERR_TAMPERED where it is broken. */
int audit_open(struct server *s, struct audit **ret, struct err *err);
void audit_free(struct audit *a);
/* Number of the last row, 0 where there is none. Under the site lock; it may not be committed
 * yet. */
int64_t audit_last(const struct audit *a);
/* The head again from the store (after a failed commit). */
int audit_reload(struct server *s, struct err *err);

/* A row as the API shows it and the chain hashes it: "detail" is the exact stored text or null. */
json_t *audit_to_json(const struct row_audit *row);

/* Append one row to the batch, which must then be submitted: the chain goes on from it. Under the
 * site lock, so that order and chain agree. detail: JSON object or NULL, not stolen. actor: an
 * operator's name, "gate", "server". */
int audit_add(struct server *s, struct store_batch *b, const char *actor, const char *action,
              const char *subject, const json_t *detail);

#endif
