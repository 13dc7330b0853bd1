/* rollout: start, look at, explain, halt and promote rollouts. */
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "repository/expiry.h"
#include "ref.h"
#include "status.h"
#include "table.h"
#include "verbs.h"

#define HISTORY_SHOWN 20 /* entries */

/* POST to a channel's verb about one release. */
static int post(struct cli *cli, const char *verb, const char *option, const char *what,
                json_t **ret, int *ret_status, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    const char *value = cli_get(cli, option);
    json_auto_t *body = NULL;
    char path[128];
    struct api_call call = {"POST", path, NULL, what};
    struct ref ref;
    int r = ref_parse(cli->args[0], &ref, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "/api/v1/channels/%s/%s", ref.channel, verb);
    body = json_pack("{s:s, s:s*}", "version", ref.version, option, value);
    if (!body)
        return err_set(err, ERR_USAGE, "--%s is not UTF-8 text", option);
    call.body = body;
    return api_json(api, &call, ret, ret_status, err);
}

int rollout_start_run(struct cli *cli, struct err *err)
{
    json_auto_t *answer = NULL;
    int r = post(cli, "rollouts", "policy", "start rollout", &answer, NULL, err);

    if (r == 0 && !cli_result(cli, answer))
        printf("rollout of %s started with policy %s\n", cli->args[0], cli_get(cli, "policy"));
    return r;
}

int rollout_halt_run(struct cli *cli, struct err *err)
{
    json_auto_t *answer = NULL;
    int r = post(cli, "halt", "reason", "halt rollout", &answer, NULL, err);

    if (r == 0 && !cli_result(cli, answer))
        printf("%s halted: no more permits; endpoints that have it are told to go back\n",
               cli->args[0]);
    return r;
}

int rollout_promote_run(struct cli *cli, struct err *err)
{
    json_auto_t *answer = NULL;
    int status, r = post(cli, "promote", "reason", "promote rollout", &answer, &status, err);
    char safe[512];

    if (r < 0 || cli_result(cli, answer))
        return r;
    if (status == 202)
        printf("recorded; %s\n", status_text(answer, "message")[0]
                                     ? table_safe(status_text(answer, "message"), safe, sizeof safe)
                                     : "a second person must promote it too");
    else
        printf("%s promoted by one ring\n", cli->args[0]);
    return 0;
}

int rollout_status_run(struct cli *cli, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    char channel[CHANNEL_NAME_MAX];
    json_auto_t *status = NULL;
    enum rollout_state state;
    int r = ref_channel(cli->args[0], channel, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r == 0)
        r = status_get(api, channel, &status, &state, err);
    if (r < 0)
        return r;
    expiry_tell(cli, api, status);
    if (!cli_result(cli, status))
        status_print(status, table_colours(stdout), stdout);
    if (state == ROLLOUT_HALTED)
        cli->exit_status = err_exit_status(ERR_HALTED);
    return 0;
}

/* Verdicts as they changed, the latest ones. */
static void print_history(const json_t *history)
{
    static const struct table_column columns[] = {
        {"TICK", true}, {"WHEN", false}, {"VERDICT", false}, {"WHY", false}};
    size_t n = json_array_size(history);
    struct table t;

    if (n == 0)
        return;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = n > HISTORY_SHOWN ? n - HISTORY_SHOWN : 0; i < n; i++) {
        const json_t *o = json_array_get(history, i);
        char when[21];

        clock_format_utc(status_int(o, "at_ms") / 1000, when);
        table_number(&t, status_int(o, "tick"));
        table_text(&t, when);
        table_text(&t, status_text(o, "verdict"));
        table_text(&t, status_text(o, "text"));
    }
    printf("\n");
    table_print(&t, 2, stdout);
    table_release(&t);
}

static void print_explanation(const json_t *answer)
{
    const json_t *lines = json_object_get(answer, "text");
    char safe[512];
    size_t i;
    json_t *line;

    json_array_foreach (lines, i, line) {
        const char *text = json_string_value(line);

        printf("%s\n", table_safe(text ? text : "", safe, sizeof safe));
    }
    print_history(json_object_get(answer, "history"));
}

int rollout_explain_run(struct cli *cli, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    char channel[CHANNEL_NAME_MAX], path[128];
    const struct api_call call = {"GET", path, NULL, "explain rollout"};
    json_auto_t *answer = NULL;
    int r = ref_channel(cli->args[0], channel, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "/api/v1/channels/%s/explain", channel);
    r = api_json(api, &call, &answer, NULL, err);
    if (r == 0 && !cli_result(cli, answer))
        print_explanation(answer);
    return r;
}
