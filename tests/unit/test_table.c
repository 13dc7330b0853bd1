/* table: percentiles and shares of outcomes given by hand; the same row from any number of threads;
 * the result's JSON is that of CONTRACTS. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* Outcomes that depend on the seed alone, a third of them halted. */
static int play_by_seed(const struct scenario *s, const struct policy *p, uint64_t seed,
                        const void *ctx, struct outcome *ret, struct err *err)
{
    const uint64_t *fails = ctx;
    bool halted = seed % 3 == 0;

    (void)s;
    (void)p;
    if (fails && seed % *fails == 0)
        return err_set(err, ERR_INVALID, "a bad seed");
    *ret = (struct outcome){.harm = (int64_t)(seed % 1000),
                            .exposed_at_halt = (int64_t)(seed % 77),
                            .halt_min = halted ? (double)(seed % 50) : -1.0,
                            .complete_min = halted ? -1.0 : 100.0 + (double)(seed % 10),
                            .ask_min = -1.0,
                            .halted_cohorts = halted,
                            .false_halts = halted,
                            .unproven = seed % 7 == 0,
                            .peak_checkins = (double)(seed % 333)};
    return 0;
}

static int run(int seeds, int threads, table_play play, const void *ctx, const char *name,
               struct table_row *ret, struct err *err)
{
    struct scenario s;
    struct policy p;
    struct table_job job = {.scenario = &s,
                            .policy = &p,
                            .policy_name = "standard",
                            .play = play,
                            .ctx = ctx,
                            .seeds = seeds,
                            .seed = 9,
                            .threads = threads};

    policy_standard(&p);
    memset(err, 0, sizeof(*err));
    if (scenario_read(SOURCE_DIR "/canary/sim/scenarios", name, &s, err) < 0)
        fail_msg("%s", err->msg);
    memset(ret, 0, sizeof(*ret));
    return table_run(&job, ret, err);
}

static void assert_same_row(const struct table_row *a, const struct table_row *b)
{
    json_t *x = table_json(a), *y = table_json(b);

    assert_non_null(x);
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

static void the_row_does_not_depend_on_threads(void **state)
{
    struct table_row one, many, other;
    struct err err;

    (void)state;
    assert_int_equal(run(1000, 1, play_by_seed, NULL, "S2", &one, &err), 0);
    assert_int_equal(run(1000, 7, play_by_seed, NULL, "S2", &many, &err), 0);
    assert_same_row(&one, &many);
    assert_true(one.harm.p50 > 400 && one.harm.p50 < 600 && one.harm.p99 > 970);
    assert_true(one.halts > 250 && one.halts < 420);
    assert_int_equal(one.halts, one.false_halts);
    assert_int_equal(one.halt_min.n + one.complete_min.n, 1000);
    assert_true(one.complete_min.p50 >= 100.0 && one.complete_min.p95 <= 109.0);
    /* the real gate */
    assert_int_equal(run(6, 1, NULL, NULL, "S2", &one, &err), 0);
    assert_int_equal(run(6, 3, NULL, NULL, "S2", &many, &err), 0);
    assert_same_row(&one, &many);
    assert_int_equal(run(6, 3, NULL, NULL, "S3", &other, &err), 0);
    assert_true(one.halt_min.p50 != other.halt_min.p50);
}

static void a_seed_that_fails_fails_the_row(void **state)
{
    uint64_t every = 10;
    struct table_row row;
    struct err err;

    (void)state;
    assert_int_equal(run(1000, 4, play_by_seed, &every, "S2", &row, &err), -ERR_INVALID);
    assert_string_equal(err.msg, "scenario 'S2': a bad seed");
    assert_int_equal(row.seeds, 0);
}

static void json_is_the_contracts(void **state)
{
    static const char *const keys[] = {"scenario",        "policy",     "seeds",  "harm",
                                       "exposed_at_halt", "halt_min",   "p_halt", "halted_cohorts",
                                       "complete_min",    "false_halts"};
    struct table_row row;
    struct err err;
    json_t *o;

    (void)state;
    assert_int_equal(run(20, 2, NULL, NULL, "S1", &row, &err), 0);
    o = table_json(&row);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_non_null(json_object_get(o, keys[i]));
    assert_non_null(json_object_get(json_object_get(o, "harm"), "p50"));
    assert_non_null(json_object_get(json_object_get(o, "harm"), "p99"));
    assert_true(json_is_null(json_object_get(json_object_get(o, "complete_min"), "p95")));
    assert_true(json_real_value(json_object_get(o, "p_halt")) == 1.0);
    json_decref(o);
}

static void misses_are_named(void **state)
{
    struct table_row row;
    struct err err;
    struct scenario_targets t = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    assert_int_equal(run(20, 2, NULL, NULL, "S1", &row, &err), 0);
    assert_int_equal(table_print_missed(out, &row, &t), 0);
    t.harm_p50 = 3;
    t.harm_p99 = 5;
    t.p_halt_max = 0;
    assert_int_equal(table_print_missed(out, &row, &t), 2);
    table_print_heading(out);
    table_print(out, &row, &t);
    fclose(out);
    assert_non_null(strstr(text, "S1 of 8500000: crashed p50 4, target at most 3\n"));
    assert_non_null(strstr(text, "S1 of 8500000: share halted 1, target at most 0\n"));
    assert_non_null(strstr(text, "8.50M"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_row_does_not_depend_on_threads),
        cmocka_unit_test(a_seed_that_fails_fails_the_row),
        cmocka_unit_test(json_is_the_contracts),
        cmocka_unit_test(misses_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
