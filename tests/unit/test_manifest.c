/* manifest: what it takes, and the table of what it must refuse. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "manifest.h"

#define SUM         "65873e8edacdf13220544036728e115798a13623da29754aceee0a406215afee"
#define FILE_(path) "{\"path\":\"" path "\",\"mode\":\"0644\",\"length\":3,\"sha256\":\"" SUM "\"}"
#define PACE        "\"pace\":[{\"after_s\":0,\"share_ppm\":1000000}]"
#define TOP                                                                                        \
    "\"_type\":\"firebreak-manifest\",\"format\":1,\"channel\":\"crs\",\"version\":\"1.0\","       \
    "\"sequence\":5,\"lowest_sequence\":2,\"min_agent\":\"\",\"early_boot\":false,"                \
    "\"baseline\":true"
#define DOC(top, pace, files) "{" top "," pace ",\"files\":[" files "]}"
#define FILES(files)          DOC(TOP, PACE, files)

static int parse(const char *text, struct manifest **ret, struct err *err)
{
    return manifest_parse(text, strlen(text), ret, err);
}

static void test_reads_every_field(void **state)
{
    static const char text[] = FILES("{\"path\":\"a/run\",\"mode\":\"0755\",\"length\":3,"
                                     "\"sha256\":\"" SUM "\"}," FILE_("a/\xc3\xa4.conf"));
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};
    char digest[65];

    (void)state;
    assert_int_equal(parse(text, &m, &err), 0);
    assert_string_equal(m->channel, "crs");
    assert_string_equal(m->version, "1.0");
    assert_int_equal(m->sequence, 5);
    assert_int_equal(m->lowest_sequence, 2);
    assert_string_equal(m->min_agent, "");
    assert_false(m->early_boot);
    assert_true(m->baseline);
    assert_string_equal(m->unknown_critical, "");
    assert_int_equal(m->pace.n_steps, 1);
    assert_int_equal(m->n_files, 2);
    assert_string_equal(m->files[0].path, "a/run");
    assert_int_equal(m->files[0].mode, 0755);
    assert_int_equal(m->files[1].mode, 0644);
    assert_int_equal(m->files[1].length, 3);
    assert_string_equal(m->files[1].sha256, SUM);
    assert_int_equal(manifest_total_bytes(m), 6);
    sha256_hex(text, strlen(text), digest);
    assert_string_equal(m->digest, digest);
}

static void test_dump_reads_back(void **state)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    _cleanup_(manifest_free_p)
    struct manifest *again = NULL;
    struct err err = {0};
    struct buf one, two;

    (void)state;
    buf_init(&one, MANIFEST_MAX);
    buf_init(&two, MANIFEST_MAX);
    assert_int_equal(parse(FILES(FILE_("a") "," FILE_("b/c")), &m, &err), 0);
    assert_int_equal(manifest_dump(m, &one, &err), 0);
    assert_int_equal(manifest_parse(one.data, one.len, &again, &err), 0);
    assert_int_equal(manifest_dump(again, &two, &err), 0);
    assert_string_equal(one.data, two.data);
    assert_non_null(strstr(one.data, "\n  \"channel\": \"crs\""));
    buf_release(&one);
    buf_release(&two);
    buf_init(&one, 100);
    assert_int_equal(manifest_dump(m, &one, &err), -ERR_TOO_LARGE);
    assert_int_equal(one.len, 0);
    buf_release(&one);
}

static void test_unknown_members(void **state)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};
    struct buf b;

    (void)state;
    assert_int_equal(
        parse(DOC(TOP ",\"colour\":[1,{}],\"critical\":[\"pace\",\"files\"]", PACE, FILE_("a")), &m,
              &err),
        0);
    assert_string_equal(m->unknown_critical, "");
    manifest_free(m);
    m = NULL;
    assert_int_equal(
        parse(DOC(TOP ",\"critical\":[\"pace\",\"colour\",\"size\"]", PACE, FILE_("a")), &m, &err),
        0);
    assert_string_equal(m->unknown_critical, "colour");
    buf_init(&b, MANIFEST_MAX);
    assert_int_equal(manifest_dump(m, &b, &err), -ERR_INVALID);
    buf_release(&b);
}

static const struct {
    const char *text;
    int want;
} hostile[] = {
    /* paths */
    {FILES(FILE_("../etc/passwd")), ERR_BAD_PATH},
    {FILES(FILE_("a/../../b")), ERR_BAD_PATH},
    {FILES(FILE_("..")), ERR_BAD_PATH},
    {FILES(FILE_(".")), ERR_BAD_PATH},
    {FILES(FILE_("./a")), ERR_BAD_PATH},
    {FILES(FILE_("a/./b")), ERR_BAD_PATH},
    {FILES(FILE_("/etc/passwd")), ERR_BAD_PATH},
    {FILES(FILE_("/")), ERR_BAD_PATH},
    {FILES(FILE_("")), ERR_BAD_PATH},
    {FILES(FILE_("a//b")), ERR_BAD_PATH},
    {FILES(FILE_("a/")), ERR_BAD_PATH},
    {FILES(FILE_("a\\\\b")), ERR_BAD_PATH},
    {FILES(FILE_("C:\\\\b")), ERR_BAD_PATH},
    {FILES(FILE_("a\\u0000b")), ERR_INVALID},
    {FILES(FILE_("a\\u000ab")), ERR_BAD_PATH},
    {FILES(FILE_("a\\u007fb")), ERR_BAD_PATH},
    {FILES(FILE_("a\\u0085b")), ERR_BAD_PATH},
    {FILES(FILE_("a\xff"
                 "b")),
     ERR_INVALID},
    {FILES(FILE_("a\xc0\xaf"
                 "b")),
     ERR_INVALID},
    {FILES(FILE_("a\\ud800b")), ERR_INVALID},
    /* sets of paths */
    {FILES(FILE_("a") "," FILE_("a")), ERR_BAD_PATH},
    {FILES(FILE_("b") "," FILE_("a")), ERR_BAD_PATH},
    {FILES(FILE_("A") "," FILE_("a")), ERR_BAD_PATH},
    {FILES(FILE_("Readme") "," FILE_("b") "," FILE_("readme")), ERR_BAD_PATH},
    {FILES(FILE_("X/a") "," FILE_("x/b")), ERR_BAD_PATH},
    {FILES(FILE_("X/y/a") "," FILE_("q") "," FILE_("x/z/b")), ERR_BAD_PATH},
    {FILES(FILE_("a") "," FILE_("a/b")), ERR_BAD_PATH},
    {FILES(FILE_("a") "," FILE_("a-b") "," FILE_("a/b")), ERR_BAD_PATH},
    {FILES(FILE_("A") "," FILE_("a/b")), ERR_BAD_PATH},
    /* links */
    {FILES("{\"path\":\"a\",\"target\":\"/etc/passwd\",\"mode\":\"0644\",\"length\":3,"
           "\"sha256\":\"" SUM "\"}"),
     ERR_BAD_PATH},
    {FILES("{\"path\":\"a\",\"link\":\"b\",\"mode\":\"0644\",\"length\":3,\"sha256\":\"" SUM "\"}"),
     ERR_BAD_PATH},
    {FILES("{\"path\":\"a\",\"type\":\"symlink\",\"mode\":\"0644\",\"length\":3,\"sha256\":\"" SUM
           "\"}"),
     ERR_BAD_PATH},
    /* modes, lengths, sums */
    {FILES("{\"path\":\"a\",\"mode\":\"4755\",\"length\":3,\"sha256\":\"" SUM "\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":420,\"length\":3,\"sha256\":\"" SUM "\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":-1,\"sha256\":\"" SUM "\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":4294967297,\"sha256\":\"" SUM "\"}"),
     ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":99999999999999999999,\"sha256\":\"" SUM
           "\"}"),
     ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":3.0,\"sha256\":\"" SUM "\"}"),
     ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":\"3\",\"sha256\":\"" SUM "\"}"),
     ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"sha256\":\"" SUM "\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":3,\"sha256\":\"abcd\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"mode\":\"0644\",\"length\":3,\"sha256\":null}"), ERR_INVALID},
    {FILES("{\"path\":7,\"mode\":\"0644\",\"length\":3,\"sha256\":\"" SUM "\"}"), ERR_INVALID},
    {FILES("{\"path\":\"a\",\"path\":\"b\",\"mode\":\"0644\",\"length\":3,\"sha256\":\"" SUM "\"}"),
     ERR_INVALID},
    {FILES("\"a\""), ERR_INVALID},
    {FILES(""), ERR_INVALID},
    /* the document */
    {"", ERR_INVALID},
    {"[]", ERR_INVALID},
    {"null", ERR_INVALID},
    {"{}", ERR_INVALID},
    {FILES(FILE_("a")) "x", ERR_INVALID},
    {DOC(TOP, "\"pace\":[]", FILE_("a")), ERR_INVALID},
    {DOC(TOP, "\"pace\":{}", FILE_("a")), ERR_INVALID},
    {DOC(TOP ",\"critical\":[7]", PACE, FILE_("a")), ERR_INVALID},
    {DOC(TOP ",\"critical\":\"pace\"", PACE, FILE_("a")), ERR_INVALID},
    {DOC(TOP ",\"sequence\":5", PACE, FILE_("a")), ERR_INVALID},
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct manifest *m = NULL;
        struct err err = {0};
        int r = parse(hostile[i].text, &m, &err);

        if (r != -hostile[i].want || m)
            fail_msg("%d instead of %d: %s: %s", r, -hostile[i].want, err.msg, hostile[i].text);
        assert_true(err.msg[0] != '\0');
    }
}

/* A whole manifest in which `from` is replaced by `to` is refused. */
static void refuse_edit(const char *from, const char *to)
{
    static const char text[] = FILES(FILE_("a"));
    const char *at = strstr(text, from);
    struct manifest *m = NULL;
    struct err err = {0};
    char edited[2048];

    assert_non_null(at);
    snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    if (parse(edited, &m, &err) != -ERR_INVALID)
        fail_msg("taken: %s", edited);
}

static void test_members_are_needed_and_typed(void **state)
{
    static const char *const edits[][2] = {
        {"\"_type\"", "\"_kind\""},
        {"firebreak-manifest", "firebreak-plan"},
        {"\"format\":1", "\"format\":2"},
        {"\"format\":1", "\"format\":\"1\""},
        {"\"channel\":\"crs\"", "\"channel\":\"\""},
        {"\"channel\":\"crs\"", "\"channel\":\"../x\""},
        {"\"channel\":\"crs\"", "\"channel\":\"CRS\""},
        {"\"channel\":\"crs\"", "\"channel\":\"-crs\""},
        {"\"channel\":\"crs\"", "\"channel\":\"a123456789012345678901234567890123\""},
        {"\"version\":\"1.0\"", "\"version\":\"\""},
        {"\"version\":\"1.0\"", "\"version\":\".0\""},
        {"\"version\":\"1.0\"", "\"version\":\"1/0\""},
        {"\"version\":\"1.0\"", "\"version\":\"1 0\""},
        {"\"version\":\"1.0\"", "\"version\":1.0"},
        {"\"sequence\":5", "\"sequence\":0"},
        {"\"sequence\":5", "\"sequence\":1"},
        {"\"sequence\":5", "\"sequence\":9007199254740993"},
        {"\"sequence\":5", "\"sequence\":5e0"},
        {"\"lowest_sequence\":2", "\"lowest_sequence\":-1"},
        {"\"lowest_sequence\":2", "\"lowest\":2"},
        {"\"min_agent\":\"\"", "\"min_agent\":\"\\u001b[2J\""},
        {"\"early_boot\":false", "\"early_boot\":0"},
        {"\"early_boot\":false", "\"early_boot\":null"},
        {"\"baseline\":true", "\"baseline\":\"yes\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        refuse_edit(edits[i][0], edits[i][1]);
}

static void test_neighbours_that_do_not_clash(void **state)
{
    static const char text[] = FILES(FILE_("a-b") "," FILE_("a/B/c") "," FILE_("a/B/d") "," FILE_(
        "ab") "," FILE_("b/a/B") "," FILE_("b/ab"));
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};

    (void)state;
    if (parse(text, &m, &err) < 0)
        fail_msg("%s", err.msg);
}

static void test_path_lengths(void **state)
{
    char path[FILE_PATH_MAX + 1];
    struct err err = {0};

    (void)state;
    memset(path, 'a', sizeof path);
    path[255] = '/';
    path[511] = '\0';
    assert_int_equal(path_check(path, &err), 0);
    path[255] = 'a';
    assert_int_equal(path_check(path, &err), -ERR_BAD_PATH); /* one part of 511 bytes */
    path[255] = '/';
    path[511] = 'a';
    path[512] = '\0';
    assert_int_equal(path_check(path, &err), -ERR_BAD_PATH);
    assert_int_equal(path_check("\xed\xa0\x80", &err), -ERR_BAD_PATH);     /* surrogate */
    assert_int_equal(path_check("\xc0\xae\xc0\xae", &err), -ERR_BAD_PATH); /* overlong ".." */
    assert_int_equal(path_check("\xf4\x90\x80\x80", &err), -ERR_BAD_PATH); /* above U+10FFFF */
    assert_int_equal(path_check("a\xe2\x82", &err), -ERR_BAD_PATH);        /* cut short */
    assert_int_equal(path_check("...", &err), 0);
    assert_int_equal(path_check("..a/.b", &err), 0);
}

static void test_too_large(void **state)
{
    _cleanup_(free_p)
    char *text = malloc(MANIFEST_MAX + 1);
    struct manifest *m = NULL;
    struct err err = {0};

    (void)state;
    assert_non_null(text);
    memset(text, ' ', MANIFEST_MAX + 1);
    assert_int_equal(manifest_parse(text, MANIFEST_MAX + 1, &m, &err), -ERR_TOO_LARGE);
    assert_null(m);
}

static void test_names(void **state)
{
    char name[64];

    (void)state;
    assert_int_equal(manifest_target_path("crs", "1.0", name, sizeof name), 0);
    assert_string_equal(name, "content/crs/1.0.json");
    assert_int_equal(content_role_name("crs", name, sizeof name), 0);
    assert_string_equal(name, "content-crs");
    assert_int_equal(content_role_name("crs", name, 11), -ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_field),
        cmocka_unit_test(test_dump_reads_back),
        cmocka_unit_test(test_unknown_members),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_members_are_needed_and_typed),
        cmocka_unit_test(test_neighbours_that_do_not_clash),
        cmocka_unit_test(test_path_lengths),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
