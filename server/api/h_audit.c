/* h_audit: the audit log, page by page, as its chain hashes it. */
#include "audit.h"
#include "api/handlers.h"
#include "http/http.h"
#include "store/store.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000

static int add(void *ctx, const struct row_audit *row, struct err *err)
{
    return json_array_append_new(ctx, audit_to_json(row)) < 0
               ? err_set(err, ERR_NOMEM, "out of memory")
               : 0;
}

void h_audit(struct request *rq)
{
    json_t *entries = json_array();
    json_auto_t *answer = json_pack("{s:o}", "entries", entries);
    int64_t after, limit;
    struct err err = {0};
    int r = request_query_int(rq, "after", 0, INT64_MAX, 0, &after, &err);

    if (r == 0)
        r = request_query_int(rq, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, &err);
    if (r == 0)
        r = store_audit_after(rq->server->store, after, limit, add, entries, &err);
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, answer);
}
