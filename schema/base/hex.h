/* hex: bytes as lowercase hexadecimal text, random bytes and SHA-256, as the whole project uses
 * them. */
#ifndef FIREBREAK_HEX_H
#define FIREBREAK_HEX_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN     32
#define SHA256_HEX_LEN 64 /* without the NUL */

/* ret holds 2 * len + 1 bytes. */
void hex_encode(const void *data, size_t len, char *ret);

/* Exactly len bytes from 2 * len lowercase digits and a NUL. 0 or -1. */
int hex_decode(const char *text, void *ret, size_t len);

/* True for exactly `digits` lowercase hexadecimal digits. */
int hex_is(const char *text, size_t digits);

/* From the kernel; never fails (aborts where the kernel has none). */
void rand_bytes(void *ret, size_t len);
void rand_hex(char *ret, size_t bytes); /* 2 * bytes + 1 written */
uint64_t rand_u64(void);

void sha256(const void *data, size_t len, uint8_t ret[SHA256_LEN]);
void sha256_hex(const void *data, size_t len, char ret[SHA256_HEX_LEN + 1]);

/* HMAC-SHA256 over the concatenation of the parts. */
struct hmac_part {
    const void *data;
    size_t len;
};
void hmac_sha256(const void *key, size_t key_len, const struct hmac_part *parts, size_t n_parts,
                 uint8_t ret[SHA256_LEN]);

/* Comparison in constant time. True if equal. */
int mem_equal(const void *a, const void *b, size_t len);

#endif
