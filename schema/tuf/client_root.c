/* client_root: the chain of roots, specification 1.0.34, 5.3; see client.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/client_internal.h"

/* Stands in the store while a root with rotated keys takes over: that root's version. */
#define ROTATION_NOTE     "rotation"
#define ROTATION_NOTE_MAX 24

int tuf_client_init(const struct tuf_store *store, const void *root, size_t len, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    struct err why = {0};
    struct buf old;
    int r;

    if ((r = metadata_parse(root, len, TUF_ROOT, "initial root", &m, err)) < 0 ||
        (r = client_verify_by_root(m, m, "root", "initial root", err)) < 0)
        return r;
    buf_init(&old, TUF_ROOT_MAX);
    r = store->get(store->ctx, "root.json", &old, &why);
    buf_release(&old);
    if (r == -ERR_NOT_FOUND)
        return store->put(store->ctx, "root.json", root, len, err);
    if (r == 0 || r == -ERR_TOO_LARGE)
        return err_set(err, ERR_EXISTS, "a root is trusted here already");
    if (err)
        *err = why;
    return r;
}

static bool set_has(const struct key_set *set, const struct key *k)
{
    for (size_t i = 0; i < set->n_keys; i++)
        if (key_same(set->keys[i], k))
            return true;
    return false;
}

/* True (1) where a key of the role under `old` no longer speaks for it under `new`. */
static int is_rotated(const struct metadata *old, const struct metadata *new, const char *role,
                      struct err *err)
{
    struct key_set before, after;
    int r = metadata_root_keys(old, role, &before, err);

    if (r < 0)
        return r;
    r = metadata_root_keys(new, role, &after, err);
    for (size_t i = 0; r == 0 && i < before.n_keys; i++)
        r = !set_has(&after, before.keys[i]);
    key_set_release(&before);
    if (r >= 0)
        key_set_release(&after);
    return r;
}

/* True (1) where keys of the timestamp or the snapshot are not those of `new` any more. */
static int rotates(const struct metadata *old, const struct metadata *new, struct err *err)
{
    int r = is_rotated(old, new, "timestamp", err);

    return r ? r : is_rotated(old, new, "snapshot", err);
}

/* 5.3.11: what a lost key may have fast-forwarded does not count any more. The note goes last. */
static int discard(struct tuf_client *c, struct err *err)
{
    static const char *const names[] = {"timestamp.json", "snapshot.json", ROTATION_NOTE};
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof names / sizeof names[0]; i++)
        r = c->store.remove(c->store.ctx, names[i], err);
    return err_context(err, r, "discard metadata of rotated keys");
}

int client_finish_rotation(struct tuf_client *c, struct err *err)
{
    struct err why = {0};
    struct buf note;
    int64_t version;
    int r;

    buf_init(&note, ROTATION_NOTE_MAX);
    r = c->store.get(c->store.ctx, ROTATION_NOTE, &note, &why);
    version = r == 0 ? strtoll(note.data, NULL, 10) : 0;
    buf_release(&note);
    if (r == -ERR_NOT_FOUND)
        return 0;
    if (r < 0 && r != -ERR_TOO_LARGE) { /* a damaged note is one of a rotation of long ago */
        if (err)
            *err = why;
        return r;
    }
    if (version > c->root->version) /* cut short before that root was stored */
        return c->store.remove(c->store.ctx, ROTATION_NOTE, err);
    return discard(c, err);
}

/* Cut short anywhere, a root with rotated keys is either not trusted yet, and the old files count,
 * or it is, and the next client finds the note and discards them. */
static int store_root(struct tuf_client *c, const struct metadata *new, const struct buf *raw,
                      struct err *err)
{
    char note[ROTATION_NOTE_MAX];
    int rotated = rotates(c->root, new, err), r = 0;

    if (rotated < 0)
        return rotated;
    snprintf(note, sizeof note, "%lld", (long long)new->version);
    if (rotated)
        r = c->store.put(c->store.ctx, ROTATION_NOTE, note, strlen(note), err);
    if (r == 0)
        r = client_put(c, "root", raw, err);
    return r == 0 && rotated ? discard(c, err) : r;
}

/* 5.3.4 to 5.3.8 for one new root; it replaces the trusted one. */
static int take_root(struct tuf_client *c, const struct buf *raw, const char *what, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *new = NULL;
    int r;

    if ((r = metadata_parse(raw->data, raw->len, TUF_ROOT, what, &new, err)) < 0 ||
        (r = client_verify_by_root(c->root, new, "root", what, err)) < 0)
        return r;
    r = client_verify_by_root(new, new, "root", what, err);
    if (r < 0)
        return err_context(err, r, "by its own keys");
    if (new->version != c->root->version + 1)
        return err_set(err, ERR_ROLLBACK, "%s has version %lld where %lld follows", what,
                       (long long)new->version, (long long)c->root->version + 1);
    r = store_root(c, new, raw, err);
    if (r < 0)
        return r;
    metadata_free(c->root);
    c->root = take_ptr(new);
    return 0;
}

/* 5.3.3. Object stores answer "forbidden" for what is not there to those who may not list it; a
 * mirror that withholds a root could as well deny that there is one. */
static bool is_last_root(int r)
{
    return r == -ERR_NOT_FOUND || r == -ERR_FORBIDDEN;
}

/* 5.3. Only the last root is judged for expiry. */
int client_update_root(struct tuf_client *c, int64_t now_s, struct err *err)
{
    for (int i = 0; i < TUF_CLIENT_ROTATIONS; i++) {
        char path[CLIENT_PATH_MAX];
        struct err why = {0};
        struct buf raw;
        int r;

        snprintf(path, sizeof path, "metadata/%lld.root.json", (long long)c->root->version + 1);
        buf_init(&raw, TUF_ROOT_MAX);
        r = c->fetch.get(c->fetch.ctx, path, &raw, &why);
        if (is_last_root(r)) {
            buf_release(&raw);
            break;
        }
        if (r == 0)
            r = take_root(c, &raw, path, &why);
        buf_release(&raw);
        if (r < 0) {
            if (err)
                *err = why;
            return r;
        }
    }
    return metadata_check_expiry(c->root, now_s, "root", err);
}
