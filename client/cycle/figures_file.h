/*
 * figures_file: the file in which a channel's consumer keeps its health figures for the agent. Each
 * writing of it is told once: a consumer that has stopped must not go on saying that it is well.
 */
#ifndef FIREBREAK_CLIENT_FIGURES_FILE_H
#define FIREBREAK_CLIENT_FIGURES_FILE_H

#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "figure.h"

/* The file as it was read last; all zero: not yet. */
struct figures_file {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec written;
};

/* ret is empty where there is no file, or where it is as it was: nothing is said. A file that is
 * refused (ERR_INVALID, ERR_TOO_LARGE, no regular file, not readable) is refused once. */
int figures_file_read(struct figures_file *f, const char *path, struct figures *ret,
                      struct err *err);

#endif
