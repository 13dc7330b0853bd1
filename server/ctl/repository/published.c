/* published: see published.h. */
#include "repository/published.h"

#include <string.h>

#include "base/file.h"
#include "trust.h"
#include "tuf/store_memory.h"

/* A time at which nothing has expired yet. */
#define NEVER_EXPIRED_S 0

struct published {
    struct tuf_memory *memory;
    struct tuf_store store;
    struct tuf_fetch fetch;
    struct tuf_client *client;
    int64_t judged_s; /* the time that expiry is judged at */
    char expired[ERR_MSG_MAX];
};

void published_free(struct published *p)
{
    if (!p)
        return;
    tuf_client_free(p->client);
    tuf_memory_free(p->memory);
    free(p);
}

static int refresh(struct published *p, int64_t now_s, struct err *err)
{
    int r = trust_refresh_to_newest(p->client, now_s, err);

    p->judged_s = now_s;
    if (r != -ERR_EXPIRED)
        return r;
    snprintf(p->expired, sizeof p->expired, "%s", err->msg);
    p->judged_s = NEVER_EXPIRED_S;
    return trust_refresh_to_newest(p->client, p->judged_s, err);
}

static int open_client(struct published *p, const char *root_file, int64_t now_s, struct err *err)
{
    _cleanup_(buf_release)
    struct buf root;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = err_context(err, file_read(root_file, &root, err), "trusted root");
    if (r == 0)
        r = tuf_client_init(&p->store, root.data, root.len, err);
    if (r == 0)
        r = tuf_client_new(&p->store, &p->fetch, &p->client, err);
    return r == 0 ? refresh(p, now_s, err) : r;
}

int published_open(struct api *a, const char *root_file, int64_t now_s, struct published **ret,
                   struct err *err)
{
    _cleanup_(published_free_p)
    struct published *p = calloc(1, sizeof *p);
    struct err own = {0}; /* its text is kept, whoever asks */
    int r;

    if (!p || !(p->memory = tuf_memory_new(NULL)))
        return err_set(err, ERR_NOMEM, "out of memory");
    p->store = tuf_memory_store(p->memory);
    p->fetch = trust_fetch(a);
    r = open_client(p, root_file, now_s, &own);
    if (r == 0)
        *ret = take_ptr(p);
    else if (err)
        *err = own;
    return err_context(err, r, "verify what the server publishes");
}

const char *published_expired(const struct published *p)
{
    return p->expired[0] ? p->expired : NULL;
}

int published_get(struct published *p, const char *role, struct buf *ret, struct err *err)
{
    char name[TUF_ROLE_NAME_MAX + 8];
    const struct metadata *ignored;
    int r = 0;

    if (snprintf(name, sizeof name, "%s.json", role) >= (int)sizeof name)
        return err_set(err, ERR_INVALID, "role '%.60s...' is too long", role);
    if (strcmp(role, "root") != 0 && strcmp(role, "targets") != 0) {
        r = tuf_client_delegated(p->client, p->judged_s, role, &ignored, err);
        if (r == -ERR_EXPIRED && p->judged_s != NEVER_EXPIRED_S) {
            snprintf(p->expired, sizeof p->expired, "%s is past its expiry", role);
            r = tuf_client_delegated(p->client, NEVER_EXPIRED_S, role, &ignored, err);
        }
    }
    if (r == 0)
        r = p->store.get(p->store.ctx, name, ret, err);
    return err_context(err, r, "published %s", role);
}

bool published_has_root(struct published *p, int64_t version, const struct buf *text)
{
    char path[64];
    _cleanup_(buf_release)
    struct buf there;

    buf_init(&there, TUF_ROOT_MAX);
    snprintf(path, sizeof path, "metadata/%lld.root.json", (long long)version);
    return p->fetch.get(p->fetch.ctx, path, &there, NULL) == 0 && there.len == text->len &&
           memcmp(there.data, text->data, there.len) == 0;
}
