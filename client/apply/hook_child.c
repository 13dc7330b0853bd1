/* hook_child: see hook_child.h. */
#include "apply/hook_child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFINED_FILES      4096
#define CONFINED_FILE_BYTES (INT64_C(1) << 30)
#define STARTED_FD          3

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

/* Standard files, and STARTED_FD; nothing else is inherited. */
static int arrange_files(const struct hook_pipes *pipes)
{
    int null = open("/dev/null", O_RDONLY);

    if (null < 0 || dup2(null, 0) < 0 || dup2(pipes->out, 1) < 0 || dup2(pipes->out, 2) < 0)
        return -1;
    if (pipes->started != STARTED_FD && dup2(pipes->started, STARTED_FD) < 0)
        return -1;
    close_range(STARTED_FD + 1, ~0U, 0);
    return fcntl(STARTED_FD, F_SETFD, FD_CLOEXEC);
}

static void set_limits(const struct hook *h)
{
    limit(RLIMIT_CORE, 0);
    if (!h->confined)
        return;
    limit(RLIMIT_CPU, h->deadline_ms / 1000 + 1);
    limit(RLIMIT_NOFILE, CONFINED_FILES);
    limit(RLIMIT_FSIZE, CONFINED_FILE_BYTES);
}

void hook_become(const struct hook *h, enum sandbox_level level, const struct hook_pipes *pipes,
                 pid_t parent)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)h->command, NULL};
    struct environment e;
    struct err err = {0};

    reset_signals();
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || arrange_files(pipes) < 0 || chdir("/") < 0)
        _exit(EXIT_NOT_THE_CONTENT);
    umask(022);
    fill_environment(&e, h);
    set_limits(h);
    if (level != SANDBOX_NONE && sandbox_enter(h->sandbox, level, &err) < 0) {
        dprintf(STDERR_FILENO, "%s", err.msg);
        _exit(EXIT_NOT_THE_CONTENT);
    }
    if (write(STARTED_FD, "y", 1) == 1)
        execve("/bin/sh", argv, e.list);
    _exit(EXIT_NOT_THE_CONTENT);
}
