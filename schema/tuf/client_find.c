/* client_find: targets and the roles they are delegated to, specification 1.0.34, 5.6.7 and 5.7. */
#include <stdio.h>
#include <string.h>

#include "tuf/client_internal.h"
#include "tuf/hashes.h"

/* One search. */
struct search {
    struct tuf_client *c;
    int64_t now_s;
    const char *path;
    char visited[CLIENT_MAX_ROLES][TUF_ROLE_NAME_MAX];
    size_t n_visited;
    bool ended; /* a terminating delegation has been followed: nobody else is asked */
    bool found;
    struct tuf_target *ret;
};

static struct loaded_role *loaded(struct tuf_client *c, const char *name)
{
    struct loaded_role *l = c->roles;

    while (l && strcmp(l->name, name))
        l = l->next;
    return l;
}

static int new_role(struct tuf_client *c, const char *name, struct loaded_role **ret,
                    struct err *err)
{
    struct loaded_role *l = calloc(1, sizeof *l + strlen(name) + 1);

    if (!l)
        return err_set(err, ERR_NOMEM, "out of memory");
    strcpy(l->name, name);
    l->next = c->roles;
    c->roles = *ret = l;
    return 0;
}

/* Take m over and keep it under its name; what was there before is dropped. A chain of hostile
 * roles, which are needed all at once, would take gigabytes. */
static int keep(struct tuf_client *c, const char *name, struct metadata *m, struct err *err)
{
    struct loaded_role *l = loaded(c, name);
    size_t others = c->roles_bytes - (l ? l->m->memory_bytes : 0);
    int r = 0;

    if (m->memory_bytes > CLIENT_ROLES_BYTES - others)
        r = err_set(err, ERR_TOO_LARGE,
                    "the roles up to '%.128s' take more than %d bytes of memory", name,
                    CLIENT_ROLES_BYTES);
    else if (!l)
        r = new_role(c, name, &l, err);
    if (r < 0) {
        metadata_free(m);
        return r;
    }
    metadata_free(l->m);
    l->m = m;
    c->roles_bytes = others + m->memory_bytes;
    return 0;
}

/* In memory since the snapshot in force was loaded, so of the version that it lists; but signed by
 * those whom this delegator names? */
static bool still_good(const struct tuf_client *c, const struct loaded_role *l,
                       const struct listed_role *role, int64_t now_s)
{
    if (envelope_verify(l->m->envelope, role->keys, role->name, NULL) < 0)
        return false;
    return c->offline || metadata_check_expiry(l->m, now_s, role->name, NULL) == 0;
}

/* ERR_NOT_FOUND where the snapshot does not list it. */
static int load_delegated(struct tuf_client *c, int64_t now_s, const char *name,
                          const struct metadata *delegator, const struct metadata **ret,
                          struct err *err)
{
    struct listed_role role = {.name = name, .type = TUF_TARGETS};
    struct loaded_role *l = loaded(c, name);
    struct metadata *m = NULL;
    struct key_set keys;
    int r = metadata_ref(c->snapshot, name, &role.ref, err);

    if (r < 0 || (r = metadata_delegated_keys(delegator, name, &keys, err)) < 0)
        return r;
    role.keys = &keys;
    if (!l || !still_good(c, l, &role, now_s)) {
        r = client_load_listed(c, &role, now_s, &m, err);
        if (r == 0)
            r = keep(c, name, m, err);
    }
    key_set_release(&keys);
    if (r == 0)
        *ret = loaded(c, name)->m;
    return r;
}

int tuf_client_delegated(struct tuf_client *c, int64_t now_s, const char *role,
                         const struct metadata **ret, struct err *err)
{
    if (!c->complete)
        return err_set(err, ERR_UNAVAILABLE, "no metadata is loaded to find role '%.128s' in",
                       role);
    return load_delegated(c, now_s, role, c->targets, ret, err);
}

int tuf_client_verify_delegated(struct tuf_client *c, const char *role, const void *data,
                                size_t len, struct metadata **ret, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *stored = NULL;
    struct key_set keys;
    int r = c->targets ? 0 : client_stored_targets(c, &stored, err);

    if (r < 0)
        return err_context(err, r, "verify '%.128s'", role);
    if ((r = metadata_parse(data, len, TUF_TARGETS, role, &m, err)) < 0 ||
        (r = metadata_delegated_keys(stored ? stored : c->targets, role, &keys, err)) < 0)
        return r;
    r = envelope_verify(m->envelope, &keys, role, err);
    key_set_release(&keys);
    if (r == 0)
        *ret = take_ptr(m);
    return r;
}

static int search_role(struct search *s, const char *name, const struct metadata *delegator,
                       struct err *err);

/* Preorder: in the order of the list, each with all that it delegates to in turn. Of hash bins one
 * is asked. */
static int search_delegations(struct search *s, const struct metadata *m, struct err *err)
{
    char bin[TUF_ROLE_NAME_MAX];
    const char *name = metadata_bin(m, s->path, bin);

    if (name)
        return search_role(s, name, m, err);
    for (size_t i = 0; (name = metadata_delegation(m, i)); i++) {
        int terminating = 0, r;

        if (!metadata_delegates(m, i, s->path, &terminating))
            continue;
        r = search_role(s, name, m, err);
        if (r < 0)
            return r;
        if (terminating)
            s->ended = true;
        if (s->found || s->ended)
            return 0;
    }
    return 0;
}

/* delegator NULL: the top-level targets. Each role is visited once, which also bounds the depth. */
static int search_role(struct search *s, const char *name, const struct metadata *delegator,
                       struct err *err)
{
    const struct metadata *m = s->c->targets;
    int r;

    for (size_t i = 0; i < s->n_visited; i++)
        if (!strcmp(s->visited[i], name))
            return 0;
    if (s->n_visited == CLIENT_MAX_ROLES) {
        s->ended = true;
        return 0;
    }
    strcpy(s->visited[s->n_visited++], name); /* its length was checked where it was read */
    r = delegator ? load_delegated(s->c, s->now_s, name, delegator, &m, err) : 0;
    if (r == -ERR_NOT_FOUND)
        return err_set(err, ERR_INVALID, "snapshot does not list the delegated role '%s'", name);
    if (r < 0)
        return r;
    r = metadata_target(m, s->path, s->ret, NULL);
    s->found = r == 0;
    return s->found ? 0 : search_delegations(s, m, err);
}

int tuf_client_find(struct tuf_client *c, int64_t now_s, const char *path, struct tuf_target *ret,
                    struct err *err)
{
    struct search s = {.c = c, .now_s = now_s, .path = path, .ret = ret};
    int r;

    if (!c->complete)
        return err_set(err, ERR_UNAVAILABLE, "no metadata is loaded to find '%.128s' in", path);
    if (strlen(path) >= TUF_TARGET_MAX)
        return err_set(err, ERR_NOT_FOUND, "target path is longer than %d bytes",
                       TUF_TARGET_MAX - 1);
    if (c->roles_bytes > CLIENT_ROLES_BYTES / 2) /* they are stored; this search needs room */
        client_forget_roles(c);
    r = search_role(&s, "targets", NULL, err);
    if (r < 0)
        return err_context(err, r, "find target '%.128s'", path);
    if (!s.found)
        return err_set(err, ERR_NOT_FOUND, "no role names a target '%.128s'", path);
    return 0;
}

/* A target path that stays inside the repository wherever it is used as one. */
static int check_target_path(const char *path, struct err *err)
{
    const char *p = path;

    for (;;) {
        size_t n = strcspn(p, "/");

        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && !strncmp(p, "..", 2)))
            return err_set(err, ERR_BAD_PATH, "target path '%.128s' is not normalised", path);
        if (!p[n])
            return 0;
        p += n + 1;
    }
}

int tuf_target_file(const char *path, const char *hash, char *ret, size_t size, struct err *err)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    int r = check_target_path(path, err);

    if (r < 0)
        return r;
    if (strlen(path) + strlen(hash) + 2 > size)
        return err_set(err, ERR_TOO_LARGE, "target path '%.128s' is too long", path);
    snprintf(ret, size, "%.*s%s.%s", dir, path, hash, path + dir);
    return 0;
}

int tuf_target_check(const struct tuf_target *target, const void *data, size_t len, struct err *err)
{
    if (!*target->sha256 && !*target->sha512)
        return err_set(err, ERR_INVALID, "target '%.128s' has hashes of no kind known here",
                       target->path);
    if (len != (uint64_t)target->length || !hashes_match(target->sha256, target->sha512, data, len))
        return err_set(err, ERR_TAMPERED, "target '%.128s' is not the content that is signed",
                       target->path);
    return 0;
}

/* `hash`: one of those that are signed for it, in the name where snapshots are consistent. */
static int fetch_target(struct tuf_client *c, const struct tuf_target *target, const char *hash,
                        struct buf *ret, struct err *err)
{
    char path[TUF_TARGET_MAX + SHA512_HEX_LEN + 16];
    int n = snprintf(path, sizeof path, "targets/");
    int r = check_target_path(target->path, err);

    if (r == 0 && hash)
        r = tuf_target_file(target->path, hash, path + n, sizeof path - (size_t)n, err);
    else if (r == 0)
        snprintf(path + n, sizeof path - (size_t)n, "%s", target->path);
    return r < 0 ? r : c->fetch.get(c->fetch.ctx, path, ret, err);
}

/* A repository need not keep the file under each of its hashes. */
static int fetch_by_hashes(struct tuf_client *c, const struct tuf_target *target, struct buf *ret,
                           struct err *err)
{
    const char *hashes[] = {target->sha256, target->sha512};
    int r = -ERR_NOT_FOUND;

    if (!json_is_true(json_object_get(c->root->body, "consistent_snapshot")))
        return fetch_target(c, target, NULL, ret, err);
    for (size_t i = 0; i < 2 && r == -ERR_NOT_FOUND; i++)
        if (*hashes[i]) {
            buf_reset(ret);
            r = fetch_target(c, target, hashes[i], ret, err);
        }
    return r;
}

int tuf_client_download(struct tuf_client *c, const struct tuf_target *target, struct buf *ret,
                        struct err *err)
{
    size_t cap = ret->cap;
    int r;

    if (!*target->sha256 && !*target->sha512)
        return tuf_target_check(target, "", 0, err);
    if ((uint64_t)target->length > cap)
        return err_set(err, ERR_TOO_LARGE, "target '%.128s' has %lld bytes, more than %zu",
                       target->path, (long long)target->length, cap);
    buf_reset(ret);
    ret->cap = (size_t)target->length; /* not a byte more is taken than was signed */
    r = err_context(err, fetch_by_hashes(c, target, ret, err), "fetch target '%.128s'",
                    target->path);
    ret->cap = cap;
    if (r == 0)
        r = tuf_target_check(target, ret->data, ret->len, err);
    if (r < 0)
        buf_reset(ret);
    return r;
}
