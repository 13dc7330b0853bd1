/* fetch: blobs and posts. See fetch.h; refresh is in fetch_refresh.c. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "apply/copy.h"
#include "fetch/fetch.h"
#include "fetch/fetch_source.h"
#include "field.h"
#include "layout.h"
#include "manifest.h"

#define MAX_HEADERS 16
#define BODY_MAX    1000000

static bool is_blob(int fd, const char *path, const char *sha256, int64_t length)
{
    struct stat st;

    return fstat(fd, &st) == 0 && copy_check(path, st.st_mode & 07777, sha256, length, NULL) == 0;
}

/* A mirror is anybody's: what it sends is looked at before the next one is left out. What another
 * source began may be to blame: then once more from the start. */
static bool from_mirror(const struct fetch *f, size_t i, const char *path, int fd, const char *file,
                        const char *sha256, int64_t length)
{
    for (int tries = 0; tries < 2; tries++) {
        struct stat st;
        struct err why = {0};

        if (fstat(fd, &st) < 0 || fetch_from_file(f->sources, i, path, fd, length, &why) < 0)
            return false;
        if (is_blob(fd, file, sha256, length))
            return true;
        if (ftruncate(fd, 0) < 0 || st.st_size == 0)
            break;
    }
    fetch_give_up(f->sources, i);
    return false;
}

static int fetch_blob(const struct fetch *f, const char *sha256, int64_t length, struct err *err)
{
    struct path p, path;
    _cleanup_(close_p)
    int fd = open(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/blobs/%s", sha256),
                  O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, errno, "open '%s'", p.s);
    if (st.st_size == length)
        return 0;
    if (st.st_size > length && ftruncate(fd, 0) < 0)
        return err_errno(err, errno, "truncate '%s'", p.s);
    snprintf(path.s, sizeof path.s, "blobs/%.2s/%s", sha256, sha256);
    r = fetch_from_file(f->sources, 0, path.s, fd, length, err);
    for (size_t i = 1; r < 0 && i < fetch_n_sources(f->sources); i++)
        if (from_mirror(f, i, path.s, fd, p.s, sha256, length))
            return 0;
    return err_context(err, r, "blob %.12s", sha256);
}

int fetch_blobs(const struct fetch *f, json_t *result, struct err *err)
{
    json_t *list, *item;
    struct path p;
    size_t i;
    int r = jsonx_array(f->job, "job", "blobs", MANIFEST_MAX_FILES, &list, err);

    (void)result;
    if (r == 0)
        r = file_mkdir_p(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/blobs"), 0755, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        char sha256[65];
        int64_t length;

        r = jsonx_sha256(item, "blob", "sha256", sha256, err);
        if (r == 0)
            r = jsonx_int(item, "blob", "length", 0, MANIFEST_FILE_MAX, &length, err);
        if (r == 0)
            r = fetch_blob(f, sha256, length, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_headers(const json_t *job, const char *ret[MAX_HEADERS + 1], struct err *err)
{
    json_t *list, *item;
    size_t i;
    int r = jsonx_array(job, "job", "headers", MAX_HEADERS, &list, err);

    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        ret[i] = json_string_value(item);
        if (!ret[i])
            return err_set(err, ERR_INVALID, "job: 'headers[%zu]' is not text", i);
    }
    ret[json_array_size(list)] = NULL;
    return 0;
}

/* The server's problem document, read here, so that the privileged side need not. */
static int add_problem(const struct http_response *rs, const char *path, json_t *result,
                       struct err *err)
{
    struct err why = {0};

    http_problem(rs, path, &why);
    return field_set(result, "problem",
                     json_pack("{s:s, s:s, s:s}", "code", err_slug(why.code), "message", why.msg,
                               "remedy", err_show_remedy(&why)),
                     err);
}

int fetch_post(const struct fetch *f, json_t *result, struct err *err)
{
    const char *headers[MAX_HEADERS + 1];
    struct http_request rq = {.method = "POST",
                              .headers = headers,
                              .bearer = json_string_value(json_object_get(f->job, "bearer"))};
    struct http_response rs = {0};
    const char *body;
    int64_t cap;
    int r = read_headers(f->job, headers, err);

    if (r == 0)
        r = jsonx_string(f->job, "job", "path", 256, &rq.path, err);
    if (r == 0)
        r = jsonx_string(f->job, "job", "body", BODY_MAX, &body, err);
    if (r == 0)
        r = jsonx_int(f->job, "job", "cap", 1, BODY_MAX, &cap, err);
    if (r < 0)
        return r;
    rq.body = body;
    rq.body_len = strlen(body);
    buf_init(&rs.body, (size_t)cap);
    r = http_do(fetch_server(f->sources), &rq, &rs, err);
    if (r == 0)
        r = field_set(result, "status", json_integer(rs.status), err);
    if (r == 0)
        r = field_set(result, "retry_after_s", json_integer(rs.retry_after_s), err);
    if (r == 0 && (memchr(rs.body.data, '\0', rs.body.len) ||
                   field_set(result, "body", json_stringn(rs.body.data, rs.body.len), NULL) < 0))
        r = err_set(err, ERR_INVALID, "the server's answer is not text");
    if (r == 0 && rs.status >= 400)
        r = add_problem(&rs, rq.path, result, err);
    buf_release(&rs.body);
    return r;
}
