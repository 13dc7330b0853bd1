/* repo_source: see repo_source.h. */
#include "repository/repo_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "api.h"
#include "base/file.h"
#include "manifest.h"
#include "net/http.h"
#include "release/release_tree.h"
#include "tuf/name.h"

#define URL_PATH_MAX 2048
#define ANSWER_MS    30000
#define SLOWEST_KB_S 64 /* an answer may take as long as this rate needs for its cap, too */
#define PROBLEM_MAX  65536

struct repo_source {
    struct http_client *http; /* NULL: a folder */
    char *name;               /* address or folder */
};

void repo_source_free(struct repo_source *s)
{
    if (!s)
        return;
    http_client_free(s->http);
    free(s->name);
    free(s);
}

const char *repo_source_name(const struct repo_source *s)
{
    return s->name;
}

bool repo_source_is_away(int r)
{
    return r == -ERR_UNREACHABLE || r == -ERR_TIMEOUT || r == -ERR_IO || r == -ERR_NOMEM ||
           r == -ERR_FULL;
}

static int choose(const struct cli *cli, struct repo_source *s, struct err *err)
{
    const char *dir = cli_get(cli, "dir"), *url = cli_get(cli, "url"), *server = api_server(cli);

    if (dir && url)
        return err_set(err, ERR_USAGE, "both --url and --dir are given");
    if (!dir && !url && !server) {
        err_set(err, ERR_USAGE, "no repository named");
        return err_remedy(err, "use --url=URL, --dir=DIR, or --server=URL");
    }
    if (dir || url)
        s->name = strdup(dir ? dir : url);
    else if (asprintf(&s->name, "%s%srepo", server,
                      server[0] && server[strlen(server) - 1] == '/' ? "" : "/") < 0)
        s->name = NULL;
    return s->name ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int repo_source_open(const struct cli *cli, struct repo_source **ret, struct err *err)
{
    _cleanup_(repo_source_free_p)
    struct repo_source *s = calloc(1, sizeof *s);
    int r = s ? choose(cli, s, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0 && !cli_get(cli, "dir")) {
        const struct http_options o = {
            .base_url = s->name, .ca_file = cli_get(cli, "ca-file"), .timeout_ms = ANSWER_MS};

        r = http_client_new(&o, &s->http, err);
        if (r == -ERR_INVALID) { /* no address */
            err->code = ERR_USAGE;
            r = -ERR_USAGE;
        }
    }
    if (r == 0)
        *ret = take_ptr(s);
    return r;
}

/* --- over HTTP ------------------------------------------------------------------------------- */

static int quote(const char *path, char ret[URL_PATH_MAX], struct err *err)
{
    const char *file = strncmp(path, "metadata/", 9) == 0 ? NULL : path;

    ret[0] = '/';
    if (file) /* targets and blobs; role names are quoted already */
        return name_quote_path(path, ret + 1, URL_PATH_MAX - 1, err);
    if (strlen(path) >= URL_PATH_MAX - 1)
        return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
    strcpy(ret + 1, path);
    return 0;
}

/* What a status other than 200 says about a file. */
static int refused(const struct http_response *rs, const char *path, struct err *err)
{
    if (rs->status == 404)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%.200s'", path);
    if (rs->status == 403)
        return err_set(err, ERR_FORBIDDEN, "the repository does not give '%.200s'", path);
    return http_problem(rs, path, err);
}

static int http_read(struct repo_source *s, const char *method, const char *path,
                     struct http_response *rs, struct err *err)
{
    char quoted[URL_PATH_MAX];
    const struct http_request rq = {.method = method,
                                    .path = quoted,
                                    .timeout_ms =
                                        ANSWER_MS + (int64_t)(rs->body.cap / SLOWEST_KB_S)};
    int r = quote(path, quoted, err);

    if (r == 0)
        r = http_do(s->http, &rq, rs, err);
    /* The page that says so may be longer than the file would be. */
    if (rs->status == 404 || rs->status == 403 || (r == 0 && rs->status != 200))
        return refused(rs, path, err);
    return r;
}

static int http_copy(struct repo_source *s, const char *path, int64_t cap_bytes, int fd,
                     struct err *err)
{
    char quoted[URL_PATH_MAX];
    int r = quote(path, quoted, err);

    if (r == 0)
        r = http_get_fd(s->http, quoted, fd, 0, cap_bytes, err);
    if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
        r = err_errno(err, errno, "read a download again");
    return r;
}

/* --- in a folder ----------------------------------------------------------------------------- */

static int folder_open(const struct repo_source *s, const char *path, int *ret_fd, struct stat *st,
                       struct err *err)
{
    _cleanup_(free_p)
    char *full = path_join(s->name, path);
    _cleanup_(close_p)
    int fd = -1;

    if (!full)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (path_check(path, err) < 0) /* out of signed but not necessarily kind metadata */
        return -(int)err->code;
    fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%.200s'", path);
    if (fd < 0 || fstat(fd, st) < 0)
        return err_errno(err, errno, "open '%s'", full);
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_INVALID, "'%s' is not a plain file", full);
    *ret_fd = take_fd(&fd);
    return 0;
}

/* --- either ---------------------------------------------------------------------------------- */

int repo_source_get(struct repo_source *s, const char *path, struct buf *ret, struct err *err)
{
    struct http_response rs = {0};
    int r;

    if (!s->http) {
        _cleanup_(close_p)
        int fd = -1;
        struct stat st;

        r = folder_open(s, path, &fd, &st, err);
        return r < 0 ? r : err_context(err, buf_read_fd(ret, fd, err), "%s", path);
    }
    buf_init(&rs.body, ret->cap);
    r = http_read(s, "GET", path, &rs, err);
    if (r == 0 && buf_add(ret, rs.body.data, rs.body.len) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    buf_release(&rs.body);
    return r;
}

static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    return repo_source_get(ctx, path, ret, err);
}

struct tuf_fetch repo_source_fetch(struct repo_source *s)
{
    return (struct tuf_fetch){.get = fetch, .ctx = s};
}

int repo_source_length(struct repo_source *s, const char *path, int64_t *ret, struct err *err)
{
    struct http_response rs = {0};
    int r;

    if (!s->http) {
        _cleanup_(close_p)
        int fd = -1;
        struct stat st;

        r = folder_open(s, path, &fd, &st, err);
        if (r == 0)
            *ret = st.st_size;
        return r;
    }
    buf_init(&rs.body, PROBLEM_MAX);
    r = http_read(s, "HEAD", path, &rs, err);
    buf_release(&rs.body);
    if (r == 0 && rs.length < 0)
        r = err_set(err, ERR_INVALID, "%.200s: the host does not say how long it is", path);
    if (r == 0)
        *ret = rs.length;
    return r;
}

int repo_source_read(struct repo_source *s, const char *path, int64_t cap_bytes, int fd,
                     struct repo_sum *ret, struct err *err)
{
    _cleanup_(close_p)
    int own = -1;
    struct stat st;
    int r;

    if (!s->http) {
        r = folder_open(s, path, &own, &st, err);
        if (r == 0 && st.st_size > cap_bytes)
            r = err_set(err, ERR_TOO_LARGE, "'%.200s' is longer than %lld bytes", path,
                        (long long)cap_bytes);
        return r < 0 ? r : release_tree_hash(own, fd, path, ret->sha256, &ret->length, err);
    }
    if (fd < 0) { /* nowhere but to be hashed */
        own = memfd_create("blob", MFD_CLOEXEC);
        if (own < 0)
            return err_errno(err, errno, "memory for a download");
    }
    r = http_copy(s, path, cap_bytes, fd < 0 ? own : fd, err);
    return r < 0 ? r
                 : release_tree_hash(fd < 0 ? own : fd, -1, path, ret->sha256, &ret->length, err);
}
