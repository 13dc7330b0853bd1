/* ctl: a source tree becomes files and blobs; what no endpoint would take is refused and named. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/release_tree.h"

struct tree {
    char dir[64], src[80], blobs[80];
};

static int setup(void **state)
{
    struct tree *t = calloc(1, sizeof *t);

    strcpy(t->dir, "/tmp/fb-ctl-tree-XXXXXX");
    if (!mkdtemp(t->dir))
        return -1;
    snprintf(t->src, sizeof t->src, "%s/src", t->dir);
    snprintf(t->blobs, sizeof t->blobs, "%s/blobs", t->dir);
    *state = t;
    return mkdir(t->src, 0755) || mkdir(t->blobs, 0755);
}

static int teardown(void **state)
{
    struct tree *t = *state;
    int r = file_remove_tree(t->dir, NULL);

    free(t);
    return r;
}

static void in_src(const struct tree *t, const char *name, char ret[256])
{
    snprintf(ret, 256, "%s/%s", t->src, name);
}

static void write_at(const struct tree *t, const char *name, const char *text, mode_t mode)
{
    char path[256];

    in_src(t, name, path);
    assert_int_equal(file_write_durable(path, text, strlen(text), mode, NULL), 0);
}

static int walk(const struct tree *t, struct manifest **ret, struct err *err)
{
    *ret = calloc(1, sizeof **ret);
    return release_tree_read(t->src, t->blobs, *ret, err);
}

static void test_files(void **state)
{
    const struct tree *t = *state;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};
    char path[256];

    in_src(t, "sub", path);
    assert_int_equal(mkdir(path, 0755), 0);
    write_at(t, "sub/b.conf", "abc", 0600);
    write_at(t, "run", "abc", 0700);
    write_at(t, "sub.conf", "", 0644);
    assert_int_equal(walk(t, &m, &err), 0);
    assert_int_equal(m->n_files, 3);
    assert_string_equal(m->files[0].path, "run");
    assert_string_equal(m->files[1].path, "sub.conf"); /* '.' sorts before '/' */
    assert_string_equal(m->files[2].path, "sub/b.conf");
    assert_int_equal(m->files[0].mode, 0755);
    assert_int_equal(m->files[2].mode, 0644);
    assert_int_equal(m->files[1].length, 0);
    assert_int_equal(m->files[2].length, 3);
    assert_string_equal(m->files[2].sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    snprintf(path, sizeof path, "%s/ba/%s", t->blobs, m->files[2].sha256);
    assert_true(file_exists(path));
    snprintf(path, sizeof path, "%s/.incoming", t->blobs);
    assert_false(file_exists(path));
}

static void expect_refused(const struct tree *t, const char *part)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};

    assert_int_equal(walk(t, &m, &err), -ERR_BAD_PATH);
    if (!strstr(err.msg, part))
        fail_msg("'%s' does not hold '%s'", err.msg, part);
}

static void test_link(void **state)
{
    const struct tree *t = *state;
    char path[256];

    write_at(t, "a", "x", 0644);
    in_src(t, "link", path);
    assert_int_equal(symlink("a", path), 0);
    expect_refused(t, "'link' is a symbolic link");
}

static void test_link_to_folder(void **state)
{
    const struct tree *t = *state;
    char path[256];

    in_src(t, "etc", path);
    assert_int_equal(symlink("/etc", path), 0);
    expect_refused(t, "'etc' is a symbolic link");
}

static void test_pipe(void **state)
{
    const struct tree *t = *state;
    char path[256];

    in_src(t, "pipe", path);
    assert_int_equal(mkfifo(path, 0644), 0);
    expect_refused(t, "'pipe' is a pipe");
}

static void test_socket(void **state)
{
    const struct tree *t = *state;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    _cleanup_(close_p)
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(sa.sun_path, sizeof sa.sun_path, "%.90s/sock", t->src);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    expect_refused(t, "'sock' is a socket");
}

static void test_bad_name(void **state)
{
    const struct tree *t = *state;

    write_at(t, "back\\slash", "x", 0644);
    expect_refused(t, "back");
}

static void test_empty(void **state)
{
    const struct tree *t = *state;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};

    assert_int_equal(walk(t, &m, &err), -ERR_INVALID);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_files),  TEST(test_link),     TEST(test_link_to_folder), TEST(test_pipe),
        TEST(test_socket), TEST(test_bad_name), TEST(test_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
