/* scope: which platform bears alone what a node shows. */
#include "cmocka_all.h"

#include <string.h>

#include "scope.h"

/* Two builds of windows, two of linux, one of macos. */
static void five(struct topology *t)
{
    static const char *const os[] = {"windows", "linux", "macos"};

    memset(t, 0, sizeof(*t));
    t->n_os = 3;
    t->n_cohorts = 5;
    for (int i = 0; i < 3; i++)
        strcpy(t->os[i], os[i]);
    for (int c = 0; c < 5; c++) {
        t->cohorts[c].name[0] = (char)('a' + c);
        t->cohorts[c].os = c / 2;
        t->cohorts[c].size = 1000;
    }
}

#define COHORT(c) (TOPOLOGY_COHORT_NODE + (c))

static void test_where_it_lies(void **state)
{
    static const struct {
        int node;
        struct scope_part parts[5]; /* treated, failed, explained */
        int scope;
    } rows[] = {
        {0, {{4, 4, 0}, {40, 0, 0}, {40, 0, 0}, {40, 0, 0}, {40, 0, 0}}, COHORT(0)},
        {1, {{4, 4, 0}, {40, 0, 0}}, COHORT(0)},
        {0, {{40, 0, 0}, {40, 0, 0}, {40, 0, 0}, {40, 0, 0}, {9, 9, 0}}, COHORT(4)},
        /* few elsewhere: nothing excuses them */
        {0, {{4, 4, 0}, {1, 0, 0}, {1, 0, 0}, {0, 0, 0}, {0, 0, 0}}, 0},
        {0, {{40, 4, 0}, {20, 0, 0}}, 0},
        /* a family */
        {0, {{4, 4, 0}, {4, 3, 0}, {40, 0, 0}, {40, 0, 0}, {40, 0, 0}}, 1},
        {1, {{4, 4, 0}, {4, 3, 0}}, 1},
        /* a second platform fails, too */
        {0, {{4, 4, 0}, {40, 0, 0}, {4, 2, 0}, {40, 0, 0}, {40, 0, 0}}, 0},
        {0, {{40, 4, 0}, {40, 4, 0}, {40, 4, 0}, {40, 4, 0}, {40, 4, 0}}, 0},
        /* what fails elsewhere is what fails anyway */
        {0, {{40, 20, 1}, {400, 9, 9}, {400, 8, 9}, {400, 7, 9}, {400, 5, 9}}, COHORT(0)},
        {0, {{40, 20, 1}, {400, 9, 9}, {400, 30, 9}, {400, 7, 9}, {400, 5, 9}}, 0},
        /* a cohort is itself */
        {COHORT(3), {{4, 4, 0}}, COHORT(3)},
        {0, {{0}}, 0},
    };
    struct topology t;

    (void)state;
    five(&t);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scope_part parts[GATE_MAX_COHORTS] = {{0}};

        memcpy(parts, rows[i].parts, sizeof(rows[i].parts));
        if (scope_of(&t, rows[i].node, parts) != rows[i].scope)
            fail_msg("row %zu: %d, not %d", i, scope_of(&t, rows[i].node, parts), rows[i].scope);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_where_it_lies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
