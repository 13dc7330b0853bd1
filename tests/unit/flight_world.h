/*
 * flight_world: a fleet of hundreds with ticks of a second, and what happens to each device, given
 * to flight_*.c as the check-in's handler gives it. No store and no door.
 */
#ifndef FIREBREAK_TESTS_FLIGHT_WORLD_H
#define FIREBREAK_TESTS_FLIGHT_WORLD_H

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
    double hold; /* of those that hold at times: begins, and ends, to hold */
};

struct being {
    char running[65], ready[65];
    int away, since_boot; /* ticks */
    double frailty;       /* of its own chances; the same whatever it runs */
    double absence;       /* times its chance to fall silent */
    bool unclean;
    bool hold, holds; /* holds updates at times; does so now */
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
    /* Failed treated that chance alone would have had, batch by batch, and their variance. */
    double expected_t[GATE_METRICS], variance_t[GATE_METRICS];
};

__attribute__((unused)) static double chance(struct world *w)
{
    uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

__attribute__((unused)) static void policy_of_test(struct policy *ret)
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

__attribute__((unused)) static void ask_for_figures(struct policy *p, bool halts)
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
        w->beings[i] = (struct being){.since_boot = SINCE_BOOT, .frailty = 1, .absence = 1};
        strcpy(w->beings[i].running, OLD);
        strcpy(w->beings[i].ready, NEW);
    }
}

__attribute__((unused)) static struct world *world_new(uint64_t seed, const struct policy *p)
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

__attribute__((unused)) static void world_free(struct world *w)
{
    flight_free(w->flight);
    fleet_free(w->server.fleet);
    free(w->facts);
    free(w->checkin);
    free(w);
}

__attribute__((unused)) static struct event *say(struct world *w, enum event_kind kind,
                                                 const char *digest, const char *cause)
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
__attribute__((unused)) static void check_in(struct world *w, int i, bool leaving)
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
    strcpy(cc->hold, b->holds ? "pinned" : "");
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

__attribute__((unused)) static void live(struct world *w, int i, const struct life *life)
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
    if (b->hold && chance(w) < life->hold)
        b->holds = !b->holds;
    if (chance(w) < life->crash * b->frailty)
        say(w, EVENT_CRASH, b->running, "consumer");
    if (chance(w) < life->silent * b->frailty * b->absence) {
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

static void take_batch(struct world *w, const struct batch *b)
{
    double n = (double)(b->n_t + b->n_c), m = (double)(b->f_t + b->f_c), n_t = (double)b->n_t;

    w->batches[b->metric]++;
    w->failed_t[b->metric] += b->f_t;
    w->failed_c[b->metric] += b->f_c;
    w->treated[b->metric] += b->n_t;
    w->controls[b->metric] += b->n_c;
    w->expected_t[b->metric] += n_t * m / n;
    if (n > 1)
        w->variance_t[b->metric] += n_t * m / n * (1 - m / n) * (n - n_t) / (n - 1);
}

__attribute__((unused)) static void end_tick(struct world *w)
{
    struct rollout_decision d;
    struct flight *f = w->flight;

    w->at.boot_ms += TICK_MS;
    w->at.wall_ms += TICK_MS;
    f->elapsed_ms += TICK_MS;
    facts_collect(&w->server, f, w->facts);
    for (int i = 0; i < w->facts->f.n_batches; i++)
        take_batch(w, &w->facts->batches[i]);
    assert_int_equal(rollout_tick(&f->gate, &w->facts->f, &d), 0);
    w->halted |= d.verdict == VERDICT_HALT;
    assert_int_equal(flight_turn(f, &d, w->at.boot_ms), 0);
}

__attribute__((unused)) static void run(struct world *w, int ticks, const struct life *treated,
                                        const struct life *control)
{
    for (int k = 0; k < ticks && !w->halted; k++) {
        for (int i = 0; i < N; i++)
            live(w, i, strcmp(w->beings[i].running, NEW) == 0 ? treated : control);
        end_tick(w);
    }
}

#endif
