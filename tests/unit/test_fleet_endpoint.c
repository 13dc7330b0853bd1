/* fleet: a lightweight agent keeps the real one's rules: numbering, nonces, permits, pace, recalls;
 * and behaves as its script says. The server's side is played with the real codecs. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "endpoint.h"

#define TICK_MS 1000

static const char device_id[] = "00112233445566778899aabbccddeeff";

/* One endpoint, the server's permit key, and what the repository says. */
struct stage {
    struct script script;
    struct catalog catalog;
    struct view view;
    struct plan plan;
    struct plan_recall recall;
    struct key *keys[1];
    struct signer *signer;
    struct endpoint e;
    struct endpoint_world w;
    struct checkin *heard; /* the last check-in that the server got */
    struct endpoint_grant grant;
};

static void digest_of(char c, char ret[65])
{
    memset(ret, c, 64);
    ret[64] = '\0';
}

static void add_release(struct stage *s, char c, const char *version, int64_t sequence)
{
    struct catalog_release *r = &s->catalog.releases[s->catalog.n++];

    digest_of(c, r->digest);
    strcpy(r->version, version);
    r->sequence = sequence;
    r->pace = (struct pace){{{0, PPM}}, 1};
    r->seen_ms = s->w.boot_ms;
}

/* Two releases: "1.0" is the baseline, "2.0" is rolling out to all. */
static void make_plan(struct stage *s)
{
    struct plan *p = &s->plan;

    strcpy(p->channel, "crs");
    digest_of('a', p->baseline);
    strcpy(p->baseline_version, "1.0");
    digest_of('b', p->rollouts[0].digest);
    strcpy(p->rollouts[0].version, "2.0");
    p->rollouts[0].state = ROLLOUT_RUNNING;
    p->rollouts[0].stage_ppm = PPM;
    p->n_rollouts = 1;
    p->permit_keys = (struct key_set){s->keys, 1, 1};
    s->view = (struct view){.snapshot_version = 7, .plan = p};
    add_release(s, 'a', "1.0", 1);
    add_release(s, 'b', "2.0", 2);
}

static int setup(void **state)
{
    static const char text[] =
        "{\"seed\":1,\"tick_ms\":1000,\"soak_ms\":1500,\"groups\":[{\"count\":1,"
        "\"cohort\":\"linux-debian-12\",\"behaviour\":\"healthy\",\"on_release\":\"2.0\"}]}";
    struct stage *s = calloc(1, sizeof *s);
    char dir[] = "/tmp/fb-fleet-XXXXXX", path[64];

    if (!mkdtemp(dir) || script_parse(text, strlen(text), &s->script, NULL) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/permit.pem", dir);
    if (key_generate("ed25519", path, NULL, &s->keys[0], NULL) < 0 ||
        signer_open(path, NULL, &s->signer, NULL) < 0)
        return -1;
    unlink(path);
    rmdir(dir);
    s->w = (struct endpoint_world){
        .script = &s->script, .catalog = &s->catalog, .view = &s->view, .boot_ms = 1000000};
    make_plan(s);
    endpoint_init(&s->e, &s->script, &s->script.groups[0], 0, s->w.boot_ms);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    endpoint_release(&s->e);
    checkin_free(s->heard);
    key_free(s->keys[0]);
    signer_free(s->signer);
    free(s);
    return 0;
}

static int request(struct stage *s)
{
    struct err err = {0};

    return endpoint_request(&s->e, &s->w, &err);
}

static int answer(struct stage *s, const struct buf *text)
{
    struct err err = {0};
    int64_t snapshot;

    return endpoint_answered(&s->e, &s->w, text->data, text->len, &s->grant, &snapshot, &err);
}

static void enrol(struct stage *s)
{
    struct identity id = {.generation = 1, .group = "crowd"};
    struct buf text;

    assert_int_equal(request(s), 0);
    strcpy(id.device, device_id);
    memset(id.repository, '0', 64);
    buf_init(&text, 4096);
    assert_int_equal(identity_dump(&id, &text, NULL), 0);
    assert_int_equal(answer(s, &text), 0);
    assert_int_equal(s->e.phase, ENDPOINT_ACTIVE);
    buf_release(&text);
}

/* The endpoint checks in; what it says is in s->heard. */
static const struct checkin_channel *hear(struct stage *s)
{
    assert_int_equal(request(s), 0);
    checkin_free(s->heard);
    s->heard = NULL;
    assert_int_equal(checkin_parse(s->e.body, s->e.body_len, &s->heard, NULL), 0);
    return &s->heard->channels[0];
}

static int reply(struct stage *s, json_t *permit)
{
    struct checkin_answer a = {.next_ms = TICK_MS, .snapshot_version = 7, .n_channels = 1};
    struct buf text;
    int r;

    strcpy(a.channels[0].channel, "crs");
    a.channels[0].permit = permit;
    if (!permit)
        strcpy(a.channels[0].wait, "not-admitted");
    buf_init(&text, CHECKIN_ANSWER_MAX);
    assert_int_equal(checkin_answer_dump(&a, &text, NULL), 0);
    r = answer(s, &text);
    buf_release(&text);
    json_decref(permit);
    return r;
}

/* A permit for what was asked with in s->heard. */
static json_t *permit(struct stage *s, const char *nonce)
{
    const struct checkin_channel *c = &s->heard->channels[0];
    struct permit p = {.kind = PERMIT_ROLLOUT,
                       .snapshot_version = c->snapshot_version,
                       .server_time = 1,
                       .valid_s = 60};
    json_t *envelope = NULL;

    strcpy(p.device, device_id);
    strcpy(p.channel, "crs");
    strcpy(p.digest, c->ready);
    strcpy(p.nonce, nonce ? nonce : c->nonce);
    assert_int_equal(permit_sign(&p, s->signer, &envelope, NULL), 0);
    return envelope;
}

static bool heard_event(const struct stage *s, enum event_kind kind)
{
    for (size_t i = 0; i < s->heard->n_events; i++)
        if (s->heard->events[i].kind == kind)
            return true;
    return false;
}

static void grant_next(struct stage *s)
{
    assert_true(hear(s)->has_ready);
    assert_int_equal(reply(s, permit(s, NULL)), 0);
    assert_true(s->grant.granted);
}

static void tick(struct stage *s)
{
    s->w.boot_ms += TICK_MS;
}

/* Permit, applied, soak, healthy; each event once. */
static void test_healthy(void **state)
{
    struct stage *s = *state;

    enrol(s);
    grant_next(s);
    tick(s);
    assert_string_equal(hear(s)->running, s->catalog.releases[1].digest);
    assert_string_equal(s->heard->channels[0].hold, "unsoaked");
    assert_true(heard_event(s, EVENT_APPLIED));
    assert_false(heard_event(s, EVENT_HEALTHY));
    reply(s, NULL);
    tick(s);
    hear(s);
    assert_false(heard_event(s, EVENT_APPLIED));
    assert_true(heard_event(s, EVENT_HEALTHY));
    assert_string_equal(s->heard->channels[0].hold, "");
    assert_false(s->heard->channels[0].has_ready);
    assert_int_equal(s->catalog.releases[1].healthy, 1);
}

/* A lost answer: the same number with the same bytes; then the next number, another nonce. */
static void test_numbering(void **state)
{
    struct stage *s = *state;
    char nonce[NONCE_LEN + 1];
    char *first;
    int64_t due;

    enrol(s);
    strcpy(nonce, hear(s)->nonce);
    assert_int_equal(s->heard->number, 1);
    first = strdup(s->e.body);
    endpoint_failed(&s->e, &s->w, ERR_UNREACHABLE, -1);
    due = s->e.due_ms;
    assert_true(due > s->w.boot_ms);
    tick(s);
    hear(s);
    assert_string_equal(s->e.body, first);
    free(first);
    reply(s, NULL);
    assert_in_range(s->e.due_ms, s->w.boot_ms + TICK_MS * 9 / 10, s->w.boot_ms + TICK_MS);
    hear(s);
    assert_int_equal(s->heard->number, 2);
    assert_string_not_equal(s->heard->channels[0].nonce, nonce);
}

static void test_permit_for_other_nonce(void **state)
{
    struct stage *s = *state;

    enrol(s);
    hear(s);
    assert_int_equal(reply(s, permit(s, "ffffffffffffffffffffffffffffffff")), -ERR_BAD_PERMIT);
    assert_false(s->grant.granted);
    tick(s);
    assert_string_equal(hear(s)->running, "");
    assert_true(heard_event(s, EVENT_REFUSED));
    assert_int_equal(s->catalog.releases[1].refused, 1);
}

/* A second device's content is paced: no permit helps before its time. The first content is exempt.
 */
static void test_pace(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->plan.n_rollouts = 0; /* the baseline first */
    s->catalog.releases[0].pace = (struct pace){{{0, 0}, {60, PPM}}, 2};
    s->catalog.releases[1].pace = s->catalog.releases[0].pace;
    grant_next(s);
    tick(s);
    hear(s);
    reply(s, NULL);
    tick(s);
    hear(s);
    reply(s, NULL);
    s->plan.n_rollouts = 1;
    assert_true(hear(s)->has_ready);
    assert_true(s->heard->channels[0].pace_wait_s > 0);
    assert_int_equal(reply(s, permit(s, NULL)), -ERR_PACE);
    assert_false(s->grant.granted);
    s->w.boot_ms += 60000;
    assert_int_equal(hear(s)->pace_wait_s, 0);
    assert_int_equal(reply(s, permit(s, NULL)), 0);
    assert_true(s->grant.granted);
}

/* Recalled: back to what was healthy before, and it stays away from it. */
static void test_recall(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->plan.n_rollouts = 0;
    grant_next(s);
    for (int i = 0; i < 3; i++) {
        tick(s);
        hear(s);
        reply(s, NULL);
    }
    s->plan.n_rollouts = 1;
    grant_next(s);
    tick(s);
    strcpy(s->recall.digest, s->catalog.releases[1].digest);
    s->plan.recalled = &s->recall;
    s->plan.n_recalled = 1;
    assert_string_equal(hear(s)->running, s->catalog.releases[0].digest);
    assert_true(heard_event(s, EVENT_RECALLED));
    assert_int_equal(s->catalog.releases[1].recalled, 1);
    reply(s, NULL);
    s->plan.n_recalled = 0;
    assert_false(hear(s)->has_ready);
}

static void test_silent(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->script.groups[0].behaviour = BEHAVIOUR_SILENT;
    grant_next(s);
    assert_int_equal(s->e.phase, ENDPOINT_GONE);
    assert_int_equal(s->e.due_ms, ENDPOINT_NEVER);
    assert_int_equal(s->catalog.releases[1].dead, 1);
}

/* Dies, and comes back in a new boot with the old content, blaming the release. */
static void test_crash_and_return(void **state)
{
    struct stage *s = *state;
    char epoch[17];

    enrol(s);
    s->script.groups[0].behaviour = BEHAVIOUR_CRASH_AT_LOAD;
    s->script.groups[0].recover_ticks = s->script.groups[0].recover_max_ticks = 5;
    s->e.recovers = true;
    strcpy(epoch, s->e.epoch);
    grant_next(s);
    assert_int_equal(s->e.due_ms, s->w.boot_ms + 5 * TICK_MS);
    s->w.boot_ms = s->e.due_ms;
    assert_string_equal(hear(s)->running, "");
    assert_int_equal(s->heard->n_events, 2);
    assert_int_equal(s->heard->events[0].kind, EVENT_CRASH);
    assert_string_equal(s->heard->events[0].cause, "unclean-boot");
    assert_int_equal(s->heard->events[1].kind, EVENT_ROLLED_BACK);
    assert_true(s->heard->events[1].blamed);
    assert_int_equal(s->heard->number, 1);
    assert_string_not_equal(s->heard->epoch, epoch);
    assert_false(s->heard->channels[0].has_ready); /* quarantined */
}

/* The behaviour is for one release; others are taken well. */
static void test_other_release(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->script.groups[0].behaviour = BEHAVIOUR_SILENT;
    strcpy(s->script.groups[0].on_release, "9.9");
    grant_next(s);
    assert_int_equal(s->e.phase, ENDPOINT_ACTIVE);
    assert_int_equal(s->catalog.releases[1].applied, 1);
}

static void test_slow(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->script.groups[0].behaviour = BEHAVIOUR_SLOW;
    s->script.groups[0].slow_ticks = 3;
    grant_next(s);
    for (int i = 0; i < 2; i++) {
        tick(s);
        assert_string_equal(hear(s)->running, "");
        assert_false(s->heard->channels[0].has_ready);
        reply(s, NULL);
    }
    tick(s);
    assert_string_equal(hear(s)->running, s->catalog.releases[1].digest);
    assert_true(heard_event(s, EVENT_APPLIED));
}

/* It runs on; what its consumer says is the release's doing. */
static void test_ill(void **state)
{
    struct stage *s = *state;
    struct script_group *g = &s->script.groups[0];
    const struct figure *x;

    enrol(s);
    g->behaviour = BEHAVIOUR_ILL;
    g->figures = (struct figures){.rows = {{.name = "blocked", .value = 20}}, .n = 1};
    g->figures_ill = (struct figures){.rows = {{.name = "blocked", .value = 40}}, .n = 1};
    tick(s);
    x = figures_find(&hear(s)->figures, "blocked");
    assert_true(x && x->value == 20);
    reply(s, NULL);
    grant_next(s);
    tick(s);
    x = figures_find(&hear(s)->figures, "blocked");
    assert_true(x && x->value == 40);
    assert_string_equal(hear(s)->running, s->catalog.releases[1].digest);
}

/* The server forgot the device: a new identity, with another attempt. */
static void test_enrols_again(void **state)
{
    struct stage *s = *state;
    char attempt[33];

    enrol(s);
    strcpy(attempt, s->e.attempt);
    hear(s);
    endpoint_failed(&s->e, &s->w, ERR_UNKNOWN_DEVICE, -1);
    assert_int_equal(s->e.phase, ENDPOINT_ENROL);
    assert_string_not_equal(s->e.attempt, attempt);
}

/* ---- ordinary life ---- */

/* Of all that may happen only what the test gives a rate; an hour apart it is as good as certain.
 */
static void live(struct stage *s)
{
    s->script.life = (struct script_life){.on = true, .minute_ms = 1000, .wakes_ppm_h = 60 * PPM};
    s->w.lives = true;
    hear(s);
    reply(s, NULL); /* life begins */
    s->w.boot_ms += 3600 * TICK_MS;
}

static const struct event *only_event(const struct stage *s)
{
    assert_int_equal(s->heard->n_events, 1);
    return &s->heard->events[0];
}

/* Takes 1.0, and has nothing to say any more. */
static void run_baseline(struct stage *s)
{
    s->plan.n_rollouts = 0;
    grant_next(s);
    for (int i = 0; i < 3; i++) {
        tick(s);
        hear(s);
        reply(s, NULL);
    }
}

static void test_shutdown(void **state)
{
    struct stage *s = *state;
    char boot[33];

    enrol(s);
    live(s);
    s->script.life.goodbyes_ppm_h = 60 * PPM;
    strcpy(boot, s->e.boot_id);
    hear(s);
    assert_true(s->heard->channels[0].has_ready);
    reply(s, NULL);
    assert_int_equal(s->e.due_ms, s->w.boot_ms); /* to say goodbye */
    hear(s);
    assert_int_equal(only_event(s)->kind, EVENT_GOODBYE);
    assert_string_equal(only_event(s)->cause, "shutdown");
    assert_string_equal(only_event(s)->channel, "");
    assert_false(s->heard->channels[0].has_ready);
    reply(s, NULL);
    assert_int_equal(s->e.phase, ENDPOINT_AWAY);
    assert_true(s->e.due_ms >= s->w.boot_ms);
    s->w.boot_ms = s->e.due_ms;
    hear(s);
    assert_int_equal(s->heard->n_events, 0);
    assert_int_equal(s->heard->number, 1);
    assert_string_not_equal(s->e.boot_id, boot);
    assert_true(s->heard->channels[0].has_ready);
}

/* Its goodbye got no answer: gone all the same, and back without it. */
static void test_unheard_goodbye(void **state)
{
    struct stage *s = *state;

    enrol(s);
    live(s);
    s->script.life.goodbyes_ppm_h = 60 * PPM;
    hear(s);
    reply(s, NULL);
    hear(s);
    endpoint_failed(&s->e, &s->w, ERR_UNREACHABLE, -1);
    assert_int_equal(s->e.phase, ENDPOINT_AWAY);
    s->w.boot_ms = s->e.due_ms;
    hear(s);
    assert_int_equal(s->heard->n_events, 0);
}

/* Silence: the same boot, and no word of it. */
static void test_falls_silent(void **state)
{
    struct stage *s = *state;
    char boot[33];

    enrol(s);
    live(s);
    s->script.life.silences_ppm_h = 60 * PPM;
    strcpy(boot, s->e.boot_id);
    hear(s);
    reply(s, NULL);
    assert_in_range(s->e.due_ms - s->w.boot_ms, 6 * TICK_MS, 14 * TICK_MS);
    s->w.boot_ms = s->e.due_ms;
    hear(s);
    assert_int_equal(s->heard->n_events, 0);
    assert_string_equal(s->e.boot_id, boot);
}

static void test_reboots(void **state)
{
    struct stage *s = *state;

    enrol(s);
    live(s);
    s->script.life.reboots_ppm_h = 60 * PPM;
    s->script.life.reboot_15min_ppm = PPM;
    hear(s);
    reply(s, NULL);
    hear(s);
    assert_string_equal(only_event(s)->cause, "reboot");
    reply(s, NULL);
    assert_in_range(s->e.due_ms - s->w.boot_ms, 18 * TICK_MS, 40 * TICK_MS);
}

/* Goes down with the new content at its reboot, not before; comes back with the old one. */
static void test_crash_at_reboot(void **state)
{
    struct stage *s = *state;
    struct script_group *g = &s->script.groups[0];

    enrol(s);
    run_baseline(s);
    s->plan.n_rollouts = 1;
    g->behaviour = BEHAVIOUR_CRASH_AT_REBOOT;
    g->recover_ticks = 6;
    g->recover_max_ticks = 10;
    s->e.recovers = true;
    grant_next(s);
    assert_int_equal(s->e.phase, ENDPOINT_ACTIVE);
    live(s);
    assert_int_equal(s->catalog.releases[1].dead, 0);
    s->script.life.reboots_ppm_h = 60 * PPM;
    hear(s);
    reply(s, NULL);
    assert_string_equal(hear(s)->running, s->catalog.releases[1].digest);
    assert_string_equal(only_event(s)->cause, "reboot");
    reply(s, NULL);
    assert_int_equal(s->e.phase, ENDPOINT_GONE);
    assert_int_equal(s->catalog.releases[1].killed, 1);
    assert_in_range(s->e.due_ms - s->w.boot_ms, 6 * TICK_MS, 10 * TICK_MS);
    s->w.boot_ms = s->e.due_ms;
    assert_string_equal(hear(s)->running, s->catalog.releases[0].digest);
    assert_true(heard_event(s, EVENT_CRASH));
    assert_true(heard_event(s, EVENT_ROLLED_BACK));
    assert_false(s->heard->channels[0].has_ready);
    assert_int_equal(s->catalog.releases[1].dead, 0);
    assert_int_equal(s->catalog.releases[1].killed, 1);
}

/* A consumer's crash is blamed on what has not soaked, and on nothing else. */
static void test_consumer_crash(void **state)
{
    struct stage *s = *state;

    enrol(s);
    run_baseline(s);
    s->script.soak_ms = 10000 * TICK_MS;
    live(s);
    s->script.life.crashes_ppm_h = 60 * PPM;
    s->script.life.consumer_ppm = PPM;
    hear(s);
    reply(s, NULL);
    s->script.life.crashes_ppm_h = 0;
    s->plan.n_rollouts = 1;
    grant_next(s);
    assert_int_equal(only_event(s)->kind, EVENT_CRASH);
    assert_false(only_event(s)->blamed);
    s->w.boot_ms += 3600 * TICK_MS;
    s->script.life.crashes_ppm_h = 60 * PPM;
    hear(s);
    reply(s, NULL);
    s->w.boot_ms += TICK_MS;
    assert_string_equal(hear(s)->running, s->catalog.releases[0].digest);
    assert_true(heard_event(s, EVENT_CRASH));
    assert_true(heard_event(s, EVENT_ROLLED_BACK));
    assert_true(s->heard->events[1].blamed);
}

/* Who is awake when the rollout starts has it; who comes later downloads it first. */
static void test_staging(void **state)
{
    struct stage *s = *state;

    enrol(s);
    s->script.life = (struct script_life){.on = true, .staged_ms = 3600 * TICK_MS};
    s->script.life.prestaged = true;
    assert_true(hear(s)->has_ready);
    reply(s, NULL);
    s->e.staging = -1;
    s->w.boot_ms += 60 * TICK_MS;
    assert_false(hear(s)->has_ready);
    reply(s, NULL);
    s->w.boot_ms = s->e.staged_at_ms;
    assert_true(hear(s)->has_ready);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_healthy),
        TEST(test_numbering),
        TEST(test_permit_for_other_nonce),
        TEST(test_pace),
        TEST(test_recall),
        TEST(test_silent),
        TEST(test_crash_and_return),
        TEST(test_other_release),
        TEST(test_slow),
        TEST(test_ill),
        TEST(test_enrols_again),
        TEST(test_shutdown),
        TEST(test_unheard_goodbye),
        TEST(test_falls_silent),
        TEST(test_reboots),
        TEST(test_crash_at_reboot),
        TEST(test_consumer_crash),
        TEST(test_staging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
