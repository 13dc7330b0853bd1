/* rollouts: what devices say of a release that they were never granted is counted, told in the log
 * once in a while, and evidence of nothing; what they were granted is theirs to speak of. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/ungranted.h"

static int64_t counted(struct story *y)
{
    return atomic_load(&y->site->metrics.v[METRICS_UNGRANTED]);
}

static const struct ungranted *log_of(struct story *y)
{
    return &y->site->server.rollouts->ungranted;
}

/* All that a device may claim of a release. */
static int claims(struct dev *d, const char *digest)
{
    dev_event(d, EVENT_APPLIED, digest, "", false);
    dev_event(d, EVENT_CRASH, digest, "consumer", true);
    dev_event(d, EVENT_ROLLED_BACK, digest, "exit-1", true);
    dev_event(d, EVENT_PREFLIGHT_FAILED, digest, "exit-1", true);
    return 4;
}

static void claims_of_nobody_are_counted_and_change_nothing(void **state)
{
    struct story *y = *state;
    struct dev *liar = NULL;
    int n;

    start(y, 1);
    while (tick(y, applies) == 0)
        ;
    assert_int_equal(counted(y), 0); /* those that were granted it have spoken of it, or will */
    for (int i = 0; i < N; i++)
        if (!y->devs[i].running[0] && !y->devs[i].digest[0])
            liar = &y->devs[i];
    assert_non_null(liar);
    n = claims(liar, digest(y, 1));
    dev_checkin(y->site, liar);
    dev_event(liar, EVENT_REFUSED, digest(y, 1), "unsupported", false); /* is no claim */
    dev_event(liar, EVENT_CRASH, digest(y, 4), "consumer", false);      /* of something else */
    dev_event(liar, EVENT_GOODBYE, "", "reboot", false);
    dev_checkin(y->site, liar);
    assert_int_equal(counted(y), n);
    assert_int_equal(log_of(y)->n, n);
    assert_int_equal(log_of(y)->told_n, n);
    site_state_is(y->site, "running");
    assert_int_equal(site_count(y->site, "crashed"), 0);
    assert_int_equal(site_count(y->site, "rolled_back"), 0);
    assert_int_equal(site_count(y->site, "preflight_failed"), 0);
    n += claims(liar, digest(y, 1));
    dev_checkin(y->site, liar);
    assert_int_equal(counted(y), n); /* counted, and not told again so soon */
    assert_true(log_of(y)->told_n < n);
    run_until(y, "complete", 120, applies);
    assert_int_equal(counted(y), n);
}

/* Given outside the rollout, as the first content of a device, and so after a restart. */
static void first_content_is_theirs_to_speak_of(void **state)
{
    struct story *y = *state;
    struct dev fresh = {0};

    start(y, 1);
    run_until(y, "complete", 120, applies);
    y->site->at.wall_ms += 10; /* enrolled after the start */
    dev_enrol_new(y->site, &fresh, y->site->token);
    strcpy(fresh.ready, digest(y, 1));
    for (int i = 0; i < 4; i++) { /* until the plan that makes it the baseline is known */
        dev_checkin(y->site, &fresh);
        if (fresh.digest[0])
            break;
        site_tick(y->site, TICK_MS);
    }
    assert_string_equal(fresh.digest, digest(y, 1));
    strcpy(fresh.running, fresh.digest);
    fresh.ready[0] = '\0';
    claims(&fresh, digest(y, 1));
    dev_checkin(y->site, &fresh);
    assert_int_equal(counted(y), 0);
    site_restart(y->site);
    claims(&fresh, digest(y, 1));
    dev_checkin(y->site, &fresh);
    assert_int_equal(counted(y), 0);
}

static void the_log_is_not_filled(void **state)
{
    struct ungranted u = {0};
    int64_t since = -1;
    int told = 0;

    (void)state;
    assert_false(ungranted_count(&u, 0, 5, &since));
    assert_true(ungranted_count(&u, 2, 5, &since));
    assert_int_equal(since, 2);
    for (int64_t ms = 6; ms < UNGRANTED_LOG_MS + 5; ms += 1000)
        told += ungranted_count(&u, 1, ms, &since);
    assert_int_equal(told, 0);
    assert_false(ungranted_count(&u, 0, UNGRANTED_LOG_MS + 5, &since));
    assert_true(ungranted_count(&u, 1, UNGRANTED_LOG_MS + 5, &since));
    assert_int_equal(since, u.n - 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claims_of_nobody_are_counted_and_change_nothing),
        TEST(first_content_is_theirs_to_speak_of),
        cmocka_unit_test(the_log_is_not_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
