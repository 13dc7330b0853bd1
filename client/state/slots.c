/* slots: see slots.h. */
#include "state/slots.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "layout.h"

#define MAGIC   "FBST"
#define VERSION 1

struct head {
    char magic[4];
    uint16_t version, zero;
    uint64_t sequence;
    uint32_t length;
} __attribute__((packed));

/* True if the bytes are a whole slot. */
static bool is_valid(const struct buf *b, struct head *ret)
{
    uint8_t digest[SHA256_LEN];

    if (b->len < sizeof *ret + SHA256_LEN)
        return false;
    memcpy(ret, b->data, sizeof *ret);
    ret->version = le16toh(ret->version);
    ret->sequence = le64toh(ret->sequence);
    ret->length = le32toh(ret->length);
    if (memcmp(ret->magic, MAGIC, sizeof ret->magic) != 0 || ret->version != VERSION || ret->zero)
        return false;
    if (b->len != sizeof *ret + ret->length + SHA256_LEN)
        return false;
    sha256(b->data, b->len - SHA256_LEN, digest);
    return memcmp(digest, b->data + b->len - SHA256_LEN, SHA256_LEN) == 0;
}

/* Take dir/name into s and ret where it is valid and newer than what they hold. */
static int consider(const char *dir, char name, struct slots *s, struct buf *ret, struct err *err)
{
    struct path p;
    struct head head;
    struct buf b;
    int r;

    buf_init(&b, sizeof head + SLOTS_JSON_MAX + SHA256_LEN);
    r = file_read(layout_at(&p, dir, "%c", name), &b, err);
    if (r == -ERR_NOT_FOUND) {
        r = 0;
    } else if (r == -ERR_TOO_LARGE || (r == 0 && !is_valid(&b, &head))) {
        s->damaged = true;
        r = 0;
    } else if (r == 0 && (!s->winner || head.sequence > s->sequence)) {
        buf_reset(ret);
        r = buf_add(ret, b.data + sizeof head, head.length);
        s->sequence = head.sequence;
        s->winner = name;
    }
    buf_release(&b);
    return r;
}

int slots_read(const char *dir, struct slots *ret_slots, struct buf *ret, struct err *err)
{
    struct slots s = {0};
    int r = consider(dir, 'a', &s, ret, err);

    if (r == 0)
        r = consider(dir, 'b', &s, ret, err);
    if (r == 0)
        *ret_slots = s;
    return r;
}

int slots_write(const char *dir, struct slots *s, const void *json, size_t len, struct err *err)
{
    struct head head = {.magic = {'F', 'B', 'S', 'T'},
                        .version = htole16(VERSION),
                        .sequence = htole64(s->sequence + 1),
                        .length = htole32((uint32_t)len)};
    char name = s->winner == 'a' ? 'b' : 'a';
    uint8_t digest[SHA256_LEN];
    struct path p;
    struct buf b;
    int r;

    if (len > SLOTS_JSON_MAX)
        return err_set(err, ERR_TOO_LARGE, "state of %zu bytes is above %d", len, SLOTS_JSON_MAX);
    buf_init(&b, sizeof head + SLOTS_JSON_MAX + SHA256_LEN);
    r = buf_add(&b, &head, sizeof head);
    if (r == 0)
        r = buf_add(&b, json, len);
    if (r == 0) {
        sha256(b.data, b.len, digest);
        r = buf_add(&b, digest, sizeof digest);
    }
    if (r < 0)
        err_set(err, ERR_NOMEM, "out of memory while writing the state");
    else
        r = file_write_durable(layout_at(&p, dir, "%c", name), b.data, b.len, 0600, err);
    buf_release(&b);
    if (r < 0)
        return r;
    s->sequence++;
    s->winner = name;
    return 0;
}
