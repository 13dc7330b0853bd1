/* endpoint: see endpoint.h. The protocol; what an endpoint runs is in endpoint_content.c. */
#include "endpoint_internal.h"

#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS   30000
#define REQUEST_MAX      CHECKIN_MAX

int64_t endpoint_jitter(int64_t ms)
{
    return ms + (ms >= 10 ? (int64_t)(rand_u64() % (uint64_t)(ms / 10)) : 0);
}

void endpoint_boot(struct endpoint *e, int64_t now_ms)
{
    rand_hex(e->epoch, 8);
    rand_hex(e->boot_id, 16);
    e->number = 0;
    e->booted_ms = now_ms;
    e->asked = -1;
}

void endpoint_init(struct endpoint *e, const struct script *s, const struct script_group *g,
                   uint32_t index, int64_t due_ms)
{
    *e = (struct endpoint){.group = g,
                           .index = index,
                           .running = -1,
                           .before = -1,
                           .applying = -1,
                           .staging = -1,
                           .due_ms = due_ms};
    e->misbehaves = script_chosen(s->seed, index, "misbehaves", g->share_ppm);
    e->recovers = script_chosen(s->seed, index, "recovers", g->recover_share_ppm);
    rand_hex(e->attempt, 16);
}

static void drop_body(struct endpoint *e)
{
    free(e->body);
    e->body = NULL;
    e->body_len = 0;
    e->n_sent = 0;
}

void endpoint_release(struct endpoint *e)
{
    drop_body(e);
}

/* SHA-256 of a machine id that is the endpoint's own; salted once there is a device id. */
static void machine_hash(const struct endpoint *e, char ret[65])
{
    char text[96];

    snprintf(text, sizeof text, "%sfirebreak-fleet-machine-%u-%s", e->device, e->index,
             e->device[0] ? "" : e->attempt);
    sha256_hex(text, strlen(text), ret);
}

static int make_enrolment(const struct endpoint *e, struct buf *ret, struct err *err)
{
    struct enrol_request rq = {.platform = e->group->platform};

    strcpy(rq.attempt, e->attempt);
    machine_hash(e, rq.machine);
    return enrol_request_dump(&rq, ret, err);
}

static void fill_events(struct endpoint *e, const struct endpoint_world *w, struct checkin *c)
{
    for (int i = 0; i < e->n_events; i++) {
        const struct endpoint_event *from = &e->events[i];
        struct event *to = &c->events[c->n_events++];

        to->kind = from->kind;
        to->blamed = from->blamed;
        to->awake_s = from->awake_s;
        strcpy(to->id, from->id);
        snprintf(to->cause, sizeof to->cause, "%s", from->cause);
        if (from->kind != EVENT_GOODBYE)
            snprintf(to->channel, sizeof to->channel, "%s", w->view ? w->view->plan->channel : "");
        if (from->release >= 0)
            snprintf(to->digest, sizeof to->digest, "%s",
                     w->catalog->releases[from->release].digest);
    }
    e->n_sent = e->n_events;
}

static void ask(struct endpoint *e, const struct endpoint_world *w, int release,
                struct checkin_channel *c)
{
    c->has_ready = true;
    c->pace_wait_s = endpoint_pace_wait_s(e, w, release);
    snprintf(c->ready, sizeof c->ready, "%s", w->catalog->releases[release].digest);
    rand_hex(e->nonce, NONCE_LEN / 2);
    strcpy(c->nonce, e->nonce);
    e->asked = release;
    e->asked_ms = w->boot_ms;
    e->asked_snapshot = w->view->snapshot_version;
}

/* Only with verified metadata does an endpoint know of a channel. */
static void fill_channel(struct endpoint *e, const struct endpoint_world *w, struct checkin *ck)
{
    struct checkin_channel *c = &ck->channels[0];
    int want = endpoint_want(e, w);

    e->speaks = w->view != NULL;
    if (!w->view)
        return;
    ck->n_channels = 1;
    snprintf(c->channel, sizeof c->channel, "%s", w->view->plan->channel);
    if (e->running >= 0) {
        strcpy(c->running, w->catalog->releases[e->running].digest);
        c->running_since_s = (w->boot_ms - e->running_since_ms) / 1000;
        c->boots = e->boots;
    }
    if (e->soak_until_ms || e->applying >= 0)
        strcpy(c->hold, "unsoaked");
    c->ring = e->group->canary ? RING_PREF_CANARY : RING_PREF_DEFAULT;
    c->snapshot_version = w->view->snapshot_version;
    c->figures = *endpoint_figures(e, w);
    if (want >= 0)
        ask(e, w, want, c);
}

static int make_checkin(struct endpoint *e, const struct endpoint_world *w, struct buf *ret,
                        struct err *err)
{
    _cleanup_(checkin_free_p)
    struct checkin *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory");
    endpoint_act(e, w);
    e->asked = -1;
    c->platform = e->group->platform;
    c->number = ++e->number;
    c->awake_s = (w->boot_ms - e->booted_ms) / 1000;
    strcpy(c->device, e->device);
    strcpy(c->epoch, e->epoch);
    strcpy(c->boot_id, e->boot_id);
    snprintf(c->agent, sizeof c->agent, "%s", FIREBREAK_VERSION);
    machine_hash(e, c->machine);
    fill_channel(e, w, c);
    fill_events(e, w, c);
    return checkin_dump(c, ret, err);
}

int endpoint_request(struct endpoint *e, const struct endpoint_world *w, struct err *err)
{
    struct buf text;
    int r;

    if (e->body)
        return 0;
    buf_init(&text, REQUEST_MAX);
    r = e->phase == ENDPOINT_ENROL ? make_enrolment(e, &text, err) : make_checkin(e, w, &text, err);
    if (r == 0)
        e->body = buf_detach(&text, &e->body_len);
    buf_release(&text);
    if (r == 0 && !e->body)
        r = err_set(err, ERR_NOMEM, "out of memory");
    return r;
}

static int enrolled(struct endpoint *e, const struct endpoint_world *w, const char *data,
                    size_t len, struct err *err)
{
    struct identity id;
    int r = identity_parse(data, len, &id, err);

    if (r < 0)
        return r;
    strcpy(e->device, id.device);
    e->generation = id.generation;
    memcpy(e->key, id.key, sizeof e->key);
    memcpy(e->draw_key, id.draw_key, sizeof e->draw_key);
    endpoint_boot(e, w->boot_ms);
    e->phase = ENDPOINT_ACTIVE;
    /* spread the first check-ins over a tick */
    e->due_ms = w->boot_ms + (int64_t)(rand_u64() % (uint64_t)w->script->tick_ms);
    return 0;
}

static void acknowledge_events(struct endpoint *e)
{
    e->n_events -= e->n_sent;
    memmove(&e->events[0], &e->events[e->n_sent], (size_t)e->n_events * sizeof e->events[0]);
    e->n_sent = 0;
}

/* The agent's own checks: the permit is for this question, and its pace has come. */
static void take_permit(struct endpoint *e, const struct endpoint_world *w, const json_t *envelope,
                        struct endpoint_grant *grant, struct err *err)
{
    struct permit_request rq = {.snapshot_version = e->asked_snapshot, .made_boot_ms = e->asked_ms};
    struct permit permit;
    int release = e->asked;

    if (release < 0)
        return; /* not asked for: nothing to bind it to */
    strcpy(rq.device, e->device);
    strcpy(rq.nonce, e->nonce);
    strcpy(rq.boot_id, e->boot_id);
    strcpy(rq.digest, w->catalog->releases[release].digest);
    snprintf(rq.channel, sizeof rq.channel, "%s", w->view->plan->channel);
    e->asked = -1;
    if (permit_check(envelope, &w->view->plan->permit_keys, &rq, e->boot_id, w->boot_ms, &permit,
                     err) < 0) {
        endpoint_refused(e, w, release, err_slug(err->code));
        return;
    }
    if (endpoint_pace_wait_s(e, w, release) > 0) {
        err_set(err, ERR_PACE, "permit before its pace");
        endpoint_refused(e, w, release, "pace");
        return;
    }
    grant->granted = true;
    grant->release = release;
    strcpy(grant->nonce, rq.nonce);
    endpoint_permitted(e, w, release);
}

static int checked_in(struct endpoint *e, const struct endpoint_world *w, const char *data,
                      size_t len, struct endpoint_grant *grant, int64_t *ret_snapshot,
                      struct err *err)
{
    _cleanup_(checkin_answer_free_p)
    struct checkin_answer *a = NULL;
    struct err refused = {0};
    int64_t wait_ms;
    int r = checkin_answer_parse(data, len, &a, err);

    if (r < 0)
        return r;
    acknowledge_events(e);
    e->spoke |= e->speaks;
    e->settled |= e->healthy != 0;
    *ret_snapshot = a->snapshot_version;
    wait_ms = a->next_ms;
    for (size_t i = 0; i < a->n_channels; i++)
        if (!a->channels[i].permit && e->asked >= 0 && a->channels[i].retry_ms > wait_ms)
            wait_ms = a->channels[i].retry_ms;
    /* up to a tenth earlier, as the real agent does, so that nobody drifts past its tick */
    e->due_ms = w->boot_ms + 2 * wait_ms - endpoint_jitter(wait_ms);
    for (size_t i = 0; w->view && i < a->n_channels; i++)
        if (a->channels[i].permit && strcmp(a->channels[i].channel, w->view->plan->channel) == 0)
            take_permit(e, w, a->channels[i].permit, grant, &refused);
    if (refused.code == ERR_OK)
        return 0;
    *err = refused;
    return -(int)refused.code;
}

int endpoint_answered(struct endpoint *e, const struct endpoint_world *w, const char *data,
                      size_t len, struct endpoint_grant *grant, int64_t *ret_snapshot,
                      struct err *err)
{
    int r;

    grant->granted = false;
    *ret_snapshot = 0;
    e->due_ms =
        w->boot_ms + endpoint_jitter(w->script->tick_ms); /* where the answer tells nothing */
    r = e->phase == ENDPOINT_ENROL ? enrolled(e, w, data, len, err)
                                   : checked_in(e, w, data, len, grant, ret_snapshot, err);
    e->failures = 0;
    drop_body(e);
    if (e->phase == ENDPOINT_ACTIVE && e->leave != LEAVE_NOT)
        endpoint_leave_now(e, w);
    else if (e->phase == ENDPOINT_ACTIVE && w->lives)
        endpoint_live(e, w);
    return r;
}

/* The identity is of no use any more: a new one. What it runs stays. */
static void enrol_again(struct endpoint *e)
{
    drop_body(e);
    rand_hex(e->attempt, 16);
    e->device[0] = '\0';
    e->phase = ENDPOINT_ENROL;
    e->n_events = 0;
}

void endpoint_failed(struct endpoint *e, const struct endpoint_world *w, enum err_code code,
                     int64_t retry_after_s)
{
    int64_t wait_ms = BACKOFF_FIRST_MS << (e->failures < 6 ? e->failures : 6);

    if (wait_ms > BACKOFF_MAX_MS)
        wait_ms = BACKOFF_MAX_MS;
    if (retry_after_s * 1000 > wait_ms)
        wait_ms = retry_after_s * 1000;
    e->failures++;
    e->due_ms = w->boot_ms + wait_ms / 2 + endpoint_jitter(wait_ms / 2);
    if (e->phase == ENDPOINT_ACTIVE && e->leave != LEAVE_NOT) {
        drop_body(e); /* nobody waits for an answer to a goodbye */
        endpoint_leave_now(e, w);
        return;
    }
    if (e->phase == ENDPOINT_ACTIVE && (code == ERR_UNKNOWN_DEVICE || code == ERR_FORKED))
        enrol_again(e);
    else if (e->phase == ENDPOINT_ACTIVE && code == ERR_INVALID)
        drop_body(e); /* sending the same again would fail alike */
}
