/* scratch: a directory of a test's own, removed afterwards. */
#ifndef FIREBREAK_TESTS_SCRATCH_H
#define FIREBREAK_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

static inline int scratch_make(void **state)
{
    char *dir = strdup("/tmp/fb-test-XXXXXX");

    *state = dir;
    return dir && mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    int r = file_remove_tree(*state, NULL);

    free(*state);
    return r;
}

static inline void scratch_write(const char *dir, const char *name, const void *data, size_t len)
{
    char *path = path_join(dir, name);
    FILE *f = path ? fopen(path, "w") : NULL;

    if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        abort();
    free(path);
}

#endif
