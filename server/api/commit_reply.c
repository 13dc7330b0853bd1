/* commit_reply: see commit_reply.h. */
#include "api/commit_reply.h"

#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "repo/repo.h"
#include "store/store.h"

struct pending {
    struct request *rq;
    struct server *server;
    struct repo_change *change;
    json_t *answer;
    int status;
};

static void committed(void *ctx, int r, const struct err *err)
{
    struct pending *p = ctx;
    struct server *s = p->server;

    if (r < 0) {
        atomic_store(&s->degraded, true);
        if (p->change)
            repo_discard(s->repo, p->change);
        if (s->controller)
            controller_wake(s->controller);
        reply_problem(p->rq, err);
    } else {
        if (p->change)
            repo_publish(s->repo, p->change);
        reply_json(p->rq, p->status, p->answer);
    }
    if (p->answer) {
        /* It may hold a token. */
        const char *token = json_string_value(json_object_get(p->answer, "token"));

        if (token)
            explicit_bzero((char *)(uintptr_t)token, strlen(token));
        json_decref(p->answer);
    }
    free(p);
}

void commit_reply(struct request *rq, struct store_batch *batch, struct repo_change *change,
                  int status, json_t *answer)
{
    struct pending *p = malloc(sizeof *p);
    struct err err = {0};

    if (p && answer) {
        *p = (struct pending){rq, rq->server, change, answer, status};
        store_submit(rq->server->store, batch, committed, p);
        return;
    }
    /* Memory was changed already and nothing is stored: read it again. */
    free(p);
    json_decref(answer);
    store_batch_free(batch);
    if (change)
        repo_discard(rq->server->repo, change);
    atomic_store(&rq->server->degraded, true);
    err_set(&err, ERR_NOMEM, "out of memory");
    reply_problem(rq, &err);
}

int commit_possible(const struct server *s, struct err *err)
{
    int r;

    if (!atomic_load(&s->degraded))
        return 0;
    r = store_failure(s->store, err);
    return r < 0 ? r : err_set(err, ERR_UNAVAILABLE, "the store failed; it is being read again");
}
