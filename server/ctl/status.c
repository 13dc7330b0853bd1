/* status: see status.h. */
#include "status.h"

#include <string.h>

#include "base/jsonx.h"
#include "table.h"

static const json_t *find(const json_t *o, const char *path)
{
    while (o && *path) {
        char key[32];
        size_t len = strcspn(path, ".");

        snprintf(key, sizeof key, "%.*s", (int)len, path);
        o = json_object_get(o, key);
        path += len;
        path += *path == '.';
    }
    return o;
}

const char *status_text(const json_t *o, const char *path)
{
    const char *s = json_string_value(find(o, path));

    return s ? s : "";
}

int64_t status_int(const json_t *o, const char *path)
{
    return json_integer_value(find(o, path));
}

int status_get(struct api *a, const char *channel, json_t **ret, enum rollout_state *ret_state,
               struct err *err)
{
    char path[128];
    const struct api_call call = {"GET", path, NULL, "rollout status"};
    json_auto_t *status = NULL;
    const char *state;
    int r;

    snprintf(path, sizeof path, "/api/v1/channels/%s/rollout", channel);
    r = api_json(a, &call, &status, NULL, err);
    if (r == 0)
        r = jsonx_string(status, call.what, "state", 32, &state, err);
    if (r < 0)
        return r;
    if (rollout_state_from(state, ret_state) < 0)
        return err_set(err, ERR_INVALID, "%s: state '%s' is not known", call.what, state);
    *ret = take_ptr(status);
    return 0;
}

/* Counts in the order in which a device passes them, then what may go wrong: key, title. Two short
 * tables, for a terminal of 80 columns. */
struct count {
    const char *key;
    struct table_column column;
};

static const struct count progress[] = {
    {"counts.fleet", {"FLEET", true}},
    {"counts.staged_ready", {"READY", true}},
    {"counts.controls", {"CONTROLS", true}},
    {"counts.admitted", {"ADMITTED", true}},
    {"counts.acknowledged", {"ACKNOWLEDGED", true}},
    {"counts.healthy", {"HEALTHY", true}},
    {0},
};

static const struct count trouble[] = {
    {"counts.preflight_failed", {"PREFLIGHT FAILED", true}},
    {"counts.crashed", {"CRASHED", true}},
    {"counts.rolled_back", {"ROLLED BACK", true}},
    {"counts.silent", {"SILENT", true}},
    {"counts.recalled", {"RECALLED", true}},
    {0},
};
_Static_assert(sizeof progress / sizeof progress[0] <= TABLE_MAX_COLUMNS + 1, "they fit a table");
_Static_assert(sizeof trouble / sizeof trouble[0] <= TABLE_MAX_COLUMNS + 1, "they fit a table");

static void print_counts(const json_t *status, const struct count *rows, FILE *out)
{
    struct table_column columns[TABLE_MAX_COLUMNS] = {0};
    struct table t;
    int n = 0;

    for (; rows[n].key; n++)
        columns[n] = rows[n].column;
    table_init(&t, columns, n);
    for (int i = 0; i < n; i++)
        table_number(&t, status_int(status, rows[i].key));
    fputc('\n', out);
    table_print(&t, 2, out);
    table_release(&t);
}

static const char *state_colour(const char *state)
{
    static const struct {
        const char *state, *colour;
    } rows[] = {{"running", "\033[36m"},
                {"complete", "\033[32m"},
                {"paused", "\033[33m"},
                {"halted", "\033[31;1m"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].state, state) == 0)
            return rows[i].colour;
    return "";
}

static void print_ring(const json_t *status, FILE *out)
{
    char cap[32], since[32], name[64];

    if (!json_is_object(find(status, "ring")))
        return;
    table_format_number(status_int(status, "ring.cap"), cap);
    table_format_duration(status_int(status, "ring.full_since_s"), since);
    fprintf(out, "  ring %lld of %lld (%s), up to %s devices",
            (long long)status_int(status, "ring.index") + 1,
            (long long)status_int(status, "ring.of"),
            table_safe(status_text(status, "ring.name"), name, sizeof name), cap);
    if (json_is_true(find(status, "ring.full")) &&
        strcmp(status_text(status, "state"), "running") == 0)
        fprintf(out, ", full for %s", since);
    fputc('\n', out);
}

static void print_cohorts(const json_t *list, FILE *out)
{
    static const struct table_column columns[] = {
        {"COHORT", false}, {"SIZE", true},   {"READY", true}, {"ADMITTED", true},
        {"HEALTHY", true}, {"FAILED", true}, {"", false},
    };
    struct table t;
    size_t i;
    json_t *o;

    if (json_array_size(list) < 2)
        return;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_array_foreach (list, i, o) {
        table_text(&t, status_text(o, "name"));
        table_number(&t, status_int(o, "size"));
        table_number(&t, status_int(o, "ready"));
        table_number(&t, status_int(o, "admitted"));
        table_number(&t, status_int(o, "healthy"));
        table_number(&t, status_int(o, "direct"));
        table_text(&t, json_is_true(json_object_get(o, "halted")) ? "halted" : " ");
    }
    fputc('\n', out);
    table_print(&t, 2, out);
    table_release(&t);
}

/* Not those that only repeat how it stands. */
static void print_reasons(const json_t *reasons, const char *stands, FILE *out)
{
    char safe[512];
    size_t i;
    json_t *o;

    json_array_foreach (reasons, i, o) {
        if (strcmp(status_text(o, "text"), stands) == 0)
            continue;
        fprintf(out, "  - %s", table_safe(status_text(o, "verdict"), safe, sizeof safe));
        if (!strstr(status_text(o, "text"), status_text(o, "scope")))
            fprintf(out, " %s", table_safe(status_text(o, "scope"), safe, sizeof safe));
        fprintf(out, ": %s\n", table_safe(status_text(o, "text"), safe, sizeof safe));
    }
}

/* The gate's word while it has one to say; then only how it ended. */
static const char *verdict_shown(const json_t *status)
{
    const char *state = status_text(status, "state");

    return strcmp(state, "complete") == 0 || strcmp(state, "superseded") == 0
               ? state
               : status_text(status, "verdict");
}

/* How it stands, less the state that was said before: "complete: 9 of 9 admitted". */
static const char *stands_shown(const json_t *status)
{
    const char *state = status_text(status, "state"), *stands = status_text(status, "stands");
    size_t len = strlen(state);

    return strncmp(stands, state, len) == 0 && strncmp(stands + len, ": ", 2) == 0
               ? stands + len + 2
               : stands;
}

void status_print(const json_t *status, bool colours, FILE *out)
{
    const char *state = status_text(status, "state");
    char safe[512], elapsed[32], halt[32];

    table_format_duration(status_int(status, "elapsed_s"), elapsed);
    fprintf(out, "%s/", table_safe(status_text(status, "channel"), safe, sizeof safe));
    fprintf(out, "%s  ", table_safe(status_text(status, "release.version"), safe, sizeof safe));
    fprintf(out, "%s%s%s", colours ? state_colour(state) : "", table_safe(state, safe, sizeof safe),
            colours ? "\033[0m" : "");
    if (json_is_integer(find(status, "seconds_to_halt"))) {
        table_format_duration(status_int(status, "seconds_to_halt"), halt);
        fprintf(out, " after %s", halt);
    }
    fprintf(out, "\n  policy %s", table_safe(status_text(status, "policy"), safe, sizeof safe));
    fprintf(out, ", tick %lld, %s since its start\n", (long long)status_int(status, "tick"),
            elapsed);
    print_ring(status, out);
    print_counts(status, progress, out);
    print_counts(status, trouble, out);
    print_cohorts(find(status, "cohorts"), out);
    fprintf(out, "\n  %s", table_safe(verdict_shown(status), safe, sizeof safe));
    fprintf(out, ": %s\n", table_safe(stands_shown(status), safe, sizeof safe));
    print_reasons(find(status, "reasons"), stands_shown(status), out);
}

void status_print_line(const json_t *status, FILE *out)
{
    char version[64], state[32], verdict[32], stands[256];

    fprintf(out,
            "%s %s, ring %lld of %lld, admitted %lld, healthy %lld, crashed %lld, silent %lld, "
            "rolled back %lld, recalled %lld; %s: %s\n",
            table_safe(status_text(status, "release.version"), version, sizeof version),
            table_safe(status_text(status, "state"), state, sizeof state),
            (long long)status_int(status, "ring.index") + 1,
            (long long)status_int(status, "ring.of"),
            (long long)status_int(status, "counts.admitted"),
            (long long)status_int(status, "counts.healthy"),
            (long long)status_int(status, "counts.crashed"),
            (long long)status_int(status, "counts.silent"),
            (long long)status_int(status, "counts.rolled_back"),
            (long long)status_int(status, "counts.recalled"),
            table_safe(verdict_shown(status), verdict, sizeof verdict),
            table_safe(stands_shown(status), stands, sizeof stands));
}
