/* metadata: what is made parses back; every malformed shape is refused; patterns; key tables. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/metadata.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define KEY_A                                                                                      \
    "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":"                      \
    "\"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025\"}}"
#define KEY_B                                                                                      \
    "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":"                      \
    "\"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\"}}"

static struct key *key_of(const char *json)
{
    json_auto_t *o = json_loads(json, 0, NULL);
    struct err err = {0};
    struct key *k = NULL;

    assert_int_equal(key_from_json(o, &k, &err), 0);
    return k;
}

/* body in an envelope, parsed. */
static int parse_body(json_t *body, enum tuf_type type, struct metadata **ret, struct err *err)
{
    json_auto_t *e = envelope_new(body);
    struct buf b;
    int r;

    buf_init(&b, TUF_TARGETS_MAX);
    assert_int_equal(envelope_dump(e, &b, err), 0);
    r = metadata_parse(b.data, b.len, type, "file", ret, err);
    buf_release(&b);
    return r;
}

static json_t *make_root(const struct key *a, const struct key *b)
{
    static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};
    json_t *root = metadata_new_root(1, 1000);
    const struct key *keys[] = {a, b};

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(metadata_root_set_role(root, roles[i], keys, 2, 2), 0);
    return root;
}

static void test_root_round_trip_and_rotation(void **state)
{
    _cleanup_(key_free_p)
    struct key *a = key_of(KEY_A);
    _cleanup_(key_free_p)
    struct key *b = key_of(KEY_B);
    json_auto_t *root = make_root(a, b);
    const struct key *only_a[] = {a};
    static const char *const roles[] = {"root", "timestamp", "snapshot", "targets"};
    struct err err = {0};
    struct metadata *m;
    struct key_set set;

    (void)state;
    assert_int_equal(parse_body(root, TUF_ROOT, &m, &err), 0);
    assert_int_equal(m->version, 1);
    assert_int_equal(m->expires_s, 1000);
    assert_int_equal(metadata_check_expiry(m, 999, "root", &err), 0);
    assert_int_equal(metadata_check_expiry(m, 1000, "root", &err), -ERR_EXPIRED);
    assert_int_equal(metadata_root_keys(m, "snapshot", &set, &err), 0);
    assert_int_equal(set.n_keys, 2);
    assert_int_equal(set.threshold, 2);
    key_set_release(&set);
    assert_int_equal(metadata_root_keys(m, "other", &set, &err), -ERR_NOT_FOUND);
    metadata_free(m);

    assert_int_equal(metadata_root_set_role(root, "root", only_a, 1, 2), -ERR_INVALID);
    assert_int_equal(json_object_size(json_object_get(root, "keys")), 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(metadata_root_set_role(root, roles[i], only_a, 1, 1), 0);
    assert_int_equal(json_object_size(json_object_get(root, "keys")), 1);
}

static void test_given_key_ids_and_unknown_keys(void **state)
{
    json_auto_t *role =
        json_pack("{s:[s,s,s],s:i}", "keyids", "mine", "strange", "absent", "threshold", 1);
    json_auto_t *root = metadata_new_root(1, 1000);
    json_t *keys = json_object_get(root, "keys");
    struct err err = {0};
    struct metadata *m;
    struct key_set set;

    (void)state;
    json_object_set_new(keys, "mine", json_loads(KEY_A, 0, NULL));
    json_object_set_new(keys, "strange", json_pack("{s:s}", "keytype", "post-quantum"));
    json_object_set(json_object_get(root, "roles"), "root", role);
    json_object_set(json_object_get(root, "roles"), "timestamp", role);
    json_object_set(json_object_get(root, "roles"), "snapshot", role);
    json_object_set(json_object_get(root, "roles"), "targets", role);
    assert_int_equal(parse_body(root, TUF_ROOT, &m, &err), 0);
    assert_int_equal(metadata_root_keys(m, "root", &set, &err), 0);
    assert_int_equal(set.n_keys, 1);
    assert_string_equal(key_id(set.keys[0]), "mine");
    key_set_release(&set);
    metadata_free(m);
}

static void test_targets_and_delegations(void **state)
{
    static const char *const crs[] = {"content/crs/*"}, *const both[] = {"a/*", "b/*"};
    _cleanup_(key_free_p)
    struct key *a = key_of(KEY_A);
    _cleanup_(key_free_p)
    struct key *b = key_of(KEY_B);
    const struct key *key_a[] = {a}, *key_b[] = {b};
    json_auto_t *targets = metadata_new_targets(3, 1000);
    json_auto_t *custom = json_pack("{s:i}", "sequence", 4);
    struct err err = {0};
    struct tuf_target t;
    struct metadata *m;
    struct key_set set;
    int terminating = 0;

    (void)state;
    assert_int_equal(metadata_targets_add(targets, "x/y.json", "", 0, custom), 0);
    assert_int_equal(metadata_targets_delegate(targets, "one", both, 2, key_a, 1, 1), 0);
    assert_int_equal(metadata_targets_delegate(targets, "two", crs, 1, key_a, 1, 1), 0);
    assert_int_equal(metadata_targets_delegate(targets, "one", crs, 1, key_b, 1, 1), 0);
    assert_int_equal(metadata_targets_delegate(targets, "one", crs, 1, key_b, 1, 2), -ERR_INVALID);
    assert_int_equal(parse_body(targets, TUF_TARGETS, &m, &err), 0);
    assert_int_equal(metadata_target(m, "x/y.json", &t, &err), 0);
    assert_string_equal(t.path, "x/y.json");
    assert_string_equal(t.sha256, HASH);
    assert_int_equal(json_integer_value(json_object_get(t.custom, "sequence")), 4);
    assert_int_equal(metadata_target(m, "x", &t, &err), -ERR_NOT_FOUND);
    assert_string_equal(metadata_delegation(m, 0), "one");
    assert_string_equal(metadata_delegation(m, 1), "two");
    assert_null(metadata_delegation(m, 2));
    assert_true(metadata_delegates(m, 0, "content/crs/1", &terminating));
    assert_true(terminating);
    assert_false(metadata_delegates(m, 0, "a/1", &terminating));
    assert_int_equal(metadata_delegated_keys(m, "one", &set, &err), 0);
    assert_string_equal(key_id(set.keys[0]), key_id(b));
    key_set_release(&set);
    assert_int_equal(metadata_delegated_keys(m, "three", &set, &err), -ERR_NOT_FOUND);
    metadata_free(m);
}

static void test_hash_prefixes(void **state)
{
    /* SHA-256 of "abc" begins ba7816bf */
    json_auto_t *targets = metadata_new_targets(1, 1000);
    struct err err = {0};
    struct metadata *m;
    int terminating = 1;

    (void)state;
    json_object_set_new(targets, "delegations",
                        json_pack("{s:{},s:[{s:s,s:[],s:i,s:b,s:[s,s]}]}", "keys", "roles", "name",
                                  "bin", "keyids", "threshold", 1, "terminating", 0,
                                  "path_hash_prefixes", "00", "ba78"));
    assert_int_equal(parse_body(targets, TUF_TARGETS, &m, &err), 0);
    assert_true(metadata_delegates(m, 0, "abc", &terminating));
    assert_false(terminating);
    assert_false(metadata_delegates(m, 0, "abd", &terminating));
    metadata_free(m);
}

/* Names as the specification's clients make them: prefix, '-', and digits enough for the last bin.
 */
static void test_succinct_bins(void **state)
{
    static const char *const others[] = {"bin",    "bin-",    "bin-7",  "bin-017", "bin-20",
                                         "bin-1F", "bin-17 ", "bin_17", "Bin-17",  "bin-1g"};
    json_auto_t *targets = metadata_new_targets(1, 1000);
    char name[TUF_ROLE_NAME_MAX];
    struct err err = {0};
    struct metadata *m;
    struct key_set set;

    (void)state;
    json_object_set_new(targets, "delegations",
                        json_pack("{s:{s:o}, s:n, s:{s:[s], s:i, s:i, s:s}}", "keys", "a",
                                  json_loads(KEY_A, 0, NULL), "roles", "succinct_roles", "keyids",
                                  "a", "threshold", 1, "bit_length", 5, "name_prefix", "bin"));
    assert_int_equal(parse_body(targets, TUF_TARGETS, &m, &err), 0);
    assert_string_equal(metadata_bin(m, "abc", name), "bin-17"); /* ba78...: 10111 */
    assert_null(metadata_delegation(m, 0));
    assert_int_equal(metadata_delegated_keys(m, "bin-1f", &set, &err), 0);
    assert_int_equal(set.n_keys, 1);
    key_set_release(&set);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(metadata_delegated_keys(m, others[i], &set, &err), -ERR_NOT_FOUND);
    metadata_free(m);
}

static void test_no_bins(void **state)
{
    json_auto_t *targets = metadata_new_targets(1, 1000);
    char name[TUF_ROLE_NAME_MAX];
    struct err err = {0};
    struct metadata *m;

    (void)state;
    assert_int_equal(parse_body(targets, TUF_TARGETS, &m, &err), 0);
    assert_null(metadata_bin(m, "abc", name));
    metadata_free(m);
    json_object_set_new(targets, "delegations",
                        json_pack("{s:{}, s:[], s:n}", "keys", "roles", "succinct_roles"));
    assert_int_equal(parse_body(targets, TUF_TARGETS, &m, &err), 0);
    assert_null(metadata_bin(m, "abc", name));
    metadata_free(m);
}

static void test_refs(void **state)
{
    json_auto_t *snapshot = metadata_new_snapshot(1, 1000);
    struct meta_ref ref;
    struct err err = {0};
    struct metadata *m;

    (void)state;
    assert_int_equal(metadata_set_ref(snapshot, "targets.json", 7, NULL, 0), 0);
    assert_int_equal(metadata_set_ref(snapshot, "content-crs.json", 9, "x", 1), 0);
    assert_int_equal(parse_body(snapshot, TUF_SNAPSHOT, &m, &err), 0);
    assert_int_equal(metadata_ref(m, "targets", &ref, &err), 0);
    assert_int_equal(ref.version, 7);
    assert_int_equal(ref.length, -1);
    assert_string_equal(ref.sha256, "");
    assert_int_equal(metadata_ref(m, "content-crs", &ref, &err), 0);
    assert_int_equal(ref.length, 1);
    assert_int_equal(strlen(ref.sha256), 64);
    assert_int_equal(metadata_ref(m, "other", &ref, &err), -ERR_NOT_FOUND);
    metadata_free(m);
}

/* `signed` bodies that must not parse; %s is the common part. */
#define COMMON "\"spec_version\":\"1.0.34\",\"version\":1,\"expires\":\"2030-01-01T00:00:00Z\""
#define ROLE   "{\"keyids\":[\"a\"],\"threshold\":1}"

#define BINS(text)                                                                                 \
    "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":{},"               \
    "\"succinct_roles\":{" text "}}}"

static void test_bad_shapes(void **state)
{
    static const struct {
        enum tuf_type type;
        const char *body;
    } rows[] = {
        {TUF_TARGETS, "{\"_type\":\"root\"," COMMON ",\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON "}"},
        {TUF_TARGETS, "{\"_type\":\"targets\",\"spec_version\":\"2.0\",\"version\":1,"
                      "\"expires\":\"2030-01-01T00:00:00Z\",\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\",\"spec_version\":\"1.0.34\",\"version\":0,"
                      "\"expires\":\"2030-01-01T00:00:00Z\",\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\",\"spec_version\":\"1.0.34\",\"version\":1.0,"
                      "\"expires\":\"2030-01-01T00:00:00Z\",\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\",\"spec_version\":\"1.0.34\",\"version\":1,"
                      "\"expires\":\"tomorrow\",\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{\"a\":{\"length\":-1,"
                      "\"hashes\":{\"sha256\":\"" HASH "\"}}}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{\"a\":{\"length\":1,"
                      "\"hashes\":{\"sha256\":\"00\"}}}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"targets\":{}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{},\"roles\":[{\"name\":\"root\",\"keyids\":[],\"threshold\":1,"
                      "\"paths\":[]}]}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{},\"roles\":[{\"name\":\"x\",\"keyids\":[],\"threshold\":1}]}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{},\"roles\":[{\"name\":\"x\",\"keyids\":[],\"threshold\":1,\"paths\":[]},"
                      "{\"name\":\"x\",\"keyids\":[],\"threshold\":1,\"paths\":[]}]}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{},\"roles\":[{\"name\":\"x\",\"keyids\":[\"a\",\"a\"],\"threshold\":1,"
                      "\"paths\":[]}]}}"},
        {TUF_TARGETS, BINS("\"keyids\":[],\"threshold\":1,\"bit_length\":0,\"name_prefix\":\"b\"")},
        {TUF_TARGETS,
         BINS("\"keyids\":[],\"threshold\":1,\"bit_length\":33,\"name_prefix\":\"b\"")},
        {TUF_TARGETS, BINS("\"keyids\":[],\"threshold\":0,\"bit_length\":8,\"name_prefix\":\"b\"")},
        {TUF_TARGETS, BINS("\"keyids\":[],\"threshold\":1,\"bit_length\":8")},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{}}}"},
        {TUF_TARGETS, "{\"_type\":\"targets\"," COMMON ",\"targets\":{},\"delegations\":{\"keys\":"
                      "{},\"roles\":[],\"succinct_roles\":{}}}"},
        {TUF_SNAPSHOT, "{\"_type\":\"snapshot\"," COMMON ",\"meta\":{}}"},
        {TUF_SNAPSHOT,
         "{\"_type\":\"snapshot\"," COMMON ",\"meta\":{\"targets.json\":{\"version\":0}}}"},
        {TUF_TIMESTAMP,
         "{\"_type\":\"timestamp\"," COMMON ",\"meta\":{\"targets.json\":{\"version\":1}}}"},
        {TUF_ROOT, "{\"_type\":\"root\"," COMMON ",\"keys\":{},\"roles\":{\"root\":" ROLE
                   ",\"timestamp\":" ROLE ",\"snapshot\":" ROLE "}}"},
        {TUF_ROOT, "{\"_type\":\"root\"," COMMON ",\"keys\":{},\"roles\":{\"root\":" ROLE
                   ",\"timestamp\":" ROLE ",\"snapshot\":" ROLE
                   ",\"targets\":{\"keyids\":[],\"threshold\":0}}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metadata *m = NULL;
        struct err err = {0};
        char text[2048];
        int n = snprintf(text, sizeof text, "{\"signatures\":[],\"signed\":%s}", rows[i].body);

        if (metadata_parse(text, (size_t)n, rows[i].type, "file", &m, &err) != -ERR_INVALID)
            fail_msg("row %zu was taken: %s", i, rows[i].body);
        assert_null(m);
        assert_non_null(strstr(err.msg, "file"));
    }
}

static void test_size_cap(void **state)
{
    char *big = malloc(TUF_TIMESTAMP_MAX + 1);
    struct metadata *m = NULL;
    struct err err = {0};

    (void)state;
    memset(big, ' ', TUF_TIMESTAMP_MAX + 1);
    assert_int_equal(metadata_parse(big, TUF_TIMESTAMP_MAX + 1, TUF_TIMESTAMP, "file", &m, &err),
                     -ERR_TOO_LARGE);
    free(big);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *path;
        int want;
    } rows[] = {
        {"content/crs/*", "content/crs/1.0.json", 1},
        {"content/crs/*", "content/crs/a/b", 0},
        {"content/crs/*", "content/crsx/1", 0},
        {"*", "a/b", 0},
        {"*", "", 1},
        {"*.tgz", "foo.tgz", 1},
        {"*.tgz", "foo.tgz.sig", 0},
        {"foo-?.tgz", "foo-a.tgz", 1},
        {"foo-?.tgz", "foo-\xc3\xa4.tgz", 1},
        {"foo-?.tgz", "foo-.tgz", 0},
        {"a?b", "a/b", 0},
        {"*/x*y", "a/xx-y", 1},
        {"*/x*y", "a/b/xy", 0},
        {"a*b*c", "aXbXbc", 1},
        {"[a]", "a", 0},
        {"", "", 1},
        {"", "a", 0},
        {"a", "", 0},
        {"*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (metadata_path_matches(rows[i].pattern, rows[i].path) != rows[i].want)
            fail_msg("'%s' on '%s'", rows[i].pattern, rows[i].path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_round_trip_and_rotation),
        cmocka_unit_test(test_given_key_ids_and_unknown_keys),
        cmocka_unit_test(test_targets_and_delegations),
        cmocka_unit_test(test_hash_prefixes),
        cmocka_unit_test(test_succinct_bins),
        cmocka_unit_test(test_no_bins),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_bad_shapes),
        cmocka_unit_test(test_size_cap),
        cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
