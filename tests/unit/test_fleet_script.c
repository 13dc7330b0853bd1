/* fleet: scripts are read strictly, shares are stable, the queue is in order. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "script.h"

#define GROUP "\"count\":3,\"cohort\":\"linux-debian-12/tills\",\"behaviour\":\"slow\""

static int parse(const char *text, struct script *s, struct err *err)
{
    return script_parse(text, strlen(text), s, err);
}

static void test_defaults(void **state)
{
    struct script s;

    (void)state;
    assert_int_equal(parse("{\"tick_ms\":500,\"groups\":[{" GROUP "}]}", &s, NULL), 0);
    assert_int_equal(s.n_endpoints, 3);
    assert_int_equal(s.soak_ms, 500);
    assert_int_equal(s.groups[0].share_ppm, PPM);
    assert_int_equal(s.groups[0].behaviour, BEHAVIOUR_SLOW);
    assert_int_equal(s.groups[0].recover_max_ticks, s.groups[0].recover_ticks);
    assert_false(s.life.on);
    assert_string_equal(s.outage.on_release, "");
    assert_string_equal(s.groups[0].platform.os, "linux");
    assert_string_equal(s.groups[0].platform.os_version, "debian-12");
    assert_string_equal(s.groups[0].platform.label, "tills");
}

static void test_life(void **state)
{
    struct script s;

    (void)state;
    assert_int_equal(
        parse("{\"tick_ms\":500,\"life\":{\"minute_ms\":1000,\"reboots_ppm_h\":1732868,"
              "\"prestaged\":true},\"outage\":{\"on_release\":\"2.0\",\"after_ms\":4000,"
              "\"for_ms\":30000},\"groups\":[{" GROUP "}]}",
              &s, NULL),
        0);
    assert_true(s.life.on && s.life.prestaged);
    assert_int_equal(s.life.minute_ms, 1000);
    assert_int_equal(s.life.reboots_ppm_h, 1732868);
    assert_int_equal(s.life.goodbyes_ppm_h, 0);
    assert_int_equal(s.life.wakes_ppm_h, PPM);
    assert_string_equal(s.outage.on_release, "2.0");
    assert_int_equal(s.outage.for_ms, 30000);
}

static void test_figures(void **state)
{
    struct script s;

    (void)state;
    assert_int_equal(
        parse("{\"tick_ms\":500,\"groups\":[{" GROUP
              ",\"figures\":{\"blocked\":20},\"figures_ill\":{\"blocked\":40.5,\"x\":0}}]}",
              &s, NULL),
        0);
    assert_int_equal(s.groups[0].figures.n, 1);
    assert_true(figures_find(&s.groups[0].figures_ill, "blocked")->value == 40.5);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } table[] = {
        {"{\"tick_ms\":500,\"groups\":[]}", "endpoints"},
        {"{\"tick_ms\":500,\"groups\":[{" GROUP ",\"figures\":{\"Blocked\":1}}]}",
         "groups[0].figures"},
        {"{\"groups\":[{" GROUP "}]}", "tick_ms"},
        {"{\"tick_ms\":500,\"groups\":[{\"count\":1,\"cohort\":\"debian\",\"behaviour\":\"slow\"}]"
         "}",
         "cohort"},
        {"{\"tick_ms\":500,\"groups\":[{\"count\":1,\"cohort\":\"a-b\",\"behaviour\":\"odd\"}]}",
         "behaviour"},
        {"{\"tick_ms\":500,\"groups\":[{" GROUP ",\"share_ppm\":1000001}]}", "share_ppm"},
        {"{\"tick_ms\":500,\"groups\":[{" GROUP ",\"recover_ticks\":4,\"recover_max_ticks\":3}]}",
         "recover_max_ticks"},
        {"{\"tick_ms\":500,\"life\":{\"wakes_ppm_h\":0},\"groups\":[{" GROUP "}]}", "wakes_ppm_h"},
        {"{\"tick_ms\":500,\"life\":{\"asleep_ppm\":1000001},\"groups\":[{" GROUP "}]}",
         "asleep_ppm"},
        {"{\"tick_ms\":500,\"outage\":{\"on_release\":\"2.0\",\"after_ms\":1},\"groups\":[{" GROUP
         "}]}",
         "for_ms"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err err = {0};
        struct script s;

        assert_true(parse(table[i].text, &s, &err) < 0);
        if (!strstr(err.msg, table[i].part))
            fail_msg("'%s' does not hold '%s'", err.msg, table[i].part);
    }
}

static void test_shares(void **state)
{
    int chosen = 0, other = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        chosen += script_chosen(1, i, "misbehaves", 100000);
        other +=
            script_chosen(1, i, "misbehaves", 100000) && script_chosen(2, i, "misbehaves", 100000);
        assert_true(script_chosen(1, i, "x", PPM));
        assert_false(script_chosen(1, i, "x", 0));
    }
    assert_in_range(chosen, 850, 1150);
    assert_in_range(other, 50, 160); /* seeds choose independently */
}

static void test_queue(void **state)
{
    struct queue q;
    int64_t last = -1;

    (void)state;
    assert_int_equal(queue_init(&q, 1000), 0);
    for (uint32_t i = 0; i < 1000; i++)
        queue_push(&q, (int64_t)i * 7919 % 1009, i);
    for (int i = 0; i < 1000; i++) {
        int64_t due = queue_first_ms(&q);
        uint32_t index = queue_pop(&q);

        assert_true(due >= last);
        assert_int_equal(due, (int64_t)index * 7919 % 1009);
        last = due;
    }
    assert_int_equal(queue_first_ms(&q), INT64_MAX);
    queue_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_life),
        cmocka_unit_test(test_figures),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shares),   cmocka_unit_test(test_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
