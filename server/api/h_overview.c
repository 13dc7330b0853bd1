/* h_overview: GET /api/v1/overview, everything that the page shows, in one answer. */
#include <string.h>

#include "audit.h"
#include "api/handlers.h"
#include "http/http.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define AUDIT_SHOWN 20

struct tail {
    json_t *rows; /* oldest first, at most AUDIT_SHOWN */
};

static int on_audit(void *ctx, const struct row_audit *row, struct err *err)
{
    struct tail *t = ctx;
    json_t *detail = json_loads(row->detail && row->detail[0] ? row->detail : "{}", 0, NULL);

    (void)err;
    json_array_append_new(t->rows, json_pack("{s:I, s:I, s:s, s:s, s:s, s:s?}", "seq",
                                             (json_int_t)row->seq, "at_ms", (json_int_t)row->at_ms,
                                             "actor", row->actor, "action", row->action, "subject",
                                             row->subject ? row->subject : "", "reason",
                                             json_string_value(json_object_get(detail, "reason"))));
    json_decref(detail);
    return 0;
}

static json_t *audit_tail(struct server *s, int64_t last)
{
    struct tail t = {.rows = json_array()};
    struct err err = {0};

    store_audit_after(s->store, last > AUDIT_SHOWN ? last - AUDIT_SHOWN : 0, AUDIT_SHOWN, on_audit,
                      &t, &err);
    return t.rows;
}

static json_t *server_to_json(struct server *s)
{
    return json_pack("{s:s, s:I, s:I, s:b}", "version", FIREBREAK_VERSION, "now_ms",
                     (json_int_t)clock_wall_ms(s->clock), "snapshot_version",
                     (json_int_t)repo_snapshot_version(s->repo), "degraded",
                     atomic_load(&s->degraded));
}

static json_t *expiry_to_json(struct server *s)
{
    struct repo_role roles[REPO_ROLES_MAX];
    size_t n = repo_roles(s, roles);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:b}", "role", roles[i].name,
                                              "expires_s", (json_int_t)roles[i].expires_s,
                                              "expires_in_s", (json_int_t)roles[i].expires_in_s,
                                              "warn", (int)roles[i].warn));
    return list;
}

void h_overview(struct request *rq)
{
    struct server *s = rq->server;
    json_auto_t *o = NULL;
    int64_t last;

    pthread_mutex_lock(&s->site);
    o = rollouts_overview(s);
    last = audit_last(s->audit);
    pthread_mutex_unlock(&s->site);
    json_object_set_new(o, "server", server_to_json(s));
    json_object_set_new(o, "expiry", expiry_to_json(s));
    json_object_set_new(o, "audit", audit_tail(s, last));
    reply_json(rq, 200, o);
}
