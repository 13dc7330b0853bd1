/* others: the comparison policies on the fleets of the scenarios, inside bounds around the
 * design's columns; what makes each of them stop, and what does not. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "others.h"

#define DIR SOURCE_DIR "/canary/sim/scenarios"

static void read_scenario(const char *name, struct scenario *ret)
{
    struct err err = {0};

    if (scenario_read(DIR, name, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static void play(const struct scenario *s, enum other_kind kind, uint64_t seed, struct outcome *ret)
{
    struct policy p;
    struct err err = {0};

    policy_standard(&p);
    if (other_play(s, &p, seed, &kind, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static void play_named(const char *name, enum other_kind kind, struct outcome *ret)
{
    struct scenario s;

    read_scenario(name, &s);
    play(&s, kind, 11, ret);
}

static const struct column {
    const char *scenario;
    enum other_kind kind;
    int64_t harm_min, harm_max;
    double halt_min, halt_max; /* -1, -1: never */
} columns[] = {
    {"S1", OTHER_PUSH, 5500000, 6000000, 78, 81}, {"S1", OTHER_GROUPS, 50, 95, -1, -1},
    {"S1", OTHER_WAVES, 590, 690, 6, 10},         {"S2", OTHER_PUSH, 730000, 800000, 78, 81},
    {"S2", OTHER_GROUPS, 710000, 800000, 6, 12},  {"S2", OTHER_WAVES, 60, 120, 6, 10},
    {"S4", OTHER_PUSH, 16000, 20000, -1, -1},     {"S8", OTHER_PUSH, 148000, 162000, 78, 81},
    {"S8", OTHER_WAVES, 1550, 1850, 180, 200},    {"S11", OTHER_PUSH, 3600000, 4500000, 317, 321},
    {"S11", OTHER_WAVES, 5000, 12000, 245, 260},
};

static void columns_of_the_design(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        const struct column *of = &columns[i];
        struct outcome o;
        bool never = of->halt_max < 0.0;

        play_named(of->scenario, of->kind, &o);
        if (o.harm < of->harm_min || o.harm > of->harm_max || (o.halt_min < 0.0) != never ||
            (!never && (o.halt_min < of->halt_min || o.halt_min > of->halt_max)))
            fail_msg("%s by %s: harm %lld, halt %.1f", of->scenario, other_name(of->kind),
                     (long long)o.harm, o.halt_min);
    }
}

/* Groups whose devices fall silent neither succeed nor fail: nobody follows, nobody is told. */
static void silent_groups_stall(void **state)
{
    struct outcome o;

    (void)state;
    play_named("S1", OTHER_GROUPS, &o);
    assert_true(o.halt_min < 0.0 && o.complete_min < 0.0 && o.ask_min < 0.0);
    assert_true(o.exposed < 120);
    assert_int_equal(o.halted_cohorts, 0);
}

static void good_content_reaches_everybody(void **state)
{
    (void)state;
    for (int k = 0; k < N_OTHERS; k++) {
        struct outcome o;

        play_named("S6", (enum other_kind)k, &o);
        assert_true(o.complete_min > 0.0 && o.halt_min < 0.0);
        assert_true(k != OTHER_PUSH || o.complete_min < 5.0);
        assert_true(k != OTHER_WAVES || o.complete_min >= 540.0);
        assert_true(o.exposed > 7000000);
        assert_int_equal(o.harm, 0);
    }
}

/* A threshold on silence takes an outage of the telemetry for the release's doing. */
static void an_outage_stops_waves_falsely(void **state)
{
    struct outcome o;

    (void)state;
    play_named("S7b", OTHER_WAVES, &o);
    assert_true(o.halt_min > 0.0);
    assert_int_equal(o.false_halts, 16);
}

/* One bad build of 16: all are stopped, which the gate does not. */
static void all_builds_are_stopped(void **state)
{
    struct outcome o;

    (void)state;
    play_named("S8", OTHER_WAVES, &o);
    assert_int_equal(o.halted_cohorts, 16);
    assert_int_equal(o.false_halts, 15);
}

/* After a recall the defect rests; what a person cannot see goes on for the day. */
static void a_person_sees_what_is_frequent(void **state)
{
    struct scenario s;
    struct outcome seen, unseen;

    (void)state;
    read_scenario("S2", &s);
    s.defect.share = 0.002;
    play(&s, OTHER_PUSH, 5, &seen);
    s.defect.share = 0.0008;
    play(&s, OTHER_PUSH, 5, &unseen);
    assert_true(seen.halt_min > 77.0 && seen.halt_min < 82.0);
    assert_true(unseen.halt_min < 0.0);
}

static void small_fleets_and_limits(void **state)
{
    struct scenario s;

    (void)state;
    read_scenario("S2", &s);
    scenario_resize(&s, 1);
    for (int k = 0; k < N_OTHERS; k++) {
        struct outcome o;

        play(&s, (enum other_kind)k, 3, &o);
        assert_true(o.exposed <= 1 && o.harm <= o.exposed);
    }
    read_scenario("S4", &s);
    s.limit_ms = 60 * 60000;
    for (int k = 0; k < N_OTHERS; k++) {
        struct outcome o;

        play(&s, (enum other_kind)k, 3, &o);
        assert_true(o.harm < 2500);
    }
}

static void same_seed_same_outcome(void **state)
{
    struct scenario s;
    struct outcome a, b, c;

    (void)state;
    read_scenario("S5", &s);
    for (int k = 0; k < N_OTHERS; k++) {
        play(&s, (enum other_kind)k, 1, &a);
        play(&s, (enum other_kind)k, 1, &b);
        play(&s, (enum other_kind)k, 2, &c);
        assert_true(a.harm == b.harm && a.halt_min == b.halt_min && a.exposed == b.exposed);
        assert_true(a.harm != c.harm || a.exposed != c.exposed);
    }
}

static void names_are_no_policys(void **state)
{
    (void)state;
    for (int k = 0; k < N_OTHERS; k++) {
        assert_int_equal(other_find(other_name((enum other_kind)k)), k);
        assert_int_equal(other_name((enum other_kind)k)[0], '@');
    }
    assert_int_equal(other_find("push"), -1);
    assert_int_equal(other_find("standard"), -1);
    assert_int_equal(other_find(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_the_design),
        cmocka_unit_test(silent_groups_stall),
        cmocka_unit_test(good_content_reaches_everybody),
        cmocka_unit_test(an_outage_stops_waves_falsely),
        cmocka_unit_test(all_builds_are_stopped),
        cmocka_unit_test(a_person_sees_what_is_frequent),
        cmocka_unit_test(small_fleets_and_limits),
        cmocka_unit_test(same_seed_same_outcome),
        cmocka_unit_test(names_are_no_policys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
