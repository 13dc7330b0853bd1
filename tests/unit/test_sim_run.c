/* run: a quick slice of the scenarios with fixed seeds, inside bounds far wider than
 * docs/gate.md's. SIM_TRACE=1 prints each outcome. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define DIR SOURCE_DIR "/canary/sim/scenarios"

struct slice {
    const char *name;
    int64_t fleet;
    int seeds;
    bool halts;
    int64_t harm;  /* at most */
    double minute; /* latest: of the halt (small fleets: or of asking a person), or of completion */
    int halted;    /* cohorts; 0: not looked at */
};

static const struct slice slices[] = {
    {"S1", 8500000, 5, true, 8, 5, 16},   {"S2", 8500000, 5, true, 40, 20, 16},
    {"S6", 8500000, 2, false, 0, 600, 0}, {"S8", 8500000, 2, true, 10, 30, 1},
    {"S1", 500, 5, true, 3, 600, 0},      {"S2", 2000, 5, true, 10, 600, 0},
    {"S6", 500, 3, false, 0, 2000, 0},
};

static void play(const struct slice *of, uint64_t seed, struct outcome *ret)
{
    struct scenario s;
    struct policy p;
    struct err err = {0};

    policy_standard(&p);
    if (scenario_read(DIR, of->name, &s, &err) < 0)
        fail_msg("%s", err.msg);
    scenario_resize(&s, of->fleet);
    if (run_seed(&s, &p, seed, NULL, ret, &err) < 0)
        fail_msg("%s", err.msg);
    if (getenv("SIM_TRACE"))
        printf("%s of %lld, seed %llu: harm %lld, halt %.1f (%d cohorts), complete %.1f\n",
               of->name, (long long)of->fleet, (unsigned long long)seed, (long long)ret->harm,
               ret->halt_min, ret->halted_cohorts, ret->complete_min);
}

static void a_slice_of_the_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        for (int k = 0; k < slices[i].seeds; k++) {
            const struct slice *of = &slices[i];
            struct outcome o;
            double at;

            play(of, (uint64_t)k + 1, &o);
            at = of->halts ? o.halt_min : o.complete_min;
            if (of->halts && of->fleet < 5000 && o.ask_min >= 0.0)
                at = o.ask_min;
            if (o.harm > of->harm || o.false_halts > 0 || (!of->halts && o.halt_min >= 0.0) ||
                at < 0.0 || at > of->minute || (of->halted && o.halted_cohorts != of->halted))
                fail_msg("%s of %lld, seed %d: harm %lld, halt %.1f (%d cohorts, %d falsely), "
                         "complete %.1f",
                         of->name, (long long)of->fleet, k + 1, (long long)o.harm, o.halt_min,
                         o.halted_cohorts, o.false_halts, o.complete_min);
            assert_int_equal(o.admitted_paused, 0);
        }
}

static void the_same_seed_gives_the_same_outcome(void **state)
{
    static const struct slice of = {.name = "S5", .fleet = 8500000};
    struct outcome a, b, c;

    (void)state;
    play(&of, 7, &a);
    play(&of, 7, &b);
    play(&of, 8, &c);
    assert_true(a.harm == b.harm && a.halt_min == b.halt_min && a.exposed == b.exposed);
    assert_true(a.harm != c.harm || a.halt_min != c.halt_min || a.exposed != c.exposed);
}

/* The canary group goes first: half of it meets a deadly release, nobody else does. */
static void canaries_go_first(void **state)
{
    struct scenario s;
    struct policy p;
    struct outcome o;
    struct err err = {0};

    (void)state;
    policy_standard(&p);
    assert_int_equal(scenario_read(DIR, "S3", &s, &err), 0);
    s.canaries = 200;
    s.defect.share = 0.5;
    assert_int_equal(run_seed(&s, &p, 3, NULL, &o, &err), 0);
    assert_true(o.halt_min > 0.0);
    assert_true(o.exposed <= 101);
}

/* While nobody is heard nothing opens, completes or admits; afterwards it goes on. */
static void look(void *ctx, const struct rollout *r, const struct rollout_facts *f,
                 const struct rollout_decision *d, const struct fleet_totals *t)
{
    int64_t *deaf = ctx, heard = 0;

    (void)r;
    (void)t;
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        heard += f->cohorts[c].ready + f->cohorts[c].heard;
    if (heard > 0)
        return;
    ++*deaf;
    assert_int_equal(d->admit_fleet, 0);
    assert_false(d->opened || d->completed);
}

static void a_vanished_fleet_is_waited_for(void **state)
{
    static const int64_t fleets[] = {5, 500, 8500000};
    struct scenario s;
    struct policy p;
    struct err err = {0};

    (void)state;
    policy_standard(&p);
    assert_int_equal(scenario_read(DIR, "S14", &s, &err), 0);
    for (size_t i = 0; i < sizeof(fleets) / sizeof(fleets[0]); i++) {
        int64_t deaf = 0;
        const struct run_watch watch = {look, &deaf};
        struct outcome o;

        scenario_resize(&s, fleets[i]);
        assert_int_equal(run_seed(&s, &p, 2, &watch, &o, &err), 0);
        assert_true(deaf > 200);
        assert_true(o.halt_min < 0.0 && o.complete_min > 245.0);
    }
}

/* Nobody gets a release before the manifest's pace lets anybody have it. */
static void the_manifests_pace_holds(void **state)
{
    struct scenario s;
    struct policy p;
    struct outcome o;
    struct err err = {0};

    (void)state;
    policy_standard(&p);
    assert_int_equal(scenario_read(DIR, "S6", &s, &err), 0);
    s.n_pace = 1;
    s.pace[0].after_min = 600;
    s.pace[0].share = 0.0001;
    s.limit_ms = 660 * 60000;
    assert_int_equal(run_seed(&s, &p, 3, NULL, &o, &err), 0);
    assert_true(o.exposed > 0 && o.exposed <= 850 + 16);
    s.limit_ms = 599 * 60000;
    assert_int_equal(run_seed(&s, &p, 3, NULL, &o, &err), 0);
    assert_int_equal(o.exposed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_of_the_scenarios),
        cmocka_unit_test(the_same_seed_gives_the_same_outcome),
        cmocka_unit_test(canaries_go_first),
        cmocka_unit_test(the_manifests_pace_holds),
        cmocka_unit_test(a_vanished_fleet_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
