/* h_rollout: rollouts over HTTP: what stands, why, and what people do about it. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "api/commit_reply.h"
#include "api/handlers.h"
#include "http/http.h"
#include "manifest.h"
#include "rollouts/rollouts.h"

#define ACT_MAX 4096 /* bytes of a body */

static void show(struct request *rq,
                 int (*what)(struct server *s, const char *channel, json_t **ret, struct err *err))
{
    json_auto_t *o = NULL;
    struct err err = {0};
    int r;

    pthread_mutex_lock(&rq->server->site);
    r = what(rq->server, rq->params[0], &o, &err);
    pthread_mutex_unlock(&rq->server->site);
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, o);
}

void h_rollout_status(struct request *rq)
{
    show(rq, rollouts_status);
}

void h_rollout_explain(struct request *rq)
{
    show(rq, rollouts_explain);
}

void h_rollout_record(struct request *rq)
{
    json_auto_t *o = NULL;
    struct err err = {0};
    int64_t from;
    int r = request_query_int(rq, "from", 0, INT64_MAX - 1, 0, &from, &err);

    if (r == 0)
        r = rollouts_record(rq->server, rq->params[0], rq->params[1], from, &o, &err);
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, o);
}

/* --- acts ------------------------------------------------------------------------------------- */

/* Strings stay those of *ret_body. */
static int read_act(const struct request *rq, json_t **ret_body, struct act *ret, struct err *err)
{
    int r = jsonx_parse(rq->body, rq->body_len, ACT_MAX, ret_body, err);

    *ret = (struct act){.who = &rq->who, .channel = rq->params[0]};
    if (r == 0)
        r = jsonx_string(*ret_body, "request", "version", RELEASE_VERSION_MAX - 1, &ret->version,
                         err);
    if (r == 0 && jsonx_has(*ret_body, "policy"))
        r = jsonx_string(*ret_body, "request", "policy", 64, &ret->policy, err);
    if (r == 0 && jsonx_has(*ret_body, "reason"))
        r = jsonx_string(*ret_body, "request", "reason", 2000, &ret->reason, err);
    return r;
}

static int start(struct server *s, const struct act *a, bool *ret_waiting, struct err *err)
{
    *ret_waiting = false;
    if (!a->policy)
        return err_set(err, ERR_INVALID, "request: 'policy' is missing");
    return rollouts_start(s, a, err);
}

static int halt(struct server *s, const struct act *a, bool *ret_waiting, struct err *err)
{
    *ret_waiting = false;
    return rollouts_halt(s, a, err);
}

static void act(struct request *rq, int done_status,
                int (*what)(struct server *s, const struct act *a, bool *ret_waiting,
                            struct err *err))
{
    json_auto_t *body = NULL, *answer = NULL;
    struct server *s = rq->server;
    bool waiting = false;
    struct err err = {0};
    struct act a;
    int r = read_act(rq, &body, &a, &err);

    if (r == 0) {
        pthread_mutex_lock(&s->site);
        r = commit_possible(s, &err);
        if (r == 0)
            r = what(s, &a, &waiting, &err);
        if (r == 0 && !waiting)
            r = rollouts_status(s, a.channel, &answer, &err);
        pthread_mutex_unlock(&s->site);
    }
    if (r < 0) {
        reply_problem(rq, &err);
        return;
    }
    if (waiting)
        answer = json_pack("{s:s, s:s}", "state", "waiting", "message",
                           "a second person, an approver, must promote it too");
    reply_json(rq, waiting ? 202 : done_status, answer);
}

void h_rollout_start(struct request *rq)
{
    act(rq, 201, start);
}

void h_rollout_halt(struct request *rq)
{
    act(rq, 200, halt);
}

void h_rollout_promote(struct request *rq)
{
    act(rq, 200, rollouts_promote);
}
