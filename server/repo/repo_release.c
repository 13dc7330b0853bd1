/*
 * repo_release: taking in a release. Everything in it was signed offline; here is checked that it
 * was, that it fits what is there already, and that nothing it needs is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "repo/repo_internal.h"
#include "rollouts/rollouts.h"

/* One release on its way in. */
struct intake {
    struct server *server;
    const struct repo_image *image; /* what it comes on top of */
    const char *channel;
    int index; /* of the channel */
    char role[TUF_ROLE_NAME_MAX];
    char target[TUF_TARGET_MAX];
    struct manifest *manifest;
    struct metadata *content, *previous; /* previous: NULL for the first release */
    bool faster_pace;
};

static void intake_release(struct intake *in)
{
    manifest_free(in->manifest);
    metadata_free(in->content);
    metadata_free(in->previous);
}

/* --- who signed ------------------------------------------------------------------------------ */

/* No client would look at the new release where anything above it has run out. */
static int check_expiry(const struct intake *in, const struct metadata *targets, struct err *err)
{
    int64_t now_s = clock_wall_ms(in->server->clock) / 1000;
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    int r = image_metadata(in->image, "root", in->image->root, TUF_ROOT, &root, err);

    if (r == 0)
        r = metadata_check_expiry(root, now_s, "root", err);
    if (r == 0)
        r = metadata_check_expiry(targets, now_s, "targets", err);
    return r < 0 ? r : metadata_check_expiry(in->content, now_s, in->role, err);
}

static int check_signatures(const struct intake *in, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct key_set keys = {0};
    int r = image_metadata(in->image, "targets", in->image->targets, TUF_TARGETS, &targets, err);

    if (r == 0)
        r = metadata_delegated_keys(targets, in->role, &keys, err);
    if (r == 0)
        r = envelope_verify(in->content->envelope, &keys, in->role, err);
    key_set_release(&keys);
    return r < 0 ? r : check_expiry(in, targets, err);
}

static int check_version(const struct intake *in, struct err *err)
{
    int64_t present = in->image->content[in->index];

    if (in->content->version > present)
        return 0;
    err_set(err, ERR_ROLLBACK, "'%s' version %lld is not above the published one, %lld", in->role,
            (long long)in->content->version, (long long)present);
    err_remedy(err, "build the release again, on what is published now");
    return -ERR_ROLLBACK;
}

/* --- the manifest ---------------------------------------------------------------------------- */

static int check_manifest(struct intake *in, size_t len, struct err *err)
{
    const struct manifest *m = in->manifest;
    struct tuf_target t;
    int r;

    if (strcmp(m->channel, in->channel) != 0)
        return err_set(err, ERR_INVALID, "the manifest is of channel '%s', not '%s'", m->channel,
                       in->channel);
    if (m->unknown_critical[0])
        return err_set(err, ERR_INVALID, "the manifest's critical member '%s' is not known here",
                       m->unknown_critical);
    manifest_target_path(m->channel, m->version, in->target, sizeof in->target);
    r = metadata_target(in->content, in->target, &t, err);
    if (r < 0)
        return err_context(err, r, "'%s' does not list the manifest", in->role);
    if (t.length != (int64_t)len || strcmp(t.sha256, m->digest) != 0)
        return err_set(err, ERR_TAMPERED, "'%s' lists '%s' with another length or SHA-256",
                       in->role, in->target);
    in->faster_pace = json_is_true(json_object_get(t.custom, "faster_pace"));
    if (pace_is_faster(&m->pace, &pace_default) && !in->faster_pace) {
        err_set(err, ERR_PACE, "the manifest's pace is faster than the default one");
        err_remedy(err, "build it with --faster-pace if that is meant; it is audited");
        return -ERR_PACE;
    }
    return 0;
}

static int check_sequence(const struct intake *in, struct err *err)
{
    for (size_t i = 0; i < in->image->n_releases; i++) {
        const struct repo_listing *l = &in->image->releases[i];

        if (strcmp(l->channel, in->channel) != 0)
            continue;
        if (strcmp(l->version, in->manifest->version) == 0)
            return err_set(err, ERR_EXISTS, "%s/%s is published already", l->channel, l->version);
        if (l->sequence >= in->manifest->sequence) {
            err_set(err, ERR_ROLLBACK, "sequence %lld is not above that of %s/%s, %lld",
                    (long long)in->manifest->sequence, l->channel, l->version,
                    (long long)l->sequence);
            err_remedy(err, "build the release again, on what is published now");
            return -ERR_ROLLBACK;
        }
    }
    return 0;
}

static int check_blobs(const struct intake *in, struct err *err)
{
    const struct manifest *m = in->manifest;

    for (size_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        int64_t length;

        if (!repo_has_blob(in->server->repo, f->sha256, &length)) {
            err_set(err, ERR_NOT_FOUND, "blob %s of '%.100s' is missing", f->sha256, f->path);
            err_remedy(err, "upload the blobs first, as 'firebreak release publish' does");
            return -ERR_NOT_FOUND;
        }
        if (length != f->length)
            return err_set(err, ERR_INVALID, "blob %s has %lld bytes, '%.100s' says %lld",
                           f->sha256, (long long)length, f->path, (long long)f->length);
    }
    return 0;
}

/* --- what else the metadata lists ------------------------------------------------------------ */

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
static const struct repo_listing *listing_of(const struct intake *in, const char *path)
{
    for (size_t i = 0; i < in->image->n_releases; i++) {
        const struct repo_listing *l = &in->image->releases[i];
        char target[TUF_TARGET_MAX];

        if (strcmp(l->channel, in->channel) == 0 &&
            manifest_target_path(l->channel, l->version, target, sizeof target) == 0 &&
            strcmp(target, path) == 0)
            return l;
    }
    return NULL;
}

/* A target beside the new one: published here before, with the same bytes. */
static int check_other(const struct intake *in, const char *path, struct err *err)
{
    const struct repo_listing *l = listing_of(in, path);
    struct tuf_target t;
    int r = metadata_target(in->content, path, &t, err);

    if (r < 0)
        return r;
    if (!l) {
        err_set(err, ERR_INVALID, "'%s' lists '%.128s', which was never published here", in->role,
                path);
        return err_remedy(err, "publish releases in the order in which they were built");
    }
    if (strcmp(l->digest, t.sha256) != 0)
        return err_set(err, ERR_TAMPERED, "'%s' lists '%.128s' with other bytes than published",
                       in->role, path);
    return 0;
}

static int check_listed(const struct intake *in, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    const char *path;
    json_t *target;
    int r = image_metadata(in->image, "targets", in->image->targets, TUF_TARGETS, &targets, err);

    if (r < 0)
        return r;
    json_object_foreach (json_object_get(in->content->body, "targets"), path, target) {
        if (!is_delegated(targets, in->role, path))
            r = err_set(err, ERR_UNTRUSTED, "'%s' may not list '%.128s'", in->role, path);
        else if (strcmp(path, in->target) != 0)
            r = check_other(in, path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What was listed and no longer is must not be needed. */
static int check_dropped(const struct intake *in, struct err *err)
{
    const char *path;
    json_t *target;

    if (!in->previous)
        return 0;
    json_object_foreach (json_object_get(in->previous->body, "targets"), path, target) {
        struct tuf_target was, is;

        if (metadata_target(in->content, path, &is, NULL) == 0 ||
            metadata_target(in->previous, path, &was, err) < 0)
            continue;
        if (rollouts_needs(in->server, in->channel, was.sha256)) {
            const struct repo_listing *l = listing_of(in, path);

            err_set(err, ERR_CONFLICT, "'%s' drops '%.128s', which a plan still needs", in->role,
                    path);
            return err_remedy(err, "build the release again with --keep-version %s",
                              l ? l->version : "V");
        }
    }
    return 0;
}

/* --- taking in ------------------------------------------------------------------------------- */

static int check(struct intake *in, const char *manifest, size_t len, const char *content,
                 size_t content_len, struct err *err)
{
    int64_t present = in->image->content[in->index];
    int r = content_role_name(in->channel, in->role, sizeof in->role);

    if (r == 0)
        r = manifest_parse(manifest, len, &in->manifest, err);
    if (r == 0)
        r = metadata_parse(content, content_len, TUF_TARGETS, in->role, &in->content, err);
    if (r == 0 && present)
        r = image_metadata(in->image, in->role, present, TUF_TARGETS, &in->previous, err);
    if (r == 0)
        r = check_signatures(in, err);
    if (r == 0)
        r = check_manifest(in, len, err);
    if (r == 0)
        r = check_sequence(in, err);
    if (r == 0)
        r = check_version(in, err);
    if (r == 0)
        r = check_listed(in, err);
    if (r == 0)
        r = check_dropped(in, err);
    return r < 0 ? r : check_blobs(in, err);
}

static int put_release(const struct repo_work *w, const struct intake *in, const char *manifest,
                       const char *by, struct err *err)
{
    const struct manifest *m = in->manifest;
    const struct row_release row = {.channel = in->channel,
                                    .version = m->version,
                                    .digest = m->digest,
                                    .manifest = manifest,
                                    .sequence = m->sequence,
                                    .published_ms = clock_wall_ms(w->server->clock),
                                    .by = by};
    struct repo_listing l = {.sequence = row.sequence, .published_ms = row.published_ms};

    snprintf(l.channel, sizeof l.channel, "%s", in->channel);
    snprintf(l.version, sizeof l.version, "%s", m->version);
    snprintf(l.digest, sizeof l.digest, "%s", m->digest);
    snprintf(l.by, sizeof l.by, "%s", by);
    store_put_release(w->batch, &row);
    return image_add_release(w->image, &l, err);
}

static int put_files(const struct repo_work *w, const struct intake *in, const char *manifest,
                     size_t len, const char *content, size_t content_len, struct err *err)
{
    char path[REPO_PATH_MAX];
    int r = image_target_path(in->target, in->manifest->digest, path, err);

    if (r == 0)
        r = repo_put(w, path, manifest, len, in->content->version, err);
    image_metadata_path(in->role, in->content->version, path);
    if (r == 0)
        r = repo_put(w, path, content, content_len, in->content->version, err);
    if (r < 0)
        return r;
    w->image->content[in->index] = in->content->version;
    r = repo_sign_snapshot(w, err);
    return r < 0 ? r : repo_sign_timestamp(w, err);
}

static int audit_release(const struct intake *in, const char *by, struct store_batch *b,
                         struct err *err)
{
    const struct manifest *m = in->manifest;
    char subject[CHANNEL_NAME_MAX + RELEASE_VERSION_MAX + 2];
    json_auto_t *detail = json_pack(
        "{s:s, s:I, s:I, s:b}", "digest", m->digest, "sequence", (json_int_t)m->sequence,
        "content_version", (json_int_t)in->content->version, "faster_pace", (int)in->faster_pace);

    snprintf(subject, sizeof subject, "%s/%s", m->channel, m->version);
    return audit_add(in->server, b, by, "release.publish", subject, detail) < 0
               ? err_set(err, ERR_NOMEM, "out of memory")
               : 0;
}

int repo_stage_release(struct server *s, const char *channel, const char *manifest, size_t len,
                       const char *content_metadata, size_t metadata_len, const char *by,
                       struct store_batch *b, struct repo_change **ret,
                       struct manifest **ret_manifest, struct err *err)
{
    struct intake in = {
        .server = s, .channel = channel, .index = repo_channel_index(s->repo, channel)};
    struct repo_change *c = NULL;
    struct repo_work w;
    int r;

    if (in.index < 0)
        return err_set(err, ERR_NOT_FOUND, "there is no channel '%.60s'", channel);
    r = repo_begin(s, b, &c, &w, err);
    if (r < 0)
        return r;
    in.image = c->base;
    r = check(&in, manifest, len, content_metadata, metadata_len, err);
    if (r == 0)
        r = put_release(&w, &in, manifest, by, err);
    if (r == 0)
        r = put_files(&w, &in, manifest, len, content_metadata, metadata_len, err);
    r = repo_finish(s, r, c, &c, err);
    if (r == 0) {
        r = audit_release(&in, by, b, err); /* last: the chain goes on from here */
        if (r < 0)
            repo_discard(s->repo, c);
    }
    if (r == 0) {
        *ret = c;
        if (ret_manifest)
            *ret_manifest = take_ptr(in.manifest);
    }
    intake_release(&in);
    return r;
}

/* --- what was taken in ----------------------------------------------------------------------- */

static int read_manifest(struct repo *r, const struct repo_listing *l, struct manifest **ret,
                         struct err *err)
{
    char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
    _cleanup_(blob_unref_p)
    struct blob *b = NULL;
    const void *data;
    size_t len;
    int e;

    manifest_target_path(l->channel, l->version, target, sizeof target);
    e = image_target_path(target, l->digest, path, err);
    if (e < 0)
        return e;
    b = repo_get(r, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    return manifest_parse(data, len, ret, err);
}

/* Does the channel's present metadata still list it? */
static int check_still_listed(const struct repo *r, const struct repo_image *i,
                              const struct repo_listing *l, struct err *err)
{
    char role[TUF_ROLE_NAME_MAX], target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
    int e = content_role_name(l->channel, role, sizeof role);

    if (e < 0)
        return err_set(err, ERR_INVALID, "channel name '%s' is too long", l->channel);
    manifest_target_path(l->channel, l->version, target, sizeof target);
    e = image_target(i, role, i->content[repo_channel_index(r, l->channel)], target, path, err);
    if (e == -ERR_NOT_FOUND)
        e = err_set(err, ERR_NOT_FOUND, "%s/%s was withdrawn: '%s' no longer lists it", l->channel,
                    l->version, role);
    return e;
}

int repo_release(struct server *s, const char *channel, const char *version, struct manifest **ret,
                 struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);
    const struct repo_listing *l = image_release(i, channel, version);
    int r;

    if (!l || repo_channel_index(s->repo, channel) < 0)
        return err_set(err, ERR_NOT_FOUND, "there is no release %.31s/%.63s", channel, version);
    r = check_still_listed(s->repo, i, l, err);
    return r < 0 ? r : read_manifest(s->repo, l, ret, err);
}

int repo_release_by_digest(struct server *s, const char *channel, const char *digest,
                           struct manifest **ret, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);

    for (size_t n = 0; n < i->n_releases; n++)
        if (strcmp(i->releases[n].channel, channel) == 0 &&
            strcmp(i->releases[n].digest, digest) == 0)
            return read_manifest(s->repo, &i->releases[n], ret, err);
    return err_set(err, ERR_NOT_FOUND, "channel '%.31s' has no release %.64s", channel, digest);
}

static int by_sequence(const void *a, const void *b)
{
    const struct repo_listing *const *p = a, *const *q = b;

    return ((*p)->sequence > (*q)->sequence) - ((*p)->sequence < (*q)->sequence);
}

json_t *repo_releases(struct repo *r, const char *channel)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(r);
    _cleanup_(free_p)
    const struct repo_listing **list = calloc(i->n_releases + 1, sizeof *list);
    json_t *array = json_array();
    size_t count = 0;

    for (size_t n = 0; list && n < i->n_releases; n++)
        if (strcmp(i->releases[n].channel, channel) == 0)
            list[count++] = &i->releases[n];
    if (list)
        qsort(list, count, sizeof *list, by_sequence);
    for (size_t n = 0; n < count; n++)
        json_array_append_new(
            array, json_pack("{s:s, s:s, s:I, s:I, s:s}", "version", list[n]->version, "digest",
                             list[n]->digest, "sequence", (json_int_t)list[n]->sequence,
                             "published_ms", (json_int_t)list[n]->published_ms, "by", list[n]->by));
    return array;
}

struct blob *repo_content_metadata(struct repo *r, const char *channel)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(r);
    char role[TUF_ROLE_NAME_MAX], path[REPO_PATH_MAX];
    int at = repo_channel_index(r, channel);
    struct blob *b;

    if (at < 0 || i->content[at] == 0 || content_role_name(channel, role, sizeof role) < 0)
        return NULL;
    image_metadata_path(role, i->content[at], path);
    b = image_get(i, path);
    return b ? blob_ref(b) : NULL;
}
