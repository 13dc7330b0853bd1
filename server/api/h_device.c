/* h_device: what operators do to devices. */
#include <string.h>

#include "api/commit_reply.h"
#include "api/handlers.h"
#include "audit.h"
#include "base/cleanup.h"
#include "base/jsonx.h"
#include "http/http.h"
#include "rollouts/exclude.h"
#include "server.h"
#include "store/store.h"

#define REASON_MAX 500

struct order {
    char token[17], group[GROUP_NAME_MAX], device[DEVICE_ID_LEN + 1];
    char reason[REASON_MAX + 1];
    struct exclusion what;
};

static int read_order(const json_t *body, struct order *o, struct err *err)
{
    struct {
        const char *key;
        char *to;
        size_t size;
        const char **field;
    } kinds[] = {
        {"token", o->token, sizeof o->token, &o->what.token},
        {"group", o->group, sizeof o->group, &o->what.group},
        {"device", o->device, sizeof o->device, &o->what.device},
    };
    int n = 0, r = jsonx_copy(body, "request", "reason", o->reason, sizeof o->reason, err);

    if (r == 0 && !o->reason[0])
        r = err_set(err, ERR_INVALID, "no reason given");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && r == 0; i++) {
        if (!jsonx_has(body, kinds[i].key))
            continue;
        r = jsonx_copy(body, "request", kinds[i].key, kinds[i].to, kinds[i].size, err);
        *kinds[i].field = kinds[i].to;
        n++;
    }
    if (r == 0 && n != 1)
        r = err_set(err, ERR_INVALID, "request: exactly one of token, group and device is needed");
    return r;
}

/* Under the site lock. */
static int exclude(struct request *rq, const struct order *o, struct err *err)
{
    const struct exclusion *x = &o->what;
    const char *kind = x->token ? "token" : x->group ? "group" : "device";
    const char *name = x->token ? x->token : x->group ? x->group : x->device;
    json_auto_t *detail = NULL;
    struct excluded done;
    struct store_batch *b;
    int r = commit_possible(rq->server, err);

    if (r < 0)
        return r;
    b = store_batch_new();
    r = exclude_devices(rq->server, x, b, &done, err);
    if (r < 0) {
        store_batch_free(b);
        return r;
    }
    detail = json_pack("{s:s, s:I, s:I, s:s}", kind, name, "devices", (json_int_t)done.devices,
                       "uses_withdrawn", (json_int_t)done.uses, "reason", o->reason);
    if (audit_add(rq->server, b, rq->who.name, "device.exclude", name, detail) < 0) {
        store_batch_free(b);
        atomic_store(&rq->server->degraded, true); /* memory is ahead of the store */
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    commit_reply(rq, b, NULL, 200,
                 json_pack("{s:I, s:I, s:I}", "devices", (json_int_t)done.devices, "already",
                           (json_int_t)done.already, "uses_withdrawn", (json_int_t)done.uses));
    return 0;
}

void h_exclusion_create(struct request *rq)
{
    json_auto_t *body = NULL;
    struct order o = {0};
    struct err err = {0};
    int r = jsonx_parse(rq->body, rq->body_len, rq->route->body_cap, &body, &err);

    if (r == 0)
        r = read_order(body, &o, &err);
    if (r == 0) {
        pthread_mutex_lock(&rq->server->site);
        r = exclude(rq, &o, &err);
        pthread_mutex_unlock(&rq->server->site);
    }
    if (r < 0)
        reply_problem(rq, &err);
}
