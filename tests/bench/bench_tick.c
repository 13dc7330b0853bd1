/*
 * bench_tick: what a tick of a rollout costs, and a check-in in it, in fleets of 10 thousand to a
 * million devices in memory, with as many check-ins a tick in each. No store, no door, no plan:
 * check-ins go through flight_*.c as the handler calls them, a tick as rollouts_tick.c does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fleet/fleet_internal.h"
#include "rollouts/flight.h"
#include "server.h"

#define CHECKINS 10000 /* in a tick */
#define TICKS    60    /* measured, after as many others */
#define COHORTS  16
#define TICK_MS  60000
#define MOST     3 /* times what the smallest fleet's tick costs */
#define OLD      "0000000000000000000000000000000000000000000000000000000000000001"
#define NEW      "0000000000000000000000000000000000000000000000000000000000000002"

struct bench {
    struct server server;
    struct clock_fixed at;
    struct clock clock;
    struct channel channel;
    struct flight flight;
    struct facts facts;
    struct checkin checkin;
    struct device device; /* each in turn: only who it is matters here */
    int64_t devices, next;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *why)
{
    fprintf(stderr, "error: %s\n", why);
    exit(1);
}

static void topology(int64_t devices, struct topology *ret)
{
    *ret = (struct topology){.n_os = 1, .n_cohorts = COHORTS};
    strcpy(ret->os[0], "linux");
    for (int c = 0; c < COHORTS; c++) {
        snprintf(ret->cohorts[c].name, sizeof ret->cohorts[c].name, "linux-%d", c);
        ret->cohorts[c].size = devices / COHORTS;
    }
}

static const struct device *device(struct bench *b, int64_t i)
{
    struct device *d = &b->device;

    d->index = (uint32_t)i;
    d->group_index = (int)(i % 100);
    d->consumer_crash_ms = d->crash_ms = -1;
    snprintf(d->cohort, sizeof d->cohort, "linux-%d", (int)(i % COHORTS));
    memcpy(d->draw_key, &i, sizeof i);
    return d;
}

static struct bench *bench_new(int64_t devices)
{
    struct bench *b = calloc(1, sizeof *b);
    struct flight *f = b ? &b->flight : NULL;
    struct policy p;
    struct topology t;
    char why[200];

    if (!b || !(b->server.fleet = fleet_new()))
        die("no memory");
    b->devices = devices;
    b->at = (struct clock_fixed){.wall_ms = INT64_C(1790000000000), .boot_ms = 1};
    b->clock = clock_fixed(&b->at);
    b->server.clock = &b->clock;
    b->server.config.checkin_interval_ms = TICK_MS;
    b->channel.flight = f;
    strcpy(f->channel, "crs");
    strcpy(f->digest, NEW);
    f->state = ROLLOUT_RUNNING;
    f->started_ms = f->published_ms = b->at.wall_ms;
    f->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
    policy_standard(&p);
    p.small_fleet = 0; /* the same rules for all */
    topology(devices, &t);
    if (rollout_init(&f->gate, &p, &t, 0, why, sizeof why) < 0)
        die(why);
    f->n_cohorts_at_start = t.n_cohorts;
    rollout_first(&f->gate, &f->last);
    f->tick_ms = TICK_MS;
    flight_open(f, TICK_MS);
    for (int64_t i = 0; i < devices; i++)
        if (!flight_arm(f, device(b, i), f->started_ms))
            die("no memory for the arms");
    return b;
}

static void bench_free(struct bench *b)
{
    arms_release(&b->flight.arms);
    tally_release(&b->flight.tally);
    fleet_free(b->server.fleet);
    free(b);
}

static void check_in(struct bench *b)
{
    static const bool fresh[CHECKIN_MAX_EVENTS];
    struct flight *f = &b->flight;
    struct checkin_channel *cc = &b->checkin.channels[0];
    const struct device *d = device(b, b->next++ % b->devices);
    struct arm *m = flight_arm(f, d, b->at.wall_ms);
    struct hearing h = {.checkin = &b->checkin,
                        .channel = cc,
                        .fresh = fresh,
                        .newest_snapshot = 1,
                        .wall_ms = b->at.wall_ms};
    bool treated = arm_is_treated(m);
    struct decide decide;

    strcpy(cc->running, treated ? NEW : OLD);
    strcpy(cc->ready, treated ? "" : NEW);
    cc->has_ready = !treated;
    cc->snapshot_version = 1;
    b->checkin.awake_s = 100000;
    flight_hear(f, m, d, &h);
    decide = flight_ask(&b->channel, m, &h);
    if (decide.kind == DECIDE_PERMIT)
        flight_grant(f, m, &h, decide.kind);
    else
        flight_count_control(f, m, &h, &decide);
    flight_watch(f, m, &h);
}

static void end_tick(struct bench *b)
{
    struct flight *f = &b->flight;
    struct rollout_decision d;

    b->at.boot_ms += TICK_MS;
    b->at.wall_ms += TICK_MS;
    f->elapsed_ms += TICK_MS;
    facts_collect(&b->server, f, &b->facts);
    if (rollout_tick(&f->gate, &b->facts.f, &d) < 0)
        die("the facts contradict themselves");
    d.tick_ms = TICK_MS;
    if (flight_turn(f, &d, b->at.boot_ms) < 0)
        die("no memory");
}

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The median of what a tick's end costs, in seconds. */
static double measure(int64_t devices)
{
    struct bench *b = bench_new(devices);
    double ticks[TICKS], heard = 0;

    for (int k = 0; k < 2 * TICKS; k++) {
        double begun = seconds(), then;

        for (int i = 0; i < CHECKINS; i++)
            check_in(b);
        then = seconds();
        end_tick(b);
        if (k < TICKS)
            continue;
        heard += then - begun;
        ticks[k - TICKS] = seconds() - then;
    }
    qsort(ticks, TICKS, sizeof *ticks, by_time);
    printf("%9lld  %12.0f  %12.0f  %14.2f\n", (long long)devices, ticks[TICKS / 2] * 1e6,
           ticks[TICKS - 1] * 1e6, heard / TICKS / CHECKINS * 1e6);
    bench_free(b);
    return ticks[TICKS / 2];
}

int main(void)
{
    double least, most;

    printf("%d check-ins a tick, %d platforms\n", CHECKINS, COHORTS);
    printf("%9s  %12s  %12s  %14s\n", "devices", "tick, us", "longest, us", "a check-in, us");
    least = measure(10000);
    measure(100000);
    most = measure(1000000);
    printf("a tick at 1,000,000 devices costs %.2f times one at 10,000 (at most %d)\n",
           most / least, MOST);
    return most <= MOST * least ? 0 : 1;
}
