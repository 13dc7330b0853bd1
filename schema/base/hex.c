/* hex: see hex.h. */
#include "base/hex.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void hex_encode(const void *data, size_t len, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[p[i] >> 4];
        ret[2 * i + 1] = digits[p[i] & 15];
    }
    ret[2 * len] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int hex_decode(const char *text, void *ret, size_t len)
{
    if (!hex_is(text, 2 * len))
        return -1;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)ret)[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    return 0;
}

int hex_is(const char *text, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if (digit(text[i]) < 0)
            return 0;
    return text[digits] == '\0';
}

void rand_bytes(void *ret, size_t len)
{
    uint8_t *p = ret;

    while (len) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0)
            abort();
        p += n;
        len -= (size_t)n;
    }
}

void rand_hex(char *ret, size_t bytes)
{
    uint8_t raw[64];

    while (bytes) {
        size_t n = bytes < sizeof raw ? bytes : sizeof raw;

        rand_bytes(raw, n);
        hex_encode(raw, n, ret);
        ret += 2 * n;
        bytes -= n;
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;

    rand_bytes(&v, sizeof v);
    return v;
}

void sha256(const void *data, size_t len, uint8_t ret[SHA256_LEN])
{
    if (EVP_Digest(data, len, ret, NULL, EVP_sha256(), NULL) != 1)
        abort();
}

void sha256_hex(const void *data, size_t len, char ret[SHA256_HEX_LEN + 1])
{
    uint8_t raw[SHA256_LEN];

    sha256(data, len, raw);
    hex_encode(raw, sizeof raw, ret);
}

void hmac_sha256(const void *key, size_t key_len, const struct hmac_part *parts, size_t n_parts,
                 uint8_t ret[SHA256_LEN])
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t len = 0;
    int ok = ctx && EVP_MAC_init(ctx, key, key_len, params);

    for (size_t i = 0; ok && i < n_parts; i++)
        ok = EVP_MAC_update(ctx, parts[i].data, parts[i].len);
    ok = ok && EVP_MAC_final(ctx, ret, &len, SHA256_LEN) && len == SHA256_LEN;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    if (!ok)
        abort();
}

int mem_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
