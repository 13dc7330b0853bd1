/* spool: order, acknowledgement, bound, and what cannot be read. */
#include "cmocka_all.h"

#include "scratch.h"
#include "state/spool.h"

static void add(const char *dir, enum event_kind kind, const char *cause)
{
    struct event e = {.kind = kind};
    struct err err = {0};

    strcpy(e.channel, "crs");
    snprintf(e.cause, sizeof e.cause, "%s", cause);
    assert_int_equal(spool_add(dir, &e, &err), 0);
}

static size_t take(const char *dir, struct event *ret, size_t max)
{
    struct err err = {0};
    size_t n;

    assert_int_equal(spool_read(dir, ret, max, &n, &err), 0);
    return n;
}

static void test_oldest_first_until_acknowledged(void **state)
{
    struct event e[4] = {0};
    struct err err = {0};

    add(*state, EVENT_APPLIED, "one");
    add(*state, EVENT_HEALTHY, "two");
    add(*state, EVENT_REFUSED, "three");
    assert_int_equal(take(*state, e, 2), 2);
    assert_string_equal(e[0].cause, "one");
    assert_string_equal(e[1].cause, "two");
    assert_int_equal(spool_remove(*state, e[0].id, &err), 0);
    assert_int_equal(spool_remove(*state, e[0].id, &err), 0);
    assert_int_equal(take(*state, e, 4), 2);
    assert_string_equal(e[0].cause, "two");
    assert_int_equal(e[0].kind, EVENT_HEALTHY);
    assert_string_equal(e[0].channel, "crs");
}

static void test_crashes_outlive_the_rest(void **state)
{
    static struct event e[SPOOL_MAX];
    size_t crashes = 0;

    add(*state, EVENT_CRASH, "kernel");
    for (int i = 0; i < SPOOL_MAX + 10; i++)
        add(*state, EVENT_REFUSED, "pace");
    assert_int_equal(spool_count(*state), SPOOL_MAX);
    assert_int_equal(take(*state, e, SPOOL_MAX), SPOOL_MAX);
    for (size_t i = 0; i < SPOOL_MAX; i++)
        crashes += e[i].kind == EVENT_CRASH;
    assert_int_equal(crashes, 1);
}

static void test_what_cannot_be_read_does_not_block(void **state)
{
    struct event e[2] = {0};

    add(*state, EVENT_APPLIED, "one");
    scratch_write(*state, "spool/000000000000-00112233445566778899aabbccddeeff.json", "{", 1);
    scratch_write(*state, "spool/.hidden", "{", 1);
    assert_int_equal(spool_count(*state), 2);
    assert_int_equal(take(*state, e, 2), 1);
    assert_int_equal(spool_count(*state), 1);
}

/* It is not in the way of the others: a device that cannot check in looks dead. */
static void test_what_cannot_be_removed_is_passed_over(void **state)
{
    const char *name = "spool/000000000000-00112233445566778899aabbccddeeff.json";
    struct event e[2] = {0};
    char *path = path_join(*state, name);

    add(*state, EVENT_CRASH, "kernel");
    assert_int_equal(mkdir(path, 0700), 0); /* no file: not read, not unlinked, even by root */
    assert_int_equal(take(*state, e, 2), 1);
    assert_int_equal(e[0].kind, EVENT_CRASH);
    assert_int_equal(spool_count(*state), 2);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oldest_first_until_acknowledged, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_crashes_outlive_the_rest, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_does_not_block, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_removed_is_passed_over, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
