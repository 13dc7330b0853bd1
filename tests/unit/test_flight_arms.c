/*
 * flight_arms: both arms are alike where the release changes nothing, whoever the devices are:
 * some come late, some are seldom there, some are frail, some hold updates for a while; the server
 * stands still now and then. Failures of the treated are compared with what chance alone gives
 * them. (With all that is ready as a control, newcomers and the seldom seen included, SA comes out
 * at z -15 and CR at -17: the controls look worse than they are.)
 */
#include "cmocka_all.h"

#include <math.h>

#include "flight_world.h"

#define SEEDS 40
#define TICKS 260

/* Who a device is has nothing to do with its draw. */
static void make_unlike(struct world *w)
{
    for (int i = 0; i < N; i++) {
        struct being *b = &w->beings[i];
        double kind = chance(w);

        b->frailty = 0.2;
        if (kind < 0.25) { /* comes while the rollout goes on, and is frail */
            b->away = (int)(chance(w) * TICKS);
            b->frailty = 8;
        } else if (kind < 0.45) { /* is seldom there */
            b->absence = 500;
        } else if (kind < 0.5) {
            b->frailty = 25;
        }
        b->hold = kind > 0.9;
    }
}

static void run_alike(struct world *w, const struct life *life)
{
    for (int k = 0; k < TICKS && !w->halted; k++) {
        run(w, 1, life, life);
        if (chance(w) < 0.02)
            flight_resume(w->flight, w->at.boot_ms);
        if (chance(w) < 0.01)
            w->flight->last.stage_ppm--; /* so that the next decision's share is a rise */
    }
}

static void identical_arms_fail_alike(void **state)
{
    struct life life = {.silent = 0.003,
                        .silent_ticks = 9,
                        .reboot = 0.006,
                        .reboot_ticks = 3,
                        .reboot_fails = 0.02,
                        .crash = 0.0015,
                        .goodbye = 0.002,
                        .hold = 0.01};
    double expected[N_METRICS] = {0}, variance[N_METRICS] = {0};
    int64_t failed[N_METRICS] = {0};
    struct policy p;
    int halts = 0;

    (void)state;
    policy_of_test(&p);
    p.alpha = 0.05;
    p.rings[0].share_ppm = 300000;
    p.n0 = N / 30;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_new(seed * 7919, &p);

        make_unlike(w);
        life.silent_ticks = seed % 2 ? 9 : 20;
        run_alike(w, &life);
        halts += w->halted;
        for (int m = 0; m < N_METRICS; m++) {
            failed[m] += w->failed_t[m];
            expected[m] += w->expected_t[m];
            variance[m] += w->variance_t[m];
        }
        world_free(w);
    }
    for (int m = 0; m < N_METRICS; m++) {
        double z = ((double)failed[m] - expected[m]) / sqrt(variance[m]);

        print_message("%s: %lld treated failed, %.1f by chance, z %.2f\n",
                      metric_name((enum metric)m), (long long)failed[m], expected[m], z);
        assert_true(failed[m] > 50);
        assert_true(fabs(z) < 4); /* trials of one device hang together: wider than normal */
    }
    assert_true(halts <= (int)(p.alpha * SEEDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identical_arms_fail_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
