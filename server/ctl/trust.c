/* trust: see trust.h. */
#include "trust.h"

#include <string.h>

#include "base/file.h"
#include "manifest.h"
#include "tuf/store_memory.h"

#define REFRESHES_MAX 16 /* in a row; whoever signs more roots than these never ends */

static int fetch_get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    char full[TUF_TARGET_MAX + 16];

    if (snprintf(full, sizeof full, "/repo/%s", path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
    return api_get_bytes(ctx, full, ret, err);
}

struct tuf_fetch trust_fetch(struct api *a)
{
    return (struct tuf_fetch){fetch_get, a};
}

void trust_release(struct trust *t)
{
    metadata_free(t->content);
    key_set_release(&t->keys);
    memset(t, 0, sizeof *t);
}

/* A file of targets metadata that the client has verified and stored. */
static int read_stored(const struct tuf_store *store, const char *role, struct metadata **ret,
                       struct err *err)
{
    char name[TUF_ROLE_NAME_MAX + 8];
    struct buf raw;
    int r;

    snprintf(name, sizeof name, "%s.json", role);
    buf_init(&raw, TUF_TARGETS_MAX);
    r = store->get(store->ctx, name, &raw, err);
    if (r == 0)
        r = metadata_parse(raw.data, raw.len, TUF_TARGETS, name, ret, err);
    buf_release(&raw);
    return r;
}

/* The content role as it was verified, to be kept beyond the client. A channel without a release:
 * the snapshot does not list its role yet. */
static int read_content(struct tuf_client *c, const struct tuf_store *store, const char *role,
                        int64_t now_s, struct metadata **ret, struct err *err)
{
    const struct metadata *m;
    int r = tuf_client_delegated(c, now_s, role, &m, err);

    if (r == 0)
        r = read_stored(store, role, ret, err);
    return r == -ERR_NOT_FOUND ? 0 : r;
}

static int read_channel(struct tuf_client *c, const struct tuf_store *store, const char *channel,
                        int64_t now_s, struct trust *ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    char role[TUF_ROLE_NAME_MAX];
    int r;

    if (content_role_name(channel, role, sizeof role) < 0)
        return err_set(err, ERR_INVALID, "channel name is too long");
    r = read_stored(store, "targets", &targets, err);
    if (r == 0)
        r = metadata_delegated_keys(targets, role, &ret->keys, err);
    if (r < 0)
        return err_context(err, r, "channel '%s'", channel);
    return read_content(c, store, role, now_s, &ret->content, err);
}

int trust_refresh_to_newest(struct tuf_client *c, int64_t now_s, struct err *err)
{
    int r = 0;

    for (int i = 0; i < REFRESHES_MAX; i++) {
        int64_t before = tuf_client_root_version(c);

        if (err)
            *err = (struct err){0};
        r = tuf_client_refresh(c, now_s, err);
        /* What is below a root in between it need not have named: only the last one's word counts.
         */
        if (tuf_client_root_version(c) - before < TUF_CLIENT_ROTATIONS)
            break;
    }
    if (r == -ERR_UNDERSIGNED)
        err_remedy(err, "the trusted root is another site's, or the repository is not to be "
                        "believed");
    return r;
}

static int refresh(struct api *a, const struct buf *root, const char *channel, int64_t now_s,
                   const struct tuf_store *store, struct trust *ret, struct err *err)
{
    const struct tuf_fetch fetch = trust_fetch(a);
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    int r = tuf_client_init(store, root->data, root->len, err);

    if (r == 0)
        r = tuf_client_new(store, &fetch, &client, err);
    if (r == 0)
        r = trust_refresh_to_newest(client, now_s, err);
    return r < 0 ? r : read_channel(client, store, channel, now_s, ret, err);
}

int trust_refresh(struct api *a, const char *root_file, const char *channel, int64_t now_s,
                  struct trust *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf root;
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = tuf_memory_new(NULL);
    struct tuf_store store = tuf_memory_store(memory);
    struct trust t = {0};
    int r;

    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&root, TUF_ROOT_MAX);
    r = err_context(err, file_read(root_file, &root, err), "trusted root");
    if (r == 0)
        r = err_context(err, refresh(a, &root, channel, now_s, &store, &t, err),
                        "verify what the server publishes");
    if (r < 0)
        trust_release(&t);
    else
        *ret = t;
    return r;
}
