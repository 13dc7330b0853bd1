/* ctl: a rollout's state as people see it. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "status.h"

static const char halted[] =
    "{\"channel\":\"crs\",\"release\":{\"version\":\"3.0\",\"digest\":\"x\",\"sequence\":3},"
    "\"policy\":\"standard\",\"state\":\"halted\",\"verdict\":\"halt\","
    "\"stands\":\"halted: direct evidence\",\"ring\":{\"index\":1,\"of\":5,\"name\":\"2,000\","
    "\"cap\":2000,\"full\":true,\"full_since_s\":185},\"elapsed_s\":61,\"tick\":6,"
    "\"counts\":{\"fleet\":100000,\"staged_ready\":1200,\"admitted\":9,\"acknowledged\":7,"
    "\"healthy\":4,\"crashed\":2,\"rolled_back\":3,\"preflight_failed\":0,\"silent\":1,"
    "\"controls\":1191,\"recalled\":5},\"seconds_to_halt\":58,"
    "\"reasons\":[{\"verdict\":\"halt\",\"scope\":\"fleet\",\"text\":\"3 of 9\\u001b[2J\"}],"
    "\"cohorts\":[{\"name\":\"linux-debian-12\",\"size\":60000,\"ready\":700,\"admitted\":5,"
    "\"healthy\":2,\"direct\":3,\"halted\":true},{\"name\":\"linux-rhel-9\",\"size\":40000,"
    "\"ready\":500,\"admitted\":4,\"healthy\":2,\"direct\":0,\"halted\":false}]}";

static char *show(const char *text, bool colours)
{
    json_auto_t *status = json_loads(text, 0, NULL);
    char *shown = NULL;
    size_t len;
    FILE *mem = open_memstream(&shown, &len);

    assert_non_null(status);
    status_print(status, colours, mem);
    fclose(mem);
    return shown;
}

static void test_whole(void **state)
{
    _cleanup_(free_p)
    char *shown = show(halted, false);

    (void)state;
    assert_string_equal(shown,
                        "crs/3.0  halted after 58 s\n"
                        "  policy standard, tick 6, 1m 01s since its start\n"
                        "  ring 2 of 5 (2,000), up to 2,000 devices\n"
                        "\n"
                        "    FLEET  READY  CONTROLS  ADMITTED  ACKNOWLEDGED  HEALTHY\n"
                        "  100,000  1,200     1,191         9             7        4\n"
                        "\n"
                        "  PREFLIGHT FAILED  CRASHED  ROLLED BACK  SILENT  RECALLED\n"
                        "                 0        2            3       1         5\n"
                        "\n"
                        "  COHORT             SIZE  READY  ADMITTED  HEALTHY  FAILED\n"
                        "  linux-debian-12  60,000    700         5        2       3  halted\n"
                        "  linux-rhel-9     40,000    500         4        2       0\n"
                        "\n"
                        "  halt: direct evidence\n"
                        "  - halt fleet: 3 of 9?[2J\n");
}

/* Colours only where asked for; an answer that lacks everything is shown, not crashed on. */
static void test_colours_and_gaps(void **state)
{
    _cleanup_(free_p)
    char *coloured = show(halted, true);
    _cleanup_(free_p)
    char *baking = show("{\"state\":\"running\",\"ring\":{\"index\":0,\"of\":2,\"name\":\"10 %\","
                        "\"cap\":20,\"full\":true,\"full_since_s\":185}}",
                        false);
    _cleanup_(free_p)
    char *bare = show("{\"state\":\"running\",\"ring\":7,\"cohorts\":{}}", false);

    (void)state;
    assert_non_null(strstr(coloured, "\033[31;1mhalted\033[0m"));
    assert_null(strchr(bare, '\033'));
    assert_non_null(strstr(bare, "running"));
    assert_null(strstr(bare, "ring "));
    assert_non_null(strstr(baking, "  ring 1 of 2 (10 %), up to 20 devices, full for 3m 05s\n"));
}

static void test_one_line(void **state)
{
    json_auto_t *status = json_loads(halted, 0, NULL);
    _cleanup_(free_p)
    char *shown = NULL;
    size_t len;
    FILE *mem = open_memstream(&shown, &len);

    (void)state;
    status_print_line(status, mem);
    fclose(mem);
    assert_string_equal(shown,
                        "3.0 halted, ring 2 of 5, admitted 9, healthy 4, crashed 2, silent 1, "
                        "rolled back 3, recalled 5; halt: direct evidence\n");
}

/* What ended is told once, not as "wait: complete: ...", and no reason repeats it. */
static void test_ended(void **state)
{
    _cleanup_(free_p)
    char *shown =
        show("{\"state\":\"complete\",\"verdict\":\"wait\",\"stands\":\"complete: 9 of 9\","
             "\"reasons\":[{\"verdict\":\"promote\",\"text\":\"9 of 9\"}]}",
             false);

    (void)state;
    assert_non_null(strstr(shown, "\n  complete: 9 of 9\n"));
    assert_null(strstr(shown, "wait"));
    assert_null(strstr(shown, "promote"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_colours_and_gaps),
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
