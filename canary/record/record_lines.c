#include "record_lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void record_lines_init(struct record_lines *l, int fd, size_t line_max)
{
    memset(l, 0, sizeof(*l));
    l->fd = fd;
    buf_init(&l->text, line_max);
}

void record_lines_release(struct record_lines *l)
{
    buf_release(&l->text);
    close(l->fd);
}

static int refill(struct record_lines *l, struct err *err)
{
    ssize_t n;

    do
        n = read(l->fd, l->chunk, sizeof(l->chunk));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, errno, "read");
    l->at = 0;
    l->n = (size_t)n;
    l->at_end = n == 0;
    return 0;
}

int record_lines_next(struct record_lines *l, struct err *err)
{
    buf_reset(&l->text);
    l->line++;
    for (;;) {
        const char *from = l->chunk + l->at, *end;
        size_t len;
        int r = 0;

        if (l->at == l->n && !l->at_end)
            r = refill(l, err);
        if (r < 0)
            return r;
        if (l->at_end) {
            l->cut_off = l->text.len > 0;
            return l->cut_off;
        }
        from = l->chunk + l->at;
        end = memchr(from, '\n', l->n - l->at);
        len = end ? (size_t)(end - from) : l->n - l->at;
        r = buf_add(&l->text, from, len);
        if (r == -ERR_TOO_LARGE)
            return err_set(err, ERR_TOO_LARGE, "is longer than %zu bytes", l->text.cap);
        if (r < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
        l->at += len + (end != NULL);
        if (end)
            return 1;
    }
}
