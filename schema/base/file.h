/*
 * file: reading with a cap and writing so that a power cut leaves the old file or the new.
 *
 * The durable write is the order proved on ext4 (every disk state replayed): temporary file in the
 * same directory, write, fsync, rename, fsync of the directory.
 */
#ifndef FIREBREAK_FILE_H
#define FIREBREAK_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Read a whole regular file into ret, which carries the cap. Links are followed. */
int file_read(const char *path, struct buf *ret, struct err *err);

/* The same, for a file with a secret in it: refused where group or others may read it. */
int file_read_secret(const char *path, struct buf *ret, struct err *err);

/* One line of such a file (a token, a passphrase): at most cap-1 bytes, no newline kept. */
int file_read_secret_line(const char *path, char *ret, size_t cap, struct err *err);

/* Replace path by these bytes, atomically and durably. An existing link is replaced, not followed;
 * a device, pipe or socket, or a link to one, is left as it is: ERR_INVALID. */
int file_write_durable(const char *path, const void *data, size_t len, mode_t mode,
                       struct err *err);

/* write(2) until all is written. */
int file_write_all(int fd, const void *data, size_t len, struct err *err);

/* fsync a directory (or file) by path. */
int file_fsync(const char *path, struct err *err);

/* The directory that holds path, fsynced: what makes a rename or unlink durable. */
int file_fsync_parent(const char *path, struct err *err);

/* mkdir -p, each new level fsynced into its parent. */
int file_mkdir_p(const char *path, mode_t mode, struct err *err);

/* rm -rf without following links; absent is success. */
int file_remove_tree(const char *path, struct err *err);

/* True for a path that exists (lstat). */
int file_exists(const char *path);

/* "<dir>/<name>" into a malloc'd string, NULL when out of memory. */
char *path_join(const char *dir, const char *name);

#endif
