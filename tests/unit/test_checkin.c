/* checkin: request, answer, events, enrolment and identity; round trips and what is refused. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "checkin.h"

#define DEVICE  "00112233445566778899aabbccddeeff"
#define ONE     "65873e8edacdf13220544036728e115798a13623da29754aceee0a406215afee"
#define TWO     "d988a4a21cfacb44cfc0076290c6cc50473d4928d5caabed4fa2cd1c5ddfd0c3"
#define NONCE   "0123456789abcdef0123456789abcdef"
#define EVENT   "fedcba9876543210fedcba9876543210"
#define MACHINE "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const char request[] =
    "{\"device\":\"" DEVICE "\",\"epoch\":\"0123456789abcdef\",\"number\":9,\"agent\":\"0.1.0\","
    "\"platform\":{\"os\":\"linux\",\"os_version\":\"debian-12\",\"arch\":\"x86_64\","
    "\"label\":\"\"},\"boot_id\":\"f3b1a7c2-0001-4c4e-9d5b-0a0b0c0d0e0f\","
    "\"machine\":\"" MACHINE "\",\"awake_s\":77,\"preflight_s\":30,\"channels\":["
    "{\"channel\":\"crs\",\"running\":\"" ONE "\",\"since_s\":70,\"boots\":2,\"crashes\":1,"
    "\"hold\":\"\",\"ring\":\"canary\",\"snapshot_version\":5,"
    "\"ready\":{\"digest\":\"" TWO "\",\"nonce\":\"" NONCE "\",\"pace_wait_s\":0},"
    "\"figures\":{\"blocked\":12,\"restarts-h\":0.25}},"
    "{\"channel\":\"ebpf\",\"running\":null,\"since_s\":0,\"boots\":0,\"crashes\":0,"
    "\"hold\":\"boot-failed\",\"ring\":\"default\",\"snapshot_version\":0}],"
    "\"events\":[{\"id\":\"" EVENT "\",\"kind\":\"crash\",\"channel\":\"crs\","
    "\"digest\":\"" ONE "\",\"cause\":\"signal-11\",\"blamed\":true,\"awake_s\":60,"
    "\"detail\":\"line 1\\n\\tline 2\"}]}";

static struct checkin *parse(const char *text)
{
    struct checkin *c = NULL;
    struct err err = {0};

    if (checkin_parse(text, strlen(text), &c, &err) < 0)
        fail_msg("%s", err.msg);
    return c;
}

static void test_reads_every_field(void **state)
{
    _cleanup_(checkin_free_p)
    struct checkin *c = parse(request);

    (void)state;
    assert_string_equal(c->device, DEVICE);
    assert_string_equal(c->epoch, "0123456789abcdef");
    assert_int_equal(c->number, 9);
    assert_string_equal(c->agent, "0.1.0");
    assert_string_equal(c->platform.os_version, "debian-12");
    assert_string_equal(c->machine, MACHINE);
    assert_int_equal(c->awake_s, 77);
    assert_int_equal(c->preflight_s, 30);
    assert_int_equal(c->n_channels, 2);
    assert_string_equal(c->channels[0].running, ONE);
    assert_int_equal(c->channels[0].running_since_s, 70);
    assert_int_equal(c->channels[0].boots, 2);
    assert_int_equal(c->channels[0].crashes, 1);
    assert_int_equal(c->channels[0].ring, RING_PREF_CANARY);
    assert_int_equal(c->channels[0].snapshot_version, 5);
    assert_true(c->channels[0].has_ready);
    assert_string_equal(c->channels[0].ready, TWO);
    assert_string_equal(c->channels[0].nonce, NONCE);
    assert_int_equal(c->channels[0].figures.n, 2);
    assert_true(figures_find(&c->channels[0].figures, "blocked")->value == 12.0);
    assert_true(figures_find(&c->channels[0].figures, "restarts-h")->value == 0.25);
    assert_null(figures_find(&c->channels[0].figures, "restarts"));
    assert_int_equal(c->channels[1].figures.n, 0);
    assert_string_equal(c->channels[1].running, "");
    assert_string_equal(c->channels[1].hold, "boot-failed");
    assert_false(c->channels[1].has_ready);
    assert_int_equal(c->n_events, 1);
    assert_string_equal(c->events[0].id, EVENT);
    assert_int_equal(c->events[0].kind, EVENT_CRASH);
    assert_string_equal(c->events[0].digest, ONE);
    assert_string_equal(c->events[0].cause, "signal-11");
    assert_true(c->events[0].blamed);
    assert_string_equal(c->events[0].detail, "line 1\n\tline 2");
}

static void test_dump_is_the_same_document(void **state)
{
    _cleanup_(checkin_free_p)
    struct checkin *c = parse(request);
    struct err err = {0};
    struct buf b;

    (void)state;
    buf_init(&b, CHECKIN_MAX);
    assert_int_equal(checkin_dump(c, &b, &err), 0);
    json_auto_t *want = json_loads(request, 0, NULL), *got = json_loads(b.data, 0, NULL);
    assert_true(json_equal(want, got));
    buf_release(&b);
    buf_init(&b, 200);
    assert_int_equal(checkin_dump(c, &b, &err), -ERR_TOO_LARGE);
    buf_release(&b);
}

static void test_unknown_members_are_ignored(void **state)
{
    json_auto_t *o = json_loads(request, 0, NULL);

    (void)state;
    json_object_set_new(o, "colour", json_pack("[i]", 1));
    json_object_set_new(json_array_get(json_object_get(o, "events"), 0), "more", json_true());
    _cleanup_(free_p)
    char *text = json_dumps(o, 0);
    _cleanup_(checkin_free_p)
    struct checkin *c = parse(text);
    assert_int_equal(c->n_events, 1);
}

/* Each edit of the good document is refused, and the message names what is said here. */
static const struct {
    const char *from, *to, *names;
} hostile[] = {
    {"\"device\":\"" DEVICE "\"", "\"device\":\"x\"", "device"},
    {"\"device\":\"" DEVICE "\",", "", "device"},
    {"\"device\":\"00", "\"device\":\"\\u0000", "json"},
    {"\"device\":\"00", "\"device\":\"AA", "device"},
    {"\"epoch\":\"0123456789abcdef\"", "\"epoch\":7", "epoch"},
    {"\"number\":9", "\"number\":0", "number"},
    {"\"number\":9", "\"number\":-9", "number"},
    {"\"number\":9", "\"number\":9.0", "number"},
    {"\"number\":9", "\"number\":\"9\"", "number"},
    {"\"number\":9", "\"number\":99999999999999999999", "json"},
    {"\"number\":9", "\"number\":9,\"number\":10", "json"},
    {"\"agent\":\"0.1.0\"", "\"agent\":\"<script>\"", "agent"},
    {"\"agent\":\"0.1.0\"", "\"agent\":\"012345678901234567890123456789012\"", "agent"},
    {"\"os\":\"linux\"", "\"os\":\"\"", "os"},
    {"\"os\":\"linux\"", "\"os\":\"li/nux\"", "os"},
    {"\"os\":\"linux\"", "\"os\":\"li\\nnux\"", "os"},
    {"\"label\":\"\"", "\"label\":null", "label"},
    {"\"platform\":{", "\"platform\":[],\"p\":{", "platform"},
    {"\"boot_id\":\"f3", "\"boot_id\":\" f3", "boot_id"},
    {"\"machine\":\"ba", "\"machine\":\"", "machine"},
    {"\"awake_s\":77", "\"awake_s\":-1", "awake_s"},
    {"\"preflight_s\":30", "\"preflight_s\":86341", "preflight_s"},
    {"\"channel\":\"ebpf\"", "\"channel\":\"crs\"", "twice"},
    {"\"channel\":\"crs\"", "\"channel\":\"\"", "channels[0].channel"},
    {"\"running\":\"" ONE "\"", "\"running\":\"\"", "running"},
    {"\"running\":null,", "", "channels[1].running"},
    {"\"hold\":\"boot-failed\"", "\"hold\":\"boot failed\"", "hold"},
    {"\"ring\":\"canary\"", "\"ring\":\"first\"", "ring"},
    {"\"ready\":{", "\"ready\":[],\"r\":{", "ready"},
    {"\"nonce\":\"" NONCE "\"", "\"nonce\":\"\"", "nonce"},
    {"\"pace_wait_s\":0", "\"pace_wait_s\":-1", "pace_wait_s"},
    {"\"blocked\":12", "\"blocked\":-1", "figures"},
    {"\"blocked\":12", "\"blocked\":1e16", "blocked"},
    {"\"blocked\":12", "\"blocked\":1e999", "json"},
    {"\"blocked\":12", "\"blocked\":NaN", "json"},
    {"\"blocked\":12", "\"blocked\":\"12\"", "blocked"},
    {"\"blocked\":12", "\"blocked\":null", "blocked"},
    {"\"blocked\":12", "\"blocked\":true", "blocked"},
    {"\"blocked\":12", "\"blocked\":1,\"blocked\":2", "json"},
    {"\"blocked\":12", "\"Blocked\":12", "figures"},
    {"\"blocked\":12", "\"\":12", "figures"},
    {"\"blocked\":12", "\"a2345678901234567890123b\":12", "figures"},
    {"\"figures\":{", "\"figures\":[],\"f\":{", "figures"},
    {"\"blocked\":12", "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1",
     "figures"},
    {"\"id\":\"" EVENT "\"", "\"id\":\"1\"", "id"},
    {"\"kind\":\"crash\"", "\"kind\":\"crashed\"", "kind"},
    {"\"cause\":\"signal-11\"", "\"cause\":\"it fell over\"", "cause"},
    {"\"blamed\":true", "\"blamed\":\"true\"", "blamed"},
    {"\"detail\":\"line", "\"detail\":7,\"d\":\"line", "detail"},
    {"\"detail\":\"line", "\"detail\":\"\xff", "json"},
    {"\"events\":[", "\"events\":[null,", "event"},
    {"\"events\":[", "\"events\":{},\"e\":[", "events"},
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        const char *at = strstr(request, hostile[i].from);
        struct checkin *c = NULL;
        struct err err = {0};
        char text[4096];

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - request), request, hostile[i].to,
                 at + strlen(hostile[i].from));
        if (checkin_parse(text, strlen(text), &c, &err) != -ERR_INVALID || c)
            fail_msg("taken: %s", hostile[i].to);
        if (!strstr(err.msg, hostile[i].names))
            fail_msg("'%s' does not name '%s'", err.msg, hostile[i].names);
    }
}

static void test_caps(void **state)
{
    static const char *const lists[] = {"channels", "events"};
    static const size_t caps[] = {CHECKIN_MAX_CHANNELS, CHECKIN_MAX_EVENTS};
    struct checkin *c = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_auto_t *o = json_loads(request, 0, NULL);
        json_t *list = json_object_get(o, lists[i]);

        while (json_array_size(list) <= caps[i])
            json_array_append(list, json_array_get(list, 0));
        _cleanup_(free_p)
        char *text = json_dumps(o, 0);
        assert_int_equal(checkin_parse(text, strlen(text), &c, &err), -ERR_INVALID);
        assert_non_null(strstr(err.msg, lists[i]));
    }
    assert_int_equal(checkin_parse(request, CHECKIN_MAX + 1, &c, &err), -ERR_TOO_LARGE);
}

static void test_cohort_names(void **state)
{
    static const struct {
        struct platform p;
        const char *want;
    } rows[] = {
        {{"linux", "debian-12", "x86_64", ""}, "linux-debian-12"},
        {{"linux", "debian-12", "aarch64", ""}, "linux-debian-12-aarch64"},
        {{"linux", "debian-12", "x86_64", "tills"}, "linux-debian-12/tills"},
        {{"linux", "debian-12", "riscv64", "tills"}, "linux-debian-12-riscv64/tills"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[COHORT_NAME_MAX];

        platform_cohort(&rows[i].p, name);
        assert_string_equal(name, rows[i].want);
    }
}

static void test_a_cohort_is_never_cut(void **state)
{
    json_auto_t *o = json_loads(request, 0, NULL);
    json_t *p = json_object_get(o, "platform");
    struct checkin *c = NULL;
    struct err err = {0};

    (void)state;
    json_object_set_new(p, "os", json_string("a2345678901234567890123"));
    json_object_set_new(p, "os_version", json_string("b23456789012345678901234567890123456789"));
    json_object_set_new(p, "arch", json_string("c23456789012345"));
    json_object_set_new(p, "label", json_string("d2345678901234567890123"));
    _cleanup_(free_p)
    char *text = json_dumps(o, 0);
    assert_int_equal(checkin_parse(text, strlen(text), &c, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "cohort"));
}

static void test_every_event_kind_goes_round(void **state)
{
    (void)state;
    for (int k = 0; k < EVENT_N_KINDS; k++) {
        struct event e = {.id = EVENT, .kind = (enum event_kind)k, .cause = "exit-1"}, back;
        json_auto_t *o = event_to_json(&e);
        struct err err = {0};
        enum event_kind named;

        assert_non_null(o);
        assert_int_equal(event_from_json(o, &back, &err), 0);
        assert_int_equal(back.kind, k);
        assert_null(back.detail);
        assert_int_equal(event_from(event_name((enum event_kind)k), &named), 0);
        assert_int_equal(named, k);
    }
    assert_int_equal(event_from("explosion", &(enum event_kind){0}), -ERR_INVALID);
}

static void test_detail_is_cleaned_both_ways(void **state)
{
    char raw[] = "ok\t\xc3\xa4\n\x1b[31m\xff\xc0\xaf\r\x7f\xc2\x85.";
    struct event e = {.id = EVENT, .kind = EVENT_CRASH, .detail = raw}, back;
    json_auto_t *o = event_to_json(&e);
    struct err err = {0};

    (void)state;
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "detail")),
                        "ok\t\xc3\xa4\n?[31m??\?\?\?\?\?.");
    json_object_set_new(o, "detail", json_string("a\x1b[2Jb\nc"));
    assert_int_equal(event_from_json(o, &back, &err), 0);
    assert_string_equal(back.detail, "a?[2Jb\nc");
    event_release(&back);
}

static void test_detail_is_cut_between_characters(void **state)
{
    char raw[2 * EVENT_DETAIL_MAX];
    struct event e = {.id = EVENT, .kind = EVENT_CRASH, .detail = raw}, back;
    struct err err = {0};

    (void)state;
    memset(raw, 'x', sizeof raw);
    memcpy(raw + EVENT_DETAIL_MAX - 1, "\xe2\x82\xac", 3);
    raw[sizeof raw - 1] = '\0';
    json_auto_t *o = event_to_json(&e);
    assert_non_null(o);
    assert_int_equal(json_string_length(json_object_get(o, "detail")), EVENT_DETAIL_MAX - 1);
    assert_int_equal(event_from_json(o, &back, &err), 0);
    event_release(&back);
    memset(raw, 'x', sizeof raw - 1);
    json_object_set_new(o, "detail", json_string(raw));
    assert_int_equal(event_from_json(o, &back, &err), -ERR_INVALID);
}

static const char answer[] =
    "{\"server_time\":1700000000,\"next_ms\":10000,\"snapshot_version\":6,\"channels\":["
    "{\"channel\":\"crs\",\"permit\":{\"signed\":{\"a\":1},\"signatures\":[]}},"
    "{\"channel\":\"ebpf\",\"wait\":{\"reason\":\"not-admitted\",\"retry_ms\":10000}}]}";

static void test_answer_round_trip(void **state)
{
    _cleanup_(checkin_answer_free_p)
    struct checkin_answer *a = NULL;
    struct err err = {0};
    struct buf b;

    (void)state;
    assert_int_equal(checkin_answer_parse(answer, strlen(answer), &a, &err), 0);
    assert_int_equal(a->server_time, 1700000000);
    assert_int_equal(a->next_ms, 10000);
    assert_int_equal(a->snapshot_version, 6);
    assert_int_equal(a->n_channels, 2);
    assert_non_null(a->channels[0].permit);
    assert_string_equal(a->channels[0].wait, "");
    assert_null(a->channels[1].permit);
    assert_string_equal(a->channels[1].wait, "not-admitted");
    assert_int_equal(a->channels[1].retry_ms, 10000);
    buf_init(&b, CHECKIN_ANSWER_MAX);
    assert_int_equal(checkin_answer_dump(a, &b, &err), 0);
    json_auto_t *want = json_loads(answer, 0, NULL), *got = json_loads(b.data, 0, NULL);
    assert_true(json_equal(want, got));
    buf_release(&b);
}

static void test_hostile_answers(void **state)
{
    static const char *const edits[][2] = {
        {"\"server_time\":1700000000,", ""},
        {"\"next_ms\":10000", "\"next_ms\":0"},
        {"\"next_ms\":10000", "\"next_ms\":86400001"},
        {"\"next_ms\":10000", "\"next_ms\":1e4"},
        {"\"snapshot_version\":6", "\"snapshot_version\":-6"},
        {"\"channel\":\"ebpf\"", "\"channel\":\"crs\""},
        {"\"permit\":{", "\"permit\":7,\"p\":{"},
        {"\"permit\":{", "\"p\":{"},
        {"\"permit\":{", "\"wait\":{\"reason\":\"pace\",\"retry_ms\":1},\"permit\":{"},
        {"\"reason\":\"not-admitted\"", "\"reason\":\"\""},
        {"\"reason\":\"not-admitted\"", "\"reason\":\"no, not today\""},
        {"\"retry_ms\":10000", "\"retry_ms\":-1"},
        {"\"channels\":[", "\"channels\":[[],"},
        {"\"channels\":[", "\"channels\":null,\"c\":["},
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(answer, edits[i][0]);
        struct checkin_answer *a = NULL;
        struct err err = {0};
        char text[2048];

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - answer), answer, edits[i][1],
                 at + strlen(edits[i][0]));
        if (checkin_answer_parse(text, strlen(text), &a, &err) != -ERR_INVALID || a)
            fail_msg("taken: %s", edits[i][1]);
    }
}

static void test_enrolment(void **state)
{
    struct enrol_request rq = {.attempt = NONCE,
                               .platform = {"linux", "debian-12", "x86_64", "lab"},
                               .machine = MACHINE},
                         back = {0};
    struct err err = {0};
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(enrol_request_dump(&rq, &b, &err), 0);
    assert_int_equal(enrol_request_parse(b.data, b.len, &back, &err), 0);
    assert_memory_equal(&rq, &back, sizeof rq);
    assert_int_equal(enrol_request_parse(b.data, b.len - 1, &back, &err), -ERR_INVALID);
    assert_int_equal(enrol_request_parse("{}", 2, &back, &err), -ERR_INVALID);
    assert_memory_equal(&rq, &back, sizeof rq); /* a failed call leaves it alone */
    buf_reset(&b);
    rq.attempt[0] = 'X';
    assert_int_equal(enrol_request_dump(&rq, &b, &err), -ERR_INVALID);
    buf_release(&b);
}

static void test_identity(void **state)
{
    static const char text[] =
        "{\"device\":\"" DEVICE "\",\"generation\":3,\"key\":\"" ONE "\",\"draw_key\":\"" TWO
        "\",\"group\":\"canary\",\"repository\":\"" MACHINE "\"}";
    struct identity i, unread = {.generation = -1};
    struct err err = {0};
    char hex[65];
    struct buf b;

    (void)state;
    assert_int_equal(identity_parse(text, strlen(text), &i, &err), 0);
    hex_encode(i.key, sizeof i.key, hex);
    assert_string_equal(hex, ONE);
    hex_encode(i.draw_key, sizeof i.draw_key, hex);
    assert_string_equal(hex, TWO);
    assert_int_equal(i.generation, 3);
    assert_string_equal(i.group, "canary");
    buf_init(&b, 4096);
    assert_int_equal(identity_dump(&i, &b, &err), 0);
    assert_string_equal(b.data, text);
    buf_release(&b);
    assert_int_equal(identity_parse(text, strlen(text) - 1, &unread, &err), -ERR_INVALID);
    assert_int_equal(unread.generation, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_field),
        cmocka_unit_test(test_dump_is_the_same_document),
        cmocka_unit_test(test_unknown_members_are_ignored),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_cohort_names),
        cmocka_unit_test(test_a_cohort_is_never_cut),
        cmocka_unit_test(test_every_event_kind_goes_round),
        cmocka_unit_test(test_detail_is_cleaned_both_ways),
        cmocka_unit_test(test_detail_is_cut_between_characters),
        cmocka_unit_test(test_answer_round_trip),
        cmocka_unit_test(test_hostile_answers),
        cmocka_unit_test(test_enrolment),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
