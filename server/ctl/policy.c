/* policy: how a rollout would proceed: files checked before anybody has them, and what the server
 * has. */
#include "policy_file.h"

#include <string.h>

#include "api.h"
#include "base/jsonx.h"
#include "table.h"
#include "verbs.h"

#define RINGS_SHOWN 200

/* "the canary group, 2,000 devices, 1 %, 100 %" */
static const char *rings_shown(const struct policy *p, char ret[RINGS_SHOWN])
{
    size_t len = 0;

    for (int i = 0; i < p->n_rings && len < RINGS_SHOWN; i++) {
        char name[48];

        policy_ring_name(&p->rings[i], name, sizeof name);
        len += (size_t)snprintf(ret + len, RINGS_SHOWN - len, "%s%s", i ? ", " : "", name);
    }
    return ret;
}

/* The server finds a policy by its file's name. */
static int check_name(const char *path, const struct policy *p, struct err *err)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    size_t n = strlen(p->name);

    if (strncmp(file, p->name, n) == 0 && strcmp(file + n, ".json") == 0)
        return 0;
    err_set(err, ERR_POLICY, "%s: names itself '%s'", path, p->name);
    return err_remedy(err, "call the file %s.json, or change 'name' in it", p->name);
}

int policy_check_run(struct cli *cli, struct err *err)
{
    json_auto_t *told = json_pack("{s:[]}", "policies");

    for (int i = 0; i < cli->n_args; i++) {
        struct policy p;
        char rings[RINGS_SHOWN];
        int r = policy_read_path(cli->args[i], &p, err);

        if (r == 0)
            r = check_name(cli->args[i], &p, err);
        if (r < 0)
            return r;
        json_array_append_new(json_object_get(told, "policies"), policy_to_json(&p));
        if (!cli->json)
            printf("%s: can work: %s, version %lld: %s\n", cli->args[i], p.name,
                   (long long)p.version, rings_shown(&p, rings));
    }
    cli_result(cli, told);
    return 0;
}

/* One that the server has, as this program reads it. */
static void add_row(struct table *t, const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *refused = json_string_value(json_object_get(o, "refused"));
    char rings[RINGS_SHOWN];
    struct err err = {0};
    struct policy p;
    bool read = !refused && text && policy_parse(text, strlen(text), "policy", &p, &err) == 0;

    table_text(t, name);
    if (read)
        table_number(t, p.version);
    else
        table_text(t, NULL);
    table_text(t, read ? rings_shown(&p, rings) : refused ? refused : err.msg);
    free(text);
}

int policy_list_run(struct cli *cli, struct err *err)
{
    static const struct table_column columns[] = {
        {"POLICY", false}, {"VERSION", true}, {"RINGS", false}};
    const struct api_call call = {"GET", "/api/v1/policies", NULL, "list policies"};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *answer = NULL;
    struct table t;
    json_t *list;
    size_t i;
    json_t *o;
    int r = api_open(cli, &api, err);

    if (r == 0)
        r = api_json(api, &call, &answer, NULL, err);
    if (r == 0)
        r = jsonx_array(answer, call.what, "policies", POLICY_DIR_MAX, &list, err);
    if (r < 0 || cli_result(cli, answer))
        return r;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_array_foreach (list, i, o)
        add_row(&t, o);
    table_print(&t, 0, stdout);
    table_release(&t);
    return 0;
}
