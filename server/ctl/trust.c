/* trust: see trust.h. */
#include "trust.h"

#include <string.h>

#include "base/file.h"
#include "manifest.h"
#include "tuf/client.h"

#define TRUST_MAX_FILES 16 /* root, timestamp, snapshot, targets and delegated roles on the way */

/* A tuf_store that lives as long as the command. */
struct memory_store {
    struct memory_file {
        char name[TUF_ROLE_NAME_MAX + 8];
        struct buf data;
    } files[TRUST_MAX_FILES];
    int n;
};

static void memory_release(struct memory_store *m)
{
    for (int i = 0; i < m->n; i++)
        buf_release(&m->files[i].data);
    m->n = 0;
}

static struct memory_file *memory_find(struct memory_store *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return &m->files[i];
    return NULL;
}

static int memory_get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    struct memory_file *f = memory_find(ctx, name);
    int r;

    if (!f || !f->data.len)
        return err_set(err, ERR_NOT_FOUND, "'%s' is not there", name);
    r = buf_add(ret, f->data.data, f->data.len);
    return r < 0 ? err_set(err, (enum err_code) - r, "read '%s'", name) : 0;
}

static int memory_put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    struct memory_store *m = ctx;
    struct memory_file *f = memory_find(m, name);
    int r;

    if (!f) {
        if (m->n == TRUST_MAX_FILES || strlen(name) >= sizeof m->files[0].name)
            return err_set(err, ERR_TOO_LARGE, "no room for '%s'", name);
        f = &m->files[m->n++];
        strcpy(f->name, name);
        buf_init(&f->data, TUF_TARGETS_MAX);
    }
    buf_reset(&f->data);
    r = buf_add(&f->data, data, len);
    return r < 0 ? err_set(err, (enum err_code) - r, "keep '%s'", name) : 0;
}

static int memory_remove(void *ctx, const char *name, struct err *err)
{
    struct memory_file *f = memory_find(ctx, name);

    (void)err;
    if (f)
        buf_reset(&f->data);
    return 0;
}

static int fetch_get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    char full[TUF_TARGET_MAX + 16];

    if (snprintf(full, sizeof full, "/repo/%s", path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "path '%.100s...' is too long", path);
    return api_get_bytes(ctx, full, ret, err);
}

void trust_release(struct trust *t)
{
    metadata_free(t->content);
    key_set_release(&t->keys);
    memset(t, 0, sizeof *t);
}

/* A channel without a release: the snapshot does not list its role yet. */
static bool is_listed(struct memory_store *m, const char *role)
{
    _cleanup_(metadata_free_p)
    struct metadata *snapshot = NULL;
    struct memory_file *f = memory_find(m, "snapshot.json");
    struct meta_ref ref;

    return f &&
           metadata_parse(f->data.data, f->data.len, TUF_SNAPSHOT, "snapshot", &snapshot, NULL) ==
               0 &&
           metadata_ref(snapshot, role, &ref, NULL) == 0;
}

/* Searching the channel's folder makes the client fetch and verify the content role, whatever the
 * name: that it finds nothing is the expected end. */
static int load_role(struct tuf_client *c, struct memory_store *m, const char *channel,
                     int64_t now_s, struct err *err)
{
    char path[TUF_TARGET_MAX], role[TUF_ROLE_NAME_MAX];
    struct tuf_target target;
    int r;

    if (content_role_name(channel, role, sizeof role) < 0 ||
        manifest_target_path(channel, "0", path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "channel name is too long");
    if (!is_listed(m, role))
        return 0;
    r = tuf_client_find(c, now_s, path, &target, err);
    return r == -ERR_NOT_FOUND ? 0 : r;
}

static int read_role(struct memory_store *m, const char *channel, struct trust *ret,
                     struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct memory_file *f = memory_find(m, "targets.json");
    char role[TUF_ROLE_NAME_MAX], name[TUF_ROLE_NAME_MAX + 8];
    int r;

    if (!f || content_role_name(channel, role, sizeof role) < 0)
        return err_set(err, ERR_INTERNAL, "no verified targets");
    r = metadata_parse(f->data.data, f->data.len, TUF_TARGETS, "targets", &targets, err);
    if (r == 0)
        r = metadata_delegated_keys(targets, role, &ret->keys, err);
    if (r < 0)
        return err_context(err, r, "channel '%s'", channel);
    snprintf(name, sizeof name, "%s.json", role);
    f = memory_find(m, name);
    if (!f || !f->data.len)
        return 0;
    return metadata_parse(f->data.data, f->data.len, TUF_TARGETS, name, &ret->content, err);
}

static int refresh(struct api *a, const struct buf *root, const char *channel, int64_t now_s,
                   struct memory_store *m, struct trust *ret, struct err *err)
{
    const struct tuf_store store = {memory_get, memory_put, memory_remove, m};
    const struct tuf_fetch fetch = {fetch_get, a};
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    int r = tuf_client_init(&store, root->data, root->len, err);

    if (r == 0)
        r = tuf_client_new(&store, &fetch, &client, err);
    if (r == 0)
        r = tuf_client_refresh(client, now_s, err);
    if (r == 0)
        r = load_role(client, m, channel, now_s, err);
    return r == 0 ? read_role(m, channel, ret, err) : r;
}

int trust_refresh(struct api *a, const char *root_file, const char *channel, int64_t now_s,
                  struct trust *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf root;
    struct memory_store store = {0};
    struct trust t = {0};
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = err_context(err, file_read(root_file, &root, err), "trusted root");
    if (r == 0)
        r = err_context(err, refresh(a, &root, channel, now_s, &store, &t, err),
                        "verify what the server publishes");
    memory_release(&store);
    if (r < 0)
        trust_release(&t);
    else
        *ret = t;
    return r;
}
