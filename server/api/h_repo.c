/* h_repo: the TUF repository and blobs, from memory, to anyone. Everything is signed or named by
 * its digest; only timestamp.json ever changes. */
#include <string.h>

#include "base/cleanup.h"
#include "repo/blob.h"
#include "api/handlers.h"
#include "http/http.h"

#define FOR_EVER   "public, max-age=31536000, immutable"
#define REVALIDATE "no-cache"

static void reply_file(struct request *rq, struct blob *b, const char *type, const char *cache)
{
    struct err err = {0};

    if (b) {
        reply_blob(rq, b, type, cache);
        return;
    }
    err_set(&err, ERR_NOT_FOUND, "there is no '%.200s'", rq->path);
    reply_problem(rq, &err);
}

/* One of /repo/metadata/{} and /repo/targets/{}. */
static void reply_repo(struct request *rq, const char *folder)
{
    _cleanup_(blob_unref_p)
    struct blob *b = NULL;
    char path[1024];
    bool changes = strcmp(rq->params[0], "timestamp.json") == 0;
    int n = snprintf(path, sizeof path, "%s/%s", folder, rq->params[0]);

    if (n > 0 && (size_t)n < sizeof path)
        b = repo_get(rq->server->repo, path);
    reply_file(rq, b, "application/json", changes ? REVALIDATE : FOR_EVER);
}

void h_repo_metadata(struct request *rq)
{
    reply_repo(rq, "metadata");
}

void h_repo_targets(struct request *rq)
{
    reply_repo(rq, "targets");
}

void h_repo_blob(struct request *rq)
{
    const char *sha256 = rq->params[1];
    _cleanup_(blob_unref_p)
    struct blob *b = NULL;

    if (strlen(rq->params[0]) == 2 && strncmp(rq->params[0], sha256, 2) == 0)
        b = repo_get_blob(rq->server->repo, sha256);
    reply_file(rq, b, "application/octet-stream", FOR_EVER);
}
