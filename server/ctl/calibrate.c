/* calibrate: the gate on a channel's telemetry without a release; start, look at and stop it. */
#include <string.h>

#include "api.h"
#include "ref.h"
#include "status.h"
#include "table.h"
#include "verbs.h"

#define ROUNDS_SHOWN 10

static int call(struct cli *cli, const char *method, const char *suffix, const char *what,
                const json_t *body, json_t **ret, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    char channel[CHANNEL_NAME_MAX], path[128];
    const struct api_call of = {method, path, body, what};
    int r = ref_channel(cli->args[0], channel, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "/api/v1/channels/%s/calibration%s", channel, suffix);
    return api_json(api, &of, ret, NULL, err);
}

/* The options that are whole numbers, by the member of the request. */
static int add_numbers(struct cli *cli, json_t *body, struct err *err)
{
    static const struct {
        const char *option, *key;
        int64_t max, factor;
    } numbers[] = {{"rounds", "rounds", 1000, 1},
                   {"lanes", "lanes", 8, 1},
                   {"share-percent", "share_ppm", 100, 10000},
                   {"limit-hours", "limit_s", 720, 3600}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t n;

        if (!cli_has(cli, numbers[i].option))
            continue;
        if (cli_get_int(cli, numbers[i].option, 1, numbers[i].max, 1, &n, err) < 0)
            return -(int)err->code;
        json_object_set_new(body, numbers[i].key, json_integer(n * numbers[i].factor));
    }
    return 0;
}

int calibrate_start_run(struct cli *cli, struct err *err)
{
    json_auto_t *body = json_pack("{s:s*}", "policy", cli_get(cli, "policy"));
    json_auto_t *answer = NULL;
    int r;

    if (!body)
        return err_set(err, ERR_USAGE, "--policy is not UTF-8 text");
    r = add_numbers(cli, body, err);
    if (r == 0)
        r = call(cli, "POST", "", "start calibration", body, &answer, err);
    if (r == 0 && !cli_result(cli, answer))
        printf(
            "calibration of %s with policy %s: %lld rounds, up to %lld at once, %lld devices, at "
            "most %.0f check-ins/s\n",
            cli->args[0], status_text(answer, "policy"),
            (long long)status_int(answer, "options.rounds"),
            (long long)status_int(answer, "options.lanes"),
            (long long)status_int(answer, "devices"),
            json_number_value(json_object_get(answer, "checkins_s")));
    return r;
}

int calibrate_stop_run(struct cli *cli, struct err *err)
{
    json_auto_t *answer = NULL;
    int r = call(cli, "POST", "/stop", "stop calibration", NULL, &answer, err);

    if (r == 0 && !cli_result(cli, answer))
        printf("calibration of %s: %s\n", cli->args[0], status_text(answer, "state"));
    return r;
}

/* --- status ----------------------------------------------------------------------------------- */

static void print_head(const json_t *o)
{
    const json_t *alarms = json_object_get(o, "false_alarms");
    char safe[300];

    printf("calibration of %s: %s%s%s; policy %s\n", status_text(o, "channel"),
           status_text(o, "state"), status_text(o, "why")[0] ? ": " : "",
           table_safe(status_text(o, "why"), safe, sizeof safe), status_text(o, "policy"));
    printf(
        "  rounds        %lld of %lld: %lld complete, %lld at the limit; %lld warned, %lld asked, "
        "%lld without proof\n",
        (long long)status_int(o, "rounds.finished"), (long long)status_int(o, "options.rounds"),
        (long long)status_int(o, "rounds.complete"), (long long)status_int(o, "rounds.limit"),
        (long long)status_int(o, "rounds.warned"), (long long)status_int(o, "rounds.asked"),
        (long long)status_int(o, "rounds.unproven"));
    if (json_is_object(alarms))
        printf("  false alarms  %lld of %lld rounds halted; at most %.2g %% (95 %%)\n",
               (long long)status_int(alarms, "halted"), (long long)status_int(alarms, "rounds"),
               100 * json_number_value(json_object_get(alarms, "high")));
    printf("  paused        %.2g %% of %lld ticks\n",
           100 * json_number_value(json_object_get(o, "paused_share")),
           (long long)status_int(o, "ticks"));
    if (status_int(o, "restarts") > 0)
        printf("  restarts      %lld; the rounds under way began anew\n",
               (long long)status_int(o, "restarts"));
    printf("  crashes       %.3g a device and day\n",
           json_number_value(json_object_get(o, "crashes_day")));
    printf("  blamed        %lld of %lld admissions\n", (long long)status_int(o, "direct.direct"),
           (long long)status_int(o, "direct.admitted"));
}

static void cell(struct table *t, const json_t *o, const char *key)
{
    char text[32];

    snprintf(text, sizeof text, "%.3g", json_number_value(json_object_get(o, key)));
    table_text(t, text);
}

static void print_rate(struct table *t, const char *metric, const char *scope, const json_t *o)
{
    table_text(t, metric);
    table_text(t, scope);
    table_number(t, status_int(o, "trials"));
    table_number(t, status_int(o, "failures"));
    cell(t, o, "rate");
    cell(t, o, "low");
    cell(t, o, "high");
    cell(t, o, "spread");
}

static void print_rates(const json_t *metrics)
{
    static const struct table_column columns[] = {
        {"METRIC", false}, {"SCOPE", false}, {"TRIALS", true}, {"FAILED", true},
        {"RATE", true},    {"FROM", true},   {"TO", true},     {"SPREAD", true}};
    const char *metric, *cohort;
    json_t *of, *c;
    struct table t;

    if (json_object_size(metrics) == 0)
        return;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_object_foreach ((json_t *)(uintptr_t)metrics, metric, of) {
        print_rate(&t, metric, "fleet", of);
        json_object_foreach (json_object_get(of, "cohorts"), cohort, c)
            print_rate(&t, metric, cohort, c);
    }
    printf("\n");
    table_print(&t, 2, stdout);
    table_release(&t);
}

static void print_lines(const json_t *lines)
{
    char safe[400];
    size_t i;
    json_t *line;

    if (json_array_size(lines) > 0)
        printf("\n");
    json_array_foreach (lines, i, line) {
        const char *text = json_string_value(line);

        printf("  %s\n", table_safe(text ? text : "", safe, sizeof safe));
    }
}

/* What was wrong with the rounds that were not as they should be, the latest ones. */
static void print_alarms(const json_t *results)
{
    static const char *const kinds[] = {"halt", "warning", "question"};
    size_t n = json_array_size(results);
    char safe[400];
    int shown = 0;

    for (size_t i = n; i-- > 0 && shown < ROUNDS_SHOWN;) {
        const json_t *o = json_array_get(results, i);

        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            if (!status_text(o, kinds[k])[0])
                continue;
            printf("%s  round %lld, %s: %s\n", shown == 0 ? "\n" : "",
                   (long long)status_int(o, "round"), kinds[k],
                   table_safe(status_text(o, kinds[k]), safe, sizeof safe));
            shown++;
        }
    }
}

int calibrate_status_run(struct cli *cli, struct err *err)
{
    json_auto_t *answer = NULL;
    int r = call(cli, "GET", "", "look at calibration", NULL, &answer, err);

    if (r < 0 || cli_result(cli, answer))
        return r;
    print_head(answer);
    print_rates(json_object_get(answer, "metrics"));
    print_alarms(json_object_get(answer, "results"));
    print_lines(json_object_get(json_object_get(answer, "suggestion"), "text"));
    return 0;
}
