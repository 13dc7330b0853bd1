/* rollouts: a wall clock that is set, years on and back, changes no fact and no verdict of a
 * rollout; it goes by the time for which the server ran. */
#include "cmocka_all.h"

#include "fleet_story.h"
#include "rollouts/flight.h"

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)
#define TICKS   60

struct record {
    char *facts[TICKS], *decisions[TICKS];
    int n;
};

static int keep(void *ctx, const struct row_tick *row, struct err *err)
{
    struct record *r = ctx;
    char *draws;

    (void)err;
    assert_true(r->n < TICKS);
    r->facts[r->n] = strdup(row->facts);
    r->decisions[r->n] = strdup(row->decision);
    /* Draws are other ones on each server; what was decided is not. */
    draws = strstr(r->decisions[r->n++], "\"thresholds\"");
    assert_non_null(draws);
    *draws = '\0';
    return 0;
}

static void release(struct record *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->facts[i]);
        free(r->decisions[i]);
    }
}

static int64_t no_jump(int i)
{
    (void)i;
    return 0;
}

/* Years on, further, and back before the start. */
static int64_t jumps(int i)
{
    static const int64_t by[] = {3 * YEAR_MS,  20 * YEAR_MS, -40 * YEAR_MS,
                                 17 * YEAR_MS, -1,           YEAR_MS};

    return i % 3 == 1 ? by[(size_t)(i / 3) % (sizeof by / sizeof *by)] : 0;
}

static void crashes(struct dev *d)
{
    applies(d);
    dev_event(d, EVENT_CRASH, d->digest, "consumer", true);
    dev_event(d, EVENT_ROLLED_BACK, d->digest, "consumer", true);
    d->running[0] = '\0';
}

/* A whole story on a server of its own. */
static void play(int64_t (*jump)(int), apply_fn apply, bool restarts, const char *ends,
                 struct record *ret)
{
    const struct store_visitor v = {.tick = keep};
    struct err err = {0};
    void *state = NULL;
    struct story *y;

    set_up(&state);
    y = state;
    for (int k = 0; k < 4; k++) /* the manifest's pace holds, too */
        y->site->repo.releases[k].pace =
            (struct pace){.steps = {{0, 100000}, {20, 500000}, {30, PPM}}, .n_steps = 3};
    start(y, 1);
    for (int i = 0; i < TICKS; i++) {
        y->site->at.wall_ms += jump(i);
        if (restarts && i == TICKS / 2) {
            site_restart(y->site);
            y->site->at.wall_ms += jump(i + 1);
        }
        tick(y, apply);
    }
    site_state_is(y->site, ends);
    assert_true(site_count(y->site, "admitted") > 0);
    must(store_load(y->site->server.store, &v, ret, &err), &err);
    tear_down(&state);
}

static void compare(apply_fn apply, bool restarts, const char *ends)
{
    struct record a = {0}, b = {0};

    play(no_jump, apply, restarts, ends, &a);
    play(jumps, apply, restarts, ends, &b);
    assert_int_equal(a.n, b.n);
    assert_true(a.n > 1);
    for (int i = 0; i < a.n; i++) {
        assert_string_equal(a.facts[i], b.facts[i]);
        assert_string_equal(a.decisions[i], b.decisions[i]);
    }
    release(&a);
    release(&b);
}

static void test_good_content(void **state)
{
    (void)state;
    compare(applies, false, "complete");
}

static void test_good_content_past_a_restart(void **state)
{
    (void)state;
    compare(applies, true, "complete");
}

static void test_bad_content(void **state)
{
    (void)state;
    compare(crashes, false, "halted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_content),
        cmocka_unit_test(test_good_content_past_a_restart),
        cmocka_unit_test(test_bad_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
