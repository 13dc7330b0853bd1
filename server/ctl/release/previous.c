/* previous: see previous.h. */
#include "release/previous.h"

#include <string.h>

#include "api.h"
#include "base/file.h"
#include "manifest.h"
#include "trust.h"

static int from_file(const char *path, struct previous *p, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    r = file_read(path, &text, err);
    return r < 0 ? r : metadata_parse(text.data, text.len, TUF_TARGETS, path, &p->content, err);
}

static int from_trust(struct api *api, const char *root, const char *channel, int64_t now_s,
                      struct previous *p, struct err *err)
{
    struct trust trust;
    int r = trust_refresh(api, root, channel, now_s, &trust, err);

    if (r < 0)
        return r;
    p->content = take_ptr(trust.content);
    trust_release(&trust);
    return 0;
}

static int from_server(const struct cli *cli, const char *channel, int64_t now_s,
                       struct previous *p, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    _cleanup_(free_p)
    char *text = NULL;
    char path[128];
    const struct api_call call = {"GET", path, NULL, "content metadata"};
    json_auto_t *envelope = NULL;
    int r = api_open(cli, &api, err);

    if (r == 0 && cli_get(cli, "root"))
        return from_trust(api, cli_get(cli, "root"), channel, now_s, p, err);
    snprintf(path, sizeof path, "/api/v1/channels/%s/content-metadata", channel);
    if (r == 0)
        r = api_json(api, &call, &envelope, NULL, err);
    if (r == -ERR_NOT_FOUND) /* no release yet */
        return 0;
    if (r < 0)
        return r;
    text = json_dumps(envelope, JSON_COMPACT);
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    p->unverified = true;
    return metadata_parse(text, strlen(text), TUF_TARGETS, call.what, &p->content, err);
}

static int check_channel(const struct previous *p, const char *channel, struct err *err)
{
    json_t *targets = p->content ? json_object_get(p->content->body, "targets") : NULL, *o;
    char folder[CHANNEL_NAME_MAX + 16];
    const char *path;
    int n = snprintf(folder, sizeof folder, "content/%s/", channel);

    json_object_foreach (targets, path, o)
        if (strncmp(path, folder, (size_t)n) != 0)
            return err_set(err, ERR_INVALID, "it lists '%.128s': it is not of channel '%s'", path,
                           channel);
    return 0;
}

int previous_read(const struct cli *cli, const char *channel, int64_t now_s, struct previous *ret,
                  struct err *err)
{
    const char *file = cli_get(cli, "previous");
    struct previous p = {.looked = file || api_server(cli)};
    int r = 0;

    if (file)
        r = from_file(file, &p, err);
    else if (p.looked)
        r = from_server(cli, channel, now_s, &p, err);
    if (r == 0)
        r = check_channel(&p, channel, err);
    if (r < 0) {
        previous_release(&p);
        return err_context(err, r, "previous content metadata");
    }
    *ret = p;
    return 0;
}

void previous_release(struct previous *p)
{
    metadata_free(take_ptr(p->content));
}

void previous_note(const struct previous *p)
{
    if (p->unverified)
        fprintf(stderr, "note: what the server lists so far was not verified; --root does that\n");
}
