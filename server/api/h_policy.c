/* h_policy: the policies that a rollout may be started with, and those that would be refused. */
#include "api/handlers.h"
#include "http/http.h"
#include "policy_file.h"

static int add(void *ctx, const char *name, const struct policy *p, const struct err *why,
               struct err *err)
{
    json_t *o = p ? policy_to_json(p) : json_pack("{s:s, s:s}", "name", name, "refused", why->msg);

    return json_array_append_new(ctx, o) < 0 ? err_set(err, ERR_NOMEM, "out of memory") : 0;
}

void h_policies(struct request *rq)
{
    json_auto_t *answer = json_pack("{s:[]}", "policies");
    struct err err = {0};
    int r = policy_each(rq->server->config.policies_dir, add, json_object_get(answer, "policies"),
                        &err);

    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, answer);
}
