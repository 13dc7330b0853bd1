/* remote: see remote.h. */
#include "remote.h"

#include <string.h>

#include "tuf/name.h"

#define URL_PATH_MAX     2048
#define ANSWER_MS        30000
#define SLOWEST_BYTES_MS 64 /* an answer may take as long as this rate needs for its cap, too */

int remote_open(struct remote *r, const char *metadata_url, const char *targets_url,
                struct err *err)
{
    const struct http_options metadata = {.base_url = metadata_url};
    const struct http_options targets = {.base_url = targets_url};
    int e;

    *r = (struct remote){0};
    e = http_client_new(&metadata, &r->metadata, err);
    if (e == 0 && targets_url)
        e = http_client_new(&targets, &r->targets, err);
    if (e < 0)
        remote_release(r);
    return e;
}

void remote_release(struct remote *r)
{
    http_client_free(r->metadata);
    http_client_free(r->targets);
    *r = (struct remote){0};
}

static int get(struct http_client *http, const char *path, struct buf *ret, struct err *err)
{
    const struct http_request rq = {.method = "GET",
                                    .path = path,
                                    .timeout_ms =
                                        ANSWER_MS + (int64_t)(ret->cap / SLOWEST_BYTES_MS)};
    struct http_response rs = {0};
    int r;

    buf_init(&rs.body, ret->cap);
    r = http_do(http, &rq, &rs, err);
    /* The page that says so may be longer than the file would be. */
    if (rs.status == 404)
        r = err_set(err, ERR_NOT_FOUND, "the repository has no '%.128s'", path);
    else if (rs.status == 403)
        r = err_set(err, ERR_FORBIDDEN, "the repository does not give '%.128s'", path);
    else if (r == 0 && rs.status != 200)
        r = http_problem(&rs, path, err);
    if (r == 0 && buf_add(ret, rs.body.data, rs.body.len) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    buf_release(&rs.body);
    return r;
}

/* The client quotes role names itself; target paths come as they are signed. */
static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct remote *remote = ctx;
    char quoted[URL_PATH_MAX];
    int r;

    if (strncmp(path, "metadata/", 9) == 0)
        return get(remote->metadata, path + 8, ret, err);
    if (strncmp(path, "targets/", 8) != 0 || !remote->targets)
        return err_set(err, ERR_INTERNAL, "nowhere to fetch '%.128s' from", path);
    r = name_quote_path(path + 7, quoted, sizeof quoted, err);
    return r < 0 ? r : get(remote->targets, quoted, ret, err);
}

struct tuf_fetch remote_fetch(struct remote *r)
{
    return (struct tuf_fetch){.get = fetch, .ctx = r};
}
