/* repo_revoked: what a channel's content metadata takes back. */
#include "repo/repo_internal.h"

int repo_revoked(struct server *s, const char *channel, struct revoked *ret, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_staged_image(s->repo);
    const struct repo_channel *c = image_channel(i, channel);
    _cleanup_(metadata_free_p)
    struct metadata *content = NULL;
    char role[TUF_ROLE_NAME_MAX];
    int r;

    ret->n = 0;
    if (!c || !c->content)
        return 0;
    r = content_role_name(channel, role, sizeof role);
    if (r == 0)
        r = image_metadata(i, role, c->content, TUF_TARGETS, &content, err);
    return r < 0 ? r : revoked_read(content, ret, err);
}
