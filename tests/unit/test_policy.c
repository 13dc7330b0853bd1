/* policy, policy_file: the shipped files, and what is refused with which words. */
#include "cmocka_all.h"

#include <stdio.h>
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

#define HEAD "{\"name\": \"p\", \"version\": 1, "
#define RING "\"rings\": [{\"share_ppm\": 1000000}]"

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
        {HEAD "\"rings\": [{\"devices\": 5}, {\"share_ppm\": 1000000}]}", "'share_ppm' is missing"},
        {HEAD "\"rings\": [{\"share_ppm\": 1000000, \"rho_cr\": 2}]}", "no ring after it"},
        {HEAD "\"rings\": [{\"share_ppm\": 10000, \"rho_cr\": 2}, {\"share_ppm\": 1000000}]}",
         "ring 1 (1 %) asks a margin, but no bake"},
        {HEAD "\"alpha\": 0.2, " RING "}", "alpha"},
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
        cmocka_unit_test(test_metrics_spend_all),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_names_do_not_leave_the_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
