/* plan: the codec, and what a plan says to a device. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "plan.h"

#define ONE   "65873e8edacdf13220544036728e115798a13623da29754aceee0a406215afee"
#define TWO   "d988a4a21cfacb44cfc0076290c6cc50473d4928d5caabed4fa2cd1c5ddfd0c3"
#define THREE "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/* An ed25519 key object (RFC 8032, test 1). */
#define KEY                                                                                        \
    "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":"                      \
    "\"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"}}"
#define DEBIAN "linux-debian-12"
#define UBUNTU "linux-ubuntu-24.04-aarch64/lab"

static const char golden[] =
    "{\"_type\":\"firebreak-plan\",\"format\":1,\"channel\":\"crs\",\"serial\":4,"
    "\"baseline\":{\"digest\":\"" ONE "\",\"version\":\"1.0\"},"
    "\"rollouts\":[{\"digest\":\"" ONE "\",\"version\":\"1.0\",\"sequence\":1,"
    "\"state\":\"paused\",\"stage_ppm\":1000000,\"ask_ppm\":1000000,\"cohorts\":[]},"
    "{\"digest\":\"" TWO "\",\"version\":\"2.0\",\"sequence\":2,\"state\":\"running\","
    "\"stage_ppm\":100000,\"ask_ppm\":1000000,\"cohorts\":["
    "{\"name\":\"" UBUNTU "\",\"stage_ppm\":7,\"ask_ppm\":1000000,\"halted\":false},"
    "{\"name\":\"linux-fedora-40\",\"stage_ppm\":9,\"ask_ppm\":1000000,\"halted\":true}]}],"
    "\"recalled\":[{\"digest\":\"" THREE "\",\"cohorts\":[]},"
    "{\"digest\":\"" TWO "\",\"cohorts\":[\"linux-fedora-40\"]}],"
    "\"lifted\":[{\"digest\":\"" THREE "\"}],\"permit_keys\":[" KEY "],"
    "\"checkin_ms\":60000,\"tick_ms\":10000}";

static struct plan *parse(const char *text)
{
    struct plan *p = NULL;
    struct err err = {0};

    if (plan_parse(text, strlen(text), &p, &err) < 0)
        fail_msg("%s", err.msg);
    return p;
}

static void test_reads_every_field(void **state)
{
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);

    (void)state;
    assert_string_equal(p->channel, "crs");
    assert_int_equal(p->serial, 4);
    assert_string_equal(p->baseline, ONE);
    assert_string_equal(p->baseline_version, "1.0");
    assert_int_equal(p->n_rollouts, 2);
    assert_int_equal(p->rollouts[0].state, ROLLOUT_PAUSED);
    assert_string_equal(p->rollouts[1].digest, TWO);
    assert_string_equal(p->rollouts[1].version, "2.0");
    assert_int_equal(p->rollouts[1].sequence, 2);
    assert_int_equal(p->rollouts[1].n_cohorts, 2);
    assert_int_equal(p->n_recalled, 2);
    assert_int_equal(p->n_lifted, 1);
    assert_int_equal(p->permit_keys.n_keys, 1);
    assert_int_equal(p->permit_keys.threshold, 1);
    assert_int_equal(p->checkin_ms, 60000);
    assert_int_equal(p->tick_ms, 10000);
}

static void test_dump_reads_back(void **state)
{
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);
    struct err err = {0};
    struct buf one, two;

    (void)state;
    buf_init(&one, PLAN_MAX);
    buf_init(&two, PLAN_MAX);
    assert_int_equal(plan_dump(p, &one, &err), 0);
    _cleanup_(plan_free_p)
    struct plan *again = parse(one.data);
    assert_int_equal(plan_dump(again, &two, &err), 0);
    assert_string_equal(one.data, two.data);
    /* The golden text is compact with other member order: compare as trees. */
    json_auto_t *a = json_loads(golden, 0, NULL), *b = json_loads(one.data, 0, NULL);
    assert_true(json_equal(a, b));
    p->baseline[0] = '\0';
    buf_reset(&one);
    assert_int_equal(plan_dump(p, &one, &err), 0);
    assert_non_null(strstr(one.data, "\"baseline\":null"));
    _cleanup_(plan_free_p)
    struct plan *without = parse(one.data);
    assert_string_equal(without->baseline, "");
    p->rollouts[0].stage_ppm = PPM + 1;
    buf_reset(&one);
    assert_int_equal(plan_dump(p, &one, &err), -ERR_INVALID);
    buf_release(&one);
    buf_release(&two);
}

/* Endpoints that were built before `ask_ppm` went refuse a plan without it, its recalls too. */
static void test_older_endpoints_can_read(void **state)
{
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);
    struct err err = {0};
    struct buf text;

    (void)state;
    buf_init(&text, PLAN_MAX);
    assert_int_equal(plan_dump(p, &text, &err), 0);
    json_auto_t *o = json_loads(text.data, 0, NULL);
    json_t *rollouts = json_object_get(o, "rollouts");

    for (size_t i = 0; i < json_array_size(rollouts); i++) {
        const json_t *ro = json_array_get(rollouts, i), *cohorts = json_object_get(ro, "cohorts");

        assert_int_equal(json_integer_value(json_object_get(ro, "ask_ppm")), PPM);
        for (size_t k = 0; k < json_array_size(cohorts); k++)
            assert_int_equal(
                json_integer_value(json_object_get(json_array_get(cohorts, k), "ask_ppm")), PPM);
    }
    buf_release(&text);
}

static void test_shares(void **state)
{
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);
    struct plan_rollout *r = &p->rollouts[1];

    (void)state;
    assert_int_equal(plan_stage_ppm(r, DEBIAN), 100000);
    assert_int_equal(plan_stage_ppm(r, UBUNTU), 7);
    assert_int_equal(plan_stage_ppm(r, "linux-fedora-40"), 0); /* halted there */
    r->state = ROLLOUT_HALTED;
    assert_int_equal(plan_stage_ppm(r, DEBIAN), 0);
    assert_int_equal(plan_stage_ppm(r, UBUNTU), 0);
}

static void test_candidate_by_state(void **state)
{
    static const struct {
        enum rollout_state newer;
        const char *want;
    } rows[] = {
        {ROLLOUT_RUNNING, TWO},  {ROLLOUT_PAUSED, TWO},     {ROLLOUT_HALTED, ONE},
        {ROLLOUT_COMPLETE, TWO}, {ROLLOUT_SUPERSEDED, ONE},
    };
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        p->rollouts[1].state = rows[i].newer;
        assert_string_equal(plan_candidate(p, DEBIAN)->digest, rows[i].want);
    }
    p->rollouts[0].state = ROLLOUT_HALTED;
    p->rollouts[1].state = ROLLOUT_HALTED;
    assert_null(plan_candidate(p, DEBIAN));
}

static void test_candidate_by_cohort_and_recall(void **state)
{
    _cleanup_(plan_free_p)
    struct plan *p = parse(golden);

    (void)state;
    assert_string_equal(plan_candidate(p, UBUNTU)->digest, TWO);
    assert_string_equal(plan_candidate(p, "linux-fedora-40")->digest, ONE);
    /* No longer halted, yet still recalled: the recall wins. */
    p->rollouts[1].cohorts[1].halted = false;
    assert_string_equal(plan_candidate(p, "linux-fedora-40")->digest, ONE);
    assert_true(plan_recalls(p, TWO, "linux-fedora-40"));
    assert_false(plan_recalls(p, TWO, DEBIAN));
    assert_true(plan_recalls(p, THREE, DEBIAN));
    assert_false(plan_recalls(p, ONE, DEBIAN));
    assert_true(plan_lifts(p, THREE));
    assert_false(plan_lifts(p, TWO));
    assert_ptr_equal(plan_find(p, TWO), &p->rollouts[1]);
    assert_null(plan_find(p, THREE));
}

static void test_hostile(void **state)
{
    static const char *const edits[][2] = {
        {"firebreak-plan", "firebreak-manifest"},
        {"\"format\":1", "\"format\":2"},
        {"\"channel\":\"crs\"", "\"channel\":\"a/b\""},
        {"\"serial\":4", "\"serial\":-1"},
        {"\"serial\":4", "\"serial\":4.0"},
        {"\"serial\":4", "\"serial\":4,\"serial\":5"},
        {"\"baseline\":{", "\"base\":{"},
        {"\"version\":\"1.0\"},", "\"version\":\"\"},"},
        {"\"state\":\"paused\"", "\"state\":\"Paused\""},
        {"\"state\":\"paused\"", "\"state\":1"},
        {"\"stage_ppm\":1000000", "\"stage_ppm\":1000001"},
        {"\"stage_ppm\":7,\"ask_ppm\":1000000,", "\"stage_ppm\":-1,"},
        {"\"sequence\":1,", "\"sequence\":2,"},
        {"\"digest\":\"" TWO "\",\"version\"", "\"digest\":\"" ONE "\",\"version\""},
        {"\"name\":\"linux-fedora-40\"", "\"name\":\"" UBUNTU "\""},
        {"\"name\":\"linux-fedora-40\"", "\"name\":\"\""},
        {"\"name\":\"linux-fedora-40\"", "\"name\":\"a/b/c\""},
        {"\"name\":\"linux-fedora-40\"", "\"name\":\"a b\""},
        {"\"halted\":true", "\"halted\":1"},
        {"\"cohorts\":[\"linux-fedora-40\"]", "\"cohorts\":[1]"},
        {"\"cohorts\":[\"linux-fedora-40\"]", "\"cohorts\":[\"a\\nb\"]"},
        {"\"cohorts\":[\"linux-fedora-40\"]", "\"cohorts\":null"},
        {"\"lifted\":[{", "\"lifted\":[[],{"},
        {"\"permit_keys\":[", "\"permit_keys\":[7,"},
        {"\"permit_keys\":[", "\"permit_keys\":[{\"keytype\":\"rot13\"},"},
        {"\"checkin_ms\":60000", "\"checkin_ms\":0"},
        {"\"tick_ms\":10000", "\"tick_ms\":86400001"},
        {"\"tick_ms\":10000", "\"tick_ms\":99999999999999999999"},
        {"\"tick_ms\":10000}", "\"tick_ms\":10000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(golden, edits[i][0]);
        struct plan *p = NULL;
        struct err err = {0};
        char text[4096];

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - golden), golden, edits[i][1],
                 at + strlen(edits[i][0]));
        if (plan_parse(text, strlen(text), &p, &err) != -ERR_INVALID)
            fail_msg("taken: %s", edits[i][1]);
        assert_null(p);
    }
}

static void test_caps(void **state)
{
    json_auto_t *o = json_loads(golden, 0, NULL);
    json_t *lifted = json_object_get(o, "lifted");
    struct plan *p = NULL;
    struct err err = {0};

    (void)state;
    while (json_array_size(lifted) <= PLAN_MAX_RECALLED)
        json_array_append(lifted, json_array_get(lifted, 0));
    _cleanup_(free_p)
    char *text = json_dumps(o, 0);
    assert_int_equal(plan_parse(text, strlen(text), &p, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "lifted"));
    assert_int_equal(plan_parse(text, PLAN_MAX + 1, &p, &err), -ERR_TOO_LARGE);
}

static void test_names(void **state)
{
    enum rollout_state s;
    char path[64];

    (void)state;
    assert_int_equal(plan_target_path("crs", path, sizeof path), 0);
    assert_string_equal(path, "rollout/crs.json");
    assert_int_equal(plan_target_path("crs", path, 5), -ERR_TOO_LARGE);
    assert_int_equal(rollout_state_from("halted", &s), 0);
    assert_int_equal(s, ROLLOUT_HALTED);
    assert_int_equal(rollout_state_from("gone", &s), -ERR_INVALID);
    assert_string_equal(rollout_state_name(ROLLOUT_COMPLETE), "complete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_field),
        cmocka_unit_test(test_dump_reads_back),
        cmocka_unit_test(test_older_endpoints_can_read),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_candidate_by_state),
        cmocka_unit_test(test_candidate_by_cohort_and_recall),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
