/* decide: facts in, what to stage, ask for, refuse and go back to out. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "cycle/decide.h"

#define COHORT "linux-debian-12"

struct world {
    struct state state;
    struct plan plan;
    struct manifest manifest;
    struct plan_recall recalled;
    uint8_t draw_key[SHA256_LEN];
    struct decide_facts f;
};

static void name(char digest[65], char c)
{
    memset(digest, c, 64);
    digest[64] = '\0';
}

/* Runs a (sequence 1), the plan's candidate is b (sequence 2) for everyone. */
static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct plan_rollout *r = &w->plan.rollouts[0];
    struct state_channel *c = &w->state.channels[0];

    w->state.n_channels = w->plan.n_rollouts = 1;
    strcpy(c->name, "crs");
    name(c->current, 'a');
    state_add_release(c, c->current)->sequence = 1;
    name(r->digest, 'b');
    strcpy(r->version, "2.0");
    r->sequence = 2;
    r->state = ROLLOUT_RUNNING;
    r->stage_ppm = PPM;
    w->manifest.pace = pace_default;
    w->manifest.sequence = 2;
    strcpy(w->manifest.channel, "crs");
    strcpy(w->manifest.version, "2.0");
    strcpy(w->manifest.digest, r->digest);
    w->f = (struct decide_facts){.state = &w->state,
                                 .channel = c,
                                 .plan = &w->plan,
                                 .manifest = &w->manifest,
                                 .cohort = COHORT,
                                 .draw_key = w->draw_key,
                                 .awake_s = 1000};
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static const char *wanted(struct world *w, const char **why)
{
    static char version[RELEASE_VERSION_MAX];

    strcpy(version, decide_want(&w->f, why).version);
    return version;
}

static void test_candidate(void **state)
{
    struct world *w = *state;
    const char *why;

    assert_string_equal(wanted(w, &why), "2.0");
    w->plan.rollouts[0].stage_ppm = 0;
    assert_string_equal(wanted(w, &why), "");
    w->plan.rollouts[0].stage_ppm = PPM;
    w->plan.rollouts[0].state = ROLLOUT_HALTED;
    assert_string_equal(wanted(w, &why), "");
    w->plan.rollouts[0].state = ROLLOUT_RUNNING;
    strcpy(w->f.channel->current, w->plan.rollouts[0].digest);
    assert_string_equal(wanted(w, &why), "");
    w->f.plan = NULL;
    assert_string_equal(wanted(w, &why), "");
}

static void test_share_is_of_draws(void **state)
{
    struct world *w = *state;
    struct plan_rollout *r = &w->plan.rollouts[0];
    int within = 0;
    const char *why;

    r->stage_ppm = PPM / 2;
    for (int i = 0; i < 200; i++) {
        w->draw_key[0] = (uint8_t)i;
        if (*wanted(w, &why)) {
            assert_true(draw_within(draw_u(w->draw_key, r->digest), PPM / 2));
            within++;
        }
    }
    assert_in_range(within, 60, 140);
}

static void test_quarantined_and_pinned(void **state)
{
    struct world *w = *state;
    const char *why;

    w->f.pin = "1.0";
    assert_string_equal(wanted(w, &why), "");
    assert_string_equal(why, "pinned");
    w->f.pin = "2.0";
    assert_string_equal(wanted(w, &why), "2.0");
    state_add_quarantine(w->f.channel, w->plan.rollouts[0].digest, "health-exit-1", true);
    assert_string_equal(wanted(w, &why), "");
    assert_string_equal(why, "quarantined");
}

static void test_baseline_is_for_who_has_nothing_or_older(void **state)
{
    struct world *w = *state;
    const char *why;
    struct want got;

    w->plan.n_rollouts = 0;
    name(w->plan.baseline, 'c');
    strcpy(w->plan.baseline_version, "0.9");
    w->f.channel->current[0] = '\0';
    got = decide_want(&w->f, &why);
    assert_string_equal(got.version, "0.9");
    assert_int_equal(got.kind, PERMIT_BASELINE);
    name(w->f.channel->current, 'a');
    state_add_release(w->f.channel, w->plan.baseline)->sequence = 0;
    state_release(w->f.channel, w->plan.baseline)->sequence = 1;
    assert_string_equal(wanted(w, &why), "");
    state_release(w->f.channel, w->plan.baseline)->sequence = 7;
    assert_string_equal(wanted(w, &why), "0.9");
    strcpy(w->f.channel->current, w->plan.baseline);
    assert_string_equal(wanted(w, &why), "");
}

static void test_holds(void **state)
{
    struct world *w = *state;

    assert_string_equal(decide_hold(&w->f), "");
    name(w->f.channel->attempt.digest, 'b');
    assert_string_equal(decide_hold(&w->f), "unsoaked");
    w->f.pause = true;
    assert_string_equal(decide_hold(&w->f), "paused");
    w->state.hold = true;
    assert_string_equal(decide_hold(&w->f), "held");
    w->state.boot.failed_last = true;
    assert_string_equal(decide_hold(&w->f), "boot-failed");
    w->state.lost = true;
    assert_string_equal(decide_hold(&w->f), "state-lost");
}

static void test_refusals(void **state)
{
    struct world *w = *state;
    const char *why;
    struct want want = decide_want(&w->f, &why);

    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "");
    strcpy(w->manifest.min_agent, "0.2");
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "min-agent");
    strcpy(w->manifest.min_agent, "0.1.0");
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "");
    w->f.channel->releases[0].lowest_sequence = 3;
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "sequence");
    want.kind = PERMIT_BASELINE;
    w->f.channel->releases[0].sequence = 2;
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "older");
    strcpy(w->manifest.unknown_critical, "blast_radius");
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "critical");
    strcpy(w->manifest.version, "2.1");
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "wrong-manifest");
}

static void test_who_lost_his_content_keeps_pace(void **state)
{
    struct world *w = *state;
    struct state_release *mine = state_release(w->f.channel, w->f.channel->current);

    w->manifest.pace = (struct pace){{{0, 0}, {60, PPM}}, 2}; /* nobody at once */
    w->f.channel->current[0] = '\0';
    assert_int_equal(decide_pace_wait_s(&w->f), 0);
    mine->healthy_s = 1;
    assert_int_equal(decide_pace_wait_s(&w->f), 60);
}

static void test_pace(void **state)
{
    struct world *w = *state;
    uint64_t u;

    do { /* a draw that is due last */
        w->draw_key[0]++;
        u = draw_u(w->draw_key, w->manifest.digest);
    } while (draw_within(u, 100000));
    assert_int_equal(decide_pace_wait_s(&w->f), 5400); /* not seen before */
    state_add_release(w->f.channel, w->manifest.digest)->seen_s = 400;
    assert_int_equal(decide_pace_wait_s(&w->f), 4800);
    w->f.awake_s = 400 + 5399;
    assert_int_equal(decide_pace_wait_s(&w->f), 1);
    w->f.awake_s++;
    assert_int_equal(decide_pace_wait_s(&w->f), 0);
    w->f.awake_s = 400;
    w->f.ring = RING_PREF_CANARY;
    assert_int_equal(decide_pace_wait_s(&w->f), 0);
    w->f.ring = RING_PREF_LATE;
    assert_int_equal(decide_pace_wait_s(&w->f), 5400);
    w->f.channel->current[0] = '\0';
    assert_int_equal(decide_pace_wait_s(&w->f), 0);
}

static void test_way_back(void **state)
{
    struct world *w = *state;
    struct state_channel *c = w->f.channel;
    char old[65], older[65], bad[65];

    name(old, 'd');
    name(older, 'e');
    name(bad, 'f');
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER),
                        ""); /* a never was healthy elsewhere */
    state_add_release(c, older)->healthy_s = 10;
    state_add_release(c, old)->healthy_s = 20;
    state_add_release(c, bad)->sequence = 9; /* never healthy */
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), old);
    w->plan.recalled = &w->recalled;
    w->plan.n_recalled = 1;
    strcpy(w->recalled.digest, old);
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), older);
    state_add_quarantine(c, older, "owner", false);
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER),
                        old); /* a has not worked: old, recalled */
    state_release(c, c->current)->healthy_s = 1;
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), "");
    w->plan.n_recalled = 0;
    state_release(c, old)->sequence = 4;
    state_release(c, c->current)->lowest_sequence = 5;
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), "");
    state_release(c, c->current)->lowest_sequence = 4;
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), old);
}

static void test_recalled(void **state)
{
    struct world *w = *state;

    assert_false(decide_recalled(&w->f, w->f.channel->current));
    w->plan.recalled = &w->recalled;
    w->plan.n_recalled = 1;
    strcpy(w->recalled.digest, w->f.channel->current);
    assert_true(decide_recalled(&w->f, w->f.channel->current));
}

/* Recalling everything does not disarm a device: what has worked here stays. */
static void test_recalled_with_nothing_to_go_back_to(void **state)
{
    struct world *w = *state;
    struct state_channel *c = w->f.channel;
    struct state_release *mine = state_add_release(c, c->current);
    char old[65] = {0};

    w->plan.recalled = &w->recalled;
    w->plan.n_recalled = 1;
    strcpy(w->recalled.digest, c->current);
    mine->healthy_s = 0;
    assert_true(decide_recalled(&w->f, w->f.channel->current)); /* never worked here: it goes */
    mine->healthy_s = 5;
    assert_false(decide_recalled(&w->f, w->f.channel->current));
    memset(old, 'e', 64);
    state_add_release(c, old)->healthy_s = 3;
    assert_true(decide_recalled(&w->f, w->f.channel->current)); /* there is a way back again */
}

/* The server goes down step by step: the newest manifest that was lived by still binds it. */
static void test_the_lowest_sequence_outlives_its_release(void **state)
{
    struct world *w = *state;
    struct state_channel *c = w->f.channel;
    struct want want = {.kind = PERMIT_ROLLOUT};
    struct state_release *r;
    char two[65], three[65];

    name(two, 'd');
    name(three, 'e');
    state_release(c, c->current)->healthy_s = 1; /* a, sequence 1 */
    r = state_add_release(c, two);
    r->sequence = 2;
    r->healthy_s = 2;
    r = state_add_release(c, three);
    r->sequence = 3;
    r->lowest_sequence = 2;
    assert_int_equal(decide_floor(c), 0); /* seen, but it never worked here */
    r->healthy_s = 3;
    assert_int_equal(decide_floor(c), 2);
    assert_string_equal(decide_back(&w->f, three, DECIDE_BY_SERVER), two);
    strcpy(c->current, two);
    assert_string_equal(decide_back(&w->f, two, DECIDE_BY_SERVER), three);
    state_add_quarantine(c, three, "recall", false);
    assert_string_equal(decide_back(&w->f, two, DECIDE_BY_SERVER), "");
    strcpy(want.digest, w->manifest.digest);
    strcpy(want.version, "2.0");
    w->manifest.sequence = 1;
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "sequence");
    c->current[0] = '\0'; /* nor where nothing runs any more */
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "sequence");
    w->manifest.sequence = 2;
    assert_string_equal(decide_refusal(&w->f, &want, "0.1.0"), "");
}

/* What soaks and what ran before it are recalled at once: back to what has worked. */
static void test_recalled_in_the_soak(void **state)
{
    struct world *w = *state;
    struct state_channel *c = w->f.channel;
    struct plan_recall both[2] = {{.n_cohorts = 0}, {.n_cohorts = 0}};
    struct state_release *soaking;
    char old[65];

    strcpy(old, c->current);
    state_release(c, old)->healthy_s = 1;
    soaking = state_add_release(c, w->plan.rollouts[0].digest);
    soaking->sequence = 2;
    strcpy(c->current, soaking->digest);
    strcpy(c->pending.digest, soaking->digest);
    strcpy(c->pending.from, old);
    strcpy(both[0].digest, old);
    strcpy(both[1].digest, soaking->digest);
    w->plan.recalled = both;
    w->plan.n_recalled = 2;
    assert_true(decide_recalled(&w->f, c->current));
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), old);
    soaking->lowest_sequence = 2; /* not below it: so it stays */
    assert_false(decide_recalled(&w->f, c->current));
    state_release(c, old)->healthy_s = 0; /* nothing has ever worked here */
    assert_true(decide_recalled(&w->f, c->current));
}

static void test_revoked(void **state)
{
    struct world *w = *state;
    struct state_channel *c = w->f.channel;
    struct revoked revoked = {.n = 1};
    struct state_release *mine = state_release(c, c->current), *old;
    char digest[65];
    const char *why;

    mine->healthy_s = 5;
    mine->lowest_sequence = 1;
    assert_false(decide_revoked(&w->f, c->current));
    strcpy(revoked.items[0].digest, c->current);
    state_revoke(c, 1, &revoked);
    assert_false(decide_revoked(&w->f, c->current)); /* has worked, and there is nothing else */
    mine->healthy_s = 0;
    assert_true(decide_revoked(&w->f, c->current));
    mine->healthy_s = 5;
    name(digest, 'd');
    old = state_add_release(c, digest);
    old->healthy_s = 3;
    assert_true(decide_revoked(&w->f, c->current));
    /* neither the lowest sequence, which binds the server, nor its recalls keep it here */
    w->plan.recalled = &w->recalled;
    w->plan.n_recalled = 1;
    strcpy(w->recalled.digest, digest);
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SERVER), "");
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SIGNERS), digest);
    assert_true(decide_revoked(&w->f, c->current));
    /* what is revoked is no way back for anybody, and never wanted */
    strcpy(revoked.items[0].digest, digest);
    state_revoke(c, 2, &revoked);
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_SIGNERS), "");
    assert_string_equal(decide_back(&w->f, c->current, DECIDE_BY_DEVICE), "");
    strcpy(revoked.items[0].digest, w->plan.rollouts[0].digest);
    state_revoke(c, 3, &revoked);
    w->f.pin = "2.0"; /* nor by its owner's pin */
    assert_string_equal(wanted(w, &why), "");
    assert_string_equal(why, "revoked");
}

static void test_kinds_of_permits(void **state)
{
    struct world *w = *state;
    const char *why;
    struct want want = decide_want(&w->f, &why);

    assert_true(decide_kind_fits(&w->f, &want, PERMIT_ROLLOUT));
    assert_false(decide_kind_fits(&w->f, &want, PERMIT_BASELINE));
    strcpy(w->plan.baseline, want.digest); /* content runs here: it is no first one */
    assert_false(decide_kind_fits(&w->f, &want, PERMIT_BASELINE));
    w->f.channel->current[0] = '\0';
    assert_true(decide_kind_fits(&w->f, &want, PERMIT_BASELINE));
    want.kind = PERMIT_BASELINE;
    assert_true(decide_kind_fits(&w->f, &want, PERMIT_BASELINE));
    assert_false(decide_kind_fits(&w->f, &want, PERMIT_ROLLOUT));
}

static void test_versions(void **state)
{
    (void)state;
    assert_true(decide_version_compare("0.1.0", "0.1.0") == 0);
    assert_true(decide_version_compare("0.9", "0.10") < 0);
    assert_true(decide_version_compare("1.2", "1.2.1") < 0);
    assert_true(decide_version_compare("2", "1.9.9") > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_candidate),
        T(test_share_is_of_draws),
        T(test_quarantined_and_pinned),
        T(test_baseline_is_for_who_has_nothing_or_older),
        T(test_holds),
        T(test_refusals),
        T(test_who_lost_his_content_keeps_pace),
        T(test_pace),
        T(test_way_back),
        T(test_recalled),
        T(test_recalled_with_nothing_to_go_back_to),
        T(test_the_lowest_sequence_outlives_its_release),
        T(test_recalled_in_the_soak),
        T(test_revoked),
        T(test_kinds_of_permits),
        T(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
