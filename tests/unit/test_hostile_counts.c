/* The gate's public entries on what cannot be: NaN, infinite, negative and contradictory numbers
 * are refused or say nothing, and change nothing. */
#include "cmocka_all.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "pacing.h"
#include "ring.h"
#include "tolerance.h"
#include "two_platforms.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- policies ---- */

#define P(member)                                                                                  \
    {                                                                                              \
#member, offsetof(struct policy, member)                                                   \
    }
static const struct place {
    const char *name;
    size_t offset;
} reals[] = {P(alpha),           P(alpha_warn),     P(tau), P(tau_rb), P(growth_fast), P(growth),
             P(rings[1].rho_cr), P(rings[2].rho_sl)},
  wholes[] = {P(fast_tick_ms),
              P(tick_ms),
              P(n_adv),
              P(n0),
              P(max_admissions_s),
              P(stuck_ticks),
              P(small_fleet),
              P(direct_window_ms),
              P(slow_window_ms),
              P(fresh_wake_ms),
              P(long_silence_ms),
              P(reboot_window_ms),
              P(stage_wait_ticks),
              P(budget_s),
              P(holdout_ppm),
              P(holdout_ms),
              P(rings[1].bake_ms),
              P(rings[1].count),
              P(rings[1].share_ppm)};
#undef P

static void refuses(const struct policy *p, const char *name)
{
    struct topology t;
    struct rollout r;
    char why[160];

    topology_of(500, &t);
    if (!policy_check(p, why, sizeof(why)))
        fail_msg("a policy with an impossible %s is taken", name);
    assert_int_equal(rollout_init(&r, p, &t, 0, why, sizeof(why)), -1);
}

static void test_policies(void **state)
{
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY, -1.0, 1e300};
    static const int64_t far[] = {INT64_MIN, -1, INT64_MAX};
    struct policy p;

    (void)state;
    for (size_t i = 0; i < N(reals); i++)
        for (size_t k = 0; k < N(bad); k++) {
            policy_standard(&p);
            memcpy((char *)&p + reals[i].offset, &bad[k], sizeof(bad[k]));
            refuses(&p, reals[i].name);
        }
    for (size_t i = 0; i < N(wholes); i++)
        for (size_t k = 0; k < N(far); k++) {
            policy_standard(&p);
            memcpy((char *)&p + wholes[i].offset, &far[k], sizeof(far[k]));
            refuses(&p, wholes[i].name);
        }
}

/* ---- fleets ---- */

static void test_fleets(void **state)
{
    static const int64_t sizes[] = {INT64_MIN, -1, GATE_MAX_DEVICES + INT64_C(1), INT64_MAX};
    struct policy p;
    struct topology t;
    struct rollout r;
    char why[160];

    (void)state;
    policy_standard(&p);
    for (size_t i = 0; i < N(sizes); i++) {
        topology_of(500, &t);
        t.cohorts[1].size = sizes[i];
        assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), -1);
        topology_of(500, &t);
        assert_int_equal(rollout_init(&r, &p, &t, sizes[i], why, sizeof(why)), -1);
    }
    topology_of(500, &t);
    assert_int_equal(rollout_init(&r, &p, &t, 501, why, sizeof(why)), -1);
    t.n_cohorts = GATE_MAX_COHORTS + 1;
    assert_non_null(topology_check(&t));
    t.n_cohorts = 0;
    assert_non_null(topology_check(&t));
    topology_of(500, &t);
    t.cohorts[0].os = 2;
    assert_non_null(topology_check(&t));
}

/* ---- ticks ---- */

static void sane_facts(struct rollout_facts *f)
{
    memset(f, 0, sizeof(*f));
    f->tick = 10;
    f->now_ms = 600000;
    f->pace_ppm = 1000000;
    f->groups = 2;
    f->tick_controls = 300;
    f->hears = true;
    f->cohorts[0] = (struct cohort_facts){.ready = 300,
                                          .late = 1,
                                          .staging = 5,
                                          .passed_away = 2,
                                          .admitted = 9,
                                          .healthy = 5,
                                          .healthy_slow = 2,
                                          .excused = 1,
                                          .overdue = 1,
                                          .canary_size = 4,
                                          .canary_ready = 1,
                                          .canary_admitted = 2,
                                          .direct = 0,
                                          .soaking = 4,
                                          .control_crashes = 1,
                                          .controls = 290,
                                          .heard = 8,
                                          .away = 3,
                                          .canary_away = 1};
}

static void must_refuse(struct rollout *r, const struct rollout_facts *f, const char *what)
{
    struct rollout before;
    struct rollout_decision d;

    memcpy(&before, r, sizeof(before));
    if (rollout_tick(r, f, &d) != -1)
        fail_msg("facts with impossible %s are taken", what);
    assert_memory_equal(&before, r, sizeof(before));
    assert_int_equal(d.admit_fleet, 0);
}

#define C(member)                                                                                  \
    {                                                                                              \
#member, offsetof(struct rollout_facts, cohorts[0].member)                                 \
    }
#define F(member)                                                                                  \
    {                                                                                              \
#member, offsetof(struct rollout_facts, member)                                            \
    }
static const struct place counts[] = {C(ready),           C(late),          C(staging),
                                      C(passed_away),     C(admitted),      C(healthy),
                                      C(healthy_slow),    C(excused),       C(overdue),
                                      C(canary_size),     C(canary_ready),  C(canary_admitted),
                                      C(direct),          C(soaking),       C(control_crashes),
                                      C(controls),        C(heard),         C(away),
                                      C(canary_away),     F(now_ms),        F(tick),
                                      F(silent_controls), F(tick_controls), F(pace_ppm)};
#undef C
#undef F

static void test_impossible_counts_change_nothing(void **state)
{
    static const int64_t far[] = {INT64_MIN, -1, INT64_MAX};
    struct policy p;
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 0);
    sane_facts(&f);
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    for (size_t i = 0; i < N(counts); i++)
        for (size_t k = 0; k < N(far); k++) {
            sane_facts(&f);
            memcpy((char *)&f + counts[i].offset, &far[k], sizeof(far[k]));
            must_refuse(&r, &f, counts[i].name);
        }
    sane_facts(&f);
    f.silent_groups = -1;
    must_refuse(&r, &f, "silent_groups");
    sane_facts(&f);
    f.groups = -1;
    must_refuse(&r, &f, "groups");
}

/* Each number alone could be. */
static void test_contradictions_change_nothing(void **state)
{
    static const struct {
        const char *what;
        size_t offset;
        int64_t value;
    } rows[] = {
#define ROW(member, value) {#member, offsetof(struct rollout_facts, member), value}
        ROW(cohorts[0].healthy, 10),
        ROW(cohorts[0].healthy_slow, 6),
        ROW(cohorts[0].excused, 4),
        ROW(cohorts[0].overdue, 4),
        ROW(cohorts[0].canary_admitted, 10),
        ROW(cohorts[0].soaking, 10),
        ROW(cohorts[0].control_crashes, 291),
        ROW(cohorts[0].heard, 10),
        ROW(cohorts[0].canary_away, 4),
        ROW(silent_controls, 301),
        ROW(now_ms, 599999),
        ROW(pace_ppm, 1000001),
#undef ROW
    };
    struct policy p;
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 0);
    sane_facts(&f);
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    for (size_t i = 0; i < N(rows); i++) {
        sane_facts(&f);
        memcpy((char *)&f + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        must_refuse(&r, &f, rows[i].what);
    }
}

static void test_impossible_batches_change_nothing(void **state)
{
    static const struct batch bad[] = {
        {.n_t = -1, .n_c = 5},
        {.n_t = 5, .f_t = -1, .n_c = 5},
        {.n_t = 5, .f_t = 6, .n_c = 5},
        {.n_t = 5, .n_c = -1},
        {.n_t = 5, .n_c = 5, .f_c = -1},
        {.n_t = 5, .n_c = 5, .f_c = 6},
        {.n_t = INT64_MAX, .n_c = INT64_MAX},
        {.n_t = 5, .n_c = 5, .cohort = -1},
        {.n_t = 5, .n_c = 5, .cohort = 2},
        {.n_t = 5, .n_c = 5, .metric = N_METRICS},
        {.n_t = 5, .n_c = 5, .stratum = N_STRATA},
        {.n_t = 5, .n_c = 5, .tick = -1},
        {.n_t = 5, .n_c = 5, .tick = 11}, /* of a tick that is still to come */
    };
    const struct batch good = {.n_t = 5, .f_t = 5, .n_c = 300};
    struct policy p;
    struct rollout r;
    struct rollout_facts f;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 0);
    for (size_t i = 0; i < N(bad); i++) {
        const struct batch two[2] = {good, bad[i]}; /* the good one is not taken in alone */

        sane_facts(&f);
        f.batches = two;
        f.n_batches = 2;
        must_refuse(&r, &f, "batches");
    }
    sane_facts(&f);
    f.batches = &good;
    f.n_batches = -1;
    must_refuse(&r, &f, "n_batches");
    f.batches = NULL;
    f.n_batches = 1;
    must_refuse(&r, &f, "batches");
}

/* ---- arithmetic ---- */

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
    return *s >> 33;
}

/* Sums of extreme batches stay numbers: a NaN would never reach a threshold. */
static void test_evidence_stays_a_number(void **state)
{
    static const int64_t sizes[] = {1, 2, 7, 1000, 12345678, GATE_MAX_DEVICES};
    struct eprocess e;
    uint64_t s = 1;

    (void)state;
    eprocess_init(&e);
    for (int i = 0; i < 20000; i++) {
        int64_t n_t = sizes[next_random(&s) % N(sizes)], n_c = sizes[next_random(&s) % N(sizes)];
        int64_t f_t = (int64_t)(next_random(&s) % 3) * (n_t / 2);
        int64_t f_c = (int64_t)(next_random(&s) % 3) * (n_c / 2);
        double log_e[N_OMEGA];

        batch_log_e(n_t, f_t, n_c, f_c, log_e);
        for (int j = 0; j < N_OMEGA; j++)
            assert_true(isfinite(log_e[j]));
        assert_true(isfinite(batch_log_ni(n_t, f_t, n_c, f_c, 1000.0)));
        assert_true(isfinite(eprocess_add(&e, log_e)));
    }
    for (int j = 0; j < N_OMEGA; j++)
        assert_true(isfinite(e.w[j]));
}

static void test_empty_and_impossible_batches_say_nothing(void **state)
{
    double log_e[N_OMEGA];

    (void)state;
    batch_log_e(-5, 0, 10, 3, log_e);
    for (int j = 0; j < N_OMEGA; j++)
        assert_true(log_e[j] == 0.0);
    batch_log_e(5, 2, -1, 0, log_e);
    for (int j = 0; j < N_OMEGA; j++)
        assert_true(log_e[j] == 0.0);
    assert_true(batch_log_ni(-1, 0, 5, 1, 2.0) == 0.0);
    assert_true(lng_upper(5, 5, -1, 2.0) == 0.0 && lng_lower(5, 5, -1, 2.0) == 0.0);
}

static void test_tolerances_of_impossible_rates(void **state)
{
    (void)state;
    assert_int_equal(tolerance_hostile(100, NAN), 0);
    assert_int_equal(tolerance_hostile(-5, 0.5), 0);
    assert_int_equal(tolerance_hostile(100, -1.0), 0);
    assert_int_equal(tolerance_hostile(100, INFINITY), 100);
    assert_int_equal(tolerance_benign(NAN, 1000), 0);
    assert_int_equal(tolerance_benign(5e-4, -1000), 0);
    assert_int_equal(tolerance_poisson(NAN, 1e-3), 0);
    assert_int_equal(tolerance_poisson(-3.0, 1e-3), 0);
    assert_true(tolerance_binomial_tail(10, 0.02, 11) == 0.0);
    assert_true(tolerance_binomial_tail(10, 0.02, -1) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_fleets),
        cmocka_unit_test(test_impossible_counts_change_nothing),
        cmocka_unit_test(test_contradictions_change_nothing),
        cmocka_unit_test(test_impossible_batches_change_nothing),
        cmocka_unit_test(test_evidence_stays_a_number),
        cmocka_unit_test(test_empty_and_impossible_batches_say_nothing),
        cmocka_unit_test(test_tolerances_of_impossible_rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
