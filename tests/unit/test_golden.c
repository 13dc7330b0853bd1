/* golden: what firebreak-sim golden prints against the values that the reference program printed,
 * kept in data/golden_reference.txt. */
#include "cmocka_all.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

#define NEAR 1e-8

static void assert_near(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= NEAR))
        fail_msg("%.60s: got %.12f, want %.12f", what, got, want);
}

/* The row of a list with these counts. */
static const json_t *row_of(const json_t *o, const char *list, const double counts[4])
{
    size_t i;
    const json_t *row;

    json_array_foreach (json_object_get(o, list), i, row) {
        const json_t *of = json_object_get(row, "counts");
        bool same = true;

        for (size_t k = 0; k < 4; k++)
            same &= json_number_value(json_array_get(of, k)) == counts[k];
        if (same)
            return row;
    }
    fail_msg("no row of %s for these counts", list);
    return NULL;
}

static void compare_batch(const json_t *o, const char *line, const double counts[4])
{
    const json_t *log_e = json_object_get(row_of(o, "batches", counts), "log_e");
    const char *at = strchr(line, '[');
    size_t n = 0;

    assert_non_null(at);
    for (at++; *at && *at != ']'; n++) {
        char *end;
        double want = strtod(at, &end);

        assert_near(line, json_number_value(json_array_get(log_e, n)), want);
        at = end + strspn(end, ", ");
    }
    assert_int_equal(n, 11);
    assert_int_equal(json_array_size(log_e), 11);
}

static void compare_pause(const json_t *o, const char *line, size_t at)
{
    const json_t *row = json_array_get(json_object_get(o, "pause"), at);
    int silent = 0, controls = 0;
    double want = 0.0;

    assert_int_equal(
        sscanf(line, "pause lower 99%% bound of %d/%d = %lf", &silent, &controls, &want), 3);
    assert_int_equal(json_integer_value(json_object_get(row, "silent")), silent);
    assert_int_equal(json_integer_value(json_object_get(row, "controls")), controls);
    assert_near(line, json_number_value(json_object_get(row, "lower")), want);
}

static void compare_line(const json_t *o, const char *line, size_t *pauses)
{
    const char *at = strchr(line, '(');
    const char *value = strstr(line, "= ");
    double c[4];

    if (strncmp(line, "pause", 5) == 0) {
        compare_pause(o, line, (*pauses)++);
        return;
    }
    assert_non_null(at);
    assert_int_equal(sscanf(at, "(%lf, %lf, %lf, %lf)", &c[0], &c[1], &c[2], &c[3]), 4);
    if (line[0] == '(') {
        compare_batch(o, line, c);
        return;
    }
    assert_non_null(value);
    if (strncmp(line, "e-process", 9) == 0)
        assert_near(line, json_number_value(json_object_get(row_of(o, "process", c), "log_E")),
                    strtod(value + 2, NULL));
    else
        assert_near(line, json_number_value(json_object_get(row_of(o, "margins", c), "log_e")),
                    strtod(value + 2, NULL));
}

static void agrees_with_the_reference(void **state)
{
    json_t *o = golden_json();
    FILE *f = fopen(TEST_DATA "/golden_reference.txt", "re");
    char line[512];
    size_t lines = 0, pauses = 0;

    (void)state;
    assert_non_null(o);
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        compare_line(o, line, &pauses);
        lines++;
    }
    assert_int_equal(lines, 22);
    fclose(f);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_the_reference)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
