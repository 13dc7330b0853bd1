/*
 * flight_watch: silence, long silence, reboots and crashes as they reach the gate, in fleets of
 * hundreds with ticks of a second: each metric stops a release that is bad in it, and none stops
 * one that is not. No store and no door: check-ins go through flight_*.c as the handler calls them.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/fleet_internal.h"
#include "rollouts/flight.h"
#include "server.h"

#define N          600
#define TICK_MS    1000
#define OLD        "0000000000000000000000000000000000000000000000000000000000000001"
#define NEW        "0000000000000000000000000000000000000000000000000000000000000002"
#define SINCE_BOOT 100000

/* What happens to a device in a tick: chances, and for how many ticks it is not heard then. */
struct life {
    double silent, reboot, crash, goodbye;
    int silent_ticks, reboot_ticks;
    double reboot_fails; /* comes back with an unclean boot */
    double blocked;      /* its consumer says a figure above the limit */
    bool says_nothing;
};

struct being {
    char running[65], ready[65];
    int away, since_boot; /* ticks */
    double frailty;       /* of its own chances; the same whatever it runs */
    bool unclean;
};

struct world {
    struct server server;
    struct clock_fixed at;
    struct clock clock;
    struct flight *flight;
    struct channel channel;
    struct facts *facts;
    struct checkin *checkin;
    struct being beings[N];
    uint64_t seed;
    bool halted;
    int64_t batches[GATE_METRICS], failed_t[GATE_METRICS], failed_c[GATE_METRICS];
    int64_t treated[GATE_METRICS], controls[GATE_METRICS];
};

static double chance(struct world *w)
{
    uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static void policy_of_test(struct policy *ret)
{
    policy_standard(ret);
    ret->fast_tick_ms = ret->tick_ms = TICK_MS;
    ret->rings[0] =
        (struct policy_ring){.kind = RING_SHARE, .share_ppm = 500000, .bake_ms = 1000 * 1000};
    ret->rings[1] = (struct policy_ring){.kind = RING_SHARE, .share_ppm = 1000000};
    ret->n_rings = 2;
    ret->small_fleet = 0;
    ret->n0 = N / 10;
    ret->growth = ret->growth_fast = 4;
    ret->n_adv = 0;
    ret->long_silence_ms = 15 * TICK_MS;
    ret->reboot_window_ms = 15 * TICK_MS;
    ret->fresh_wake_ms = 3 * TICK_MS;
}

#define BLOCKED ((enum metric)N_METRICS)
#define LIMIT   50

static void ask_for_figures(struct policy *p, bool halts)
{
    p->extras[0] =
        (struct policy_metric){.name = "blocked", .limit = LIMIT, .weight = 0.2, .halts = halts};
    p->n_extras = 1;
}

static void devices(struct world *w)
{
    for (int i = 0; i < N; i++) {
        char id[DEVICE_ID_LEN + 1], group[8];
        struct row_device row = {.id = id,
                                 .grp = group,
                                 .os = "linux",
                                 .os_version = i % 3 ? "debian-12" : "debian-11",
                                 .arch = "x86_64"};
        struct device *d;
        struct err err = {0};

        snprintf(id, sizeof id, "%0*llx", DEVICE_ID_LEN, (unsigned long long)i + 1);
        snprintf(group, sizeof group, "g%d", i % 5);
        /* Another draw each time. */
        for (int k = 0; k < SHA256_LEN; k++)
            w->server.master[k] = (uint8_t)(chance(w) * 256);
        assert_int_equal(fleet_add(w->server.fleet, w->server.master, &row, &d, &err), 0);
        w->beings[i] = (struct being){.since_boot = SINCE_BOOT, .frailty = 1};
        strcpy(w->beings[i].running, OLD);
        strcpy(w->beings[i].ready, NEW);
    }
}

static struct world *world_new(uint64_t seed, const struct policy *p)
{
    struct world *w = calloc(1, sizeof *w);
    struct flight *f = calloc(1, sizeof *f);
    struct topology t;
    int64_t canary;
    char why[200];

    w->seed = seed;
    w->at = (struct clock_fixed){.wall_ms = INT64_C(1790000000000), .boot_ms = 1};
    w->clock = clock_fixed(&w->at);
    w->server.clock = &w->clock;
    w->server.config.checkin_interval_ms = TICK_MS;
    w->server.fleet = fleet_new();
    w->facts = malloc(sizeof *w->facts);
    w->checkin = calloc(1, sizeof *w->checkin);
    w->flight = w->channel.flight = f;
    strcpy(f->channel, "crs");
    strcpy(f->digest, NEW);
    strcpy(w->channel.name, "crs");
    strcpy(w->channel.baseline.digest, OLD);
    f->state = ROLLOUT_RUNNING;
    f->started_ms = f->published_ms = w->at.wall_ms;
    f->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
    f->tick_begun_boot_ms = w->at.boot_ms;
    devices(w);
    flight_topology(w->server.fleet, "crs", &t, &canary);
    if (rollout_init(&f->gate, p, &t, canary, why, sizeof why) < 0)
        fail_msg("%s", why);
    f->n_cohorts_at_start = t.n_cohorts;
    rollout_first(&f->gate, &f->last);
    f->tick_ms = f->last.tick_ms;
    flight_open(f, TICK_MS);
    return w;
}

static void world_free(struct world *w)
{
    flight_free(w->flight);
    fleet_free(w->server.fleet);
    free(w->facts);
    free(w->checkin);
    free(w);
}

static struct event *say(struct world *w, enum event_kind kind, const char *digest,
                         const char *cause)
{
    struct event *e = &w->checkin->events[w->checkin->n_events++];

    *e = (struct event){.kind = kind};
    if (kind != EVENT_GOODBYE)
        strcpy(e->channel, "crs");
    strcpy(e->digest, digest);
    strcpy(e->cause, cause);
    return e;
}

/* As the handler does it. */
static void check_in(struct world *w, int i, bool leaving)
{
    static const bool fresh[CHECKIN_MAX_EVENTS] = {[0 ... CHECKIN_MAX_EVENTS - 1] = true};
    struct device *d = fleet_at(w->server.fleet, i);
    struct being *b = &w->beings[i];
    struct checkin_channel *cc = &w->checkin->channels[0];
    struct hearing h = {.checkin = w->checkin,
                        .channel = cc,
                        .fresh = fresh,
                        .leaving = leaving,
                        .newest_snapshot = 1,
                        .wall_ms = w->at.wall_ms};
    struct arm *m = flight_arm(w->flight, d, w->at.wall_ms);
    struct decide decide;

    strcpy(cc->channel, "crs");
    strcpy(cc->running, b->running);
    strcpy(cc->ready, b->ready);
    cc->has_ready = b->ready[0];
    cc->snapshot_version = 1;
    w->checkin->awake_s = b->since_boot * TICK_MS / 1000;
    d->seen_boot_ms = w->at.boot_ms;
    flight_hear(w->flight, m, d, &h);
    decide = flight_ask(&w->channel, m, &h);
    if (decide.kind == DECIDE_PERMIT || decide.kind == DECIDE_PERMIT_AGAIN) {
        flight_grant(w->flight, m, &h, decide.kind);
        strcpy(b->running, NEW);
        b->ready[0] = '\0';
    } else {
        flight_count_control(w->flight, m, &h, &decide);
    }
    flight_watch(w->flight, m, &h);
    w->checkin->n_events = 0;
}

static void live(struct world *w, int i, const struct life *life)
{
    struct being *b = &w->beings[i];
    bool leaving = false;

    b->since_boot++;
    if (b->away > 0) {
        b->away--;
        return;
    }
    w->checkin->channels[0].figures = (struct figures){
        .rows = {{.name = "other", .value = 1e9},
                 {.name = "blocked",
                  .value = LIMIT + (chance(w) < life->blocked * b->frailty ? 0.5 : 0)}},
        .n = life->says_nothing ? 1 : 2};
    if (b->unclean)
        say(w, EVENT_CRASH, b->running, "unclean-boot");
    b->unclean = false;
    if (chance(w) < life->crash * b->frailty)
        say(w, EVENT_CRASH, b->running, "consumer");
    if (chance(w) < life->silent * b->frailty) {
        b->away = life->silent_ticks;
    } else if (chance(w) < life->goodbye) {
        say(w, EVENT_GOODBYE, "", "shutdown");
        b->away = 20;
        leaving = true;
    } else if (chance(w) < life->reboot) {
        say(w, EVENT_GOODBYE, "", "reboot");
        b->away = life->reboot_ticks;
        b->unclean = chance(w) < life->reboot_fails * b->frailty;
        b->since_boot = -b->away;
        leaving = true;
    }
    check_in(w, i, leaving);
}

static void end_tick(struct world *w)
{
    struct rollout_decision d;
    struct flight *f = w->flight;

    w->at.boot_ms += TICK_MS;
    w->at.wall_ms += TICK_MS;
    f->elapsed_ms += TICK_MS;
    facts_collect(&w->server, f, w->facts);
    for (int i = 0; i < w->facts->f.n_batches; i++) {
        const struct batch *b = &w->facts->batches[i];

        w->batches[b->metric]++;
        w->failed_t[b->metric] += b->f_t;
        w->failed_c[b->metric] += b->f_c;
        w->treated[b->metric] += b->n_t;
        w->controls[b->metric] += b->n_c;
    }
    assert_int_equal(rollout_tick(&f->gate, &w->facts->f, &d), 0);
    w->halted |= d.verdict == VERDICT_HALT;
    assert_int_equal(flight_turn(f, &d, w->at.boot_ms), 0);
}

static void run(struct world *w, int ticks, const struct life *treated, const struct life *control)
{
    for (int k = 0; k < ticks && !w->halted; k++) {
        for (int i = 0; i < N; i++)
            live(w, i, strcmp(w->beings[i].running, NEW) == 0 ? treated : control);
        end_tick(w);
    }
}

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
    w = world_new(3, &p);
    run(w, 8, &calm, &calm);
    run(w, 2, &crash, &crash);
    run(w, 20, &silent, &silent);
    once = w->failed_t[METRIC_CR] + w->failed_c[METRIC_CR];
    assert_int_equal(once, N);
    assert_int_equal(w->failed_t[BLOCKED] + w->failed_c[BLOCKED], N);
    assert_int_equal(w->failed_t[METRIC_SA] + w->failed_c[METRIC_SA], N);
    w->flight->last.stage_ppm--; /* so that the next decision's share is a rise */
    run(w, 1, &calm, &calm);
    run(w, 9, &calm, &calm);
    for (int i = 0; i < N; i++) /* who was granted it late is in neither arm */
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

/* Ready with a draw already passed: no controls, so in none of these metrics. */
static void late_joiners_are_in_no_arm(void **state)
{
    const struct life calm = {0};
    struct policy p;
    struct world *w;
    int treated = 0;

    (void)state;
    policy_of_test(&p);
    w = world_new(8, &p);
    run(w, 8, &calm, &calm);
    for (int i = 0; i < N; i++) {
        struct arm *m = &w->flight->arms.rows[i];

        if (arm_is_treated(m) && m->watched != N_STRATA && treated++ % 2)
            m->stratum = STRATUM_LATE;
    }
    assert_true(treated > 4);
    run(w, 1, &calm, &calm);
    for (int i = 0; i < N; i++) {
        const struct arm *m = &w->flight->arms.rows[i];

        if (arm_is_treated(m) && m->stratum == STRATUM_LATE)
            assert_int_equal(m->watched, N_STRATA);
        else if (arm_is_treated(m) && m->stratum == STRATUM_MAIN)
            assert_int_equal(m->watched, STRATUM_MAIN);
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
        cmocka_unit_test(asking_again_is_a_sign_of_life),
        cmocka_unit_test(late_joiners_are_in_no_arm),
        cmocka_unit_test(identical_arms_halt_within_alpha),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
