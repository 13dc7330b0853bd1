/* signer_child: see signer_child.h. */
#include "tuf/signer_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Wait until fd is readable. 0, or -ERR_TIMEOUT. */
static int wait_readable(int fd, int64_t until_ms, const char *what, struct err *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms - clock_awake_ms(clock_system());
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(err, ERR_TIMEOUT, "%s did not finish in time", what);
        if (errno != EINTR)
            return err_errno(err, errno, "poll");
    }
}

static int read_output(int fd, int64_t until_ms, const char *what, struct buf *ret, struct err *err)
{
    char chunk[1024];
    ssize_t n;
    int r;

    for (;;) {
        r = wait_readable(fd, until_ms, what, err);
        if (r < 0)
            return r;
        n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "read from %s", what);
        if (n > 0 && buf_add(ret, chunk, (size_t)n) < 0)
            return err_set(err, ERR_TOO_LARGE, "%s printed more than %zu bytes", what, ret->cap);
    }
}

int signer_child_collect(pid_t pid, int fd, int64_t until_ms, const char *what, struct buf *ret,
                         struct err *err)
{
    _cleanup_(close_p)
    int pidfd = pidfd_open(pid, 0);
    int status = 0, r;
    pid_t ended;

    r = pidfd < 0 ? err_errno(err, errno, "watch %s", what)
                  : read_output(fd, until_ms, what, ret, err);
    if (r == 0)
        r = wait_readable(pidfd, until_ms, what, err);
    if (r < 0)
        kill(-pid, SIGKILL);
    while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (r < 0)
        return r;
    if (ended < 0) /* where SIGCHLD is ignored: no word of failure is no success */
        return err_errno(err, errno, "learn how %s ended", what);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_REFUSED, "%s was killed by signal %d", what, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_REFUSED, "%s failed with status %d", what, WEXITSTATUS(status));
    return 0;
}
