/* signer_cmd: see signer_cmd.h. */
#include "tuf/signer_cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

extern char **environ;

/* Standard input is a memory file: nothing to feed, so no deadlock and no SIGPIPE. */
static int make_input(const void *data, size_t len, int *ret_fd, struct err *err)
{
    int fd = memfd_create("signer-input", MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, errno, "memfd_create");
    r = file_write_all(fd, data, len, err);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(err, errno, "lseek");
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int start(const char *path, const char *arg, int in, int out, pid_t *ret)
{
    char *argv[] = {(char *)path, (char *)arg, NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none;
    int e;

    if ((e = posix_spawn_file_actions_init(&fa)))
        return e;
    if ((e = posix_spawnattr_init(&attr))) {
        posix_spawn_file_actions_destroy(&fa);
        return e;
    }
    sigemptyset(&none);
    if (!(e = posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO)) &&
        !(e = posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO)) &&
        !(e = posix_spawnattr_setpgroup(&attr, 0)) &&
        !(e = posix_spawnattr_setsigmask(&attr, &none)) &&
        !(e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK)))
        e = posix_spawn(ret, path, &fa, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

/* Wait until fd is readable. 0, or -ERR_TIMEOUT. */
static int wait_readable(int fd, int64_t until_ms, const char *path, struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms - clock_awake_ms(clock_system());
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "signer command '%s' did not finish in time", path);
        if (errno != EINTR)
            return err_errno(err, errno, "poll");
    }
}

static int read_output(int fd, int64_t until_ms, const char *path, struct buf *ret, struct err *err)
{
    char chunk[1024];
    ssize_t n;
    int r;

    for (;;) {
        r = wait_readable(fd, until_ms, path, err);
        if (r < 0)
            return r;
        n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "read from signer command '%s'", path);
        if (n > 0 && buf_add(ret, chunk, (size_t)n) < 0)
            return err_set(err, ERR_TOO_LARGE, "signer command '%s' printed more than %zu bytes",
                           path, ret->cap);
    }
}

/* The child is reaped in every case; unless it ended by itself its whole group is killed first. */
static int finish(pid_t pid, int64_t until_ms, const char *path, int r, struct err *err)
{
    _cleanup_(close_p)
    int pidfd = pidfd_open(pid, 0);
    int status = 0;

    if (r == 0 && pidfd < 0)
        r = err_errno(err, errno, "watch signer command '%s'", path);
    if (r == 0)
        r = wait_readable(pidfd, until_ms, path, err);
    if (r < 0)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return r;
    if (WIFSIGNALED(status))
        return err_set(err, ERR_REFUSED, "signer command '%s' was killed by signal %d", path,
                       WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_REFUSED, "signer command '%s' failed with status %d", path,
                       WEXITSTATUS(status));
    return 0;
}

int signer_cmd_run(const char *path, const char *arg, const void *data, size_t len,
                   int64_t deadline_ms, struct buf *ret, struct err *err)
{
    int64_t until_ms = clock_awake_ms(clock_system()) + deadline_ms;
    _cleanup_(close_p)
    int in = -1;
    _cleanup_(close_p)
    int out = -1;
    int fds[2], e, r;
    pid_t pid;

    r = make_input(data, len, &in, err);
    if (r < 0)
        return r;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "pipe");
    out = fds[0];
    e = start(path, arg, in, fds[1], &pid);
    close(fds[1]);
    if (e)
        return err_errno(err, e, "run signer command '%s'", path);
    r = read_output(out, until_ms, path, ret, err);
    return finish(pid, until_ms, path, r, err);
}
