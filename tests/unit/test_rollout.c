/* rollout: single decisions from facts given by hand. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "rollout.h"
#include "two_platforms.h"

/* The 1 % ring of a large fleet, full and all healthy. */
static void big_ring(struct rollout *r, struct rollout_facts *f)
{
    struct policy p;
    struct topology t;
    char why[160];

    policy_standard(&p);
    topology_of(8500000, &t);
    assert_int_equal(rollout_init(r, &p, &t, 0, why, sizeof(why)), 0);
    r->ring = 1;
    memset(f, 0, sizeof(*f));
    f->tick = 100;
    f->pace_ppm = 1000000;
    f->groups = 2;
    for (int c = 0; c < 2; c++) {
        struct cohort_facts *of = &f->cohorts[c];

        of->admitted = of->healthy = of->healthy_slow = t.cohorts[c].size / 100;
        of->ready = t.cohorts[c].size / 10;
    }
}

static void test_margins_promote_when_shown(void **state)
{
    const struct batch shown[2] = {
        {.metric = METRIC_CR, .n_t = 68000, .f_t = 7, .n_c = 7400000, .f_c = 740},
        {.metric = METRIC_SL, .n_t = 600000, .f_t = 60, .n_c = 6800000, .f_c = 680}};
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    big_ring(&r, &f);
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.ring_full);
    f.now_ms = r.policy.rings[1].bake_ms;
    f.tick++;
    f.batches = shown;
    f.n_batches = 1; /* crashes only: silence is still to be shown, and no count has come yet */
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_false(d.opened);
    assert_non_null(strstr(d.stands, "too few failures among the controls"));
    f.batches = shown + 1;
    f.tick++;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.opened);
    assert_int_equal(r.ring, 2);
    assert_int_equal(r.unproven, 0);
    assert_int_equal(d.verdict, VERDICT_PROMOTE);
    assert_string_equal(
        d.reasons[0].text,
        "ring 2 of 5 (1 %): 85,000 of 85,000 admitted are healthy; shown to be no "
        "worse than the controls by the policy's margins; ring 3 of 5 (10 %) opens");
}

static void test_warning_holds_a_baked_ring_and_then_asks(void **state)
{
    const struct batch odd = {
        .metric = METRIC_CR, .n_t = 85000, .f_t = 50, .n_c = 7400000, .f_c = 1900};
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    big_ring(&r, &f);
    f.batches = &odd;
    f.n_batches = 1;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_WARN);
    f.n_batches = 0;
    f.now_ms = r.policy.rings[2].bake_ms;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_false(d.opened);
    assert_non_null(strstr(d.stands, "while a warning stands"));
    f.now_ms *= 4;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_ASK);
    assert_int_equal(d.admit_fleet, 0);
}

/* Content that takes part in booting: a baked ring waits for boots on it, then asks. */
static void test_early_boot_bakes_in_boots(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;
    int64_t bake_ms;

    (void)state;
    big_ring(&r, &f);
    bake_ms = r.policy.rings[2].bake_ms;
    f.early_boot = true;
    f.cohorts[0].booted = r.policy.rings[2].bake_boots - 1;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    f.now_ms = bake_ms;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_false(d.opened);
    assert_non_null(strstr(d.stands, "full and baked; waits for 1 more device to come back from a "
                                     "boot on it; 49 have"));
    f.now_ms = 4 * bake_ms;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_ASK);
    assert_non_null(strstr(d.reasons[0].text, "only 49 of the 50 devices that the policy wants"));
    f.cohorts[1].booted = 1; /* another build's counts, too */
    f.now_ms++;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.opened);
}

static void test_other_content_does_not_wait_for_boots(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    big_ring(&r, &f);
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    f.now_ms = 4 * r.policy.rings[2].bake_ms;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.opened);
}

/* Four bakes without proof: who is under way is waited for before a person is asked. */
static void test_out_of_time_waits_for_those_under_way(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;
    int64_t all;

    (void)state;
    big_ring(&r, &f);
    all = f.cohorts[0].admitted;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    f.now_ms = 4 * r.policy.rings[2].bake_ms;
    f.tick++;
    f.cohorts[0].healthy = f.cohorts[0].healthy_slow =
        all - all / 10; /* late joiners, just admitted */
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_false(d.opened || r.asks);
    f.tick++;
    f.cohorts[0].healthy = all;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.opened);
    assert_int_equal(r.unproven, 1);
}

/* In the last ring, too, a person can answer; after that a warning only shows. */
static void test_person_completes_against_a_warning(void **state)
{
    const struct batch odd = {
        .metric = METRIC_CR, .n_t = 85000, .f_t = 146, .n_c = 7400000, .f_c = 1900};
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    big_ring(&r, &f);
    r.ring = r.n_rings - 1;
    for (int c = 0; c < 2; c++) {
        struct cohort_facts *of = &f.cohorts[c];

        of->admitted = of->healthy = of->healthy_slow = r.topology.cohorts[c].size;
        of->ready = 0;
    }
    f.batches = &odd;
    f.n_batches = 1;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_ASK);
    assert_false(r.complete);
    f.n_batches = 0;
    f.tick++;
    f.person_promotes = true;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.completed && r.complete);
    f.person_promotes = false;
    f.cohorts[0].ready = 100; /* back from holiday */
    f.tick++;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_WARN);
    assert_true(d.admit_fleet > 0);
}

/* Of 30 devices one has it; then all are gone. Nothing opens or completes, however long that lasts;
 * when they are back the rollout goes on. A person may go on without them. */
static void thirty(struct rollout *r, struct rollout_facts *f)
{
    struct policy p;

    policy_standard(&p);
    build(r, &p, 30, 0);
    memset(f, 0, sizeof(*f));
    f->pace_ppm = 1000000;
    f->groups = 1;
    f->hears = true;
    f->cohorts[0].admitted = f->cohorts[0].healthy = f->cohorts[0].healthy_slow = 1;
    f->cohorts[0].heard = 1;
    f->cohorts[0].ready = 22;
    f->cohorts[1].ready = 7;
    f->tick_controls = 29;
}

static void go_on(struct rollout *r, struct rollout_facts *f, struct rollout_decision *d)
{
    assert_int_equal(rollout_tick(r, f, d), 0);
    f->tick++;
    f->now_ms += 60000;
}

static void vanish(struct rollout *r, struct rollout_facts *f, struct rollout_decision *d)
{
    f->cohorts[0].ready = f->cohorts[1].ready = f->cohorts[0].heard = 0;
    f->cohorts[0].away = 22;
    f->cohorts[1].away = 7;
    f->silent_controls = 29;
    f->silent_groups = 1;
    go_on(r, f, d); /* the trials of those that were there last */
    f->tick_controls = f->silent_controls = f->silent_groups = 0;
    for (int i = 0; i < 5000; i++) {
        go_on(r, f, d);
        assert_int_equal(d->verdict, VERDICT_PAUSE);
        assert_false(d->opened || d->completed);
    }
}

static void test_a_fleet_that_vanishes_is_waited_for(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    thirty(&r, &f);
    go_on(&r, &f, &d);
    assert_true(d.ring_full); /* one device is its count */
    vanish(&r, &f, &d);
    assert_int_equal(r.ring, 0);
    f.cohorts[0].ready = 22;
    f.cohorts[1].ready = 7;
    f.cohorts[0].heard = 1;
    f.cohorts[0].away = f.cohorts[1].away = 0;
    f.tick_controls = 29;
    for (int i = 0; i < 59; i++) { /* the bake begins where it was broken off */
        go_on(&r, &f, &d);
        assert_false(d.opened);
    }
    while (!d.opened && f.tick < 6000)
        go_on(&r, &f, &d);
    assert_true(d.opened && d.admit_fleet > 0);
}

static void test_a_person_goes_on_without_the_vanished(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    thirty(&r, &f);
    go_on(&r, &f, &d);
    vanish(&r, &f, &d);
    f.cohorts[0].heard = 1; /* one is back; the others were sold */
    f.person_promotes = true;
    go_on(&r, &f, &d);
    f.person_promotes = false;
    for (int i = 0; i < 2000 && !d.completed; i++)
        go_on(&r, &f, &d);
    assert_true(d.completed);
}

/* Ticks stored by a server that did not count who is heard. */
static void test_ticks_that_do_not_hear_pass_for_heard(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d = {0};

    (void)state;
    thirty(&r, &f);
    f.hears = false;
    f.cohorts[0].heard = 0;
    f.cohorts[0].ready = f.cohorts[1].ready = 0;
    for (int i = 0; i < 2000 && !d.completed; i++)
        go_on(&r, &f, &d);
    assert_true(d.completed);
}

static void test_pause_admits_nobody(void **state)
{
    struct rollout r;
    struct rollout_facts f;
    struct rollout_decision d;

    (void)state;
    big_ring(&r, &f);
    r.ring = 2;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(d.admit_fleet > 0);
    f.tick_controls = 300000;
    f.silent_controls = 9000;
    f.silent_groups = 2;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_int_equal(d.verdict, VERDICT_PAUSE);
    assert_int_equal(d.admit_fleet, 0);
    assert_non_null(strstr(d.stands, "9,000 of 300,000 controls silent"));
    f.silent_controls = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(d.admit_fleet, 0);
        assert_int_equal(rollout_tick(&r, &f, &d), 0);
    }
    assert_true(d.admit_fleet > 0);
}

/* One bad build is stopped alone; three stop everything. */
static void test_halts_keep_to_their_scope(void **state)
{
    struct policy p;
    struct topology t = {.n_os = 1, .n_cohorts = 16};
    struct rollout r;
    struct rollout_facts f = {.pace_ppm = 1000000};
    struct rollout_decision d;
    char why[160];

    (void)state;
    policy_standard(&p);
    strcpy(t.os[0], "windows");
    for (int c = 0; c < 16; c++) {
        snprintf(t.cohorts[c].name, sizeof(t.cohorts[c].name), "build-%d", c);
        t.cohorts[c].size = 500000;
        f.cohorts[c].admitted = f.cohorts[c].healthy = f.cohorts[c].healthy_slow = 1000;
        f.cohorts[c].ready = 50000;
    }
    assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), 0);
    r.ring = 1;
    f.cohorts[5].direct = 8;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(r.halted[5] && d.newly_halted[5]);
    assert_false(r.all_halted || r.halted[4]);
    assert_int_equal(d.verdict, VERDICT_HALT);
    assert_int_equal(d.admit[5], 0);
    assert_true(d.admit[4] > 0);
    assert_non_null(strstr(d.stands, "1 of 16 cohorts halted"));
    f.cohorts[5].direct = f.cohorts[6].direct = f.cohorts[7].direct = 8;
    assert_int_equal(rollout_tick(&r, &f, &d), 0);
    assert_true(r.all_halted && d.halts_all && d.newly_halted[0]);
    assert_false(d.newly_halted[5]);
}

static void test_late_cohort_is_paced_and_halted_with_all(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 0);
    assert_int_equal(rollout_add_cohort(&r, "macos-15", "macos"), 2);
    assert_false(r.halted[2]);
    r.all_halted = true;
    assert_int_equal(rollout_add_cohort(&r, "macos-16", "macos"), 3);
    assert_true(r.halted[3]);
}

static void test_bad_start_is_refused(void **state)
{
    struct policy p;
    struct topology t;
    struct rollout r;
    char why[160];

    (void)state;
    policy_standard(&p);
    topology_of(50, &t);
    t.cohorts[0].size = t.cohorts[1].size = 0;
    assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), -1);
    assert_string_equal(why, "fleet: no devices");
    topology_of(50, &t);
    p.n_rings = 3;
    assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), -1);
    assert_string_equal(why, "policy 'standard': the last ring is not 100 %");
}

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005ULL + 1442695040888963407ULL;
    return *s >> 33;
}

static int64_t up_to(uint64_t *s, int64_t n)
{
    return (int64_t)(next_random(s) % (uint64_t)(n + 1));
}

static void random_facts(uint64_t *s, const struct rollout *r, struct rollout_facts *f,
                         struct batch *b)
{
    memset(f, 0, sizeof(*f));
    f->pace_ppm = up_to(s, 1) ? 1000000 : up_to(s, 1000000);
    f->person_promotes = up_to(s, 20) == 0;
    f->groups = (int)up_to(s, 3);
    f->tick_controls = up_to(s, 1000);
    f->silent_controls = up_to(s, 50) == 0 ? f->tick_controls : 0;
    f->silent_groups = f->groups;
    for (int c = 0; c < r->topology.n_cohorts; c++) {
        struct cohort_facts *of = &f->cohorts[c];

        of->ready = up_to(s, r->topology.cohorts[c].size);
        of->late = up_to(s, 5);
        of->staging = up_to(s, 10);
        of->passed_away = up_to(s, 10);
        of->admitted = up_to(s, r->topology.cohorts[c].size);
        of->healthy = up_to(s, of->admitted);
        of->healthy_slow = up_to(s, of->healthy);
        of->excused = up_to(s, of->admitted - of->healthy);
        of->overdue = up_to(s, (of->admitted - of->healthy - of->excused) / 8);
        of->controls = up_to(s, 100);
        of->canary_size = 3;
        of->canary_ready = up_to(s, 3);
        f->n_batches = c + 1;
        b[c] = (struct batch){.metric = (enum metric)up_to(s, N_METRICS - 1), .cohort = c};
        b[c].n_t = up_to(s, 50);
        b[c].f_t = up_to(s, 30) ? 0 : up_to(s, b[c].n_t / 8);
        b[c].n_c = up_to(s, 5000);
        b[c].f_c = up_to(s, b[c].n_c / 100);
    }
    f->batches = b;
}

/* Whatever the facts: nobody beyond those who are ready, nobody while it halts, pauses or asks,
 * never past the pace, never back a ring, and always a sentence. */
static void test_any_facts_keep_the_invariants(void **state)
{
    static const int fleets[] = {1, 30, 403, 4999, 5000, 30000, 8500000};
    uint64_t s = 1;

    (void)state;
    for (int run = 0; run < 210; run++) {
        struct policy p;
        struct topology t;
        struct rollout r;
        struct rollout_facts f;
        struct rollout_decision d;
        struct batch b[2];
        char why[160];
        int ring = 0;

        policy_standard(&p);
        topology_of(fleets[run % 7], &t);
        assert_int_equal(rollout_init(&r, &p, &t, run % 2, why, sizeof(why)), 0);
        for (int tick = 0; tick < 100; tick++) {
            random_facts(&s, &r, &f, b);
            f.tick = tick;
            f.now_ms = tick * 600000;
            assert_int_equal(rollout_tick(&r, &f, &d), 0);
            for (int c = 0; c < t.n_cohorts; c++) {
                const struct cohort_facts *of = &f.cohorts[c];

                assert_true(d.admit[c] >= 0);
                assert_true(d.admit[c] == 0 || !r.halted[c]);
                if (!d.fleet_wide)
                    assert_true(d.admit[c] <= of->ready + of->late);
            }
            if (d.verdict == VERDICT_ASK || d.verdict == VERDICT_PAUSE || r.all_halted)
                assert_int_equal(d.admit_fleet, 0);
            if (f.pace_ppm == 0 && d.admit_canary == 0)
                assert_int_equal(d.admit_fleet, 0);
            assert_true(d.ring >= ring && d.ring <= ring + 1);
            ring = d.ring;
            assert_true(d.stands[0] != '\0' && strlen(d.stands) < sizeof(d.stands));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_facts_keep_the_invariants),
        cmocka_unit_test(test_margins_promote_when_shown),
        cmocka_unit_test(test_warning_holds_a_baked_ring_and_then_asks),
        cmocka_unit_test(test_early_boot_bakes_in_boots),
        cmocka_unit_test(test_other_content_does_not_wait_for_boots),
        cmocka_unit_test(test_out_of_time_waits_for_those_under_way),
        cmocka_unit_test(test_person_completes_against_a_warning),
        cmocka_unit_test(test_pause_admits_nobody),
        cmocka_unit_test(test_a_fleet_that_vanishes_is_waited_for),
        cmocka_unit_test(test_a_person_goes_on_without_the_vanished),
        cmocka_unit_test(test_ticks_that_do_not_hear_pass_for_heard),
        cmocka_unit_test(test_halts_keep_to_their_scope),
        cmocka_unit_test(test_late_cohort_is_paced_and_halted_with_all),
        cmocka_unit_test(test_bad_start_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
