/* pool: see pool.h. */
#include "pool.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX         (128 * 1024)
#define CONNECT_TIMEOUT_MS 5000

struct pool_slot {
    CURL *curl;
    struct curl_slist *headers;
    struct http_response rs;
    bool too_large;
    void *ctx;
};

struct pool {
    CURLM *multi;
    char *base_url;
    char *ca_file;
    int64_t timeout_ms;
    bool loopback;
    struct pool_slot *slots;
    struct pool_slot **idle; /* stack */
    int64_t n_slots, n_idle;
};

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

/* As net/http.c has it: a token crosses the network only encrypted, and no proxy has part in what
 * stays on this machine. */
static int check_base(struct pool *p, struct err *err)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    int r = 0;

    if (!u || curl_url_set(u, CURLUPART_URL, p->base_url, 0) ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0))
        r = err_set(err, ERR_INVALID, "'%.200s' is not an address", p->base_url);
    else
        p->loopback = is_loopback(host);
    if (r == 0 && strcmp(scheme, "https") != 0 && !p->loopback)
        r = err_set(err, ERR_INSECURE, "a token would cross the network in clear to '%.200s'",
                    p->base_url);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return r;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct pool_slot *s = user;

    if (buf_add(&s->rs.body, data, size * n) < 0) {
        s->too_large = true;
        return 0;
    }
    return size * n;
}

static void set_options(const struct pool *p, struct pool_slot *s)
{
    CURL *h = s->curl;

    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_POST, 1L);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)p->timeout_ms);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "firebreak-fleet/" FIREBREAK_VERSION);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(h, CURLOPT_PRIVATE, s);
    if (p->ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, p->ca_file);
    if (p->loopback)
        curl_easy_setopt(h, CURLOPT_PROXY, "");
}

static int make_slots(struct pool *p, int64_t n, struct err *err)
{
    p->slots = calloc((size_t)n, sizeof *p->slots);
    p->idle = calloc((size_t)n, sizeof *p->idle);
    if (!p->slots || !p->idle)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (; p->n_slots < n; p->n_slots++) {
        struct pool_slot *s = &p->slots[p->n_slots];

        s->curl = curl_easy_init();
        if (!s->curl)
            return err_set(err, ERR_NOMEM, "out of memory for an http client");
        buf_init(&s->rs.body, ANSWER_MAX);
        set_options(p, s);
        p->idle[p->n_idle++] = s;
    }
    return 0;
}

int pool_new(const struct http_options *o, int64_t requests, struct pool **ret, struct err *err)
{
    struct pool *p = calloc(1, sizeof *p);
    int r = 0;

    if (!p || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(p);
        return err_set(err, ERR_NOMEM, "out of memory for an http client");
    }
    p->multi = curl_multi_init();
    p->base_url = strdup(o->base_url);
    p->ca_file = o->ca_file ? strdup(o->ca_file) : NULL;
    p->timeout_ms = o->timeout_ms;
    if (!p->multi || !p->base_url || (o->ca_file && !p->ca_file))
        r = err_set(err, ERR_NOMEM, "out of memory for an http client");
    else
        r = check_base(p, err);
    for (size_t n = r == 0 ? strlen(p->base_url) : 0; n > 0 && p->base_url[n - 1] == '/'; n--)
        p->base_url[n - 1] = '\0';
    if (r == 0)
        r = make_slots(p, requests, err);
    if (r < 0) {
        pool_free(p);
        return r;
    }
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)requests);
    *ret = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (int64_t i = 0; i < p->n_slots; i++) {
        curl_multi_remove_handle(p->multi, p->slots[i].curl);
        curl_easy_cleanup(p->slots[i].curl);
        curl_slist_free_all(p->slots[i].headers);
        buf_release(&p->slots[i].rs.body);
    }
    curl_multi_cleanup(p->multi);
    curl_global_cleanup();
    free(p->slots);
    free(p->idle);
    free(p->base_url);
    free(p->ca_file);
    free(p);
}

bool pool_is_full(const struct pool *p)
{
    return p->n_idle == 0;
}

static void give_back(struct pool *p, struct pool_slot *s)
{
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    p->idle[p->n_idle++] = s;
}

static int set_headers(struct pool_slot *s, const struct pool_request *rq)
{
    struct curl_slist *more = curl_slist_append(NULL, "Expect:"); /* no wait for "100 Continue" */

    for (int i = 0; more && i < POOL_MAX_HEADERS && rq->headers[i]; i++) {
        struct curl_slist *longer = curl_slist_append(more, rq->headers[i]);

        if (!longer)
            curl_slist_free_all(more);
        more = longer;
    }
    s->headers = more;
    return more ? 0 : -ERR_NOMEM;
}

int pool_submit(struct pool *p, const struct pool_request *rq, struct err *err)
{
    struct pool_slot *s;
    char *url;

    if (p->n_idle == 0)
        return err_set(err, ERR_UNAVAILABLE, "all requests are in flight");
    if (asprintf(&url, "%s%s", p->base_url, rq->path) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    s = p->idle[--p->n_idle];
    s->ctx = rq->ctx;
    s->too_large = false;
    s->rs.retry_after_s = -1;
    buf_reset(&s->rs.body);
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    free(url);
    if (set_headers(s, rq) < 0) {
        give_back(p, s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
    curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, rq->body);
    if (curl_multi_add_handle(p->multi, s->curl) != CURLM_OK) {
        give_back(p, s);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

static int outcome(struct pool_slot *s, CURLcode code)
{
    long status = 0;
    curl_off_t retry = 0;

    if (s->too_large)
        return -ERR_TOO_LARGE;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return -ERR_TIMEOUT;
    if (code != CURLE_OK)
        return -ERR_UNREACHABLE;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &retry);
    s->rs.status = (int)status;
    s->rs.retry_after_s = retry > 0 ? retry : -1;
    return 0;
}

static void deliver(struct pool *p, pool_done_fn done, void *user)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(p->multi, &left))) {
        CURL *h = msg->easy_handle;
        CURLcode code = msg->data.result;
        struct pool_slot *s = NULL;
        int r;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(h, CURLINFO_PRIVATE, (char **)&s);
        r = outcome(s, code);
        curl_multi_remove_handle(p->multi, h);
        done(user, s->ctx, r, &s->rs);
        give_back(p, s);
    }
}

int pool_run(struct pool *p, int64_t wait_ms, int fd, pool_done_fn done, void *user,
             struct err *err)
{
    struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
    int running;
    CURLMcode code = curl_multi_perform(p->multi, &running);

    deliver(p, done, user);
    if (code == CURLM_OK)
        code = curl_multi_poll(p->multi, &extra, fd >= 0, (int)wait_ms, NULL);
    return code == CURLM_OK ? 0 : err_set(err, ERR_INTERNAL, "http: %s", curl_multi_strerror(code));
}

void pool_wake(struct pool *p)
{
    curl_multi_wakeup(p->multi);
}
