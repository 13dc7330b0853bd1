/* h_release: blobs and releases on their way in, and what a channel has. */
#include <string.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "repo/blob.h"
#include "api/commit_reply.h"
#include "api/handlers.h"
#include "http/http.h"
#include "rollouts/rollouts.h"
#include "store/store.h"
#include "tuf/metadata.h"

#define MISSING_MAX 16384 /* digests in one question */

/* --- blobs ----------------------------------------------------------------------------------- */

void h_blob_put(struct request *rq)
{
    const char *sha256 = rq->params[0];
    json_auto_t *answer = NULL;
    struct err err = {0};
    int r = repo_put_blob(rq->server->repo, sha256, rq->body, rq->body_len, &err);

    if (r < 0) {
        reply_problem(rq, &err);
        return;
    }
    answer = json_pack("{s:s, s:I}", "sha256", sha256, "length", (json_int_t)rq->body_len);
    reply_json(rq, 201, answer);
}

static int list_missing(struct request *rq, json_t *ret, struct err *err)
{
    json_auto_t *body = NULL;
    json_t *list, *item;
    size_t i;
    int r = jsonx_parse(rq->body, rq->body_len, rq->route->body_cap, &body, err);

    if (r == 0)
        r = jsonx_array(body, "request", "sha256", MISSING_MAX, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        const char *sha256 = json_string_value(item);

        if (!sha256 || !hex_is(sha256, SHA256_HEX_LEN))
            return err_set(err, ERR_INVALID, "request: 'sha256[%zu]' is not 64 hexadecimal digits",
                           i);
        if (!repo_has_blob(rq->server->repo, sha256, NULL))
            json_array_append(ret, item);
    }
    return 0;
}

void h_blobs_missing(struct request *rq)
{
    json_t *missing = json_array();
    json_auto_t *answer = json_pack("{s:o}", "missing", missing);
    struct err err = {0};

    if (list_missing(rq, missing, &err) < 0)
        reply_problem(rq, &err);
    else
        reply_json(rq, 200, answer);
}

/* --- releases -------------------------------------------------------------------------------- */

struct texts {
    const char *manifest, *content; /* of the body */
};

static int read_texts(const struct request *rq, json_t **ret_body, struct texts *ret,
                      struct err *err)
{
    int r = jsonx_parse(rq->body, rq->body_len, rq->route->body_cap, ret_body, err);

    if (r == 0)
        r = jsonx_string(*ret_body, "request", "manifest", MANIFEST_MAX, &ret->manifest, err);
    if (r == 0)
        r = jsonx_string(*ret_body, "request", "content_metadata", TUF_TARGETS_MAX, &ret->content,
                         err);
    return r;
}

/* The very same release again, as after a lost answer: it is there, so that is the answer. */
static json_t *published_already(struct request *rq, const struct texts *t)
{
    _cleanup_(blob_unref_p)
    struct blob *present = repo_content_metadata(rq->server->repo, rq->params[0]);
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char digest[SHA256_HEX_LEN + 1];
    const void *data;
    size_t len;

    sha256_hex(t->manifest, strlen(t->manifest), digest);
    if (!present || repo_release_by_digest(rq->server, rq->params[0], digest, &m, NULL) < 0)
        return NULL;
    data = blob_data(present, &len);
    if (len != strlen(t->content) || memcmp(data, t->content, len) != 0)
        return NULL;
    return json_pack("{s:s, s:s, s:I}", "version", m->version, "digest", m->digest, "sequence",
                     (json_int_t)m->sequence);
}

/* Under the site lock. */
static int take_in(struct request *rq, const struct texts *t, struct err *err)
{
    struct server *s = rq->server;
    struct store_batch *b = store_batch_new();
    struct repo_change *change = NULL;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    int r = commit_possible(s, err);

    if (r == 0)
        r = repo_stage_release(s, rq->params[0], t->manifest, strlen(t->manifest), t->content,
                               strlen(t->content), rq->who.name, b, &change, &m, err);
    if (r == 0)
        r = rollouts_obey_revocations(s, rq->who.name, b, &change, err);
    if (r < 0) {
        if (change)
            repo_discard(s->repo, change);
        store_batch_free(b);
        return r;
    }
    commit_reply(rq, b, change, 201,
                 json_pack("{s:s, s:s, s:I, s:I}", "version", m->version, "digest", m->digest,
                           "sequence", (json_int_t)m->sequence, "snapshot_version",
                           (json_int_t)repo_change_snapshot(change)));
    return 0;
}

void h_release_post(struct request *rq)
{
    struct server *s = rq->server;
    json_auto_t *body = NULL, *again = NULL;
    struct texts t;
    struct err err = {0};
    int r = read_texts(rq, &body, &t, &err);

    if (r == 0 && (again = published_already(rq, &t))) {
        reply_json(rq, 200, again);
        return;
    }
    if (r == 0) {
        pthread_mutex_lock(&s->site);
        r = take_in(rq, &t, &err);
        pthread_mutex_unlock(&s->site);
    }
    if (r < 0)
        reply_problem(rq, &err);
}

static int check_channel(const struct request *rq, struct err *err)
{
    if (repo_has_channel(rq->server->repo, rq->params[0]))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "there is no channel '%.60s'", rq->params[0]);
}

void h_releases(struct request *rq)
{
    json_auto_t *answer = NULL;
    struct err err = {0};

    if (check_channel(rq, &err) < 0) {
        reply_problem(rq, &err);
        return;
    }
    answer = json_pack("{s:s, s:o}", "channel", rq->params[0], "releases",
                       repo_releases(rq->server->repo, rq->params[0]));
    reply_json(rq, 200, answer);
}

void h_content_metadata(struct request *rq)
{
    _cleanup_(blob_unref_p)
    struct blob *b = repo_content_metadata(rq->server->repo, rq->params[0]);
    struct err err = {0};

    if (b) {
        reply_blob(rq, b, "application/json", "no-cache");
        return;
    }
    if (check_channel(rq, &err) == 0)
        err_set(&err, ERR_NOT_FOUND, "channel '%.60s' has no release yet", rq->params[0]);
    reply_problem(rq, &err);
}
