/* sandbox: what a checker can see and do in there, and that nothing of it is left afterwards. */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "apply/hook.h"
#include "base/file.h"
#include "scratch.h"

#define MIB (INT64_C(1) << 20)

struct place {
    char state[200], release[300], workspace[300], secret[300];
};

static struct place *place_of(void **state)
{
    static struct place p; /* of the test that runs */

    snprintf(p.state, sizeof p.state, "%s/state", (char *)*state);
    snprintf(p.release, sizeof p.release, "%s/channels/crs/releases/d1", p.state);
    snprintf(p.workspace, sizeof p.workspace, "%s/sandbox", p.state);
    snprintf(p.secret, sizeof p.secret, "%s/identity.json", p.state);
    return &p;
}

static int set_up(void **state)
{
    struct place *p;
    int r = scratch_make(state);

    if (r < 0)
        return r;
    p = place_of(state);
    if (file_mkdir_p(p->release, 0755, NULL) < 0 || file_mkdir_p(p->workspace, 0755, NULL) < 0)
        return -1;
    scratch_write(p->state, "identity.json", "secret", 6);
    scratch_write(p->release, "rules.conf", "abc", 3);
    return 0;
}

static int run_in(void **state, const char *command, int64_t deadline_ms, bool required,
                  struct hook_result *ret)
{
    const struct place *p = place_of(state);
    struct sandbox s = {.hidden = p->state,
                        .shown = p->release,
                        .workspace = p->workspace,
                        .memory_bytes = 256 * MIB,
                        .disk_bytes = 16 * MIB,
                        .processes = 64};
    struct hook h = {.kind = "preflight",
                     .command = command,
                     .deadline_ms = deadline_ms,
                     .confined = true,
                     .sandbox = &s,
                     .sandbox_required = required,
                     .channel = "crs",
                     .version = "2.0",
                     .digest = "d1",
                     .dir = p->release};
    struct err err = {0};
    int r = hook_run(&h, ret, &err);

    if (r < 0)
        print_message("%s\n", err.msg);
    else if (!ret->good)
        print_message("%s: %s\n", ret->cause, ret->output);
    return r;
}

static struct hook_result run(void **state, const char *command)
{
    struct hook_result r;

    assert_int_equal(run_in(state, command, 60000, true, &r), 0);
    assert_int_equal(r.level, SANDBOX_WHOLE);
    return r;
}

/* A machine that gives this test no namespaces cannot show what they do. */
static void need_namespaces(void **state)
{
    struct hook_result r;

    if (run_in(state, "true", 60000, true, &r) < 0) {
        print_message("skipped: no namespaces here\n");
        skip();
    }
}

static void test_what_an_end_means(void **state)
{
    static const struct {
        const char *command;
        bool good, blamed;
        const char *cause;
    } rows[] = {
        {"exit 0", true, false, "preflight-exit-0"},
        {"exit 3", false, true, "preflight-exit-3"},
        {"exit 75", false, false, "preflight-exit-75"},
        {"kill -SEGV $$", false, true, "preflight-signal-11"},
    };

    need_namespaces(state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hook_result r = run(state, rows[i].command);

        assert_string_equal(r.cause, rows[i].cause);
        assert_int_equal(r.good, rows[i].good);
        assert_int_equal(r.blamed, rows[i].blamed);
    }
}

static void test_sees_the_release_and_not_the_state(void **state)
{
    struct hook_result r;

    need_namespaces(state);
    r = run(state, "cat $FIREBREAK_DIR/rules.conf; ls -A $FIREBREAK_DIR/../../../..; "
                   "echo x >$FIREBREAK_DIR/rules.conf; echo x >$FIREBREAK_DIR/new; exit 0");
    assert_int_equal(strncmp(r.output, "abcchannels\n", 12), 0);
    assert_non_null(strstr(r.output, "Read-only file system"));
}

/* In a mount namespace of its own: exits with what `check` says. */
static int in_own_mounts(void **state, int (*check)(void **state))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
                  ? 77
                  : check(state));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The state directory is a folder of a data partition that is mounted elsewhere, too: all of it,
 * the folder by itself, and below a name that mountinfo escapes. */
static int sees_no_alias(void **state)
{
    const struct place *p = place_of(state);
    char data[300], other[300], command[1700];
    struct hook_result r;

    snprintf(data, sizeof data, "%s/data", (char *)*state);
    snprintf(other, sizeof other, "%s/an other", (char *)*state);
    if (mkdir(data, 0755) < 0 || mkdir(other, 0755) < 0 ||
        mount(*state, data, NULL, MS_BIND, NULL) < 0 ||
        mount(p->state, other, NULL, MS_BIND, NULL) < 0)
        return 2;
    snprintf(
        command, sizeof command,
        "ls '%s' >/dev/null && test -d '%s/state' && ! cat '%s/identity.json' '%s/identity.json' "
        "'%s/state/identity.json' && cat $FIREBREAK_DIR/rules.conf",
        other, data, p->state, other, data);
    if (run_in(state, command, 60000, true, &r) < 0)
        return 3;
    return strstr(r.output, "secret") ? 4 : r.good && strstr(r.output, "abc") ? 0 : 5;
}

static void test_the_state_is_not_seen_elsewhere(void **state)
{
    int r;

    need_namespaces(state);
    r = in_own_mounts(state, sees_no_alias);
    if (r == 77)
        skip();
    assert_int_equal(r, 0);
}

static void test_what_it_writes_is_thrown_away(void **state)
{
    const char *dir = *state;
    char command[900], path[300];
    struct hook_result r;
    struct buf b;

    need_namespaces(state);
    scratch_write(dir, "kept", "before", 6);
    snprintf(command, sizeof command,
             "set -e; echo after >%s/kept; cat %s/kept; mkdir %s/made; rm /etc/passwd; "
             "! test -e /etc/passwd; echo 1 >/run/pid; echo 2 >/tmp/fb-sandbox-test",
             dir, dir, dir);
    r = run(state, command);
    assert_true(r.good);
    assert_string_equal(r.output, "after\n");
    buf_init(&b, 100);
    snprintf(path, sizeof path, "%s/kept", dir);
    assert_int_equal(file_read(path, &b, NULL), 0);
    assert_int_equal(b.len, 6);
    buf_release(&b);
    snprintf(path, sizeof path, "%s/made", dir);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    assert_int_equal(access("/tmp/fb-sandbox-test", F_OK), -1);
}

static void test_the_disk_it_may_fill_is_small(void **state)
{
    struct hook_result r;

    need_namespaces(state);
    r = run(state, "head -c 100000000 /dev/zero >/var/tmp/big || stat -c %s /var/tmp/big");
    assert_true(r.good);
    assert_non_null(strstr(r.output, "No space left on device"));
    assert_int_equal(access("/var/tmp/big", F_OK), -1);
}

static void test_no_network_and_no_neighbours(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char command[400];
    struct hook_result r;

    need_namespaces(state);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(command, sizeof command,
             "kill -0 %d 2>/dev/null && echo sees others; "
             "python3 -c 'import socket as s; s.create_connection((\"127.0.0.1\", %d), 5)' 2>&1 | "
             "tail -n 1; ls /sys/class/net 2>/dev/null | grep -v lo; exit 0",
             (int)getpid(), ntohs(a.sin_port));
    r = run(state, command);
    close(fd);
    assert_null(strstr(r.output, "sees others"));
    assert_non_null(strstr(r.output, "Connection refused"));
}

static void test_it_may_serve_itself(void **state)
{
    struct hook_result r;

    need_namespaces(state);
    r = run(state, "python3 -c 'import socket as s; l = s.create_server((\"127.0.0.1\", 80)); "
                   "s.create_connection((\"127.0.0.1\", 80), 5); print(\"served\")'");
    assert_true(r.good);
    assert_string_equal(r.output, "served\n");
}

/* The kernel's switches stay where they are, whatever the capabilities over files say. */
static void test_the_kernel_is_out_of_reach(void **state)
{
    static const char *const attempts[] = {
        "echo 0 >/proc/sys/kernel/panic_on_oops",
        "echo s >/proc/sysrq-trigger",
        "echo 1 >/sys/kernel/uevent_helper",
        "mount -t tmpfs none /mnt",
        "mount -o remount,rw /proc/sys",
        "umount -l /run",
        "unshare -U true",
        "mknod /tmp/disk b 8 0",
        "cat /dev/vda || cat /dev/sda",
        "date -s 2001-01-01",
        "hostname elsewhere",
        "python3 -c 'import socket as s; s.socket(40, 1)'",
    };

    need_namespaces(state);
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        struct hook_result r = run(state, attempts[i]);

        if (r.good)
            fail_msg("'%s' worked", attempts[i]);
    }
}

/* The nodes in /dev are the host's own, and so is what /proc shows: looked at, not changed. */
static void test_what_it_shares_with_the_host_stays(void **state)
{
    static const char *const paths[] = {"/dev/full", "/dev/null", "/proc/devices", "/proc/1/stat"};
    struct stat before, after;
    char command[200];

    need_namespaces(state);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct hook_result r;

        assert_int_equal(stat(paths[i], &before), 0);
        snprintf(command, sizeof command, "chmod +x %s || chown 1234 %s || touch -d 2001-01-01 %s",
                 paths[i], paths[i], paths[i]);
        r = run(state, command);
        assert_int_equal(stat(paths[i], &after), 0);
        if (chmod(paths[i], before.st_mode & 07777) < 0 && before.st_mode != after.st_mode)
            print_message("'%s' could not be mended\n", paths[i]);
        if (r.good || before.st_mode != after.st_mode || before.st_uid != after.st_uid)
            fail_msg("'%s' was changed", paths[i]);
    }
    assert_true(run(state, "echo x >/dev/null && head -c 1 /dev/zero >/dev/null").good);
}

/* One count for all users that it can become, and the kernel's exception for root not for it. */
static void test_its_processes_are_counted_whoever_they_are(void **state)
{
    static const char command[] = "python3 -c '\n"
                                  "import os, time\n"
                                  "n = 0\n"
                                  "for user in (0, 1000, 1001, 1):\n"
                                  "    if os.fork() == 0:\n"
                                  "        try:\n"
                                  "            os.setresuid(user, user, user)\n"
                                  "            for i in range(40):\n"
                                  "                if os.fork() == 0: time.sleep(60)\n"
                                  "        finally:\n"
                                  "            time.sleep(60)\n"
                                  "    time.sleep(0.5)\n"
                                  "' 2>/dev/null & sleep 4; ls -d /proc/[0-9]* | wc -l";
    struct hook_result r;

    if (geteuid() != 0)
        skip();
    need_namespaces(state);
    r = run(state, command);
    assert_in_range(atoi(r.output), 40, 64 + 5);
}

static void test_forks_without_end_end(void **state)
{
    struct timespec a, b;
    struct hook_result r;

    need_namespaces(state);
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(run_in(state,
                            "f() { while :; do (setsid sleep 600 & f) & done; }; f 2>/dev/null",
                            1500, true, &r),
                     0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_false(r.good);
    assert_true(r.blamed);
    assert_in_range(b.tv_sec - a.tv_sec, 0, 60);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_memory_is_bounded(void **state)
{
    struct hook_result r;

    need_namespaces(state);
    r = run(state, "python3 -c 'b = bytearray(300 << 20)'");
    assert_false(r.good);
    assert_true(r.blamed);
    assert_non_null(strstr(r.output, "MemoryError"));
}

/* As an ordinary user, where the kernel lets one. */
static void test_without_being_root(void **state)
{
    pid_t pid;
    int status;

    if (geteuid() != 0)
        skip();
    pid = fork();
    if (pid == 0) {
        struct place *p = place_of(state);
        struct hook_result r;

        if (chown(p->state, 65534, 65534) < 0 || chown(p->workspace, 65534, 65534) < 0 ||
            setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
            setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        prctl(PR_SET_DUMPABLE, 1); /* as after an exec: its own files in /proc are its own */
        if (run_in(state, "true", 60000, true, &r) < 0)
            _exit(77);
        if (run_in(
                state,
                "cat $FIREBREAK_DIR/rules.conf && echo 1 >/tmp/mine && ! mount -t tmpfs none /mnt",
                60000, true, &r) < 0 ||
            !r.good)
            _exit(1);
        _exit(access("/tmp/mine", F_OK) == 0 ? 3 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: no user namespaces for ordinary users here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* No place to build a view on: the other layers hold, unless all of it is required. */
static void test_what_is_left_without_namespaces(void **state)
{
    struct place *p = place_of(state);
    struct hook_result r;

    assert_int_equal(rmdir(p->workspace), 0);
    assert_int_equal(run_in(state, "true", 60000, true, &r), -ERR_IO);
    assert_int_equal(run_in(state, "unshare -U true", 60000, false, &r), 0);
    assert_int_equal(r.level, SANDBOX_RIGHTS);
    assert_false(r.good);
    if (geteuid() == 0) { /* as checkers of servers do */
        assert_int_equal(run_in(state,
                                "python3 -c 'import socket as s; "
                                "s.create_server((\"127.0.0.1\", 1))'",
                                60000, false, &r),
                         0);
        assert_true(r.good);
    }
    assert_int_equal(run_in(state, "cat $FIREBREAK_DIR/rules.conf", 60000, false, &r), 0);
    assert_true(r.good);
    assert_string_equal(r.output, "abc");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_remove)
    const struct CMUnitTest tests[] = {
        T(test_what_an_end_means),
        T(test_sees_the_release_and_not_the_state),
        T(test_the_state_is_not_seen_elsewhere),
        T(test_what_it_writes_is_thrown_away),
        T(test_the_disk_it_may_fill_is_small),
        T(test_no_network_and_no_neighbours),
        T(test_it_may_serve_itself),
        T(test_the_kernel_is_out_of_reach),
        T(test_what_it_shares_with_the_host_stays),
        T(test_its_processes_are_counted_whoever_they_are),
        T(test_forks_without_end_end),
        T(test_memory_is_bounded),
        T(test_without_being_root),
        T(test_what_is_left_without_namespaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
