/* release_list: what a channel has published. */
#include "api.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "repository/expiry.h"
#include "ref.h"
#include "revoked.h"
#include "table.h"
#include "verbs.h"

#define MAX_LISTED 100000

/* "listed" is what is usual, and says nothing. */
static const char *state_of(const json_t *o, char *ret, size_t size)
{
    const char *revoked = json_string_value(json_object_get(o, "revoked"));

    ret[0] = '\0';
    if (revoked)
        snprintf(ret, size, "revoked: %s", revoked);
    else if (json_is_false(json_object_get(o, "listed")))
        snprintf(ret, size, "no longer listed");
    return ret;
}

static void print_releases(const json_t *list)
{
    static const struct table_column columns[] = {
        {"VERSION", false},   {"SEQ", true}, {"DIGEST", false},
        {"PUBLISHED", false}, {"BY", false}, {"STATE", false},
    };
    struct table t;
    size_t i;
    json_t *o;

    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_array_foreach (list, i, o) {
        char when[21], digest[13], state[REVOKED_REASON_MAX + 16];

        clock_format_utc(json_integer_value(json_object_get(o, "published_ms")) / 1000, when);
        snprintf(digest, sizeof digest, "%.12s",
                 json_is_string(json_object_get(o, "digest"))
                     ? json_string_value(json_object_get(o, "digest"))
                     : "");
        table_text(&t, json_string_value(json_object_get(o, "version")));
        table_number(&t, json_integer_value(json_object_get(o, "sequence")));
        table_text(&t, digest);
        table_text(&t, when);
        table_text(&t, json_string_value(json_object_get(o, "by")));
        table_text(&t, state_of(o, state, sizeof state));
    }
    table_print(&t, 0, stdout);
    table_release(&t);
}

int release_list_run(struct cli *cli, struct err *err)
{
    char channel[CHANNEL_NAME_MAX], path[128];
    const struct api_call call = {"GET", path, NULL, "list releases"};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *answer = NULL;
    json_t *list;
    int r = ref_channel(cli_get(cli, "channel"), channel, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "/api/v1/channels/%s/releases", channel);
    r = api_json(api, &call, &answer, NULL, err);
    if (r == 0)
        r = jsonx_array(answer, call.what, "releases", MAX_LISTED, &list, err);
    if (r < 0)
        return r;
    expiry_tell(cli, api, answer);
    if (!cli_result(cli, answer))
        print_releases(list);
    return 0;
}
