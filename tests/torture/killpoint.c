/*
 * killpoint: a preloaded library that kills a whole process group just before the N-th call, over
 * all of its processes, that changes something on disk or starts a process.
 *
 *   KILLPOINT_FILE   counter of 8 bytes, shared by all processes; made by whoever starts them
 *   KILLPOINT_AT     N; 0: only count
 *
 * SIGKILL leaves what the kernel has: it shows the order of writes, not what a power cut keeps.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Shared by construction: the counter is what the processes have in common. */
static uint64_t *counter;
static uint64_t at;

static void __attribute__((constructor)) set_up(void)
{
    const char *file = getenv("KILLPOINT_FILE"), *n = getenv("KILLPOINT_AT");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED
                     : mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED)
        return;
    at = n ? strtoull(n, NULL, 10) : 0;
    counter = p;
}

static void point(void)
{
    if (counter && __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST) == at)
        kill(0, SIGKILL);
}

/* int NAME(PARAMETERS): a point, then the real one. */
#define WRAP(type, name, parameters, arguments)                                                    \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        type(*real) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                      \
                                                                                                   \
        point();                                                                                   \
        return real arguments;                                                                     \
    }

WRAP(int, fsync, (int fd), (fd))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, symlink, (const char *target, const char *path), (target, path))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, mkostemp, (char *name, int flags), (name, flags))
WRAP(pid_t, fork, (void), ())

/* Only what lands in a file of the file system: pipes and files in memory end with the processes.
 */
ssize_t write(int fd, const void *data, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 0)
        point();
    return real(fd, data, n);
}
