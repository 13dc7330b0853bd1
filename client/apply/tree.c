/* tree: see tree.h. The links and what is collected are in tree_links.c, blobs in blob.c. */
#include "apply/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "apply/copy.h"
#include "layout.h"
#include "text.h"

#define DIR_MODE   0555
#define DEPTH_MAX  256 /* FILE_PATH_MAX holds no more parts than that */
#define WRITE_BITS 0222

static const char *tree_at(struct path *p, const char *state_dir, const struct manifest *m,
                           const char *name)
{
    return layout_at(p, state_dir, "channels/%s/releases/%s", m->channel, name);
}

int tree_put_manifest(const char *state_dir, const char *channel, const char *digest,
                      const void *data, size_t len, struct err *err)
{
    struct path p;
    int r = file_mkdir_p(layout_at(&p, state_dir, "channels/%s/manifests", channel), 0755, err);

    if (r < 0)
        return r;
    layout_at(&p, state_dir, "channels/%s/manifests/%s.json", channel, digest);
    return file_write_durable(p.s, data, len, 0644, err);
}

int tree_manifest(const char *state_dir, const char *channel, const char *digest,
                  struct manifest **ret, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, MANIFEST_MAX);
    r = file_read(layout_at(&p, state_dir, "channels/%s/manifests/%s.json", channel, digest), &b,
                  err);
    if (r == 0)
        r = manifest_parse(b.data, b.len, &m, err);
    buf_release(&b);
    if (r < 0)
        return r;
    if (strcmp(m->digest, digest) != 0 || strcmp(m->channel, channel) != 0)
        return err_set(err, ERR_TAMPERED, "manifest '%s' has changed on disk", p.s);
    *ret = take_ptr(m);
    return 0;
}

/* Make the folders above root/path, and leave them writable for now. */
static int make_parents(char *full, size_t root_len, struct err *err)
{
    for (char *s = full + root_len + 1; (s = strchr(s, '/')); s++) {
        *s = '\0';
        int r = mkdir(full, 0755) < 0 && errno != EEXIST
                    ? err_errno(err, errno, "create directory '%s'", full)
                    : 0;

        *s = '/';
        if (r < 0)
            return r;
    }
    return 0;
}

static int build_file(const char *state_dir, const struct manifest *m,
                      const struct manifest_file *f, const char *root, const char *from,
                      struct err *err)
{
    struct path source, target;
    int r;

    if (from)
        layout_at(&source, state_dir, "channels/%s/releases/%s/%s", m->channel, from, f->path);
    else
        layout_at(&source, state_dir, "blobs/%.2s/%s", f->sha256, f->sha256);
    layout_at(&target, root, "%s", f->path);
    r = make_parents(target.s, strlen(root), err);
    if (r == 0)
        r = copy_verified(source.s, target.s, f->mode & ~WRITE_BITS, f->sha256, f->length, err);
    return err_context(err, r, "file '%.*s'", text_shown(f->path, 120), f->path);
}

/* Close the tree: every folder read-only and fsynced, children before parents. */
static int seal_dir(int fd, const char *name, int depth, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = fdopendir(fd);
    struct dirent *e;

    if (!d) {
        close(fd);
        return err_errno(err, errno, "open directory '%s'", name);
    }
    while ((e = readdir(d))) {
        int r, child;

        if (e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2])))
            continue;
        child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 && errno == ENOTDIR)
            continue;
        if (child < 0)
            return err_errno(err, errno, "open directory '%s'", e->d_name);
        if (depth > DEPTH_MAX) {
            close(child);
            return err_set(err, ERR_INVALID, "directory '%s' is nested too deeply", e->d_name);
        }
        r = seal_dir(child, e->d_name, depth + 1, err);
        if (r < 0)
            return r;
    }
    if (fchmod(dirfd(d), DIR_MODE) < 0 || fsync(dirfd(d)) < 0)
        return err_errno(err, errno, "fsync '%s'", name);
    return 0;
}

static int seal(const char *root, struct err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? err_errno(err, errno, "open '%s'", root) : seal_dir(fd, root, 0, err);
}

/* Write all of m below the temporary root, durably. */
static int build_at(const char *state_dir, const struct manifest *m, const char *root,
                    const char *from, struct err *err)
{
    int r = file_remove_tree(root, err);

    if (r == 0)
        r = file_mkdir_p(root, 0755, err);
    for (size_t i = 0; r == 0 && i < m->n_files; i++)
        r = build_file(state_dir, m, &m->files[i], root, from, err);
    return r == 0 ? seal(root, err) : r;
}

/* Names of temporary trees begin with a dot: no digest does. */
int tree_build(const char *state_dir, const struct manifest *m, const char *name, const char *from,
               struct err *err)
{
    char temporary[TREE_NAME_MAX + 4];
    struct path root, final;
    struct err why = {0};
    int r;

    tree_at(&final, state_dir, m, name);
    if (file_exists(final.s) && tree_verify(state_dir, m, name, &why) == 0)
        return 0;
    snprintf(temporary, sizeof temporary, ".new-%s", name);
    tree_at(&root, state_dir, m, temporary);
    r = build_at(state_dir, m, root.s, from, err);
    if (r == 0)
        r = tree_verify(state_dir, m, temporary, err);
    if (r == 0)
        r = file_remove_tree(final.s, err); /* one that is not whole */
    if (r == 0 && rename(root.s, final.s) < 0)
        r = err_errno(err, errno, "rename to '%s'", final.s);
    if (r == 0)
        r = file_fsync_parent(final.s, err);
    if (r < 0)
        file_remove_tree(root.s, NULL);
    return err_context(err, r, "build release '%s' of channel '%s'", m->version, m->channel);
}

/* Counts the entries that are not folders. */
static int count_files(int fd, int depth, size_t *n, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = fdopendir(fd);
    struct dirent *e;

    if (!d) {
        close(fd);
        return err_errno(err, errno, "read a directory");
    }
    while ((e = readdir(d))) {
        int child, r;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        child = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0) {
            ++*n;
            continue;
        }
        if (depth > DEPTH_MAX) {
            close(child);
            return err_set(err, ERR_TAMPERED, "directory '%s' is nested too deeply", e->d_name);
        }
        r = count_files(child, depth + 1, n, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int verify_count(const char *root, const struct manifest *m, struct err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    size_t n = 0;
    int r = fd < 0 ? err_errno(err, errno, "open '%s'", root) : count_files(fd, 0, &n, err);

    if (r == 0 && n != m->n_files)
        r = err_set(err, ERR_TAMPERED, "'%s' holds %zu files, its manifest names %zu", root, n,
                    m->n_files);
    return r;
}

int tree_verify(const char *state_dir, const struct manifest *m, const char *name, struct err *err)
{
    struct path root, p;
    int r = 0;

    tree_at(&root, state_dir, m, name);
    for (size_t i = 0; r == 0 && i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];

        layout_at(&p, root.s, "%s", f->path);
        r = copy_check(p.s, f->mode & ~WRITE_BITS, f->sha256, f->length, err);
    }
    return r == 0 ? verify_count(root.s, m, err) : r;
}

bool tree_is_here(const char *state_dir, const char *channel, const char *name)
{
    struct path p;

    return file_exists(layout_at(&p, state_dir, "channels/%s/releases/%s", channel, name));
}
