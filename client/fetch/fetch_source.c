/* fetch_source: see fetch_source.h. */
#include "fetch/fetch_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "layout.h"
#include "tuf/metadata.h"

#define URL_MAX (TUF_TARGET_MAX + 128) /* below the base address */

#define SLOW_TIMES 10
#define SLOW_FILE  LAYOUT_INCOMING "/revocations/%zu/slow" /* until when, by the boot clock */

struct source {
    struct http_client *http;
    const char *prefix;          /* of the repository below the base URL */
    int64_t spent_ms, budget_ms; /* 0: none */
    struct err out;              /* code 0: may be asked */
};

struct fetch_sources {
    const char *state_dir; /* of the job */
    struct source list[1 + CONFIG_MAX_MIRRORS];
    size_t n;
    int64_t mirrors_ms; /* spent on all mirrors */
    bool bounded;       /* a refresh: each source has a budget */
};

static const char *optional(const json_t *job, const char *key)
{
    return json_string_value(json_object_get(job, key));
}

/* Did it let time pass lately? A mark of another boot may say anything, but not for long. */
static bool was_slow(const struct fetch_sources *s, size_t i)
{
    int64_t now = clock_boot_ms(clock_system()), until = 0;
    struct path p;
    struct buf b;

    buf_init(&b, 32);
    if (file_read(layout_at(&p, s->state_dir, SLOW_FILE, i), &b, NULL) == 0 && b.len)
        until = strtoll(b.data, NULL, 10);
    buf_release(&b);
    return until > now && until - now <= SLOW_TIMES * (FETCH_MIRROR_MS + FETCH_MIRROR_REQUEST_MS);
}

/* Best effort: without the mark it costs its time again. */
static void mark_slow(const struct fetch_sources *s, size_t i)
{
    int64_t until = clock_boot_ms(clock_system()) + SLOW_TIMES * s->list[i].spent_ms;
    struct path p, dir;
    char text[32];

    layout_at(&p, s->state_dir, SLOW_FILE, i);
    dir = p;
    *strrchr(dir.s, '/') = '\0';
    snprintf(text, sizeof text, "%lld\n", (long long)until);
    if (file_mkdir_p(dir.s, 0755, NULL) == 0)
        (void)file_write_durable(p.s, text, strlen(text), 0644, NULL);
}

static int add(struct fetch_sources *s, const json_t *job, const char *url, bool mirror,
               struct err *err)
{
    struct source *source = &s->list[s->n];
    struct http_options o = {
        .base_url = url, .ca_file = optional(job, "ca_file"), .proxy = optional(job, "proxy")};
    int r;

    if (mirror && s->bounded)
        o.timeout_ms = FETCH_MIRROR_REQUEST_MS;
    if (s->bounded)
        source->budget_ms = mirror ? FETCH_MIRROR_MS : FETCH_SERVER_MS;
    source->prefix = mirror ? "" : FETCH_REPO_PATH;
    if (mirror && s->bounded && was_slow(s, s->n))
        err_set(&source->out, ERR_TIMEOUT, "this mirror has let time pass lately");
    r = http_client_new(&o, &source->http, err);
    s->n += r == 0;
    return r;
}

int fetch_sources_open(const json_t *job, struct fetch_sources **ret, struct err *err)
{
    _cleanup_(fetch_sources_free_p)
    struct fetch_sources *s = calloc(1, sizeof *s);
    const char *server, *name = optional(job, "job");
    json_t *mirrors = NULL, *item;
    size_t i;
    int r = jsonx_string(job, "job", "server", 1024, &server, err);

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->bounded = name && strcmp(name, "refresh") == 0;
    if (r == 0)
        r = jsonx_string(job, "job", "state_dir", 4096, &s->state_dir, err);
    if (r == 0 && jsonx_has(job, "mirrors"))
        r = jsonx_array(job, "job", "mirrors", CONFIG_MAX_MIRRORS, &mirrors, err);
    if (r == 0)
        r = add(s, job, server, false, err);
    if (r < 0)
        return r;
    json_array_foreach (mirrors, i, item) {
        if (!json_is_string(item))
            return err_set(err, ERR_INVALID, "job: 'mirrors[%zu]' is not text", i);
        r = add(s, job, json_string_value(item), true, err);
        if (r < 0)
            return err_context(err, r, "mirror");
    }
    *ret = take_ptr(s);
    return 0;
}

void fetch_sources_free(struct fetch_sources *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        http_client_free(s->list[i].http);
    free(s);
}

size_t fetch_n_sources(const struct fetch_sources *s)
{
    return s->n;
}

struct http_client *fetch_server(struct fetch_sources *s)
{
    return s->list[0].http;
}

void fetch_give_up(struct fetch_sources *s, size_t i)
{
    if (!s->list[i].out.code)
        err_set(&s->list[i].out, ERR_UNREACHABLE, "this source is not asked again");
}

/* Count what a request took, and whether this source may be asked again. */
static void note(struct fetch_sources *s, size_t i, int64_t began_ms, const struct err *why)
{
    struct source *source = &s->list[i];
    int64_t took = clock_boot_ms(clock_system()) - began_ms;

    source->spent_ms += took;
    s->mirrors_ms += i > 0 ? took : 0;
    if (source->out.code)
        return;
    if (why->code == ERR_UNREACHABLE || why->code == ERR_TIMEOUT)
        source->out = *why;
    else if (source->budget_ms && source->spent_ms >= source->budget_ms)
        err_set(&source->out, ERR_TIMEOUT, "%s has taken %lld s without an end",
                i ? "a mirror" : "the server", (long long)(source->spent_ms / 1000));
    if (i > 0 && s->bounded && source->out.code == ERR_TIMEOUT)
        mark_slow(s, i);
}

static int may_ask(const struct fetch_sources *s, size_t i, struct err *err)
{
    if (s->list[i].out.code) {
        if (err)
            *err = s->list[i].out;
        return -(int)s->list[i].out.code;
    }
    if (i > 0 && s->bounded && s->mirrors_ms >= FETCH_MIRRORS_MS)
        return err_set(err, ERR_TIMEOUT, "the mirrors have taken %lld s without an end",
                       (long long)(s->mirrors_ms / 1000));
    return 0;
}

static int make_path(const struct source *source, const char *path, char ret[URL_MAX],
                     struct err *err)
{
    if (snprintf(ret, URL_MAX, "%s/%s", source->prefix, path) >= URL_MAX)
        return err_set(err, ERR_INVALID, "the path of a file is too long");
    return 0;
}

static int judge(const struct http_response *rs, const char *path, struct err *err)
{
    if (rs->status == 304)
        return err_set(err, ERR_EXISTS, "'%s' has not changed", path);
    if (rs->status == 404)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", path);
    if (rs->status >= 400)
        return http_problem(rs, path, err);
    if (rs->status != 200)
        return err_set(err, ERR_UNREACHABLE, "'%s' was answered with status %d", path, rs->status);
    return 0;
}

int fetch_from(struct fetch_sources *s, size_t i, const char *path, char etag[FETCH_ETAG_MAX],
               struct buf *ret, struct err *err)
{
    char url[URL_MAX], match[FETCH_ETAG_MAX + 32];
    const char *headers[] = {NULL, NULL};
    struct http_request rq = {.method = "GET", .path = url, .headers = headers};
    struct http_response rs = {0};
    int64_t began = clock_boot_ms(clock_system());
    struct err why = {0};
    int r = may_ask(s, i, err);

    if (r == 0)
        r = make_path(&s->list[i], path, url, err);
    if (r < 0)
        return r;
    if (etag && etag[0]) {
        snprintf(match, sizeof match, "If-None-Match: %s", etag);
        headers[0] = match;
    }
    buf_init(&rs.body, ret->cap);
    r = http_do(s->list[i].http, &rq, &rs, &why);
    if (r == 0)
        r = judge(&rs, path, &why);
    note(s, i, began, &why);
    if (r == 0 && buf_add(ret, rs.body.data, rs.body.len) < 0)
        r = err_set(&why, ERR_TOO_LARGE, "'%s' is too large", path);
    if (r == 0 && etag)
        snprintf(etag, FETCH_ETAG_MAX, "%s", rs.etag);
    buf_release(&rs.body);
    if (r < 0 && err)
        *err = why;
    return r;
}

int fetch_from_file(struct fetch_sources *s, size_t i, const char *path, int fd, int64_t length,
                    struct err *err)
{
    char url[URL_MAX];
    int64_t began = clock_boot_ms(clock_system());
    struct err why = {0};
    struct stat st;
    int r = may_ask(s, i, err);

    if (r == 0)
        r = make_path(&s->list[i], path, url, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "stat a partial download");
    r = http_get_fd(s->list[i].http, url, fd, st.st_size > length ? 0 : st.st_size, length, &why);
    if (r == -ERR_CONFLICT && ftruncate(fd, 0) == 0) {
        why = (struct err){0};
        r = http_get_fd(s->list[i].http, url, fd, 0, length, &why);
    }
    note(s, i, began, &why);
    if (r < 0 && err)
        *err = why;
    return r;
}
