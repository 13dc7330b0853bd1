/* blobs: see blobs.h. */
#include "repo/blobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "repo/blob.h"
#include "manifest.h"

#define BUCKETS 4096 /* a power of two */

struct entry {
    struct blob *blob;
    struct entry *chain;       /* in its bucket */
    struct entry *prev, *next; /* in the order of use */
};

struct blobs {
    char *dir;
    int64_t cap, used;
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    struct entry order; /* ring; next is the one used last */
};

static char *path_of(const struct blobs *b, const char *sha256)
{
    char *p = NULL;

    return asprintf(&p, "%s/%.2s/%s", b->dir, sha256, sha256) < 0 ? NULL : p;
}

/* --- cache ----------------------------------------------------------------------------------- */

static struct entry **bucket_of(struct blobs *b, const char *sha256)
{
    uint8_t head[2] = {0};
    char digits[5];

    snprintf(digits, sizeof digits, "%.4s", sha256);
    hex_decode(digits, head, sizeof head);
    return &b->buckets[(head[0] << 8 | head[1]) & (BUCKETS - 1)];
}

static struct entry **find(struct blobs *b, const char *sha256)
{
    struct entry **at = bucket_of(b, sha256);

    while (*at && strcmp(blob_sha256((*at)->blob), sha256) != 0)
        at = &(*at)->chain;
    return at;
}

static void unlink_entry(struct entry *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
}

static void link_first(struct blobs *b, struct entry *e)
{
    e->prev = &b->order;
    e->next = b->order.next;
    e->next->prev = e->prev->next = e;
}

static void forget(struct blobs *b, struct entry *e)
{
    struct entry **at = find(b, blob_sha256(e->blob));
    size_t len;

    blob_data(e->blob, &len);
    b->used -= (int64_t)len;
    *at = e->chain;
    unlink_entry(e);
    blob_unref(e->blob);
    free(e);
}

static struct blob *cached(struct blobs *b, const char *sha256)
{
    struct entry *e;
    struct blob *blob = NULL;

    pthread_mutex_lock(&b->lock);
    e = *find(b, sha256);
    if (e) {
        unlink_entry(e);
        link_first(b, e);
        blob = blob_ref(e->blob);
    }
    pthread_mutex_unlock(&b->lock);
    return blob;
}

/* Keep a reference where there is room, or room can be made. */
static void remember(struct blobs *b, struct blob *blob)
{
    struct entry *e, **at;
    size_t len;

    blob_data(blob, &len);
    if ((int64_t)len > b->cap)
        return;
    pthread_mutex_lock(&b->lock);
    at = find(b, blob_sha256(blob));
    e = *at ? NULL : calloc(1, sizeof *e);
    if (e) {
        e->blob = blob_ref(blob);
        e->chain = NULL;
        *at = e;
        link_first(b, e);
        b->used += (int64_t)len;
        while (b->used > b->cap)
            forget(b, b->order.prev);
    }
    pthread_mutex_unlock(&b->lock);
}

/* --- files ----------------------------------------------------------------------------------- */

static struct blob *read_blob(const struct blobs *b, const char *sha256)
{
    _cleanup_(free_p)
    char *path = path_of(b, sha256);
    char hash[SHA256_HEX_LEN + 1], *data;
    struct err err = {0};
    struct buf bytes;
    size_t len;
    int r;

    if (!path)
        return NULL;
    buf_init(&bytes, BLOB_BYTES_MAX);
    r = file_read(path, &bytes, &err);
    if (r < 0) {
        if (r != -ERR_NOT_FOUND)
            log_error("blobs", "%s", err.msg);
        buf_release(&bytes);
        return NULL;
    }
    sha256_hex(bytes.data, bytes.len, hash);
    if (strcmp(hash, sha256) != 0) {
        log_error("blobs", "'%s' is damaged: its bytes have SHA-256 %s", path, hash);
        buf_release(&bytes);
        return NULL;
    }
    data = buf_detach(&bytes, &len);
    return data ? blob_take(data, len, hash) : NULL;
}

struct blob *blobs_get(struct blobs *b, const char *sha256)
{
    struct blob *blob;

    if (!hex_is(sha256, SHA256_HEX_LEN))
        return NULL;
    blob = cached(b, sha256);
    if (blob)
        return blob;
    blob = read_blob(b, sha256);
    if (blob)
        remember(b, blob);
    return blob;
}

int blobs_has(const struct blobs *b, const char *sha256, int64_t *ret_length)
{
    _cleanup_(free_p)
    char *path = hex_is(sha256, SHA256_HEX_LEN) ? path_of(b, sha256) : NULL;
    struct stat st;

    if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (ret_length)
        *ret_length = st.st_size;
    return 1;
}

int blobs_put(struct blobs *b, const char *sha256, const void *data, size_t len, struct err *err)
{
    char hash[SHA256_HEX_LEN + 1], dir[4096];
    _cleanup_(free_p)
    char *path = NULL;
    struct blob *present;
    int r;

    if (!hex_is(sha256, SHA256_HEX_LEN))
        return err_set(err, ERR_INVALID, "'%.80s' is not a SHA-256 in lowercase digits", sha256);
    sha256_hex(data, len, hash);
    if (strcmp(hash, sha256) != 0)
        return err_set(err, ERR_TAMPERED, "blob '%s' came with bytes of SHA-256 %s", sha256, hash);
    present = blobs_get(b, sha256); /* a damaged file is not there: it is written anew */
    if (present) {
        blob_unref(present);
        return 0;
    }
    path = path_of(b, sha256);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    snprintf(dir, sizeof dir, "%s/%.2s", b->dir, sha256);
    r = file_mkdir_p(dir, 0755, err);
    return r < 0 ? r : file_write_durable(path, data, len, 0644, err);
}

/* --- life ------------------------------------------------------------------------------------ */

int blobs_open(const char *dir, int64_t cache_bytes, struct blobs **ret, struct err *err)
{
    struct blobs *b;
    int r = file_mkdir_p(dir, 0755, err);

    if (r < 0)
        return r;
    b = calloc(1, sizeof *b);
    if (!b || !(b->dir = strdup(dir))) {
        free(b);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    b->cap = cache_bytes;
    b->order.prev = b->order.next = &b->order;
    pthread_mutex_init(&b->lock, NULL);
    *ret = b;
    return 0;
}

void blobs_free(struct blobs *b)
{
    if (!b)
        return;
    while (b->order.next != &b->order)
        forget(b, b->order.next);
    pthread_mutex_destroy(&b->lock);
    free(b->dir);
    free(b);
}
