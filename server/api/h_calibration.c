/* h_calibration: the gate without a release (A/A): start, look at, stop. */
#include <stdio.h>

#include "api/commit_reply.h"
#include "api/handlers.h"
#include "base/jsonx.h"
#include "calibrate/calibrate.h"
#include "http/http.h"
#include "pace.h"

#define REQUEST_MAX 4096 /* bytes of a body */

void h_calibration_status(struct request *rq)
{
    json_auto_t *o = NULL;
    struct err err = {0};
    int r;

    pthread_mutex_lock(&rq->server->site);
    r = calibrate_status(rq->server, rq->params[0], &o, &err);
    pthread_mutex_unlock(&rq->server->site);
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, o);
}

/* Strings stay those of *ret_body. */
static int read_request(const struct request *rq, json_t **ret_body, struct calibrate_request *ret,
                        struct err *err)
{
    const struct {
        const char *key;
        int64_t max, *to;
    } numbers[] = {{"rounds", CALIBRATE_MAX_ROUNDS, &ret->rounds},
                   {"lanes", CALIBRATE_MAX_LANES, &ret->lanes},
                   {"share_ppm", PPM, &ret->share_ppm},
                   {"limit_s", CALIBRATE_MAX_LIMIT_S, &ret->limit_s}};
    int r = jsonx_parse(rq->body, rq->body_len, REQUEST_MAX, ret_body, err);

    *ret = (struct calibrate_request){.who = &rq->who, .channel = rq->params[0]};
    /* every member has a default, so that the ones that are asked for do not find this out */
    if (r == 0 && !json_is_object(*ret_body))
        r = err_set(err, ERR_INVALID, "request is not an object");
    if (r == 0 && jsonx_has(*ret_body, "policy"))
        r = jsonx_string(*ret_body, "request", "policy", 64, &ret->policy, err);
    for (size_t i = 0; r == 0 && i < sizeof numbers / sizeof *numbers; i++)
        if (jsonx_has(*ret_body, numbers[i].key))
            r = jsonx_int(*ret_body, "request", numbers[i].key, 1, numbers[i].max, numbers[i].to,
                          err);
    return r;
}

static int start(struct request *rq, struct err *err)
{
    json_auto_t *body = NULL;
    struct calibrate_request q;
    int r = read_request(rq, &body, &q, err);

    return r < 0 ? r : calibrate_start(rq->server, &q, err);
}

static int stop(struct request *rq, struct err *err)
{
    return calibrate_stop(rq->server, &rq->who, rq->params[0], err);
}

static void act(struct request *rq, int status, int (*what)(struct request *rq, struct err *err))
{
    struct server *s = rq->server;
    json_auto_t *answer = NULL;
    struct err err = {0};
    int r;

    pthread_mutex_lock(&s->site);
    r = commit_possible(s, &err);
    if (r == 0)
        r = what(rq, &err);
    if (r == 0)
        r = calibrate_status(s, rq->params[0], &answer, &err);
    pthread_mutex_unlock(&s->site);
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, status, answer);
}

void h_calibration_start(struct request *rq)
{
    act(rq, 201, start);
}

void h_calibration_stop(struct request *rq)
{
    act(rq, 200, stop);
}
