/* expiry: see expiry.h. */
#include "repository/expiry.h"

#include <string.h>

#include "table.h"

#define HOUR_S 3600
#define DAY_S  86400

static const struct {
    const char *role;
    int64_t warn_s; /* lives of a day and of a week, by default */
} online[] = {{"timestamp", 6 * HOUR_S}, {"snapshot", DAY_S}, {"rollout", DAY_S}};

static int64_t online_warn_s(const char *role)
{
    for (size_t i = 0; i < sizeof online / sizeof online[0]; i++)
        if (strcmp(online[i].role, role) == 0)
            return online[i].warn_s;
    return 0;
}

bool expiry_is_online(const char *role)
{
    return online_warn_s(role) > 0;
}

int64_t expiry_warn_s(const char *role, int64_t warn_days)
{
    return expiry_is_online(role) ? online_warn_s(role) : warn_days * DAY_S;
}

void expiry_text(const char *role, int64_t left_s, char *ret, size_t size)
{
    const char *what = expiry_is_online(role)
                           ? "the server renews it by itself: see why it does not"
                           : "renew it with 'firebreak repo renew'";
    char span[32];

    table_format_duration(left_s > 0 ? left_s : -left_s, span);
    if (left_s > 0)
        snprintf(ret, size, "%.100s expires in %s: %s", role, span, what);
    else
        snprintf(ret, size, "%.100s expired %s ago: %s", role, span, what);
}

void expiry_tell(const struct cli *cli, struct api *api, json_t *answer)
{
    const struct api_call call = {"GET", "/api/v1/overview", NULL, "expiry"};
    json_auto_t *overview = NULL, *warnings = json_array();
    struct err ignored = {0};
    size_t i;
    json_t *o;

    if (api_json(api, &call, &overview, NULL, &ignored) < 0)
        return;
    json_array_foreach (json_object_get(overview, "expiry"), i, o) {
        const char *role = json_string_value(json_object_get(o, "role"));
        char text[256], safe[256];

        if (!role || !json_is_true(json_object_get(o, "warn")))
            continue;
        expiry_text(role, json_integer_value(json_object_get(o, "expires_in_s")), text,
                    sizeof text);
        table_safe(text, safe, sizeof safe);
        if (cli->json)
            json_array_append_new(warnings, json_string(safe));
        else
            fprintf(stderr, "note: %s\n", safe);
    }
    json_object_set(answer, "warnings", warnings);
}
