/*
 * flight_watch: silence, long silence, reboots and crashes as they reach the gate, in fleets of
 * hundreds with ticks of a second: each metric stops a release that is bad in it, and none stops
 * one that is not. No store and no door: check-ins go through flight_*.c as the handler calls them.
 */
#include "cmocka_all.h"

#include "flight_world.h"

#define ALPHA       1e-3
#define UNREACHABLE 1e-200 /* an alpha that stops nothing: the others do not come first */

static bool says_halt(const struct world *w, enum metric m)
{
    const struct rollout *r = &w->flight->gate;

    for (int node = 0; node < topology_nodes(&r->topology); node++)
        if (r->gate.log_e[m][node] >= gate_threshold(&r->policy, &r->topology, node, m, ALPHA))
            return true;
    return false;
}

static const struct life usual = {.silent = 0.001,
                                  .silent_ticks = 8,
                                  .reboot = 0.004,
                                  .reboot_ticks = 2,
                                  .reboot_fails = 0.05,
                                  .crash = 0.002,
                                  .goodbye = 0.002};

/* A release that is worse in one thing is stopped, and this metric alone would have done it. */
static void halts_on(enum metric m, const struct life *treated, const struct life *control)
{
    struct policy p;
    int halts = 0, alone = 0;

    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *w;

        policy_of_test(&p);
        if (m == BLOCKED)
            ask_for_figures(&p, true);
        w = world_new(seed, &p);
        run(w, 300, treated, control);
        halts += w->halted;
        world_free(w);
        p.alpha = UNREACHABLE;
        w = world_new(seed, &p);
        run(w, 300, treated, control);
        alone += says_halt(w, m);
        world_free(w);
    }
    assert_int_equal(halts, 3);
    assert_int_equal(alone, 3);
}

static void silence_after_the_first_check_ins_halts(void **state)
{
    struct life bad = usual;

    (void)state;
    bad.silent = 0.02;
    halts_on(METRIC_SA, &bad, &usual);
}

/* Both arms fall silent alike; the treated for long. */
static void long_silence_halts(void **state)
{
    struct life good = {.silent = 0.02, .silent_ticks = 7}, bad = good;

    (void)state;
    bad.silent_ticks = 40;
    halts_on(METRIC_SL, &bad, &good);
}

/* Both arms reboot alike; of the treated many come back from an unclean boot. */
static void failed_reboots_halt(void **state)
{
    struct life good = usual, bad;

    (void)state;
    good.reboot = 0.02;
    good.crash = 0; /* the unclean boots are the only crashes */
    bad = good;
    bad.reboot_fails = 0.6;
    halts_on(METRIC_RB, &bad, &good);
}

/* Both arms reboot alike, and need long for it; many treated need longer than they may. */
static void reboots_without_return_halt(void **state)
{
    struct life good = {.reboot = 0.02, .reboot_ticks = 8}, bad = good;

    (void)state;
    bad.reboot_ticks = 60;
    halts_on(METRIC_RB, &bad, &good);
}

/* Nobody crashes and nobody is silent: only the consumer can tell. */
static void figures_above_the_limit_halt(void **state)
{
    struct life good = {.blocked = 0.005}, bad = {.blocked = 0.05};
    struct policy p;
    struct world *w;

    (void)state;
    halts_on(BLOCKED, &bad, &good);
    policy_of_test(&p); /* that does not ask */
    w = world_new(1, &p);
    run(w, 300, &bad, &good);
    assert_false(w->halted);
    world_free(w);
}

static void figures_that_may_only_warn_warn(void **state)
{
    struct life good = {.blocked = 0.005}, bad = {.blocked = 0.05};
    struct policy p;
    struct world *w;
    int warnings = 0;

    (void)state;
    policy_of_test(&p);
    ask_for_figures(&p, false);
    w = world_new(1, &p);
    run(w, 300, &bad, &good);
    assert_false(w->halted);
    for (int i = 0; i < w->flight->last.n_reasons; i++)
        warnings += w->flight->last.reasons[i].metric == BLOCKED &&
                    w->flight->last.reasons[i].verdict == VERDICT_WARN;
    assert_true(warnings > 0);
    world_free(w);
}

static void doubled_crashes_halt(void **state)
{
    struct life good = {.crash = 0.003}, bad = {.crash = 0.006};
    struct policy p;
    int halts = 0;

    (void)state;
    policy_of_test(&p);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *w = world_new(seed, &p);

        run(w, 400, &bad, &good);
        halts += says_halt(w, METRIC_CR);
        assert_int_equal(w->failed_t[METRIC_SA] + w->failed_t[METRIC_RB], 0);
        world_free(w);
    }
    assert_true(halts >= 4);
}

/* --- first events ----------------------------------------------------------------------------- */

/* One device in a hundred crashes, falls silent and reboots badly all the time. */
static void make_flaky(struct world *w)
{
    for (int i = 0; i < N; i += 100)
        w->beings[i].frailty = 200;
}

static void each_first_event_counts_once(void **state)
{
    const struct life life = {.silent = 0.001, .silent_ticks = 8, .crash = 0.001};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    w = world_new(7, &p);
    for (int i = 0; i < N; i++)
        w->beings[i].frailty = i % 100 ? 0 : 200;
    run(w, 200, &life, &life);
    assert_false(w->halted);
    assert_true(w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR] > 0);
    assert_true(w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR] <= N / 100);
    assert_true(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA] > 0);
    assert_true(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA] <= N / 100);
    world_free(w);
}

/* In either arm, and who says nothing is in no trial. */
static void each_first_figure_counts_once(void **state)
{
    const struct life above = {.blocked = 0.05}, quiet = {.says_nothing = true};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    ask_for_figures(&p, true);
    w = world_new(7, &p);
    for (int i = 0; i < N; i++)
        w->beings[i].frailty = i % 10 == 0;
    run(w, 200, &above, &above);
    assert_false(w->halted);
    assert_true(w->failed_t[BLOCKED] > 0 && w->failed_c[BLOCKED] > 0);
    assert_true(w->failed_t[BLOCKED] + w->failed_c[BLOCKED] <= N / 10);
    assert_true(w->treated[BLOCKED] > 50 * N / 4 && w->controls[BLOCKED] > 50 * N / 4);
    world_free(w);

    w = world_new(7, &p);
    run(w, 50, &quiet, &quiet);
    assert_int_equal(w->batches[BLOCKED], 0);
    assert_true(w->batches[METRIC_SA] > 0);
    world_free(w);
}

/* A treated device speaks of the release while it runs it, a control of something else. */
static void figures_are_of_what_runs(void **state)
{
    const struct life life = {.blocked = 1};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    ask_for_figures(&p, true);
    w = world_new(9, &p);
    for (int i = 0; i < N; i++)
        w->beings[i].running[0] = '\0'; /* its consumer runs on nothing of the channel */
    run(w, 30, &life, &life);
    assert_int_equal(w->batches[BLOCKED], 0);
    world_free(w);

    w = world_new(9, &p);
    for (int k = 0; k < 30; k++) {
        for (int i = 0; i < N; i++) {
            if (strcmp(w->beings[i].running, NEW) == 0)
                strcpy(w->beings[i].running, OLD); /* it does not apply what it was granted */
            live(w, i, &life);
        }
        end_tick(w);
    }
    assert_int_equal(w->batches[BLOCKED], 0);
    world_free(w);
}

/* Whenever the staging share rises all may fail once more, in either arm. */
static void marks_are_reset_in_both_arms(void **state)
{
    const struct life silent = {.silent = 1, .silent_ticks = 8}, calm = {0};
    const struct life crash = {.crash = 1, .blocked = 1};
    struct policy p;
    struct world *w;
    int64_t once, still = 0;

    (void)state;
    policy_of_test(&p);
    ask_for_figures(&p, true);
    p.rings[2] = p.rings[1];
    p.rings[1] = p.rings[0];
    p.rings[0].share_ppm = 300000;
    p.n_rings = 3;
    w = world_new(3, &p);
    run(w, 8, &calm, &calm);
    run(w, 2, &crash, &crash);
    run(w, 20, &silent, &silent);
    once = w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR];
    assert_int_equal(once, N);
    assert_int_equal(w->failed_t[BLOCKED] + w->failed_c[BLOCKED], N);
    assert_int_equal(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA], N);
    w->flight->last.stage_ppm--; /* so that the next decision's share is a rise */
    run(w, 6, &calm, &calm);
    w->flight->person_promotes = true; /* the threshold moves: who is back stands in trials again */
    run(w, 4, &calm, &calm);
    for (int i = 0; i < N; i++)
        still += w->flight->arms.rows[i].watched != N_STRATA;
    assert_true(still > N / 2);
    run(w, 2, &crash, &crash);
    run(w, 20, &silent, &silent);
    assert_true(w->failed_t[METRIC_CR] > 0 && w->failed_c[METRIC_CR] > 0);
    assert_int_equal(w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR], once + still);
    assert_int_equal(w->failed_t[BLOCKED] + w->failed_c[BLOCKED], N + still);
    assert_int_equal(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA], N + still);
    world_free(w);
}

static void goodbyes_are_no_silence(void **state)
{
    const struct life life = {.goodbye = 0.05};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    w = world_new(4, &p);
    run(w, 100, &life, &life);
    assert_true(w->batches[METRIC_SA] > 50 && w->batches[METRIC_SL] > 50);
    for (int m = METRIC_SA; m < N_METRICS; m++)
        assert_int_equal(w->failed_t[m] + w->failed_c[m], 0);
    world_free(w);
}

/* Who crashed in the week before it staged, and who ran nothing, is in no trial of CR. */
static void the_lately_crashed_are_left_out(void **state)
{
    const struct life crash = {.crash = 1}, calm = {0};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    w = world_new(5, &p);
    for (int i = 0; i < N; i++) {
        struct device *d = fleet_at(w->server.fleet, i);

        if (i % 3 == 0)
            d->crash_ms = w->at.wall_ms - INT64_C(6) * 86400 * 1000;
        else
            d->crash_ms = w->at.wall_ms - INT64_C(8) * 86400 * 1000;
        if (i % 3 == 1)
            w->beings[i].running[0] = '\0';
    }
    run(w, 8, &calm, &calm);
    run(w, 2, &crash, &crash);
    assert_int_equal(w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR], N / 3);
    world_free(w);
}

/* A device that says only that it is there, by asking again, is not silent. */
/* Also of a crash that comes with the check-in in which a device is ready for the first time. */
static void who_crashed_before_it_staged_is_no_witness(void **state)
{
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    w = world_new(1, &p);
    say(w, EVENT_CRASH, OLD, "consumer");
    check_in(w, 0, false);
    check_in(w, 1, false);
    say(w, EVENT_CRASH, OLD, "unclean-boot"); /* not its consumer's doing */
    check_in(w, 2, false);
    assert_false(w->flight->arms.rows[0].steady);
    assert_true(w->flight->arms.rows[1].steady);
    assert_true(w->flight->arms.rows[2].steady);
    world_free(w);
}

static void asking_again_is_a_sign_of_life(void **state)
{
    const struct life calm = {0};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    w = world_new(6, &p);
    run(w, 8, &calm, &calm);
    for (int k = 0; k < 20; k++) {
        for (int i = 0; i < N; i++)
            if (i % 2)
                flight_alive(w->flight, &w->flight->arms.rows[i]);
        end_tick(w);
    }
    assert_int_equal(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA], N / 2);
    world_free(w);
}

/* Who was not there when the threshold last moved was not separated by it: in neither arm, until
 * it moves again. */
static void newcomers_stand_apart(void **state)
{
    const struct life calm = {0};
    int apart[N_SIDES] = {0}, still[N_SIDES] = {0};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    p.rings[0].share_ppm = 300000;
    w = world_new(8, &p);
    for (int i = 0; i < N; i += 2)
        w->beings[i].away = 30;
    run(w, 32, &calm, &calm);
    for (int i = 0; i < N; i++) {
        const struct arm *m = &w->flight->arms.rows[i];

        assert_int_equal(m->first_ready, i % 2 ? 0 : 30);
        if (i % 2 && (arm_is_treated(m) || !admission_below(&w->flight->admission, m)))
            assert_int_equal(m->watched, STRATUM_MAIN);
        else
            assert_int_equal(m->watched, N_STRATA);
        apart[arm_is_treated(m)] += !(i % 2);
    }
    assert_true(apart[0] > 50 && apart[1] > 5);
    w->flight->person_promotes = true; /* the next ring: the threshold moves */
    run(w, 4, &calm, &calm);
    for (int i = 0; i < N; i += 2) {
        const struct arm *m = &w->flight->arms.rows[i];

        still[arm_is_treated(m)] += m->watched == N_STRATA;
    }
    assert_int_equal(still[0] + still[1], 0);
    world_free(w);
}

/* Its owner's pin takes a device out of either arm as long as it lasts. */
static void holding_is_no_trial(void **state)
{
    const struct life calm = {0};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    p.rings[0].share_ppm = 300000;
    w = world_new(9, &p);
    run(w, 20, &calm, &calm);
    for (int i = 0; i < N; i++)
        w->beings[i].holds = i % 2;
    run(w, 1, &calm, &calm);
    for (int i = 0; i < N; i++)
        assert_int_equal(w->flight->arms.rows[i].watched, i % 2 ? N_STRATA : STRATUM_MAIN);
    world_free(w);
}

/* A treated device's time at risk of a crash is the time that it runs the release. */
static void who_left_the_release_is_not_at_risk(void **state)
{
    const struct life calm = {0};
    struct policy p;
    struct world *w;
    int64_t before;

    (void)state;
    policy_of_test(&p);
    p.rings[0].share_ppm = 300000;
    w = world_new(10, &p);
    run(w, 20, &calm, &calm);
    before = w->flight->alive.standing[0][STRATUM_MAIN][SIDE_TREATED];
    assert_true(before > 20);
    for (int i = 0; i < N; i++)
        strcpy(w->beings[i].running, OLD); /* rolled back, all of them */
    run(w, 1, &calm, &calm);
    assert_int_equal(w->flight->alive.standing[0][STRATUM_MAIN][SIDE_TREATED], 0);
    assert_true(w->flight->silence.standing[0][STRATUM_MAIN][SIDE_TREATED] >= before);
    world_free(w);
}

/* What was never granted to a device says nothing, whatever the device says of it. */
static void a_release_never_granted_is_evidence_of_nothing(void **state)
{
    const struct life calm = {0};
    struct policy p;
    struct world *w;

    (void)state;
    policy_of_test(&p);
    p.rings[0].share_ppm = 300000;
    w = world_new(11, &p);
    run(w, 20, &calm, &calm);
    for (int i = 0; i < N; i++) {
        const struct arm before = w->flight->arms.rows[i], *m = &w->flight->arms.rows[i];

        if (arm_is_treated(&before))
            continue;
        say(w, EVENT_APPLIED, NEW, "");
        say(w, EVENT_HEALTHY, NEW, "");
        say(w, EVENT_CRASH, NEW, "consumer");
        say(w, EVENT_CRASH, NEW, "unclean-boot");
        say(w, EVENT_ROLLED_BACK, NEW, "exit-1")->blamed = true;
        say(w, EVENT_PREFLIGHT_FAILED, NEW, "exit-1")->blamed = true;
        check_in(w, i, false);
        assert_int_equal(m->state, ARM_UNTREATED);
        assert_int_equal(m->marks, before.marks);
        assert_false(m->direct || m->crashed || m->crash_spent || m->soaked);
    }
    for (int c = 0; c < 2; c++) {
        assert_int_equal(w->flight->control_crashes[c], 0);
        assert_int_equal(w->flight->crashes[c][STRATUM_MAIN][SIDE_CONTROL], 0);
    }
    world_free(w);
}

/* --- good releases ---------------------------------------------------------------------------- */

/* Identical arms: the chance of any halt is at most alpha, whatever happens to the fleet: flaky
 * devices, a server that stands still now and then, marks that are reset. */
static void identical_arms_halt_within_alpha(void **state)
{
    const int seeds = 150;
    struct policy p;
    int64_t fed[GATE_METRICS] = {0};
    int halts = 0;

    (void)state;
    policy_of_test(&p);
    ask_for_figures(&p, true);
    p.alpha = 0.05;
    for (int seed = 0; seed < seeds; seed++) {
        struct world *w = world_new((uint64_t)seed * 1000 + 17, &p);
        struct life life = usual;

        life.silent_ticks = seed % 2 ? 8 : 25;
        life.reboot_ticks = seed % 3 ? 2 : 18;
        life.crash *= 1 + seed % 4;
        life.blocked = 0.001 * (1 + seed % 3);
        if (seed % 2)
            make_flaky(w);
        for (int part = 0; part < 3 && !w->halted; part++) {
            run(w, 40, &life, &life);
            if (seed % 5 == 4)
                flight_resume(w->flight, w->at.boot_ms);
            if (seed % 5 == 3)
                w->flight->last.stage_ppm--;
        }
        halts += w->halted;
        for (int m = 0; m <= (int)BLOCKED; m++)
            fed[m] += w->failed_t[m];
        world_free(w);
    }
    for (int m = METRIC_SA; m <= (int)BLOCKED; m++)
        assert_true(fed[m] > 100);
    assert_true(halts <= (int)(p.alpha * seeds));
    print_message("%d of %d halted at alpha 0.05\n", halts, seeds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_after_the_first_check_ins_halts),
        cmocka_unit_test(long_silence_halts),
        cmocka_unit_test(failed_reboots_halt),
        cmocka_unit_test(reboots_without_return_halt),
        cmocka_unit_test(figures_above_the_limit_halt),
        cmocka_unit_test(figures_that_may_only_warn_warn),
        cmocka_unit_test(doubled_crashes_halt),
        cmocka_unit_test(each_first_event_counts_once),
        cmocka_unit_test(each_first_figure_counts_once),
        cmocka_unit_test(figures_are_of_what_runs),
        cmocka_unit_test(marks_are_reset_in_both_arms),
        cmocka_unit_test(goodbyes_are_no_silence),
        cmocka_unit_test(the_lately_crashed_are_left_out),
        cmocka_unit_test(who_crashed_before_it_staged_is_no_witness),
        cmocka_unit_test(asking_again_is_a_sign_of_life),
        cmocka_unit_test(newcomers_stand_apart),
        cmocka_unit_test(holding_is_no_trial),
        cmocka_unit_test(who_left_the_release_is_not_at_risk),
        cmocka_unit_test(a_release_never_granted_is_evidence_of_nothing),
        cmocka_unit_test(identical_arms_halt_within_alpha),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
