/* h_token: new enrolment tokens and operators. A token is in the answer once, and kept as a hash.
 */
#include <string.h>

#include "audit.h"
#include "auth.h"
#include "base/cleanup.h"
#include "base/jsonx.h"
#include "api/commit_reply.h"
#include "api/handlers.h"
#include "http/http.h"
#include "store/store.h"

#define USES_MAX 10000000

/* What is asked for, and what was made of it. */
struct order {
    char name[OPERATOR_NAME_MAX > GROUP_NAME_MAX ? OPERATOR_NAME_MAX : GROUP_NAME_MAX];
    enum role role;
    int64_t uses;
    char token[64], id[17];
};

/* --- the two kinds --------------------------------------------------------------------------- */

static int read_enrolment(const json_t *body, struct order *o, struct err *err)
{
    int r = jsonx_copy(body, "request", "group", o->name, sizeof o->name, err);

    o->uses = 1;
    if (r == 0 && jsonx_has(body, "uses"))
        r = jsonx_int(body, "request", "uses", 1, USES_MAX, &o->uses, err);
    return r;
}

static json_t *make_enrolment(struct request *rq, struct order *o, struct store_batch *b,
                              struct err *err)
{
    json_auto_t *detail = json_pack("{s:s, s:I}", "group", o->name, "uses", (json_int_t)o->uses);

    if (auth_add_enrolment(rq->server, o->name, o->uses, o->token, o->id, b, err) < 0)
        return NULL;
    if (audit_add(rq->server, b, rq->who.name, "enrolment.create", o->id, detail) < 0)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:I}", "token", o->token, "id", o->id, "group", o->name,
                     "uses", (json_int_t)o->uses);
}

static int read_operator(const json_t *body, struct order *o, struct err *err)
{
    const char *role;
    int r = jsonx_copy(body, "request", "name", o->name, sizeof o->name, err);

    if (r == 0)
        r = jsonx_string(body, "request", "role", 32, &role, err);
    if (r == 0 && role_from(role, &o->role) < 0)
        r = err_set(err, ERR_INVALID, "request: '%.32s' is not a role", role);
    return r;
}

static json_t *make_operator(struct request *rq, struct order *o, struct store_batch *b,
                             struct err *err)
{
    json_auto_t *detail = json_pack("{s:s}", "role", role_name(o->role));

    if (auth_add_operator(rq->server, o->name, o->role, o->token, b, err) < 0)
        return NULL;
    if (audit_add(rq->server, b, rq->who.name, "operator.create", o->name, detail) < 0)
        return NULL;
    return json_pack("{s:s, s:s, s:s}", "token", o->token, "name", o->name, "role",
                     role_name(o->role));
}

/* --- both ------------------------------------------------------------------------------------ */

/* Under the site lock. */
static int make(struct request *rq, struct order *o,
                json_t *(*how)(struct request *, struct order *, struct store_batch *,
                               struct err *),
                struct err *err)
{
    struct store_batch *b;
    json_t *answer;
    int r = commit_possible(rq->server, err);

    if (r < 0)
        return r;
    b = store_batch_new();
    answer = how(rq, o, b, err);
    if (!answer) {
        store_batch_free(b);
        if (err->code) /* refused before anything was changed */
            return -(int)err->code;
        /* The audit log's head may be ahead of the store: have it read again. */
        atomic_store(&rq->server->degraded, true);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    commit_reply(rq, b, NULL, 201, answer);
    return 0;
}

static void create(struct request *rq, int (*read)(const json_t *, struct order *, struct err *),
                   json_t *(*how)(struct request *, struct order *, struct store_batch *,
                                  struct err *))
{
    json_auto_t *body = NULL;
    struct server *s = rq->server;
    struct order o = {0};
    struct err err = {0};
    int r = jsonx_parse(rq->body, rq->body_len, rq->route->body_cap, &body, &err);

    if (r == 0)
        r = read(body, &o, &err);
    if (r == 0) {
        pthread_mutex_lock(&s->site);
        r = make(rq, &o, how, &err);
        pthread_mutex_unlock(&s->site);
    }
    explicit_bzero(o.token, sizeof o.token);
    if (r < 0)
        reply_problem(rq, &err);
}

void h_enrolment_create(struct request *rq)
{
    create(rq, read_enrolment, make_enrolment);
}

void h_operator_create(struct request *rq)
{
    create(rq, read_operator, make_operator);
}
