/* api: see api.h. */
#include "api.h"

#include <string.h>

#include "base/file.h"
#include "base/jsonx.h"
#include "net/http.h"

#define API_TIMEOUT_MS 60000
#define API_TOKEN_MAX  512
#define API_BODY_MAX   (16 * 1000 * 1000)

struct api {
    struct http_client *http;
    char token[API_TOKEN_MAX]; /* "" none */
};

/* An option, or the environment variable that stands for it. */
static const char *given(const struct cli *cli, const char *option, const char *variable)
{
    const char *v = cli_get(cli, option);

    if (!v)
        v = getenv(variable);
    return v && v[0] ? v : NULL;
}

const char *api_server(const struct cli *cli)
{
    return given(cli, "server", "FIREBREAK_SERVER");
}

int api_open(const struct cli *cli, struct api **ret, struct err *err)
{
    const char *token_file = given(cli, "token-file", "FIREBREAK_TOKEN_FILE");
    const struct http_options o = {.base_url = api_server(cli),
                                   .ca_file = cli_get(cli, "ca-file"),
                                   .timeout_ms = API_TIMEOUT_MS};
    _cleanup_(api_free_p)
    struct api *a = calloc(1, sizeof *a);
    int r = 0;

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!o.base_url) {
        err_set(err, ERR_USAGE, "no server named");
        return err_remedy(err, "use --server=URL or set FIREBREAK_SERVER");
    }
    if (token_file)
        r = err_context(err, file_read_secret_line(token_file, a->token, sizeof a->token, err),
                        "token");
    if (r == 0) {
        r = http_client_new(&o, &a->http, err);
        if (r == -ERR_INVALID) { /* --server is no address */
            err->code = ERR_USAGE;
            r = -ERR_USAGE;
        }
    }
    if (r == 0)
        *ret = take_ptr(a);
    return r;
}

void api_free(struct api *a)
{
    if (!a)
        return;
    http_client_free(a->http);
    explicit_bzero(a->token, sizeof a->token);
    free(a);
}

static int send_bytes(struct api *a, const struct http_request *rq, struct http_response *rs,
                      const char *what, struct err *err)
{
    int r = http_do(a->http, rq, rs, err);

    if (r == 0 && rs->status >= 400)
        return http_problem(rs, what, err);
    if (r == 0 && (rs->status < 200 || rs->status > 299))
        r = err_set(err, ERR_INVALID, "unexpected status %d", rs->status);
    return err_context(err, r, "%s", what);
}

int api_json(struct api *a, const struct api_call *call, json_t **ret, int *ret_status,
             struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Accept: application/json", NULL};
    _cleanup_(free_p)
    char *text = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    _cleanup_(buf_release)
    struct buf answer;
    struct http_response rs = {0};
    struct http_request rq = {.method = call->method,
                              .path = call->path,
                              .headers = headers,
                              .bearer = a->token[0] ? a->token : NULL,
                              .body = text,
                              .body_len = text ? strlen(text) : 0};
    int r;

    buf_init(&answer, API_ANSWER_MAX);
    if (call->body && !text)
        return err_set(err, ERR_NOMEM, "%s: out of memory", call->what);
    rs.body = answer;
    r = send_bytes(a, &rq, &rs, call->what, err);
    answer = rs.body;
    if (r < 0)
        return r;
    if (ret && answer.len == 0)
        *ret = json_object();
    else if (ret)
        r = err_context(err, jsonx_parse(answer.data, answer.len, API_ANSWER_MAX, ret, err),
                        "%s: answer", call->what);
    if (r == 0 && ret_status)
        *ret_status = rs.status;
    return r;
}

int api_get_bytes(struct api *a, const char *path, struct buf *ret, struct err *err)
{
    const struct http_request rq = {.method = "GET", .path = path};
    struct http_response rs = {.body = *ret};
    int r = send_bytes(a, &rq, &rs, path, err);

    *ret = rs.body;
    return r;
}

int api_put_bytes(struct api *a, const char *path, const void *data, size_t len, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
    const struct http_request rq = {.method = "PUT",
                                    .path = path,
                                    .headers = headers,
                                    .bearer = a->token[0] ? a->token : NULL,
                                    .body = len ? data : "",
                                    .body_len = len};
    _cleanup_(buf_release)
    struct buf answer;
    struct http_response rs = {0};
    int r;

    buf_init(&answer, API_ANSWER_MAX);
    rs.body = answer;
    r = send_bytes(a, &rq, &rs, path, err);
    answer = rs.body;
    return r;
}
