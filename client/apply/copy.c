/* copy: see copy.h. */
#include "apply/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"

#define CHUNK 65536

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static int open_regular(const char *path, struct stat *ret, struct err *err)
{
    _cleanup_(close_p)
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno == ELOOP ? err_set(err, ERR_TAMPERED, "'%s' is a link", path)
                              : err_errno(err, errno, "open '%s'", path);
    if (fstat(fd, ret) < 0)
        return err_errno(err, errno, "stat '%s'", path);
    if (!S_ISREG(ret->st_mode))
        return err_set(err, ERR_TAMPERED, "'%s' is not a regular file", path);
    return take_fd(&fd);
}

/* Bytes of `in` to `out` (-1: nowhere) and through the hash; stops one byte past max. */
static int pump(int in, int out, int64_t max, EVP_MD_CTX *md, int64_t *ret_n, struct err *err)
{
    char chunk[CHUNK];

    for (*ret_n = 0; *ret_n <= max;) {
        ssize_t n = read(in, chunk, sizeof chunk);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read");
        if (n == 0)
            return 0;
        *ret_n += n;
        if (!EVP_DigestUpdate(md, chunk, (size_t)n))
            return err_set(err, ERR_INTERNAL, "SHA-256 failed");
        if (out >= 0) {
            int r = file_write_all(out, chunk, (size_t)n, err);

            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int pass(int in, int out, const char *what, const char *sha256, int64_t length,
                struct err *err)
{
    _cleanup_(EVP_MD_CTX_free_p)
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t digest[SHA256_LEN];
    char hex[SHA256_HEX_LEN + 1];
    int64_t n;
    int r;

    if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
        return err_set(err, ERR_NOMEM, "out of memory while reading '%s'", what);
    r = err_context(err, pump(in, out, length, md, &n, err), "'%s'", what);
    if (r < 0)
        return r;
    if (n != length)
        return err_set(err, ERR_TAMPERED, "'%s' is not %lld bytes long", what, (long long)length);
    if (!EVP_DigestFinal_ex(md, digest, NULL))
        return err_set(err, ERR_INTERNAL, "SHA-256 failed");
    hex_encode(digest, sizeof digest, hex);
    if (strcmp(hex, sha256) != 0)
        return err_set(err, ERR_TAMPERED, "'%s' has changed: its hash is not the manifest's", what);
    return 0;
}

int copy_verified_fd(int in, const char *what, const char *to, mode_t mode, const char *sha256,
                     int64_t length, struct err *err)
{
    _cleanup_(close_p)
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (out < 0)
        return err_errno(err, errno, "create '%s'", to);
    r = pass(in, out, what, sha256, length, err);
    if (r == 0 && (fchmod(out, mode) < 0 || fsync(out) < 0))
        r = err_errno(err, errno, "fsync '%s'", to);
    if (r < 0)
        unlink(to);
    return r;
}

int copy_verified(const char *from, const char *to, mode_t mode, const char *sha256, int64_t length,
                  struct err *err)
{
    struct stat st;
    _cleanup_(close_p)
    int in = open_regular(from, &st, err);

    return in < 0 ? in : copy_verified_fd(in, from, to, mode, sha256, length, err);
}

int copy_check(const char *path, mode_t mode, const char *sha256, int64_t length, struct err *err)
{
    struct stat st;
    _cleanup_(close_p)
    int in = open_regular(path, &st, err);

    if (in == -ERR_NOT_FOUND)
        return err_set(err, ERR_TAMPERED, "'%s' is missing", path);
    if (in < 0)
        return in;
    if ((st.st_mode & 07777) != mode)
        return err_set(err, ERR_TAMPERED, "'%s' has mode %04o instead of %04o", path,
                       (unsigned)(st.st_mode & 07777), (unsigned)mode);
    return pass(in, -1, path, sha256, length, err);
}
