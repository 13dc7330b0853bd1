/* rights: see rights.h. */
#include "sandbox/rights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- capabilities ----------------------------------------------------------------------------- */

/* A checker that reads root's files, starts its consumer as the user it runs as, or binds the
 * consumer's port, works. */
#define KEPT                                                                                       \
    (1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_CHOWN |                  \
     1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_KILL | 1ULL << CAP_SETUID |             \
     1ULL << CAP_SETGID | 1ULL << CAP_NET_BIND_SERVICE)

/* What exec would give a root anew. Others get nothing by exec, once they gave up new privileges.
 */
static int bound_capabilities(struct err *err)
{
    for (int c = 0; c < 64 && geteuid() == 0; c++)
        if (!(KEPT >> c & 1) && prctl(PR_CAPBSET_READ, c) == 1 && prctl(PR_CAPBSET_DROP, c) < 0)
            return err_errno(err, errno, "drop capability %d for good", c);
    return 0;
}

/* Those of a root survive exec by themselves, the others' only as ambient ones. */
static int drop_capabilities(struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (bound_capabilities(err) < 0)
        return -ERR_IO;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &head, data) < 0)
        return err_errno(err, errno, "read capabilities");
    for (int i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(KEPT >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = geteuid() == 0 ? 0 : data[i].permitted;
    }
    if (syscall(SYS_capset, &head, data) < 0)
        return err_errno(err, errno, "drop capabilities");
    for (unsigned c = 0; c < 64; c++)
        if (data[c / 32].inheritable >> (c % 32) & 1 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
            return err_errno(err, errno, "keep capability %u", c);
    return 0;
}

int rights_keep(struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data) < 0)
        return err_errno(err, errno, "read capabilities");
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted;
    return syscall(SYS_capset, &head, data) < 0 ? err_errno(err, errno, "keep capabilities") : 0;
}

/* --- limits ----------------------------------------------------------------------------------- */

static void limit(int resource, int64_t value)
{
    struct rlimit now, r = {(rlim_t)value, (rlim_t)value};

    if (getrlimit(resource, &now) == 0 && now.rlim_max < r.rlim_max)
        r.rlim_cur = r.rlim_max = now.rlim_max;
    setrlimit(resource, &r);
}

static void set_limits(const struct sandbox *s)
{
    limit(RLIMIT_DATA, s->memory_bytes);
    limit(RLIMIT_NPROC, s->processes);
    limit(RLIMIT_MEMLOCK, 1 << 20);
    limit(RLIMIT_MSGQUEUE, 1 << 20);
    setpriority(PRIO_PROCESS, 0, 10);
}

/* --- Landlock --------------------------------------------------------------------------------- */

#define LOOK                                                                                       \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ALL_RIGHTS ((1ULL << 13) - 1) /* of its first version */

static void allow(int rules, int dir, const char *name, uint64_t rights)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights};
    struct stat st;

    beneath.parent_fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (beneath.parent_fd < 0)
        return;
    if (fstat(beneath.parent_fd, &st) == 0 && S_ISDIR(st.st_mode))
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    close(beneath.parent_fd);
}

/* Once more what the view says already: nothing below /proc and /sys is written. */
static void landlock(void)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_RIGHTS};
    _cleanup_(closedir_p)
    DIR *root = opendir("/");
    _cleanup_(close_p)
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    const struct dirent *d;

    if (rules < 0 || !root)
        return;
    while ((d = readdir(root))) {
        bool looked_at = strcmp(d->d_name, "proc") == 0 || strcmp(d->d_name, "sys") == 0;

        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            allow(rules, dirfd(root), d->d_name, looked_at ? LOOK : ALL_RIGHTS);
    }
    syscall(SYS_landlock_restrict_self, rules, 0);
}

/* --- system calls ----------------------------------------------------------------------------- */

/* What no checker of content needs: the machine's state, other processes, more privilege. */
static const char *const denied[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "sethostname",
    "setdomainname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
};

/* Local and internet sockets, in a network that is its own. Netlink tells of interfaces; what else
 * there is reaches the host (vsock) or has been full of holes. */
static bool is_common(int family)
{
    return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

static int deny_all(scmp_filter_ctx ctx)
{
    static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    int r = 0;

    for (size_t i = 0; i < sizeof denied / sizeof denied[0] && r == 0; i++) {
        int nr = seccomp_syscall_resolve_name(denied[i]);

        if (nr != __NR_SCMP_ERROR)
            r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && r == 0; i++)
        r = seccomp_rule_add(
            ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
            SCMP_A0(SCMP_CMP_MASKED_EQ, (scmp_datum_t)flags[i], (scmp_datum_t)flags[i]));
    /* Its flags lie in memory, where no filter looks: C libraries go on with clone. */
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (int family = 0; family < AF_MAX && r == 0; family++)
        if (!is_common(family))
            r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
    return r;
}

/* The kernel's exception from RLIMIT_NPROC is the machine's root, capabilities or not. */
static int deny_becoming(scmp_filter_ctx ctx, uid_t user)
{
    static const struct {
        const char *call;
        unsigned users;
    } calls[] = {{"setuid", 1},   {"setreuid", 2},   {"setresuid", 3},
                 {"setuid32", 1}, {"setreuid32", 2}, {"setresuid32", 3}};
    int r = 0;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int nr = seccomp_syscall_resolve_name(calls[i].call);

        for (unsigned n = 0; n < calls[i].users && nr >= 0 && r == 0; n++) {
            /* the kernel takes 32 bits, whatever stands in those above */
            struct scmp_arg_cmp is = {n, SCMP_CMP_MASKED_EQ, UINT32_MAX, user};

            r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), nr, 1, &is);
        }
    }
    return r;
}

static int filter_calls(uid_t host_root, struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? deny_all(ctx) : -ENOMEM;

    if (r == 0 && host_root != RIGHTS_NO_ROOT)
        r = deny_becoming(ctx, host_root);
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    return r < 0 ? err_errno(err, -r, "filter system calls") : 0;
}

int rights_drop(const struct sandbox *s, uid_t host_root, struct err *err)
{
    if (drop_capabilities(err) < 0)
        return -ERR_IO;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, errno, "give up new privileges");
    landlock();
    if (filter_calls(host_root, err) < 0)
        return -ERR_IO;
    set_limits(s); /* last: what prepares all this may need more than the checker may have */
    return 0;
}
