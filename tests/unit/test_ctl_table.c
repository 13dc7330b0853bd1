/* ctl: tables align, numbers and durations read well, text cannot command the terminal. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "table.h"

static void test_numbers(void **state)
{
    static const struct {
        int64_t n;
        const char *want;
    } table[] = {{0, "0"},          {999, "999"},   {1000, "1,000"},
                 {-1234, "-1,234"}, {-123, "-123"}, {8500000, "8,500,000"}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[32];

        table_format_number(table[i].n, text);
        assert_string_equal(text, table[i].want);
    }
}

static void test_durations(void **state)
{
    static const struct {
        int64_t s;
        const char *want;
    } table[] = {{-3, "0 s"},      {59, "59 s"},        {60, "1m 00s"},    {185, "3m 05s"},
                 {7800, "2h 10m"}, {259199, "71h 59m"}, {259200, "3 days"}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[32];

        table_format_duration(table[i].s, text);
        assert_string_equal(text, table[i].want);
    }
}

static void test_safe(void **state)
{
    char safe[32];

    (void)state;
    assert_string_equal(table_safe("a\033[2Jb\r\n\x7f", safe, sizeof safe), "a?[2Jb???");
    assert_string_equal(table_safe("\xc2\x9b"
                                   "1m",
                                   safe, sizeof safe),
                        "?1m");
    assert_string_equal(table_safe("gr\xc3\xbc\xc3\x9f", safe, sizeof safe), "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(table_safe("0123456789", safe, 5), "0123");
}

static void test_aligned(void **state)
{
    static const struct table_column columns[] = {{"NAME", false}, {"N", true}, {"END", false}};
    _cleanup_(free_p)
    char *text = NULL;
    struct table t;
    size_t len;
    FILE *mem = open_memstream(&text, &len);

    (void)state;
    table_init(&t, columns, 3);
    table_text(&t, "\xc3\xbc-name-x"); /* eight columns in nine bytes */
    table_number(&t, 12345);
    table_text(&t, NULL);
    table_text(&t, "b");
    table_number(&t, 7);
    table_text(&t, "z");
    table_print(&t, 2, mem);
    fclose(mem);
    table_release(&t);
    assert_string_equal(text, "  NAME           N  END\n"
                              "  \xc3\xbc-name-x  12,345  -\n"
                              "  b              7  z\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_safe),
        cmocka_unit_test(test_aligned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
