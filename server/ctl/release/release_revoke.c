/*
 * release_revoke: the channel's next content metadata with one release taken back, unsigned. Signed
 * by the channel's threshold it holds from any copy: published to the server, or put on any mirror
 * as metadata/content-<channel>.json where the server is lost or stolen.
 */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "release/content_next.h"
#include "release/previous.h"
#include "ref.h"
#include "table.h"
#include "verbs.h"

#define DAY_S        86400
#define DEFAULT_DAYS 180

struct revocation {
    struct ref ref;
    struct previous previous;
    char digest[65];
    int64_t now_s, days;
    struct content_left_out left_out;
};

static int write_content(const char *file, json_t *body, struct err *err)
{
    json_auto_t *envelope = envelope_new(body);
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    r = envelope ? envelope_dump(envelope, &text, err) : err_set(err, ERR_NOMEM, "out of memory");
    return r < 0 ? r : file_write_durable(file, text.data, text.len, 0644, err);
}

static int make(const struct cli *cli, struct revocation *v, struct err *err)
{
    const struct content_revocation what = {v->ref.version, cli_get(cli, "digest"),
                                            cli_get(cli, "reason")};
    struct content_next next = {.channel = v->ref.channel,
                                .previous = v->previous.content,
                                .expires_s = v->now_s + v->days * DAY_S};
    json_auto_t *body = NULL;
    int r;

    if (!v->previous.looked) {
        err_set(err, ERR_USAGE, "neither --previous nor a server given");
        return err_remedy(err, "give the channel's present content metadata with --previous");
    }
    if (!v->previous.content)
        return err_set(err, ERR_NOT_FOUND, "channel '%s' has no release yet", v->ref.channel);
    r = content_revoke(&next, &what, &body, v->digest, &v->left_out, err);
    return r < 0 ? r : write_content(cli_get(cli, "o"), body, err);
}

static void print_revoked(const struct cli *cli, const struct revocation *v)
{
    const char *file = cli_get(cli, "o");
    json_auto_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "channel", v->ref.channel, "version",
                  v->ref.version, "digest", v->digest, "reason", cli_get(cli, "reason"),
                  "content_version", (json_int_t)v->previous.content->version + 1, "file", file);
    char shown[REVOKED_REASON_MAX];

    previous_note(&v->previous);
    content_left_out_note(&v->left_out, stderr);
    if (cli_result(cli, o))
        return;
    printf("%s/%s (%.12s) is revoked in %s: %s\n", v->ref.channel, v->ref.version, v->digest, file,
           table_safe(cli_get(cli, "reason"), shown, sizeof shown));
    printf("next: firebreak repo sign %s --key KEY    until the threshold is reached\n", file);
    printf("then: firebreak repo publish %s\n", file);
    printf("  or: copy it to any mirror as metadata/content-%s.json\n", v->ref.channel);
}

int release_revoke_run(struct cli *cli, struct err *err)
{
    struct revocation v = {.now_s = clock_wall_ms(clock_system()) / 1000};
    const char *file = cli_get(cli, "o");
    int r = ref_parse(cli->args[0], &v.ref, err);

    if (r == 0)
        r = cli_get_int(cli, "expires-days", 1, 3650, DEFAULT_DAYS, &v.days, err);
    if (r == 0 && file_exists(file))
        r = err_set(err, ERR_EXISTS, "'%s' exists already", file);
    if (r == 0)
        r = previous_read(cli, v.ref.channel, v.now_s, &v.previous, err);
    if (r == 0)
        r = make(cli, &v, err);
    if (r == 0)
        print_revoked(cli, &v);
    previous_release(&v.previous);
    return r;
}
