/* base: err, buf, file, hex, clock. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"

static void test_err_context_and_table(void **state)
{
    struct err err = {0};
    int r = err_set(&err, ERR_HALTED, "rollout 'crs/3' is halted");

    (void)state;
    r = err_context(&err, r, "start");
    assert_int_equal(r, -ERR_HALTED);
    assert_string_equal(err.msg, "start: rollout 'crs/3' is halted");
    assert_int_equal(err_exit_status(r), 6);
    assert_int_equal(err_http_status(ERR_HALTED), 409);
    assert_int_equal(err_from_slug("halted"), ERR_HALTED);
    assert_true(strlen(err_show_remedy(&err)) > 0);
}

/* What is quoted may be anything, and may be cut anywhere. */
static void test_err_is_one_printable_line(void **state)
{
    static const struct {
        const char *quoted, *told;
    } rows[] = {
        {"plain d\xc3\xa9j\xc3\xa0", "plain d\xc3\xa9j\xc3\xa0"},
        {"\x1b[2J\r\n\tx\x7f", "?[2J   x?"},
        {"c1 \xc2\x9b", "c1 ??"},
        {"bad \xc0\xae \xed\xa0\x80 \xff", "bad ?? ??? ?"},
        {"cut \xe2\x82", "cut ??"},
    };
    char accents[2 * ERR_MSG_MAX + 1];
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        err_set(&err, ERR_INVALID, "%s", rows[i].quoted);
        assert_string_equal(err.msg, rows[i].told);
        err_remedy(&err, "%s", rows[i].quoted);
        assert_string_equal(err.remedy, rows[i].told);
        err_set(&err, ERR_INVALID, "x");
        err_context(&err, -ERR_INVALID, "%s", rows[i].quoted);
        assert_memory_equal(err.msg, rows[i].told, strlen(rows[i].told));
    }
    for (size_t i = 0; i < ERR_MSG_MAX; i++)
        memcpy(accents + 2 * i, "\xc3\xa9", 3);
    err_set(&err, ERR_INVALID, "%s", accents);
    assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
    assert_int_equal(err.msg[ERR_MSG_MAX - 2], '?');
}

static void test_buf_never_passes_its_cap(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_adds(&b, "abc"), 0);
    assert_int_equal(buf_adds(&b, "def"), -ERR_TOO_LARGE);
    assert_string_equal(b.data, "abc");
    assert_int_equal(buf_addf(&b, "%d", 42), 0);
    assert_string_equal(b.data, "abc42");
    buf_release(&b);
}

static void test_file_round_trip_and_secrets(void **state)
{
    char dir[] = "/tmp/fb-base-XXXXXX";
    struct err err = {0};
    struct buf b;

    (void)state;
    assert_non_null(mkdtemp(dir));
    _cleanup_(free_p)
    char *deep = path_join(dir, "a/b");
    assert_int_equal(file_mkdir_p(deep, 0755, &err), 0);
    _cleanup_(free_p)
    char *f = path_join(deep, "f");
    assert_int_equal(file_write_durable(f, "hello\n", 6, 0644, &err), 0);
    buf_init(&b, 5);
    assert_int_equal(file_read(f, &b, &err), -ERR_TOO_LARGE);
    buf_release(&b);
    buf_init(&b, 6);
    assert_int_equal(file_read(f, &b, &err), 0);
    assert_string_equal(b.data, "hello\n");
    assert_int_equal(file_read_secret(f, &b, &err), -ERR_REFUSED);
    buf_release(&b);
    assert_int_equal(file_remove_tree(dir, &err), 0);
    assert_false(file_exists(dir));
}

static void test_remove_tree_does_not_follow_links(void **state)
{
    char dir[] = "/tmp/fb-base-XXXXXX", keep[] = "/tmp/fb-keep-XXXXXX";
    struct err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_non_null(mkdtemp(keep));
    _cleanup_(free_p)
    char *f = path_join(keep, "f");
    _cleanup_(free_p)
    char *l = path_join(dir, "link");
    assert_int_equal(file_write_durable(f, "x", 1, 0644, &err), 0);
    assert_int_equal(symlink(keep, l), 0);
    assert_int_equal(file_remove_tree(dir, &err), 0);
    assert_true(file_exists(f));
    assert_int_equal(file_remove_tree(keep, &err), 0);
}

/* --svg=/dev/full, -o /dev/stdout: not to be replaced by a file. A link to a file is. */
static void test_what_is_no_file_is_not_replaced(void **state)
{
    char dir[] = "/tmp/fb-base-XXXXXX";
    struct err err = {0};
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    _cleanup_(free_p)
    char *fifo = path_join(dir, "fifo");
    _cleanup_(free_p)
    char *out = path_join(dir, "stdout");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("/dev/null", out), 0);
    assert_int_equal(file_write_durable(fifo, "x", 1, 0644, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "fifo' is not a regular file"));
    assert_int_equal(file_write_durable(out, "x", 1, 0644, &err), -ERR_INVALID);
    assert_int_equal(lstat(fifo, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(lstat(out, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(out), 0);
    assert_int_equal(symlink("nowhere", out), 0);
    assert_int_equal(file_write_durable(out, "x", 1, 0644, &err), 0);
    assert_int_equal(lstat(out, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(file_remove_tree(dir, &err), 0);
}

static void test_hex_and_hash(void **state)
{
    char h[65];
    uint8_t raw[4];

    (void)state;
    sha256_hex("abc", 3, h);
    assert_string_equal(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(hex_decode("00ff10aB", raw, 4), -1);
    assert_int_equal(hex_decode("00ff10ab", raw, 4), 0);
    assert_int_equal(raw[1], 0xff);
    assert_int_equal(hex_decode("00ff10ab0", raw, 4), -1);
}

static void test_utc(void **state)
{
    char text[21];
    int64_t t;

    (void)state;
    assert_int_equal(clock_parse_utc("2024-07-19T04:09:00Z", &t), 0);
    assert_int_equal(t, 1721362140);
    clock_format_utc(t, text);
    assert_string_equal(text, "2024-07-19T04:09:00Z");
    /* Whatever is read is written as it was; what cannot be written is the nearest that can. */
    assert_int_equal(clock_parse_utc("0000-01-01T00:00:00Z", &t), 0);
    clock_format_utc(t, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
    clock_format_utc(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
    assert_int_equal(clock_parse_utc("0999-12-31T23:59:59Z", &t), 0);
    clock_format_utc(t, text);
    assert_string_equal(text, "0999-12-31T23:59:59Z");
    clock_format_utc(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    assert_int_equal(clock_parse_utc("2024-02-30T00:00:00Z", &t), -1);
    assert_int_equal(clock_parse_utc("2024-07-19 04:09:00Z", &t), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_context_and_table),
        cmocka_unit_test(test_err_is_one_printable_line),
        cmocka_unit_test(test_buf_never_passes_its_cap),
        cmocka_unit_test(test_file_round_trip_and_secrets),
        cmocka_unit_test(test_remove_tree_does_not_follow_links),
        cmocka_unit_test(test_what_is_no_file_is_not_replaced),
        cmocka_unit_test(test_hex_and_hash),
        cmocka_unit_test(test_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
