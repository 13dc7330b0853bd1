/* hook: see hook.h. */
#include "apply/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "apply/hook_child.h"
#include "base/cleanup.h"

#define STRAYS_MAX 65536
#define DRAIN_MS   200 /* for what a leader left in the pipe */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Take what is in the pipe; what is past the cap is read and dropped. False at its end. */
static bool take_output(int fd, struct hook_result *ret, size_t *len)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    size_t room = HOOK_OUTPUT_MAX - *len;

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    memcpy(ret->output + *len, chunk, (size_t)n < room ? (size_t)n : room);
    *len += (size_t)n < room ? (size_t)n : room;
    return true;
}

/* Collect output until the leader ends (true) or the deadline passes (false). */
static bool await(int pidfd, int fd, int64_t deadline, struct hook_result *ret, size_t *len)
{
    struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    for (;;) {
        int64_t left = deadline - now_ms();

        if (left <= 0)
            return false;
        if (poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
            return false;
        if (p[1].fd >= 0 && p[1].revents && !take_output(fd, ret, len))
            p[1].fd = -1;
        if (p[0].revents)
            return true;
    }
}

/* What was written before the end is in the pipe; a descendant may keep it open for ever. */
static void drain(int fd, struct hook_result *ret, size_t *len)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t deadline = now_ms() + DRAIN_MS;

    while (now_ms() < deadline && poll(&p, 1, 0) > 0 && take_output(fd, ret, len))
        ;
    ret->output[*len] = '\0';
}

/* 128 + n is the shell's word for a program that died of signal n. */
static int signal_of(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status) > 128 && WEXITSTATUS(status) <= 128 + SIGRTMAX
               ? WEXITSTATUS(status) - 128
               : 0;
}

static void judge(const struct hook *h, bool in_time, int status, struct hook_result *ret)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    ret->good = in_time && code == 0;
    ret->blamed = !ret->good && !(in_time && code == EXIT_NOT_THE_CONTENT);
    if (!in_time)
        snprintf(ret->cause, sizeof ret->cause, "%s-deadline", h->kind);
    else if (signal_of(status))
        snprintf(ret->cause, sizeof ret->cause, "%s-signal-%d", h->kind, signal_of(status));
    else
        snprintf(ret->cause, sizeof ret->cause, "%s-exit-%d", h->kind, code);
}

/* The first child of this process, as /proc lists them; 0: none, or nobody can tell. */
static pid_t first_child(void)
{
    char name[64];
    _cleanup_(fclose_p)
    FILE *f = NULL;
    int pid;

    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    f = fopen(name, "re");
    return f && fscanf(f, "%d", &pid) == 1 ? pid : 0;
}

/* Descendants that left the group: with their parents gone they have come to this process. */
static void end_strays(void)
{
    pid_t pid;

    for (int i = 0; i < STRAYS_MAX && (pid = first_child()) > 0; i++) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

/* The reading ends of a hook that was forked. */
struct running {
    pid_t pid;
    int out, started, pidfd;
};

static void running_release(struct running *r)
{
    close_p(&r->out);
    close_p(&r->started);
    close_p(&r->pidfd);
}

static int start(const struct hook *h, enum sandbox_level level, struct running *ret,
                 struct err *err)
{
    int out[2], started[2];
    struct hook_pipes pipes;
    pid_t parent = getpid();

    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe for the %s hook", h->kind);
    if (pipe2(started, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return err_errno(err, errno, "make a pipe for the %s hook", h->kind);
    }
    pipes = (struct hook_pipes){out[1], started[1]};
    *ret = (struct running){.pid = fork(), .out = out[0], .started = started[0], .pidfd = -1};
    if (ret->pid == 0)
        hook_become(h, level, &pipes, parent);
    close(out[1]);
    close(started[1]);
    if (ret->pid < 0)
        return err_errno(err, errno, "start the %s hook", h->kind);
    ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
    return 0;
}

/* Until it has ended, with all that must end with it. True where it ended in time. */
static bool wait_for(const struct hook *h, const struct running *run, int64_t deadline,
                     struct hook_result *ret, int *ret_status)
{
    bool in_time = false;
    size_t len = 0;

    if (run->pidfd >= 0)
        in_time = await(run->pidfd, run->out, deadline, ret, &len);
    if (!in_time || h->confined) {
        kill(-run->pid, SIGKILL);
        kill(run->pid, SIGKILL); /* where it had not come to its own session yet */
    }
    while (waitpid(run->pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    if (h->confined)
        end_strays();
    drain(run->out, ret, &len);
    return in_time;
}

/* *ret_ran: the command itself was reached; if not, ret->output says why. */
static int run_once(const struct hook *h, enum sandbox_level level, int64_t deadline,
                    struct hook_result *ret, bool *ret_ran, struct err *err)
{
    _cleanup_(running_release)
    struct running run = {.out = -1, .started = -1, .pidfd = -1};
    int status = 0, r = start(h, level, &run, err);
    bool in_time;
    char c;

    if (r < 0)
        return r;
    memset(ret, 0, sizeof *ret);
    in_time = wait_for(h, &run, deadline, ret, &status);
    if (run.pidfd < 0)
        return err_set(err, ERR_IO, "watch the %s hook: no pidfd", h->kind);
    *ret_ran = read(run.started, &c, 1) == 1;
    ret->level = level;
    judge(h, in_time, status, ret);
    return 0;
}

int hook_run(const struct hook *h, struct hook_result *ret, struct err *err)
{
    enum sandbox_level level = h->sandbox ? SANDBOX_WHOLE : SANDBOX_NONE;
    enum sandbox_level least = h->sandbox_required ? SANDBOX_WHOLE : SANDBOX_NONE;
    int64_t deadline = now_ms() + h->deadline_ms;
    bool ran = false;

    prctl(PR_SET_CHILD_SUBREAPER, h->confined ? 1L : 0L);
    for (;; level++) {
        int r = run_once(h, level, deadline, ret, &ran, err);

        if (r < 0 || ran)
            return r;
        if (level >= least)
            return err_set(err, ERR_IO, "start the %s hook%s: %.160s", h->kind,
                           level == SANDBOX_NONE ? "" : " in its sandbox", ret->output);
    }
}
