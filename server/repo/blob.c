/* blob: see blob.h. */
#include "repo/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

struct blob {
    atomic_int refs;
    void *data;
    size_t len;
    char sha256[SHA256_HEX_LEN + 1];
    char etag[SHA256_HEX_LEN + 3];
};

struct blob *blob_take(void *data, size_t len, const char *sha256)
{
    struct blob *b = calloc(1, sizeof *b);

    if (!b) {
        free(data);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->data = data;
    b->len = len;
    snprintf(b->sha256, sizeof b->sha256, "%s", sha256);
    snprintf(b->etag, sizeof b->etag, "\"%s\"", b->sha256);
    return b;
}

struct blob *blob_new(const void *data, size_t len)
{
    char hash[SHA256_HEX_LEN + 1];
    void *copy = malloc(len ? len : 1);

    if (!copy)
        return NULL;
    memcpy(copy, data, len);
    sha256_hex(data, len, hash);
    return blob_take(copy, len, hash);
}

struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    free(b->data);
    free(b);
}

const void *blob_data(const struct blob *b, size_t *ret_len)
{
    *ret_len = b->len;
    return b->data;
}

const char *blob_etag(const struct blob *b)
{
    return b->etag;
}

const char *blob_sha256(const struct blob *b)
{
    return b->sha256;
}
