/* ctl: 'release build' and 'release sign' as they are called, from exit status to signed metadata.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "site/init.h"
#include "program.h"
#include "release/release_dir.h"

#define PASSPHRASE "correct horse"

struct bench {
    char dir[64];
    char src[96], out[96], next[96], pass[96], site[96];
};

/* One site for all tests: making keys is slow. */
static int make_site(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct init_options o = {.channel = "crs",
                             .threshold = 2,
                             .key_type = "ed25519",
                             .passphrase = PASSPHRASE,
                             .url = "http://127.0.0.1:8440",
                             .now_s = 1800000000};

    strcpy(b->dir, "/tmp/fb-ctl-rel-XXXXXX");
    if (!mkdtemp(b->dir))
        return -1;
    snprintf(b->site, sizeof b->site, "%s/site", b->dir);
    snprintf(b->src, sizeof b->src, "%s/src", b->dir);
    snprintf(b->out, sizeof b->out, "%s/out", b->dir);
    snprintf(b->next, sizeof b->next, "%s/next", b->dir);
    snprintf(b->pass, sizeof b->pass, "%s/passphrase", b->dir);
    o.dir = b->site;
    *state = b;
    unsetenv("FIREBREAK_SERVER");
    return file_write_durable(b->pass, PASSPHRASE "\n", strlen(PASSPHRASE) + 1, 0600, NULL) ||
           init_site(&o, NULL);
}

static int remove_site(void **state)
{
    struct bench *b = *state;
    int r = file_remove_tree(b->dir, NULL);

    free(b);
    return r;
}

static void write_at(const char *dir, const char *name, const char *text)
{
    _cleanup_(free_p)
    char *path = path_join(dir, name);

    assert_int_equal(file_write_durable(path, text, strlen(text), 0644, NULL), 0);
}

static int setup(void **state)
{
    struct bench *b = *state;

    if (mkdir(b->src, 0755))
        return -1;
    write_at(b->src, "main.conf", "SecRuleEngine On\n");
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    return file_remove_tree(b->src, NULL) || file_remove_tree(b->out, NULL) ||
           file_remove_tree(b->next, NULL);
}

#define CALL(...) call((char *[]){"firebreak", __VA_ARGS__, "--json", NULL})

static int call(char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return cli_main(&program, argc, argv);
}

static int build_first(struct bench *b)
{
    return CALL("release", "build", b->src, "--channel", "crs", "--version", "1.0", "-o", b->out);
}

static void read_dir(const char *dir, struct release_dir *ret)
{
    struct err err = {0};

    if (release_dir_read(dir, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static void previous_of(const char *dir, char ret[160])
{
    snprintf(ret, 160, "%s/content-crs.json", dir);
}

static void test_first(void **state)
{
    struct bench *b = *state;
    struct release_dir d;

    assert_int_equal(build_first(b), 0);
    read_dir(b->out, &d);
    assert_int_equal(d.manifest->sequence, 1);
    assert_int_equal(d.manifest->lowest_sequence, 1);
    assert_int_equal(d.content->version, 1);
    assert_int_equal(d.manifest->n_files, 1);
    assert_string_equal(json_string_value(json_object_get(d.target.custom, "digest")),
                        d.manifest->digest);
    assert_int_equal(release_dir_check_blobs(&d, NULL), 0);
    assert_int_equal(release_dir_signatures(&d), 0);
    release_dir_release(&d);
}

/* What was listed stays, the version and the sequence grow by one. */
static void test_second(void **state)
{
    struct bench *b = *state;
    struct release_dir d;
    struct tuf_target old;
    char previous[160];

    assert_int_equal(build_first(b), 0);
    previous_of(b->out, previous);
    assert_int_equal(CALL("release", "build", b->src, "--channel", "crs", "--version", "1.1",
                          "--previous", previous, "-o", b->next),
                     0);
    read_dir(b->next, &d);
    assert_int_equal(d.content->version, 2);
    assert_int_equal(d.manifest->sequence, 2);
    assert_int_equal(d.manifest->lowest_sequence, 1);
    assert_int_equal(metadata_target(d.content, "content/crs/1.0.json", &old, NULL), 0);
    release_dir_release(&d);
}

static void test_same_version_again(void **state)
{
    struct bench *b = *state;
    char previous[160];

    assert_int_equal(build_first(b), 0);
    previous_of(b->out, previous);
    assert_int_equal(CALL("release", "build", b->src, "--channel", "crs", "--version", "1.0",
                          "--previous", previous, "-o", b->next),
                     err_exit_status(ERR_EXISTS));
    assert_false(file_exists(b->next));
}

static void test_sequence_must_grow(void **state)
{
    struct bench *b = *state;
    char previous[160];

    assert_int_equal(build_first(b), 0);
    previous_of(b->out, previous);
    assert_int_equal(CALL("release", "build", b->src, "--channel", "crs", "--version", "1.1",
                          "--previous", previous, "--sequence", "1", "-o", b->next),
                     err_exit_status(ERR_ROLLBACK));
}

static void test_faster_pace(void **state)
{
    struct bench *b = *state;
    struct release_dir d;
    char pace[128];

    write_at(b->dir, "pace", "[{\"after_s\":0,\"share_ppm\":1000000}]");
    snprintf(pace, sizeof pace, "%s/pace", b->dir);
    assert_int_equal(CALL("release", "build", b->src, "--channel", "crs", "--version", "1.0",
                          "--pace", pace, "-o", b->out),
                     err_exit_status(ERR_REFUSED));
    assert_false(file_exists(b->out));
    assert_int_equal(CALL("release", "build", b->src, "--channel", "crs", "--version", "1.0",
                          "--pace", pace, "--faster-pace", "-o", b->out),
                     0);
    read_dir(b->out, &d);
    assert_true(json_is_true(json_object_get(d.target.custom, "faster_pace")));
    assert_int_equal(d.manifest->pace.n_steps, 1);
    release_dir_release(&d);
}

static void test_refused_sources(void **state)
{
    struct bench *b = *state;
    char inside[128], link[128];

    write_at(b->src, "MAIN.conf", "x");
    assert_int_equal(build_first(b), err_exit_status(ERR_BAD_PATH)); /* clash of case */
    assert_false(file_exists(b->out));
    snprintf(link, sizeof link, "%s/MAIN.conf", b->src);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("main.conf", link), 0);
    assert_int_equal(build_first(b), err_exit_status(ERR_BAD_PATH));
    assert_int_equal(unlink(link), 0);
    snprintf(inside, sizeof inside, "%s/out", b->src);
    assert_int_equal(
        CALL("release", "build", b->src, "--channel", "crs", "--version", "1.0", "-o", inside),
        err_exit_status(ERR_USAGE));
    assert_false(file_exists(inside));
}

static int sign_with(struct bench *b, const char *key)
{
    char path[160];

    snprintf(path, sizeof path, "%s/offline/%s", b->site, key);
    return CALL("release", "sign", b->out, "--key", path, "--passphrase-file", b->pass);
}

/* The keys that targets delegates to. */
static void content_keys(const struct bench *b, struct key_set *ret)
{
    _cleanup_(free_p)
    char *path = path_join(b->site, "server/bootstrap/1.targets.json");
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct buf text;

    buf_init(&text, TUF_TARGETS_MAX);
    assert_int_equal(file_read(path, &text, NULL), 0);
    assert_int_equal(metadata_parse(text.data, text.len, TUF_TARGETS, "targets", &targets, NULL),
                     0);
    assert_int_equal(metadata_delegated_keys(targets, "content-crs", ret, NULL), 0);
    buf_release(&text);
}

static int verify(const struct bench *b, const struct key_set *keys)
{
    struct release_dir d;
    int r;

    read_dir(b->out, &d);
    r = envelope_verify(d.content->envelope, keys, "content", NULL);
    release_dir_release(&d);
    return r;
}

static void test_sign(void **state)
{
    struct bench *b = *state;
    struct key_set keys;

    content_keys(b, &keys);
    assert_int_equal(build_first(b), 0);
    assert_int_equal(sign_with(b, "content-crs-1.pem"), 0);
    assert_int_equal(sign_with(b, "content-crs-1.pem"), 0); /* the same person twice is one */
    assert_int_equal(sign_with(b, "root-1.pem"), 0);        /* and a stranger is none */
    assert_int_equal(verify(b, &keys), -ERR_UNDERSIGNED);
    assert_int_equal(sign_with(b, "content-crs-3.pem"), 0);
    assert_int_equal(verify(b, &keys), 0);
    key_set_release(&keys);
}

/* Nobody signs what is not what it says. */
static void test_sign_tampered(void **state)
{
    struct bench *b = *state;
    struct release_dir d;
    char *blob;

    assert_int_equal(build_first(b), 0);
    read_dir(b->out, &d);
    blob = release_dir_blob(&d, d.manifest->files[0].sha256);
    assert_int_equal(file_write_durable(blob, "SecRuleEngine Of\n", 17, 0644, NULL), 0);
    assert_int_equal(sign_with(b, "content-crs-1.pem"), err_exit_status(ERR_TAMPERED));
    free(blob);
    release_dir_release(&d);
    write_at(b->out, "manifest.json", "{}");
    assert_int_not_equal(sign_with(b, "content-crs-1.pem"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first),
        TEST(test_second),
        TEST(test_same_version_again),
        TEST(test_sequence_must_grow),
        TEST(test_faster_pace),
        TEST(test_refused_sources),
        TEST(test_sign),
        TEST(test_sign_tampered),
    };

    return cmocka_run_group_tests(tests, make_site, remove_site);
}
