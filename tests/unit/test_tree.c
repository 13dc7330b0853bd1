/* tree: from blobs to a verified tree, the switch, and every kind of damage named. */
#include "cmocka_all.h"

#include <unistd.h>

#include "base/hex.h"
#include "layout.h"
#include "scratch.h"
#include "trust/incoming.h"
#include "apply/tree.h"

static const struct {
    const char *path, *data;
    unsigned mode;
} files[] = {{"a.conf", "alpha", 0644}, {"bin/run", "beta!", 0755}, {"rules/x/deep", "", 0644}};

#define N_FILES (sizeof files / sizeof files[0])

static struct manifest *make_manifest(void)
{
    struct manifest *m = calloc(1, sizeof *m);

    strcpy(m->channel, "crs");
    strcpy(m->version, "1.0");
    memset(m->digest, 'a', 64);
    m->files = calloc(N_FILES, sizeof *m->files);
    m->n_files = N_FILES;
    for (size_t i = 0; i < N_FILES; i++) {
        m->files[i] = (struct manifest_file){.path = strdup(files[i].path),
                                             .mode = files[i].mode,
                                             .length = (int64_t)strlen(files[i].data)};
        sha256_hex(files[i].data, strlen(files[i].data), m->files[i].sha256);
    }
    return m;
}

static void take_blobs(const char *dir, const struct manifest *m)
{
    struct path p;
    char name[128];
    struct err err = {0};

    for (size_t i = 0; i < N_FILES; i++) {
        file_mkdir_p(layout_at(&p, dir, "incoming/blobs"), 0755, NULL);
        snprintf(name, sizeof name, "incoming/blobs/%s", m->files[i].sha256);
        scratch_write(dir, name, files[i].data, strlen(files[i].data));
        assert_int_equal(blob_take(dir, m->files[i].sha256, m->files[i].length, &err), 0);
        assert_true(blob_is_here(dir, m->files[i].sha256, m->files[i].length));
    }
}

static const char *in_tree(struct path *p, const char *dir, const struct manifest *m,
                           const char *path)
{
    return layout_at(p, dir, "channels/crs/releases/%s/%s", m->digest, path);
}

static void test_build_and_read_back(void **state)
{
    struct manifest *m = make_manifest();
    struct path p;
    struct stat st;
    struct err err = {0};

    assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), -ERR_NOT_FOUND);
    assert_false(tree_is_here(*state, "crs", m->digest));
    take_blobs(*state, m);
    assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), 0);
    assert_int_equal(tree_verify(*state, m, m->digest, &err), 0);
    assert_int_equal(stat(in_tree(&p, *state, m, "bin/run"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0555);
    assert_int_equal(stat(in_tree(&p, *state, m, "rules"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0555);
    assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), 0); /* again: left alone */
    manifest_free(m);
}

static void spoil(const char *path, int how)
{
    FILE *f;

    switch (how) {
    case 0: /* other bytes, same length */
        chmod(path, 0644);
        f = fopen(path, "w");
        fputs("alphA", f);
        fclose(f);
        chmod(path, 0444);
        return;
    case 1:
        unlink(path);
        return;
    case 2:
        unlink(path);
        assert_int_equal(symlink("/etc/hostname", path), 0);
        return;
    default:
        chmod(path, 0666);
    }
}

static void test_damage_is_named_and_repaired(void **state)
{
    struct manifest *m = make_manifest();
    struct path p, dir;

    take_blobs(*state, m);
    for (int how = 0; how < 4; how++) {
        struct err err = {0};

        assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), 0);
        layout_at(&dir, *state, "channels/crs/releases/%s", m->digest);
        chmod(dir.s, 0755);
        spoil(in_tree(&p, *state, m, "a.conf"), how);
        assert_int_equal(tree_verify(*state, m, m->digest, &err), -ERR_TAMPERED);
        assert_non_null(strstr(err.msg, "a.conf"));
    }
    manifest_free(m);
}

static void test_what_is_not_the_manifests(void **state)
{
    struct manifest *m = make_manifest();
    struct path dir;
    struct err err = {0};

    take_blobs(*state, m);
    assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), 0);
    layout_at(&dir, *state, "channels/crs/releases/%s/rules", m->digest);
    chmod(dir.s, 0755);
    scratch_write(dir.s, "extra", "x", 1);
    assert_int_equal(tree_verify(*state, m, m->digest, &err), -ERR_TAMPERED);
    manifest_free(m);
}

static void assert_no_blob(const char *dir, const char *sha256)
{
    struct err err = {0};

    assert_int_equal(blob_take(dir, sha256, 5, &err), -ERR_TAMPERED);
    assert_false(blob_is_here(dir, sha256, 5));
}

/* The directory belongs to somebody who may have been taken over. */
static void test_bad_blobs_are_refused(void **state)
{
    struct manifest *m = make_manifest();
    const char *sha256 = m->files[0].sha256;
    struct path dir, p, q;
    char name[128];

    snprintf(name, sizeof name, "incoming/blobs/%s", sha256);
    file_mkdir_p(layout_at(&dir, *state, "incoming/blobs"), 0755, NULL);
    layout_at(&p, *state, "%s", name);
    scratch_write(*state, name, "alphX", 5);
    assert_no_blob(*state, sha256);
    scratch_write(*state, name, "alpha and more", 14);
    assert_no_blob(*state, sha256);
    scratch_write(*state, "real", "alpha", 5);
    unlink(p.s);
    assert_int_equal(symlink(layout_at(&q, *state, "real"), p.s), 0);
    assert_no_blob(*state, sha256);
    unlink(p.s);
    assert_int_equal(mkfifo(p.s, 0600), 0);
    assert_no_blob(*state, sha256);
    unlink(p.s);
    assert_int_equal(mkdir(p.s, 0700), 0);
    assert_no_blob(*state, sha256);
    incoming_remove(*state, "blobs", sha256);
    assert_false(file_exists(p.s));
    /* The folder itself as a link: nothing behind it is read or removed. */
    assert_int_equal(rmdir(dir.s), 0);
    file_mkdir_p(layout_at(&q, *state, "elsewhere"), 0755, NULL);
    snprintf(name, sizeof name, "elsewhere/%s", sha256);
    scratch_write(*state, name, "alpha", 5);
    assert_int_equal(symlink(q.s, dir.s), 0);
    assert_no_blob(*state, sha256);
    incoming_remove(*state, "blobs", sha256);
    assert_false(file_exists(dir.s));
    assert_true(file_exists(layout_at(&q, *state, "%s", name)));
    manifest_free(m);
}

/* The deepest path that a manifest may name is built, read back, and can be collected again. */
static void test_deep_paths(void **state)
{
    struct manifest *m = make_manifest();
    char deep[FILE_PATH_MAX] = "";
    const char *keep[] = {""};
    struct err err = {0};

    for (size_t i = 0; i + 3 < sizeof deep; i += 2)
        strcpy(deep + i, "d/");
    strcat(deep, "f");
    assert_int_equal(path_check(deep, &err), 0);
    take_blobs(*state, m);
    free(m->files[N_FILES - 1].path);
    m->files[N_FILES - 1].path = strdup(deep);
    if (tree_build(*state, m, m->digest, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(tree_verify(*state, m, m->digest, &err), 0);
    tree_collect(*state, m->channel, keep, 1);
    assert_false(tree_is_here(*state, m->channel, m->digest));
    manifest_free(m);
}

static void test_boot_copy_has_its_own_inodes(void **state)
{
    struct manifest *m = make_manifest();
    char name[TREE_NAME_MAX];
    struct path p, q;
    struct stat a, b;
    struct err err = {0};

    take_blobs(*state, m);
    assert_int_equal(tree_build(*state, m, m->digest, NULL, &err), 0);
    snprintf(name, sizeof name, "%s" TREE_BOOT_SUFFIX, m->digest);
    assert_int_equal(tree_build(*state, m, name, m->digest, &err), 0);
    stat(in_tree(&p, *state, m, "a.conf"), &a);
    stat(layout_at(&q, *state, "channels/crs/releases/%s/a.conf", name), &b);
    assert_true(a.st_ino != b.st_ino);
    /* and repairs the other one without any blob */
    blob_collect(*state, NULL, 0);
    assert_false(blob_is_here(*state, m->files[0].sha256, 5));
    layout_at(&q, *state, "channels/crs/releases/%s", m->digest);
    chmod(q.s, 0755);
    unlink(p.s);
    assert_int_equal(tree_build(*state, m, m->digest, name, &err), 0);
    assert_int_equal(tree_verify(*state, m, m->digest, &err), 0);
    manifest_free(m);
}

static void test_links(void **state)
{
    char a[65] = {0}, b[65] = {0}, got[TREE_NAME_MAX];
    const char *keep[] = {b};
    struct path p;
    struct err err = {0};

    memset(a, 'a', 64);
    memset(b, 'b', 64);
    file_mkdir_p(layout_at(&p, *state, "channels/crs/releases/%s", a), 0755, &err);
    file_mkdir_p(layout_at(&p, *state, "channels/crs/releases/%s", b), 0755, &err);
    assert_int_equal(tree_link(*state, "crs", "current", got, &err), 0);
    assert_string_equal(got, "");
    assert_int_equal(tree_set_link(*state, "crs", "current", a, &err), 0);
    assert_int_equal(tree_set_link(*state, "crs", "current", b, &err), 0);
    assert_int_equal(tree_link(*state, "crs", "current", got, &err), 0);
    assert_string_equal(got, b);
    tree_collect(*state, "crs", keep, 1);
    assert_false(tree_is_here(*state, "crs", a));
    assert_true(tree_is_here(*state, "crs", b));
    assert_int_equal(tree_set_link(*state, "crs", "current", "", &err), 0);
    assert_int_equal(tree_link(*state, "crs", "current", got, &err), 0);
    assert_string_equal(got, "");
    assert_int_equal(symlink("/etc", layout_at(&p, *state, "channels/crs/current")), 0);
    assert_int_equal(tree_link(*state, "crs", "current", got, &err), -ERR_INVALID);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        T(test_build_and_read_back),
        T(test_damage_is_named_and_repaired),
        T(test_what_is_not_the_manifests),
        T(test_bad_blobs_are_refused),
        T(test_deep_paths),
        T(test_boot_copy_has_its_own_inodes),
        T(test_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
