/*
 * h_checkin: POST /api/v1/checkin, the one request of an endpoint (DESIGN section 4).
 *
 *   who signed?  -> key -> signature -> body -> [site lock] number -> hear, decide, record
 *   -> batch -> [unlock] ... commit ... -> answer
 *
 * The exposure is in the same batch as the answer that carries the permit, and the answer leaves
 * after the commit: nobody is exposed unknown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "api/commit_reply.h"
#include "rollouts/exclude.h"
#include "calibrate/calibrate.h"
#include "rollouts/flight.h"
#include "rollouts/ground.h"
#include "api/handlers.h"
#include "http/http.h"
#include "httpsig.h"
#include "metrics.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"
#include "rollouts/ungranted.h"

#define JITTER_PART 8 /* a check-in comes up to this part of its interval early, never late */

struct heard {
    struct request *rq;
    struct checkin *checkin;
    char body_sha256[65];
    struct store_batch *batch;
    struct buf answer;
    struct err refusal; /* set: the answer is this problem, after the commit */
    bool fresh[CHECKIN_MAX_EVENTS];
    int64_t events, permits;
    int64_t next_ms;
    int64_t wall_ms; /* one time for all that it leaves behind */
};

static void heard_free(struct heard *h)
{
    if (!h)
        return;
    checkin_free(h->checkin);
    store_batch_free(h->batch);
    buf_release(&h->answer);
    free(h);
}

static void count(struct server *s, enum metrics_id id, int64_t n)
{
    if (s->metrics && n > 0)
        metric_add(s->metrics, id, n);
}

static void committed(void *ctx, int r, const struct err *err)
{
    struct heard *h = ctx;
    struct server *s = h->rq->server;

    if (r < 0) {
        atomic_store(&s->degraded, true);
        reply_problem(h->rq, err);
    } else if (h->refusal.code) {
        count(s, METRICS_CHECKINS_REFUSED, 1);
        reply_problem(h->rq, &h->refusal);
    } else {
        count(s, METRICS_CHECKINS, 1);
        count(s, METRICS_PERMITS, h->permits);
        count(s, METRICS_EVENTS, h->events);
        reply_buf(h->rq, 200, "application/json", &h->answer);
    }
    heard_free(h);
}

/* --- who is it? ------------------------------------------------------------------------------- */

static int header(const struct request *rq, const char *name, char *ret, size_t size,
                  struct err *err)
{
    const char *v = request_header(rq, name);

    if (!v || strlen(v) >= size)
        return err_set(err, ERR_BAD_SIGNATURE, "header %s is %s", name, v ? "too long" : "missing");
    memcpy(ret, v, strlen(v) + 1);
    return 0;
}

static int read_headers(const struct request *rq, struct httpsig_headers *ret, struct err *err)
{
    int r = header(rq, "Content-Digest", ret->content_digest, sizeof ret->content_digest, err);

    if (r == 0)
        r = header(rq, "Signature-Input", ret->signature_input, sizeof ret->signature_input, err);
    if (r == 0)
        r = header(rq, "Signature", ret->signature, sizeof ret->signature, err);
    return r;
}

/* The claimed device's key; takes the site lock. */
static int find_key(struct server *s, const char *device, int64_t generation,
                    uint8_t ret[SHA256_LEN], struct err *err)
{
    const struct device *d;
    int64_t present = -1;

    pthread_mutex_lock(&s->site);
    d = fleet_find(s->fleet, device);
    if (d)
        present = d->generation;
    pthread_mutex_unlock(&s->site);
    if (present < 0)
        return err_set(err, ERR_UNKNOWN_DEVICE, "device %s is not enrolled here", device);
    if (present != generation)
        return err_set(err, ERR_UNKNOWN_DEVICE, "key generation %lld of device %s is not valid",
                       (long long)generation, device);
    device_key_derive(s->master, device, generation, ret);
    return 0;
}

static int authenticate(struct request *rq, struct heard *h, struct err *err)
{
    char device[DEVICE_ID_LEN + 1];
    struct httpsig_headers headers;
    uint8_t key[SHA256_LEN];
    int64_t generation;
    int r = read_headers(rq, &headers, err);

    if (r == 0)
        r = httpsig_key_id(headers.signature_input, device, &generation, err);
    if (r == 0)
        r = find_key(rq->server, device, generation, key, err);
    if (r == 0)
        r = httpsig_verify(rq->route->method, rq->path, rq->body, rq->body_len, &headers, key, err);
    explicit_bzero(key, sizeof key);
    if (r == 0)
        r = checkin_parse(rq->body, rq->body_len, &h->checkin, err);
    if (r == 0 && strcmp(h->checkin->device, device) != 0)
        r = err_set(err, ERR_BAD_SIGNATURE, "the body speaks for another device than %s", device);
    sha256_hex(rq->body, rq->body_len, h->body_sha256);
    return r;
}

/* --- numbering -------------------------------------------------------------------------------- */

static int check_machine(struct server *s, struct device *d, struct heard *h, struct err *err)
{
    const struct checkin *c = h->checkin;
    bool moved = memcmp(&d->platform, &c->platform, sizeof d->platform) != 0;
    bool pinned = strncmp(d->machine, "enrol:", 6) != 0;
    struct row_device row;

    if (pinned && strcmp(d->machine, c->machine) != 0) {
        exclude_device(s, d, h->batch); /* two machines under one identity */
        return err_set(err, ERR_FORKED, "device %s runs on another machine than it was enrolled on",
                       d->id);
    }
    if (pinned && !moved)
        return 0;
    snprintf(d->machine, sizeof d->machine, "%s", c->machine);
    d->platform = c->platform;
    platform_cohort(&d->platform, d->cohort);
    row = device_row(d);
    store_put_device(h->batch, &row);
    return 0;
}

/* 1: answered from memory (a repeat). */
static int check_number(struct server *s, struct device *d, struct heard *h, struct err *err)
{
    const struct checkin *c = h->checkin;
    bool proof;

    switch (device_numbering(d, c->epoch, c->number, h->body_sha256, &proof)) {
    case NUMBERING_REPEAT:
        buf_adds(&h->answer, d->answer);
        return 1;
    case NUMBERING_FORKED:
        if (proof)
            exclude_device(s, d, h->batch);
        return err_set(err, ERR_FORKED, "check-in %lld of device %s was numbered before",
                       (long long)c->number, d->id);
    case NUMBERING_NEXT:
        break;
    }
    return check_machine(s, d, h, err);
}

/* --- events ----------------------------------------------------------------------------------- */

static void take_events(struct device *d, struct heard *h)
{
    const struct checkin *c = h->checkin;

    for (size_t i = 0; i < c->n_events; i++) {
        const struct event *e = &c->events[i];
        struct row_event row = {.device = d->id,
                                .id = e->id,
                                .kind = event_name(e->kind),
                                .channel = e->channel,
                                .digest = e->digest,
                                .cause = e->cause,
                                .detail = e->detail,
                                .blamed = e->blamed,
                                .at_ms = h->wall_ms};

        h->fresh[i] = device_event_is_new(d, e->id);
        if (!h->fresh[i])
            continue;
        h->events++;
        store_put_event(h->batch, &row);
    }
}

static bool is_leaving(const struct heard *h)
{
    for (size_t i = 0; i < h->checkin->n_events; i++)
        if (h->fresh[i] && h->checkin->events[i].kind == EVENT_GOODBYE)
            return true;
    return false;
}

/* Not to be waited for: shut down or asleep, said so. */
static bool is_away(const struct heard *h)
{
    bool away = false;

    for (size_t i = 0; i < h->checkin->n_events; i++)
        if (h->fresh[i] && h->checkin->events[i].kind == EVENT_GOODBYE)
            away = goodbye_is_away(h->checkin->events[i].cause);
    return away;
}

/* A consumer's crash makes a device an unsteady witness for what it stages in the next 7 days; not
 * one that evidence blames on the release just switched to, or the canaries that a bad release hit
 * could not speak against the next bad one. */
static void note_crashes(struct device *d, const struct heard *h)
{
    for (size_t i = 0; i < h->checkin->n_events; i++) {
        const struct event *e = &h->checkin->events[i];

        if (h->fresh[i] && e->kind == EVENT_CRASH && !e->blamed &&
            strcmp(e->cause, "consumer") == 0)
            d->consumer_crash_ms = h->wall_ms;
        if (h->fresh[i] && e->kind == EVENT_CRASH && !e->blamed)
            d->crash_ms = h->wall_ms;
    }
}

/* --- one channel ------------------------------------------------------------------------------ */

static int sign_permit(struct server *s, const struct device *d, const struct checkin *c,
                       const struct checkin_channel *cc, enum verdict_kind kind, json_t **ret,
                       struct err *err)
{
    struct permit p = {.kind = kind == DECIDE_PERMIT_BASELINE ? PERMIT_BASELINE : PERMIT_ROLLOUT,
                       .snapshot_version = cc->snapshot_version,
                       .server_time = clock_wall_ms(s->clock) / 1000,
                       .valid_s = PERMIT_LIFE_S + c->preflight_s};

    memcpy(p.device, d->id, sizeof p.device);
    memcpy(p.channel, cc->channel, sizeof p.channel);
    memcpy(p.digest, cc->ready, sizeof p.digest);
    memcpy(p.nonce, cc->nonce, sizeof p.nonce);
    return permit_sign(&p, repo_permit_signer(s->repo), ret, err);
}

static void put_baseline_exposure(struct server *s, const struct device *d,
                                  const struct checkin_channel *cc, struct store_batch *b)
{
    struct row_exposure row = {.device = d->id,
                               .channel = cc->channel,
                               .digest = cc->ready,
                               .kind = "baseline",
                               .nonce = cc->nonce,
                               .at_ms = clock_wall_ms(s->clock),
                               .tick = -1,
                               .stratum = -1,
                               .state = arm_state_name(ARM_GRANTED)};

    store_put_exposure(b, &row);
}

static void put_row(const struct device_channel *dc, const struct device *d, struct store_batch *b)
{
    struct row_device_channel row = {.device = d->id,
                                     .channel = dc->channel,
                                     .running = dc->running[0] ? dc->running : NULL,
                                     .ready = dc->ready[0] ? dc->ready : NULL,
                                     .hold = dc->hold[0] ? dc->hold : NULL,
                                     .ready_tick = dc->ready_tick,
                                     .last_tick = dc->last_tick,
                                     .canary = dc->canary,
                                     .marks = dc->marks,
                                     .marks_from = dc->marks_from,
                                     .crash_tick = dc->crash_tick,
                                     .reboot_tick = dc->reboot_tick,
                                     .figures = dc->figures,
                                     .figures_tick = dc->figures_tick};

    store_put_device_channel(b, &row);
}

/* The first events that it has had by now. */
static void note_marks(struct device_channel *dc, const struct arm *m)
{
    dc->marks = m ? m->marks : 0;
    dc->marks_from = m ? m->marks_from : 0;
    dc->crash_tick = m ? m->crash_tick : -1;
    dc->reboot_tick = m ? m->reboot_tick : -1;
    dc->figures = m ? m->figures : 0;
    dc->figures_tick = m ? m->figures_tick : -1;
}

static void put_channel(struct device_channel *dc, const struct device *d,
                        const struct checkin_channel *cc, const struct flight *f,
                        const struct arm *m, struct store_batch *b)
{
    snprintf(dc->running, sizeof dc->running, "%s", cc->running);
    snprintf(dc->ready, sizeof dc->ready, "%s", cc->has_ready ? cc->ready : "");
    snprintf(dc->hold, sizeof dc->hold, "%s", cc->hold);
    dc->ready_tick = m ? m->first_ready : -1;
    dc->last_tick = f ? f->tick : -1;
    note_marks(dc, m);
    put_row(dc, d, b);
}

static int answer_channel(struct server *s, struct device *d, struct heard *h,
                          const struct checkin_channel *cc, struct answer_channel *ret,
                          struct err *err)
{
    struct channel *ch = rollouts_channel(s->rollouts, cc->channel);
    struct device_channel *dc = ch ? device_channel(d, cc->channel) : NULL;
    struct flight *f = ch ? ch->flight : NULL;
    struct hearing hearing = {.checkin = h->checkin,
                              .channel = cc,
                              .fresh = h->fresh,
                              .leaving = is_leaving(h),
                              .newest_snapshot = repo_snapshot_version(s->repo),
                              .wall_ms = h->wall_ms};
    struct decide decide = {.kind = DECIDE_WAIT, .wait = WAIT_NOTHING};
    bool changed = false;
    struct arm *m = NULL;
    int64_t ms;
    int r = 0;

    if (dc) {
        dc->canary = cc->ring == RING_PREF_CANARY;
        m = f ? flight_arm(f, d, hearing.wall_ms) : NULL;
        if (m) {
            changed = flight_hear(f, m, d, &hearing);
            ungranted_note(s, f, m, d, &hearing);
        }
        ground_follow(ch->ground, s->fleet, ch->name, ch->baseline.digest);
        hearing.ground_is_open = !cc->running[0] && ground_may(ch->ground, d, d->seen_boot_ms);
        decide = flight_ask(ch, m, &hearing);
    }
    if (decide.kind != DECIDE_WAIT)
        r = sign_permit(s, d, h->checkin, cc, decide.kind, &ret->permit, err);
    if (r < 0)
        return r;
    if (decide.kind == DECIDE_PERMIT || decide.kind == DECIDE_PERMIT_AGAIN) {
        flight_grant(f, m, &hearing, decide.kind);
        h->permits += decide.kind == DECIDE_PERMIT;
        changed = true;
    } else if (decide.kind == DECIDE_PERMIT_BASELINE) {
        put_baseline_exposure(s, d, cc, h->batch);
        ground_grant(ch->ground, d, d->seen_boot_ms);
        if (m)
            m->given |= strcmp(cc->ready, f->digest) == 0;
    } else if (m) {
        flight_count_control(f, m, &hearing, &decide);
    }
    if (m)
        flight_watch(f, m, &hearing);
    if (changed) {
        struct row_exposure row = flight_exposure(f, m, d);

        store_put_exposure(h->batch, &row);
    }
    if (dc) {
        put_channel(dc, d, cc, f, m, h->batch);
        ground_note(ch->ground, d, dc);
    }
    ms = flight_interval_ms(f, m, s->config.checkin_interval_ms);
    if (ch)
        ms = calibrate_hear(ch, d, &hearing, ret->permit != NULL, ms);
    memcpy(ret->channel, cc->channel, sizeof ret->channel);
    if (!ret->permit)
        snprintf(ret->wait, sizeof ret->wait, "%s", wait_name(decide.wait));
    ret->retry_ms = ms;
    if (ms < h->next_ms)
        h->next_ms = ms;
    return 0;
}

/* A rollout on a channel that this check-in does not speak of still hears the sign of life. */
static void hear_others(struct server *s, struct device *d, const struct heard *h)
{
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct flight *f = s->rollouts->channels[i].flight;
        struct hearing hearing = {.checkin = h->checkin,
                                  .fresh = h->fresh,
                                  .leaving = is_leaving(h),
                                  .wall_ms = h->wall_ms};
        struct device_channel *dc;
        bool spoken = false;
        struct arm *m;

        for (size_t k = 0; f && k < h->checkin->n_channels; k++)
            spoken |= strcmp(h->checkin->channels[k].channel, f->channel) == 0;
        if (!f || spoken || !(m = flight_arm(f, d, hearing.wall_ms)))
            continue;
        if (flight_hear(f, m, d, &hearing)) {
            struct row_exposure row = flight_exposure(f, m, d);

            store_put_exposure(h->batch, &row);
        }
        ungranted_note(s, f, m, d, &hearing);
        flight_watch(f, m, &hearing);
        dc = device_channel_find(d, f->channel) ? device_channel(d, f->channel) : NULL;
        if (dc && (dc->marks != m->marks || dc->reboot_tick != m->reboot_tick)) {
            note_marks(dc, m);
            put_row(dc, d, h->batch);
        }
    }
    calibrate_hear_others(s, d,
                          &(struct hearing){.checkin = h->checkin,
                                            .fresh = h->fresh,
                                            .leaving = is_leaving(h),
                                            .wall_ms = h->wall_ms});
}

/* Nothing is taken in, but it is alive: a repeat, or refused after it proved who it is. */
static void hear_alive(struct server *s, const struct device *d)
{
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct flight *f = s->rollouts->channels[i].flight;

        if (f && d->index < f->arms.n && f->arms.rows[d->index].known)
            flight_alive(f, &f->arms.rows[d->index]);
    }
    calibrate_alive(s, d);
}

/* --- more than can be stored ------------------------------------------------------------------ */

/* It stands where its last check-in left it, and has no release to acknowledge. */
static bool says_nothing_new(const struct server *s, const struct device *d,
                             const struct checkin *c)
{
    bool same = c->n_events == 0 && strcmp(d->machine, c->machine) == 0 &&
                memcmp(&d->platform, &c->platform, sizeof d->platform) == 0;

    for (size_t i = 0; same && i < c->n_channels; i++) {
        const struct checkin_channel *cc = &c->channels[i];
        const struct device_channel *dc = device_channel_find(d, cc->channel);

        same = dc && strcmp(dc->running, cc->running) == 0 && strcmp(dc->hold, cc->hold) == 0 &&
               strcmp(dc->ready, cc->has_ready ? cc->ready : "") == 0 &&
               dc->canary == (cc->ring == RING_PREF_CANARY);
    }
    for (int i = 0; same && i < s->rollouts->n_channels; i++) {
        const struct flight *f = s->rollouts->channels[i].flight;

        same = !(f && d->index < f->arms.n && arm_is_under_way(&f->arms.rows[d->index]));
    }
    return same;
}

/* Of check-ins that wait for a slow disk each one makes the others wait longer. */
static bool may_be_put_off(struct server *s, const struct device *d, const struct heard *h)
{
    const struct checkin *c = h->checkin;
    bool proof;

    return s->config.commit_queue != 0 && store_queued(s->store) > s->config.commit_queue &&
           device_numbering(d, c->epoch, c->number, h->body_sha256, &proof) == NUMBERING_NEXT &&
           says_nothing_new(s, d, c);
}

/* It has proved who it is, so that this is a sign of life, and comes again when it would have. */
static int put_off(struct server *s, struct device *d, struct heard *h, struct err *err)
{
    int64_t ms = s->config.checkin_interval_ms;

    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct flight *f = s->rollouts->channels[i].flight;
        struct arm *m = f && d->index < f->arms.n ? &f->arms.rows[d->index] : NULL;
        int64_t its = ms;

        if (m && m->known) {
            flight_as_before(f, m);
            its = flight_interval_ms(f, m, ms);
        }
        ms = its < ms ? its : ms;
    }
    ms = calibrate_put_off(s, d, ms);
    d->seen_boot_ms = clock_boot_ms(s->clock);
    h->rq->retry_after_s = (ms + 999) / 1000;
    return err_set(err, ERR_BUDGET, "more check-ins wait than can be stored");
}

/* --- the whole of it -------------------------------------------------------------------------- */

static int64_t jittered(int64_t ms)
{
    int64_t span = ms / JITTER_PART;

    return span > 0 ? ms - (int64_t)(rand_u64() % (uint64_t)span) : ms;
}

static int answer(struct server *s, struct device *d, struct heard *h, struct err *err)
{
    const struct checkin *c = h->checkin;
    struct checkin_answer a = {.server_time = clock_wall_ms(s->clock) / 1000,
                               .snapshot_version = repo_snapshot_version(s->repo)};
    int r = 0;

    h->next_ms = s->config.checkin_interval_ms;
    for (size_t i = 0; r == 0 && i < c->n_channels; i++)
        r = answer_channel(s, d, h, &c->channels[i], &a.channels[a.n_channels++], err);
    hear_others(s, d, h);
    a.next_ms = jittered(h->next_ms);
    if (r == 0)
        r = checkin_answer_dump(&a, &h->answer, err);
    for (size_t i = 0; i < a.n_channels; i++)
        json_decref(a.channels[i].permit);
    return r;
}

static int record(struct device *d, struct heard *h, struct err *err)
{
    const struct checkin *c = h->checkin;
    struct row_checkin row = {.device = d->id,
                              .epoch = c->epoch,
                              .number = c->number,
                              .at_ms = h->wall_ms,
                              .body_sha256 = h->body_sha256,
                              .answer = h->answer.data};

    store_put_checkin(h->batch, &row);
    return device_number(d, c->epoch, c->number, h->body_sha256, h->answer.data, err);
}

/* Under the site lock. 0: h->batch is to be submitted; memory is ahead of the store until then. */
static int hear(struct server *s, struct heard *h, struct err *err)
{
    struct device *d;
    int r = commit_possible(s, err);

    if (r < 0)
        return r;
    d = fleet_find(s->fleet, h->checkin->device);
    if (!d)
        return err_set(err, ERR_UNKNOWN_DEVICE, "device %s is not enrolled here",
                       h->checkin->device);
    if (may_be_put_off(s, d, h))
        return put_off(s, d, h, err);
    r = check_number(s, d, h, &h->refusal);
    if (r != 0) {
        hear_alive(s, d);
        return 0; /* a repeat, or refused after what was learnt of it is kept */
    }
    h->wall_ms = clock_wall_ms(s->clock);
    d->seen_boot_ms = clock_boot_ms(s->clock);
    d->seen_wall_ms = h->wall_ms;
    d->awake_s = h->checkin->awake_s;
    take_events(d, h);
    r = answer(s, d, h, err);
    note_crashes(d, h);
    d->away = is_away(h);
    if (r == 0)
        r = record(d, h, err);
    if (r < 0) /* half of it is in memory: have it read again */
        atomic_store(&s->degraded, true);
    return r;
}

void h_checkin(struct request *rq)
{
    struct heard *h = calloc(1, sizeof *h);
    struct server *s = rq->server;
    struct err err = {0};
    int r;

    if (!h || !(h->batch = store_batch_new())) {
        free(h);
        err_set(&err, ERR_NOMEM, "no memory for a check-in");
        reply_problem(rq, &err);
        return;
    }
    h->rq = rq;
    buf_init(&h->answer, CHECKIN_ANSWER_MAX);
    r = authenticate(rq, h, &err);
    if (r == 0) {
        pthread_mutex_lock(&s->site);
        r = hear(s, h, &err);
        if (r == 0) {
            struct store_batch *b = h->batch;

            h->batch = NULL;
            store_submit(s->store, b, committed, h);
        }
        pthread_mutex_unlock(&s->site);
    }
    if (r < 0) {
        count(s, METRICS_CHECKINS_REFUSED, 1);
        log_debug("checkin", "refused: %s", err.msg);
        heard_free(h);
        reply_problem(rq, &err);
    }
}
