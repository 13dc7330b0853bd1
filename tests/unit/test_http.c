/* http: against a scripted server on a free loopback port, hostile answers included. */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "net/http.h"

struct page {
    const char *path;
    const char *answer; /* the raw bytes; NULL: none at all */
};

#define LENGTH(n) "Content-Length: " #n "\r\n\r\n"

static const struct page pages[] = {
    {"/plain", "HTTP/1.1 200 OK\r\nETag: \"abc\"\r\nRetry-After: 7\r\n" LENGTH(5) "hello"},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: /plain\r\n" LENGTH(0)},
    {"/later", "HTTP/1.1 503 Later\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n" LENGTH(0)},
    {"/blob", "HTTP/1.1 200 OK\r\n" LENGTH(10) "0123456789"},
    {"/empty", "HTTP/1.1 200 OK\r\n" LENGTH(0)},
    {"/range", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-9/10\r\n" LENGTH(6) "456789"},
    {"/past", "HTTP/1.1 416 Range Not Satisfiable\r\n" LENGTH(0)},
    {"/cut", "HTTP/1.1 200 OK\r\nConnection: close\r\n" LENGTH(8) "0123"},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n"
                 "01234567890123456789\r\n0\r\n\r\n"},
    {"/announced", "HTTP/1.1 200 OK\r\n" LENGTH(1000000000) "01234"}, /* and no more */
    {"/gone", "HTTP/1.1 404 Not Found\r\n" LENGTH(0)},
    {"/halted",
     "HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\n" LENGTH(
         109) "{\"type\":\"urn:firebreak:problem:halted\",\"title\":\"t\",\"status\":409,"
              "\"detail\":\"c/3\\u001b[ halted\",\"remedy\":\"wait\"}"},
    {"/mute", NULL},
};

struct server {
    int listener;
    int port;
    pthread_t thread;
    char last[4096]; /* the last request, as it came */
    int n_connections;
};

static size_t body_length(const char *head)
{
    const char *p = strcasestr(head, "\r\nContent-Length:");

    return p ? strtoul(p + 17, NULL, 10) : 0;
}

/* One request into s->last. False at the connection's end. */
static bool read_request(struct server *s, int fd)
{
    size_t n = 0;

    for (;;) {
        const char *end;
        ssize_t k = recv(fd, s->last + n, sizeof s->last - 1 - n, 0);

        if (k <= 0 || s->last[0] < 'A') /* the end, or TLS */
            return false;
        n += (size_t)k;
        s->last[n] = '\0';
        end = strstr(s->last, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - s->last) + body_length(s->last))
            return true;
    }
}

static void serve(struct server *s, int fd)
{
    while (read_request(s, fd)) {
        const char *path = strchr(s->last, ' ') + 1;
        size_t len = strcspn(path, " ");

        for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
            const char *answer = pages[i].answer;

            if (strlen(pages[i].path) != len || memcmp(pages[i].path, path, len) != 0 || !answer)
                continue;
            if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0 ||
                strstr(answer, "Connection: close"))
                return;
        }
    }
}

static void *server_main(void *arg)
{
    struct server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        s->n_connections++;
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

static int start(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct server *s = calloc(1, sizeof *s);

    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s->listener, (struct sockaddr *)&at, len) < 0 || listen(s->listener, 8) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&at, &len) < 0)
        return -1;
    s->port = ntohs(at.sin_port);
    *state = s;
    return pthread_create(&s->thread, NULL, server_main, s);
}

static int stop(void **state)
{
    struct server *s = *state;

    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    free(s);
    return 0;
}

static struct http_client *client(const char *scheme, int port, int64_t timeout_ms)
{
    struct http_client *c = NULL;
    struct err err = {0};
    char base[64];
    struct http_options o = {.base_url = base, .proxy = "", .timeout_ms = timeout_ms};

    snprintf(base, sizeof base, "%s://127.0.0.1:%d/", scheme, port);
    assert_int_equal(http_client_new(&o, &c, &err), 0);
    return c;
}

static int get(struct http_client *c, const char *path, struct http_response *rs, struct err *err)
{
    const struct http_request rq = {.method = "GET", .path = path};

    return http_do(c, &rq, rs, err);
}

static void test_answers_over_one_connection(void **state)
{
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *c = client("http", s->port, 5000);
    struct http_response rs = {0};
    struct err err = {0};

    buf_init(&rs.body, 100);
    assert_int_equal(get(c, "/plain", &rs, &err), 0);
    assert_int_equal(rs.status, 200);
    assert_string_equal(rs.body.data, "hello");
    assert_string_equal(rs.etag, "\"abc\"");
    assert_int_equal(rs.retry_after_s, 7);
    assert_int_equal(get(c, "/moved", &rs, &err), 0);
    assert_int_equal(rs.status, 302);
    assert_string_equal(rs.etag, "");
    assert_int_equal(http_problem(&rs, "GET /moved", &err), -ERR_INVALID);
    assert_int_equal(get(c, "/later", &rs, &err), 0);
    assert_int_equal(rs.retry_after_s, -1);
    assert_int_equal(http_problem(&rs, "GET /later", &err), -ERR_UNAVAILABLE);
    assert_int_equal(s->n_connections, 1);
    buf_release(&rs.body);
}

static void test_request_as_sent(void **state)
{
    static const char *const headers[] = {"Signature: fb=:x:", NULL};
    static const char *const evil[] = {"A: b\r\nC: d", NULL};
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *c = client("http", s->port, 5000);
    struct http_request rq = {.method = "POST",
                              .path = "/plain",
                              .headers = headers,
                              .bearer = "secret",
                              .body = "{\"a\":1}",
                              .body_len = 7};
    struct http_response rs = {0};
    struct err err = {0};

    buf_init(&rs.body, 100);
    assert_int_equal(http_do(c, &rq, &rs, &err), 0);
    assert_memory_equal(s->last, "POST /plain HTTP/1.1\r\n", 22);
    assert_non_null(strstr(s->last, "\r\nSignature: fb=:x:\r\n"));
    assert_non_null(strstr(s->last, "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(s->last, "\r\n\r\n{\"a\":1}"));
    assert_null(strcasestr(s->last, "Expect:"));
    /* what one request set does not leak into the next */
    assert_int_equal(get(c, "/plain", &rs, &err), 0);
    assert_memory_equal(s->last, "GET /plain", 10);
    assert_null(strstr(s->last, "secret"));
    rq.headers = evil;
    assert_int_equal(http_do(c, &rq, &rs, &err), -ERR_INVALID);
    rq.headers = NULL;
    rq.path = "/a b";
    assert_int_equal(http_do(c, &rq, &rs, &err), -ERR_INVALID);
    rq.path = "evil.example/";
    assert_int_equal(http_do(c, &rq, &rs, &err), -ERR_INVALID);
    buf_release(&rs.body);
}

static void test_failures(void **state)
{
    static const struct {
        const char *path;
        int64_t timeout_ms;
        int want;
    } table[] = {
        {"/mute", 150, -ERR_TIMEOUT},       {"/blob", 5000, -ERR_TOO_LARGE},
        {"/chunked", 5000, -ERR_TOO_LARGE}, {"/announced", 20000, -ERR_TOO_LARGE},
        {"/cut", 5000, -ERR_UNREACHABLE},
    };
    struct server *s = *state;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        _cleanup_(http_client_free_p)
        struct http_client *c = client("http", s->port, table[i].timeout_ms);
        struct http_response rs = {0};
        struct err err = {0};

        buf_init(&rs.body, 8);
        assert_int_equal(get(c, table[i].path, &rs, &err), table[i].want);
        assert_non_null(strstr(err.msg, table[i].path));
        assert_true(rs.body.len <= 8);
        buf_release(&rs.body);
    }
}

/* What a HEAD announces does not come, so it is not too long. */
static void test_head(void **state)
{
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *c = client("http", s->port, 5000);
    const struct http_request rq = {.method = "HEAD", .path = "/announced"};
    struct http_response rs = {0};
    struct err err = {0};

    buf_init(&rs.body, 8);
    assert_int_equal(http_do(c, &rq, &rs, &err), 0);
    assert_int_equal(rs.status, 200);
    buf_release(&rs.body);
}

static void test_nobody_there_and_no_tls(void **state)
{
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *tls = client("https", s->port, 2000), *none = NULL;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    _cleanup_(close_p)
    int bound = socket(AF_INET, SOCK_STREAM, 0); /* bound, but it does not listen */
    struct http_response rs = {0};
    struct err err = {0};

    buf_init(&rs.body, 100);
    assert_int_equal(bind(bound, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&at, &len), 0);
    none = client("http", ntohs(at.sin_port), 2000);
    assert_int_equal(get(none, "/plain", &rs, &err), -ERR_UNREACHABLE);
    assert_int_equal(get(tls, "/plain", &rs, &err), -ERR_UNREACHABLE);
    buf_release(&rs.body);
}

static void test_bad_addresses(void **state)
{
    static const char *const table[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "", "http://",
                                        "https://user:pw@127.0.0.1/"};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_options o = {.base_url = table[i]};
        struct http_client *c = NULL;
        struct err err = {0};

        if (http_client_new(&o, &c, &err) != -ERR_INVALID)
            fail_msg("'%s' was taken", table[i]);
        assert_null(c);
    }
}

static void test_token_stays_off_the_plain_network(void **state)
{
    static const char *const table[] = {"http://192.0.2.1", "http://127.0.0.1.example",
                                        "http://localhost.example"};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_options o = {.base_url = table[i], .proxy = "", .timeout_ms = 100};
        struct http_request rq = {.method = "GET", .path = "/", .bearer = "secret"};
        struct http_response rs = {0};
        struct http_client *c = NULL;
        struct err err = {0};

        buf_init(&rs.body, 100);
        assert_int_equal(http_client_new(&o, &c, &err), 0);
        assert_int_equal(http_do(c, &rq, &rs, &err), -ERR_INSECURE);
        http_client_free(c);
        buf_release(&rs.body);
    }
}

/* A request to this machine leaves it by no proxy, whoever names one: it may hold a token. */
static void test_loopback_needs_no_proxy(void **state)
{
    static const char *const proxies[] = {NULL, "http://127.0.0.1:1"};
    struct server *s = *state;
    struct http_response rs = {0};
    struct err err = {0};
    char base[64];

    snprintf(base, sizeof base, "http://127.0.0.1:%d", s->port);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    buf_init(&rs.body, 100);
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        struct http_options o = {.base_url = base, .proxy = proxies[i], .timeout_ms = 5000};
        struct http_request rq = {.method = "GET", .path = "/plain", .bearer = "secret"};
        struct http_client *c = NULL;

        assert_int_equal(http_client_new(&o, &c, &err), 0);
        assert_int_equal(http_do(c, &rq, &rs, &err), 0);
        assert_int_equal(rs.status, 200);
        assert_memory_equal(s->last, "GET /plain HTTP/1.1\r\n", 21);
        http_client_free(c);
    }
    buf_release(&rs.body);
    unsetenv("http_proxy");
}

static void test_download(void **state)
{
    static const struct {
        const char *path, *before;
        int64_t offset, cap;
        int want;
        const char *after;
    } table[] = {
        {"/blob", "", 0, 10, 0, "0123456789"},
        {"/blob", "", 0, 9, -ERR_TOO_LARGE, ""},
        {"/empty", "", 0, 10, 0, ""},
        {"/chunked", "", 0, 19, -ERR_TOO_LARGE, ""},
        {"/range", "0123", 4, 10, 0, "0123456789"},
        {"/range", "0123", 4, 9, -ERR_TOO_LARGE, "0123"},
        {"/blob", "xxxxxxxxxxxx", 12, 20, 0, "0123456789"}, /* no ranges: all anew */
        {"/range", "01234", 5, 10, -ERR_INVALID, "01234"},  /* other bytes than asked for */
        {"/cut", "", 0, 10, -ERR_UNREACHABLE, "0123"},      /* kept for resuming */
        {"/past", "0123", 4, 10, -ERR_CONFLICT, "0123"},
        {"/gone", "", 0, 10, -ERR_NOT_FOUND, ""},
        {"/halted", "", 0, 10, -ERR_HALTED, ""}, /* no error page in a blob */
    };
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *c = client("http", s->port, 5000);

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        _cleanup_(close_p)
        int fd = memfd_create("blob", MFD_CLOEXEC);
        struct err err = {0};
        char got[64] = "";
        int r;

        assert_int_equal(pwrite(fd, table[i].before, strlen(table[i].before), 0),
                         strlen(table[i].before));
        r = http_get_fd(c, table[i].path, fd, table[i].offset, table[i].cap, &err);
        assert_true(pread(fd, got, sizeof got - 1, 0) >= 0);
        if (r != table[i].want || strcmp(got, table[i].after) != 0)
            fail_msg("%s from %d: %d '%s' (%s)", table[i].path, (int)table[i].offset, r, got,
                     err.msg);
    }
}

static void test_ranges_are_asked_for(void **state)
{
    struct server *s = *state;
    _cleanup_(http_client_free_p)
    struct http_client *c = client("http", s->port, 5000);
    _cleanup_(close_p)
    int fd = memfd_create("blob", MFD_CLOEXEC);
    struct err err = {0};

    assert_int_equal(http_get_fd(c, "/range", fd, 4, 10, &err), 0);
    assert_non_null(strstr(s->last, "\r\nRange: bytes=4-\r\n"));
    assert_int_equal(http_get_fd(c, "/blob", fd, 0, 10, &err), 0);
    assert_null(strstr(s->last, "Range:"));
}

static void test_problem(void **state)
{
    static const struct {
        int status;
        const char *body;
        int want;
        const char *msg, *remedy;
    } table[] = {
        {409,
         "{\"type\":\"urn:firebreak:problem:halted\",\"detail\":\"c/3 "
         "\\u001b[2J\",\"remedy\":\"r\"}",
         -ERR_HALTED, "x: c/3 ?[2J", "r"},
        {403, "{\"type\":\"urn:firebreak:problem:who-knows\",\"title\":\"no\"}", -ERR_FORBIDDEN,
         "x: no", ""},
        {429, "<html>", -ERR_BUDGET, "x: server answered 429", ""},
        {418, "{\"type\":7,\"detail\":[]}", -ERR_INTERNAL, "x: server answered 418", ""},
        {401, "", -ERR_UNAUTHORISED, "x: server answered 401", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_response rs = {.status = table[i].status};
        struct err err = {0};

        buf_init(&rs.body, 1000);
        assert_int_equal(buf_adds(&rs.body, table[i].body), 0);
        assert_int_equal(http_problem(&rs, "x", &err), table[i].want);
        assert_string_equal(err.msg, table[i].msg);
        assert_string_equal(err.remedy, table[i].remedy);
        buf_release(&rs.body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_over_one_connection, start, stop),
        cmocka_unit_test_setup_teardown(test_request_as_sent, start, stop),
        cmocka_unit_test_setup_teardown(test_failures, start, stop),
        cmocka_unit_test_setup_teardown(test_head, start, stop),
        cmocka_unit_test_setup_teardown(test_nobody_there_and_no_tls, start, stop),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_token_stays_off_the_plain_network),
        cmocka_unit_test_setup_teardown(test_loopback_needs_no_proxy, start, stop),
        cmocka_unit_test_setup_teardown(test_download, start, stop),
        cmocka_unit_test_setup_teardown(test_ranges_are_asked_for, start, stop),
        cmocka_unit_test(test_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
