/* release_tree: see release_tree.h. */
#include "release/release_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/hex.h"

#define COPY_BYTES (256 * 1024)
#define MAX_DEPTH  64

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

struct walk {
    const char *blobs;
    struct manifest *m;
    size_t n_alloc;
    char path[FILE_PATH_MAX]; /* of the entry at hand, within src */
    int depth;
};

int release_tree_hash(int fd, int out_fd, const char *what, char ret_sha256[65],
                      int64_t *ret_length, struct err *err)
{
    _cleanup_(EVP_MD_CTX_free_p)
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    _cleanup_(free_p)
    char *block = malloc(COPY_BYTES);
    uint8_t digest[SHA256_LEN];
    int64_t length = 0;
    ssize_t n;

    if (!ctx || !block || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_NOMEM, "out of memory");
    while ((n = read(fd, block, COPY_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read '%s'", what);
        length += n;
        if (length > BLOB_BYTES_MAX)
            return err_set(err, ERR_TOO_LARGE, "'%s' is longer than the %lld bytes of an upload",
                           what, (long long)BLOB_BYTES_MAX);
        if (EVP_DigestUpdate(ctx, block, (size_t)n) != 1)
            return err_set(err, ERR_INTERNAL, "hash '%s'", what);
        if (out_fd >= 0 && file_write_all(out_fd, block, (size_t)n, err) < 0)
            return err_context(err, -(int)err->code, "copy '%s'", what);
    }
    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
        return err_set(err, ERR_INTERNAL, "hash '%s'", what);
    hex_encode(digest, sizeof digest, ret_sha256);
    *ret_length = length;
    return 0;
}

/* The blob's file, its folder made. */
static int blob_path(const char *blobs, const char *sha256, char **ret, struct err *err)
{
    _cleanup_(free_p)
    char *folder = NULL;

    if (asprintf(&folder, "%s/%.2s", blobs, sha256) < 0 ||
        asprintf(ret, "%s/%s", folder, sha256) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make directory '%s'", folder);
    return 0;
}

/* Copy fd to its blob. No fsync: publishing hashes each blob again before it is sent. */
static int store_blob(struct walk *w, int fd, struct manifest_file *f, struct err *err)
{
    _cleanup_(free_p)
    char *tmp = NULL;
    _cleanup_(free_p)
    char *final = NULL;
    _cleanup_(close_p)
    int out = -1;
    int r;

    if (asprintf(&tmp, "%s/.incoming", w->blobs) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out < 0)
        return err_errno(err, errno, "create '%s'", tmp);
    r = release_tree_hash(fd, out, w->path, f->sha256, &f->length, err);
    if (r == 0)
        r = blob_path(w->blobs, f->sha256, &final, err);
    if (r == 0 && rename(tmp, final) < 0)
        r = err_errno(err, errno, "rename '%s'", tmp);
    if (r < 0)
        unlink(tmp);
    return r;
}

static int add_file(struct walk *w, int dir_fd, const char *name, struct err *err)
{
    struct manifest *m = w->m;
    struct manifest_file f = {0};
    _cleanup_(close_p)
    int fd = -1;
    struct stat st;
    int r;

    if (m->n_files == MANIFEST_MAX_FILES)
        return err_set(err, ERR_TOO_LARGE, "more than %d files", MANIFEST_MAX_FILES);
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "open '%s'", w->path);
    if (!S_ISREG(st.st_mode)) /* it was one a moment ago */
        return err_set(err, ERR_BAD_PATH, "'%s' is not a plain file", w->path);
    if (m->n_files == w->n_alloc) {
        size_t more = w->n_alloc ? 2 * w->n_alloc : 64;
        struct manifest_file *files = reallocarray(m->files, more, sizeof *files);

        if (!files)
            return err_set(err, ERR_NOMEM, "out of memory");
        m->files = files;
        w->n_alloc = more;
    }
    f.mode = st.st_mode & 0100 ? 0755 : 0644;
    r = store_blob(w, fd, &f, err);
    if (r < 0)
        return r;
    f.path = strdup(w->path);
    if (!f.path)
        return err_set(err, ERR_NOMEM, "out of memory");
    m->files[m->n_files++] = f;
    return 0;
}

static const char *kind_name(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFLNK:
        return "a symbolic link";
    case S_IFSOCK:
        return "a socket";
    case S_IFIFO:
        return "a pipe";
    default:
        return "a device";
    }
}

static int walk_dir(struct walk *w, int fd, struct err *err);

static int walk_entry(struct walk *w, int dir_fd, const char *name, struct err *err)
{
    size_t before = strlen(w->path);
    struct stat st;
    int r, fd;

    if (snprintf(w->path + before, sizeof w->path - before, "%s%s", before ? "/" : "", name) >=
        (int)(sizeof w->path - before)) {
        r = err_set(err, ERR_BAD_PATH, "'%.200s...' is longer than %d bytes", w->path,
                    FILE_PATH_MAX - 1);
    } else if ((r = path_check(w->path, err)) < 0) {
        ;
    } else if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        r = err_errno(err, errno, "stat '%s'", w->path);
    } else if (S_ISREG(st.st_mode)) {
        r = add_file(w, dir_fd, name, err);
    } else if (S_ISDIR(st.st_mode)) {
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? err_errno(err, errno, "open '%s'", w->path) : walk_dir(w, fd, err);
    } else {
        r = err_set(err, ERR_BAD_PATH, "'%s' is %s", w->path, kind_name(st.st_mode));
        err_remedy(err, "release plain files only; copy what a link points to");
    }
    w->path[before] = '\0';
    return r;
}

/* Takes fd. */
static int walk_dir(struct walk *w, int fd, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = fdopendir(fd);
    const struct dirent *e;
    int r = 0;

    if (!d) {
        close(fd);
        return err_errno(err, errno, "read directory '%s'", w->path);
    }
    if (++w->depth > MAX_DEPTH)
        return err_set(err, ERR_BAD_PATH, "'%s' is more than %d folders deep", w->path, MAX_DEPTH);
    while (r == 0 && (errno = 0, e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = walk_entry(w, dirfd(d), e->d_name, err);
    if (r == 0 && errno)
        r = err_errno(err, errno, "read directory '%s'", w->path);
    w->depth--;
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

int release_tree_read(const char *src, const char *blobs, struct manifest *m, struct err *err)
{
    struct walk w = {.blobs = blobs, .m = m, .n_alloc = m->n_files};
    int fd = open(src, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0)
        return err_errno(err, errno, "open directory '%s'", src);
    r = err_context(err, walk_dir(&w, fd, err), "'%s'", src);
    if (r < 0)
        return r;
    if (m->n_files == 0)
        return err_set(err, ERR_INVALID, "'%s' has no files in it", src);
    qsort(m->files, m->n_files, sizeof *m->files, by_path);
    return 0;
}
