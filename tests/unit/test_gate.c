/* gate: thresholds, tolerance, the verdicts and their reasons. */
#include "cmocka_all.h"

#include <math.h>
#include <string.h>

#include "gate.h"
#include "text.h"
#include "tolerance.h"

#define MAX_REASONS 8

/* 16 cohorts of three OS families, as in the golden thresholds. */
static void big_fleet(struct topology *t)
{
    memset(t, 0, sizeof(*t));
    t->n_os = 3;
    t->n_cohorts = 16;
    for (int i = 0; i < 3; i++)
        strcpy(t->os[i], i == 0 ? "windows" : i == 1 ? "linux" : "macos");
    for (int c = 0; c < 16; c++) {
        struct text s = text_in(t->cohorts[c].name, GATE_NAME_MAX);

        text_add(&s, "cohort-%d", c);
        t->cohorts[c].os = c < 8 ? 0 : c < 12 ? 1 : 2;
        t->cohorts[c].size = 8500000 / 16;
    }
}

static void small_fleet(struct topology *t, int64_t windows, int64_t linux_)
{
    memset(t, 0, sizeof(*t));
    t->n_os = 2;
    t->n_cohorts = 2;
    strcpy(t->os[0], "windows");
    strcpy(t->os[1], "linux");
    strcpy(t->cohorts[0].name, "windows-10.0.22631");
    strcpy(t->cohorts[1].name, "debian-12");
    t->cohorts[0].size = windows;
    t->cohorts[1].os = 1;
    t->cohorts[1].size = linux_;
}

struct run {
    struct policy policy;
    struct topology topology;
    struct gate gate;
    int64_t admitted[GATE_MAX_COHORTS], direct[GATE_MAX_COHORTS], soaking[GATE_MAX_COHORTS];
    int64_t control_crashes[GATE_MAX_COHORTS], controls[GATE_MAX_COHORTS];
    struct gate_facts facts;
    struct gate_reason reasons[MAX_REASONS];
    bool halt[GATE_MAX_NODES], warn[GATE_MAX_NODES], pause;
};

static void run_init(struct run *r)
{
    memset(r, 0, sizeof(*r));
    policy_standard(&r->policy);
    gate_init(&r->gate);
    r->facts = (struct gate_facts){.admitted = r->admitted,
                                   .direct = r->direct,
                                   .soaking = r->soaking,
                                   .control_crashes = r->control_crashes,
                                   .controls = r->controls,
                                   .groups = 2};
}

static int run_tick(struct run *r, const struct batch *batches, int n)
{
    r->facts.batches = batches;
    r->facts.n_batches = n;
    return gate_tick(&r->gate, &r->policy, &r->topology, &r->facts, r->reasons, MAX_REASONS,
                     r->halt, r->warn, &r->pause);
}

static void test_golden_thresholds(void **state)
{
    struct topology t;
    struct policy p;

    (void)state;
    big_fleet(&t);
    policy_standard(&p);
    assert_true(fabs(gate_threshold(&p, &t, 0, METRIC_SF, p.alpha) - 9.028019) < 1e-6);
    assert_true(fabs(gate_threshold(&p, &t, 2, METRIC_SF, p.alpha) - 10.819778) < 1e-6);
    assert_true(fabs(gate_threshold(&p, &t, TOPOLOGY_COHORT_NODE + 15, METRIC_SF, p.alpha) -
                     11.800608) < 1e-6);
    assert_true(fabs(gate_threshold(&p, &t, 0, METRIC_SA, p.alpha) - 9.721166) < 1e-6);
}

/* All tests together spend no more than alpha, with late rows too. */
static void test_thresholds_spend_alpha_once(void **state)
{
    struct topology t;
    struct policy p;
    double spent = 0.0;

    (void)state;
    big_fleet(&t);
    policy_standard(&p);
    assert_int_equal(topology_add(&t, "cohort-new", "haiku"), 16);
    for (int node = 0; node < topology_nodes(&t); node++)
        for (int m = 0; m < N_METRICS && topology_has_node(&t, node); m++)
            spent += exp(-gate_threshold(&p, &t, node, (enum metric)m, p.alpha));
    assert_true(fabs(spent - p.alpha) < 1e-12);
}

static void add_metric(struct policy *p, const char *name, double weight, bool halts)
{
    struct policy_metric *x = &p->extras[p->n_extras++];

    *x = (struct policy_metric){.limit = 50, .weight = weight, .halts = halts};
    strcpy(x->name, name);
}

/* Nor do more tests spend more. */
static void test_own_metrics_spend_no_more(void **state)
{
    struct topology t;
    struct policy p;
    double spent = 0.0;

    (void)state;
    big_fleet(&t);
    policy_standard(&p);
    add_metric(&p, "blocked", 0.2, true);
    add_metric(&p, "restarts", 0.1, true);
    add_metric(&p, "latency", 0.1, false);
    add_metric(&p, "queue", 0.05, true);
    for (int node = 0; node < topology_nodes(&t); node++)
        for (int m = 0; m < policy_metrics(&p) && topology_has_node(&t, node); m++)
            spent += exp(-gate_threshold(&p, &t, node, (enum metric)m, p.alpha));
    assert_true(fabs(spent - p.alpha) < 1e-12);
}

static void test_own_metric_halts_or_only_warns(void **state)
{
    static const char says[] =
        "blocked fleet: 38 of 40 treated above 50, 41 of 1,000 controls; log E ";
    const struct batch worse = {.metric = (enum metric)(N_METRICS + 1),
                                .cohort = 0,
                                .n_t = 40,
                                .f_t = 38,
                                .n_c = 1000,
                                .f_c = 41};
    struct run r;

    (void)state;
    for (int halts = 0; halts < 2; halts++) {
        run_init(&r);
        small_fleet(&r.topology, 1040, 100);
        r.policy.n_adv = 0;
        r.admitted[0] = 40;
        assert_int_equal(run_tick(&r, &worse, 1), -1); /* the policy has none */
        add_metric(&r.policy, "restarts", 0.1, true);
        assert_int_equal(run_tick(&r, &worse, 1), -1);
        add_metric(&r.policy, "blocked", 0.2, halts);
        assert_int_equal(run_tick(&r, &worse, 1), 3);
        assert_int_equal(r.reasons[0].metric, N_METRICS + 1);
        assert_int_equal(r.reasons[0].verdict, halts ? VERDICT_HALT : VERDICT_WARN);
        assert_true(r.halt[0] == halts && r.warn[0] == !halts);
        if (strncmp(r.reasons[0].text, says, strlen(says)) != 0)
            fail_msg("%s", r.reasons[0].text);
        assert_true(r.gate.log_e[N_METRICS][0] == 0.0);
    }
}

static void test_golden_tolerance(void **state)
{
    static const struct {
        double x;
        int64_t h;
    } rows[] = {{0, 0},    {1e-7, 0}, {1e-6, 0}, {1e-5, 1}, {1e-4, 1},
                {1e-3, 3}, {.01, 6},  {.1, 23},  {.5, 68},  {.95, 100}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(tolerance_hostile(100, rows[i].x), rows[i].h);
    assert_int_equal(tolerance_hostile(0, .5), 0);
    assert_int_equal(tolerance_hostile(100, 1.0), 100);
    assert_int_equal(tolerance_benign(5e-4, 1000), 2); /* 0.5 + 3 sqrt(0.5) */
    assert_int_equal(tolerance_benign(5e-4, 0), 0);
}

static void test_poisson_limit(void **state)
{
    (void)state;
    assert_int_equal(tolerance_poisson(0.0, 1e-3), 0);
    assert_int_equal(tolerance_poisson(0.0010, 1e-3), 0); /* 1 - exp(-0.001) < 0.001 */
    assert_int_equal(tolerance_poisson(0.0011, 1e-3), 1);
    assert_int_equal(tolerance_poisson(17.0, 1e-3), 31);     /* scipy.stats.poisson.ppf(0.999) */
    assert_int_equal(tolerance_poisson(1700.0, 1e-3), 1829); /* far from underflow of exp(-mean) */
    assert_int_equal(tolerance_poisson(40000.0, 1e-3), 40619);
}

/* At the exact lower 99 % bound of f/n the tail is 1 %. */
static void test_golden_pause_bounds(void **state)
{
    static const struct {
        int64_t f, n;
        double bound;
    } rows[] = {{5, 60, 0.021819937},
                {5, 200, 0.006439509},
                {40, 1000, 0.026936138},
                {240, 10000, 0.020578432}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(fabs(tolerance_binomial_tail(rows[i].n, rows[i].bound, rows[i].f) - 0.01) <
                    1e-7);
        assert_int_equal(tolerance_binomial_tail(rows[i].n, 0.02, rows[i].f) < 0.01,
                         rows[i].bound > 0.02);
    }
    assert_true(fabs(tolerance_binomial_tail(10, 0.5, 3) - 0.9453125) < 1e-12);
    assert_true(tolerance_binomial_tail(7000000, 0.02, 145000) < 1e-10);
    assert_true(tolerance_binomial_tail(7000000, 0.02, 139000) > 0.99);
}

static void test_direct_limits(void **state)
{
    struct topology t;
    struct policy p;

    (void)state;
    policy_standard(&p);
    small_fleet(&t, 300, 200);
    assert_int_equal(gate_direct_limit(&p, &t, 0, 1, 0.0), 0);
    assert_int_equal(gate_direct_limit(&p, &t, 0, 2, 0.0), 0);
    assert_int_equal(gate_direct_limit(&p, &t, 0, 3, 0.0), 1);
    assert_int_equal(gate_direct_limit(&p, &t, TOPOLOGY_COHORT_NODE, 2, 0.0), 1); /* its share */
    assert_int_equal(gate_direct_limit(&p, &t, 0, 2, 3.0), 10); /* the control term */
    big_fleet(&t);
    assert_int_equal(gate_direct_limit(&p, &t, 0, 16, 0.0), 1 + 1);
    assert_int_equal(gate_direct_limit(&p, &t, 0, 85000, 0.0), 6 + 32);
}

static void test_first_blamed_failure_halts_a_small_fleet(void **state)
{
    struct run r;
    int n;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 300, 103);
    r.admitted[0] = 2;
    assert_int_equal(run_tick(&r, NULL, 0), 0);
    r.direct[0] = 1;
    n = run_tick(&r, NULL, 0);
    assert_int_equal(n, 1); /* the fleet alone: nobody else had it, so nothing excuses the others */
    assert_true(r.halt[0]);
    assert_int_equal(r.reasons[0].verdict, VERDICT_HALT);
    assert_int_equal(r.reasons[0].metric, -1);
    assert_string_equal(r.reasons[0].text, "direct evidence on fleet: 1 of 2 admitted refused or "
                                           "rolled back, blamed on the release; limit 0");
}

static void test_silent_arm_halts_with_its_reason(void **state)
{
    const struct batch dead = {
        .metric = METRIC_SF, .cohort = 0, .n_t = 3, .f_t = 3, .n_c = 170000, .f_c = 41};
    struct run r;
    int n;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 170003, 0);
    r.topology.cohorts[1].size = 100;
    r.policy.n_adv = 0;
    r.admitted[0] = 3;
    n = run_tick(&r, &dead, 1);
    assert_int_equal(n, 3);
    assert_true(r.halt[0] && r.halt[1] && r.halt[TOPOLOGY_COHORT_NODE]);
    assert_false(r.halt[2] || r.halt[TOPOLOGY_COHORT_NODE + 1]);
    assert_true(r.reasons[2].log_e >= r.reasons[2].threshold);
    assert_int_equal(
        strncmp(r.reasons[2].text,
                "SF windows-10.0.22631: 3 of 3 treated silent, 41 of 170,000 controls; log E ", 76),
        0);
}

/* One hostile device's silence is forgiven, ln omega for ln omega; the second is not. */
static void test_tolerance_forgives_hostile_devices_only(void **state)
{
    const struct batch one = {.metric = METRIC_RB, .cohort = 0, .n_t = 8, .f_t = 1, .n_c = 400000};
    struct batch two = one;
    struct run r;

    (void)state;
    run_init(&r);
    big_fleet(&r.topology);
    r.admitted[0] = 16;
    assert_int_equal(run_tick(&r, &one, 1), 0);
    assert_int_equal(r.gate.forgiven[METRIC_RB][0], 1);
    assert_true(r.gate.log_e[METRIC_RB][0] < 0.0);
    two.f_t = 3;
    run_tick(&r, &two, 1);
    assert_int_equal(r.gate.forgiven[METRIC_RB][0], 1);
    assert_true(r.halt[0]);
}

static void test_warning_before_halt(void **state)
{
    const struct batch odd = {.metric = METRIC_CR, .cohort = 0, .n_t = 5, .f_t = 2, .n_c = 600};
    struct run r;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 400, 0);
    r.admitted[0] = 5;
    assert_true(run_tick(&r, &odd, 1) > 0);
    assert_true(r.warn[0]);
    assert_false(r.halt[0]);
    assert_int_equal(r.reasons[0].verdict, VERDICT_WARN);
}

/* The nodes above a halted cohort begin anew, and hear no more of it. */
static void test_a_halted_cohort_speaks_for_itself_only(void **state)
{
    const struct batch bad[2] = {
        {.metric = METRIC_CR, .cohort = 5, .n_t = 1000, .f_t = 12, .n_c = 50000, .f_c = 30},
        {.metric = METRIC_CR, .cohort = 4, .n_t = 1000, .f_t = 12, .n_c = 50000, .f_c = 30}};
    bool halted[GATE_MAX_COHORTS] = {[5] = true};
    struct run r;
    double alone;

    (void)state;
    run_init(&r);
    big_fleet(&r.topology);
    run_tick(&r, bad, 1);
    alone = r.gate.log_e[METRIC_CR][0];
    assert_true(r.halt[0] || r.warn[0]);
    gate_restart_above(&r.gate, &r.topology, 5);
    r.facts.halted = halted;
    run_tick(&r, bad, 1);
    assert_true(r.gate.log_e[METRIC_CR][0] == 0.0);
    assert_false(r.halt[0] || r.warn[0] || r.halt[1] || r.warn[1]);
    assert_true(r.halt[TOPOLOGY_COHORT_NODE + 5] || r.warn[TOPOLOGY_COHORT_NODE + 5]);
    run_tick(&r, bad + 1, 1); /* another one is heard as the first was */
    assert_true(fabs(r.gate.log_e[METRIC_CR][0] - alone) < 1e-9);
}

/* Without controls nothing is said, whatever failed; nor is tolerance spent on it. */
static void test_no_controls_say_nothing(void **state)
{
    const struct batch alone = {.metric = METRIC_SF, .cohort = 0, .n_t = 9, .f_t = 9};
    struct run r;

    (void)state;
    run_init(&r);
    big_fleet(&r.topology);
    r.admitted[0] = 9;
    assert_int_equal(run_tick(&r, &alone, 1), 0);
    assert_true(r.gate.log_e[METRIC_SF][0] == 0.0);
    assert_int_equal(r.gate.forgiven[METRIC_SF][0], 0);
}

static void test_pause_needs_two_groups_and_clean_ticks(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 300, 100);
    r.facts.tick_controls = 60;
    r.facts.silent_controls = 5;
    r.facts.silent_groups = 1;
    run_tick(&r, NULL, 0);
    assert_false(r.pause);
    r.facts.groups = 1; /* there is only one */
    assert_int_equal(run_tick(&r, NULL, 0), 1);
    assert_true(r.pause);
    assert_int_equal(r.reasons[0].verdict, VERDICT_PAUSE);
    r.facts.silent_controls = 0;
    for (int i = 0; i < 4; i++) {
        run_tick(&r, NULL, 0);
        assert_true(r.pause);
    }
    run_tick(&r, NULL, 0);
    assert_false(r.pause);
    r.facts.silent_controls = 4;
    run_tick(&r, NULL, 0);
    assert_false(r.pause);
}

/* A tick without controls is clean only where nobody is left who could be one. */
static void test_pause_outlasts_a_deserted_fleet(void **state)
{
    struct run r;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 300, 100);
    r.facts.tick_controls = r.facts.silent_controls = 60;
    r.facts.silent_groups = 2;
    run_tick(&r, NULL, 0);
    r.facts.tick_controls = r.facts.silent_controls = 0;
    r.facts.deserted = true;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(run_tick(&r, NULL, 0), 1);
        assert_true(r.pause);
    }
    assert_non_null(strstr(r.reasons[0].text, "are away since; nobody is admitted until 5 more"));
    r.facts.tick_controls = 3; /* some are back, and answer */
    for (int i = 0; i < 4; i++) {
        run_tick(&r, NULL, 0);
        assert_true(r.pause);
    }
    r.facts.tick_controls = 0; /* they have it now */
    r.facts.deserted = false;
    run_tick(&r, NULL, 0);
    assert_false(r.pause);
}

static void test_margins_accumulate_on_calm_ticks(void **state)
{
    struct batch b = {
        .metric = METRIC_CR, .cohort = 0, .n_t = 68000, .f_t = 7, .n_c = 7400000, .f_c = 740};
    struct run r;
    double proved;

    (void)state;
    run_init(&r);
    big_fleet(&r.topology);
    r.admitted[0] = 68000;
    run_tick(&r, &b, 1);
    proved = r.gate.ni_cr[2];
    assert_true(fabs(proved - 5.789657268158526) < 1e-8);
    assert_true(r.gate.ni_best_cr[2] > proved);
    b.f_c = 740000; /* half the world down: proves nothing */
    run_tick(&r, &b, 1);
    assert_true(r.gate.ni_cr[2] == proved);
}

static void test_contradictions_change_nothing(void **state)
{
    struct batch b = {.metric = METRIC_SF, .cohort = 0, .n_t = 3, .f_t = 4, .n_c = 5};
    struct run r;
    struct gate before;

    (void)state;
    run_init(&r);
    small_fleet(&r.topology, 300, 100);
    before = r.gate;
    assert_int_equal(run_tick(&r, &b, 1), -1);
    b.f_t = 1;
    b.cohort = 2;
    assert_int_equal(run_tick(&r, &b, 1), -1);
    b.cohort = 0;
    r.control_crashes[0] = 1;
    assert_int_equal(run_tick(&r, &b, 1), -1);
    assert_memory_equal(&before, &r.gate, sizeof(before));
}

static void test_worst_reasons_first_and_bounded(void **state)
{
    struct run r;
    struct gate_reason two[2];

    (void)state;
    run_init(&r);
    big_fleet(&r.topology);
    for (int c = 0; c < 16; c++) {
        r.admitted[c] = 4;
        r.direct[c] = 4;
    }
    r.facts.batches = NULL;
    assert_int_equal(
        gate_tick(&r.gate, &r.policy, &r.topology, &r.facts, two, 2, r.halt, r.warn, &r.pause), 2);
    assert_int_equal(two[0].node, 0);
    assert_int_equal(two[1].node, 1);
    assert_true(r.halt[TOPOLOGY_COHORT_NODE + 3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_thresholds),
        cmocka_unit_test(test_thresholds_spend_alpha_once),
        cmocka_unit_test(test_own_metrics_spend_no_more),
        cmocka_unit_test(test_own_metric_halts_or_only_warns),
        cmocka_unit_test(test_golden_tolerance),
        cmocka_unit_test(test_poisson_limit),
        cmocka_unit_test(test_golden_pause_bounds),
        cmocka_unit_test(test_direct_limits),
        cmocka_unit_test(test_first_blamed_failure_halts_a_small_fleet),
        cmocka_unit_test(test_silent_arm_halts_with_its_reason),
        cmocka_unit_test(test_tolerance_forgives_hostile_devices_only),
        cmocka_unit_test(test_warning_before_halt),
        cmocka_unit_test(test_a_halted_cohort_speaks_for_itself_only),
        cmocka_unit_test(test_no_controls_say_nothing),
        cmocka_unit_test(test_pause_needs_two_groups_and_clean_ticks),
        cmocka_unit_test(test_pause_outlasts_a_deserted_fleet),
        cmocka_unit_test(test_margins_accumulate_on_calm_ticks),
        cmocka_unit_test(test_contradictions_change_nothing),
        cmocka_unit_test(test_worst_reasons_first_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
