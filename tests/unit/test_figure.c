/* figure, figures_file: what a consumer may write, what is refused, and that each writing is told
 * once. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cycle/figures_file.h"

static void test_reads_a_file(void **state)
{
    static const char text[] = "# since the last minute\n\nblocked 17\nrestarts-h\t0.5 \n"
                               "queue 1e3\n0 0\nmost 1000000000000000";
    struct figures f;
    struct err err = {0};

    (void)state;
    if (figures_parse(text, strlen(text), &f, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(f.n, 5);
    assert_true(figures_find(&f, "blocked")->value == 17.0);
    assert_true(figures_find(&f, "restarts-h")->value == 0.5);
    assert_true(figures_find(&f, "queue")->value == 1000.0);
    assert_true(figures_find(&f, "0")->value == 0.0);
    assert_true(figures_find(&f, "most")->value == FIGURE_MAX);
    assert_int_equal(figures_parse("", 0, &f, &err), 0);
    assert_int_equal(f.n, 0);
}

static void test_hostile_files_are_refused_whole(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"blocked nan\n", "line 1 is not a name and a number"},
        {"blocked inf\n", "line 1 is not a name and a number"},
        {"blocked 0x10\n", "line 1 is not a name and a number"},
        {"blocked -1\n", "line 1 is not a name and a number"},
        {"blocked +1\n", "line 1 is not a name and a number"},
        {"blocked .5\n", "line 1 is not a name and a number"},
        {"blocked 5.\n", "line 1 is not a name and a number"},
        {"blocked 1e\n", "line 1 is not a name and a number"},
        {"blocked 1,5\n", "line 1 is not a name and a number"},
        {"blocked 1 2\n", "line 1 is not a name and a number"},
        {"blocked\n", "line 1 is not a name and a number"},
        {"blocked=1\n", "line 1 is not a name and a number"},
        {"blocked 1\r\n", "line 1 is not a name and a number"},
        {"blocked 1e16\n", "line 1 has a number above 1e15"},
        {"blocked 1e999\n", "line 1 has a number above 1e15"},
        {"blocked 0000000000000000000000000000000000000000001\n", "line 1 is not a name"},
        {"ok 1\nBlocked 1\n", "line 2 does not begin with a name"},
        {"ok 1\n blocked 1\n", "line 2 does not begin with a name"},
        {"-a 1\n", "line 1 does not begin with a name"},
        {"a2345678901234567890123b 1\n", "line 1 does not begin with a name"},
        {"../../etc 1\n", "line 1 does not begin with a name"},
        {"a 1\n\na 1\n", "line 3 gives a name again"},
        {"a 1\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\nh 1\ni 1\n", "line 9 is one too many"},
        {"root:$6$secret:19000:0:99999:7:::\n", "line 1 is not a name and a number"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct figures f = {.n = 77};
        struct err err = {0};

        assert_int_equal(figures_parse(rows[i].text, strlen(rows[i].text), &f, &err), -ERR_INVALID);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu says '%s', want '%s'", i, err.msg, rows[i].says);
        assert_null(strstr(err.msg, "secret"));
        assert_int_equal(f.n, 77); /* untouched */
    }
}

static void test_bytes_and_size(void **state)
{
    char text[FIGURES_FILE_MAX + 1];
    struct figures f;
    struct err err = {0};

    (void)state;
    assert_int_equal(figures_parse("a 1\0b 2\n", 8, &f, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "line 1 is not text"));
    memset(text, '\n', sizeof text);
    assert_int_equal(figures_parse(text, sizeof text, &f, &err), -ERR_TOO_LARGE);
    assert_int_equal(figures_parse(text, sizeof text - 1, &f, &err), 0);
    memset(text, '#', sizeof text);
    assert_int_equal(figures_parse(text, sizeof text - 1, &f, &err), 0);
}

/* --- the file --------------------------------------------------------------------------------- */

struct place {
    char dir[40], path[60], temporary[60];
};

static void make_place(struct place *p)
{
    strcpy(p->dir, "/tmp/firebreak-figures.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/figures", p->dir);
    snprintf(p->temporary, sizeof p->temporary, "%s/new", p->dir);
}

static void drop_place(struct place *p)
{
    unlink(p->path);
    unlink(p->temporary);
    rmdir(p->dir);
}

/* As a consumer should: whole, by a rename. */
static void publish(const struct place *p, const char *text)
{
    FILE *out = fopen(p->temporary, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(rename(p->temporary, p->path), 0);
}

static void test_each_writing_is_told_once(void **state)
{
    struct figures_file file = {0};
    struct figures f;
    struct err err = {0};
    struct place p;

    (void)state;
    make_place(&p);
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), 0);
    assert_int_equal(f.n, 0); /* there is none */
    publish(&p, "blocked 3\n");
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), 0);
    assert_int_equal(f.n, 1);
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), 0);
    assert_int_equal(f.n, 0); /* the same is no news */
    publish(&p, "blocked 3\n");
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), 0);
    assert_int_equal(f.n, 1);
    drop_place(&p);
}

static void test_what_is_no_figures_file_is_refused_once(void **state)
{
    struct figures_file file = {0};
    struct figures f;
    struct err err = {0};
    struct place p;

    (void)state;
    make_place(&p);
    publish(&p, "blocked 3\nblocked nan\n");
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), -ERR_INVALID);
    assert_int_equal(f.n, 0);
    assert_non_null(strstr(err.msg, "figures': line 2 is not a name and a number"));
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), 0);
    assert_int_equal(f.n, 0);
    unlink(p.path);
    assert_int_equal(mkfifo(p.path, 0600), 0); /* does not wait for a writer */
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), -ERR_INVALID);
    unlink(p.path);
    assert_int_equal(symlink("/dev/zero", p.path), 0);
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), -ERR_INVALID);
    unlink(p.path);
    publish(&p, "");
    assert_int_equal(truncate(p.path, 1 << 30), 0); /* sparse */
    assert_int_equal(figures_file_read(&file, p.path, &f, &err), -ERR_TOO_LARGE);
    assert_int_equal(f.n, 0);
    drop_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_file),
        cmocka_unit_test(test_hostile_files_are_refused_whole),
        cmocka_unit_test(test_bytes_and_size),
        cmocka_unit_test(test_each_writing_is_told_once),
        cmocka_unit_test(test_what_is_no_figures_file_is_refused_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
