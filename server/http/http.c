/*
 * http: libmicrohttpd's life and callbacks. See http.h. The order of one request:
 *
 *   arrives -> exchange_begin (route, role, announced length) -> body, bounded
 *     plain: handler replies -> response is queued
 *     ASYNC: suspend -> handler ... reply from any thread -> resume -> response is queued
 *   -> completed
 */
#include "http/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "http/http_internal.h"
#include "store/store.h"

#define CONNECTION_TIMEOUT_S 30
#define CONNECTION_MEMORY    32768 /* headers, and a piece of the body */
#define STOP_WAIT_S          3     /* for answers on their way when the server stops */
#define TLS_PEM_MAX          262144

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    int port;
    char *cert, *key;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stopping;
    int active;                /* requests between arrival and completion */
    struct exchange suspended; /* head of the ring */
};

/* --- suspended requests ---------------------------------------------------------------------- */

/* False: the server stops; nothing was done. */
static bool suspend(struct exchange *x)
{
    struct http *h = x->http;
    bool ok;

    pthread_mutex_lock(&h->lock);
    ok = !h->stopping;
    if (ok) {
        x->suspended = true;
        atomic_fetch_add(&x->refs, 1);
        x->next = &h->suspended;
        x->prev = h->suspended.prev;
        x->prev->next = x->next->prev = x;
        MHD_suspend_connection(x->conn);
    }
    pthread_mutex_unlock(&h->lock);
    return ok;
}

static void resume_locked(struct http *h, struct exchange *x)
{
    x->prev->next = x->next;
    x->next->prev = x->prev;
    MHD_resume_connection(x->conn);
    pthread_cond_broadcast(&h->changed);
}

void http_resume(struct exchange *x)
{
    struct http *h = x->http; /* x may be gone once it is resumed */

    pthread_mutex_lock(&h->lock);
    resume_locked(h, x);
    pthread_mutex_unlock(&h->lock);
}

static struct MHD_Response *stop_response(void)
{
    static const char text[] = "{\"type\":\"urn:firebreak:problem:unavailable\","
                               "\"title\":\"unavailable\",\"status\":503,"
                               "\"detail\":\"the server is stopping\","
                               "\"remedy\":\"try again shortly\"}";
    struct MHD_Response *rs = MHD_create_response_from_buffer(
        sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

    if (rs) {
        MHD_add_response_header(rs, MHD_HTTP_HEADER_CONTENT_TYPE, "application/problem+json");
        MHD_add_response_header(rs, MHD_HTTP_HEADER_RETRY_AFTER, "5");
    }
    return rs;
}

/* Those that no reply came for. A handler that replies later finds `answered` set and only drops
 * its reference; one that replies right now is waited for. */
static void answer_suspended(struct http *h)
{
    struct exchange *x, *next;

    pthread_mutex_lock(&h->lock);
    for (x = h->suspended.next; x != &h->suspended; x = next) {
        next = x->next;
        if (atomic_exchange(&x->answered, true))
            continue;
        x->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        x->response = stop_response();
        resume_locked(h, x);
    }
    while (h->suspended.next != &h->suspended)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

/* --- libmicrohttpd's callbacks --------------------------------------------------------------- */

static void *arrives(void *cls, const char *target, struct MHD_Connection *conn)
{
    struct http *h = cls;
    struct exchange *x = exchange_new(h, target);

    if (!x)
        return NULL;
    x->conn = conn;
    x->rq.server = h->server;
    pthread_mutex_lock(&h->lock);
    h->active++;
    pthread_mutex_unlock(&h->lock);
    return x;
}

static void completed(void *cls, struct MHD_Connection *conn, void **ctx,
                      enum MHD_RequestTerminationCode code)
{
    struct http *h = cls;
    struct exchange *x = *ctx;

    (void)conn;
    if (!x)
        return;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        log_debug("http", "%s ended early (%d)", x->rq.id, (int)code);
    *ctx = NULL;
    exchange_unref(x);
    pthread_mutex_lock(&h->lock);
    h->active--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

/* Queue the reply that was given. MHD_NO closes the connection: there is no memory for more. */
static enum MHD_Result send_reply(struct exchange *x)
{
    struct MHD_Response *rs = take_ptr(x->response);
    enum MHD_Result r = rs ? MHD_queue_response(x->conn, (unsigned)x->status, rs) : MHD_NO;

    if (rs)
        MHD_destroy_response(rs);
    log_debug("http", "%s %s %s: %d", x->rq.id, x->method, x->rq.path, x->status);
    return r;
}

static enum MHD_Result send_problem(struct exchange *x, const struct err *err)
{
    reply_problem(&x->rq, err);
    return send_reply(x);
}

static enum MHD_Result run(struct exchange *x)
{
    struct request *rq = &x->rq;
    struct err err = {0};

    x->ran = true;
    if (exchange_check_body(x, &err) < 0)
        return send_problem(x, &err);
    if (!(rq->route->flags & ROUTE_ASYNC)) {
        rq->route->run(rq);
        return send_reply(x);
    }
    if (!suspend(x)) {
        err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
        return send_problem(x, &err);
    }
    rq->route->run(rq); /* rq may be gone now */
    return MHD_YES;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *conn, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **ctx)
{
    struct exchange *x = *ctx;
    struct err err = {0};

    (void)cls;
    (void)conn;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    if (!x->begun) {
        x->begun = true;
        return exchange_begin(x, method, &err) < 0 ? send_problem(x, &err) : MHD_YES;
    }
    if (*size) {
        size_t n = *size;

        *size = 0;
        return exchange_body(x, data, n) < 0 ? MHD_NO : MHD_YES;
    }
    return x->ran ? send_reply(x) : run(x);
}

static void log_mhd(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void log_mhd(void *cls, const char *fmt, va_list ap)
{
    char line[512];

    (void)cls;
    vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http", "libmicrohttpd: %s", line);
}

/* --- start ----------------------------------------------------------------------------------- */

DEFINE_CLEANUP(struct addrinfo *, freeaddrinfo)

/* "host:port", "[::1]:port". */
static int resolve(const char *listen_on, struct addrinfo **ret, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *colon = strrchr(listen_on, ':');
    char host[256];
    size_t n = colon ? (size_t)(colon - listen_on) : 0;
    int e;

    /* getaddrinfo cuts a larger number to 16 bits */
    if (n == 0 || n >= sizeof host || !colon[1] || strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return err_set(err, ERR_INVALID, "listen '%.100s' is not ADDRESS:PORT", listen_on);
    if (listen_on[0] == '[' && listen_on[n - 1] == ']')
        snprintf(host, sizeof host, "%.*s", (int)n - 2, listen_on + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)n, listen_on);
    e = getaddrinfo(host, colon + 1, &hints, ret);
    if (e)
        return err_set(err, ERR_INVALID, "listen '%.100s': %s", listen_on, gai_strerror(e));
    return 0;
}

static int bound_port(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -1;
    if (ss.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
}

static int open_socket(const struct config *c, int *ret_fd, struct err *err)
{
    _cleanup_(freeaddrinfo_p)
    struct addrinfo *ai = NULL;
    _cleanup_(close_p)
    int fd = -1;
    int on = 1, r = resolve(c->listen, &ai, err);

    if (r < 0)
        return r;
    if (!c->tls_cert && !http_is_loopback(ai->ai_addr)) {
        err_set(err, ERR_INSECURE, "listen '%.100s' is not loopback and there is no TLS",
                c->listen);
        return err_remedy(err, "set tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy");
    }
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(err, errno, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
        err_errno(err, errno, "listen on '%.100s'", c->listen);
        return err_remedy(err, "free that address, or name another with 'listen'");
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

static int read_pem(const char *path, int (*read)(const char *, struct buf *, struct err *),
                    char **ret, struct err *err)
{
    struct buf b;
    int r;

    buf_init(&b, TLS_PEM_MAX);
    r = read(path, &b, err);
    if (r == 0 && !(*ret = buf_detach(&b, NULL)))
        r = err_set(err, ERR_NOMEM, "out of memory");
    buf_release(&b);
    return r;
}

static int read_tls(struct http *h, const struct config *c, struct err *err)
{
    int r;

    if (!c->tls_cert)
        return 0;
    if (MHD_is_feature_supported(MHD_FEATURE_SSL) != MHD_YES)
        return err_set(err, ERR_INVALID, "this libmicrohttpd was built without TLS");
    r = read_pem(c->tls_cert, file_read, &h->cert, err);
    return r < 0 ? r : read_pem(c->tls_key, file_read_secret, &h->key, err);
}

static int start_daemon(struct http *h, int fd, struct err *err)
{
    const struct config *c = &h->server->config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (h->cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, h->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };

    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, answer, h, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, arrives, h,
        MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->max_connections,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)c->threads, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        h->cert ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls, MHD_OPTION_END);
    if (h->daemon)
        return 0;
    if (h->cert) {
        err_set(err, ERR_INVALID, "tls_cert '%.100s' and tls_key make no TLS server", c->tls_cert);
        return err_remedy(err, "both must be PEM and belong together; LOG_TRACE=http says more");
    }
    err_set(err, ERR_IO, "libmicrohttpd does not start");
    return err_remedy(err, "LOG_TRACE=http says why");
}

static void http_free(struct http *h)
{
    if (h->key)
        explicit_bzero(h->key, strlen(h->key));
    free(h->cert);
    free(h->key);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

int http_start(struct server *s, struct http **ret, struct err *err)
{
    struct http *h = calloc(1, sizeof *h);
    _cleanup_(close_p)
    int fd = -1;
    int r;

    if (!h)
        return err_set(err, ERR_NOMEM, "out of memory");
    h->server = s;
    h->suspended.next = h->suspended.prev = &h->suspended;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    r = read_tls(h, &s->config, err);
    if (r == 0)
        r = open_socket(&s->config, &fd, err);
    if (r == 0) {
        h->port = bound_port(fd);
        r = start_daemon(h, fd, err);
    }
    if (r < 0) {
        http_free(h);
        return r;
    }
    take_fd(&fd); /* the daemon's now */
    *ret = h;
    return 0;
}

int http_port(const struct http *h)
{
    return h->port;
}

/* --- stop ------------------------------------------------------------------------------------ */

static void wait_inactive(struct http *h)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    pthread_mutex_lock(&h->lock);
    while (h->active > 0)
        if (pthread_cond_timedwait(&h->changed, &h->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&h->lock);
}

void http_stop(struct http *h)
{
    MHD_socket fd;

    if (!h)
        return;
    fd = MHD_quiesce_daemon(h->daemon);
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    /* What reached the store is committed and gets its true answer. */
    if (h->server->store)
        store_commit(h->server->store, store_batch_new(), NULL);
    answer_suspended(h);
    wait_inactive(h);
    MHD_stop_daemon(h->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    http_free(h);
}
