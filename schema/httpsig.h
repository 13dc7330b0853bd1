/*
 * httpsig: check-ins signed as RFC 9421 says, hmac-sha256, over "@method", "@path" and
 * "content-digest" (RFC 9530, sha-256), under the label fb (CONTRACTS). No "@authority": proxies
 * change it.
 */
#ifndef FIREBREAK_HTTPSIG_H
#define FIREBREAK_HTTPSIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "draw.h"

#define HTTPSIG_HEADER_MAX 512

struct httpsig_headers { /* values, without the names */
    char content_digest[96];
    char signature_input[HTTPSIG_HEADER_MAX];
    char signature[128];
};

/* Client: make the three headers. created_s: Unix time (skew is no reason to refuse). */
int httpsig_sign(const char *method, const char *path, const void *body, size_t len,
                 const char *device, int64_t generation, const uint8_t key[SHA256_LEN],
                 int64_t created_s, struct httpsig_headers *ret, struct err *err);

/* Server, first step: who claims to have signed? Strict parse. ERR_BAD_SIGNATURE. */
int httpsig_key_id(const char *signature_input, char ret_device[DEVICE_ID_LEN + 1],
                   int64_t *ret_generation, struct err *err);

/* Server, second step, with that device's key. ERR_BAD_SIGNATURE names what does not fit. */
int httpsig_verify(const char *method, const char *path, const void *body, size_t len,
                   const struct httpsig_headers *h, const uint8_t key[SHA256_LEN], struct err *err);

#endif
