/* report: what is sampled is what happened; axes and words; pictures are the same bytes for the
 * same seed, and hold together whatever a scenario is called. Validity as XML: tests/e2e/report.sh.
 */
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "report_draw.h"
#include "report_scale.h"

#define DIR SOURCE_DIR "/canary/sim/scenarios"

static void sample(const char *name, int64_t fleet, uint64_t seed, struct report *ret)
{
    struct scenario s;
    struct policy p;
    struct err err = {0};

    policy_standard(&p);
    if (scenario_read(DIR, name, &s, &err) < 0)
        fail_msg("%s", err.msg);
    if (fleet > 0)
        scenario_resize(&s, fleet);
    if (report_sample(&s, &p, seed, seed, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static bool has_event(const struct report *r, enum report_event_kind kind, const char *words)
{
    for (int i = 0; i < r->n_events; i++)
        if (r->events[i].kind == kind && strstr(r->events[i].text, words))
            return true;
    return false;
}

/* Series grow, begin with nobody and end with the outcome's figures. */
static void check_runs(const struct report *r)
{
    for (int k = 0; k < REPORT_RUNS; k++) {
        const struct report_run *run = &r->runs[k];
        const struct report_point *last = &run->points[run->n_points - 1];

        assert_true(run->points[0].min == 0.0 && run->points[0].exposed == 0.0);
        for (int i = 1; i < run->n_points; i++)
            assert_true(run->points[i].min > run->points[i - 1].min &&
                        run->points[i].exposed >= run->points[i - 1].exposed &&
                        run->points[i].crashed >= run->points[i - 1].crashed);
        assert_int_equal((int64_t)last->exposed, run->outcome.exposed);
        assert_int_equal((int64_t)last->crashed, run->outcome.harm);
        assert_true(report_run_end(run) <= last->min);
    }
}

static void a_halt_and_its_evidence(void **state)
{
    struct report r;
    const struct report_evidence *e = &r.evidence;

    (void)state;
    sample("S1", 0, 1, &r);
    check_runs(&r);
    assert_true(e->halted && !e->direct);
    assert_int_equal(e->metric, METRIC_SF);
    assert_true(e->levels[e->n_levels - 1].value >= e->halt);
    for (int i = 0; i + 1 < e->n_levels; i++)
        assert_true(e->levels[i].value < e->halt);
    assert_true(e->levels[e->n_levels - 1].min == r.runs[REPORT_GATE].outcome.halt_min);
    assert_true(has_event(&r, REPORT_HALTED, "halted everywhere: SF "));
    report_release(&r);
}

static void direct_evidence_has_a_limit(void **state)
{
    struct report r;
    const struct report_evidence *e = &r.evidence;
    bool found = false;

    (void)state;
    for (uint64_t seed = 1; seed <= 12 && !found; seed++) {
        sample("S3", 0, seed, &r);
        found = e->direct;
        if (found) {
            const struct report_level *last = &e->levels[e->n_levels - 1];

            assert_int_equal(e->metric, -1);
            assert_true(last->value > last->limit);
            assert_true(e->levels[0].value <= e->levels[0].limit);
        }
        report_release(&r);
    }
    assert_true(found);
}

static void pauses_and_rings_are_told(void **state)
{
    struct report r;

    (void)state;
    sample("S7b", 0, 1, &r);
    check_runs(&r);
    assert_true(r.good && !r.evidence.halted);
    assert_true(has_event(&r, REPORT_PAUSED, "controls silent"));
    assert_true(has_event(&r, REPORT_RESUMED, ""));
    assert_true(has_event(&r, REPORT_OPENED, "ring 2 of 5 (1 %) opens"));
    assert_true(has_event(&r, REPORT_COMPLETED, "complete"));
    report_release(&r);
    sample("S8", 0, 1, &r);
    assert_true(has_event(&r, REPORT_HALTED, "the others go on"));
    report_release(&r);
}

static void runs_in_words(void **state)
{
    struct report r;
    char words[REPORT_WORDS_MAX];

    (void)state;
    sample("S1", 0, 1, &r);
    report_run_words(&r, OTHER_PUSH, words);
    assert_string_equal(words, "complete after 60 s; recalled by a person after 79 min");
    report_run_words(&r, OTHER_GROUPS, words);
    assert_string_equal(words, "stalls: goes on waiting for acknowledgements");
    report_run_words(&r, REPORT_GATE, words);
    assert_string_equal(words, "halted after 70 s");
    report_release(&r);
}

static void pictures_are_repeatable(void **state)
{
    struct report r;
    struct svg a, b;

    (void)state;
    sample("S2", 0, 1, &r);
    report_draw(&r, &a);
    report_release(&r);
    sample("S2", 0, 1, &r);
    report_draw(&r, &b);
    assert_int_equal(a.failed, 0);
    assert_string_equal(a.out.data, b.out.data);
    svg_release(&b);
    snprintf(r.scenario, sizeof(r.scenario), "</title><b>&");
    memset(r.text, 'W', sizeof(r.text) - 1);
    report_draw(&r, &b);
    assert_int_equal(b.failed, 0);
    assert_null(strstr(b.out.data, "<b>"));
    svg_release(&a);
    svg_release(&b);
    report_release(&r);
}

/* Fleets in which hardly anything happens draw, too. */
static void tiny_fleets_draw(void **state)
{
    static const int64_t fleets[] = {1, 2, 50};

    (void)state;
    for (size_t i = 0; i < sizeof(fleets) / sizeof(fleets[0]); i++) {
        struct report r;
        struct svg svg;

        sample("S1", fleets[i], 1, &r);
        check_runs(&r);
        report_draw(&r, &svg);
        assert_int_equal(svg.failed, 0);
        assert_null(strstr(svg.out.data, "nan"));
        assert_null(strstr(svg.out.data, "inf"));
        svg_release(&svg);
        report_release(&r);
    }
}

static void a_picture_that_cannot_be_written_leaves_nothing(void **state)
{
    struct report_file file = {"/nonexistent/folder/s.svg", 1};
    struct scenario s;
    struct policy p;
    struct outcome o;
    struct err err = {0};

    (void)state;
    policy_standard(&p);
    assert_int_equal(scenario_read(DIR, "S1", &s, &err), 0);
    assert_int_equal(report_play(&s, &p, 1, &file, &o, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/folder/s.svg"));
}

/* ---- scales ---- */

static void counts_have_a_place_for_zero(void **state)
{
    struct scale s = scale_of_counts(850.0, 200.0, 0.0);
    double at[SCALE_MAX_TICKS];

    (void)state;
    assert_true(s.hi == 1000.0);
    assert_true(scale_at(&s, 0.0) == 200.0 && scale_at(&s, 1.0) < 190.0);
    assert_true(fabs(scale_at(&s, 1000.0)) < 1e-9);
    assert_true(scale_at(&s, 10.0) > scale_at(&s, 100.0));
    assert_int_equal(scale_ticks(&s, 0, at), 5);
    assert_true(at[0] == 0.0 && at[1] == 1.0 && at[4] == 1000.0);
}

static void ticks_are_round(void **state)
{
    struct scale s = {.lo = -2.0, .hi = 13.0, .from = 100.0, .to = 0.0};
    double at[SCALE_MAX_TICKS];

    (void)state;
    assert_int_equal(scale_ticks(&s, 7, at), 3);
    assert_true(at[0] == 0.0 && !signbit(at[0]) && at[2] == 10.0);
    s.lo = 0.0;
    s.hi = 82.0;
    assert_int_equal(scale_minutes(&s, 9, at), 9);
    assert_true(at[1] == 10.0);
    s.hi = 1e9;
    assert_true(scale_minutes(&s, 9, at) <= 10);
}

static void durations_in_words(void **state)
{
    static const struct {
        double min;
        const char *words;
    } cases[] = {{70.0 / 60.0, "70 s"}, {3.2, "3.2 min"},      {9.97, "10 min"}, {79.0, "79 min"},
                 {120.0, "2 h"},        {358.0, "5 h 58 min"}, {119.6, "2 h"},   {1440.0, "24 h"}};
    char words[SCALE_WORDS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(scale_duration(cases[i].min, words), cases[i].words);
    assert_string_equal(scale_tick_words(240.0, 60.0, words), "4 h");
    assert_string_equal(scale_tick_words(0.5, 0.5, words), "30 s");
    assert_string_equal(scale_count(5790000.0, words), "5,790,000");
}

static void labels_are_moved_apart(void **state)
{
    double at[] = {100.0, 101.0, 10.0, 99.0};

    (void)state;
    scale_spread(at, 4, 16.0, 0.0, 110.0);
    assert_true(at[2] == 10.0);
    assert_true(at[0] - at[3] >= 16.0 && at[1] - at[0] >= 16.0 && at[1] <= 110.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_halt_and_its_evidence),
        cmocka_unit_test(direct_evidence_has_a_limit),
        cmocka_unit_test(pauses_and_rings_are_told),
        cmocka_unit_test(runs_in_words),
        cmocka_unit_test(pictures_are_repeatable),
        cmocka_unit_test(tiny_fleets_draw),
        cmocka_unit_test(a_picture_that_cannot_be_written_leaves_nothing),
        cmocka_unit_test(counts_have_a_place_for_zero),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(durations_in_words),
        cmocka_unit_test(labels_are_moved_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
