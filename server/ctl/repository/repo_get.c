/* repo_get: what the server publishes, verified, as a file to start a ceremony from. */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "ceremony/ceremony.h"
#include "repository/published.h"
#include "repository/repo_file.h"
#include "verbs.h"

static void print_got(const struct cli *cli, const struct published *p, const char *role,
                      const struct metadata *m, const char *out)
{
    const char *expires = json_string_value(json_object_get(m->body, "expires"));
    json_auto_t *o = json_pack("{s:s, s:I, s:s, s:s}", "role", role, "version",
                               (json_int_t)m->version, "expires", expires, "file", out);

    if (published_expired(p))
        fprintf(stderr, "note: %s; there may be newer metadata than the server shows\n",
                published_expired(p));
    if (!cli_result(cli, o))
        printf("%s version %lld verified and written to %s, expires %s\n", role,
               (long long)m->version, out, expires);
}

/* Exactly the bytes that were signed. */
static int save(struct published *p, const char *role, const char *out, struct metadata **ret,
                struct err *err)
{
    char found[TUF_ROLE_NAME_MAX];
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    r = published_get(p, role, &text, err);
    if (r == 0)
        r = ceremony_parse(text.data, text.len, role, ret, found, err);
    return r == 0 ? file_write_durable(out, text.data, text.len, 0644, err) : r;
}

/* What people sign; the server makes the rest anew all the time. */
static int check_role(const char *role, struct err *err)
{
    if (strcmp(role, "root") == 0 || strcmp(role, "targets") == 0 ||
        strncmp(role, "content-", 8) == 0)
        return 0;
    err_set(err, ERR_USAGE, "'%.60s' is no role that people sign", role);
    return err_remedy(err, "name root, targets or content-CHANNEL");
}

int repo_get_run(struct cli *cli, struct err *err)
{
    const char *role = cli->args[0], *out = cli_get(cli, "o");
    _cleanup_(api_free_p)
    struct api *api = NULL;
    _cleanup_(published_free_p)
    struct published *p = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r = check_role(role, err);

    if (r == 0)
        r = repo_file_is_new(out, err);
    if (r == 0)
        r = api_open(cli, &api, err);
    if (r == 0)
        r = published_open(api, cli_get(cli, "root"), clock_wall_ms(clock_system()) / 1000, &p,
                           err);
    if (r == 0)
        r = save(p, role, out, &m, err);
    if (r == 0)
        print_got(cli, p, role, m, out);
    return r;
}
