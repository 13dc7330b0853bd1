/* scenario: the shipped files are read; bad values are refused with their line and reason. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

#define DIR SOURCE_DIR "/canary/sim/scenarios"

static int parse(const char *text, struct scenario *s, struct err *err)
{
    memset(err, 0, sizeof(*err));
    return scenario_parse(text, strlen(text), "x.json", s, err);
}

static void every_shipped_file_is_read(void **state)
{
    static const char *const order[] = {"S1", "S2", "S3", "S4", "S5", "S5n"};
    struct err err = {0};
    char **names;
    int n;

    (void)state;
    assert_int_equal(scenario_list(DIR, &names, &n, &err), 0);
    assert_true(n >= 15);
    for (int i = 0; i < n; i++) {
        struct scenario s;

        if (i < 6)
            assert_string_equal(names[i], order[i]);
        if (scenario_read(DIR, names[i], &s, &err) < 0)
            fail_msg("%s", err.msg);
        assert_int_equal(topology_fleet(&s.topology), 8500000);
        free(names[i]);
    }
    free(names);
}

static void a_file_says_what_differs(void **state)
{
    struct scenario s;
    struct err err;

    (void)state;
    assert_int_equal(
        parse("{\"name\": \"x\", \"fleet\": 7, \"cohorts\": ["
              "{\"name\": \"a\", \"os\": \"p\", \"share\": 0.7},"
              "{\"name\": \"b\", \"os\": \"q\", \"share\": 0.3}],"
              "\"pace\": [{\"after_min\": 0, \"share\": 0.001},"
              "{\"after_min\": 30, \"share\": 1}],"
              "\"life\": {\"crashes_h\": 0.5},"
              "\"defect\": {\"kind\": \"load\", \"cohorts\": [\"q\"], \"share\": 0.25}}",
              &s, &err),
        0);
    assert_int_equal(s.topology.n_cohorts, 2);
    assert_int_equal(s.topology.n_os, 2);
    assert_int_equal(s.topology.cohorts[0].size, 5);
    assert_int_equal(s.topology.cohorts[1].size, 2);
    assert_true(s.life.crashes_h == 0.5 && s.life.consumer_share == 0.3);
    assert_true(!s.good && !s.defect.hits[0] && s.defect.hits[1] && s.defect.share == 0.25);
    assert_int_equal(scenario_pace_ppm(&s, 29 * 60000), 1000);
    assert_int_equal(scenario_pace_ppm(&s, 30 * 60000), 1000000);
}

static const struct {
    const char *text, *says;
} bad[] = {
    {"{\"name\": \"x\",\n\"fleet\": -5}", "line 2: 'fleet' is outside 1 to"},
    {"{\"name\": \"x\",\n\"fleet\": 1.5}", "line 2: 'fleet' is not a whole number"},
    {"{\"name\": \"x\",\n\n\"flet\": 5}", "line 3: 'flet' is no known key"},
    {"{\"name\": \"x\", \"fleet\": NaN}", "x.json: "},
    {"{\"name\": \"x\", \"fleet\": 1e999}", "x.json: "},
    {"{\"fleet\": 5}", "'name' is missing"},
    {"{\"name\": \"x\", \"life\": {\n\"long_silence_share\": 1.01}}",
     "line 2: 'life.long_silence_share' is outside 0 to 1"},
    {"{\"name\": \"x\", \"life\": {\n\"crashes_h\": -1e-9}}",
     "line 2: 'life.crashes_h' is outside"},
    {"{\"name\": \"x\", \"life\": {\"crashes_h\":\n\"many\"}}",
     "line 1: 'life.crashes_h' is not a number"},
    {"{\"name\": \"x\", \"life\": {\n\n\"lives\": 9}}", "line 3: 'life.lives' is no known key"},
    {"{\"name\": \"x\", \"life\": [\n]}", "line 1: 'life' is not an object"},
    {"{\"name\": \"x\", \"prestaged\": 1}", "'prestaged' is not true or false"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"load\", \"cohorts\": [\"all\"],\n\"share\": 2}}",
     "line 2: 'defect.share' is outside 0 to 1"},
    {"{\"name\": \"x\", \"defect\": {\"kind\":\n\"bang\"}}", "line 1: 'defect.kind' is not none"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"load\", \"share\": 1}}", "hits no cohort"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"load\",\n\"cohorts\": [\"beos\"]}}",
     "line 2: 'defect.cohorts' names 'beos'"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"load\", \"cohorts\": [\"all\"],\n\"ratio\": 2}}",
     "line 2: 'defect.ratio' means nothing to a defect of kind 'load'"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"load\", \"cohorts\": [\"all\"],"
     "\n\"recover_min\": 11}}",
     "line 2: 'defect.recover_min' is more than recover_max_min"},
    {"{\"name\": \"x\", \"defect\": {\"kind\": \"later\", \"cohorts\": [\"all\"]}}",
     "needs median_min and sigma"},
    {"{\"name\": \"x\",\n\"cohorts\": []}", "line 2: 'cohorts' is not a list of 1 to 64"},
    {"{\"name\": \"x\", \"cohorts\": [\n{\"name\": \"a\", \"os\": \"p\", \"share\": 1.5}]}",
     "line 2: 'cohorts[0]' has a share that is not a number in (0, 1]"},
    {"{\"name\": \"x\", \"cohorts\": [{\"name\": \"a\", \"os\": \"p\", \"share\": 0.5},\n"
     "{\"name\": \"a\", \"os\": \"p\", \"share\": 0.5}]}",
     "line 2: 'cohorts[1]' has the name of cohorts[0]"},
    {"{\"name\": \"x\",\n\"cohorts\": [{\"name\": \"a\", \"os\": \"p\", \"share\": 0.5}]}",
     "line 2: 'cohorts' has shares that sum to 0.5"},
    {"{\"name\": \"x\",\n\"pace\": [{\"after_min\": 0, \"share\": 0.5},\n"
     "{\"after_min\": 0, \"share\": 1}]}",
     "line 3: 'pace[1]' does not grow"},
    {"{\"name\": \"x\", \"world\": {\"at_min\": 200}}", "'world.at_min' is more than at_max_min"},
    {"{\"name\": \"x\", \"fleet\": 10, \"canaries\": 6}", "'canaries' is more than half"},
    {"[]", "not an object"},
};

static void bad_values_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct scenario s;
        struct err err;
        int r = parse(bad[i].text, &s, &err);

        if (r != -ERR_INVALID || !strstr(err.msg, bad[i].says))
            fail_msg("%s\n gave %d '%s'\n want '%s'", bad[i].text, r, err.msg, bad[i].says);
    }
}

static void devices_are_all_placed(void **state)
{
    static const int64_t fleets[] = {1, 2, 5, 50, 499, 5000, 8500000, SCENARIO_FLEET_MAX};
    struct scenario s;

    (void)state;
    scenario_standard(&s);
    for (size_t i = 0; i < sizeof(fleets) / sizeof(fleets[0]); i++) {
        scenario_resize(&s, fleets[i]);
        assert_int_equal(topology_fleet(&s.topology), fleets[i]);
        for (int c = 0; c < s.topology.n_cohorts; c++) {
            double want = (double)fleets[i] * s.shares[c];

            assert_true((double)s.topology.cohorts[c].size > want - 1.0 &&
                        (double)s.topology.cohorts[c].size < want + 1.0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_file_is_read),
        cmocka_unit_test(a_file_says_what_differs),
        cmocka_unit_test(bad_values_are_refused_with_line_and_reason),
        cmocka_unit_test(devices_are_all_placed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
