/* http_reply: answers. JSON, problems (RFC 9457), and bytes that stay in memory with ETag, 304 and
 * one range. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/http_internal.h"
#include "metrics.h"
#include "repo/repo.h"

#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json"
#define HTML_CSP                                                                                   \
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "                  \
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'"

static void header(struct MHD_Response *rs, const char *name, const char *value)
{
    MHD_add_response_header(rs, name, value);
}

static void finish(struct request *rq, int status, const char *type, const char *cache,
                   struct MHD_Response *rs)
{
    if (!rs) {
        exchange_answer(exchange_of(rq), 500, NULL);
        return;
    }
    header(rs, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    header(rs, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
    header(rs, "X-Content-Type-Options", "nosniff");
    header(rs, "X-Request-Id", rq->id);
    if (strncmp(type, "text/html", 9) == 0)
        header(rs, "Content-Security-Policy", HTML_CSP);
    exchange_answer(exchange_of(rq), status, rs);
}

static struct MHD_Response *response_of(char *text, size_t len)
{
    struct MHD_Response *rs;

    if (!text)
        return NULL;
    rs = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (!rs)
        free(text);
    return rs;
}

static struct MHD_Response *response_of_json(const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

    return response_of(text, text ? strlen(text) : 0);
}

void reply_json(struct request *rq, int status, const json_t *o)
{
    finish(rq, status, JSON_TYPE, "no-store", response_of_json(o));
}

void reply_buf(struct request *rq, int status, const char *content_type, struct buf *body)
{
    size_t len = 0;
    char *text = buf_detach(body, &len);

    finish(rq, status, content_type, "no-store", response_of(text, len));
}

/* --- problems -------------------------------------------------------------------------------- */

static json_t *problem(const struct request *rq, const struct err *err)
{
    const char *slug = err_slug(err->code);
    char type[96], title[64];

    snprintf(type, sizeof type, "urn:firebreak:problem:%s", slug);
    snprintf(title, sizeof title, "%s", slug);
    for (char *p = title; (p = strchr(p, '-'));)
        *p = ' ';
    return json_pack("{s:s, s:s, s:i, s:s%, s:s, s:s}", "type", type, "title", title, "status",
                     err_http_status(err->code), "detail", err->msg, strlen(err->msg), "remedy",
                     err_show_remedy(err), "request", rq->id);
}

/* Messages may quote what was sent; JSON wants UTF-8. */
static json_t *problem_any(const struct request *rq, const struct err *err)
{
    json_t *o = problem(rq, err);
    struct err ascii = *err;

    if (o)
        return o;
    for (char *p = ascii.msg; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return problem(rq, &ascii);
}

/* Every refresh of every client ends with a root that is not there: no news. */
static bool is_expected(const struct request *rq, int status)
{
    return status == 404 && rq->route && rq->route->role == ROLE_PUBLIC;
}

/* Warnings are our failures; "not just now" (503) is none, and 429 comes by thousands. */
static enum log_level level_of(const struct request *rq, int status)
{
    if (status == 429)
        return LOG_LVL_DEBUG;
    if (status >= 500 && status != 503)
        return LOG_LVL_WARN;
    return is_expected(rq, status) ? LOG_LVL_DEBUG : LOG_LVL_INFO;
}

static void note_problem(const struct request *rq, const struct err *err, int status)
{
    const struct exchange *x = exchange_of(rq);
    enum log_level level = level_of(rq, status);

    if (!is_expected(rq, status))
        metric_add(rq->server->metrics, METRICS_HTTP_PROBLEMS, 1);
    if (!atomic_load(&x->answered)) /* else it had its answer: the server stops */
        log_at(level, "http", "%s %s %s%s%s: %d %s", rq->id, x->method, rq->path,
               rq->who.name[0] ? " by " : "", rq->who.name, status, err->msg);
}

void reply_problem(struct request *rq, const struct err *err)
{
    const struct exchange *x = exchange_of(rq);
    int status = err_http_status(err->code);
    json_auto_t *o = problem_any(rq, err);
    struct MHD_Response *rs = o ? response_of_json(o) : NULL;

    note_problem(rq, err, status);
    if (rs && x->allow[0] && err->code == ERR_METHOD)
        header(rs, MHD_HTTP_HEADER_ALLOW, x->allow);
    if (rs && status == 401)
        header(rs, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"firebreak\"");
    if (rs && rq->retry_after_s > 0) {
        char seconds[24];

        snprintf(seconds, sizeof seconds, "%" PRId64, rq->retry_after_s);
        header(rs, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    finish(rq, status, PROBLEM_TYPE, "no-store", rs);
}

/* --- bytes in memory ------------------------------------------------------------------------- */

/* True if the list of a header ("\"a\", W/\"b\"" or "*") has this tag; compared weakly, as RFC 9110
 * 13.1.2 wants for If-None-Match. */
static bool lists_tag(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    for (const char *p = list; p && *p;) {
        p += strspn(p, " \t,");
        if (*p == '*')
            return true;
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        if (strncmp(p, etag, n) == 0)
            return true;
        p += strcspn(p, ",");
    }
    return false;
}

enum range { RANGE_NONE, RANGE_ONE, RANGE_BAD };

static const char *digits(const char *p, uint64_t *ret)
{
    const char *from = p;

    for (*ret = 0; *p >= '0' && *p <= '9' && p - from < 18; p++)
        *ret = *ret * 10 + (uint64_t)(*p - '0');
    return p == from ? NULL : p;
}

/* "bytes=a-b", "bytes=a-", "bytes=-n". Anything else, several ranges too, is ignored as RFC 9110
 * 14.2 permits. */
static enum range parse_range(const char *text, uint64_t size, uint64_t *ret_from,
                              uint64_t *ret_len)
{
    uint64_t a = 0, b = size;
    const char *p = text + 6, *q;

    if (strncmp(text, "bytes=", 6) != 0)
        return RANGE_NONE;
    if (*p == '-') {
        q = digits(p + 1, &b);
        if (!q || *q)
            return RANGE_NONE;
        a = b < size ? size - b : 0;
        b = b ? size - a : 0;
    } else {
        p = digits(p, &a);
        if (!p || *p != '-')
            return RANGE_NONE;
        q = p[1] ? digits(p + 1, &b) : p + 1;
        if (!q || *q || (p[1] && b < a))
            return RANGE_NONE;
        b = a >= size ? 0 : !p[1] || b >= size ? size - a : b - a + 1;
    }
    if (b == 0 || a >= size)
        return RANGE_BAD;
    *ret_from = a;
    *ret_len = b;
    return RANGE_ONE;
}

static void let_go(void *ctx)
{
    blob_unref(ctx);
}

/* The response takes a reference of its own. */
static struct MHD_Response *response_of_blob(struct blob *b, uint64_t from, uint64_t len)
{
    size_t size;
    const char *data = blob_data(b, &size);
    struct MHD_Response *rs = MHD_create_response_from_buffer_with_free_callback_cls(
        (size_t)len, (void *)(uintptr_t)(data + from), let_go, blob_ref(b));

    if (!rs)
        blob_unref(b);
    return rs;
}

static void bad_range(struct request *rq, uint64_t size)
{
    struct MHD_Response *rs = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    char text[48];

    snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);
    if (rs)
        header(rs, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    finish(rq, MHD_HTTP_RANGE_NOT_SATISFIABLE, "text/plain", "no-store", rs);
}

/* Does the request want a part, and of this very version? */
static enum range wanted_range(const struct request *rq, struct blob *b, uint64_t size,
                               uint64_t *ret_from, uint64_t *ret_len)
{
    const char *range = request_header(rq, MHD_HTTP_HEADER_RANGE);
    const char *only_if = request_header(rq, MHD_HTTP_HEADER_IF_RANGE);

    if (!range || (only_if && strcmp(only_if, blob_etag(b)) != 0))
        return RANGE_NONE;
    return parse_range(range, size, ret_from, ret_len);
}

void reply_blob(struct request *rq, struct blob *b, const char *content_type,
                const char *cache_control)
{
    const char *known = request_header(rq, MHD_HTTP_HEADER_IF_NONE_MATCH);
    struct MHD_Response *rs;
    uint64_t from = 0, len;
    size_t size;
    int status = MHD_HTTP_OK;
    enum range range;
    char text[80];

    blob_data(b, &size);
    len = size;
    range = wanted_range(rq, b, size, &from, &len);
    if (known && lists_tag(known, blob_etag(b))) {
        status = MHD_HTTP_NOT_MODIFIED;
        rs = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    } else if (range == RANGE_BAD) {
        bad_range(rq, size);
        return;
    } else {
        rs = response_of_blob(b, from, len);
    }
    if (rs && status == MHD_HTTP_OK && range == RANGE_ONE) {
        status = MHD_HTTP_PARTIAL_CONTENT;
        snprintf(text, sizeof text, "bytes %llu-%llu/%zu", (unsigned long long)from,
                 (unsigned long long)(from + len - 1), size);
        header(rs, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    }
    if (rs) {
        header(rs, MHD_HTTP_HEADER_ETAG, blob_etag(b));
        header(rs, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    }
    finish(rq, status, content_type, cache_control, rs);
}

/* --- handing over ---------------------------------------------------------------------------- */

void exchange_answer(struct exchange *x, int status, struct MHD_Response *response)
{
    bool suspended = x->suspended;

    if (atomic_exchange(&x->answered, true)) { /* 503 was answered when the server stopped */
        if (response)
            MHD_destroy_response(response);
    } else {
        metric_add(x->rq.server->metrics, METRICS_HTTP_REQUESTS, 1);
        x->status = status;
        x->response = response;
        if (suspended)
            http_resume(x);
    }
    if (suspended)
        exchange_unref(x);
}
