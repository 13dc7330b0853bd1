/* incoming: see incoming.h. */
#include "trust/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layout.h"
#include "manifest.h"

#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)

static int open_failed(const char *path, struct err *err)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return err_set(err, ERR_TAMPERED, "'%.300s' of what was fetched leads through a link",
                       path);
    return err_errno(err, errno, "open '%.300s' of what was fetched", path);
}

static int open_top(const char *state_dir, struct err *err)
{
    struct path p;
    int fd = open(layout_at(&p, state_dir, LAYOUT_INCOMING), DIR_FLAGS);

    return fd < 0 ? open_failed(LAYOUT_INCOMING, err) : fd;
}

/* From folder to folder, each by the fd of the one above: nothing can be exchanged on the way. */
static int open_below(int top, const char *path, struct err *err)
{
    _cleanup_(close_p)
    int dir = top;
    const char *slash;

    for (; (slash = strchr(path, '/')); path = slash + 1) {
        char part[NAME_MAX + 1];
        int next;

        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        next = openat(dir, part, DIR_FLAGS);
        if (next < 0)
            return open_failed(part, err);
        close(dir);
        dir = next;
    }
    int fd = openat(dir, path, FILE_FLAGS);

    return fd < 0 ? open_failed(path, err) : fd;
}

int incoming_open(const char *state_dir, const char *path, struct err *err)
{
    _cleanup_(close_p)
    int fd = -1;
    struct stat st;
    int r = path_check(path, err);

    if (r == 0)
        r = open_top(state_dir, err);
    if (r < 0)
        return r;
    fd = open_below(r, path, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "stat '%.300s' of what was fetched", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_TAMPERED, "'%.300s' of what was fetched is no regular file", path);
    return take_fd(&fd);
}

void incoming_remove(const char *state_dir, const char *dir, const char *name)
{
    struct path p;
    struct stat st;

    /* Where the folder is a link, the link goes and nothing behind it. */
    if (lstat(layout_at(&p, state_dir, LAYOUT_INCOMING "/%s", dir), &st) == 0 &&
        S_ISDIR(st.st_mode))
        layout_at(&p, state_dir, LAYOUT_INCOMING "/%s/%s", dir, name);
    file_remove_tree(p.s, NULL);
}

static int get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    _cleanup_(close_p)
    int fd = incoming_open(ctx, path, err);

    return fd < 0 ? fd : buf_read_fd(ret, fd, err);
}

struct tuf_fetch incoming_fetch(const char *state_dir)
{
    return (struct tuf_fetch){.get = get, .ctx = (void *)state_dir};
}
