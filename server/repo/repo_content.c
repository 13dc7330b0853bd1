/* repo_content: may this content metadata be published, with a release or without one? Everything
 * in it was signed offline; here is checked that it was, and that it fits what is there already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "repo/repo_internal.h"
#include "rollouts/rollouts.h"
#include "tuf/client.h"

int content_init(struct content *c, struct server *s, const struct repo_image *i,
                 const char *channel, const char *text, size_t len, struct err *err)
{
    int r;

    *c = (struct content){.server = s, .image = i, .channel = image_channel(i, channel)};
    if (!c->channel)
        return err_set(err, ERR_NOT_FOUND, "there is no channel '%.60s'", channel);
    content_role_name(c->channel->name, c->role, sizeof c->role);
    r = metadata_parse(text, len, TUF_TARGETS, c->role, &c->next, err);
    if (r == 0 && c->channel->content)
        r = image_metadata(i, c->role, c->channel->content, TUF_TARGETS, &c->present, err);
    return r;
}

void content_release(struct content *c)
{
    metadata_free(c->next);
    metadata_free(c->present);
}

/* --- who signed ------------------------------------------------------------------------------ */

int content_check_expiry(const struct content *c, struct err *err)
{
    return metadata_check_expiry(c->next, clock_wall_ms(c->server->clock) / 1000, c->role, err);
}

int content_check_signed(const struct content *c, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct key_set keys = {0};
    int r = image_metadata(c->image, "targets", c->image->targets, TUF_TARGETS, &targets, err);

    if (r == 0)
        r = metadata_delegated_keys(targets, c->role, &keys, err);
    if (r == 0)
        r = envelope_verify(c->next->envelope, &keys, c->role, err);
    key_set_release(&keys);
    return r;
}

int content_check_version(const struct content *c, struct err *err)
{
    if (c->next->version > c->channel->content)
        return 0;
    err_set(err, ERR_ROLLBACK, "'%s' version %lld is not above the published one, %lld", c->role,
            (long long)c->next->version, (long long)c->channel->content);
    return err_remedy(err, "make it again, on what is published now");
}

/* --- what it lists --------------------------------------------------------------------------- */

static bool is_delegated(const struct metadata *targets, const char *role, const char *path)
{
    const char *name;
    int terminating;

    for (size_t i = 0; (name = metadata_delegation(targets, i)); i++)
        if (strcmp(name, role) == 0 && metadata_delegates(targets, i, path, &terminating))
            return true;
    return false;
}

/* The published release that has this target path; NULL: none. */
static const struct repo_listing *listing_of(const struct content *c, const char *path)
{
    char version[RELEASE_VERSION_MAX], target[TUF_TARGET_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? strlen(slash + 1) : 0;

    if (len < 5 || len - 5 >= sizeof version)
        return NULL;
    snprintf(version, sizeof version, "%.*s", (int)(len - 5), slash + 1);
    if (manifest_target_path(c->channel->name, version, target, sizeof target) < 0 ||
        strcmp(target, path) != 0)
        return NULL;
    return image_release(c->image, c->channel->name, version);
}

int content_check_sequence(const struct content *c, const struct tuf_target *t, int64_t sequence,
                           struct err *err)
{
    int64_t told;
    int r = jsonx_int(t->custom, "its custom part", "sequence", 1, INT64_C(1) << 53, &told, err);

    if (r < 0)
        return err_context(err, r, "'%s' lists '%.128s'", c->role, t->path);
    return told == sequence
               ? 0
               : err_set(err, ERR_TAMPERED,
                         "'%s' lists '%.128s' with sequence %lld, its manifest has %lld", c->role,
                         t->path, (long long)told, (long long)sequence);
}

/* All that is said of a published release still holds. */
static int check_said(const struct content *c, const struct tuf_target *t,
                      const struct repo_listing *l, const struct blob *b, struct err *err)
{
    const void *data;
    size_t len;
    int r = 0;

    data = blob_data(b, &len);
    if (t->length != (int64_t)len)
        return err_set(err, ERR_TAMPERED, "'%s' lists '%.128s' with %lld bytes, it has %zu",
                       c->role, t->path, (long long)t->length, len);
    if (t->sha512[0]) /* what we make has none; the other hash was compared */
        r = err_context(err, tuf_target_check(t, data, len, err), "'%s'", c->role);
    return r < 0 ? r : content_check_sequence(c, t, l->sequence, err);
}

/* Published here before, with the same bytes, and still there. */
static int check_other(const struct content *c, const char *path, struct err *err)
{
    const struct repo_listing *l = listing_of(c, path);
    const struct blob *b;
    char file[REPO_PATH_MAX];
    struct tuf_target t;
    int r = metadata_target(c->next, path, &t, err);

    if (r < 0)
        return r;
    if (!l) {
        err_set(err, ERR_INVALID, "'%s' lists '%.128s', which was never published here", c->role,
                path);
        return err_remedy(err, "publish releases in the order in which they were built");
    }
    if (strcmp(l->digest, t.sha256) != 0)
        return err_set(err, ERR_TAMPERED, "'%s' lists '%.128s' with other bytes than published",
                       c->role, path);
    r = image_target_path(path, t.sha256, file, err);
    if (r < 0)
        return r;
    b = image_get(c->image, file);
    if (!b) {
        err_set(err, ERR_NOT_FOUND, "'%s' lists '%.128s' again, which was dropped long ago",
                c->role, path);
        return err_remedy(err, "publish its content as a new release");
    }
    return check_said(c, &t, l, b, err);
}

int content_check_listed(const struct content *c, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    const char *path;
    json_t *target;
    int r = image_metadata(c->image, "targets", c->image->targets, TUF_TARGETS, &targets, err);

    if (r < 0)
        return r;
    json_object_foreach (json_object_get(c->next->body, "targets"), path, target) {
        if (!is_delegated(targets, c->role, path))
            r = err_set(err, ERR_UNTRUSTED, "'%s' may not list '%.128s'", c->role, path);
        else if (strcmp(path, c->release) != 0)
            r = check_other(c, path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A plan needs it, and it is not taken back at the same time. */
static int check_drop(const struct content *c, const struct revoked *revoked, const char *path,
                      const char *digest, struct err *err)
{
    const struct repo_listing *l;

    if (!rollouts_needs(c->server, c->channel->name, digest) || revoked_reason(revoked, digest))
        return 0;
    l = listing_of(c, path);
    err_set(err, ERR_CONFLICT, "'%s' drops '%.128s', which a plan still needs", c->role, path);
    return err_remedy(err, "make it again with --keep-version %s", l ? l->version : "V");
}

int content_check_dropped(const struct content *c, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = malloc(sizeof *revoked);
    const char *path;
    json_t *target;
    int r = revoked ? revoked_read(c->next, revoked, err)
                    : err_set(err, ERR_NOMEM, "out of memory for revocations");

    if (r < 0 || !c->present)
        return err_context(err, r, "'%s'", c->role);
    json_object_foreach (json_object_get(c->present->body, "targets"), path, target) {
        struct tuf_target was, is;

        if (metadata_target(c->next, path, &is, NULL) == 0 ||
            metadata_target(c->present, path, &was, NULL) < 0)
            continue;
        r = check_drop(c, revoked, path, was.sha256, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- published already ----------------------------------------------------------------------- */

int content_check_present(struct server *s, const struct repo_image *i,
                          const struct repo_channel *channel, struct err *err)
{
    struct content c = {.server = s, .image = i, .channel = channel};
    int r;

    if (!channel->content)
        return 0;
    content_role_name(channel->name, c.role, sizeof c.role);
    r = image_metadata(i, c.role, channel->content, TUF_TARGETS, &c.next, err);
    if (r == 0)
        r = content_check_signed(&c, err);
    if (r == 0)
        r = content_check_listed(&c, err);
    content_release(&c);
    if (r < 0) {
        r = err_context(err, r, "channel '%s' under targets version %lld", channel->name,
                        (long long)i->targets);
        err_remedy(err, "take in targets together with content metadata signed by the new keys");
    }
    return r;
}

int content_put(const struct repo_work *w, const struct content *c, const char *text, size_t len,
                struct err *err)
{
    char path[REPO_PATH_MAX];
    int r;

    image_metadata_path(c->role, c->next->version, path);
    r = repo_put(w, path, text, len, c->next->version, err);
    if (r < 0)
        return r;
    image_channel(w->image, c->channel->name)->content = c->next->version;
    repo_begin_life(w, c->role, c->next->expires_s);
    return repo_note_listed(w->image, c->next, err);
}
