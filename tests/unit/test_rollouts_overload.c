/* rollouts: more check-ins than the store takes. Who says nothing new is put off (429), and that is
 * no silence; who has to acknowledge a release, or has news, is heard. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/flight.h"

#define ALWAYS (-1) /* behind whatever waits */

static const struct arm *arm_of(struct story *y, int i)
{
    const struct device *d = fleet_find(y->site->server.fleet, y->devs[i].id.device);

    return &rollouts_channel(y->site->server.rollouts, CHANNEL)->flight->arms.rows[d->index];
}

static int status_of(struct story *y, int i, int64_t *ret_retry_s)
{
    struct exchange x = {0};
    struct dev *d = &y->devs[i];
    struct buf body;

    buf_init(&body, CHECKIN_MAX);
    d->number++;
    rand_hex(d->nonce, NONCE_LEN / 2);
    dev_body(y->site, d, &body);
    dev_send(y->site, d, &body, &x);
    *ret_retry_s = x.rq.retry_after_s;
    assert_true(x.status == 200 || x.problem.code == ERR_BUDGET);
    free(x.answer);
    buf_release(&body);
    return x.status;
}

static void put_off_is_no_silence(void **state)
{
    struct story *y = *state;
    struct evidence before, e;
    int64_t retry_s, off = 0, heard = 0;

    start(y, 1);
    while (site_count(y->site, "healthy") < 4)
        tick(y, applies);
    tick(y, applies); /* and the next ones are under way */
    read_evidence(y, &before);
    assert_int_equal(before.f_t + before.f_c, 0);
    y->site->server.config.commit_queue = ALWAYS;
    for (int k = 0; k < 15; k++) {
        if (k == 9)
            dev_event(&y->devs[k], EVENT_CRASH, digest(y, 2), "consumer", false);
        for (int i = 0; i < N; i++) {
            bool news = arm_is_under_way(arm_of(y, i)) || y->devs[i].n_events > 0;
            int status = status_of(y, i, &retry_s);

            assert_true(status == 200 || !news);
            if (status == 429)
                assert_int_equal(retry_s, TICK_MS / 1000);
            off += status == 429;
            heard += status == 200;
            y->devs[i].n_events = 0;
        }
        site_tick(y->site, TICK_MS);
    }
    assert_true(off > 10 * N && heard > 0);
    /* Those who wait still do: the ring is not taken for full because they were not written down.
     */
    assert_int_equal(site_count(y->site, "staged_ready") + site_count(y->site, "admitted"), N);
    assert_true(site_count(y->site, "controls") > N / 2);
    y->site->server.config.commit_queue = 0;
    for (int k = 0; k < 10; k++)
        tick(y, applies);
    read_evidence(y, &e);
    assert_true(e.n_c > before.n_c);
    assert_int_equal(e.f_t + e.f_c, 0);
    site_restart(y->site);
    assert_false(is_state(y, "halted"));
    for (int k = 0; k < 100 && !is_state(y, "complete"); k++)
        tick(y, applies);
    site_state_is(y->site, "complete");
}

/* The number of a check-in that was put off is free. */
static void put_off_can_be_asked_again(void **state)
{
    struct story *y = *state;
    int64_t retry_s;

    dev_checkin(y->site, &y->devs[0]);
    y->site->server.config.commit_queue = ALWAYS;
    assert_int_equal(status_of(y, 0, &retry_s), 429);
    assert_int_equal(retry_s, 60); /* nothing goes on */
    dev_event(&y->devs[0], EVENT_CRASH, digest(y, 1), "consumer", false);
    y->devs[0].number--;
    assert_int_equal(status_of(y, 0, &retry_s), 200);
    assert_int_equal(retry_s, 0);
    y->devs[0].n_events = 0;
    y->site->server.config.commit_queue = 20000; /* nothing waits */
    assert_int_equal(status_of(y, 0, &retry_s), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_off_is_no_silence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(put_off_can_be_asked_again, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
