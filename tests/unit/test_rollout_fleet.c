/* rollout: whole rollouts on a tiny, deterministic fleet: good content completes, bad content hurts
 * a handful. ROLLOUT_TRACE=1 prints where each one ended. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_file.h"
#include "rollout.h"
#include "two_platforms.h"

/* ---- the fleet: 3 of 4 devices run windows, the rest linux ---- */

enum content { GOOD, WINDOWS_DIES, TENTH_DIES, PREFLIGHT_FAILS, SOME_SLOW, GOOD_IN_A_BAD_WORLD };
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

/* Half the benign rate that the policies allow for. */
static bool falls_silent(struct fleet *f)
{
    return next_random(&f->seed) % 4000 == 0;
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
    case GOOD_IN_A_BAD_WORLD:
        d->dead = falls_silent(f);
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
            now[d->cohort].f_c += f->content == GOOD_IN_A_BAD_WORLD && falls_silent(f);
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

    if (policy_read(SOURCE_DIR "/canary/policies", "demo", NULL, p, &err) < 0)
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

/* Devices go silent for reasons of their own, in both arms: nothing halts, and a person is asked in
 * at most 2 % of rollouts. */
static void test_benign_silence_halts_nothing(void **state)
{
    struct policy p;
    int asked = 0, n = 0;

    (void)state;
    policy_standard(&p);
    for (int seed = 0; seed < 60; seed++) {
        struct fleet f;

        fleet_init(&f, 4999, 0, GOOD_IN_A_BAD_WORLD, &p, (uint64_t)seed * 104729 + 3);
        f.answers = true;
        fleet_run(&f, 2000);
        assert_false(f.rollout.all_halted);
        assert_true(f.rollout.complete);
        asked += f.answered > 0;
        n++;
        fleet_release(&f);
    }
    assert_true(asked * 50 <= n);
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
        /* Only where the other family is known to be well it goes on, to everybody of it. */
        assert_true(!f.rollout.complete || (content == WINDOWS_DIES && f.rollout.halted[0]));
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
    assert_non_null(strstr(f.decision.stands, "halted: direct evidence on fleet: 2 of 2 admitted"));
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
    assert_non_null(strstr(f.decision.stands, "waits for the manifest's pace"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_content_completes),
        cmocka_unit_test(test_good_content_completes_without_proof),
        cmocka_unit_test(test_benign_silence_halts_nothing),
        cmocka_unit_test(test_approve_asks_at_once_where_no_proof_can_come),
        cmocka_unit_test(test_silent_death_hits_a_handful),
        cmocka_unit_test(test_tenth_dying_is_bounded),
        cmocka_unit_test(test_preflight_failure_halts_among_the_canaries),
        cmocka_unit_test(test_missing_acknowledgements_ask_a_person),
        cmocka_unit_test(test_each_step_waits_for_acknowledgements),
        cmocka_unit_test(test_pace_bounds_everything),
        cmocka_unit_test(test_person_opens_one_ring_but_not_against_a_halt),
        cmocka_unit_test(test_contradictory_facts_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
