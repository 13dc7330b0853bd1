/* token: enrolment tokens for devices and bearer tokens for operators. A token is shown once. */
#include <string.h>

#include "api.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "verbs.h"

#define TOKEN_TEXT_MAX 256
#define MAX_USES       10000000

/* To a file that only its owner reads, or else to standard output for a pipe. With --json and no
 * file it is part of the result. */
static int deliver(const struct cli *cli, json_t *answer, const char *what, struct err *err)
{
    const char *out = cli_get(cli, "out"), *token;
    char line[TOKEN_TEXT_MAX + 2];
    int r = jsonx_string(answer, what, "token", TOKEN_TEXT_MAX, &token, err);

    if (r < 0)
        return r;
    if (!out) {
        if (!cli_result(cli, answer))
            printf("%s\n", token);
        return 0;
    }
    snprintf(line, sizeof line, "%s\n", token);
    r = file_write_durable(out, line, strlen(line), 0600, err);
    explicit_bzero(line, sizeof line);
    if (r < 0)
        return r;
    json_object_del(answer, "token");
    json_object_set_new(answer, "out", json_string(out));
    if (!cli_result(cli, answer))
        printf("token written to %s\n", out);
    return 0;
}

static int create(struct cli *cli, const char *path, const json_t *body, const char *what,
                  struct err *err)
{
    const struct api_call call = {"POST", path, body, what};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *answer = NULL;
    int r = body ? api_open(cli, &api, err)
                 : err_set(err, ERR_USAGE, "%s: the name is not UTF-8 text", what);

    if (r == 0)
        r = api_json(api, &call, &answer, NULL, err);
    return r == 0 ? deliver(cli, answer, what, err) : r;
}

int token_create_run(struct cli *cli, struct err *err)
{
    json_auto_t *body = NULL;
    int64_t uses;
    int r = cli_get_int(cli, "uses", 1, MAX_USES, 1, &uses, err);

    if (r < 0)
        return r;
    body = json_pack("{s:s, s:I}", "group", cli_get(cli, "group"), "uses", (json_int_t)uses);
    return create(cli, "/api/v1/enrolment-tokens", body, "create enrolment token", err);
}

int token_create_operator_run(struct cli *cli, struct err *err)
{
    json_auto_t *body =
        json_pack("{s:s, s:s}", "name", cli_get(cli, "name"), "role", cli_get(cli, "role"));

    return create(cli, "/api/v1/operators", body, "create operator", err);
}
