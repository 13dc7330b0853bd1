/* http: see http.h. Each request sets every option anew (curl_easy_reset keeps only connections).
 */
#include "net/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/jsonx.h"

#define HTTP_TIMEOUT_MS         30000
#define HTTP_CONNECT_TIMEOUT_MS 10000
#define HTTP_HEADERS_CAP        (64 * 1024)
#define HTTP_PROBLEM_CAP        (64 * 1024)
#define HTTP_PATH_MAX           2048
#define HTTP_SLOWEST_BYTES_S    (64 * 1024) /* a download may take so long, and its timeout */

struct http_client {
    CURL *curl;
    char *base_url; /* without trailing slash */
    char *ca_file;
    char *proxy;
    int64_t timeout_ms;
    int64_t max_bytes_s;
    bool loopback;     /* this machine: no proxy has part in it */
    bool plain_remote; /* http to another machine: no token goes there */
};

/* Where an answer goes: its body into `body`, or where `fd` >= 0 and it is a 200 or 206, there. */
struct http_sink {
    CURL *curl;
    struct http_response *rs;
    size_t header_bytes;
    int fd;
    int64_t asked;       /* offset that Range named */
    int64_t range_start; /* of Content-Range, -1: none */
    int64_t at;          /* where the next byte goes */
    int64_t cap;
    bool head; /* announces a body that does not come */
    bool started;
    int r; /* why the transfer was cut off by us */
    struct err *err;
};

DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)
DEFINE_CLEANUP(CURLU *, curl_url_cleanup)

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* Scheme and host of base_url; only the two schemes, no credentials in it. */
static int check_base(struct http_client *c, struct err *err)
{
    _cleanup_(curl_url_cleanup_p)
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL;
    int r = 0;

    if (!u)
        return err_set(err, ERR_NOMEM, "out of memory for an address");
    if (curl_url_set(u, CURLUPART_URL, c->base_url, 0) ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0))
        r = err_set(err, ERR_INVALID, "'%.200s' is not an address", c->base_url);
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        r = err_set(err, ERR_INVALID, "'%.200s' is neither http:// nor https://", c->base_url);
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        r = err_set(err, ERR_INVALID, "the address of '%.200s' holds a user name", host);
    else if (strpbrk(c->base_url, "?#"))
        r = err_set(err, ERR_INVALID, "'%.200s' holds a query or a fragment", c->base_url);
    else
        c->loopback = is_loopback(host);
    c->plain_remote = r == 0 && strcmp(scheme, "http") == 0 && !c->loopback;
    if (r < 0 && err)
        err_remedy(err, "use https://HOST:PORT");
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return r;
}

int http_client_new(const struct http_options *o, struct http_client **ret, struct err *err)
{
    _cleanup_(http_client_free_p)
    struct http_client *c = calloc(1, sizeof *c);
    size_t n;
    int r;

    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(take_ptr(c));
        return err_set(err, ERR_NOMEM, "out of memory for an http client");
    }
    c->curl = curl_easy_init();
    c->base_url = strdup(o->base_url);
    c->ca_file = o->ca_file ? strdup(o->ca_file) : NULL;
    c->proxy = o->proxy ? strdup(o->proxy) : NULL;
    if (!c->curl || !c->base_url || (o->ca_file && !c->ca_file) || (o->proxy && !c->proxy))
        return err_set(err, ERR_NOMEM, "out of memory for an http client");
    for (n = strlen(c->base_url); n > 0 && c->base_url[n - 1] == '/'; n--)
        c->base_url[n - 1] = '\0';
    c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : HTTP_TIMEOUT_MS;
    c->max_bytes_s = o->max_bytes_s;
    r = check_base(c, err);
    if (r == 0)
        *ret = take_ptr(c);
    return r;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    curl_global_cleanup();
    free(c->base_url);
    free(c->ca_file);
    free(c->proxy);
    free(c);
}

/* The value of header `name` in one header line, trimmed, into ret; false: another header. */
static bool header_value(const char *line, size_t len, const char *name, char *ret, size_t size)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    line += n + 1;
    len -= n + 1;
    while (len && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len && strchr(" \t\r\n", line[len - 1]))
        len--;
    if (len >= size || memchr(line, '\0', len))
        len = 0; /* longer than any honest one: as if it were not there */
    memcpy(ret, line, len);
    ret[len] = '\0';
    return true;
}

/* A decimal number of seconds up to a day; HTTP dates and nonsense: -1. */
static int64_t parse_retry_after(const char *text)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (end == text || *end || v < 0)
        return -1;
    return v > 86400 ? 86400 : v;
}

/* -1: not a number of bytes. */
static int64_t parse_length(const char *text)
{
    char *end;
    long long v = strtoll(text, &end, 10);

    return end == text || *end || v < 0 ? -1 : v;
}

static bool is_for_fd(const struct http_sink *s)
{
    long status = 0;

    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    return s->fd >= 0 && (status == 200 || status == 206);
}

/* What is announced as too long need not be waited for. Nonsense is libcurl's to refuse. */
static int check_announced(struct http_sink *s)
{
    int64_t cap = is_for_fd(s) ? s->cap : (int64_t)s->rs->body.cap;

    if (s->head || s->rs->length <= cap)
        return 0;
    return s->r =
               err_set(s->err, ERR_TOO_LARGE, "answer is longer than %lld bytes", (long long)cap);
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    struct http_sink *s = user;
    char value[128];
    long long start;

    n *= size;
    s->header_bytes += n;
    if (s->header_bytes > HTTP_HEADERS_CAP) {
        s->r = err_set(s->err, ERR_TOO_LARGE, "answer's headers are longer than %d bytes",
                       HTTP_HEADERS_CAP);
        return 0;
    }
    if (n >= 5 &&
        memcmp(data, "HTTP/", 5) == 0) { /* after a 100, or a proxy's answer: begin anew */
        s->rs->etag[0] = '\0';
        s->rs->retry_after_s = -1;
        s->rs->length = -1;
        s->range_start = -1;
    } else if (header_value(data, n, "ETag", value, sizeof value)) {
        memcpy(s->rs->etag, value, sizeof value);
    } else if (header_value(data, n, "Retry-After", value, sizeof value)) {
        s->rs->retry_after_s = parse_retry_after(value);
    } else if (header_value(data, n, "Content-Length", value, sizeof value)) {
        s->rs->length = parse_length(value);
        if (check_announced(s) < 0)
            return 0;
    } else if (header_value(data, n, "Content-Range", value, sizeof value)) {
        s->range_start = sscanf(value, "bytes %lld-", &start) == 1 ? start : -1;
    }
    return n;
}

/* First byte for the file: where does it belong? */
static int fd_begin(struct http_sink *s, long status)
{
    s->started = true;
    if (status == 206) {
        if (s->range_start != s->asked)
            return s->r = err_set(s->err, ERR_INVALID, "answered bytes from %lld, not from %lld",
                                  (long long)s->range_start, (long long)s->asked);
        s->at = s->asked;
        return 0;
    }
    s->at = 0; /* a server without ranges sends all of it */
    if (s->asked && ftruncate(s->fd, 0) < 0)
        return s->r = err_errno(s->err, errno, "truncate a partial download");
    return 0;
}

static int fd_write(struct http_sink *s, const char *data, size_t n)
{
    if ((int64_t)n > s->cap - s->at)
        return s->r = err_set(s->err, ERR_TOO_LARGE, "answer is longer than %lld bytes",
                              (long long)s->cap);
    while (n > 0) {
        ssize_t k = pwrite(s->fd, data, n, s->at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return s->r = err_errno(s->err, errno, "write a download");
        data += k;
        n -= (size_t)k;
        s->at += k;
    }
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct http_sink *s = user;
    long status = 0;

    n *= size;
    if (is_for_fd(s)) {
        curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
        if (!s->started && fd_begin(s, status) < 0)
            return 0;
        return fd_write(s, data, n) < 0 ? 0 : n;
    }
    s->r = buf_add(&s->rs->body, data, n);
    if (s->r == -ERR_TOO_LARGE)
        err_set(s->err, ERR_TOO_LARGE, "answer is longer than %zu bytes", s->rs->body.cap);
    else if (s->r < 0)
        err_set(s->err, ERR_NOMEM, "out of memory for an answer");
    return s->r < 0 ? 0 : n;
}

/* 0 or the error that a failed transfer means. */
static int outcome(const struct http_client *c, CURLcode code, const struct http_sink *s,
                   const char *why, const char *path)
{
    enum err_code e = ERR_UNREACHABLE;

    if (code == CURLE_OK)
        return 0;
    if (s->r < 0)
        return err_context(s->err, s->r, "%s%s", c->base_url, path);
    if (code == CURLE_OPERATION_TIMEDOUT)
        e = ERR_TIMEOUT;
    else if (code == CURLE_OUT_OF_MEMORY) /* it says so of an endless header, too */
        return err_set(s->err, ERR_NOMEM, "%.120s%.100s: no memory for an answer or its header",
                       c->base_url, path);
    return err_set(s->err, e, "%.120s%.100s: %.130s", c->base_url, path,
                   why[0] ? why : curl_easy_strerror(code));
}

static int add_header(struct curl_slist **list, const char *line, struct err *err)
{
    struct curl_slist *longer;

    for (const char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return err_set(err, ERR_INVALID, "a request header holds a control character");
    longer = curl_slist_append(*list, line);
    if (!longer)
        return err_set(err, ERR_NOMEM, "out of memory for request headers");
    *list = longer;
    return 0;
}

static int make_headers(const struct http_client *c, const struct http_request *rq,
                        struct curl_slist **ret, struct err *err)
{
    char token[1024];
    int r = add_header(ret, "Expect:", err); /* no wait for "100 Continue" */

    for (int i = 0; r == 0 && rq->headers && rq->headers[i]; i++)
        r = add_header(ret, rq->headers[i], err);
    if (r < 0 || !rq->bearer)
        return r;
    if (c->plain_remote)
        return err_set(err, ERR_INSECURE, "a token would cross the network in clear to %.200s",
                       c->base_url);
    if (snprintf(token, sizeof token, "Authorization: Bearer %s", rq->bearer) >= (int)sizeof token)
        return err_set(err, ERR_INVALID, "token is too long");
    r = add_header(ret, token, err);
    explicit_bzero(token, sizeof token);
    return r;
}

static int make_url(const struct http_client *c, const char *path, char **ret, struct err *err)
{
    if (path[0] != '/' || strlen(path) > HTTP_PATH_MAX)
        return err_set(err, ERR_INVALID, "'%.100s' is not the path of a request", path);
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '#')
            return err_set(err, ERR_INVALID, "the path of a request holds byte 0x%02x",
                           (unsigned char)*p);
    if (asprintf(ret, "%s%s", c->base_url, path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory for an address");
    return 0;
}

static void set_limits(const struct http_client *c, int64_t timeout_ms)
{
    CURL *h = c->curl;

    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(
        h, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(timeout_ms < HTTP_CONNECT_TIMEOUT_MS ? timeout_ms : HTTP_CONNECT_TIMEOUT_MS));
    curl_easy_setopt(h, CURLOPT_USERAGENT, "firebreak/" FIREBREAK_VERSION);
    if (c->ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
    /* Unset, libcurl would take the environment's; a token in clear would leave this machine. */
    if (c->loopback || c->proxy)
        curl_easy_setopt(h, CURLOPT_PROXY, c->loopback ? "" : c->proxy);
    if (c->max_bytes_s > 0)
        curl_easy_setopt(h, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)c->max_bytes_s);
}

static void set_request(const struct http_client *c, const struct http_request *rq)
{
    CURL *h = c->curl;

    if (strcmp(rq->method, "HEAD") == 0) {
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    } else if (rq->body || strcmp(rq->method, "POST") == 0) {
        curl_easy_setopt(h, CURLOPT_POST, 1L);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, rq->body ? rq->body : "");
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, rq->method);
    } else if (strcmp(rq->method, "GET") != 0) {
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, rq->method);
    }
}

static int perform(struct http_client *c, const struct http_request *rq, struct http_sink *s,
                   int64_t timeout_ms)
{
    _cleanup_(curl_slist_free_all_p)
    struct curl_slist *headers = NULL;
    _cleanup_(free_p)
    char *url = NULL;
    char why[CURL_ERROR_SIZE] = "", range[24];
    CURL *h = c->curl;
    long status = 0;
    int r = make_url(c, rq->path, &url, s->err);

    if (r == 0)
        r = make_headers(c, rq, &headers, s->err);
    if (r < 0)
        return r;
    s->curl = h;
    curl_easy_reset(h);
    set_limits(c, timeout_ms);
    set_request(c, rq);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
    snprintf(range, sizeof range, "%lld-", (long long)s->asked);
    if (s->asked > 0)
        curl_easy_setopt(h, CURLOPT_RANGE, range);
    r = outcome(c, curl_easy_perform(h), s, why, rq->path);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    s->rs->status = (int)status;
    curl_easy_reset(h); /* nothing of this call stays referenced */
    return r;
}

int http_do(struct http_client *c, const struct http_request *rq, struct http_response *rs,
            struct err *err)
{
    struct http_sink s = {
        .rs = rs, .fd = -1, .range_start = -1, .head = strcmp(rq->method, "HEAD") == 0, .err = err};

    buf_reset(&rs->body);
    rs->status = 0;
    rs->etag[0] = '\0';
    rs->retry_after_s = rs->length = -1;
    return perform(c, rq, &s, rq->timeout_ms > 0 ? rq->timeout_ms : c->timeout_ms);
}

int http_get_fd(struct http_client *c, const char *path, int fd, int64_t offset, int64_t cap_bytes,
                struct err *err)
{
    struct http_response rs = {.retry_after_s = -1, .length = -1};
    struct http_sink s = {
        .rs = &rs, .fd = fd, .asked = offset, .range_start = -1, .cap = cap_bytes, .err = err};
    const struct http_request rq = {.method = "GET", .path = path};
    int64_t rate = c->max_bytes_s > 0 ? c->max_bytes_s : HTTP_SLOWEST_BYTES_S;
    int64_t extra_s = cap_bytes > offset ? (cap_bytes - offset) / rate : 0;
    int r;

    if (extra_s > 86400)
        extra_s = 86400;
    buf_init(&rs.body, HTTP_PROBLEM_CAP);
    r = perform(c, &rq, &s, c->timeout_ms + extra_s * 1000);
    if (r == 0 && rs.status == 416)
        r = err_set(err, ERR_CONFLICT, "%.200s has nothing past byte %lld", path,
                    (long long)offset);
    else if (r == 0 && rs.status != 200 && rs.status != 206)
        r = http_problem(&rs, path, err);
    else if (r == 0 && !s.started && fd_begin(&s, rs.status) < 0) /* an empty body */
        r = s.r;
    buf_release(&rs.body);
    return r;
}

/* What a status means that comes without a problem that we know. */
static enum err_code code_of_status(int status)
{
    static const struct {
        int status;
        enum err_code code;
    } rows[] = {
        {400, ERR_INVALID}, {401, ERR_UNAUTHORISED}, {403, ERR_FORBIDDEN},   {404, ERR_NOT_FOUND},
        {405, ERR_METHOD},  {409, ERR_CONFLICT},     {413, ERR_TOO_LARGE},   {422, ERR_REFUSED},
        {429, ERR_BUDGET},  {502, ERR_UNREACHABLE},  {503, ERR_UNAVAILABLE}, {504, ERR_TIMEOUT},
        {507, ERR_FULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].code;
    return ERR_INTERNAL;
}

/* A server's text ends on somebody's terminal: no control characters. "" where it is absent. */
static void problem_text(const json_t *o, const char *key, char *ret, size_t size)
{
    const char *s = json_string_value(json_object_get(o, key));

    snprintf(ret, size, "%s", s ? s : "");
    for (char *p = ret; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int http_problem(const struct http_response *rs, const char *what, struct err *err)
{
    char type[96] = "", detail[ERR_MSG_MAX] = "", remedy[ERR_REMEDY_MAX] = "";
    enum err_code code = code_of_status(rs->status), named;
    json_auto_t *o = NULL;
    const char *slug;

    if (jsonx_parse(rs->body.data, rs->body.len, HTTP_PROBLEM_CAP, &o, NULL) == 0) {
        problem_text(o, "type", type, sizeof type);
        problem_text(o, "detail", detail, sizeof detail);
        problem_text(o, "remedy", remedy, sizeof remedy);
        if (!detail[0])
            problem_text(o, "title", detail, sizeof detail);
    }
    slug = strrchr(type, ':');
    named = slug ? err_from_slug(slug + 1) : ERR_INTERNAL;
    if (named != ERR_INTERNAL)
        code = named;
    if (detail[0])
        err_set(err, code, "%.120s: %.250s", what, detail);
    else if (rs->status >= 300 && rs->status < 400 && rs->status != 304)
        err_set(err, ERR_INVALID, "%.120s: server redirects (%d), which is not followed", what,
                rs->status);
    else
        err_set(err, code, "%.120s: server answered %d", what, rs->status);
    if (remedy[0])
        err_remedy(err, "%s", remedy);
    return err ? -(int)err->code : -(int)code;
}
