/* store_memory: what is put or removed stays in memory; below it another store is only read. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/store_memory.h"

static int below_get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    if (strcmp(name, "root.json") != 0)
        return err_set(err, ERR_NOT_FOUND, "no '%s'", name);
    return buf_adds(ret, ctx);
}

/* Below is only read: a call of these is a failure of the test. */
static int below_put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    (void)ctx, (void)data, (void)len;
    fail_msg("put '%s' below", name);
    return err_set(err, ERR_INTERNAL, "put below");
}

static int below_remove(void *ctx, const char *name, struct err *err)
{
    (void)ctx;
    fail_msg("removed '%s' below", name);
    return err_set(err, ERR_INTERNAL, "removed below");
}

static void assert_holds(const struct tuf_store *s, const char *name, const char *want)
{
    struct err err = {0};
    struct buf b;

    buf_init(&b, 64);
    assert_int_equal(s->get(s->ctx, name, &b, &err), want ? 0 : -ERR_NOT_FOUND);
    assert_string_equal(want ? b.data : "", want ? want : "");
    buf_release(&b);
}

static void test_alone(void **state)
{
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *m = tuf_memory_new(NULL);
    struct tuf_store s = tuf_memory_store(m);
    struct err err = {0};
    struct buf small;

    (void)state;
    assert_holds(&s, "root.json", NULL);
    assert_int_equal(s.remove(s.ctx, "root.json", &err), 0);
    assert_int_equal(s.put(s.ctx, "root.json", "one", 3, &err), 0);
    assert_holds(&s, "root.json", "one");
    assert_int_equal(s.put(s.ctx, "root.json", "another", 7, &err), 0);
    assert_holds(&s, "root.json", "another");
    buf_init(&small, 4);
    assert_int_equal(s.get(s.ctx, "root.json", &small, &err), -ERR_TOO_LARGE);
    buf_release(&small);
    assert_int_equal(s.remove(s.ctx, "root.json", &err), 0);
    assert_holds(&s, "root.json", NULL);
    assert_int_equal(s.put(s.ctx, "root.json", "", 0, &err), 0);
    assert_holds(&s, "root.json", "");
}

static void test_over_another(void **state)
{
    struct tuf_store below = {below_get, below_put, below_remove, (void *)"lower"};
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *m = tuf_memory_new(&below);
    struct tuf_store s = tuf_memory_store(m);
    struct err err = {0};

    (void)state;
    assert_holds(&s, "root.json", "lower");
    assert_holds(&s, "targets.json", NULL);
    assert_int_equal(s.remove(s.ctx, "root.json", &err), 0);
    assert_holds(&s, "root.json", NULL); /* covered, not uncovered again */
    assert_int_equal(s.put(s.ctx, "root.json", "upper", 5, &err), 0);
    assert_holds(&s, "root.json", "upper");
}

/* What does not fit leaves the file below in force: without it nothing would keep one from going
 * back. */
static void test_put_that_fails(void **state)
{
    struct tuf_store below = {below_get, below_put, below_remove, (void *)"lower"};
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *m = tuf_memory_new(&below);
    struct tuf_store s = tuf_memory_store(m);
    _cleanup_(free_p)
    char *data = calloc(1, TUF_MEMORY_BYTES_MAX + 1);
    struct err err = {0};

    (void)state;
    assert_non_null(data);
    assert_int_equal(s.put(s.ctx, "root.json", data, TUF_MEMORY_BYTES_MAX + 1, &err),
                     -ERR_TOO_LARGE);
    assert_holds(&s, "root.json", "lower");
}

static void test_limits(void **state)
{
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *m = tuf_memory_new(NULL);
    struct tuf_store s = tuf_memory_store(m);
    size_t half = TUF_MEMORY_BYTES_MAX / 2 + 1;
    char *data = calloc(1, half);
    struct err err = {0};
    char name[16];

    (void)state;
    assert_non_null(data);
    for (int i = 0; i < TUF_MEMORY_FILES_MAX; i++) {
        snprintf(name, sizeof name, "%d.json", i);
        assert_int_equal(s.put(s.ctx, name, "x", 1, &err), 0);
    }
    assert_int_equal(s.put(s.ctx, "more.json", "x", 1, &err), -ERR_TOO_LARGE);
    assert_int_equal(s.put(s.ctx, "0.json", data, half, &err), 0);
    assert_int_equal(s.put(s.ctx, "0.json", data, half, &err), 0); /* replaced, not added */
    assert_int_equal(s.put(s.ctx, "1.json", data, half, &err), -ERR_TOO_LARGE);
    assert_holds(&s, "1.json", "x");
    assert_int_equal(s.remove(s.ctx, "0.json", &err), 0);
    assert_int_equal(s.put(s.ctx, "1.json", data, half, &err), 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_over_another),
        cmocka_unit_test(test_put_that_fails),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
