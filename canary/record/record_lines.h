/* record_lines: a file's lines, one at a time, with a cap. For record_read.c. */
#ifndef FIREBREAK_RECORD_LINES_H
#define FIREBREAK_RECORD_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define RECORD_CHUNK 65536

struct record_lines {
    int fd;
    bool at_end;  /* of the file */
    bool cut_off; /* the present line is the last and has no end of line */
    int64_t line; /* number of the present one, from 1 */
    struct buf text;
    size_t at, n;
    char chunk[RECORD_CHUNK];
};

void record_lines_init(struct record_lines *l, int fd, size_t line_max);
void record_lines_release(struct record_lines *l);
/* 1: l->text is the next line without its end; 0: no more. -ERR_TOO_LARGE, -ERR_IO. */
int record_lines_next(struct record_lines *l, struct err *err);

#endif
