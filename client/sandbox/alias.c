/*
 * alias: see alias.h. A line of /proc/self/mountinfo (proc(5)):
 *
 *   id parent major:minor root mount-point options ...
 *
 * `root` is the path within the file system that is mounted. In both paths blanks, tabs, line feeds
 * and backslashes are written as \ooo.
 */
#include "sandbox/alias.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define MOUNTINFO "/proc/self/mountinfo"

struct mounted {
    char dev[32];
    char root[PATH_MAX], point[PATH_MAX];
};

static void unescape(char *path)
{
    char *to = path;

    for (const char *p = path; *p; to++)
        if (*p == '\\' && strspn(p + 1, "01234567") >= 3) {
            *to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else {
            *to = *p++;
        }
    *to = '\0';
}

static bool read_line(const char *line, struct mounted *ret)
{
    if (sscanf(line, "%*d %*d %31s %4095s %4095s", ret->dev, ret->root, ret->point) != 3)
        return false;
    unescape(ret->root);
    unescape(ret->point);
    return true;
}

/* What follows `dir` in `path`: "" or with its slash. NULL: not below it. */
static const char *rest_below(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

    if (strncmp(path, dir, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return strcmp(path + n, "/") == 0 ? "" : path + n;
}

static bool join(const char *dir, const char *rest, char ret[PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s%s", strcmp(dir, "/") == 0 && *rest ? "" : dir, rest);

    return n > 0 && n < PATH_MAX;
}

/* Which file system `dir` lies on, and where in it: of the mounts above it the lowest and last. */
static bool locate(FILE *f, const char *dir, struct mounted *ret)
{
    _cleanup_(free_p)
    char *line = NULL;
    size_t size = 0, best = 0;
    struct mounted m;

    while (getline(&line, &size, f) > 0) {
        const char *rest = read_line(line, &m) ? rest_below(dir, m.point) : NULL;

        if (!rest || strlen(m.point) < best)
            continue;
        best = strlen(m.point);
        memcpy(ret->dev, m.dev, sizeof m.dev);
        if (!join(m.root, rest, ret->root))
            return false;
    }
    return best > 0;
}

static bool is_same(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int alias_find(const char *dir, struct alias ret[ALIAS_MAX], struct err *err)
{
    _cleanup_(fclose_p)
    FILE *f = fopen(MOUNTINFO, "re");
    _cleanup_(free_p)
    char *line = NULL;
    size_t size = 0;
    struct mounted place, m;
    char path[PATH_MAX];
    int n = 0;

    if (!f || !locate(f, dir, &place))
        return err_errno(err, f ? EINVAL : errno, "find '%s' in '%s'", dir, MOUNTINFO);
    rewind(f);
    while (getline(&line, &size, f) > 0) {
        const char *rest;

        if (!read_line(line, &m) || strcmp(m.dev, place.dev) != 0)
            continue;
        rest = rest_below(place.root, m.root);
        /* what another mount covers is not it, and not to be seen either */
        if (!rest || !join(m.point, rest, path) || strcmp(path, dir) == 0 || !is_same(path, dir))
            continue;
        if (n == ALIAS_MAX)
            return err_set(err, ERR_REFUSED, "'%s' is mounted more than %d times", dir, ALIAS_MAX);
        memcpy(ret[n++].path, path, sizeof path);
    }
    return n;
}
