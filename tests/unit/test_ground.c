/* ground: first content on a build that few run is paced by those who came back. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_internal.h"
#include "rollouts/ground.h"

#define N       600
#define HOUR_MS (INT64_C(3600) * 1000)
#define BASE    "1111111111111111111111111111111111111111111111111111111111111111"
#define NEXT    "2222222222222222222222222222222222222222222222222222222222222222"

struct world {
    struct fleet *fleet;
    struct ground *ground;
    int64_t now_ms;
};

/* The first half is debian-12, the rest debian-13. */
static int set_up(void **state)
{
    static const uint8_t master[SHA256_LEN] = {7};
    struct world *w = calloc(1, sizeof *w);

    w->fleet = fleet_new();
    w->ground = ground_new();
    for (int i = 0; i < N; i++) {
        char id[DEVICE_ID_LEN + 1];
        struct row_device row = {.id = id,
                                 .grp = "g",
                                 .os = "linux",
                                 .os_version = i < N / 2 ? "debian-12" : "debian-13",
                                 .arch = "x86_64"};
        struct device *d;

        snprintf(id, sizeof id, "%0*x", DEVICE_ID_LEN, i + 1);
        assert_int_equal(fleet_add(w->fleet, master, &row, &d, NULL), 0);
        assert_non_null(device_channel(d, "crs"));
    }
    ground_follow(w->ground, w->fleet, "crs", BASE);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    ground_free(w->ground);
    fleet_free(w->fleet);
    free(w);
    return 0;
}

/* Devices from..to ask; how many may. */
static int ask(struct world *w, int from, int to)
{
    int n = 0;

    for (int i = from; i < to; i++) {
        const struct device *d = fleet_at(w->fleet, i);

        if (!ground_may(w->ground, d, w->now_ms))
            continue;
        ground_grant(w->ground, d, w->now_ms);
        n++;
    }
    return n;
}

static void say(struct world *w, int i, const char *running, const char *hold)
{
    struct device *d = fleet_at(w->fleet, i);
    struct device_channel *dc = device_channel(d, "crs");

    strcpy(dc->running, running);
    strcpy(dc->hold, hold);
    ground_note(w->ground, d, dc);
}

static void who_comes_back_makes_room(void **state)
{
    struct world *w = *state;
    int from = N / 2, have = 0, rounds = 0;

    assert_int_equal(ask(w, from, N), 4);
    assert_int_equal(ask(w, from, N), 4); /* the same ones again, no others */
    for (int i = 0; i < 4; i++)
        say(w, from + i, BASE, "unsoaked"); /* not yet */
    assert_int_equal(ask(w, from + 4, N), 0);
    while (have < N / 2 && rounds++ < 20) {
        int n = ask(w, from + have, N);

        for (int i = 0; i < n; i++)
            say(w, from + have + i, BASE, "");
        have += n;
    }
    assert_int_equal(have, N / 2); /* 4, 8, 16, 32, 64: then it is known ground */
    assert_int_equal(rounds, 6);
}

static void who_does_not_stops_it(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 200; i++)
        say(w, i, BASE, ""); /* elsewhere it is well known */
    assert_int_equal(ask(w, 200, N / 2), N / 2 - 200);
    assert_int_equal(ask(w, N / 2, N), 4); /* and die of it */
    w->now_ms += HOUR_MS - 1;
    assert_int_equal(ask(w, N / 2 + 4, N), 0);
    w->now_ms += 1;
    assert_int_equal(ask(w, N / 2 + 4, N), 4);
    assert_int_equal(ask(w, N / 2 + 8, N), 0);
}

static void another_baseline_is_new_everywhere(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 200; i++)
        say(w, i, BASE, "");
    for (int i = 0; i < 150; i++)
        say(w, i, NEXT, ""); /* a rollout brought it */
    ground_follow(w->ground, w->fleet, "crs", NEXT);
    assert_int_equal(ask(w, 200, N / 2), N / 2 - 200); /* 150 run it there */
    assert_int_equal(ask(w, N / 2, N), 4);
    for (int i = 0; i < 100; i++)
        say(w, i, "", "boot-failed");    /* and do no longer */
    assert_int_equal(ask(w, 0, 100), 0); /* more are out than 50 warrant */
}

/* Upgraded to a new build with the baseline on it: the builds' counts follow. */
static void a_device_changes_its_build(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 100; i++)
        say(w, i, BASE, "");
    for (int i = 0; i < 100; i++) {
        strcpy(fleet_at(w->fleet, i)->cohort, fleet_at(w->fleet, N - 1)->cohort);
        say(w, i, BASE, "");
    }
    assert_int_equal(ask(w, 100, N / 2), 4);
    assert_int_equal(ask(w, N / 2, N), N / 2);
}

static void is_of(struct world *w, int i, const char *cohort)
{
    strcpy(fleet_at(w->fleet, i)->cohort, cohort);
}

/* One that claims another build each time takes the rows of none: those first seen later are told
 * apart as before. */
static void claimed_builds_fill_no_table(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 300; i++) {
        char cohort[COHORT_NAME_MAX];

        snprintf(cohort, sizeof cohort, "linux-claimed-%d-x86_64", i);
        is_of(w, 0, cohort);
        assert_int_equal(ask(w, 0, 1), 1);
    }
    for (int i = 1; i < N; i++)
        is_of(w, i, i < N / 2 ? "linux-new-x86_64" : "linux-newer-x86_64");
    for (int i = 1; i < 151; i++)
        say(w, i, BASE, "");
    assert_int_equal(ask(w, 151, N / 2), N / 2 - 151);
    assert_int_equal(ask(w, N / 2, N), 4);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(who_comes_back_makes_room),          T(who_does_not_stops_it),
        T(another_baseline_is_new_everywhere), T(a_device_changes_its_build),
        T(claimed_builds_fill_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
