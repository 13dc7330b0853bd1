/* child: no process that was started can hold up whoever waits for its answer. */
#include "cmocka_all.h"

#include <signal.h>
#include <unistd.h>

#include "cycle/child.h"
#include "scratch.h"

#define BOUND_S 60 /* one that waits for ever is ended by its alarm */

static int finish(const char *dir, const char *script, int64_t life_ms, json_t **ret,
                  struct err *err)
{
    char *program = path_join(dir, "program");
    struct agent a = {.clock = clock_system()};
    json_auto_t *job = json_object();
    struct child c = {0};
    int r;

    alarm(BOUND_S);
    scratch_write(dir, "program", script, strlen(script));
    assert_int_equal(chmod(program, 0755), 0);
    a.config.state_dir = (char *)(uintptr_t)dir;
    a.config.fetch_program = program;
    assert_int_equal(child_start_fetch(&a, job, life_ms, &c, err), 0);
    r = child_wait(&a, &c, ret, err);
    assert_int_equal(c.pid, 0);
    alarm(0);
    free(program);
    return r;
}

static void test_an_answer(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(finish(*state, "#!/bin/sh\necho '{\"n\":7}'\n", 30000, &o, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "n")), 7);
}

static void test_an_error(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(
        finish(*state, "#!/bin/sh\necho '{\"error\":{\"code\":\"held\",\"message\":\"no\"}}'\n",
               30000, &o, &err),
        -ERR_HELD);
    assert_string_equal(err.msg, "no");
}

/* What it wrote before is an answer of nobody's: it was killed. */
static void test_lives_on_without_the_pipe(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(
        finish(*state, "#!/bin/sh\necho '{}'\nexec >&-\nexec sleep 1000\n", 600000, &o, &err),
        -ERR_INTERNAL);
    assert_null(o);
}

static void test_over_its_cap(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(
        finish(*state, "#!/bin/sh\nwhile :; do echo 0123456789abcdef; done\n", 600000, &o, &err),
        -ERR_INTERNAL);
    assert_null(o);
}

static void test_past_its_deadline(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(finish(*state, "#!/bin/sh\nexec sleep 1000\n", 50, &o, &err), -ERR_TIMEOUT);
}

static void test_no_program(void **state)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    assert_int_equal(finish(*state, "#!/nonexistent/sh\n", 30000, &o, &err), -ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_an_error, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_lives_on_without_the_pipe, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_over_its_cap, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_past_its_deadline, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_no_program, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
