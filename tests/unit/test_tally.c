/*
 * tally: what it says at the end of each tick is what one pass over all arms would say, and the
 * threshold that it finds is the one that sorting all draws finds, whatever devices and operators
 * do: thousands of random check-ins of fleets of hundreds, with crashes, recalls, halts, restarts,
 * canaries, late platforms, devices taken out and clocks that stand still.
 */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "draws.h"
#include "fleet/fleet_internal.h"
#include "rollouts/flight.h"
#include "server.h"

#define AT_FIRST    350
#define N           500 /* with those enrolled later */
#define INTERVAL_MS 2500
#define MAX_TICK_MS 1300
#define OLD         "0000000000000000000000000000000000000000000000000000000000000001"
#define NEW         "0000000000000000000000000000000000000000000000000000000000000002"

struct world {
    struct server server;
    struct clock_fixed at;
    struct clock clock;
    struct flight *flight;
    struct channel channel;
    struct facts *facts;
    struct checkin *checkin;
    uint64_t seed;
    int64_t heard_ms[N]; /* the beginning of the tick that a device was last heard in */
    struct seen {
        struct cohort_facts most;
        int64_t moved, silent_groups;
    } * seen; /* what has come up, over all worlds */
};

static uint64_t number(struct world *w, uint64_t below)
{
    uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static bool one_in(struct world *w, uint64_t n)
{
    return number(w, n) == 0;
}

/* --- the world -------------------------------------------------------------------------------- */

static void enrol(struct world *w, const char *os_version)
{
    int64_t i = fleet_size(w->server.fleet);
    char id[DEVICE_ID_LEN + 1], group[16];
    struct row_device row = {.id = id,
                             .grp = group,
                             .os = "linux",
                             .os_version = os_version,
                             .arch = "x86_64",
                             .enrolled_ms = w->at.wall_ms};
    struct device *d;
    struct err err = {0};

    snprintf(id, sizeof id, "%0*llx", DEVICE_ID_LEN, (unsigned long long)i + 1);
    snprintf(group, sizeof group, "g%d", (int)number(w, 7));
    if (one_in(w, 8))
        strcpy(group, "canary");
    for (int k = 0; k < SHA256_LEN; k++) /* another draw each time */
        w->server.master[k] = (uint8_t)number(w, 256);
    assert_int_equal(fleet_add(w->server.fleet, w->server.master, &row, &d, &err), 0);
    w->heard_ms[i] = INT64_MIN / 2;
}

static void policy_of_test(struct policy *ret)
{
    policy_standard(ret);
    ret->fast_tick_ms = ret->tick_ms = 1000;
    ret->stuck_ticks = 4;
    ret->slow_window_ms = 7000;
    ret->direct_window_ms = 11000;
    ret->long_silence_ms = ret->reboot_window_ms = 8000;
    ret->fresh_wake_ms = 3000;
}

/* As flight_open made it, but with the buckets of a large fleet. */
static void many_buckets(struct flight *f)
{
    const struct policy *p = &f->gate.policy;
    const struct tally_config config = {.devices = 8500000,
                                        .stuck_ticks = p->stuck_ticks,
                                        .slow_window_ms = p->slow_window_ms,
                                        .direct_window_ms = p->direct_window_ms,
                                        .interval_ms = INTERVAL_MS};

    tally_release(&f->tally);
    tally_init(&f->tally, &config);
    assert_int_equal(f->tally.buckets, TALLY_MAX_BUCKETS);
}

static struct world *world_new(uint64_t seed)
{
    static const char *const platforms[] = {"debian-12", "debian-11", "fedora-41"};
    struct world *w = calloc(1, sizeof *w);
    struct flight *f = calloc(1, sizeof *f);
    struct policy p;
    struct topology t;
    int64_t canary;
    char why[200];

    w->seed = seed;
    w->at = (struct clock_fixed){.wall_ms = INT64_C(1790000000000), .boot_ms = 1};
    w->clock = clock_fixed(&w->at);
    w->server.clock = &w->clock;
    w->server.config.checkin_interval_ms = INTERVAL_MS;
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
    for (int i = 0; i < AT_FIRST; i++)
        enrol(w, platforms[number(w, 3)]);
    policy_of_test(&p);
    flight_topology(w->server.fleet, "crs", &t, &canary);
    assert_int_equal(rollout_init(&f->gate, &p, &t, canary, why, sizeof why), 0);
    f->n_cohorts_at_start = t.n_cohorts;
    rollout_first(&f->gate, &f->last);
    f->last.stage_ppm = 100000;
    memset(f->last.stage_cohort_ppm, 0, sizeof f->last.stage_cohort_ppm);
    f->tick_ms = f->last.tick_ms;
    flight_open(f, INTERVAL_MS);
    if (seed % 2)
        many_buckets(f);
    for (int i = 0; i < AT_FIRST; i++) {
        struct arm *m = flight_arm(f, fleet_at(w->server.fleet, i), w->at.wall_ms);

        w->heard_ms[i] = -(int64_t)number(w, 4 * INTERVAL_MS);
        tally_heard_before(&f->tally, m, -w->heard_ms[i]);
        tally_note(&f->tally, m);
    }
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

/* --- what devices do -------------------------------------------------------------------------- */

static void say_something(struct world *w)
{
    static const struct {
        enum event_kind kind;
        const char *cause;
    } sayings[] = {{EVENT_CRASH, "consumer"},
                   {EVENT_CRASH, "unclean-boot"},
                   {EVENT_HEALTHY, ""},
                   {EVENT_APPLIED, ""},
                   {EVENT_ROLLED_BACK, "health"},
                   {EVENT_ROLLED_BACK, "recall"},
                   {EVENT_RECALLED, "recall"},
                   {EVENT_PREFLIGHT_FAILED, "checker"},
                   {EVENT_ROLLED_BACK, "interrupted"}};
    struct event *e = &w->checkin->events[w->checkin->n_events++];
    size_t i = number(w, sizeof sayings / sizeof *sayings);

    *e = (struct event){.kind = sayings[i].kind, .blamed = one_in(w, 2)};
    strcpy(e->channel, "crs");
    strcpy(e->digest, one_in(w, 3) ? OLD : NEW);
    strcpy(e->cause, sayings[i].cause);
}

static bool say_goodbye(struct world *w)
{
    struct event *e = &w->checkin->events[w->checkin->n_events++];

    *e = (struct event){.kind = EVENT_GOODBYE};
    strcpy(e->cause, one_in(w, 3) ? "reboot" : "shutdown");
    return true;
}

static void fill_channel(struct world *w, const struct arm *m, struct checkin_channel *cc)
{
    bool runs = arm_is_treated(m) ? !one_in(w, 20) : one_in(w, 60);

    memset(cc, 0, sizeof *cc);
    strcpy(cc->channel, "crs");
    strcpy(cc->running, runs ? NEW : OLD);
    cc->boots = one_in(w, 4);
    cc->has_ready = !runs && !one_in(w, 6);
    strcpy(cc->ready, cc->has_ready ? NEW : "");
    if (one_in(w, 15))
        strcpy(cc->hold, "held");
    cc->pace_wait_s = one_in(w, 10) ? 60 : 0;
    cc->snapshot_version = 1;
    snprintf(cc->nonce, sizeof cc->nonce, "%032x", 7);
}

/* As the handler does it. */
static void check_in(struct world *w, int64_t i)
{
    static const bool fresh[CHECKIN_MAX_EVENTS] = {[0 ... CHECKIN_MAX_EVENTS - 1] = true};
    struct flight *f = w->flight;
    struct device *d = fleet_at(w->server.fleet, i);
    struct arm *m = flight_arm(f, d, w->at.wall_ms);
    struct checkin_channel *cc = &w->checkin->channels[0];
    struct hearing h = {.checkin = w->checkin,
                        .channel = one_in(w, 30) ? NULL : cc,
                        .fresh = fresh,
                        .newest_snapshot = 1,
                        .wall_ms = w->at.wall_ms};
    struct decide decide;

    assert_non_null(m);
    if (one_in(w, 200))
        device_channel(d, "crs")->canary = true;
    fill_channel(w, m, cc);
    w->checkin->n_events = 0;
    w->checkin->awake_s = (int64_t)number(w, 10);
    if (one_in(w, 12))
        say_something(w);
    h.leaving = one_in(w, 25) && say_goodbye(w);
    w->heard_ms[i] = f->elapsed_ms;
    flight_hear(f, m, d, &h);
    if (h.channel) {
        decide = flight_ask(&w->channel, m, &h);
        if (decide.kind == DECIDE_PERMIT || decide.kind == DECIDE_PERMIT_AGAIN)
            flight_grant(f, m, &h, decide.kind);
        else
            flight_count_control(f, m, &h, &decide);
    }
    flight_watch(f, m, &h);
    d->away = m->away;
}

static void mishap(struct world *w)
{
    static const char *const late[] = {"debian-13", "fedora-42", "debian-12"};
    struct flight *f = w->flight;
    int64_t i = (int64_t)number(w, (uint64_t)f->arms.n);
    struct arm *m = &f->arms.rows[i];

    if (m->known && one_in(w, 2)) {
        flight_alive(f, m);
        w->heard_ms[i] = f->elapsed_ms;
    }
    if (m->known && one_in(w, 10))
        flight_drop_evidence(f, m);
    if (fleet_size(w->server.fleet) < N && one_in(w, 2))
        enrol(w, late[number(w, 3)]);
    if (one_in(w, 100)) {
        w->at.boot_ms += (int64_t)number(w, 9000);
        flight_resume(f, w->at.boot_ms);
        for (int64_t k = 0; k < f->arms.n; k++) /* taken as if heard just now */
            if (f->arms.rows[k].known && f->arms.rows[k].seen_tick == f->tick)
                w->heard_ms[k] = f->elapsed_ms;
    }
}

/* --- the pass --------------------------------------------------------------------------------- */

static bool waits(const struct world *w, const struct arm *m)
{
    if (!m->known || arm_is_treated(m) || !m->ready || m->away || m->held || m->running ||
        m->cohort < 0)
        return false;
    return m->tracked ? w->flight->tick - m->ready_tick < ARM_AWAKE_TICKS
                      : m->heard >= w->flight->tally.heard.oldest;
}

static void pass_treated(const struct world *w, const struct arm *m, struct cohort_facts *c)
{
    const struct flight *f = w->flight;
    const struct policy *p = &f->gate.policy;
    bool healthy = m->state == ARM_HEALTHY;
    bool lately = m->tracked ? m->seen_tick >= 0 && f->tick - m->seen_tick < ARM_AWAKE_TICKS
                             : m->heard >= f->tally.heard.oldest;

    c->admitted++;
    c->canary_admitted += m->canary;
    c->heard += !m->away && lately;
    c->healthy += healthy;
    c->healthy_slow += healthy && m->healthy_ms <= f->elapsed_ms - p->slow_window_ms;
    c->excused += !healthy && (m->away || m->excluded);
    c->overdue +=
        !healthy && !m->away && !m->excluded && f->tick - m->granted_tick >= p->stuck_ticks;
    c->direct += m->direct;
    c->booted += m->booted;
    c->soaking += !m->soaked && m->acks > 0 && m->state != ARM_ROLLED_BACK &&
                  m->state != ARM_RECALLED && f->elapsed_ms - m->granted_ms <= p->direct_window_ms;
}

static void pass_untreated(const struct world *w, const struct arm *m, const struct device *d,
                           struct cohort_facts *c)
{
    const struct flight *f = w->flight;
    bool waiting = waits(w, m), below = admission_below(&f->admission, m);
    int64_t silent_ms = f->elapsed_ms - w->heard_ms[d->index];
    bool stages, away;

    if (m->running)
        return;
    c->late += below && waiting && !m->paced;
    c->ready += waiting && !below;
    c->canary_ready += waiting && m->canary;
    c->passed_away += below && !(waiting && !m->paced);
    c->controls += waiting && m->evidence && !m->crash_spent;
    /* Heard lately is by slots: all of the last two intervals, nobody of more than three. */
    if (m->heard < f->tally.heard.oldest)
        assert_true(silent_ms > 2 * INTERVAL_MS);
    else
        assert_true(silent_ms <= 3 * INTERVAL_MS + MAX_TICK_MS);
    if (m->held || !flight_stages(f, m) || waiting)
        return;
    stages = !m->away && !m->ready && m->heard >= f->tally.heard.oldest;
    away = !stages && (m->seen_tick >= 0 || m->heard >= 0);
    c->staging += stages;
    c->away += away;
    c->canary_away += away && m->canary;
}

static void pass_all(const struct world *w, struct cohort_facts *ret)
{
    const struct flight *f = w->flight;

    memset(ret, 0, GATE_MAX_COHORTS * sizeof *ret);
    for (int64_t i = 0; i < fleet_size(w->server.fleet) && i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];
        const struct device *d = fleet_at(w->server.fleet, i);

        if (!m->known || m->cohort < 0)
            continue;
        ret[m->cohort].canary_size += m->canary;
        if (arm_is_treated(m))
            pass_treated(w, m, &ret[m->cohort]);
        else
            pass_untreated(w, m, d, &ret[m->cohort]);
    }
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        ret[c].control_crashes = f->control_crashes[c];
        ret[c].controls += f->control_crashes[c];
    }
}

static int pass_silent_groups(const struct world *w)
{
    const struct flight *f = w->flight;
    bool groups[COUNTERS_GROUPS] = {false};
    int n = 0;

    for (int64_t i = 0; i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];

        if (m->known && m->standing.side == SIDE_CONTROL && m->standing.tick >= 0 &&
            f->tick - m->standing.tick == COUNTERS_DEADLINE)
            groups[fleet_at(w->server.fleet, i)->group_index % COUNTERS_GROUPS] = true;
    }
    for (int g = 0; g < COUNTERS_GROUPS; g++)
        n += groups[g];
    return n;
}

/* By sorting all draws. */
static struct threshold pass_move(const struct world *w, const struct admission *a, int cohort,
                                  bool canary, int64_t k, struct threshold old)
{
    const struct flight *f = w->flight;
    uint64_t draws[N], at;
    int64_t n = 0;

    for (int64_t i = 0; i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];

        if (!waits(w, m) || m->paced || (cohort >= 0 && m->cohort != cohort) ||
            (canary && !m->canary) || f->gate.halted[m->cohort])
            continue;
        if (admission_below(a, m))
            k--;
        else
            draws[n++] = m->u;
    }
    if (k <= 0 || n == 0)
        return old;
    at = draws_kth(draws, n, k < n ? k : n);
    return old.open && old.draw > at ? old : (struct threshold){.open = true, .draw = at};
}

static void pass_admission(const struct world *w, const struct rollout_decision *d,
                           struct admission *a)
{
    const struct flight *f = w->flight;
    struct admission was;

    a->canary_ring = flight_in_canary_ring(f);
    was = *a;
    if (a->canary_ring) {
        a->canary_now = pass_move(w, &was, -1, true, d->admit_canary, was.canary_now);
        return;
    }
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        struct threshold next = d->fleet_wide
                                    ? pass_move(w, &was, -1, false, d->admit_fleet, was.now[0])
                                    : pass_move(w, &was, c, false, d->admit[c], was.now[c]);

        if (next.open && (!d->fleet_wide || d->admit_fleet > 0) &&
            !(was.now[c].open && was.now[c].draw > next.draw))
            a->now[c] = next;
    }
}

/* --- a tick ----------------------------------------------------------------------------------- */

#define FACTS(X)                                                                                   \
    X(ready)                                                                                       \
    X(late)                                                                                        \
    X(staging)                                                                                     \
    X(passed_away)                                                                                 \
    X(admitted)                                                                                    \
    X(healthy)                                                                                     \
    X(healthy_slow)                                                                                \
    X(excused)                                                                                     \
    X(overdue)                                                                                     \
    X(canary_size)                                                                                 \
    X(canary_ready)                                                                                \
    X(canary_admitted)                                                                             \
    X(booted)                                                                                      \
    X(direct)                                                                                      \
    X(soaking)                                                                                     \
    X(control_crashes)                                                                             \
    X(controls)                                                                                    \
    X(heard)                                                                                       \
    X(away)                                                                                        \
    X(canary_away)

static void compare(struct world *w, const struct cohort_facts *want)
{
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        const struct cohort_facts *got = &w->facts->f.cohorts[c];

#define X(name)                                                                                    \
    if (got->name != want[c].name)                                                                 \
        fail_msg("tick %lld, cohort %d: " #name " is %lld, not %lld", (long long)w->flight->tick,  \
                 c, (long long)got->name, (long long)want[c].name);                                \
    w->seen->most.name = got->name > w->seen->most.name ? got->name : w->seen->most.name;
        FACTS(X)
#undef X
    }
}

static bool is_same(const struct threshold *a, const struct threshold *b)
{
    return a->open == b->open && (!a->open || a->draw == b->draw);
}

/* Anything that a gate could decide, and more. */
static void make_up(struct world *w, struct rollout_decision *d)
{
    const struct flight *f = w->flight;

    *d = f->last;
    d->fleet_wide = flight_in_canary_ring(f) || one_in(w, 3);
    d->admit_fleet = d->admit_canary = 0;
    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        d->admit[c] = one_in(w, 2) ? (int64_t)number(w, 9) : 0;
    if (one_in(w, 2))
        d->admit_fleet = d->admit_canary = (int64_t)number(w, 12);
    d->tick_ms = one_in(w, 4) ? 500 : 1000 + (int64_t)number(w, MAX_TICK_MS - 1000);
    if (one_in(w, 20) && d->stage_ppm < PPM)
        d->stage_ppm = d->stage_ppm > 700000 ? PPM : d->stage_ppm + 100000;
    if (one_in(w, 50))
        d->stage_cohort_ppm[number(w, 3)] = (int64_t)number(w, PPM);
}

static void end_tick(struct world *w)
{
    struct flight *f = w->flight;
    struct cohort_facts want[GATE_MAX_COHORTS];
    struct admission admission = f->admission;
    struct rollout_decision d;
    int groups = pass_silent_groups(w);

    w->at.boot_ms += f->tick_ms;
    w->at.wall_ms += f->tick_ms;
    f->elapsed_ms += f->tick_ms;
    facts_collect(&w->server, f, w->facts);
    pass_all(w, want);
    compare(w, want);
    assert_int_equal(counters_silent_groups(&f->counters, f->tick - COUNTERS_DEADLINE), groups);
    w->seen->silent_groups += groups;
    if (one_in(w, 60))
        f->gate.halted[number(w, 4)] ^= true;
    if (one_in(w, 40) && f->gate.ring < f->gate.n_rings - 1)
        f->gate.ring++;
    make_up(w, &d);
    pass_admission(w, &d, &admission);
    assert_int_equal(flight_turn(f, &d, w->at.boot_ms), 0);
    if (one_in(w, 25)) /* too many check-ins */
        f->track_ppm = f->track_ppm * 2 / 3;
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        assert_true(is_same(&f->admission.now[c], &admission.now[c]));
        w->seen->moved += !is_same(&f->admission.now[c], &f->admission.before[c]);
    }
    assert_true(is_same(&f->admission.canary_now, &admission.canary_now));
    w->seen->moved += !is_same(&f->admission.canary_now, &f->admission.canary_before);
}

static void the_tally_is_what_a_pass_finds(void **state)
{
    struct seen seen = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world *w = world_new(seed);

        w->seen = &seen;
        for (int tick = 0; tick < 150; tick++) {
            uint64_t rare = 2 + number(w, 4);

            for (int64_t i = 0; i < fleet_size(w->server.fleet); i++) {
                if (one_in(w, rare))
                    check_in(w, i);
                if (one_in(w, 40))
                    mishap(w);
            }
            end_tick(w);
        }
        world_free(w);
    }
    /* Nothing was compared at nothing only. */
#define X(name) assert_true(seen.most.name > 0);
    FACTS(X)
#undef X
    assert_true(seen.moved > 500 && seen.silent_groups > 50);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Slots of several ticks are past when their last tick is; none is past early. */
static void ages_of_many_ticks(void **state)
{
    struct ages *a = malloc(sizeof *a);
    int64_t window = 10 * AGES_PARTS, late;

    (void)state;
    ages_init(a, window);
    for (int64_t now = 1; now < 4 * window; now++) {
        ages_add(a, 0, ages_slot(a, a->last[a->now % AGES_SLOTS]), 1);
        ages_expire(a, now);
        late = now - window - a->past[0];
        assert_true(late <= 10 && late >= (now < window ? -window : -1));
        ages_turn(a, now);
    }
    ages_add(a, 0, AGES_PAST, -1);
    assert_int_equal(ages_recent(a, 0) + a->past[0], 4 * window - 2);
    free(a);
}

static void ages_of_nothing(void **state)
{
    struct ages *a = malloc(sizeof *a);

    (void)state;
    ages_init(a, 0);
    for (int64_t now = 1; now < 2000; now++) {
        ages_add(a, 3, ages_slot(a, now - 1), 1);
        ages_expire(a, now);
        assert_int_equal(a->past[3], now);
        ages_turn(a, now);
    }
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tally_is_what_a_pass_finds),
        cmocka_unit_test(ages_of_many_ticks),
        cmocka_unit_test(ages_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
