/*
 * cleanup: what leaves scope is released. In one function use either this or goto, never both.
 * Every destructor takes NULL (or -1).
 */
#ifndef FIREBREAK_CLEANUP_H
#define FIREBREAK_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Hand a pointer on and forget it here: `*ret = take_ptr(p);`. */
#define take_ptr(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) take_ptr_ = (p);                                                             \
        (p) = NULL;                                                                                \
        take_ptr_;                                                                                 \
    })

static inline int take_fd(int *fd)
{
    int r = *fd;

    *fd = -1;
    return r;
}

/* void name_p(type *p): the cleanup form of a destructor `void free_fn(type)`. */
#define DEFINE_CLEANUP(type, free_fn)                                                              \
    static inline void free_fn##_p(type *p)                                                        \
    {                                                                                              \
        if (*p)                                                                                    \
            free_fn(*p);                                                                           \
    }

static inline void free_p(void *p)
{
    free(*(void **)p);
}

static inline void close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose)
DEFINE_CLEANUP(DIR *, closedir)

#endif
