/* fleet: devices are neither lost nor made, whatever the orders; the same seed gives the same
 * fleet; facts agree with what was ordered. */
#include "cmocka_all.h"

#include <string.h>

#include "fleet.h"
#include "random.h"

#define DIR   SOURCE_DIR "/canary/sim/scenarios"
#define TICKS 240

static void load(const char *name, int64_t fleet, struct scenario *s)
{
    struct err err = {0};

    if (scenario_read(DIR, name, s, &err) < 0)
        fail_msg("%s", err.msg);
    scenario_resize(s, fleet);
    s->canaries = fleet / 20;
}

static struct fleet *make(const struct scenario *s, uint64_t seed)
{
    struct policy p;
    struct fleet *f;
    struct err err = {0};

    policy_standard(&p);
    if (fleet_new(s, &p, seed, &f, &err) < 0)
        fail_msg("%s", err.msg);
    return f;
}

/* Orders of somebody who has no idea: any number to anybody, in any mode. */
static void wild_orders(struct random *r, const struct scenario *s, int64_t tick,
                        struct fleet_orders *o)
{
    memset(o, 0, sizeof(*o));
    o->fleet_wide = tick % 3 == 0;
    o->admit_fleet = random_binomial(r, s->fleet, 0.02);
    o->admit_canary = tick % 7 == 0 ? random_binomial(r, s->canaries, 0.5) : 0;
    for (int c = 0; c < s->topology.n_cohorts; c++) {
        o->admit[c] = tick % 11 == 0 ? s->fleet : random_binomial(r, s->fleet / 100, 0.3);
        o->stage_ppm[c] = tick * 1000000 / TICKS;
    }
}

static void check(const struct fleet *f, const struct scenario *s,
                  const struct rollout_facts *facts, int64_t tick)
{
    struct fleet_totals t;
    int64_t admitted = 0;

    for (int c = 0; c < s->topology.n_cohorts; c++) {
        const struct cohort_facts *of = &facts->cohorts[c];

        if (fleet_count(f, c) != s->topology.cohorts[c].size)
            fail_msg("%s, tick %lld, cohort %d: %lld devices of %lld", s->name, (long long)tick, c,
                     (long long)fleet_count(f, c), (long long)s->topology.cohorts[c].size);
        assert_true(of->healthy + of->excused + of->overdue <= of->admitted);
        assert_true(of->admitted <= s->topology.cohorts[c].size);
        assert_true(of->control_crashes <= of->controls);
        admitted += of->admitted;
    }
    assert_true(fleet_is_sane(f));
    fleet_totals(f, &t);
    assert_int_equal(t.devices, s->fleet);
    assert_int_equal(t.admitted, admitted);
    assert_true(t.harm <= t.admitted && t.stuck <= t.harm);
    for (int i = 0; i < facts->n_batches; i++) {
        const struct batch *b = &facts->batches[i];

        assert_true(b->n_t > 0 && b->f_t >= 0 && b->f_t <= b->n_t);
        assert_true(b->f_c >= 0 && b->f_c <= b->n_c);
        assert_true(b->tick >= 0 && b->tick < tick);
    }
}

static void devices_are_neither_lost_nor_made(void **state)
{
    static const char *const names[] = {"S1",  "S2", "S3",  "S5",  "S7a",
                                        "S7b", "S9", "S10", "S11", "S12"};
    static const int64_t fleets[] = {3, 60, 5000, 8500000};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (size_t k = 0; k < sizeof(fleets) / sizeof(fleets[0]); k++) {
            struct scenario s;
            struct fleet *f;
            struct rollout_facts facts;
            struct fleet_orders o;
            struct err err = {0};
            struct random r;

            load(names[i], fleets[k], &s);
            f = make(&s, i);
            random_init(&r, i, k);
            for (int64_t tick = 0; tick < TICKS; tick++) {
                wild_orders(&r, &s, tick, &o);
                assert_int_equal(fleet_step(f, &o,
                                            tick < 20  ? 10000
                                            : tick % 5 ? 60000
                                                       : 300000,
                                            &facts, &err),
                                 0);
                check(f, &s, &facts, tick);
                if (tick == 200)
                    fleet_recall(f, 0);
            }
            fleet_free(f);
        }
}

static void the_same_seed_gives_the_same_fleet(void **state)
{
    struct scenario s;
    struct fleet *a, *b, *c;
    struct rollout_facts fa, fb, fc;
    struct fleet_orders o = {.fleet_wide = true, .admit_fleet = 50};
    struct err err = {0};
    bool differs = false;

    (void)state;
    load("S2", 100000, &s);
    for (int i = 0; i < s.topology.n_cohorts; i++)
        o.stage_ppm[i] = 500000;
    a = make(&s, 1);
    b = make(&s, 1);
    c = make(&s, 2);
    for (int tick = 0; tick < 60; tick++) {
        assert_int_equal(fleet_step(a, &o, 60000, &fa, &err), 0);
        assert_int_equal(fleet_step(b, &o, 60000, &fb, &err), 0);
        assert_int_equal(fleet_step(c, &o, 60000, &fc, &err), 0);
        assert_memory_equal(fa.cohorts, fb.cohorts, sizeof(fa.cohorts));
        assert_int_equal(fa.n_batches, fb.n_batches);
        for (int i = 0; i < fa.n_batches; i++) {
            const struct batch *x = &fa.batches[i], *y = &fb.batches[i];

            assert_true(x->metric == y->metric && x->cohort == y->cohort && x->tick == y->tick);
            assert_true(x->n_t == y->n_t && x->f_t == y->f_t && x->n_c == y->n_c &&
                        x->f_c == y->f_c);
        }
        differs |= memcmp(fa.cohorts, fc.cohorts, sizeof(fa.cohorts)) != 0;
    }
    assert_true(differs);
    fleet_free(a);
    fleet_free(b);
    fleet_free(c);
}

/* A quiet world with a deadly release: who is admitted is seen to be dead, and only they. */
static void a_quiet_fleet_shows_exactly_the_dead(void **state)
{
    struct scenario s;
    struct fleet *f;
    struct rollout_facts facts;
    struct fleet_orders o = {0};
    struct fleet_totals t;
    struct err err = {0};
    int64_t trials = 0, failed = 0, resolved_at = -1;

    (void)state;
    load("S1", 10000, &s);
    s.canaries = 0;
    s.life = (struct scenario_life){.staged_min = 1, .soak_min = 60};
    f = make(&s, 5);
    for (int i = 0; i < s.topology.n_cohorts; i++)
        o.stage_ppm[i] = 1000000;
    for (int64_t tick = 0; tick < 20; tick++) {
        o.admit[0] = tick == 3 ? 7 : 0;  /* windows: dies */
        o.admit[8] = tick == 3 ? 11 : 0; /* linux: does not */
        assert_int_equal(fleet_step(f, &o, 10000, &facts, &err), 0);
        for (int i = 0; i < facts.n_batches; i++) {
            const struct batch *b = &facts.batches[i];

            if (b->metric != METRIC_SF)
                continue;
            assert_int_equal(b->tick, 3);
            assert_int_equal(b->f_t, b->cohort == 0 ? 7 : 0);
            assert_int_equal(b->f_c, 0);
            trials += b->n_t;
            failed += b->f_t;
            resolved_at = tick;
        }
        /* The second check-in after applying comes three ticks later. */
        assert_int_equal(facts.cohorts[8].healthy, tick >= 6 ? 11 : 0);
        assert_int_equal(facts.cohorts[0].overdue, tick >= 9 ? 7 : 0);
    }
    assert_int_equal(trials, 18);
    assert_int_equal(failed, 7);
    assert_int_equal(resolved_at, 3 + metric_lag_ticks(METRIC_SF));
    fleet_totals(f, &t);
    assert_int_equal(t.harm, 7);
    assert_int_equal(t.stuck, 7);
    assert_int_equal(facts.silent_controls, 0);
    fleet_free(f);
}

/* Long silences are known after the policy's own time, however long its minutes are. */
static void lags_are_the_policys(void **state)
{
    struct scenario s;
    struct policy p;
    struct fleet *f;
    struct rollout_facts facts;
    struct fleet_orders o = {0};
    struct err err = {0};
    int64_t resolved_at = -1;

    (void)state;
    load("S1", 10000, &s);
    s.life = (struct scenario_life){.staged_min = 1, .soak_min = 1};
    policy_standard(&p);
    p.fast_tick_ms = p.tick_ms = 1000;
    p.long_silence_ms = p.reboot_window_ms = 7000;
    assert_int_equal(fleet_new(&s, &p, 5, &f, &err), 0);
    for (int i = 0; i < s.topology.n_cohorts; i++)
        o.stage_ppm[i] = 1000000;
    for (int64_t tick = 0; tick < 20; tick++) {
        o.admit[8] = tick == 3 ? 11 : 0;
        assert_int_equal(fleet_step(f, &o, 1000, &facts, &err), 0);
        for (int i = 0; i < facts.n_batches; i++)
            if (facts.batches[i].metric == METRIC_SL && resolved_at < 0)
                resolved_at = tick;
    }
    assert_int_equal(resolved_at, 3 + 7 + 2);
    fleet_free(f);
}

/* What consumers say is evidence only where the policy asks; nobody dies of it. */
static void ill_consumers_speak_where_they_are_asked(void **state)
{
    struct scenario s;
    struct policy p;
    struct err err = {0};

    (void)state;
    load("S15", 100000, &s);
    policy_standard(&p);
    for (int asks = 0; asks < 2; asks++) {
        int64_t n_t = 0, f_t = 0, n_c = 0, f_c = 0;
        struct random r;
        struct fleet_totals totals;
        struct fleet *f;

        p.n_extras = asks;
        p.extras[0] = (struct policy_metric){.name = "blocked", .weight = 0.2, .halts = true};
        random_init(&r, 5, 0);
        assert_int_equal(fleet_new(&s, &p, 5, &f, &err), 0);
        for (int64_t tick = 0; tick < TICKS / 2; tick++) {
            struct rollout_facts facts;
            struct fleet_orders o;

            wild_orders(&r, &s, tick, &o);
            assert_int_equal(fleet_step(f, &o, 60000, &facts, &err), 0);
            check(f, &s, &facts, tick);
            for (int i = 0; i < facts.n_batches; i++) {
                const struct batch *b = &facts.batches[i];

                if ((int)b->metric != N_METRICS)
                    continue;
                n_t += b->n_t;
                f_t += b->f_t;
                n_c += b->n_c;
                f_c += b->f_c;
            }
        }
        fleet_totals(f, &totals);
        assert_int_equal(totals.stuck, 0);
        assert_true(totals.harm > 0);
        assert_int_equal(n_t > 0, asks);
        assert_int_equal(n_c > 0, asks);
        assert_true(!asks || (double)f_t / (double)n_t > 3.0 * (double)f_c / (double)n_c);
        fleet_free(f);
    }
}

/* Dead at their reboot: healthy until they are back and say so, no longer. */
static void the_returned_are_not_healthy(void **state)
{
    struct scenario s;
    struct fleet *f;
    struct rollout_facts facts;
    struct fleet_orders o = {0};
    struct err err = {0};
    int64_t most = 0, healthy = 0, direct = 0;

    (void)state;
    load("S5", 10000, &s);
    s.canaries = 0;
    s.life = (struct scenario_life){.staged_min = 1, .soak_min = 60, .reboots_h = 30};
    s.defect.recovers = 1;
    f = make(&s, 5);
    for (int i = 0; i < s.topology.n_cohorts; i++)
        o.stage_ppm[i] = 1000000;
    for (int64_t tick = 0; tick < 240; tick++) {
        o.admit[0] = tick == 3 ? 100 : 0;
        assert_int_equal(fleet_step(f, &o, 10000, &facts, &err), 0);
        healthy = facts.cohorts[0].healthy;
        direct = facts.cohorts[0].direct;
        most = healthy > most ? healthy : most;
        assert_true(facts.cohorts[0].healthy_slow <= healthy);
    }
    assert_true(most > 80);
    assert_int_equal(direct, 100);
    assert_int_equal(healthy, 0);
    assert_true(fleet_is_sane(f));
    fleet_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_neither_lost_nor_made),
        cmocka_unit_test(the_same_seed_gives_the_same_fleet),
        cmocka_unit_test(a_quiet_fleet_shows_exactly_the_dead),
        cmocka_unit_test(lags_are_the_policys),
        cmocka_unit_test(ill_consumers_speak_where_they_are_asked),
        cmocka_unit_test(the_returned_are_not_healthy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
