/* ctl: a new site verifies itself, its secrets are private, and nothing is overwritten. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "site/init.h"
#include "tuf/metadata.h"

#define NOW_S INT64_C(1800000000)

struct site {
    char dir[64];
    struct init_options o;
};

static int setup(void **state)
{
    struct site *s = calloc(1, sizeof *s);

    strcpy(s->dir, "/tmp/fb-ctl-init-XXXXXX");
    if (!mkdtemp(s->dir))
        return -1;
    s->o = (struct init_options){.dir = s->dir,
                                 .channel = "crs",
                                 .threshold = 2,
                                 .key_type = "ed25519",
                                 .passphrase = "correct horse",
                                 .url = "https://firebreak.example",
                                 .now_s = NOW_S};
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct site *s = *state;
    int r = file_remove_tree(s->dir, NULL);

    free(s);
    return r;
}

static void make(const struct site *s)
{
    struct err err = {0};

    if (init_site(&s->o, &err) < 0)
        fail_msg("%s", err.msg);
}

static void read_at(const struct site *s, const char *name, struct buf *ret)
{
    _cleanup_(free_p)
    char *path = path_join(s->dir, name);
    struct err err = {0};

    buf_init(ret, TUF_TARGETS_MAX);
    if (file_read(path, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct metadata *read_metadata(const struct site *s, const char *name, enum tuf_type type)
{
    struct metadata *m = NULL;
    struct err err = {0};
    struct buf text;

    read_at(s, name, &text);
    if (metadata_parse(text.data, text.len, type, name, &m, &err) < 0)
        fail_msg("%s", err.msg);
    buf_release(&text);
    return m;
}

static unsigned mode_of(const struct site *s, const char *name)
{
    _cleanup_(free_p)
    char *path = path_join(s->dir, name);
    struct stat st;

    if (stat(path, &st) < 0)
        fail_msg("'%s' is not there", name);
    return st.st_mode & 07777;
}

/* root verifies itself and targets; targets delegates to two offline-held keys of three and to the
 * server's rollout key. */
static void test_verifies(void **state)
{
    const struct site *s = *state;
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct key_set keys[4] = {0};
    struct err err = {0};

    make(s);
    root = read_metadata(s, "endpoint/root.json", TUF_ROOT);
    targets = read_metadata(s, "server/bootstrap/1.targets.json", TUF_TARGETS);
    assert_int_equal(metadata_root_keys(root, "root", &keys[0], &err), 0);
    assert_int_equal(keys[0].n_keys, 3);
    assert_int_equal(keys[0].threshold, 2);
    assert_int_equal(envelope_verify(root->envelope, &keys[0], "root", &err), 0);
    assert_int_equal(metadata_root_keys(root, "targets", &keys[1], &err), 0);
    assert_int_equal(envelope_verify(targets->envelope, &keys[1], "targets", &err), 0);
    assert_int_equal(envelope_verify(targets->envelope, &keys[0], "targets", &err),
                     -ERR_UNDERSIGNED);
    assert_int_equal(metadata_delegated_keys(targets, "content-crs", &keys[2], &err), 0);
    assert_int_equal(keys[2].n_keys, 3);
    assert_int_equal(keys[2].threshold, 2);
    assert_int_equal(metadata_delegated_keys(targets, "rollout", &keys[3], &err), 0);
    assert_int_equal(keys[3].n_keys, 1);
    assert_true(json_is_true(json_object_get(root->body, "consistent_snapshot")));
    assert_int_equal(root->expires_s, NOW_S + INT64_C(365) * 86400);
    assert_int_equal(targets->expires_s, NOW_S + INT64_C(180) * 86400);
    for (int i = 0; i < 4; i++)
        key_set_release(&keys[i]);
}

/* The rollout key may sign plans, and nothing under content/. */
static void test_delegated_paths(void **state)
{
    const struct site *s = *state;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    json_t *roles;
    static const struct {
        const char *name, *path;
    } want[] = {{"content-crs", "content/crs/*"}, {"rollout", "rollout/*"}};

    make(s);
    targets = read_metadata(s, "server/bootstrap/1.targets.json", TUF_TARGETS);
    roles = json_object_get(json_object_get(targets->body, "delegations"), "roles");
    assert_int_equal(json_array_size(roles), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *role = json_array_get(roles, i), *paths = json_object_get(role, "paths");

        assert_string_equal(json_string_value(json_object_get(role, "name")), want[i].name);
        assert_int_equal(json_array_size(paths), 1);
        assert_string_equal(json_string_value(json_array_get(paths, 0)), want[i].path);
    }
}

static void test_private(void **state)
{
    static const char *const secrets[] = {"offline/root-3.pem",
                                          "offline/targets-1.pem",
                                          "offline/content-crs-2.pem",
                                          "server/online/rollout.pem",
                                          "server/online/snapshot.pem",
                                          "server/online/permit.pem",
                                          "server/online/timestamp.pem",
                                          "server/online/master.key",
                                          "operators/admin.token",
                                          "operators/viewer.token",
                                          "server/bootstrap/operators.json"};
    static const char *const folders[] = {"offline", "server", "server/online", "operators",
                                          "endpoint"};
    const struct site *s = *state;
    struct buf text;

    make(s);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_int_equal(mode_of(s, secrets[i]), 0600);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        assert_int_equal(mode_of(s, folders[i]), 0700);
    read_at(s, "offline/root-1.pem", &text);
    assert_non_null(strstr(text.data, "ENCRYPTED PRIVATE KEY"));
    buf_release(&text);
    read_at(s, "server/online/master.key", &text);
    assert_int_equal(text.len, 65);
    text.data[64] = '\0';
    assert_true(hex_is(text.data, 64));
    buf_release(&text);
}

/* The server gets hashes that fit the tokens, and never a token. */
static void test_operators(void **state)
{
    const struct site *s = *state;
    json_auto_t *file = NULL;
    struct err err = {0};
    struct buf text, token;
    json_t *list, *o;
    size_t i;

    make(s);
    read_at(s, "server/bootstrap/operators.json", &text);
    assert_int_equal(jsonx_parse(text.data, text.len, 65536, &file, &err), 0);
    list = json_object_get(file, "operators");
    assert_int_equal(json_array_size(list), 5);
    json_array_foreach (list, i, o) {
        char name[64], hash[65];

        snprintf(name, sizeof name, "operators/%s.token",
                 json_string_value(json_object_get(o, "name")));
        read_at(s, name, &token);
        assert_int_equal(token.len, 4 + 43 + 1);
        assert_memory_equal(token.data, "fbo_", 4);
        assert_int_equal(strspn(token.data + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
                                                "yz0123456789-_"),
                         43);
        sha256_hex(token.data, 47, hash);
        assert_string_equal(hash, json_string_value(json_object_get(o, "sha256")));
        token.data[47] = '\0';
        assert_null(strstr(text.data, token.data));
        buf_release(&token);
    }
    buf_release(&text);
}

static void test_never_overwrites(void **state)
{
    const struct site *s = *state;
    struct buf before, after;
    struct err err = {0};

    make(s);
    read_at(s, "server/online/master.key", &before);
    assert_int_equal(init_site(&s->o, &err), -ERR_EXISTS);
    read_at(s, "server/online/master.key", &after);
    assert_string_equal(before.data, after.data);
    buf_release(&before);
    buf_release(&after);
}

/* A failure half way leaves no keys behind. */
static void test_failure_leaves_nothing(void **state)
{
    struct site *s = *state;
    _cleanup_(free_p)
    char *offline = path_join(s->dir, "offline");
    struct err err = {0};

    s->o.key_type = "rot13";
    assert_true(init_site(&s->o, &err) < 0);
    assert_false(file_exists(offline));
    s->o.key_type = "ecdsa";
    make(s);
    assert_true(file_exists(offline));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_verifies),  TEST(test_delegated_paths),  TEST(test_private),
        TEST(test_operators), TEST(test_never_overwrites), TEST(test_failure_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
