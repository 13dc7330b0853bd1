#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "scenario.h"

#define FILE_CAP 65536
#define LIST_MAX 1000
#define SUFFIX   ".json"

static bool name_is_plain(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < SCENARIO_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n &&
           name[0] != '-';
}

static int read_path(const char *path, struct scenario *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, FILE_CAP);
    r = file_read(path, &text, err);
    return r < 0 ? r : scenario_parse(text.data, text.len, path, ret, err);
}

int scenario_read(const char *dir, const char *name, struct scenario *ret, struct err *err)
{
    _cleanup_(free_p)
    char *path = NULL;
    char file[SCENARIO_NAME_MAX + sizeof(SUFFIX)];
    struct scenario s;
    int r;

    if (!name_is_plain(name))
        return read_path(name, ret, err);
    snprintf(file, sizeof(file), "%s" SUFFIX, name);
    path = path_join(dir, file);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = read_path(path, &s, err);
    if (r == -ERR_NOT_FOUND) {
        err_context(err, r, "no scenario '%s'", name);
        return err_remedy(err,
                          "give 'all', a name of canary/sim/scenarios/README.md, or a file's path");
    }
    if (r == 0 && strcmp(s.name, name) != 0)
        r = err_set(err, ERR_INVALID, "%s: names itself '%s'", path, s.name);
    if (r == 0)
        *ret = s;
    return r;
}

/* S2 before S10: by the number after the first letters, then by name. */
static int by_number(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    long m = strtol(x + strcspn(x, "0123456789"), NULL, 10);
    long n = strtol(y + strcspn(y, "0123456789"), NULL, 10);

    return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

static void free_list(char **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

int scenario_list(const char *dir, char ***ret, int *ret_n, struct err *err)
{
    DIR *d = opendir(dir);
    char **list = calloc(LIST_MAX, sizeof(*list));
    int n = 0;
    struct dirent *e;

    if (!d || !list) {
        int r = d ? err_set(err, ERR_NOMEM, "out of memory") : err_errno(err, errno, "%s", dir);

        free(list);
        if (d)
            closedir(d);
        return r;
    }
    while (n < LIST_MAX && (e = readdir(d))) {
        size_t len = strlen(e->d_name), cut = sizeof(SUFFIX) - 1;

        if (len <= cut || strcmp(e->d_name + len - cut, SUFFIX) != 0)
            continue;
        list[n] = strndup(e->d_name, len - cut);
        if (!list[n]) {
            free_list(list, n);
            closedir(d);
            return err_set(err, ERR_NOMEM, "out of memory");
        }
        n++;
    }
    closedir(d);
    qsort(list, (size_t)n, sizeof(*list), by_number);
    *ret = list;
    *ret_n = n;
    return 0;
}
