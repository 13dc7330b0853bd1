/* http_request: what a request says, and whether it may. See http_internal.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "http/http_internal.h"

#define PATH_BYTES_MAX 2048
/* What is read and dropped past a cap, so that a sender that is a little too long reads the answer
 * (libmicrohttpd takes none while a body arrives); beyond it the connection is closed. */
#define DISCARD_MAX 1048576

struct exchange *exchange_new(struct http *h, const char *target)
{
    struct exchange *x = calloc(1, sizeof *x);
    size_t n = strcspn(target, "?");

    if (!x)
        return NULL;
    x->path = strndup(target, n);
    if (!x->path) {
        free(x);
        return NULL;
    }
    x->http = h;
    x->rq.path = x->path;
    x->rq.body = "";
    buf_init(&x->body, 0);
    rand_hex(x->rq.id, REQUEST_ID_LEN / 2);
    atomic_init(&x->refs, 1);
    atomic_init(&x->answered, false);
    return x;
}

void exchange_unref(struct exchange *x)
{
    if (!x || atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    if (x->response)
        MHD_destroy_response(x->response);
    buf_release(&x->body);
    free(x->params);
    free(x->path);
    free(x);
}

/* --- routes ---------------------------------------------------------------------------------- */

struct span {
    const char *at;
    size_t len;
};

static bool match(const struct route *route, const char *path, struct span *spans)
{
    int n = 0;

    for (const char *p = route->pattern; *p;) {
        if (p[0] == '{' && p[1] == '}') {
            bool tail = (route->flags & ROUTE_TAIL) && !p[2];
            size_t len = tail ? strlen(path) : strcspn(path, "/");

            if (len == 0 || n == ROUTE_MAX_PARAMS)
                return false;
            spans[n++] = (struct span){path, len};
            path += len;
            p += 2;
        } else if (*p++ != *path++) {
            return false;
        }
    }
    return !*path;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decode; malformed sequences and NUL are refused. Returns the end, NULL: refused. */
static char *decode(struct span s, char *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];

        if (c == '%') {
            int high = i + 2 < s.len ? hex_value(s.at[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_value(s.at[i + 2]) : -1;

            if (high < 0 || low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c)
            return NULL;
        *out++ = c;
    }
    *out++ = '\0';
    return out;
}

static int set_params(struct exchange *x, const struct span *spans, struct err *err)
{
    char *out;

    x->params = out = malloc(strlen(x->path) + ROUTE_MAX_PARAMS);
    if (!out)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (int i = 0; i < ROUTE_MAX_PARAMS && spans[i].at; i++) {
        x->rq.params[i] = out;
        out = decode(spans[i], out);
        if (!out)
            return err_set(err, ERR_INVALID, "the path has a malformed percent sequence");
    }
    return 0;
}

static void add_allow(struct exchange *x, const char *method)
{
    size_t n = strlen(x->allow);
    const char *also = strcmp(method, "GET") == 0 ? ", HEAD" : "";

    snprintf(x->allow + n, sizeof x->allow - n, "%s%s%s", n ? ", " : "", method, also);
}

static int find_route(struct exchange *x, struct err *err)
{
    const char *method = strcmp(x->method, "HEAD") == 0 ? "GET" : x->method;

    for (const struct route *route = routes; route->method; route++) {
        struct span spans[ROUTE_MAX_PARAMS] = {0};

        if (!match(route, x->path, spans))
            continue;
        add_allow(x, route->method);
        if (strcmp(route->method, method) == 0) {
            x->rq.route = route;
            return set_params(x, spans, err);
        }
    }
    if (x->allow[0])
        return err_set(err, ERR_METHOD, "'%.100s' does not take %s", x->path, x->method);
    return err_set(err, ERR_NOT_FOUND, "there is no '%.200s'", x->path);
}

/* --- who asks -------------------------------------------------------------------------------- */

bool http_is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
    }
    return false;
}

static bool from_loopback(const struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info && info->client_addr && http_is_loopback(info->client_addr);
}

static bool has_tls(const struct exchange *x)
{
    return MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_GNUTLS_SESSION) != NULL;
}

/* A proxy on loopback speaks for people who are elsewhere. */
static bool is_forwarded(const struct request *rq)
{
    return request_header(rq, "X-Forwarded-For") || request_header(rq, "Forwarded");
}

static int be_anonymous(struct exchange *x, struct err *err)
{
    const struct request *rq = &x->rq;

    if (rq->server->config.anonymous_viewer && rq->route->role == ROLE_VIEWER &&
        strcmp(rq->route->method, "GET") == 0 && from_loopback(x) && !is_forwarded(rq)) {
        x->rq.who = (struct operator_ref){.name = "anonymous", .role = ROLE_VIEWER};
        return 0;
    }
    return err_set(err, ERR_UNAUTHORISED, "this needs an operator's token with role %s",
                   role_name(rq->route->role));
}

static int authorise(struct exchange *x, struct err *err)
{
    enum role needed = x->rq.route->role;
    const char *token = request_bearer(&x->rq);
    int r;

    if (request_query(&x->rq, "token") || request_query(&x->rq, "access_token")) {
        err_set(err, ERR_INVALID, "a token in a URL ends in logs and is not taken");
        return err_remedy(err, "send it in the Authorization header, and replace this one");
    }
    if (token && !x->rq.secure)
        return err_set(err, ERR_INSECURE, "a token was sent over plain HTTP");
    if (needed < ROLE_VIEWER)
        return 0;
    if (!token)
        return be_anonymous(x, err);
    r = auth_operator(x->rq.server, token, &x->rq.who, err);
    if (r == 0 && x->rq.who.role < needed)
        r = err_set(err, ERR_FORBIDDEN, "'%s' has role %s, this needs %s", x->rq.who.name,
                    role_name(x->rq.who.role), role_name(needed));
    return r;
}

/* --- bodies ---------------------------------------------------------------------------------- */

static int too_large(const struct exchange *x, struct err *err)
{
    size_t cap = x->rq.route->body_cap;

    if (cap == 0)
        return err_set(err, ERR_TOO_LARGE, "%s of '%.100s' takes no body", x->method, x->path);
    return err_set(err, ERR_TOO_LARGE, "the body is longer than %zu bytes", cap);
}

static enum MHD_Result count_framing(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    int *n = cls;

    (void)kind;
    (void)value;
    *n += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
          strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* Where a body ends must be said once: a proxy in front that believes the other word would take a
 * part of this body for the next request (RFC 9112, 6.3). */
static int check_framing(const struct exchange *x, struct err *err)
{
    int n = 0;

    MHD_get_connection_values(x->conn, MHD_HEADER_KIND, count_framing, &n);
    return n > 1 ? err_set(err, ERR_INVALID, "the body's length is given in two ways") : 0;
}

static int check_announced(const struct exchange *x, struct err *err)
{
    const char *text = request_header(&x->rq, MHD_HTTP_HEADER_CONTENT_LENGTH);

    /* libmicrohttpd has refused what is not a number. */
    return text && strtoull(text, NULL, 10) > x->rq.route->body_cap ? too_large(x, err) : 0;
}

int exchange_begin(struct exchange *x, const char *method, struct err *err)
{
    int r;

    snprintf(x->method, sizeof x->method, "%s", method);
    x->rq.secure = has_tls(x) || from_loopback(x);
    if (x->path[0] != '/' || strlen(x->path) > PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the request's target is not a path");
    r = check_framing(x, err);
    if (r == 0)
        r = find_route(x, err);
    if (r == 0)
        r = authorise(x, err);
    if (r == 0)
        r = check_announced(x, err);
    if (r == 0)
        buf_init(&x->body, x->rq.route->body_cap);
    return r;
}

int exchange_body(struct exchange *x, const char *data, size_t len)
{
    int r = x->discarded ? -ERR_TOO_LARGE : buf_add(&x->body, data, len);

    if (r == -ERR_TOO_LARGE) {
        buf_release(&x->body);
        x->discarded += len;
        return x->discarded > DISCARD_MAX ? r : 0;
    }
    return r;
}

int exchange_check_body(struct exchange *x, struct err *err)
{
    if (x->discarded)
        return too_large(x, err);
    x->rq.body = x->body.data;
    x->rq.body_len = x->body.len;
    return 0;
}

/* --- what handlers ask ----------------------------------------------------------------------- */

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(exchange_of(rq)->conn, MHD_HEADER_KIND, name);
}

const char *request_query(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(exchange_of(rq)->conn, MHD_GET_ARGUMENT_KIND, name);
}

int request_query_int(const struct request *rq, const char *name, int64_t min, int64_t max,
                      int64_t otherwise, int64_t *ret, struct err *err)
{
    const char *text = request_query(rq, name);
    char *end;

    *ret = otherwise;
    if (!text)
        return 0;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (errno || *end || end == text || *ret < min || *ret > max)
        return err_set(err, ERR_INVALID, "query '%s' is not a number from %lld to %lld", name,
                       (long long)min, (long long)max);
    return 0;
}

const char *request_bearer(const struct request *rq)
{
    static const char scheme[] = "Bearer ";
    const char *v = request_header(rq, MHD_HTTP_HEADER_AUTHORIZATION);

    if (!v || strncasecmp(v, scheme, sizeof scheme - 1) != 0)
        return NULL;
    v += sizeof scheme - 1;
    v += strspn(v, " ");
    return *v ? v : NULL;
}
