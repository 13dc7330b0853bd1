/* httpd: a real daemon on a free loopback port, with routes of its own: roles, caps, suspended
 * requests, what is answered on stop. (The routes here take the place of routes.c.) */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "repo/blob.h"
#include "http/http.h"
#include "metrics.h"
#include "store/store.h"

struct site {
    struct server s;
    struct metrics metrics;
    char dir[64];
    char admin[64], viewer[64];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct request *kept; /* by the route that never replies */
};

static struct site *site_of(struct request *rq)
{
    return (struct site *)(void *)rq->server;
}

/* --- routes ---------------------------------------------------------------------------------- */

static void say(struct request *rq)
{
    json_auto_t *o =
        json_pack("{s:s, s:s?, s:s?, s:i, s:s}", "who", rq->who.name, "one", rq->params[0], "two",
                  rq->params[1], "length", (int)rq->body_len, "body", rq->body);

    reply_json(rq, 200, o);
}

static void committed(void *ctx, int r, const struct err *err)
{
    if (r < 0)
        reply_problem(ctx, err);
    else
        say(ctx);
}

static void say_later(struct request *rq)
{
    struct store_batch *b = store_batch_new();
    const struct row_setting row = {"said", rq->body};

    store_put_setting(b, &row);
    store_submit(rq->server->store, b, committed, rq);
}

static void keep(struct request *rq)
{
    struct site *site = site_of(rq);

    pthread_mutex_lock(&site->lock);
    site->kept = rq;
    pthread_cond_signal(&site->cond);
    pthread_mutex_unlock(&site->lock);
}

static void give_blob(struct request *rq)
{
    _cleanup_(blob_unref_p)
    struct blob *b = blob_new("0123456789", 10);

    reply_blob(rq, b, "text/plain", "no-cache");
}

static void refuse(struct request *rq)
{
    struct err err = {0};

    err_set(&err, ERR_BUDGET, "not \xff now");
    rq->retry_after_s = 7;
    reply_problem(rq, &err);
}

const struct route routes[] = {
    {"GET", "/open/{}", ROLE_PUBLIC, 0, 0, say, "says what it was asked"},
    {"POST", "/open/{}", ROLE_PUBLIC, 100, 0, say, ""},
    {"GET", "/tail/{}/{}", ROLE_PUBLIC, 0, ROUTE_TAIL, say, ""},
    {"GET", "/view", ROLE_VIEWER, 0, 0, say, ""},
    {"POST", "/admin", ROLE_ADMIN, 10, 0, say, ""},
    {"POST", "/later", ROLE_PUBLIC, 1000, ROUTE_ASYNC, say_later, ""},
    {"POST", "/never", ROLE_PUBLIC, 10, ROUTE_ASYNC, keep, ""},
    {"GET", "/blob", ROLE_PUBLIC, 0, 0, give_blob, ""},
    {"GET", "/refuse", ROLE_PUBLIC, 0, 0, refuse, ""},
    {0},
};

/* --- site ------------------------------------------------------------------------------------ */

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static void make_operators(struct site *site)
{
    struct store_batch *b = store_batch_new();
    struct err err = {0};

    must(auth_open(&site->s, &site->s.auth, &err), &err);
    must(auth_add_operator(&site->s, "ann", ROLE_ADMIN, site->admin, b, &err), &err);
    must(auth_add_operator(&site->s, "vic", ROLE_VIEWER, site->viewer, b, &err), &err);
    must(store_commit(site->s.store, b, &err), &err);
}

static int set_up(void **state)
{
    struct site *site = calloc(1, sizeof *site);
    char path[96];
    const struct store_options o = {path, 0, 0};
    struct err err = {0};

    strcpy(site->dir, "/tmp/fb-httpd-XXXXXX");
    assert_non_null(mkdtemp(site->dir));
    snprintf(path, sizeof path, "%s/db", site->dir);
    site->s.config =
        (struct config){.listen = (char[]){"127.0.0.1:0"}, .threads = 2, .max_connections = 64};
    site->s.clock = clock_system();
    site->s.metrics = &site->metrics;
    pthread_mutex_init(&site->lock, NULL);
    pthread_cond_init(&site->cond, NULL);
    must(store_open(&o, &site->s.store, &err), &err);
    make_operators(site);
    must(http_start(&site->s, &site->s.http, &err), &err);
    *state = site;
    return 0;
}

static int tear_down(void **state)
{
    struct site *site = *state;

    http_stop(site->s.http);
    auth_free(site->s.auth);
    store_close(site->s.store);
    file_remove_tree(site->dir, NULL);
    free(site);
    return 0;
}

/* --- client ---------------------------------------------------------------------------------- */

static int dial(const struct site *site)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(site->s.http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {20, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Read to the end of the connection. */
static char *receive(int fd)
{
    struct buf b;

    buf_init(&b, 1000000);
    buf_read_fd(&b, fd, NULL);
    close(fd);
    return buf_detach(&b, NULL);
}

static int ask_open(const struct site *site, const char *method, const char *target,
                    const char *headers, const char *body)
{
    char text[4096];
    int fd = dial(site);

    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method,
             target, headers);
    send_text(fd, text);
    if (body) {
        snprintf(text, sizeof text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
        send_text(fd, text);
    } else {
        send_text(fd, "\r\n");
    }
    return fd;
}

static char *ask(const struct site *site, const char *method, const char *target,
                 const char *headers, const char *body)
{
    return receive(ask_open(site, method, target, headers, body));
}

static void check(char *got, const char *status, const char *part)
{
    if (strncmp(got, "HTTP/1.1 ", 9) != 0 || strncmp(got + 9, status, strlen(status)) != 0 ||
        !strstr(got, part))
        fail_msg("wanted %s and '%s', got: %s", status, part, got);
    free(got);
}

static const char *bearer(const char *token, char ret[128])
{
    snprintf(ret, 128, "Authorization: Bearer %s\r\n", token);
    return ret;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
    struct site *s = *state;

    check(ask(s, "GET", "/open/a%20b?x=1", "", NULL), "200", "\"one\":\"a b\"");
    check(ask(s, "GET", "/tail/a/b/c%2Fd", "", NULL), "200", "\"two\":\"b/c/d\"");
    check(ask(s, "HEAD", "/open/a", "", NULL), "200", "X-Request-Id");
    check(ask(s, "GET", "/nothing", "", NULL), "404", "urn:firebreak:problem:not-found");
    check(ask(s, "GET", "/open/", "", NULL), "404", "");
    check(ask(s, "GET", "/open/a/", "", NULL), "404", "");
    check(ask(s, "GET", "/open/%00", "", NULL), "400", "percent");
    check(ask(s, "GET", "/open/%+1", "", NULL), "400", "percent");
    check(ask(s, "GET", "/open/%4", "", NULL), "400", "percent");
    check(ask(s, "DELETE", "/open/a", "", NULL), "405", "Allow: GET, HEAD, POST\r\n");
}

static void test_bodies(void **state)
{
    struct site *s = *state;
    char big[202];

    memset(big, 'x', 201);
    big[201] = '\0';
    check(ask(s, "POST", "/open/a", "", "hello"), "200", "\"body\":\"hello\"");
    check(ask(s, "POST", "/open/a", "", big), "413", "longer than 100 bytes");
    check(ask(s, "GET", "/open/a", "", "hello"), "413", "takes no body");
    check(ask(s, "POST", "/open/a", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", NULL),
          "200", "\"body\":\"abc\"");
}

static void test_two_lengths(void **state)
{
    struct site *s = *state;

    check(ask(s, "POST", "/open/a", "Content-Length: 4\r\n", "hello"), "400", "two ways");
    check(ask(s, "POST", "/open/a", "Content-Length: 5\r\n", "hello"), "400", "two ways");
    check(ask(s, "POST", "/open/a", "transfer-encoding: chunked\r\n", "0\r\n\r\n"), "400",
          "two ways");
}

static void test_chunked_past_the_cap(void **state)
{
    struct site *s = *state;
    int fd = ask_open(s, "POST", "/open/a", "Transfer-Encoding: chunked\r\n", NULL);
    char chunk[1032] = "400\r\n";

    for (int i = 0; i < 3; i++) {
        memset(chunk + 5, 'x', 1024);
        memcpy(chunk + 1029, "\r\n", 3);
        send_text(fd, chunk);
    }
    send_text(fd, "0\r\n\r\n");
    check(receive(fd), "413", "longer than 100 bytes");
}

static void test_chunked_without_end(void **state)
{
    struct site *s = *state;
    int fd = ask_open(s, "POST", "/open/a", "Transfer-Encoding: chunked\r\n", NULL);
    char chunk[4104] = "1000\r\n";
    _cleanup_(free_p)
    char *got = NULL;
    ssize_t n = 0;
    int i;

    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 4102, "\r\n", 2);
    for (i = 0; n >= 0 && i < 16384; i++) /* 64 MiB, were it let */
        n = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL);
    assert_true(i < 16384);
    got = receive(fd);
    assert_null(strstr(got, "200"));
}

static void test_roles(void **state)
{
    struct site *s = *state;
    char h[128];

    check(ask(s, "GET", "/view", "", NULL), "401", "WWW-Authenticate: Bearer");
    check(ask(s, "GET", "/view", bearer("fbo_wrong", h), NULL), "401", "unauthorised");
    check(ask(s, "GET", "/view", bearer(s->viewer, h), NULL), "200", "\"who\":\"vic\"");
    check(ask(s, "GET", "/view", bearer(s->admin, h), NULL), "200", "\"who\":\"ann\"");
    check(ask(s, "POST", "/admin", bearer(s->viewer, h), ""), "403", "this needs admin");
    check(ask(s, "POST", "/admin", bearer(s->admin, h), "x"), "200", "\"who\":\"ann\"");
    check(ask(s, "GET", "/view?token=fbo_x", bearer(s->admin, h), NULL), "400", "in a URL");
}

static void test_anonymous_viewer(void **state)
{
    struct site *s = *state;

    s->s.config.anonymous_viewer = true;
    check(ask(s, "GET", "/view", "", NULL), "200", "\"who\":\"anonymous\"");
    check(ask(s, "POST", "/admin", "", ""), "401", "");
    check(ask(s, "GET", "/view", "X-Forwarded-For: 192.0.2.1\r\n", NULL), "401", "");
}

static void test_blobs(void **state)
{
    struct site *s = *state;
    char tag[128];
    _cleanup_(blob_unref_p)
    struct blob *b = blob_new("0123456789", 10);

    check(ask(s, "GET", "/blob", "", NULL), "200", "\r\n\r\n0123456789");
    check(ask(s, "GET", "/blob", "", NULL), "200", blob_etag(b));
    snprintf(tag, sizeof tag, "If-None-Match: \"x\", W/%s\r\n", blob_etag(b));
    check(ask(s, "GET", "/blob", tag, NULL), "304", blob_etag(b));
    check(ask(s, "GET", "/blob", "If-None-Match: \"x\"\r\n", NULL), "200", "0123456789");
    check(ask(s, "GET", "/blob", "Range: bytes=2-4\r\n", NULL), "206", "\r\n\r\n234");
    check(ask(s, "GET", "/blob", "Range: bytes=7-\r\n", NULL), "206", "bytes 7-9/10");
    check(ask(s, "GET", "/blob", "Range: bytes=-2\r\n", NULL), "206", "\r\n\r\n89");
    check(ask(s, "GET", "/blob", "Range: bytes=5-99\r\n", NULL), "206", "bytes 5-9/10");
    check(ask(s, "GET", "/blob", "Range: bytes=10-\r\n", NULL), "416", "bytes */10");
    check(ask(s, "GET", "/blob", "Range: bytes=0-1,4-5\r\n", NULL), "200", "0123456789");
    check(ask(s, "GET", "/blob", "Range: bytes=7-\r\nIf-Range: \"old\"\r\n", NULL), "200",
          "0123456789");
}

static void test_problems(void **state)
{
    struct site *s = *state;

    check(ask(s, "GET", "/refuse", "", NULL), "429", "application/problem+json\r\n");
    check(ask(s, "GET", "/refuse", "", NULL), "429", "\"detail\":\"not ? now\"");
    check(ask(s, "GET", "/refuse", "", NULL), "429", "Retry-After: 7\r\n");
    assert_int_equal(atomic_load(&s->metrics.v[METRICS_HTTP_PROBLEMS]), 3);
}

static void test_replies_after_the_commit(void **state)
{
    struct site *s = *state;
    int fds[32];
    struct store_stats st;

    for (int i = 0; i < 32; i++)
        fds[i] = ask_open(s, "POST", "/later", "", "x");
    for (int i = 0; i < 32; i++)
        check(receive(fds[i]), "200", "\"body\":\"x\"");
    store_get_stats(s->s.store, &st);
    assert_int_equal(st.batches, 33); /* one was the operators' */
}

static void test_stop_answers_the_suspended(void **state)
{
    struct site *s = *state;
    int fd = ask_open(s, "POST", "/never", "", "x");
    struct request *kept;

    pthread_mutex_lock(&s->lock);
    while (!s->kept)
        pthread_cond_wait(&s->cond, &s->lock);
    kept = s->kept;
    pthread_mutex_unlock(&s->lock);
    http_stop(take_ptr(s->s.http));
    check(receive(fd), "503", "urn:firebreak:problem:unavailable");
    say(kept); /* too late: goes nowhere, and frees it */
}

static void test_refuses_plain_http_beyond_loopback(void **state)
{
    struct site *s = *state;
    struct http *h = NULL;
    struct err err = {0};

    s->s.config.listen = (char[]){"0.0.0.0:0"};
    assert_int_equal(http_start(&s->s, &h, &err), -ERR_INSECURE);
    assert_non_null(strstr(err.remedy, "tls_cert"));
    s->s.config.listen = (char[]){"nonsense"};
    assert_int_equal(http_start(&s->s, &h, &err), -ERR_INVALID);
    s->s.config.listen = (char[]){"127.0.0.1:65536"};
    assert_int_equal(http_start(&s->s, &h, &err), -ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_routes),
        TEST(test_bodies),
        TEST(test_two_lengths),
        TEST(test_chunked_past_the_cap),
        TEST(test_chunked_without_end),
        TEST(test_roles),
        TEST(test_anonymous_viewer),
        TEST(test_blobs),
        TEST(test_problems),
        TEST(test_replies_after_the_commit),
        TEST(test_stop_answers_the_suspended),
        TEST(test_refuses_plain_http_beyond_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
