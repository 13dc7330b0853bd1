/* hook: what a command's end means, and that none outlives its deadline. */
#include "cmocka_all.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "apply/hook.h"
#include "scratch.h"

static struct hook_result run(const char *command, int64_t deadline_ms)
{
    struct hook h = {.kind = "health",
                     .command = command,
                     .deadline_ms = deadline_ms,
                     .confined = true,
                     .channel = "crs",
                     .version = "2.0",
                     .digest = "d1",
                     .dir = "/somewhere"};
    struct hook_result r;
    struct err err = {0};

    assert_int_equal(hook_run(&h, &r, &err), 0);
    return r;
}

static void test_what_an_end_means(void **state)
{
    static const struct {
        const char *command;
        bool good, blamed;
        const char *cause;
    } rows[] = {
        {"exit 0", true, false, "health-exit-0"},
        {"exit 1", false, true, "health-exit-1"},
        {"exit 75", false, false, "health-exit-75"},
        {"kill -SEGV $$", false, true, "health-signal-11"},
        {"sh -c 'kill -SEGV $$'; exit $?", false, true, "health-signal-11"},
        {"/nonexistent/checker", false, true, "health-exit-127"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hook_result r = run(rows[i].command, 20000);

        assert_string_equal(r.cause, rows[i].cause);
        assert_int_equal(r.good, rows[i].good);
        assert_int_equal(r.blamed, rows[i].blamed);
    }
}

/* The shell itself looks for open files, as far as it can name them: no /proc is needed. */
static void test_surroundings(void **state)
{
    int inheritable = dup2(STDERR_FILENO, 9);
    struct hook_result r =
        run("pwd; echo $FIREBREAK_CHANNEL $FIREBREAK_VERSION $FIREBREAK_DIGEST "
            "$FIREBREAK_DIR ${HOME-none}; cat; "
            "for n in 0 1 2 3 4 5 6 7 8 9; do (: <&$n) 2>/dev/null && echo open $n; done; exit 0",
            20000);

    (void)state;
    assert_int_equal(inheritable, 9);
    close(inheritable);
    assert_true(r.good);
    assert_string_equal(r.output, "/\ncrs 2.0 d1 /somewhere none\nopen 0\nopen 1\nopen 2\n");
}

static void test_output_is_capped_and_both_streams(void **state)
{
    struct hook_result r =
        run("echo why >&2; head -c 300000 /dev/zero | tr '\\0' x; exit 3", 20000);

    (void)state;
    assert_string_equal(r.cause, "health-exit-3");
    assert_int_equal(strlen(r.output), HOOK_OUTPUT_MAX);
    assert_memory_equal(r.output, "why\nxxx", 7);
}

/* The whole group goes: the grandchild would write the file, long after the deadline. */
static void test_deadline_kills_the_group(void **state)
{
    char command[400];
    struct timespec a, b;
    struct hook_result r;

    snprintf(command, sizeof command, "(echo $$ > %s/started; sleep 600; touch %s/late) & wait",
             (char *)*state, (char *)*state);
    clock_gettime(CLOCK_MONOTONIC, &a);
    r = run(command, 300);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_string_equal(r.cause, "health-deadline");
    assert_true(r.blamed);
    assert_in_range(b.tv_sec - a.tv_sec, 0, 60);
}

static void test_leader_gone_child_keeps_the_pipe(void **state)
{
    struct hook_result r = run("echo before; sleep 600 & exit 0", 20000);

    (void)state;
    assert_true(r.good);
    assert_string_equal(r.output, "before\n");
}

/* A daemon, in a session of its own and with nothing open, does not outlive a confined hook. */
static void test_daemons_end_too(void **state)
{
    char command[600], path[300];
    struct hook_result r;
    struct buf b;

    snprintf(command, sizeof command,
             "setsid sh -c 'echo $$ >%s/pid; exec sleep 600' >/dev/null 2>&1 & "
             "while ! test -s %s/pid; do sleep 0.01; done",
             (char *)*state, (char *)*state);
    r = run(command, 20000);
    assert_true(r.good);
    snprintf(path, sizeof path, "%s/pid", (char *)*state);
    buf_init(&b, 64);
    assert_int_equal(file_read(path, &b, NULL), 0);
    assert_true(atoi(b.data) > 1);
    assert_int_equal(kill(atoi(b.data), 0), -1);
    assert_int_equal(errno, ESRCH);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_end_means),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_output_is_capped_and_both_streams),
        cmocka_unit_test_setup_teardown(test_deadline_kills_the_group, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_daemons_end_too, scratch_make, scratch_remove),
        cmocka_unit_test(test_leader_gone_child_keeps_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
