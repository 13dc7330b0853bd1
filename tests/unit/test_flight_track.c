/*
 * flight_track: a budget of check-ins. A fleet of a hundred thousand lives through a rollout, each
 * device coming when it is told to: those asked every tick stay within the budget, are a random
 * part of both arms, and of the others the gate still hears acknowledgements and crashes.
 */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_internal.h"
#include "rollouts/flight.h"
#include "server.h"

#define N        100000
#define TICK_MS  1000
#define USUAL_MS 20000 /* what devices are told that nothing is asked of */
#define BUDGET   100   /* a second */
#define OLD      "0000000000000000000000000000000000000000000000000000000000000001"
#define NEW      "0000000000000000000000000000000000000000000000000000000000000002"

struct world {
    struct server server;
    struct clock_fixed at;
    struct clock clock;
    struct flight *flight;
    struct channel channel;
    struct facts *facts;
    struct checkin *checkin;
    struct device device; /* each in turn: only who it is matters here */
    int64_t *due_ms;      /* of each device */
    bool *often;          /* it was told to come after a tick, and is neither under way nor due */
    uint64_t seed;
    /* of the present tick */
    int64_t asked;
    int64_t most_asked, batches[N_METRICS], treated[N_METRICS], controls[N_METRICS];
};

static double chance(struct world *w)
{
    uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static const struct device *device(struct world *w, int64_t i)
{
    struct device *d = &w->device;

    d->index = (uint32_t)i;
    d->consumer_crash_ms = d->crash_ms = -1;
    strcpy(d->cohort, "linux-debian-12-x86_64");
    memset(d->draw_key, 0, sizeof d->draw_key);
    memcpy(d->draw_key, &i, sizeof i);
    return d;
}

static void policy_of_test(struct policy *ret)
{
    policy_standard(ret);
    ret->fast_tick_ms = ret->tick_ms = TICK_MS;
    ret->rings[0] =
        (struct policy_ring){.kind = RING_SHARE, .share_ppm = 50000, .bake_ms = 40 * TICK_MS};
    ret->rings[1] = (struct policy_ring){.kind = RING_SHARE, .share_ppm = 1000000};
    ret->n_rings = 2;
    ret->n0 = 1000;
    ret->growth = ret->growth_fast = 4;
    ret->small_fleet = 0;
    ret->fresh_wake_ms = 0;
    ret->long_silence_ms = ret->reboot_window_ms = 10 * TICK_MS;
    ret->slow_window_ms = 5 * TICK_MS;
    ret->budget_s = BUDGET;
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct flight *f = calloc(1, sizeof *f);
    struct topology t = {.n_os = 1, .os = {"linux"}, .n_cohorts = 1};
    struct policy p;
    char why[200];

    w->seed = 1;
    w->at = (struct clock_fixed){.wall_ms = INT64_C(1790000000000), .boot_ms = 1};
    w->clock = clock_fixed(&w->at);
    w->server.clock = &w->clock;
    w->server.fleet = fleet_new();
    w->facts = malloc(sizeof *w->facts);
    w->checkin = calloc(1, sizeof *w->checkin);
    w->due_ms = calloc(N, sizeof *w->due_ms);
    w->often = calloc(N, sizeof *w->often);
    w->flight = w->channel.flight = f;
    strcpy(f->channel, "crs");
    strcpy(f->digest, NEW);
    f->state = ROLLOUT_RUNNING;
    f->started_ms = f->published_ms = w->at.wall_ms;
    f->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
    policy_of_test(&p);
    strcpy(t.cohorts[0].name, "linux-debian-12-x86_64");
    t.cohorts[0].size = N;
    assert_int_equal(rollout_init(&f->gate, &p, &t, 0, why, sizeof why), 0);
    f->n_cohorts_at_start = 1;
    rollout_first(&f->gate, &f->last);
    f->tick_ms = f->last.tick_ms;
    flight_open(f, USUAL_MS);
    for (int64_t i = 0; i < N; i++) {
        struct arm *m = flight_arm(f, device(w, i), w->at.wall_ms);

        w->due_ms[i] = (int64_t)(chance(w) * USUAL_MS);
        tally_heard_before(&f->tally, m, USUAL_MS - w->due_ms[i]);
        tally_note(&f->tally, m);
    }
    flight_track(f);
    return w;
}

static void world_free(struct world *w)
{
    flight_free(w->flight);
    fleet_free(w->server.fleet);
    free(w->facts);
    free(w->checkin);
    free(w->due_ms);
    free(w->often);
    free(w);
}

/* As the handler does it; all goes well. */
static void check_in(struct world *w, int64_t i)
{
    static const bool fresh[CHECKIN_MAX_EVENTS];
    struct flight *f = w->flight;
    const struct device *d = device(w, i);
    struct arm *m = flight_arm(f, d, w->at.wall_ms);
    struct checkin_channel *cc = &w->checkin->channels[0];
    struct hearing h = {.checkin = w->checkin,
                        .channel = cc,
                        .fresh = fresh,
                        .newest_snapshot = 1,
                        .wall_ms = w->at.wall_ms};
    bool treated = arm_is_treated(m), ready = !treated && flight_stages(f, m);
    struct decide decide;
    int64_t ms;

    w->asked += w->often[i];
    strcpy(cc->running, treated ? NEW : OLD);
    strcpy(cc->ready, ready ? NEW : "");
    cc->has_ready = ready;
    cc->snapshot_version = 1;
    flight_hear(f, m, d, &h);
    decide = flight_ask(&w->channel, m, &h);
    if (decide.kind == DECIDE_PERMIT)
        flight_grant(f, m, &h, decide.kind);
    else
        flight_count_control(f, m, &h, &decide);
    flight_watch(f, m, &h);
    ms = flight_interval_ms(f, m, USUAL_MS);
    assert_true(ms == TICK_MS || ms == USUAL_MS);
    w->due_ms[i] = f->elapsed_ms + ms;
    w->often[i] = ms == TICK_MS && !m->due && (!arm_is_treated(m) || m->state == ARM_HEALTHY);
    /* Nobody who is compared in silence was told to come later. */
    if (m->standing.tick >= 0 || m->silent.slot >= 0 || m->long_silent.slot >= 0)
        assert_int_equal(ms, TICK_MS);
    /* Nobody under way is. */
    if (arm_is_treated(m) && m->state != ARM_HEALTHY)
        assert_int_equal(ms, TICK_MS);
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
        w->treated[b->metric] += b->n_t;
        w->controls[b->metric] += b->n_c;
        assert_int_equal(b->f_t + b->f_c, 0);
    }
    assert_int_equal(w->facts->f.cohorts[0].overdue, 0);
    assert_int_equal(rollout_tick(&f->gate, &w->facts->f, &d), 0);
    assert_true(d.verdict == VERDICT_WAIT || d.verdict == VERDICT_PROMOTE);
    assert_int_equal(flight_turn(f, &d, w->at.boot_ms), 0);
}

static void run(struct world *w, int ticks)
{
    for (int k = 0; k < ticks; k++) {
        w->asked = 0;
        for (int64_t i = 0; i < N; i++)
            if (w->due_ms[i] < w->flight->elapsed_ms + TICK_MS)
                check_in(w, i);
        if (w->asked > w->most_asked)
            w->most_asked = w->asked;
        end_tick(w);
    }
}

/* Of so many, a share of p: within five standard deviations. */
static void is_share(int64_t k, int64_t n, double p)
{
    double sd = sqrt((double)n * p * (1 - p));

    assert_true(n > 0 && fabs((double)k - (double)n * p) <= 5 * sd + 1);
}

static void check_arms(const struct world *w, double v)
{
    int64_t n[N_SIDES] = {0}, tracked[N_SIDES] = {0};

    for (int64_t i = 0; i < N; i++) {
        const struct arm *m = &w->flight->arms.rows[i];
        enum arm_side side = arm_is_treated(m) ? SIDE_TREATED : SIDE_CONTROL;

        if (!arm_is_treated(m) && !m->ready)
            continue;
        n[side]++;
        tracked[side] += m->tracked;
    }
    is_share(tracked[SIDE_TREATED], n[SIDE_TREATED], v);
    is_share(tracked[SIDE_CONTROL], n[SIDE_CONTROL], v);
}

static void check_ins_stay_within_the_budget(void **state)
{
    struct world *w = world_new();
    const struct flight *f = w->flight;
    int64_t v, at_first = f->track_ppm;

    (void)state;
    /* A first ring of 5 %, staged by 55 %: V is 100 of 55,000. */
    assert_true(at_first >= 1800 && at_first <= 1850);
    run(w, 3 * USUAL_MS / TICK_MS);
    assert_int_equal(f->gate.ring, 0);
    assert_true(f->tally.sums[0].healthy > 4000);
    assert_true(f->track_ppm <= at_first && f->track_ppm > at_first * 9 / 10);
    check_arms(w, (double)f->track_ppm / PPM);
    /* All stage, and it reaches all: V falls, and nobody's v is looked at twice. */
    run(w, 400);
    assert_int_equal(f->gate.ring, 1);
    v = f->track_ppm;
    assert_true(v >= 950 && v <= 1000);
    check_arms(w, (double)v / PPM);
    assert_true(f->tally.sums[0].healthy > N / 2);
    /* Random, so that now and then a few more than the mean are asked. */
    assert_true(w->most_asked <= BUDGET * TICK_MS / 1000 * 14 / 10);
    assert_true(w->most_asked >= BUDGET * TICK_MS / 1000 * 7 / 10);
    /* Silence is compared among the tracked ones, crashes among all. */
    for (int m = 0; m < N_METRICS; m++)
        assert_true(m == METRIC_RB || w->batches[m] > 10);
    assert_true(w->treated[METRIC_SA] < w->batches[METRIC_SA] * 200);
    assert_true(w->treated[METRIC_CR] > w->batches[METRIC_CR] * 2000);
    assert_true(w->controls[METRIC_CR] > w->batches[METRIC_CR] * 2000);
    world_free(w);
}

static int64_t waiting(const struct world *w)
{
    struct tally_counts n;

    tally_count(&w->flight->tally, &w->flight->arms, 0, false, NULL, &n);
    return n.grantable;
}

/* Nobody can check in while the server is away: who was ready, tracked or not, still is. */
static void a_standstill_makes_nobody_away(void **state)
{
    struct world *w = world_new();
    struct flight *f = w->flight;
    int64_t before;

    (void)state;
    run(w, 2 * USUAL_MS / TICK_MS);
    before = waiting(w);
    assert_true(before > N / 2 - 10000);
    for (int64_t i = 0; i < N; i++)
        f->arms.rows[i].heard = -1; /* a restart does not know the time of day */
    flight_resume(f, w->at.boot_ms + 60000);
    assert_true(waiting(w) >= before * 95 / 100 && waiting(w) <= before);
    world_free(w);
}

/* A tick that has room for all: all are. */
static void within_the_budget_all_are_tracked(void **state)
{
    struct world *w = world_new();

    (void)state;
    w->flight->gate.policy.budget_s = N;
    w->flight->track_ppm = PPM;
    run(w, 2 * USUAL_MS / TICK_MS);
    assert_int_equal(w->flight->track_ppm, PPM);
    assert_true(w->most_asked > N / 4);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_ins_stay_within_the_budget),
        cmocka_unit_test(a_standstill_makes_nobody_away),
        cmocka_unit_test(within_the_budget_all_are_tracked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
