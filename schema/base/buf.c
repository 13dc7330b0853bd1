/* buf: see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char empty[1];

void buf_init(struct buf *b, size_t cap_bytes)
{
    *b = (struct buf){.data = empty, .cap = cap_bytes};
}

void buf_release(struct buf *b)
{
    if (b->size)
        free(b->data);
    buf_init(b, b->cap);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->size)
        b->data[0] = '\0';
}

/* Room for `more` bytes and the NUL. */
static int reserve(struct buf *b, size_t more)
{
    size_t want, size;
    char *p;

    if (more > b->cap - b->len)
        return -ERR_TOO_LARGE;
    want = b->len + more + 1;
    if (want <= b->size)
        return 0;
    size = b->size ? b->size * 2 : 256;
    if (size < want)
        size = want;
    if (size > b->cap + 1)
        size = b->cap + 1;
    p = realloc(b->size ? b->data : NULL, size);
    if (!p)
        return -ERR_NOMEM;
    b->data = p;
    b->size = size;
    return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
    int r = reserve(b, len);

    if (r < 0)
        return r;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_adds(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

int buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n, r;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    r = n < 0 ? -ERR_INTERNAL : reserve(b, (size_t)n);
    if (r == 0) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return r;
}

int buf_read_fd(struct buf *b, int fd, struct err *err)
{
    char chunk[16384];

    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        int r;

        if (n == 0)
            return 0;
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(err, errno, "read");
        }
        r = buf_add(b, chunk, (size_t)n);
        if (r < 0)
            return err_set(err, (enum err_code) - r, "longer than %zu bytes", b->cap);
    }
}

char *buf_detach(struct buf *b, size_t *ret_len)
{
    char *p;

    if (reserve(b, 0) < 0)
        return NULL;
    if (!b->len)
        b->data[0] = '\0';
    p = b->data;
    if (ret_len)
        *ret_len = b->len;
    buf_init(b, b->cap);
    return p;
}
