/* h_repository: the repository as a whole: what stands in it, and metadata that was signed offline
 * on its way in. */
#include <stdlib.h>
#include <string.h>

#include "api/commit_reply.h"
#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/jsonx.h"
#include "http/http.h"
#include "intake.h"
#include "tuf/metadata.h"

void h_repository(struct request *rq)
{
    json_auto_t *o = NULL;
    struct err err = {0};

    if (repo_status(rq->server, &o, &err) < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, o);
}

/* --- on its way in --------------------------------------------------------------------------- */

struct upload {
    json_t *body;
    struct repo_upload files[REPO_UPLOADS_MAX];
    size_t n;
};

/* Texts stay those of the body. */
static int read_upload(const struct request *rq, struct upload *ret, struct err *err)
{
    json_t *list, *item;
    size_t i;
    int r = jsonx_parse(rq->body, rq->body_len, rq->route->body_cap, &ret->body, err);

    if (r == 0)
        r = jsonx_array(ret->body, "request", "files", REPO_UPLOADS_MAX, &list, err);
    if (r == 0 && json_array_size(list) == 0)
        r = err_set(err, ERR_INVALID, "request: 'files' is empty");
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        struct repo_upload *u = &ret->files[ret->n++];

        r = jsonx_string(item, "request: files", "role", TUF_ROLE_NAME_MAX - 1, &u->role, err);
        if (r == 0)
            r = jsonx_string(item, "request: files", "text", TUF_TARGETS_MAX, &u->text, err);
        if (r < 0)
            return r;
        u->len = strlen(u->text);
    }
    return 0;
}

static json_t *answer(struct server *s, const struct upload *up)
{
    json_t *list = json_array();

    for (size_t i = 0; i < up->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "role", up->files[i].role,
                                              "version", (json_int_t)up->files[i].version, "state",
                                              up->files[i].taken ? "taken" : "unchanged"));
    return json_pack("{s:I, s:o}", "snapshot_version", (json_int_t)repo_snapshot_version(s->repo),
                     "files", list);
}

void h_repository_post(struct request *rq)
{
    struct server *s = rq->server;
    _cleanup_(free_p)
    struct upload *up = calloc(1, sizeof *up);
    json_auto_t *o = NULL;
    struct err err = {0};
    int r = up ? read_upload(rq, up, &err) : err_set(&err, ERR_NOMEM, "out of memory");

    if (r == 0) {
        pthread_mutex_lock(&s->site);
        r = commit_possible(s, &err);
        if (r == 0)
            r = intake_take(s, up->files, up->n, rq->who.name, &err);
        if (r == 0)
            o = answer(s, up);
        pthread_mutex_unlock(&s->site);
    }
    if (r < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, o);
    if (up)
        json_decref(up->body);
}
