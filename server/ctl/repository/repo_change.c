/* repo_change: the next version of root, targets or content metadata, as a draft to be signed:
 * other keys, another threshold, one more channel, or only a later expiry. */
#include <string.h>

#include "base/clock.h"
#include "ceremony/ceremony.h"
#include "ref.h"
#include "repository/repo_file.h"
#include "verbs.h"

#define DAY_S         86400
#define DAYS_MAX      3650
#define THRESHOLD_MAX 256

/* One run: what was read, and the body that is written. */
struct change {
    const char *out;
    struct repo_file file;
    json_t *body;
    int64_t now_s;
};

static void change_release(struct change *c)
{
    repo_file_release(&c->file);
    json_decref(c->body);
}

/* days 0: the expiry stays. */
static int change_open(const struct cli *cli, const char *role, int64_t days, struct change *c,
                       struct err *err)
{
    int r;

    c->out = cli_get(cli, "o");
    c->now_s = clock_wall_ms(clock_system()) / 1000;
    r = repo_file_is_new(c->out, err);
    if (r == 0)
        r = repo_file_read(cli->args[0], role, &c->file, err);
    if (r == 0)
        r = ceremony_check_ids(c->file.m, cli->args[0], err);
    if (r == 0 && days < 0)
        days = c->file.m->type == TUF_ROOT ? CEREMONY_ROOT_DAYS : CEREMONY_TARGETS_DAYS;
    return r == 0 ? ceremony_next(c->file.m, days ? c->now_s + days * DAY_S : 0, c->now_s, &c->body,
                                  err)
                  : r;
}

/* What tells a signer who has a say, and what changes. */
static const char *signed_with(const char *role)
{
    if (strcmp(role, "root") == 0)
        return "--root OLD-ROOT";
    return strcmp(role, "targets") == 0 ? "--root ROOT --previous OLD"
                                        : "--targets TARGETS --previous OLD";
}

/* As where this machine's clock is behind. */
static void note_earlier(const struct change *c, const char *expires)
{
    const char *before = json_string_value(json_object_get(c->file.m->body, "expires"));

    if (strcmp(expires, before) < 0)
        fprintf(stderr, "note: it expires earlier than version %lld, which does at %s\n",
                (long long)c->file.m->version, before);
}

static int change_write(const struct cli *cli, const struct change *c, struct err *err)
{
    const char *expires = json_string_value(json_object_get(c->body, "expires"));
    json_int_t version = json_integer_value(json_object_get(c->body, "version"));
    json_auto_t *o = json_pack("{s:s, s:I, s:s, s:s}", "role", c->file.role, "version", version,
                               "expires", expires, "file", c->out);
    int r = repo_file_write_draft(c->out, c->body, err);

    if (r < 0)
        return r;
    note_earlier(c, expires);
    if (cli_result(cli, o))
        return 0;
    printf("%s version %lld written to %s, expires %s\n", c->file.role, (long long)version, c->out,
           expires);
    printf("next: firebreak repo sign %s --key KEY %s\n", c->out, signed_with(c->file.role));
    return 0;
}

/* --- repo change ---------------------------------------------------------------------------- */

static int change_role(const struct cli *cli, json_t *body, struct err *err)
{
    const char *remove[CLI_MAX_OPTS], *id;
    struct repo_keys keys = {0};
    struct ceremony_change change = {.role = cli_get(cli, "role"), .remove = remove};
    int64_t threshold;
    int r = cli_get_int(cli, "threshold", 1, THRESHOLD_MAX, 0, &threshold, err);

    if (r == 0)
        r = repo_keys_read(cli, "add-key", &keys, err);
    if (r < 0)
        return r;
    while ((id = cli_get_nth(cli, "remove-key", (int)change.n_remove)))
        remove[change.n_remove++] = id;
    change.add = (const struct key *const *)keys.keys;
    change.n_add = keys.n;
    change.threshold = (int)threshold;
    r = ceremony_change(body, &change, err);
    repo_keys_release(&keys);
    return r;
}

static int check_options(const struct cli *cli, struct err *err)
{
    if (cli_has(cli, "add-key") || cli_has(cli, "remove-key") || cli_has(cli, "threshold"))
        return 0;
    err_set(err, ERR_USAGE, "nothing to change in role '%s'", cli_get(cli, "role"));
    return err_remedy(err, "give --add-key, --remove-key or --threshold; for a later expiry alone "
                           "there is 'firebreak repo renew'");
}

int repo_change_run(struct cli *cli, struct err *err)
{
    struct change c = {0};
    int64_t days;
    int r = check_options(cli, err);

    if (r == 0)
        r = cli_get_int(cli, "expires-days", 1, DAYS_MAX, 0, &days, err);
    if (r == 0)
        r = change_open(cli, NULL, days, &c, err);
    if (r == 0)
        r = change_role(cli, c.body, err);
    if (r == 0)
        r = change_write(cli, &c, err);
    change_release(&c);
    return r;
}

/* --- repo renew ----------------------------------------------------------------------------- */

int repo_renew_run(struct cli *cli, struct err *err)
{
    struct change c = {0};
    int64_t days;
    int r = cli_get_int(cli, "expires-days", 1, DAYS_MAX, -1, &days, err);

    if (r == 0)
        r = change_open(cli, NULL, days, &c, err);
    if (r == 0)
        r = change_write(cli, &c, err);
    change_release(&c);
    return r;
}

/* --- channel add ---------------------------------------------------------------------------- */

int channel_add_run(struct cli *cli, struct err *err)
{
    char channel[CHANNEL_NAME_MAX];
    struct repo_keys keys = {0};
    struct change c = {0};
    int64_t threshold, days;
    int r = ref_channel(cli_get(cli, "channel"), channel, err);

    if (r == 0)
        r = cli_get_int(cli, "threshold", 1, THRESHOLD_MAX, 2, &threshold, err);
    if (r == 0)
        r = cli_get_int(cli, "expires-days", 1, DAYS_MAX, 0, &days, err);
    if (r == 0)
        r = change_open(cli, "targets", days, &c, err);
    if (r == 0)
        r = repo_keys_read(cli, "key", &keys, err);
    if (r == 0)
        r = ceremony_add_channel(c.body, channel, (const struct key *const *)keys.keys, keys.n,
                                 (int)threshold, err);
    if (r == 0)
        r = change_write(cli, &c, err);
    repo_keys_release(&keys);
    change_release(&c);
    return r;
}
