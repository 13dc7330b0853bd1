/* policy, policy_file: the shipped files, and what is refused with which words. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_file.h"

#define POLICIES SOURCE_DIR "/canary/policies"

static void assert_same(const struct policy *a, const struct policy *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n_rings, b->n_rings);
    for (int i = 0; i < a->n_rings; i++) {
        const struct policy_ring *x = &a->rings[i], *y = &b->rings[i];

        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->share_ppm, y->share_ppm);
        assert_int_equal(x->bake_ms, y->bake_ms);
        assert_true(x->rho_cr == y->rho_cr && x->rho_sl == y->rho_sl);
    }
    assert_int_equal(a->fast_tick_ms, b->fast_tick_ms);
    assert_int_equal(a->tick_ms, b->tick_ms);
    assert_true(a->alpha == b->alpha && a->alpha_warn == b->alpha_warn);
    assert_true(a->tau == b->tau && a->tau_rb == b->tau_rb);
    assert_true(a->growth_fast == b->growth_fast && a->growth == b->growth);
    assert_int_equal(a->n_adv, b->n_adv);
    assert_int_equal(a->n0, b->n0);
    assert_int_equal(a->max_admissions_s, b->max_admissions_s);
    assert_int_equal(a->stuck_ticks, b->stuck_ticks);
    assert_int_equal(a->small_fleet, b->small_fleet);
    assert_int_equal(a->direct_window_ms, b->direct_window_ms);
    assert_int_equal(a->slow_window_ms, b->slow_window_ms);
    assert_int_equal(a->fresh_wake_ms, b->fresh_wake_ms);
    assert_int_equal(a->stage_wait_ticks, b->stage_wait_ticks);
    assert_int_equal(a->budget_s, b->budget_s);
    assert_int_equal(a->holdout_ppm, b->holdout_ppm);
    assert_int_equal(a->holdout_ms, b->holdout_ms);
}

static void test_shipped_policies(void **state)
{
    struct policy file, standard;
    struct err err = {0};
    char why[160];

    (void)state;
    policy_standard(&standard);
    assert_null(policy_check(&standard, why, sizeof(why)));
    assert_int_equal(policy_read(POLICIES, "standard", NULL, &file, &err), 0);
    assert_same(&file, &standard);
    assert_int_equal(policy_read(POLICIES, "urgent", NULL, &file, &err), 0);
    assert_int_equal(file.rings[1].bake_ms, 300000);
    assert_true(file.rings[3].rho_cr == 3.0);
    assert_int_equal(policy_read(POLICIES, "demo", NULL, &file, &err), 0);
    assert_int_equal(file.tick_ms, 1000);
    for (int i = 0; i < file.n_rings; i++)
        assert_true(file.rings[i].rho_cr == 0.0 && file.rings[i].rho_sl == 0.0);
}

/* What is written into a record is read as the same policy. */
static void test_written_policies_are_read_as_they_were(void **state)
{
    static const char *const names[] = {"standard", "urgent", "demo"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct policy p, again;
        struct err err = {0};
        json_t *o;
        char *text;

        assert_int_equal(policy_read(POLICIES, names[i], NULL, &p, &err), 0);
        p.underpowered = i % 2 ? UNDERPOWERED_APPROVE : UNDERPOWERED_BAKE;
        p.tau = 1.0 / 3000.0;
        p.fast_tick_ms = 333;
        o = policy_to_json(&p);
        text = json_dumps(o, JSON_COMPACT);
        if (policy_parse(text, strlen(text), "p.json", &again, &err) < 0)
            fail_msg("%s", err.msg);
        assert_same(&p, &again);
        assert_int_equal(p.underpowered, again.underpowered);
        assert_int_equal(p.version, again.version);
        assert_int_equal(p.long_silence_ms, again.long_silence_ms);
        assert_int_equal(p.reboot_window_ms, again.reboot_window_ms);
        free(text);
        json_decref(o);
    }
}

static void test_metrics_spend_all(void **state)
{
    double sum = 0.0;

    (void)state;
    for (int m = 0; m < N_METRICS; m++)
        sum += metric_weight((enum metric)m);
    assert_true(sum > 1.0 - 1e-12 && sum < 1.0 + 1e-12);
    assert_string_equal(metric_name(METRIC_CR), "CR");
    assert_int_equal(metric_lag_ticks(METRIC_SF), 5);
}

static void test_a_policys_own_metrics_share_the_error(void **state)
{
    static const char text[] =
        "{\"name\": \"p\", \"version\": 1, \"rings\": [{\"share_ppm\": 1000000}], \"metrics\": ["
        "{\"name\": \"blocked\", \"limit\": 50, \"weight\": 0.2, \"halts\": true}, "
        "{\"name\": \"restarts\", \"limit\": 2.5, \"weight\": 0.05, \"halts\": false}]}";
    struct policy p, again;
    struct err err = {0};
    enum metric m;
    double sum = 0.0;
    json_t *o;
    char *written;

    (void)state;
    if (policy_parse(text, strlen(text), "p.json", &p, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(policy_metrics(&p), N_METRICS + 2);
    for (int i = 0; i < policy_metrics(&p); i++)
        sum += policy_metric_weight(&p, (enum metric)i);
    assert_true(sum > 1.0 - 1e-12 && sum < 1.0 + 1e-12);
    assert_true(policy_metric_weight(&p, METRIC_SF) < metric_weight(METRIC_SF) * 0.75 + 1e-12);
    assert_true(policy_find_metric(&p, "restarts", &m) && (int)m == N_METRICS + 1);
    assert_false(policy_metric_halts(&p, m));
    assert_true(policy_find_metric(&p, "SL", &m) && m == METRIC_SL && policy_metric_halts(&p, m));
    assert_false(policy_find_metric(&p, "sl", &m));

    o = policy_to_json(&p);
    written = json_dumps(o, JSON_COMPACT);
    assert_int_equal(policy_parse(written, strlen(written), "p.json", &again, &err), 0);
    assert_int_equal(again.n_extras, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(again.extras[i].name, p.extras[i].name);
        assert_true(again.extras[i].limit == p.extras[i].limit);
        assert_true(again.extras[i].weight == p.extras[i].weight);
        assert_int_equal(again.extras[i].halts, p.extras[i].halts);
    }
    free(written);
    json_decref(o);
}

#define HEAD "{\"name\": \"p\", \"version\": 1, "
#define RING "\"rings\": [{\"share_ppm\": 1000000}]"
#define ONE  "{\"share_ppm\": 10000, \"bake_s\": 60"
#define ALL  "{\"share_ppm\": 1000000}"
#define OWN(name, limit, weight)                                                                   \
    "{\"name\": " name ", \"limit\": " limit ",\n\"weight\": " weight ", \"halts\": true}"
#define OWNS(list) HEAD RING ",\n\"metrics\": [" list "]}"

static void test_bad_files_are_refused(void **state)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"{", "line 1"},
        {"[]", "not an object"},
        {"{\"name\": \"../x\", \"version\": 1, " RING "}", "'name'"},
        {HEAD RING "", "line 1"},
        {HEAD "\"colour\": 1, " RING "}", "unknown field 'colour'"},
        {HEAD "\"n0\": 1.5, " RING "}", "'n0' is not a whole number"},
        {HEAD "\"n0\": 0, " RING "}", "'n0' is outside 1 to 1000"},
        {HEAD "\"tick_s\": \"1\", " RING "}", "'tick_s' is not a number"},
        {HEAD "\"tick_s\": 1, \"tick_s\": 2, " RING "}", "duplicate"},
        {HEAD "\"underpowered\": \"hope\", " RING "}", "'underpowered' is not 'bake' or 'approve'"},
        {HEAD "\"rings\": []}", "'rings' is not a list"},
        {HEAD "\"rings\": [{\"share_ppm\": 10000}]}", "the last ring is not 100 %"},
        {HEAD "\"rings\": [{\"share_ppm\": 10000}, {\"share_ppm\": 10000}, "
              "{\"share_ppm\": 1000000}]}",
         "ring 2 (1 %) does not grow over ring 1"},
        {HEAD "\"rings\": [{\"share_ppm\": 1000000}, {\"canary\": true}]}",
         "ring 2 (the canary group) must come first"},
        {HEAD "\"rings\": [{\"canary\": true, \"share_ppm\": 5}, {\"share_ppm\": 1000000}]}",
         "no size of its own"},
        {HEAD "\"rings\": [{\"devices\": 5}, {\"share_ppm\": 1000000}]}",
         "'rings[0].share_ppm' is missing"},
        {HEAD "\"rings\": [{\"share_ppm\": 1000000, \"rho_cr\": 2}]}", "no ring after it"},
        {HEAD "\"rings\": [{\"share_ppm\": 10000, \"rho_cr\": 2}, {\"share_ppm\": 1000000}]}",
         "ring 1 (1 %) asks a margin, but no bake"},
        {HEAD "\"alpha\": 0.2, " RING "}", "alpha"},
        /* the line, too */
        {HEAD "\n\"colour\": 1,\n" RING "}", "p.json: line 2: unknown field 'colour'"},
        {HEAD RING ",\n\n\"n0\": -4}", "p.json: line 3: 'n0' is outside 1 to 1000"},
        {HEAD RING ",\n\"alpha\": 0.2}", "p.json: line 2: alpha must be in (0, 0.05]"},
        {HEAD RING ",\n\"alpha\": 0.01,\n\"alpha_warn\": 0.005}", "line 3: alpha_warn must be"},
        {HEAD RING ",\n\"tau\": 0.5}", "line 2: tau must be in [0, 0.05]"},
        {HEAD RING ",\n\"fast_tick_s\": 90}", "line 2: the fast tick must not be longer"},
        {HEAD RING ",\n\"holdout_ppm\": 60000}", "line 2: holdout must be at most 5 %"},
        {HEAD RING ",\n\"budget_s\": 1e30}", "line 2: 'budget_s' is not a whole number"},
        {HEAD RING ",\n\"budget_s\": 9000000000000000000}", "line 2: 'budget_s' is outside"},
        {HEAD RING ",\n\"growth\": 1e300}", "line 2: 'growth' is outside 0 to 10"},
        {HEAD RING ",\n\"growth\": 1e999}", "line 2"},
        {HEAD RING ",\n\"growth\": NaN}", "line 2"},
        {HEAD RING ",\n\"growth\": -0.0}", "line 2: growth must be in (0, 10]"},
        {HEAD RING ",\n\"n0\": 4,\n\"n0\": 4}", "line 3"},
        {HEAD RING ",\n\"description\": 7}", "line 2: 'description' is not a string"},
        {"{\"version\": 1,\n\"name\": \"P\",\n" RING "}", "line 2: 'name' is not of a-z"},
        {"{\"version\": 1,\n\"name\": \"p\\u0000q\",\n" RING "}", "p.json: "},
        {"{\n" RING "}", "p.json: line 1: 'name' is missing"},
        {HEAD "\"rings\": [\n" ONE "},\n" ONE "},\n" ALL "]}",
         "line 3: ring 2 (1 %) does not grow over ring 1"},
        {HEAD "\"rings\": [\n{\"share_ppm\": 20000},\n" ONE "},\n" ALL "]}",
         "line 3: ring 2 (1 %) does not grow over ring 1"},
        {HEAD "\"rings\": [\n{\"devices\": 2000, \"share_ppm\": 10000},\n"
              "{\"devices\": 2000, \"share_ppm\": 10000},\n" ALL "]}",
         "line 3: ring 2 (2,000 devices) does not grow over ring 1"},
        {HEAD "\"rings\": [\n{\"share_ppm\": 1000001}]}",
         "line 2: 'rings[0].share_ppm' is outside 1 to 1000000"},
        {HEAD "\"rings\": [\n{\"share_ppm\": -1}]}", "line 2: 'rings[0].share_ppm' is outside"},
        {HEAD "\"rings\": [\n" ONE ",\n\"rho_cr\": 0.9},\n" ALL "]}",
         "line 3: 'rings[0].rho_cr' is outside 1 to 1000"},
        {HEAD "\"rings\": [\n" ONE ",\n\"rho_sl\": 1},\n" ALL "]}",
         "line 3: ring 1 (1 %) asks a margin that is not above 1"},
        {HEAD "\"rings\": [\n" ONE ",\n\"rho\": 2},\n" ALL "]}",
         "line 3: unknown field 'rings[0].rho'"},
        {HEAD "\"rings\": [\n" ALL ",\n{\"canary\": true}]}", "line 3: ring 2 (the canary group)"},
        {HEAD "\"rings\": [\n" ONE "},\n7]}", "line 3: 'rings[1]' is not an object"},
        {HEAD "\"rings\": [\n" ONE "},\n{\"bake_s\": 1}]}",
         "line 3: 'rings[1].share_ppm' is missing"},
        {HEAD "\"rings\": [\n" ONE "},\n{\"share_ppm\": 20000}]}",
         "line 3: the last ring is not 100 %"},
        {HEAD RING ",\n\"metrics\": {}}", "line 2: 'metrics' is not a list of at most 4"},
        {OWNS(OWN("\"a\"", "1", "0.1") "," OWN("\"b\"", "1", "0.1") "," OWN(
             "\"c\"", "1", "0.1") "," OWN("\"d\"", "1", "0.1") "," OWN("\"e\"", "1", "0.1")),
         "line 2: 'metrics' is not a list of at most 4"},
        {OWNS("7"), "line 2: 'metrics[0]' is not an object"},
        {OWNS("{\"name\": \"a\", \"limit\": 1, \"weight\": 0.1}"),
         "line 2: 'metrics[0].halts' is missing"},
        {OWNS("{\"name\": \"a\", \"limit\": 1, \"weight\": 0.1,\n\"halts\": 1}"),
         "line 3: 'metrics[0].halts' is not true or false"},
        {OWNS("{\"name\": \"a\", \"limit\": 1, \"weight\": 0.1, \"halts\": true,\n\"x\": 1}"),
         "line 3: unknown field 'metrics[0].x'"},
        {OWNS(OWN("\"Blocked\"", "1", "0.1")), "line 2: a metric's name is not 1 to 23 of a-z"},
        {OWNS(OWN("\"-a\"", "1", "0.1")), "line 2: a metric's name is not"},
        {OWNS(OWN("\"\"", "1", "0.1")), "line 2: a metric's name is not"},
        {OWNS(OWN("\"abcdefghijabcdefghijabcd\"", "1", "0.1")),
         "line 2: 'metrics[0].name' is not 1 to 23"},
        {OWNS(OWN("\"a\\u0000b\"", "1", "0.1")), "p.json: "},
        {OWNS(OWN("5", "1", "0.1")), "line 2: 'metrics[0].name' is not 1 to 23"},
        {OWNS(OWN("\"sf\"", "1", "0.1")), "line 2: a metric's name is taken"},
        {OWNS(OWN("\"a\"", "1", "0.1") "," OWN("\"a\"", "2", "0.1")),
         "line 3: a metric's name is taken"},
        {OWNS(OWN("\"a\"", "-1", "0.1")), "line 2: 'metrics[0].limit' is outside"},
        {OWNS(OWN("\"a\"", "1e16", "0.1")), "line 2: 'metrics[0].limit' is outside"},
        {OWNS(OWN("\"a\"", "1e999", "0.1")), "p.json: "},
        {OWNS(OWN("\"a\"", "1", "0")), "line 3: a metric's weight must be in (0, 0.5)"},
        {OWNS(OWN("\"a\"", "1", "0.5")), "line 3: a metric's weight must be in (0, 0.5)"},
        {OWNS(OWN("\"a\"", "1", "0.3") "," OWN("\"b\"", "1", "0.2")),
         "line 2: the metrics' weights sum to 0.5 or more"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct policy p = {.version = 77};
        struct err err = {0};

        assert_int_equal(policy_parse(rows[i].json, strlen(rows[i].json), "p.json", &p, &err),
                         -ERR_POLICY);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu says '%s', want '%s'", i, err.msg, rows[i].says);
        assert_int_equal(p.version, 77); /* untouched */
    }
}

static void test_names_do_not_leave_the_folder(void **state)
{
    struct policy p;
    struct err err = {0};

    (void)state;
    assert_int_equal(policy_read(POLICIES, "../policies/demo", NULL, &p, &err), -ERR_INVALID);
    assert_int_equal(policy_read(POLICIES, "", NULL, &p, &err), -ERR_INVALID);
    assert_int_equal(policy_read(POLICIES, "none", NULL, &p, &err), -ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_policies),
        cmocka_unit_test(test_written_policies_are_read_as_they_were),
        cmocka_unit_test(test_metrics_spend_all),
        cmocka_unit_test(test_a_policys_own_metrics_share_the_error),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_names_do_not_leave_the_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
