/* repo_channels: the channels of an image: those that targets delegates content of, and those of
 * before, which snapshots go on listing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repo/repo_internal.h"

struct repo_channel *image_any_channel(const struct repo_image *i, const char *name)
{
    for (size_t n = 0; n < i->n_channels; n++)
        if (strcmp(i->channels[n].name, name) == 0)
            return &i->channels[n];
    return NULL;
}

struct repo_channel *image_channel(const struct repo_image *i, const char *name)
{
    struct repo_channel *c = image_any_channel(i, name);

    return c && !c->gone ? c : NULL;
}

/* Found or added, in which case it is gone until somebody says otherwise. */
static int know(struct repo_image *i, const char *name, struct repo_channel **ret, struct err *err)
{
    struct repo_channel *p = image_any_channel(i, name);
    int r = p ? 0 : channel_name_check(name, err);

    if (r < 0 || p) {
        *ret = p;
        return r;
    }
    if (i->n_channels == REPO_CHANNELS_EVER)
        return err_set(err, ERR_TOO_LARGE, "the repository has had %d channels, which is the most",
                       REPO_CHANNELS_EVER);
    p = realloc(i->channels, (i->n_channels + 1) * sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "out of memory");
    i->channels = p;
    p = &p[i->n_channels++];
    *p = (struct repo_channel){.gone = true};
    snprintf(p->name, sizeof p->name, "%s", name);
    *ret = p;
    return 0;
}

static bool is_content(const char *role)
{
    return strncmp(role, CONTENT_PREFIX, sizeof CONTENT_PREFIX - 1) == 0;
}

/* Its releases must be found where they will be published. */
static int check_paths(const struct metadata *targets, size_t at, const char *channel,
                       struct err *err)
{
    char path[TUF_TARGET_MAX];
    int terminating;

    if (manifest_target_path(channel, "1", path, sizeof path) == 0 &&
        metadata_delegates(targets, at, path, &terminating))
        return 0;
    return err_set(err, ERR_INVALID, "targets lets role 'content-%s' list no 'content/%s/*'",
                   channel, channel);
}

int image_set_channels(struct repo_image *i, const struct metadata *targets, struct err *err)
{
    const char *role;
    size_t count = 0;

    for (size_t n = 0; n < i->n_channels; n++)
        i->channels[n].gone = true;
    for (size_t n = 0; (role = metadata_delegation(targets, n)); n++) {
        struct repo_channel *c;
        int r;

        if (!is_content(role))
            continue;
        if (++count > REPO_CHANNELS_MAX)
            return err_set(err, ERR_TOO_LARGE, "targets delegates more than %d channels",
                           REPO_CHANNELS_MAX);
        r = know(i, role + sizeof CONTENT_PREFIX - 1, &c, err);
        if (r == 0)
            r = check_paths(targets, n, c->name, err);
        if (r < 0)
            return r;
        c->gone = false;
    }
    return count ? 0 : err_set(err, ERR_INVALID, "targets delegates no channel");
}

int image_set_content(struct repo_image *i, const struct metadata *snapshot, struct err *err)
{
    const char *file;
    json_t *ref;

    json_object_foreach (json_object_get(snapshot->body, "meta"), file, ref) {
        size_t len = strlen(file);
        char name[CHANNEL_NAME_MAX];
        struct repo_channel *c;
        int n, r;

        if (!is_content(file) || len < 5 || strcmp(file + len - 5, ".json") != 0)
            continue;
        len -= sizeof CONTENT_PREFIX - 1 + 5;
        n = snprintf(name, sizeof name, "%.*s", (int)len, file + sizeof CONTENT_PREFIX - 1);
        if (n < 0 || (size_t)n >= sizeof name)
            return err_set(err, ERR_INVALID, "snapshot lists '%.128s'", file);
        r = know(i, name, &c, err);
        if (r < 0)
            return r;
        c->content = json_integer_value(json_object_get(ref, "version"));
    }
    return 0;
}

/* --- what others ask ------------------------------------------------------------------------- */

size_t repo_channels(struct repo *r, struct repo_channel_name ret[REPO_CHANNELS_EVER])
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_staged_image(r);

    for (size_t n = 0; n < i->n_channels; n++) {
        memcpy(ret[n].name, i->channels[n].name, sizeof ret[n].name);
        ret[n].gone = i->channels[n].gone;
    }
    return i->n_channels;
}

bool repo_has_channel(struct repo *r, const char *channel)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(r);

    return image_channel(i, channel) != NULL;
}
