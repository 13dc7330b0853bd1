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

#include "base/cleanup.h"

#define EXIT_NOT_THE_CONTENT 75
#define STRAYS_MAX           65536
#define DRAIN_MS             200 /* for what a leader left in the pipe */
#define CONFINED_FILES       4096
#define CONFINED_FILE_BYTES  (INT64_C(1) << 30)

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void limit(int resource, int64_t value)
{
    struct rlimit r = {(rlim_t)value, (rlim_t)value};

    setrlimit(resource, &r);
}

/* Signal state as a fresh program expects it. */
static void reset_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

struct environment {
    char text[5][512];
    char dir[1400];
    char *list[8];
};

static void fill_environment(struct environment *e, const struct hook *h)
{
    snprintf(e->text[0], sizeof e->text[0], "FIREBREAK_CHANNEL=%s", h->channel);
    snprintf(e->text[1], sizeof e->text[1], "FIREBREAK_VERSION=%s", h->version);
    snprintf(e->text[2], sizeof e->text[2], "FIREBREAK_DIGEST=%s", h->digest);
    snprintf(e->text[3], sizeof e->text[3],
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
             "/usr/bin:/sbin:/bin");
    snprintf(e->text[4], sizeof e->text[4], "LANG=C.UTF-8");
    snprintf(e->dir, sizeof e->dir, "FIREBREAK_DIR=%s", h->dir);
    for (int i = 0; i < 5; i++)
        e->list[i] = e->text[i];
    e->list[5] = e->dir;
    e->list[6] = NULL;
}

/* In the child, up to exec. */
static void __attribute__((noreturn))
become(const struct hook *h, struct environment *e, int out, pid_t parent)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)h->command, NULL};
    int null = open("/dev/null", O_RDONLY);

    reset_signals();
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_NOT_THE_CONTENT);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/") < 0)
        _exit(EXIT_NOT_THE_CONTENT);
    close_range(3, ~0U, 0);
    umask(022);
    limit(RLIMIT_CORE, 0);
    if (h->confined) {
        limit(RLIMIT_CPU, h->deadline_ms / 1000 + 1);
        limit(RLIMIT_NOFILE, CONFINED_FILES);
        limit(RLIMIT_FSIZE, CONFINED_FILE_BYTES);
    }
    execve("/bin/sh", argv, e->list);
    _exit(EXIT_NOT_THE_CONTENT);
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

static int start(const struct hook *h, int *ret_out, pid_t *ret_pid, struct err *err)
{
    struct environment e;
    int out[2];
    pid_t pid, parent = getpid();

    if (pipe2(out, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe for the %s hook", h->kind);
    fill_environment(&e, h);
    pid = fork();
    if (pid == 0)
        become(h, &e, out[1], parent);
    close(out[1]);
    if (pid < 0) {
        close(out[0]);
        return err_errno(err, errno, "start the %s hook", h->kind);
    }
    *ret_out = out[0];
    *ret_pid = pid;
    return 0;
}

int hook_run(const struct hook *h, struct hook_result *ret, struct err *err)
{
    _cleanup_(close_p)
    int out = -1;
    _cleanup_(close_p)
    int pidfd = -1;
    bool in_time = false;
    size_t len = 0;
    int status = 0;
    pid_t pid;
    int r;

    prctl(PR_SET_CHILD_SUBREAPER, h->confined ? 1L : 0L);
    r = start(h, &out, &pid, err);
    if (r < 0)
        return r;
    memset(ret, 0, sizeof *ret);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0)
        in_time = await(pidfd, out, now_ms() + h->deadline_ms, ret, &len);
    if (!in_time || h->confined) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* where it had not come to its own session yet */
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (h->confined)
        end_strays();
    drain(out, ret, &len);
    if (pidfd < 0)
        return err_set(err, ERR_IO, "watch the %s hook: no pidfd", h->kind);
    judge(h, in_time, status, ret);
    return 0;
}
