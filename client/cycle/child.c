/* child: see child.h. */
#include "cycle/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "fetch/fetch_limits.h"
#include "field.h"
#include "layout.h"

#define FETCH_NAME "firebreak-agent-fetch"

/* The one thing that a signal handler can reach; in workers only. */
static volatile sig_atomic_t stop_asked;

static void on_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

static int fetch_program(const struct agent *a, struct path *ret, struct err *err)
{
    ssize_t n;
    char *slash;

    if (a->config.fetch_program) {
        snprintf(ret->s, sizeof ret->s, "%s", a->config.fetch_program);
        return 0;
    }
    n = readlink("/proc/self/exe", ret->s, sizeof ret->s - sizeof FETCH_NAME - 1);
    if (n < 0)
        return err_errno(err, errno, "find the agent's own program");
    ret->s[n] = '\0';
    slash = strrchr(ret->s, '/');
    strcpy(slash ? slash + 1 : ret->s, FETCH_NAME);
    return 0;
}

/* A file in memory with the job: no argument list, no disk. */
static int job_fd(const json_t *job, struct err *err)
{
    _cleanup_(close_p)
    int fd = memfd_create("job", MFD_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "make the fetching child's job");
    if (json_dumpfd(job, fd, JSON_COMPACT) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_set(err, ERR_IO, "write the fetching child's job");
    return take_fd(&fd);
}

struct who {
    bool change;
    uid_t uid;
    gid_t gid;
};

static int find_user(const struct agent *a, struct who *ret, struct err *err)
{
    const struct passwd *pw;

    ret->change = geteuid() == 0 && a->config.fetch_user;
    if (!ret->change)
        return 0;
    pw = getpwnam(a->config.fetch_user);
    if (!pw || pw->pw_uid == 0)
        return err_set(err, ERR_INVALID, "fetch_user '%s' is no ordinary user of this machine",
                       a->config.fetch_user);
    ret->uid = pw->pw_uid;
    ret->gid = pw->pw_gid;
    return 0;
}

static int make_incoming(const struct agent *a, const struct who *who, struct err *err)
{
    struct path p;
    int r = file_mkdir_p(layout_at(&p, a->config.state_dir, LAYOUT_INCOMING), 0755, err);

    if (r == 0 && who->change && lchown(p.s, who->uid, who->gid) < 0)
        r = err_errno(err, errno, "give '%s' to the fetching child", p.s);
    return r;
}

static bool drop(const struct who *who)
{
    if (who->change && (setgroups(0, NULL) < 0 || setgid(who->gid) < 0 || setuid(who->uid) < 0))
        return false;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void fresh_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
become_fetch(const char *program, const struct who *who, int in, int out, pid_t parent)
{
    char *const argv[] = {(char *)FETCH_NAME, NULL};

    fresh_signals();
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    fetch_limits_set();
    /* After the change of user, which would clear it. */
    if (!drop(who) || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(126);
    execv(program, argv);
    _exit(127);
}

static int open_child(struct child *ret, int *ret_write, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    memset(ret, 0, sizeof *ret);
    buf_init(&ret->result, CHILD_RESULT_MAX);
    ret->out = fds[0];
    *ret_write = fds[1];
    return 0;
}

static int opened(struct child *c, pid_t pid, int write_end, struct err *err)
{
    int e = errno;

    close(write_end);
    if (pid < 0) {
        close(c->out);
        buf_release(&c->result);
        memset(c, 0, sizeof *c);
        return err_errno(err, e, "start a process");
    }
    c->pid = pid;
    return 0;
}

int child_start_fetch(const struct agent *a, const json_t *job, int64_t life_ms, struct child *ret,
                      struct err *err)
{
    _cleanup_(close_p)
    int in = job_fd(job, err);
    struct path program;
    struct who who = {0};
    pid_t pid, parent = getpid();
    int out, r = in < 0 ? in : find_user(a, &who, err);

    if (r == 0)
        r = make_incoming(a, &who, err);
    if (r == 0)
        r = fetch_program(a, &program, err);
    if (r == 0)
        r = open_child(ret, &out, err);
    if (r < 0)
        return r;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        become_fetch(program.s, &who, in, out, parent);
    r = opened(ret, pid, out, err);
    if (r == 0)
        ret->deadline_ms = clock_boot_ms(a->clock) + life_ms;
    return r;
}

static void add_error(json_t *result, const struct err *err)
{
    field_set(result, "error",
              json_pack("{s:s, s:s, s:s}", "code", err_slug(err->code), "message", err->msg,
                        "remedy", err_show_remedy(err)),
              NULL);
}

static void __attribute__((noreturn))
become_worker(child_worker_fn run, void *ctx, int out, pid_t parent)
{
    json_t *result = json_object();
    struct err err = {0};

    stop_asked = 0;
    fresh_signals();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* a terminal's goes to all; the supervisor decides */
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_stop}, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(126);
    if (run(ctx, &stop_asked, result, &err) < 0)
        add_error(result, &err);
    _exit(json_dumpfd(result, out, JSON_COMPACT) < 0);
}

int child_start_worker(child_worker_fn run, void *ctx, struct child *ret, struct err *err)
{
    pid_t pid, parent = getpid();
    int out, r = open_child(ret, &out, err);

    if (r < 0)
        return r;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        become_worker(run, ctx, out, parent);
    return opened(ret, pid, out, err);
}

void child_read(struct child *c)
{
    char chunk[16384];
    ssize_t n = read(c->out, chunk, sizeof chunk);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || buf_add(&c->result, chunk, (size_t)n) < 0)
        c->ended = true; /* over its cap: as good as ended; child_finish kills what still runs */
}

void child_kill(struct child *c, int signal)
{
    if (c->pid > 0)
        kill(c->pid, signal);
}

static int child_error(const json_t *o, struct err *err)
{
    const json_t *e = json_object_get(o, "error");
    const char *code = json_string_value(json_object_get(e, "code"));
    const char *message = json_string_value(json_object_get(e, "message"));
    const char *remedy = json_string_value(json_object_get(e, "remedy"));

    if (!e)
        return 0;
    err_set(err, code ? err_from_slug(code) : ERR_INTERNAL, "%s", message ? message : "no reason");
    return remedy ? err_remedy(err, "%s", remedy) : -(int)err->code;
}

int child_finish(struct child *c, json_t **ret, struct err *err)
{
    json_auto_t *o = NULL;
    int status = 0, r = 0;

    /* Past its deadline or over its cap, or it closed the pipe and lives on: it is not waited for.
     * One that has ended keeps its status. */
    kill(c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(c->out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        r = WIFEXITED(status) && WEXITSTATUS(status) == 127
                ? err_set(err, ERR_NOT_FOUND, "'" FETCH_NAME "' could not be run")
                : err_set(err, c->ended ? ERR_INTERNAL : ERR_TIMEOUT, "a process %s",
                          c->ended ? "ended without an answer" : "took too long and was killed");
    if (r == 0)
        r = jsonx_parse(c->result.data, c->result.len, CHILD_RESULT_MAX, &o, err);
    if (r == 0)
        r = child_error(o, err);
    if (r == 0)
        *ret = take_ptr(o);
    buf_release(&c->result);
    memset(c, 0, sizeof *c);
    return r;
}

int child_wait(const struct agent *a, struct child *c, json_t **ret, struct err *err)
{
    while (!c->ended) {
        int64_t left = c->deadline_ms ? c->deadline_ms - clock_boot_ms(a->clock) : 1000;
        struct pollfd p = {.fd = c->out, .events = POLLIN};

        if (left <= 0)
            break;
        if (poll(&p, 1, (int)(left < 1000 ? left : 1000)) > 0)
            child_read(c);
    }
    return child_finish(c, ret, err);
}
