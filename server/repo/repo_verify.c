/* repo_verify: the real client over an image in memory, so that nothing is ever published that a
 * client would refuse. */
#include <stdio.h>
#include <string.h>

#include "repo/repo_internal.h"
#include "tuf/client.h"
#include "tuf/store_memory.h"

/* --- what the client has --------------------------------------------------------------------- */

static int trust(const struct tuf_store *t, const struct repo_image *i, const char *role,
                 int64_t version, struct err *err)
{
    char path[REPO_PATH_MAX], name[TUF_ROLE_NAME_MAX + 8];
    const struct blob *b;
    const void *data;
    size_t len;

    image_metadata_path(role, version, path);
    b = image_get(i, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    snprintf(name, sizeof name, "%s.json", role);
    return t->put(t->ctx, name, data, len, err);
}

/* All that a client has that took the image `i`. */
static int trust_all(const struct tuf_store *t, const struct repo_image *i, struct err *err)
{
    int e = trust(t, i, "root", i->root, err);

    if (e == 0)
        e = trust(t, i, "timestamp", 0, err);
    if (e == 0)
        e = trust(t, i, "snapshot", i->version[REPO_SNAPSHOT], err);
    if (e == 0)
        e = trust(t, i, "targets", i->targets, err);
    if (e == 0)
        e = trust(t, i, "rollout", i->version[REPO_ROLLOUT], err);
    for (size_t n = 0; e == 0 && n < i->n_channels; n++) {
        char role[TUF_ROLE_NAME_MAX];

        content_role_name(i->channels[n].name, role, sizeof role);
        if (i->channels[n].content && !i->channels[n].gone)
            e = trust(t, i, role, i->channels[n].content, err);
    }
    return e;
}

/* --- what it fetches ------------------------------------------------------------------------- */

static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    const struct blob *b = image_get(ctx, path);
    const void *data;
    size_t len;

    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    return buf_add(ret, data, len) < 0 ? err_set(err, ERR_TOO_LARGE, "'%s' is too long", path) : 0;
}

static int read_target(struct tuf_client *c, int64_t now_s, const char *path, size_t max,
                       struct buf *ret, struct err *err)
{
    struct tuf_target t;
    int r = tuf_client_find(c, now_s, path, &t, err);

    buf_init(ret, max);
    return r < 0 ? r : tuf_client_download(c, &t, ret, err);
}

static int read_plan(struct tuf_client *c, int64_t now_s, const char *channel, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    char path[TUF_TARGET_MAX];
    struct buf text;
    int r;

    plan_target_path(channel, path, sizeof path);
    r = read_target(c, now_s, path, PLAN_MAX, &text, err);
    if (r == 0)
        r = plan_parse(text.data, text.len, &plan, err);
    if (r == 0 && strcmp(plan->channel, channel) != 0)
        r = err_set(err, ERR_INVALID, "the plan is of channel '%s'", plan->channel);
    buf_release(&text);
    return err_context(err, r, "'%s'", path);
}

/* The newest release of a channel that its content metadata lists; NULL: none. */
static const struct repo_listing *newest(const struct repo_image *i, const char *channel,
                                         const struct metadata *content)
{
    const struct repo_listing *found = NULL;

    for (size_t n = 0; n < i->n_releases; n++) {
        const struct repo_listing *l = &i->releases[n];
        char path[TUF_TARGET_MAX];
        struct tuf_target t;

        if (strcmp(l->channel, channel) == 0 && (!found || l->sequence > found->sequence) &&
            manifest_target_path(l->channel, l->version, path, sizeof path) == 0 &&
            metadata_target(content, path, &t, NULL) == 0)
            found = l;
    }
    return found;
}

static int read_release(struct tuf_client *c, int64_t now_s, const struct repo_listing *l,
                        struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char path[TUF_TARGET_MAX];
    struct buf text;
    int r;

    manifest_target_path(l->channel, l->version, path, sizeof path);
    r = read_target(c, now_s, path, MANIFEST_MAX, &text, err);
    if (r == 0)
        r = manifest_parse(text.data, text.len, &m, err);
    buf_release(&text);
    return err_context(err, r, "'%s'", path);
}

static int read_content(struct tuf_client *c, const struct repo_image *i, int64_t now_s,
                        const struct repo_channel *channel, struct err *err)
{
    const struct metadata *content = NULL;
    const struct repo_listing *l;
    char role[TUF_ROLE_NAME_MAX];
    int r;

    if (channel->content == 0)
        return 0;
    content_role_name(channel->name, role, sizeof role);
    r = tuf_client_delegated(c, now_s, role, &content, err);
    if (r < 0)
        return err_context(err, r, "'%s'", role);
    l = newest(i, channel->name, content);
    return l ? read_release(c, now_s, l, err) : 0;
}

static int take(struct tuf_client *c, const struct repo_image *i, int64_t now_s, struct err *err)
{
    int r = tuf_client_refresh(c, now_s, err);

    for (size_t n = 0; r == 0 && n < i->n_channels; n++) {
        if (i->channels[n].gone)
            continue;
        r = read_plan(c, now_s, i->channels[n].name, err);
        if (r == 0)
            r = read_content(c, i, now_s, &i->channels[n], err);
    }
    return r;
}

int repo_verify_by_root(const struct metadata *root, const struct metadata *m, const char *role,
                        struct err *err)
{
    struct key_set keys = {0};
    int r = metadata_root_keys(root, role, &keys, err);

    if (r == 0)
        r = envelope_verify(m->envelope, &keys, role, err);
    key_set_release(&keys);
    return r;
}

int repo_verify(const struct repo_image *base, const struct repo_image *i, int64_t now_s,
                struct err *err)
{
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = tuf_memory_new(NULL);
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    const struct tuf_store store = tuf_memory_store(memory);
    const struct tuf_fetch from = {fetch, (void *)(uintptr_t)i};
    int64_t first = i->root > TUF_CLIENT_ROTATIONS ? i->root - TUF_CLIENT_ROTATIONS : 1;
    int r;

    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = base ? trust_all(&store, base, err) : trust(&store, i, "root", first, err);
    if (r == 0)
        r = tuf_client_new(&store, &from, &c, err);
    if (r == 0)
        r = take(c, i, now_s, err);
    return err_context(err, r, "clients would refuse this");
}
