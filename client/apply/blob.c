/* blob: verified content-addressed files. See tree.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "apply/copy.h"
#include "trust/incoming.h"
#include "layout.h"
#include "apply/tree.h"

static const char *blob_at(struct path *p, const char *state_dir, const char *sha256)
{
    return layout_at(p, state_dir, "blobs/%.2s/%s", sha256, sha256);
}

bool blob_is_here(const char *state_dir, const char *sha256, int64_t length)
{
    struct path p;
    struct stat st;

    return lstat(blob_at(&p, state_dir, sha256), &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_size == length;
}

int blob_take(const char *state_dir, const char *sha256, int64_t length, struct err *err)
{
    _cleanup_(close_p)
    int in = -1;
    struct path dir, temporary, p;
    char from[sizeof "blobs/" + SHA256_HEX_LEN];
    int r = file_mkdir_p(layout_at(&dir, state_dir, "blobs/%.2s", sha256), 0755, err);

    if (r < 0)
        return r;
    snprintf(from, sizeof from, "blobs/%s", sha256);
    in = incoming_open(state_dir, from, err);
    if (in < 0)
        return in;
    layout_at(&temporary, dir.s, ".new-%s", sha256);
    unlink(temporary.s);
    r = copy_verified_fd(in, from, temporary.s, 0444, sha256, length, err);
    if (r == 0 && rename(temporary.s, blob_at(&p, state_dir, sha256)) < 0)
        r = err_errno(err, errno, "rename to '%s'", p.s);
    return r == 0 ? file_fsync_parent(p.s, err) : r;
}

static bool is_wanted(const struct manifest *m, const char *sha256)
{
    for (size_t i = 0; m && i < m->n_files; i++)
        if (strcmp(m->files[i].sha256, sha256) == 0)
            return true;
    return false;
}

static void collect_dir(const char *dir, const struct manifest *const *wanted, size_t n)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(dir);
    struct dirent *e;
    struct path p;

    while (d && (e = readdir(d))) {
        bool wants = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;

        for (size_t i = 0; i < n; i++)
            wants = wants || is_wanted(wanted[i], e->d_name);
        if (!wants)
            unlink(layout_at(&p, dir, "%s", e->d_name));
    }
}

void blob_collect(const char *state_dir, const struct manifest *const *wanted, size_t n)
{
    struct path dir;

    for (int i = 0; i < 256; i++)
        collect_dir(layout_at(&dir, state_dir, "blobs/%02x", i), wanted, n);
}
