/* device: what is done to endpoints by name. */
#include "api.h"
#include "base/jsonx.h"
#include "status.h"
#include "verbs.h"

int device_exclude_run(struct cli *cli, struct err *err)
{
    static const char *const kinds[] = {"token", "group", "device"};
    json_auto_t *body = json_pack("{s:s*}", "reason", cli_get(cli, "reason")), *answer = NULL;
    struct api_call call = {"POST", "/api/v1/devices/exclusions", body, "exclude devices"};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    int n = 0, r = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && body; i++) {
        const char *value = cli_get(cli, kinds[i]);

        if (!value)
            continue;
        n++;
        if (json_object_set_new(body, kinds[i], json_string(value)) < 0)
            return err_set(err, ERR_USAGE, "--%s is not UTF-8 text", kinds[i]);
    }
    if (!body)
        return err_set(err, ERR_USAGE, "--reason is not UTF-8 text");
    if (n != 1)
        return err_set(err, ERR_USAGE, "give exactly one of --token, --group and --device");
    r = api_open(cli, &api, err);
    if (r == 0)
        r = api_json(api, &call, &answer, NULL, err);
    if (r < 0 || cli_result(cli, answer))
        return r;
    printf("%lld devices are out of the evidence (%lld were before)\n",
           (long long)json_integer_value(json_object_get(answer, "devices")),
           (long long)json_integer_value(json_object_get(answer, "already")));
    if (cli_get(cli, "token"))
        printf("%lld uses of the token were withdrawn\n",
               (long long)json_integer_value(json_object_get(answer, "uses_withdrawn")));
    return 0;
}
