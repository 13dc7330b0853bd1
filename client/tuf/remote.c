/* remote: see remote.h. */
#include "remote.h"

#include <string.h>

#include "tuf/name.h"

#define URL_PATH_MAX     2048
#define ANSWER_MS        30000
#define SLOWEST_BYTES_MS 64 /* an answer may take as long as this rate needs for its cap, too */

int remote_open(struct remote *r, const struct clock *clock, const char *metadata_url,
                const char *targets_url, struct err *err)
{
    const struct http_options metadata = {.base_url = metadata_url};
    const struct http_options targets = {.base_url = targets_url};
    int e;

    *r = (struct remote){.clock = clock,
                         .until_ms = clock_awake_ms(clock) + REMOTE_METADATA_S * INT64_C(1000)};
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

/* How long an answer of so many bytes may take, if nothing else bounds it. */
static int64_t timeout_ms(size_t cap)
{
    return ANSWER_MS + (int64_t)(cap / SLOWEST_BYTES_MS);
}

static int get(struct http_client *http, const char *path, int64_t within_ms, struct buf *ret,
               struct err *err)
{
    const struct http_request rq = {.method = "GET", .path = path, .timeout_ms = within_ms};
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
    if (r < 0) {
        buf_release(&rs.body);
        return r;
    }
    buf_release(ret); /* not copied: a target may be all that memory holds */
    *ret = rs.body;
    return 0;
}

/* A repository with many roots may take long, but not for ever. */
static int get_metadata(struct remote *r, const char *path, struct buf *ret, struct err *err)
{
    int64_t left_ms = r->until_ms - clock_awake_ms(r->clock);
    int64_t most_ms = timeout_ms(ret->cap);

    if (left_ms <= 0)
        return err_set(err, ERR_TIMEOUT, "the repository's metadata takes more than %d s",
                       REMOTE_METADATA_S);
    return get(r->metadata, path, left_ms < most_ms ? left_ms : most_ms, ret, err);
}

/* The client quotes role names itself; target paths come as they are signed. */
static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct remote *remote = ctx;
    char quoted[URL_PATH_MAX];
    int r;

    if (strncmp(path, "metadata/", 9) == 0)
        return get_metadata(remote, path + 8, ret, err);
    if (strncmp(path, "targets/", 8) != 0 || !remote->targets)
        return err_set(err, ERR_INTERNAL, "nowhere to fetch '%.128s' from", path);
    r = name_quote_path(path + 7, quoted, sizeof quoted, err);
    return r < 0 ? r : get(remote->targets, quoted, timeout_ms(ret->cap), ret, err);
}

struct tuf_fetch remote_fetch(struct remote *r)
{
    return (struct tuf_fetch){.get = fetch, .ctx = r};
}
