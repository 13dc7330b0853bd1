/* h_repo: the TUF repository and blobs, from memory, to anyone. Everything is signed or named by
 * its digest; only timestamp.json and the content roles' newest metadata ever change. */
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

/* "content-<channel>.json": the newest, whatever snapshot lists it. No TUF client asks for it;
 * whoever looks for revocations does, here or at any mirror. */
static bool names_newest_content(const char *name, char ret_channel[CHANNEL_NAME_MAX])
{
    static const char prefix[] = "content-", suffix[] = ".json";
    size_t len = strlen(name), rest = sizeof prefix + sizeof suffix - 2;

    if (len <= rest || len - rest >= CHANNEL_NAME_MAX ||
        strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        strcmp(name + len - (sizeof suffix - 1), suffix) != 0)
        return false;
    snprintf(ret_channel, CHANNEL_NAME_MAX, "%.*s", (int)(len - rest), name + sizeof prefix - 1);
    return true;
}

void h_repo_metadata(struct request *rq)
{
    char channel[CHANNEL_NAME_MAX];
    _cleanup_(blob_unref_p)
    struct blob *b = NULL;

    if (!names_newest_content(rq->params[0], channel)) {
        reply_repo(rq, "metadata");
        return;
    }
    b = repo_content_metadata(rq->server->repo, channel);
    reply_file(rq, b, "application/json", REVALIDATE);
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
