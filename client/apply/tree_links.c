/* tree: links, and the collection of what no link or intent needs. See tree.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "layout.h"
#include "apply/tree.h"

#define TARGET_PREFIX "releases/"

static bool is_tree_name(const char *name)
{
    char digest[SHA256_HEX_LEN + 1];

    snprintf(digest, sizeof digest, "%.64s", name);
    return hex_is(digest, SHA256_HEX_LEN) &&
           (!name[SHA256_HEX_LEN] || strcmp(name + SHA256_HEX_LEN, TREE_BOOT_SUFFIX) == 0);
}

int tree_link(const char *state_dir, const char *channel, const char *link, char ret[TREE_NAME_MAX],
              struct err *err)
{
    char target[256];
    struct path p;
    ssize_t n = readlink(layout_at(&p, state_dir, "channels/%s/%s", channel, link), target,
                         sizeof target - 1);

    if (n < 0 && errno == ENOENT) {
        ret[0] = '\0';
        return 0;
    }
    if (n < 0)
        return err_errno(err, errno, "read link '%s'", p.s);
    target[n] = '\0';
    if (strncmp(target, TARGET_PREFIX, strlen(TARGET_PREFIX)) != 0 ||
        !is_tree_name(target + strlen(TARGET_PREFIX)))
        return err_set(err, ERR_INVALID, "'%s' does not point to a release", p.s);
    snprintf(ret, TREE_NAME_MAX, "%.79s", target + strlen(TARGET_PREFIX));
    return 0;
}

static int replace_link(const char *path, const char *name, struct err *err)
{
    char target[TREE_NAME_MAX + sizeof TARGET_PREFIX];
    struct path temporary;

    snprintf(target, sizeof target, TARGET_PREFIX "%s", name);
    snprintf(temporary.s, sizeof temporary.s, "%.1270s.new", path);
    if (unlink(temporary.s) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", temporary.s);
    if (symlink(target, temporary.s) < 0)
        return err_errno(err, errno, "make link '%s'", temporary.s);
    if (rename(temporary.s, path) < 0)
        return err_errno(err, errno, "rename to '%s'", path);
    return 0;
}

int tree_set_link(const char *state_dir, const char *channel, const char *link, const char *name,
                  struct err *err)
{
    struct path p;
    int r = 0;

    layout_at(&p, state_dir, "channels/%s/%s", channel, link);
    if (*name)
        r = replace_link(p.s, name, err);
    else if (unlink(p.s) < 0 && errno != ENOENT)
        r = err_errno(err, errno, "remove '%s'", p.s);
    return r == 0 ? file_fsync_parent(p.s, err) : r;
}

/* The first 64 characters name a digest that is kept. */
static bool is_kept(const char *name, const char *const *keep, size_t n_keep)
{
    for (size_t i = 0; i < n_keep; i++)
        if (keep[i][0] && strncmp(name, keep[i], SHA256_HEX_LEN) == 0)
            return true;
    return false;
}

static void collect_dir(const char *dir, const char *const *keep, size_t n_keep)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(dir);
    struct dirent *e;
    struct path p;

    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            is_kept(e->d_name, keep, n_keep))
            continue;
        file_remove_tree(layout_at(&p, dir, "%s", e->d_name), NULL);
    }
}

void tree_collect(const char *state_dir, const char *channel, const char *const *keep,
                  size_t n_keep)
{
    struct path p;

    collect_dir(layout_at(&p, state_dir, "channels/%s/releases", channel), keep, n_keep);
    collect_dir(layout_at(&p, state_dir, "channels/%s/manifests", channel), keep, n_keep);
}
