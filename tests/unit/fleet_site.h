/*
 * fleet_site: a server in one process for tests of fleet and rollouts: real store, audit, tokens,
 * handlers and gate; a clock that stands still; in place of the HTTP door and of the repository
 * what is below. Devices check in through the real handler with real signatures.
 */
#ifndef FIREBREAK_TESTS_FLEET_SITE_H
#define FIREBREAK_TESTS_FLEET_SITE_H

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "checkin.h"
#include "controller.h"
#include "fleet/fleet.h"
#include "api/handlers.h"
#include "http/http.h"
#include "httpsig.h"
#include "metrics.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define CHANNEL "crs"

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* --- in place of the repository --------------------------------------------------------------- */

struct repo {
    struct manifest releases[4]; /* by version "1" .. "4" */
    struct signer *permit;
    int64_t snapshot, plans;
    struct plan *plan; /* the published one */
    struct revoked revoked;
};

struct repo_change {
    struct plan *plan;
    int64_t snapshot;
};

int64_t repo_snapshot_version(const struct repo *r)
{
    return r->snapshot;
}

const char *repo_root_id(const struct repo *r)
{
    (void)r;
    return "00000000000000000000000000000000000000000000000000000000000000aa";
}

size_t repo_channels(struct repo *r, struct repo_channel_name ret[REPO_CHANNELS_EVER])
{
    (void)r;
    ret[0] = (struct repo_channel_name){.name = CHANNEL};
    return 1;
}

bool repo_plan_names_permit(struct repo *r, const char *channel)
{
    (void)r;
    (void)channel;
    return true;
}

const struct signer *repo_permit_signer(const struct repo *r)
{
    return r->permit;
}

static int give(const struct manifest *m, struct manifest **ret)
{
    *ret = calloc(1, sizeof **ret);
    **ret = *m;
    return 0;
}

int repo_release(struct server *s, const char *channel, const char *version, struct manifest **ret,
                 struct err *err)
{
    int n = atoi(version);

    (void)channel;
    if (n < 1 || n > 4)
        return err_set(err, ERR_NOT_FOUND, "no release '%s'", version);
    return give(&s->repo->releases[n - 1], ret);
}

int repo_release_by_digest(struct server *s, const char *channel, const char *digest,
                           struct manifest **ret, struct err *err)
{
    (void)channel;
    for (int i = 0; i < 4; i++)
        if (strcmp(s->repo->releases[i].digest, digest) == 0)
            return give(&s->repo->releases[i], ret);
    return err_set(err, ERR_NOT_FOUND, "no release with this digest");
}

int repo_revoked(struct server *s, const char *channel, struct revoked *ret, struct err *err)
{
    (void)channel;
    (void)err;
    *ret = s->repo->revoked;
    return 0;
}

int repo_stage_plan(struct server *s, struct plan *plan, struct store_batch *b,
                    struct repo_change **ret, struct err *err)
{
    struct buf text;
    int r;

    (void)b;
    buf_init(&text, PLAN_MAX);
    *ret = calloc(1, sizeof **ret);
    (*ret)->snapshot = s->repo->snapshot + 1;
    plan->serial = s->repo->plans + 1;
    r = plan_dump(plan, &text, err);
    if (r == 0) /* what devices would read, checked as they would check it */
        r = plan_parse(text.data, text.len, &(*ret)->plan, err);
    buf_release(&text);
    return r;
}

int64_t repo_change_snapshot(const struct repo_change *c)
{
    return c->snapshot;
}

void repo_publish(struct repo *r, struct repo_change *c)
{
    plan_free(r->plan);
    r->plan = c->plan;
    r->snapshot = c->snapshot;
    r->plans++;
    free(c);
}

void repo_discard(struct repo *r, struct repo_change *c)
{
    (void)r;
    plan_free(c->plan);
    free(c);
}

void controller_wake(struct controller *c)
{
    (void)c;
}

/* --- in place of the door --------------------------------------------------------------------- */

struct exchange {
    struct request rq; /* first */
    struct httpsig_headers headers;
    const char *bearer;
    sem_t done;
    int status;
    char *answer; /* owned */
    struct err problem;
};

static struct exchange *exchange_of_test(const struct request *rq)
{
    return (struct exchange *)(void *)(uintptr_t)rq;
}

const char *request_header(const struct request *rq, const char *name)
{
    const struct exchange *x = exchange_of_test(rq);

    if (strcmp(name, "Content-Digest") == 0)
        return x->headers.content_digest;
    if (strcmp(name, "Signature-Input") == 0)
        return x->headers.signature_input;
    return strcmp(name, "Signature") == 0 ? x->headers.signature : NULL;
}

const char *request_bearer(const struct request *rq)
{
    return exchange_of_test(rq)->bearer;
}

void reply_buf(struct request *rq, int status, const char *content_type, struct buf *body)
{
    struct exchange *x = exchange_of_test(rq);

    (void)content_type;
    x->status = status;
    x->answer = strndup(body->data, body->len);
    buf_release(body);
    sem_post(&x->done);
}

void reply_json(struct request *rq, int status, const json_t *o)
{
    struct exchange *x = exchange_of_test(rq);

    x->status = status;
    x->answer = json_dumps(o, 0);
    sem_post(&x->done);
}

void reply_problem(struct request *rq, const struct err *err)
{
    struct exchange *x = exchange_of_test(rq);

    x->status = err_http_status(err->code);
    x->problem = *err;
    sem_post(&x->done);
}

static void exchange_run(struct exchange *x, void (*run)(struct request *rq))
{
    struct timespec until;

    sem_init(&x->done, 0, 0);
    run(&x->rq);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    if (sem_timedwait(&x->done, &until) != 0)
        fail_msg("no reply");
    sem_destroy(&x->done);
}

/* --- the site --------------------------------------------------------------------------------- */

struct site {
    struct server server;
    struct clock_fixed at;
    struct clock clock;
    struct metrics metrics;
    struct repo repo;
    char dir[64], db[96];
    char token[64], canary_token[64];
};

static void site_open(struct site *t)
{
    const struct store_options o = {t->db, 0, 0};
    struct server *s = &t->server;
    struct err err = {0};

    must(store_open(&o, &s->store, &err), &err);
    must(audit_open(s, &s->audit, &err), &err);
    must(auth_open(s, &s->auth, &err), &err);
    must(fleet_open(s, &s->fleet, &err), &err);
    must(rollouts_open(s, &s->rollouts, &err), &err);
}

static void site_close(struct site *t)
{
    struct server *s = &t->server;

    rollouts_free(s->rollouts);
    fleet_free(s->fleet);
    auth_free(s->auth);
    audit_free(s->audit);
    store_close(s->store);
}

/* As after a crash: everything that was not committed is gone. */
static void site_restart(struct site *t)
{
    site_close(t);
    t->at.boot_ms = 5000; /* another boot */
    site_open(t);
}

static void site_releases(struct repo *r)
{
    for (int i = 0; i < 4; i++) {
        struct manifest *m = &r->releases[i];

        strcpy(m->channel, CHANNEL);
        snprintf(m->version, sizeof m->version, "%d", i + 1);
        m->sequence = i + 1;
        m->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
        sha256_hex(m->version, strlen(m->version), m->digest);
    }
}

static struct site *site_new(const char *policies_dir)
{
    struct site *t = calloc(1, sizeof *t);
    struct server *s = &t->server;
    struct store_batch *b = store_batch_new();
    char path[96], id[17];
    struct err err = {0};

    t->at = (struct clock_fixed){.wall_ms = INT64_C(1790000000000), .boot_ms = 1000};
    t->clock = clock_fixed(&t->at);
    s->clock = &t->clock;
    s->metrics = &t->metrics;
    s->repo = &t->repo;
    s->config.policies_dir = (char *)(uintptr_t)policies_dir;
    s->config.checkin_interval_ms = 60000;
    memset(s->master, 7, sizeof s->master);
    pthread_mutex_init(&s->site, NULL);
    strcpy(t->dir, "/tmp/fb-fleet-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->db, sizeof t->db, "%s/firebreak.db", t->dir);
    snprintf(path, sizeof path, "%s/permit.pem", t->dir);
    must(key_generate("ed25519", path, NULL, NULL, &err), &err);
    must(signer_open(path, NULL, &t->repo.permit, &err), &err);
    t->repo.snapshot = 1;
    site_releases(&t->repo);
    site_open(t);
    must(auth_add_enrolment(s, "crowd", 1000, t->token, id, b, &err), &err);
    must(auth_add_enrolment(s, "canary", 1000, t->canary_token, id, b, &err), &err);
    must(store_commit(s->store, b, &err), &err);
    return t;
}

static void site_free(struct site *t)
{
    site_close(t);
    signer_free(t->repo.permit);
    plan_free(t->repo.plan);
    pthread_mutex_destroy(&t->server.site);
    file_remove_tree(t->dir, NULL);
    free(t);
}

static void site_tick(struct site *t, int64_t ms)
{
    t->at.boot_ms += ms;
    t->at.wall_ms += ms;
    pthread_mutex_lock(&t->server.site);
    rollouts_tick(&t->server);
    pthread_mutex_unlock(&t->server.site);
}

static const struct operator_ref alice = {"alice", ROLE_RELEASER}, bob = {"bob", ROLE_APPROVER};

static int site_act(struct site *t,
                    int (*what)(struct server *s, const struct act *a, struct err *err),
                    const char *version, struct err *err)
{
    const struct act a = {
        .who = &alice, .channel = CHANNEL, .version = version, .policy = "demo", .reason = "test"};
    int r;

    pthread_mutex_lock(&t->server.site);
    r = what(&t->server, &a, err);
    pthread_mutex_unlock(&t->server.site);
    return r;
}

/* "counts.admitted" of the status; -1: not there. */
static json_t *site_status(struct site *t)
{
    json_t *o = NULL;
    struct err err = {0};

    pthread_mutex_lock(&t->server.site);
    must(rollouts_status(&t->server, CHANNEL, &o, &err), &err);
    pthread_mutex_unlock(&t->server.site);
    return o;
}

static int64_t site_count(struct site *t, const char *key)
{
    json_auto_t *o = site_status(t);
    const json_t *v = json_object_get(json_object_get(o, "counts"), key);

    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

static void site_state_is(struct site *t, const char *state)
{
    json_auto_t *o = site_status(t);

    assert_string_equal(json_string_value(json_object_get(o, "state")), state);
}

/* --- a device --------------------------------------------------------------------------------- */

struct dev {
    struct identity id;
    char epoch[17], os_version[24];
    int64_t number;
    char running[65], ready[65];
    bool canary; /* by its own configuration */
    int64_t pace_wait_s;
    struct figures figures; /* of its consumer */
    int64_t snapshot;       /* -1: the present one */
    struct event events[4];
    size_t n_events;
    char wait[32]; /* of the last answer; "" permit */
    char nonce[NONCE_LEN + 1];
    char digest[65]; /* that the permit is for */
};

/* Of a platform of its own, where os_version is given. */
static void dev_enrol_as(struct site *t, struct dev *d, const char *os_version, const char *attempt,
                         const char *token)
{
    struct enrol_request q = {.platform = {.os = "linux", .arch = "x86_64"}};
    struct exchange x = {.rq = {.server = &t->server, .secure = true}, .bearer = token};
    struct buf body;
    struct err err = {0};

    memset(d, 0, sizeof *d);
    snprintf(d->os_version, sizeof d->os_version, "%s", os_version);
    strcpy(q.platform.os_version, d->os_version);
    snprintf(q.attempt, sizeof q.attempt, "%s", attempt);
    memset(q.machine, 'a', 64);
    buf_init(&body, 4096);
    must(enrol_request_dump(&q, &body, &err), &err);
    x.rq.body = body.data;
    x.rq.body_len = body.len;
    exchange_run(&x, h_enrol);
    if (x.status != 201)
        fail_msg("enrolment: %d %s", x.status, x.problem.msg);
    must(identity_parse(x.answer, strlen(x.answer), &d->id, &err), &err);
    strcpy(d->epoch, "00000000000000e1");
    d->snapshot = -1;
    free(x.answer);
    buf_release(&body);
}

static void dev_enrol(struct site *t, struct dev *d, const char *attempt, const char *token)
{
    dev_enrol_as(t, d, "debian-12", attempt, token);
}

static void dev_enrol_new(struct site *t, struct dev *d, const char *token)
{
    char attempt[33];

    rand_hex(attempt, 16);
    dev_enrol(t, d, attempt, token);
}

static void dev_event(struct dev *d, enum event_kind kind, const char *digest, const char *cause,
                      bool blamed)
{
    struct event *e = &d->events[d->n_events++];

    *e = (struct event){.kind = kind, .blamed = blamed};
    rand_hex(e->id, EVENT_ID_LEN / 2);
    if (kind != EVENT_GOODBYE)
        strcpy(e->channel, CHANNEL);
    snprintf(e->digest, sizeof e->digest, "%s", digest);
    snprintf(e->cause, sizeof e->cause, "%s", cause);
}

/* The next check-in's body; the device keeps its events until it was sent. */
static void dev_body(struct site *t, const struct dev *d, struct buf *ret)
{
    struct checkin *c = calloc(1, sizeof *c);
    struct checkin_channel *cc = &c->channels[0];
    struct err err = {0};

    strcpy(c->device, d->id.device);
    strcpy(c->epoch, d->epoch);
    c->number = d->number;
    strcpy(c->agent, "0.1.0");
    c->platform = (struct platform){.os = "linux", .arch = "x86_64"};
    strcpy(c->platform.os_version, d->os_version);
    strcpy(c->boot_id, "b1");
    memset(c->machine, 'b', 64);
    c->awake_s = 100000;
    c->preflight_s = 5;
    c->n_channels = 1;
    strcpy(cc->channel, CHANNEL);
    strcpy(cc->running, d->running);
    cc->ring = d->canary ? RING_PREF_CANARY : RING_PREF_DEFAULT;
    cc->snapshot_version = d->snapshot >= 0 ? d->snapshot : t->repo.snapshot;
    cc->has_ready = d->ready[0];
    strcpy(cc->ready, d->ready);
    if (cc->has_ready)
        strcpy(cc->nonce, d->nonce);
    cc->pace_wait_s = d->pace_wait_s;
    cc->figures = d->figures;
    memcpy(c->events, d->events, sizeof d->events);
    c->n_events = d->n_events;
    must(checkin_dump(c, ret, &err), &err);
    free(c);
}

/* Sends bytes as this device; the caller frees x->answer. */
static void dev_send(struct site *t, const struct dev *d, const struct buf *body,
                     struct exchange *x)
{
    static const struct route route = {.method = "POST", .pattern = "/api/v1/checkin"};
    struct err err = {0};

    x->rq = (struct request){.server = &t->server,
                             .route = &route,
                             .path = "/api/v1/checkin",
                             .body = body->data,
                             .body_len = body->len,
                             .secure = true};
    if (!x->headers.signature[0])
        must(httpsig_sign("POST", x->rq.path, body->data, body->len, d->id.device, d->id.generation,
                          d->id.key, t->at.wall_ms / 1000, &x->headers, &err),
             &err);
    exchange_run(x, h_checkin);
}

/* A whole check-in that is answered 200. */
static void dev_checkin(struct site *t, struct dev *d)
{
    struct checkin_answer *a = NULL;
    struct exchange x = {0};
    struct buf body;
    struct err err = {0};

    buf_init(&body, CHECKIN_MAX);
    d->number++;
    rand_hex(d->nonce, NONCE_LEN / 2);
    dev_body(t, d, &body);
    dev_send(t, d, &body, &x);
    if (x.status != 200)
        fail_msg("check-in: %d %s", x.status, x.problem.msg);
    must(checkin_answer_parse(x.answer, strlen(x.answer), &a, &err), &err);
    d->n_events = 0;
    d->digest[0] = '\0';
    strcpy(d->wait, a->channels[0].wait);
    if (a->channels[0].permit) {
        const json_t *s = json_object_get(a->channels[0].permit, "signed");

        assert_string_equal(json_string_value(json_object_get(s, "nonce")), d->nonce);
        assert_string_equal(json_string_value(json_object_get(s, "device")), d->id.device);
        strcpy(d->digest, json_string_value(json_object_get(s, "digest")));
        d->wait[0] = '\0';
    }
    checkin_answer_free(a);
    free(x.answer);
    buf_release(&body);
}

#endif
