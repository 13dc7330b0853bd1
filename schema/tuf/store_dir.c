/* store_dir: trusted metadata in a directory, and a repository in a directory; see client.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tuf/client.h"

/* Names are made by client.c out of quoted roles; a name that could leave the directory is a bug.
 */
static int path_of(const char *dir, const char *name, char **ret, struct err *err)
{
    if (strchr(name, '/') || !*name)
        return err_set(err, ERR_INTERNAL, "'%.128s' is not a name in the metadata store", name);
    *ret = path_join(dir, name);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int store_get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    int r = path_of(ctx, name, &path, err);

    return r < 0 ? r : file_read(path, ret, err);
}

static int store_put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    int r = path_of(ctx, name, &path, err);

    return r < 0 ? r : file_write_durable(path, data, len, 0644, err);
}

static int store_remove(void *ctx, const char *name, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    int r = path_of(ctx, name, &path, err);

    if (r < 0)
        return r;
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "remove '%s'", path);
    return file_fsync_parent(path, err);
}

struct tuf_store tuf_store_dir(const char *dir)
{
    return (struct tuf_store){
        .get = store_get, .put = store_put, .remove = store_remove, .ctx = (void *)dir};
}

/* Paths come out of signed but not necessarily kind metadata. */
static int leaves_directory(const char *path)
{
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");

        if (n == 0 || (n == 2 && !strncmp(p, "..", 2)))
            return 1;
        p += n;
        if (!*p)
            return 0;
    }
}

static int fetch_get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    _cleanup_(free_p)
    char *full = NULL;

    if (leaves_directory(path))
        return err_set(err, ERR_BAD_PATH, "'%.128s' leaves the repository", path);
    full = path_join(ctx, path);
    if (!full)
        return err_set(err, ERR_NOMEM, "out of memory");
    return file_read(full, ret, err);
}

struct tuf_fetch tuf_fetch_dir(const char *dir)
{
    return (struct tuf_fetch){.get = fetch_get, .ctx = (void *)dir};
}
