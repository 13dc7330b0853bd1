/* policy_dir: all policies of a folder. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy_file.h"

#define SUFFIX ".json"

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "NAME.json" -> NAME; false for any other file. */
static bool name_of(const char *file, char ret[POLICY_NAME_MAX])
{
    size_t len = strlen(file), cut = sizeof(SUFFIX) - 1;

    if (len <= cut || strcmp(file + len - cut, SUFFIX) != 0 || len - cut >= POLICY_NAME_MAX)
        return false;
    memcpy(ret, file, len - cut);
    ret[len - cut] = '\0';
    return policy_name_is_plain(ret);
}

int policy_each(const char *dir, policy_visit visit, void *ctx, struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(dir);
    _cleanup_(free_p)
    char(*names)[POLICY_NAME_MAX] = calloc(POLICY_DIR_MAX, sizeof(*names));
    const struct dirent *e;
    size_t n = 0;
    int r = 0;

    if (!d)
        return err_errno(err, errno, "read policies in '%s'", dir);
    if (!names)
        return err_set(err, ERR_NOMEM, "out of memory");
    while (n < POLICY_DIR_MAX && (e = readdir(d)))
        n += name_of(e->d_name, names[n]);
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct policy p;
        struct err why = {0};
        bool good = policy_read(dir, names[i], NULL, &p, &why) == 0;

        r = visit(ctx, names[i], good ? &p : NULL, &why, err);
    }
    return r;
}
