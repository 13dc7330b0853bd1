/*
 * draw: the random number that decides when a device is due for a release (DESIGN section 3).
 * Sticky within a release, fresh for each, not choosable by the device, computed alike on both
 * sides.
 */
#ifndef FIREBREAK_DRAW_H
#define FIREBREAK_DRAW_H

#include <stdint.h>

#include "base/hex.h"

#define DEVICE_ID_LEN 32 /* hexadecimal digits, chosen by the server */

/* draw_key = HMAC-SHA256(master, "firebreak/draw/1" | 0 | device id) */
void draw_key_derive(const uint8_t master[SHA256_LEN], const char *device_id,
                     uint8_t ret[SHA256_LEN]);

/* Device key = HMAC-SHA256(master, "firebreak/device/1" | 0 | device id | 0 | generation, decimal).
 */
void device_key_derive(const uint8_t master[SHA256_LEN], const char *device_id, int64_t generation,
                       uint8_t ret[SHA256_LEN]);

/* First 8 bytes, big-endian, of HMAC-SHA256(draw_key, label | 0 | digest (32 bytes)); label "draw"
 * for u and "track" for v. digest_hex is 64 digits. */
uint64_t draw_u(const uint8_t draw_key[SHA256_LEN], const char *digest_hex);
uint64_t draw_v(const uint8_t draw_key[SHA256_LEN], const char *digest_hex);

/* True if the draw is within a share: floor(draw * 10^6 / 2^64) < share_ppm. */
int draw_within(uint64_t draw, int64_t share_ppm);
/* The highest draw within a share; 0 where none is. */
int draw_last_within(int64_t share_ppm, uint64_t *ret);

#endif
