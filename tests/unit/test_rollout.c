/* rollout: whole rollouts on a tiny, deterministic fleet; rings, pacing and the draws' threshold.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pacing.h"
#include "policy_file.h"
#include "ring.h"
#include "rollout.h"

/* ---- the fleet: 3 of 4 devices run windows, the rest linux ---- */

enum content { GOOD, WINDOWS_DIES, TENTH_DIES, PREFLIGHT_FAILS, SOME_SLOW };
enum device_state { STAGING, READY, PERMITTED, TREATED };

#define ACK_TICKS 4 /* apply, then two check-ins */
#define SF_LAG    5
#define HISTORY   8

struct device {
    uint64_t draw;
    enum device_state state;
    int cohort;
    bool canary, dead, healthy;
    int64_t ready_tick, admitted_tick;
};

struct fleet {
    struct device *devices; /* by draw */
    int n;
    enum content content;
    uint64_t seed;
    struct rollout rollout;
    struct rollout_decision decision;
    struct rollout_facts facts;
    struct batch history[HISTORY][2]; /* SF trials by tick and cohort */
    uint64_t threshold[2];            /* of the draws */
    int64_t tick, now_ms, harm, direct[2];
    int64_t asked_ticks, answered;
    bool answers; /* a person says go on when asked */
};

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static int by_draw(const void *a, const void *b)
{
    const struct device *x = a, *y = b;

    return x->draw < y->draw ? -1 : x->draw > y->draw;
}

static void topology_of(int n, struct topology *t)
{
    memset(t, 0, sizeof(*t));
    t->n_os = t->n_cohorts = n < 2 ? 1 : 2;
    strcpy(t->os[0], "windows");
    strcpy(t->os[1], "linux");
    strcpy(t->cohorts[0].name, "windows-10.0.22631");
    strcpy(t->cohorts[1].name, "debian-12");
    t->cohorts[1].os = 1;
    t->cohorts[1].size = n / 4;
    t->cohorts[0].size = n - n / 4;
    if (n < 4)
        t->n_os = t->n_cohorts = 1;
}

static void fleet_init(struct fleet *f, int n, int canaries, enum content content,
                       const struct policy *p, uint64_t seed)
{
    struct topology t;
    char why[160];

    memset(f, 0, sizeof(*f));
    f->n = n;
    f->content = content;
    f->seed = seed;
    f->devices = calloc((size_t)n, sizeof(f->devices[0]));
    for (int i = 0; i < n; i++) {
        f->devices[i].draw = next_random(&f->seed);
        f->devices[i].cohort = n >= 4 && i < n / 4;
        f->devices[i].canary = i >= n - canaries;
        f->devices[i].ready_tick = (int64_t)(next_random(&f->seed) % 4);
    }
    qsort(f->devices, (size_t)n, sizeof(f->devices[0]), by_draw);
    topology_of(n, &t);
    if (rollout_init(&f->rollout, p, &t, canaries, why, sizeof(why)) < 0)
        fail_msg("%s", why);
    rollout_first(&f->rollout, &f->decision);
}

static void fleet_release(struct fleet *f)
{
    free(f->devices);
}

static void load_content(struct fleet *f, struct device *d)
{
    switch (f->content) {
    case GOOD:
    case SOME_SLOW:
        break;
    case WINDOWS_DIES:
        d->dead = d->cohort == 0;
        break;
    case TENTH_DIES:
        d->dead = next_random(&f->seed) % 10 == 0;
        break;
    case PREFLIGHT_FAILS:
        f->direct[d->cohort]++;
        break;
    }
    f->harm += d->dead;
}

/* One check-in of everybody. */
static void step_devices(struct fleet *f)
{
    struct batch *now = f->history[f->tick % HISTORY];

    memset(now, 0, 2 * sizeof(*now));
    for (int i = 0; i < f->n; i++) {
        struct device *d = &f->devices[i];
        int64_t ack = d->admitted_tick + ACK_TICKS;

        if (d->state == STAGING && d->ready_tick <= f->tick)
            d->state = READY;
        if (d->state == PERMITTED) {
            d->state = TREATED;
            d->admitted_tick = f->tick;
            load_content(f, d);
            now[d->cohort].n_t++;
            now[d->cohort].f_t += d->dead;
        } else if (d->state == READY) {
            now[d->cohort].n_c++;
        } else if (d->state == TREATED && f->tick >= ack && !d->dead) {
            if (f->content == SOME_SLOW && i % 50 == 0)
                continue; /* never says so */
            d->healthy = f->content != PREFLIGHT_FAILS;
        }
    }
}

static void count_device(struct fleet *f, const struct device *d, struct cohort_facts *of)
{
    bool passed = d->draw <= f->threshold[d->cohort];

    of->canary_size += d->canary;
    switch (d->state) {
    case STAGING:
        if (passed)
            of->passed_away++;
        else
            of->staging++;
        break;
    case READY:
    case PERMITTED:
        if (passed)
            of->late++;
        else
            of->ready++;
        of->canary_ready += d->canary;
        break;
    case TREATED:
        of->admitted++;
        of->canary_admitted += d->canary;
        of->healthy += d->healthy;
        of->overdue += !d->healthy && d->admitted_tick <= f->tick - f->rollout.policy.stuck_ticks;
        break;
    }
}

static void gather_facts(struct fleet *f, struct batch batches[2])
{
    struct rollout_facts *facts = &f->facts;
    bool answer = f->answers && f->rollout.asks;

    memset(facts, 0, sizeof(*facts));
    facts->tick = f->tick;
    facts->now_ms = f->now_ms;
    facts->pace_ppm = 1000000;
    facts->groups = 2;
    facts->person_promotes = answer;
    f->answered += answer;
    for (int i = 0; i < f->n; i++)
        count_device(f, &f->devices[i], &facts->cohorts[f->devices[i].cohort]);
    for (int c = 0; c < f->rollout.topology.n_cohorts; c++) {
        facts->cohorts[c].direct = f->direct[c];
        facts->cohorts[c].healthy_slow = facts->cohorts[c].healthy;
        if (f->tick < SF_LAG)
            continue;
        batches[c] = f->history[(f->tick - SF_LAG) % HISTORY][c];
        batches[c].cohort = c;
        batches[c].tick = f->tick - SF_LAG;
        facts->n_batches = c + 1;
    }
    facts->batches = batches;
}

/* Move the threshold over the k lowest ready draws. */
static void permit(struct fleet *f)
{
    const struct rollout_decision *d = &f->decision;
    int64_t left[2] = {d->admit[0], d->admit[1]}, all = d->admit_fleet;
    bool canary = d->admit_canary > 0;

    for (int i = 0; i < f->n && all > 0; i++) {
        struct device *dev = &f->devices[i];

        if (dev->state != READY || left[dev->cohort] <= 0 || (canary && !dev->canary))
            continue;
        dev->state = PERMITTED;
        left[dev->cohort]--;
        all--;
        if (canary)
            continue;
        for (int c = 0; c < 2; c++)
            if ((d->fleet_wide || c == dev->cohort) && dev->draw > f->threshold[c])
                f->threshold[c] = dev->draw;
    }
}

static void fleet_tick(struct fleet *f)
{
    struct batch batches[2];

    step_devices(f);
    gather_facts(f, batches);
    if (rollout_tick(&f->rollout, &f->facts, &f->decision) < 0)
        fail_msg("facts refused at tick %lld", (long long)f->tick);
    f->asked_ticks += f->rollout.asks;
    permit(f);
    f->tick++;
    f->now_ms += f->decision.tick_ms;
}

static void fleet_run(struct fleet *f, int64_t max_ticks)
{
    while (f->tick < max_ticks && !f->rollout.complete && !f->rollout.all_halted)
        fleet_tick(f);
    if (getenv("ROLLOUT_TRACE"))
        printf("n %d content %d: tick %lld, %lld s, harm %lld, asked %lld, unproven %d: %s\n", f->n,
               f->content, (long long)f->tick, (long long)(f->now_ms / 1000), (long long)f->harm,
               (long long)f->asked_ticks, f->rollout.unproven, f->decision.stands);
}

static int64_t admitted(const struct fleet *f)
{
    return f->facts.cohorts[0].admitted + f->facts.cohorts[1].admitted;
}

static void read_demo(struct policy *p)
{
    struct err err = {0};

    if (policy_read(SOURCE_DIR "/canary/policies", "demo", p, &err) < 0)
        fail_msg("%s", err.msg);
}

static const int sizes[] = {1, 4, 50, 403, 500, 4999, 5000, 50000};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* ---- whole rollouts ---- */

static void test_good_content_completes(void **state)
{
    struct policy p;

    (void)state;
    read_demo(&p);
    for (size_t i = 0; i < N_SIZES; i++)
        for (int canaries = 0; canaries <= 3 && canaries <= sizes[i]; canaries += 3) {
            struct fleet f;

            fleet_init(&f, sizes[i], canaries, GOOD, &p, 1 + i);
            fleet_run(&f, 400);
            assert_true(f.rollout.complete);
            assert_int_equal(f.asked_ticks, 0);
            assert_true(admitted(&f) * 1000 >= (int64_t)sizes[i] * 998);
            fleet_release(&f);
        }
}

/* The standard policy asks margins that no small fleet can show: it says so, and after four bakes
 * goes on without proof. */
static void test_good_content_completes_without_proof(void **state)
{
    struct policy p;

    (void)state;
    policy_standard(&p);
    for (size_t i = 0; i < N_SIZES; i++) {
        struct fleet f;

        fleet_init(&f, sizes[i], 0, GOOD, &p, 1 + i);
        fleet_run(&f, 2000);
        assert_true(f.rollout.complete);
        assert_int_equal(f.asked_ticks, 0);
        if (sizes[i] >= 50)
            assert_true(f.rollout.unproven >= 1);
        fleet_release(&f);
    }
}

static void test_approve_asks_at_once_where_no_proof_can_come(void **state)
{
    struct policy p;
    struct fleet f;

    (void)state;
    policy_standard(&p);
    p.underpowered = UNDERPOWERED_APPROVE;
    fleet_init(&f, 500, 0, GOOD, &p, 3);
    while (f.tick < 1000 && !f.rollout.asks)
        fleet_tick(&f);
    assert_true(f.rollout.asks);
    assert_int_equal(f.decision.verdict, VERDICT_ASK);
    assert_true(f.now_ms - f.rollout.full_since_ms < 2 * p.rings[1].bake_ms);
    assert_non_null(strstr(f.decision.stands, "asks a person: too few failures"));
    f.answers = true;
    fleet_run(&f, 3000);
    assert_true(f.rollout.complete);
    assert_true(f.answered >= 1);
    fleet_release(&f);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

#define SEEDS 40

/* Harm of one scenario, sorted over seeds. */
static void harm_over_seeds(const struct policy *p, int n, enum content content, int64_t ret[SEEDS])
{
    for (int s = 0; s < SEEDS; s++) {
        struct fleet f;

        fleet_init(&f, n, 0, content, p, (uint64_t)s * 7919 + 5);
        fleet_run(&f, 1500);
        assert_false(f.rollout.complete);
        assert_true(f.decision.verdict >= VERDICT_ASK);
        ret[s] = f.harm;
        fleet_release(&f);
    }
    qsort(ret, SEEDS, sizeof(ret[0]), by_value);
    if (getenv("ROLLOUT_TRACE"))
        printf("n %d content %d: harm p50 %lld max %lld\n", n, content, (long long)ret[SEEDS / 2],
               (long long)ret[SEEDS - 1]);
}

/* One OS family dies at load and cannot say so: growth stops by itself. The first step has at most
 * n0 = 4 devices, whose family the draw decides. */
static void test_silent_death_hits_a_handful(void **state)
{
    struct policy p;
    int64_t harm[SEEDS];

    (void)state;
    policy_standard(&p);
    for (size_t i = 1; i < N_SIZES; i++) {
        harm_over_seeds(&p, sizes[i], WINDOWS_DIES, harm);
        assert_true(harm[SEEDS / 2] <= (sizes[i] < 5000 ? 3 : 5));
        assert_true(harm[SEEDS - 1] <= (sizes[i] < 5000 ? 4 : 5));
    }
}

static void test_tenth_dying_is_bounded(void **state)
{
    struct policy p;
    int64_t harm[SEEDS];

    (void)state;
    policy_standard(&p);
    harm_over_seeds(&p, 500, TENTH_DIES, harm);
    assert_true(harm[SEEDS - 1] <= 10);
    harm_over_seeds(&p, 4999, TENTH_DIES, harm);
    assert_true(harm[SEEDS - 1] <= 10);
    harm_over_seeds(&p, 5000, TENTH_DIES, harm); /* no jump at the passage */
    assert_true(harm[SEEDS - 1] <= 10);
    harm_over_seeds(&p, 50000, TENTH_DIES, harm);
    assert_true(harm[SEEDS - 1] <= 30);
}

/* Three canaries and a crowd: the first refusal halts, the crowd never sees it. */
static void test_preflight_failure_halts_among_the_canaries(void **state)
{
    struct policy p;
    struct fleet f;

    (void)state;
    read_demo(&p);
    fleet_init(&f, 403, 3, PREFLIGHT_FAILS, &p, 11);
    fleet_run(&f, 100);
    assert_true(f.rollout.all_halted);
    assert_int_equal(admitted(&f), 2); /* half of the canaries, rounded up */
    assert_int_equal(f.decision.verdict, VERDICT_HALT);
    assert_true(f.decision.halts_all);
    assert_non_null(strstr(f.decision.stands, "halted: direct evidence fleet: 2 of 2 admitted"));
    fleet_tick(&f);
    assert_int_equal(f.decision.verdict, VERDICT_HALT); /* and stays so */
    assert_int_equal(f.decision.admit_fleet, 0);
    assert_false(f.decision.halts_all || f.decision.newly_halted[0]);
    fleet_release(&f);
}

/* 2 % never acknowledge: beyond the tolerance probing stops and a person is asked; his word goes on
 * in the same ring. */
static void test_missing_acknowledgements_ask_a_person(void **state)
{
    struct policy p;
    struct fleet f;
    int ring;

    (void)state;
    read_demo(&p);
    fleet_init(&f, 4000, 0, SOME_SLOW, &p, 4);
    fleet_run(&f, 300);
    assert_true(f.rollout.asks);
    assert_false(f.rollout.complete);
    assert_non_null(strstr(f.decision.stands, "have not come back"));
    assert_int_equal(f.decision.admit_fleet, 0);
    ring = f.rollout.ring;
    f.answers = true;
    fleet_tick(&f);
    assert_int_equal(f.answered, 1);
    assert_int_equal(f.rollout.ring, ring);
    assert_false(f.rollout.asks);
    fleet_run(&f, 3000);
    assert_true(f.rollout.complete);
    fleet_release(&f);
}

static void test_each_step_waits_for_acknowledgements(void **state)
{
    struct policy p;
    struct fleet f;

    (void)state;
    read_demo(&p);
    fleet_init(&f, 403, 0, GOOD, &p, 4);
    while (!f.rollout.complete && f.tick < 300) {
        struct cohort_facts *c = f.facts.cohorts;

        fleet_tick(&f);
        if (f.decision.admit_fleet > 0)
            assert_int_equal(c[0].admitted + c[1].admitted, c[0].healthy + c[1].healthy);
    }
    assert_true(f.rollout.complete);
    fleet_release(&f);
}

static void test_pace_bounds_everything(void **state)
{
    struct policy p;
    struct fleet f;
    struct batch none[2];

    (void)state;
    read_demo(&p);
    fleet_init(&f, 500, 0, GOOD, &p, 4);
    for (int i = 0; i < 60; i++) {
        step_devices(&f);
        gather_facts(&f, none);
        f.facts.pace_ppm = 10000;
        assert_int_equal(rollout_tick(&f.rollout, &f.facts, &f.decision), 0);
        permit(&f);
        f.tick++;
        f.now_ms += f.decision.tick_ms;
    }
    assert_int_equal(admitted(&f), 5);
    fleet_release(&f);
}

static void test_person_opens_one_ring_but_not_against_a_halt(void **state)
{
    struct policy p;
    struct fleet f;
    struct batch none[2];

    (void)state;
    read_demo(&p);
    fleet_init(&f, 500, 0, GOOD, &p, 4);
    fleet_tick(&f);
    gather_facts(&f, none);
    f.facts.n_batches = 0;
    f.facts.person_promotes = true;
    assert_int_equal(rollout_tick(&f.rollout, &f.facts, &f.decision), 0);
    assert_int_equal(f.rollout.ring, 1);
    assert_true(f.decision.opened);
    assert_non_null(strstr(f.decision.reasons[0].text, "a person decided"));
    f.facts.cohorts[0].admitted = 1;
    f.facts.cohorts[0].direct = 1;
    assert_int_equal(rollout_tick(&f.rollout, &f.facts, &f.decision), 0);
    assert_true(f.rollout.all_halted);
    assert_int_equal(f.rollout.ring, 1);
    fleet_release(&f);
}

static void test_contradictory_facts_change_nothing(void **state)
{
    struct policy p;
    struct fleet f;
    struct rollout before;

    (void)state;
    read_demo(&p);
    fleet_init(&f, 500, 0, GOOD, &p, 4);
    before = f.rollout;
    f.facts.cohorts[1].healthy = 1;
    assert_int_equal(rollout_tick(&f.rollout, &f.facts, &f.decision), -1);
    assert_memory_equal(&before, &f.rollout, sizeof(before));
    fleet_release(&f);
}

/* ---- rings, pacing, draws ---- */

static void build(struct rollout *r, const struct policy *p, int fleet, int canaries)
{
    struct topology t;
    char why[160];

    topology_of(fleet, &t);
    assert_int_equal(rollout_init(r, p, &t, canaries, why, sizeof(why)), 0);
}

static void test_rings_merge_on_small_fleets(void **state)
{
    static const struct {
        int fleet, canaries, n;
        int64_t caps[6];
    } rows[] = {
        {1, 0, 1, {1}},
        {4, 0, 2, {1, 4}},
        {50, 0, 4, {1, 5, 48, 50}},
        {50, 20, 3, {10, 48, 50}}, /* the smaller rings are within the canaries */
        {403, 3, 5, {2, 4, 40, 383, 403}},
        {50000, 0, 4, {500, 5000, 47500, 50000}},
        {8500000, 500, 6, {250, 2000, 85000, 850000, 8075000, 8500000}},
    };
    struct policy p;

    (void)state;
    policy_standard(&p);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rollout r;

        build(&r, &p, rows[i].fleet, rows[i].canaries);
        assert_int_equal(r.n_rings, rows[i].n);
        for (int k = 0; k < r.n_rings; k++)
            assert_int_equal(r.rings[k].cap, rows[i].caps[k]);
    }
}

static void test_merged_rings_keep_margins_and_bake(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    p.rings[2].bake_ms *= 2;
    build(&r, &p, 500, 0); /* 2,000 or 1 %, and 1 %: five devices both */
    assert_int_equal(r.rings[0].cap, 5);
    assert_int_equal(r.rings[0].bake_ms, p.rings[2].bake_ms);
    assert_true(r.rings[0].rho_cr == 3.0 && r.rings[0].rho_sl == 1.5);
}

static void test_holdout_is_a_ring(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    p.holdout_ppm = 10000;
    build(&r, &p, 50000, 0);
    assert_int_equal(r.n_rings, 5);
    assert_int_equal(r.rings[3].cap, 49500);
    assert_int_equal(r.rings[3].bake_ms, p.holdout_ms);
}

static void test_fast_ticks_until_the_count_ring_is_full(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 8500000, 100);
    assert_true(pacing_is_fast(&r));
    r.ring = 1;
    assert_true(pacing_is_fast(&r));
    r.full_since_ms = 5;
    assert_false(pacing_is_fast(&r));
    r.ring = 2;
    r.full_since_ms = -1;
    assert_false(pacing_is_fast(&r));
}

static void test_n0_by_largest_remainder(void **state)
{
    static const int64_t share[] = {24, 18, 12, 9, 6, 2, 3, 1, 6, 4, 2, 1, 5, 4, 2, 1};
    static const int64_t want[16] = {1, 1, 1, 1};
    struct topology t = {.n_os = 1, .n_cohorts = 16};
    int64_t got[GATE_MAX_COHORTS], sum = 0;

    (void)state;
    for (int c = 0; c < 16; c++)
        t.cohorts[c].size = share[c] * 1000;
    pacing_spread(4, &t, got);
    for (int c = 0; c < 16; c++) {
        assert_int_equal(got[c], want[c]);
        sum += got[c];
    }
    assert_int_equal(sum, 4);
}

static void test_unacknowledged_limit_passes_smoothly(void **state)
{
    struct policy p;

    (void)state;
    policy_standard(&p);
    assert_int_equal(pacing_unacknowledged_limit(&p, 500, 3), 2);
    assert_int_equal(pacing_unacknowledged_limit(&p, 4999, 1000), 4); /* 2 + 0.5 + 3 sqrt 0.5 */
    assert_int_equal(pacing_unacknowledged_limit(&p, 5000, 1000), 4);
    assert_int_equal(pacing_unacknowledged_limit(&p, 25000, 1000), 20); /* five times */
    assert_int_equal(pacing_unacknowledged_limit(&p, 50000, 1000), INT64_MAX);
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_draws_kth(void **state)
{
    uint64_t seed = 9, sorted[97], mixed[97];

    (void)state;
    for (int range = 1; range <= 1000; range *= 10)
        for (int k = 1; k <= 97; k++) {
            for (int i = 0; i < 97; i++)
                sorted[i] = mixed[i] = next_random(&seed) % (uint64_t)range;
            qsort(sorted, 97, sizeof(sorted[0]), by_u64);
            assert_int_equal(draws_kth(mixed, 97, k), sorted[k - 1]);
        }
}

static void test_late_cohort_is_paced_and_halted_with_all(void **state)
{
    struct policy p;
    struct rollout r;

    (void)state;
    policy_standard(&p);
    build(&r, &p, 500, 0);
    assert_int_equal(rollout_add_cohort(&r, "macos-15", "macos"), 2);
    assert_false(r.halted[2]);
    r.all_halted = true;
    assert_int_equal(rollout_add_cohort(&r, "macos-16", "macos"), 3);
    assert_true(r.halted[3]);
}

static void test_bad_start_is_refused(void **state)
{
    struct policy p;
    struct topology t;
    struct rollout r;
    char why[160];

    (void)state;
    policy_standard(&p);
    topology_of(50, &t);
    t.cohorts[0].size = t.cohorts[1].size = 0;
    assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), -1);
    assert_string_equal(why, "fleet: no devices");
    topology_of(50, &t);
    p.n_rings = 3;
    assert_int_equal(rollout_init(&r, &p, &t, 0, why, sizeof(why)), -1);
    assert_string_equal(why, "policy 'standard': the last ring is not 100 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_content_completes),
        cmocka_unit_test(test_good_content_completes_without_proof),
        cmocka_unit_test(test_approve_asks_at_once_where_no_proof_can_come),
        cmocka_unit_test(test_silent_death_hits_a_handful),
        cmocka_unit_test(test_tenth_dying_is_bounded),
        cmocka_unit_test(test_preflight_failure_halts_among_the_canaries),
        cmocka_unit_test(test_missing_acknowledgements_ask_a_person),
        cmocka_unit_test(test_each_step_waits_for_acknowledgements),
        cmocka_unit_test(test_pace_bounds_everything),
        cmocka_unit_test(test_person_opens_one_ring_but_not_against_a_halt),
        cmocka_unit_test(test_contradictory_facts_change_nothing),
        cmocka_unit_test(test_rings_merge_on_small_fleets),
        cmocka_unit_test(test_merged_rings_keep_margins_and_bake),
        cmocka_unit_test(test_holdout_is_a_ring),
        cmocka_unit_test(test_fast_ticks_until_the_count_ring_is_full),
        cmocka_unit_test(test_n0_by_largest_remainder),
        cmocka_unit_test(test_unacknowledged_limit_passes_smoothly),
        cmocka_unit_test(test_draws_kth),
        cmocka_unit_test(test_late_cohort_is_paced_and_halted_with_all),
        cmocka_unit_test(test_bad_start_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
