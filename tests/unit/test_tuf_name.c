/* name: whatever a repository calls its roles and targets stays one component, and one file. */
#include "cmocka_all.h"

#include <limits.h>
#include <string.h>

#include "tuf/name.h"

static void test_one_component(void **state)
{
    static const struct {
        const char *name, *quoted;
    } rows[] = {
        {"content-crs_1.~", "content-crs_1.~"},
        {"?", "%3F"},
        {"#", "%23"},
        {"/delegatedrole", "%2Fdelegatedrole"},
        {"../delegatedrole", "..%2Fdelegatedrole"},
        {"50% of\n\"ü\"", "50%25%20of%0A%22%C3%BC%22"},
        {"a+b:c@d", "a%2Bb%3Ac%40d"},
    };
    struct err err = {0};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(name_quote(rows[i].name, text, sizeof text, &err), 0);
        assert_string_equal(text, rows[i].quoted);
    }
    assert_int_equal(name_quote("abcde", text, 6, &err), -ERR_TOO_LARGE);
}

static void test_path_keeps_its_slashes(void **state)
{
    struct err err = {0};
    char text[64];

    (void)state;
    assert_int_equal(name_quote_path("/a b/c+d@e?f#g%h", text, sizeof text, &err), 0);
    assert_string_equal(text, "/a%20b/c+d@e%3Ff%23g%25h");
    assert_int_equal(name_quote_path("/abcde", text, 7, &err), -ERR_TOO_LARGE);
}

static void test_long_names_fit_into_a_directory(void **state)
{
    char name[600], file[TUF_FILE_NAME_MAX], other[TUF_FILE_NAME_MAX];

    (void)state;
    name_file("../x", ".json", file);
    assert_string_equal(file, "..%2Fx.json");
    memset(name, '/', sizeof name);
    name[599] = '\0';
    name_file(name, ".json", file);
    assert_true(strlen(file) + strlen(".XXXXXX") <= NAME_MAX);
    assert_memory_equal(file, "%sha256-", 8);
    assert_string_equal(file + 8 + 64, ".json");
    name[598] = '\0';
    name_file(name, ".json", other);
    assert_string_not_equal(file, other);
    memset(name, 'a', sizeof name); /* the longest that is shown as it is, and one more */
    name[TUF_FILE_NAME_MAX - 1 - 8] = '\0';
    name_file(name, ".json", file);
    assert_memory_equal(file, name, strlen(name));
    name[TUF_FILE_NAME_MAX - 1 - 8] = 'a';
    name[TUF_FILE_NAME_MAX] = '\0';
    name_file(name, ".json", file);
    assert_memory_equal(file, "%sha256-", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_component),
        cmocka_unit_test(test_path_keeps_its_slashes),
        cmocka_unit_test(test_long_names_fit_into_a_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
