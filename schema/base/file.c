/* file: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DEPTH_MAX 300 /* more than the parts of any path that this project writes */

static int read_checked(const char *path, int secret, struct buf *ret, struct err *err)
{
    _cleanup_(close_p)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int r;

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
    if (secret && (st.st_mode & 077)) {
        err_set(err, ERR_REFUSED, "'%s' holds a secret and others may read it (mode %04o)", path,
                (unsigned)(st.st_mode & 07777));
        return err_remedy(err, "chmod 600 '%s'", path);
    }
    r = buf_read_fd(ret, fd, err);
    return err_context(err, r, "read '%s'", path);
}

int file_read(const char *path, struct buf *ret, struct err *err)
{
    return read_checked(path, 0, ret, err);
}

int file_read_secret(const char *path, struct buf *ret, struct err *err)
{
    return read_checked(path, 1, ret, err);
}

int file_read_secret_line(const char *path, char *ret, size_t cap, struct err *err)
{
    struct buf b;
    size_t n;
    int r;

    buf_init(&b, 4096);
    r = file_read_secret(path, &b, err);
    if (r == 0) {
        n = strcspn(b.data, "\r\n");
        if (n == 0)
            r = err_set(err, ERR_INVALID, "'%s' is empty", path);
        else if (n >= cap)
            r = err_set(err, ERR_TOO_LARGE, "the first line of '%s' is longer than %zu bytes", path,
                        cap - 1);
        else {
            memcpy(ret, b.data, n);
            ret[n] = '\0';
        }
        explicit_bzero(b.data, b.len);
    }
    buf_release(&b);
    return r;
}

int file_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(err, errno, "write");
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_fsync(const char *path, struct err *err)
{
    _cleanup_(close_p)
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (fsync(fd) < 0)
        return err_errno(err, errno, "fsync '%s'", path);
    return 0;
}

int file_fsync_parent(const char *path, struct err *err)
{
    _cleanup_(free_p)
    char *copy = strdup(path);

    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    return file_fsync(dirname(copy), err);
}

/* Fill and flush the open temporary file. */
static int fill(int fd, const void *data, size_t len, mode_t mode, struct err *err)
{
    int r;

    if (fchmod(fd, mode) < 0)
        return err_errno(err, errno, "fchmod");
    r = file_write_all(fd, data, len, err);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return err_errno(err, errno, "fsync");
    return 0;
}

int file_write_durable(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    _cleanup_(free_p)
    char *tmp = NULL;
    _cleanup_(close_p)
    int fd = -1;
    struct stat st;
    int r;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "write '%s': '%s' is not a regular file", path, path);
    if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
        tmp = NULL;
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "create '%s'", tmp);
    r = fill(fd, data, len, mode, err);
    if (r == 0 && rename(tmp, path) < 0)
        r = err_errno(err, errno, "rename to '%s'", path);
    if (r < 0) {
        unlink(tmp);
        return err_context(err, r, "write '%s'", path);
    }
    return file_fsync_parent(path, err);
}

int file_mkdir_p(const char *path, mode_t mode, struct err *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part)
        return err_set(err, ERR_INVALID, "bad directory name '%s'", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, mode) == 0) {
            int r = file_fsync_parent(part, err);

            if (r < 0)
                return r;
        } else if (errno != EEXIST) {
            return err_errno(err, errno, "create directory '%s'", part);
        }
        part[i] = i < len ? '/' : '\0';
    }
    return 0;
}

static int remove_at(int dirfd, const char *name, int depth, struct err *err);

static int empty_dir(int fd, const char *name, int depth, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = fdopendir(fd);
    struct dirent *e;

    if (!d) {
        close(fd);
        return err_errno(err, errno, "open directory '%s'", name);
    }
    while ((e = readdir(d))) {
        int r;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        r = remove_at(dirfd(d), e->d_name, depth + 1, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int remove_at(int dirfd, const char *name, int depth, struct err *err)
{
    int fd, r;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(err, errno, "remove '%s'", name);
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_REFUSED, "'%s' is nested too deeply", name);
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", name);
    (void)fchmod(fd, 0700);
    r = empty_dir(fd, name, depth, err);
    if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = err_errno(err, errno, "remove directory '%s'", name);
    return r;
}

int file_remove_tree(const char *path, struct err *err)
{
    return err_context(err, remove_at(AT_FDCWD, path, 0, err), "remove '%s'", path);
}

int file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

char *path_join(const char *dir, const char *name)
{
    char *p = NULL;

    return asprintf(&p, "%s/%s", dir, name) < 0 ? NULL : p;
}
