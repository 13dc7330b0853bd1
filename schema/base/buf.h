/*
 * buf: the one growing byte buffer. It is born with a cap and never grows past it, so that no byte
 * from outside can make a program grow without bound. Data is always NUL-terminated.
 * After a failed add the buffer is unchanged.
 */
#ifndef FIREBREAK_BUF_H
#define FIREBREAK_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    char *data;  /* NUL-terminated; "" while empty */
    size_t len;  /* without the NUL */
    size_t size; /* allocated */
    size_t cap;  /* most bytes it may hold */
};

void buf_init(struct buf *b, size_t cap_bytes);
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* empty it, keep the memory */

/* 0, -ERR_TOO_LARGE past the cap, -ERR_NOMEM. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Read fd to its end. 0, -ERR_TOO_LARGE, -ERR_IO (err says which). */
int buf_read_fd(struct buf *b, int fd, struct err *err);

/* Hand over the memory (free()); the buffer is empty afterwards. Never NULL unless out of memory.
 */
char *buf_detach(struct buf *b, size_t *ret_len);

#endif
