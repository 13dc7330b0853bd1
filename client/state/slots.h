/*
 * slots: the agent's memory, in two checksummed files written alternately (CONTRACTS):
 *
 *   "FBST" | u16 version = 1 | u16 zero | u64 sequence | u32 length | JSON | SHA-256 of all before
 *
 * integers little-endian. The highest valid sequence wins. A slot is replaced by rename, and never
 * the one that was read, so that a power cut at any instant leaves one that is whole.
 */
#ifndef FIREBREAK_CLIENT_SLOTS_H
#define FIREBREAK_CLIENT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SLOTS_JSON_MAX 1000000

/* What reading found. */
struct slots {
    uint64_t sequence; /* of the winner */
    char winner;       /* 'a' or 'b'; 0: neither is valid */
    bool damaged;      /* a slot exists that is not valid */
};

/* Read dir/a and dir/b; the winner's JSON into ret. 0 also where there is none (winner 0). ERR_IO
 * where a slot exists and cannot be read. */
int slots_read(const char *dir, struct slots *ret_slots, struct buf *ret, struct err *err);

/* Write JSON with the next sequence number into the other slot; s is brought up to date. Durable
 * before 0 is returned. dir must exist. */
int slots_write(const char *dir, struct slots *s, const void *json, size_t len, struct err *err);

#endif
