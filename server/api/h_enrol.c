/*
 * h_enrol: POST /api/v1/enrol. A token becomes an identity, once; the same attempt with the same
 * token gets the same identity again (a lost answer costs no use).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "api/commit_reply.h"
#include "fleet/fleet.h"
#include "api/handlers.h"
#include "http/http.h"
#include "metrics.h"
#include "repo/repo.h"

struct enrolling {
    struct request *rq;
    struct buf answer;
};

static void enrolled(void *ctx, int r, const struct err *err)
{
    struct enrolling *e = ctx;
    struct server *s = e->rq->server;

    if (r < 0) {
        atomic_store(&s->degraded, true);
        reply_problem(e->rq, err);
    } else {
        reply_buf(e->rq, 201, "application/json", &e->answer);
    }
    buf_release(&e->answer);
    free(e);
}

/* Proves attempt and token at once, and keeps neither. */
static void attempt_proof(const char *attempt, const char *token, char ret[65])
{
    char text[256];

    snprintf(text, sizeof text, "%s\n%s", attempt, token);
    sha256_hex(text, strlen(text), ret);
    explicit_bzero(text, sizeof text);
}

static int identity_of(const struct server *s, const struct device *d, struct buf *ret,
                       struct err *err)
{
    struct identity i = {.generation = d->generation};
    int r;

    memcpy(i.device, d->id, sizeof i.device);
    device_key_derive(s->master, d->id, d->generation, i.key);
    memcpy(i.draw_key, d->draw_key, sizeof i.draw_key);
    snprintf(i.group, sizeof i.group, "%s", d->group);
    snprintf(i.repository, sizeof i.repository, "%s", repo_root_id(s->repo));
    r = identity_dump(&i, ret, err);
    explicit_bzero(&i, sizeof i);
    return r;
}

static int add_device(struct server *s, const struct enrol_request *q, const char *token,
                      const char *proof, struct store_batch *b, struct device **ret,
                      struct err *err)
{
    char group[GROUP_NAME_MAX], token_id[17], id[DEVICE_ID_LEN + 1], machine[80];
    struct row_device row = {.id = id,
                             .grp = group,
                             .token_id = token_id,
                             .attempt = proof,
                             .machine = machine,
                             .os = q->platform.os,
                             .os_version = q->platform.os_version,
                             .arch = q->platform.arch,
                             .label = q->platform.label,
                             .generation = 1,
                             .enrolled_ms = clock_wall_ms(s->clock)};
    int r = auth_use_enrolment(s, token, group, token_id, b, err);

    if (r < 0)
        return r;
    rand_hex(id, DEVICE_ID_LEN / 2);
    snprintf(machine, sizeof machine, "enrol:%s", q->machine);
    r = fleet_add(s->fleet, s->master, &row, ret, err);
    if (r == 0)
        store_put_device(b, &row);
    else /* the token's use is gone in memory only: have it read again */
        atomic_store(&s->degraded, true);
    return r;
}

/* Under the site lock. Takes e where it returns 0. */
static int enrol(struct server *s, const struct enrol_request *q, const char *token,
                 struct enrolling *e, struct err *err)
{
    struct store_batch *b;
    struct device *d;
    char proof[65];
    int r = commit_possible(s, err);

    if (r < 0)
        return r;
    b = store_batch_new();
    if (!b)
        return err_set(err, ERR_NOMEM, "no memory to enrol");
    attempt_proof(q->attempt, token, proof);
    d = fleet_find_attempt(s->fleet, proof);
    if (!d)
        r = add_device(s, q, token, proof, b, &d, err);
    if (r < 0) {
        store_batch_free(b);
        return r;
    }
    r = identity_of(s, d, &e->answer, err);
    if (r < 0) { /* perhaps new, and not stored: the next attempt must not find it */
        atomic_store(&s->degraded, true);
        store_batch_free(b);
        return r;
    }
    if (s->metrics)
        metric_set(s->metrics, METRICS_DEVICES, fleet_size(s->fleet));
    /* Batches commit in order: an attempt that is repeated waits for its first commit, too. */
    store_submit(s->store, b, enrolled, e);
    return 0;
}

void h_enrol(struct request *rq)
{
    const char *token = request_bearer(rq);
    struct server *s = rq->server;
    struct enrol_request q;
    struct enrolling *e;
    struct err err = {0};
    int r = 0;

    if (!rq->secure)
        r = err_set(&err, ERR_INSECURE, "enrolment over plain http from another machine");
    else if (!token || strlen(token) > 128)
        r = err_set(&err, ERR_UNAUTHORISED, "no enrolment token");
    if (r == 0)
        r = enrol_request_parse(rq->body, rq->body_len, &q, &err);
    e = r == 0 ? calloc(1, sizeof *e) : NULL;
    if (r == 0 && !e)
        r = err_set(&err, ERR_NOMEM, "no memory to enrol");
    if (r == 0) {
        e->rq = rq;
        buf_init(&e->answer, CHECKIN_ANSWER_MAX);
        pthread_mutex_lock(&s->site);
        r = enrol(s, &q, token, e, &err);
        pthread_mutex_unlock(&s->site);
    }
    if (r < 0) {
        if (e)
            buf_release(&e->answer);
        free(e);
        log_info("enrol", "refused: %s", err.msg);
        reply_problem(rq, &err);
    }
}
