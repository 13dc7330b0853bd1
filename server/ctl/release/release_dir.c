/* release_dir: see release_dir.h. */
#include "release/release_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "release/release_tree.h"

static int read_text(const char *dir, const char *name, struct buf *ret, char **ret_path,
                     struct err *err)
{
    *ret_path = path_join(dir, name);
    if (!*ret_path)
        return err_set(err, ERR_NOMEM, "out of memory");
    return file_read(*ret_path, ret, err);
}

static int read_manifest(struct release_dir *d, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    int r = read_text(d->path, "manifest.json", &d->manifest_text, &path, err);

    if (r == -ERR_NOT_FOUND)
        err_remedy(err, "make it with 'firebreak release build'");
    return r < 0 ? r
                 : manifest_parse(d->manifest_text.data, d->manifest_text.len, &d->manifest, err);
}

static int read_content(struct release_dir *d, struct err *err)
{
    char name[TUF_ROLE_NAME_MAX + 8], role[TUF_ROLE_NAME_MAX];
    int r;

    if (content_role_name(d->manifest->channel, role, sizeof role) < 0)
        return err_set(err, ERR_INVALID, "channel name is too long");
    snprintf(name, sizeof name, "%s.json", role);
    r = read_text(d->path, name, &d->content_text, &d->content_path, err);
    if (r < 0)
        return r;
    return metadata_parse(d->content_text.data, d->content_text.len, TUF_TARGETS, name, &d->content,
                          err);
}

/* Nothing may be signed or sent under a name that it is not. */
static int check_agreement(struct release_dir *d, struct err *err)
{
    char path[TUF_TARGET_MAX];
    int r;

    if (manifest_target_path(d->manifest->channel, d->manifest->version, path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "release name is too long");
    r = metadata_target(d->content, path, &d->target, err);
    if (r < 0)
        return r;
    if (d->target.length != (int64_t)d->manifest_text.len ||
        strcmp(d->target.sha256, d->manifest->digest) != 0)
        return err_set(err, ERR_TAMPERED, "manifest.json is not the one that '%s' lists",
                       d->content_path);
    return 0;
}

int release_dir_read(const char *path, struct release_dir *ret, struct err *err)
{
    struct release_dir d = {.path = strdup(path)};
    int r = d.path ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    buf_init(&d.manifest_text, MANIFEST_MAX);
    buf_init(&d.content_text, TUF_TARGETS_MAX);
    if (r == 0)
        r = read_manifest(&d, err);
    if (r == 0)
        r = read_content(&d, err);
    if (r == 0)
        r = check_agreement(&d, err);
    if (r < 0) {
        release_dir_release(&d);
        return err_context(err, r, "release '%s'", path);
    }
    *ret = d;
    return 0;
}

void release_dir_release(struct release_dir *d)
{
    free(d->path);
    free(d->content_path);
    manifest_free(d->manifest);
    metadata_free(d->content);
    buf_release(&d->manifest_text);
    buf_release(&d->content_text);
    memset(d, 0, sizeof *d);
}

char *release_dir_blob(const struct release_dir *d, const char *sha256)
{
    char *path;

    return asprintf(&path, "%s/blobs/%.2s/%s", d->path, sha256, sha256) < 0 ? NULL : path;
}

static int check_blob(const struct release_dir *d, const struct manifest_file *f, struct err *err)
{
    _cleanup_(free_p)
    char *path = release_dir_blob(d, f->sha256);
    _cleanup_(close_p)
    int fd = -1;
    char sha256[65];
    int64_t length;
    int r;

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open blob of '%s'", f->path);
    r = release_tree_hash(fd, -1, path, sha256, &length, err);
    if (r < 0)
        return r;
    if (length != f->length || strcmp(sha256, f->sha256) != 0) {
        err_set(err, ERR_TAMPERED, "blob of '%s' is not what the manifest says", f->path);
        return err_remedy(err, "build the release again");
    }
    return 0;
}

int release_dir_check_blobs(const struct release_dir *d, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < d->manifest->n_files; i++)
        r = check_blob(d, &d->manifest->files[i], err);
    return r;
}

int release_dir_signatures(const struct release_dir *d)
{
    return (int)json_array_size(json_object_get(d->content->envelope, "signatures"));
}
