/* sandbox: see sandbox.h. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/rights.h"
#include "sandbox/view.h"

#define EXIT_NOT_THE_CONTENT 75
#define NOBODY               65534
#define HOST_ROOT            1          /* as it shows in there, by map_root() */
#define COUNTED_BASE         0x70000000 /* + keeper: users that nobody has (systemd, UIDS-GIDS) */
#define USERS_ARE_MAPPED     'm'
#define USERS_STAY           's'

static int write_text(const char *path, const char *text)
{
    _cleanup_(close_p)
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* --- users ------------------------------------------------------------------------------------ */

/* In there it is root and may read and write root's files, but to the kernel it is nobody: what
 * limits or refuses by user holds. Root's files show as user 1's; all others as they are. */
static int map_root(pid_t pid, struct err *err)
{
    static const char map[] = "0 65534 1\n1 0 1\n2 2 65532\n65534 1 1\n";
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
    if (write_text(path, map) < 0)
        return err_errno(err, errno, "map users");
    snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
    if (write_text(path, map) < 0)
        return err_errno(err, errno, "map groups");
    return 0;
}

/* Not root: itself, as root of its own namespace. */
static int map_self(uid_t uid, gid_t gid, struct err *err)
{
    char text[64];

    snprintf(text, sizeof text, "0 %u 1\n", uid);
    if (write_text("/proc/self/uid_map", text) < 0 ||
        write_text("/proc/self/setgroups", "deny") < 0)
        return err_errno(err, errno, "map the user");
    snprintf(text, sizeof text, "0 %u 1\n", gid);
    if (write_text("/proc/self/gid_map", text) < 0)
        return err_errno(err, errno, "map the group");
    return 0;
}

/* --- namespaces ------------------------------------------------------------------------------- */

/* So that a checker can start its consumer, at whatever port, and talk to it. */
static void bring_up_loopback(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    _cleanup_(close_p)
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
        return;
    lo.ifr_flags |= IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &lo);
    (void)write_text("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

static int leave_the_host(const struct sandbox *s, bool root, char *ret_root, size_t size,
                          struct err *err)
{
    int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(root ? flags : flags | CLONE_NEWUSER) < 0)
        return err_errno(err, errno, "make namespaces");
    if (!root && map_self(uid, gid, err) < 0)
        return -ERR_IO;
    bring_up_loopback();
    return view_build(s, ret_root, size, err);
}

/* --- the ones between ------------------------------------------------------------------------- */

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* End as `pid` ends; as process 1 of a namespace all others in it end with this. */
static void __attribute__((noreturn)) end_as(pid_t pid)
{
    int status;

    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);

        if (ended == pid)
            _exit(exit_code(status));
        if (ended < 0 && errno != EINTR)
            _exit(EXIT_NOT_THE_CONTENT);
    }
}

/* Die with the parent, also where it died before this was asked. */
static void follow_parent(int lifeline)
{
    struct pollfd p = {.fd = lifeline};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&p, 1, 0) != 0)
        _exit(EXIT_NOT_THE_CONTENT);
}

static int fork_following(pid_t *ret, struct err *err)
{
    int lifeline[2];

    if (pipe2(lifeline, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    *ret = fork();
    if (*ret < 0)
        return err_errno(err, errno, "fork");
    close(lifeline[*ret == 0]);
    if (*ret == 0) {
        follow_parent(lifeline[0]);
        close(lifeline[0]);
    } /* the parent's end stays open for as long as it lives */
    return 0;
}

/* Process 1, which is still root, maps the users of the checker's process where that asks for it.
 */
static void __attribute__((noreturn)) serve(pid_t pid, int ask, int tell)
{
    struct err err = {0};
    char c = 0;

    if (read(ask, &c, 1) != 1)
        end_as(pid); /* it has said why */
    if ((c == USERS_ARE_MAPPED && map_root(pid, &err) < 0) || view_lock(&err) < 0) {
        dprintf(STDERR_FILENO, "%s", err.msg);
        _exit(EXIT_NOT_THE_CONTENT);
    }
    if (write(tell, &c, 1) != 1)
        _exit(EXIT_NOT_THE_CONTENT);
    end_as(pid);
}

/* Within a chroot the kernel gives nobody a user namespace: nobody of the host's then, who keeps
 * the capabilities over files (rights.c). */
static int become_nobody_here(struct err *err)
{
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
        setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return err_errno(err, errno, "become user %d", NOBODY);
    return 0;
}

/* The kernel counts the processes of all users in a namespace against the limit that its maker had,
 * unless that was root. So it is made by a user that has no other processes. */
static int make_users(const struct sandbox *s, uid_t counted, bool *ret_mapped, struct err *err)
{
    struct rlimit r = {(rlim_t)s->processes, (rlim_t)s->processes};

    if (prctl(PR_SET_KEEPCAPS, 1) < 0)
        return err_errno(err, errno, "keep capabilities");
    /* a container may not have this user: then each is counted apart */
    if (setrlimit(RLIMIT_NPROC, &r) == 0 && setresuid(counted, counted, counted) == 0 &&
        rights_keep(err) < 0)
        return -ERR_IO;
    *ret_mapped = unshare(CLONE_NEWUSER) == 0;
    return 0;
}

static int become_nobody(const struct sandbox *s, uid_t counted, uid_t *ret_host_root,
                         struct err *err)
{
    int ask[2], tell[2];
    bool mapped = false;
    char c;
    pid_t pid;

    if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(tell, O_CLOEXEC) < 0)
        return err_errno(err, errno, "make a pipe");
    if (fork_following(&pid, err) < 0)
        return -ERR_IO;
    if (pid > 0) {
        close(ask[1]);
        serve(pid, ask[0], tell[1]);
    }
    if (make_users(s, counted, &mapped, err) < 0)
        return -ERR_IO;
    *ret_host_root = mapped ? HOST_ROOT : 0;
    c = mapped ? USERS_ARE_MAPPED : USERS_STAY;
    if (write(ask[1], &c, 1) != 1 || read(tell[0], &c, 1) != 1)
        return err_set(err, ERR_IO, "process 1 of the sandbox is gone");
    if (!mapped)
        return become_nobody_here(err);
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_errno(err, errno, "become root of the namespace");
    return 0;
}

/* --- entering --------------------------------------------------------------------------------- */

static int enter_namespaces(const struct sandbox *s, uid_t *ret_host_root, struct err *err)
{
    bool root = geteuid() == 0;
    uid_t counted = COUNTED_BASE + (uid_t)getpid();
    char path[1024];
    pid_t pid;

    if (leave_the_host(s, root, path, sizeof path, err) < 0 || fork_following(&pid, err) < 0)
        return -ERR_IO;
    if (pid > 0)
        end_as(pid);
    if (view_enter(path, err) < 0)
        return -ERR_IO;
    if (root)
        return become_nobody(s, counted, ret_host_root, err);
    if (view_lock(err) < 0 || fork_following(&pid, err) < 0)
        return -ERR_IO;
    if (pid > 0)
        end_as(pid);
    return 0;
}

int sandbox_enter(const struct sandbox *s, enum sandbox_level level, struct err *err)
{
    uid_t host_root = RIGHTS_NO_ROOT;

    (void)write_text("/proc/self/oom_score_adj",
                     "1000"); /* the first to go where memory runs out */
    if (level == SANDBOX_WHOLE && enter_namespaces(s, &host_root, err) < 0)
        return -ERR_IO;
    return rights_drop(s, host_root, err);
}
