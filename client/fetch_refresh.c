/*
 * fetch: the refresh job: the TUF client over HTTP. Each file that comes is also written below
 * incoming/, laid out as the repository. Trusted metadata is only read: what this run accepts is
 * kept in memory and forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "checkin.h"
#include "fetch.h"
#include "layout.h"
#include "tuf/client.h"
#include "tuf/store_memory.h"
#include "walk.h"

/* Paths come from metadata that may not be kind: nothing may leave incoming/. */
static int keep(const struct fetch *f, const char *path, const struct buf *b, struct err *err)
{
    struct path full, dir;
    _cleanup_(close_p)
    int fd = -1;
    int r = path_check(path, err);

    if (r < 0)
        return r;
    layout_at(&full, f->state_dir, LAYOUT_INCOMING "/%s", path);
    dir = full;
    *strrchr(dir.s, '/') = '\0';
    r = file_mkdir_p(dir.s, 0755, err);
    if (r < 0)
        return r;
    fd = open(full.s, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, errno, "create '%s'", full.s);
    return file_write_all(fd, b->data, b->len, err);
}

static int get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    const struct fetch *f = ctx;
    struct http_response rs = {0};
    char url[TUF_TARGET_MAX + 128];
    struct http_request rq = {.method = "GET", .path = url};
    int r;

    if ((size_t)snprintf(url, sizeof url, FETCH_REPO_PATH "/%s", path) >= sizeof url)
        return err_set(err, ERR_INVALID, "the path of a file is too long");
    buf_init(&rs.body, ret->cap);
    r = http_do(f->http, &rq, &rs, err);
    if (r == 0 && rs.status == 404)
        r = err_set(err, ERR_NOT_FOUND, "the server has no '%s'", path);
    else if (r == 0 && rs.status >= 400)
        r = http_problem(&rs, path, err);
    else if (r == 0 && rs.status != 200)
        r = err_set(err, ERR_UNREACHABLE, "'%s' was answered with status %d", path, rs.status);
    if (r == 0)
        r = keep(f, path, &rs.body, err);
    if (r == 0 && buf_add(ret, rs.body.data, rs.body.len) < 0)
        r = err_set(err, ERR_TOO_LARGE, "'%s' is too large", path);
    buf_release(&rs.body);
    return r;
}

/* What an earlier run left must not be taken for what the server says now. */
static int clear(const struct fetch *f, struct err *err)
{
    struct path p;
    int r = file_remove_tree(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/metadata"), err);

    return r < 0 ? r
                 : file_remove_tree(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/targets"), err);
}

static int walk_channels(const struct fetch *f, struct tuf_client *client, int64_t now_s,
                         struct err *err)
{
    struct walk w = {.client = client, .now_s = now_s, .state_dir = f->state_dir};
    json_t *list, *item;
    size_t i;
    int r = jsonx_string(f->job, "job", "cohort", COHORT_NAME_MAX - 1, &w.cohort, err);

    if (r == 0)
        r = jsonx_array(f->job, "job", "channels", CHECKIN_MAX_CHANNELS, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        const char *name = json_string_value(item);

        r = name ? channel_name_check(name, err)
                 : err_set(err, ERR_INVALID, "job: 'channels[%zu]' is not a name", i);
        if (r == 0)
            r = walk_channel(&w, name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int fetch_refresh(const struct fetch *f, json_t *result, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    struct tuf_fetch fetch = {.get = get, .ctx = (void *)f};
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = NULL;
    struct tuf_store below, store;
    const char *repository;
    struct path dir;
    int64_t now_s;
    int r = jsonx_string(f->job, "job", "repository", 64, &repository, err);

    (void)result;
    if (r == 0)
        r = jsonx_int(f->job, "job", "now_s", 0, INT64_C(1) << 40, &now_s, err);
    if (r == 0)
        r = clear(f, err);
    if (r < 0)
        return r;
    below = tuf_store_dir(layout_at(&dir, f->state_dir, "tuf/%s", repository));
    memory = tuf_memory_new(&below);
    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    store = tuf_memory_store(memory);
    r = tuf_client_new(&store, &fetch, &client, err);
    if (r == 0)
        r = tuf_client_refresh(client, now_s, err);
    return r < 0 ? r : walk_channels(f, client, now_s, err);
}
