/*
 * repo_release: taking in a release: the manifest and the content metadata that lists it (judged in
 * repo_content.c), with nothing that it needs missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "repo/repo_internal.h"

/* One release on its way in. */
struct intake {
    struct content content;
    struct manifest *manifest;
    bool faster_pace;
};

static void intake_release(struct intake *in)
{
    manifest_free(in->manifest);
    content_release(&in->content);
}

/* No client would look at the new release where anything above it has run out. */
static int check_expiry(const struct content *c, struct err *err)
{
    int64_t now_s = clock_wall_ms(c->server->clock) / 1000;
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    int r = image_metadata(c->image, "root", c->image->root, TUF_ROOT, &root, err);

    if (r == 0)
        r = image_metadata(c->image, "targets", c->image->targets, TUF_TARGETS, &targets, err);
    if (r == 0)
        r = metadata_check_expiry(root, now_s, "root", err);
    if (r == 0)
        r = metadata_check_expiry(targets, now_s, "targets", err);
    return r < 0 ? r : content_check_expiry(c, err);
}

/* --- the manifest ---------------------------------------------------------------------------- */

static int check_manifest(struct intake *in, size_t len, struct err *err)
{
    const struct manifest *m = in->manifest;
    struct content *c = &in->content;
    struct tuf_target t;
    int r;

    if (strcmp(m->channel, c->channel->name) != 0)
        return err_set(err, ERR_INVALID, "the manifest is of channel '%s', not '%s'", m->channel,
                       c->channel->name);
    if (m->unknown_critical[0])
        return err_set(err, ERR_INVALID, "the manifest's critical member '%s' is not known here",
                       m->unknown_critical);
    manifest_target_path(m->channel, m->version, c->release, sizeof c->release);
    r = metadata_target(c->next, c->release, &t, err);
    if (r < 0)
        return err_context(err, r, "'%s' does not list the manifest", c->role);
    if (t.length != (int64_t)len || strcmp(t.sha256, m->digest) != 0)
        return err_set(err, ERR_TAMPERED, "'%s' lists '%s' with another length or SHA-256", c->role,
                       c->release);
    r = content_check_sequence(c, &t, m->sequence, err);
    if (r < 0)
        return r;
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
    const struct repo_image *image = in->content.image;

    for (size_t i = 0; i < image->n_releases; i++) {
        const struct repo_listing *l = &image->releases[i];

        if (strcmp(l->channel, in->manifest->channel) != 0)
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

        if (!repo_has_blob(in->content.server->repo, f->sha256, &length)) {
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

/* --- taking in ------------------------------------------------------------------------------- */

static int check(struct intake *in, const char *manifest, size_t len, struct err *err)
{
    const struct content *c = &in->content;
    int r = manifest_parse(manifest, len, &in->manifest, err);

    if (r == 0)
        r = content_check_signed(c, err);
    if (r == 0)
        r = check_expiry(c, err);
    if (r == 0)
        r = check_manifest(in, len, err);
    if (r == 0)
        r = check_sequence(in, err);
    if (r == 0)
        r = content_check_version(c, err);
    if (r == 0)
        r = content_check_listed(c, err);
    if (r == 0)
        r = content_check_dropped(c, err);
    return r < 0 ? r : check_blobs(in, err);
}

static int put_release(const struct repo_work *w, const struct intake *in, const char *manifest,
                       const char *by, struct err *err)
{
    const struct manifest *m = in->manifest;
    const struct row_release row = {.channel = m->channel,
                                    .version = m->version,
                                    .digest = m->digest,
                                    .manifest = manifest,
                                    .sequence = m->sequence,
                                    .published_ms = clock_wall_ms(w->server->clock),
                                    .by = by};
    struct repo_listing l = {.sequence = row.sequence, .published_ms = row.published_ms};

    snprintf(l.channel, sizeof l.channel, "%s", m->channel);
    snprintf(l.version, sizeof l.version, "%s", m->version);
    snprintf(l.digest, sizeof l.digest, "%s", m->digest);
    snprintf(l.by, sizeof l.by, "%s", by);
    store_put_release(w->batch, &row);
    return image_add_release(w->image, &l, err);
}

static int put_manifest(const struct repo_work *w, const struct intake *in, const char *manifest,
                        size_t len, struct err *err)
{
    const struct content *c = &in->content;
    char path[REPO_PATH_MAX];
    int r = image_target_path(c->release, in->manifest->digest, path, err);

    return r < 0 ? r : repo_put(w, path, manifest, len, c->next->version, err);
}

static int audit_release(const struct repo_work *w, const struct intake *in, const char *by,
                         struct err *err)
{
    const struct manifest *m = in->manifest;
    char subject[CHANNEL_NAME_MAX + RELEASE_VERSION_MAX + 2];
    json_auto_t *detail =
        json_pack("{s:s, s:I, s:I, s:b}", "digest", m->digest, "sequence", (json_int_t)m->sequence,
                  "content_version", (json_int_t)in->content.next->version, "faster_pace",
                  (int)in->faster_pace);

    snprintf(subject, sizeof subject, "%s/%s", m->channel, m->version);
    return audit_add(w->server, w->batch, by, "release.publish", subject, detail) < 0
               ? err_set(err, ERR_NOMEM, "out of memory")
               : 0;
}

/* Check, and put into the image with all that is signed above it. */
static int take_in(const struct repo_work *w, struct intake *in, const char *manifest, size_t len,
                   const char *content, size_t content_len, const char *by, struct err *err)
{
    int r = check(in, manifest, len, err);

    if (r == 0)
        r = put_release(w, in, manifest, by, err);
    if (r == 0)
        r = put_manifest(w, in, manifest, len, err);
    if (r == 0)
        r = content_put(w, &in->content, content, content_len, err);
    if (r == 0)
        r = repo_sign_snapshot(w, err);
    return r < 0 ? r : repo_sign_timestamp(w, err);
}

int repo_stage_release(struct server *s, const char *channel, const char *manifest, size_t len,
                       const char *content_metadata, size_t metadata_len, const char *by,
                       struct store_batch *b, struct repo_change **ret,
                       struct manifest **ret_manifest, struct err *err)
{
    struct intake in = {0};
    struct repo_change *c = NULL;
    struct repo_work w;
    int r = repo_begin(s, b, &c, &w, err);

    if (r < 0)
        return r;
    r = content_init(&in.content, s, c->base, channel, content_metadata, metadata_len, err);
    if (r == 0)
        r = take_in(&w, &in, manifest, len, content_metadata, metadata_len, by, err);
    r = repo_finish(s, r, c, &c, err);
    if (r == 0) {
        r = audit_release(&w, &in, by, err); /* last: the chain goes on from here */
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
static int check_still_listed(const struct repo_image *i, const struct repo_listing *l,
                              struct err *err)
{
    char role[TUF_ROLE_NAME_MAX], target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
    int e = content_role_name(l->channel, role, sizeof role);

    if (e < 0)
        return err_set(err, ERR_INVALID, "channel name '%s' is too long", l->channel);
    manifest_target_path(l->channel, l->version, target, sizeof target);
    e = image_target(i, role, image_channel(i, l->channel)->content, target, path, err);
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

    if (!l || !image_channel(i, channel))
        return err_set(err, ERR_NOT_FOUND, "there is no release %.31s/%.63s", channel, version);
    r = check_still_listed(i, l, err);
    return r < 0 ? r : read_manifest(s->repo, l, ret, err);
}

struct stored {
    const char *channel, *digest;
    struct manifest **ret;
};

static int on_stored(void *ctx, const struct row_release *row, struct err *err)
{
    struct stored *s = ctx;

    if (*s->ret || strcmp(row->channel, s->channel) != 0 || strcmp(row->digest, s->digest) != 0)
        return 0;
    return manifest_parse(row->manifest, strlen(row->manifest), s->ret, err);
}

/* One that is no longer served, as no content metadata has listed it for long: of every release
 * that was ever published the store has the manifest. */
static int read_stored(struct server *s, const struct repo_listing *l, struct manifest **ret,
                       struct err *err)
{
    static const struct store_visitor v = {.release = on_stored};
    struct manifest *m = NULL;
    struct stored ctx = {l->channel, l->digest, &m};
    int r = store_load(s->store, &v, &ctx, err);

    if (r == 0 && !m)
        r = err_set(err, ERR_NOT_FOUND, "the store has no manifest of %s/%s", l->channel,
                    l->version);
    if (r == 0)
        *ret = m;
    else
        manifest_free(m);
    return r;
}

int repo_release_by_digest(struct server *s, const char *channel, const char *digest,
                           struct manifest **ret, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);

    for (size_t n = 0; n < i->n_releases; n++) {
        const struct repo_listing *l = &i->releases[n];
        int r;

        if (strcmp(l->channel, channel) != 0 || strcmp(l->digest, digest) != 0)
            continue;
        r = read_manifest(s->repo, l, ret, err);
        return r == -ERR_NOT_FOUND ? read_stored(s, l, ret, err) : r;
    }
    return err_set(err, ERR_NOT_FOUND, "channel '%.31s' has no release %.64s", channel, digest);
}

static int by_sequence(const void *a, const void *b)
{
    const struct repo_listing *const *p = a, *const *q = b;

    return ((*p)->sequence > (*q)->sequence) - ((*p)->sequence < (*q)->sequence);
}

/* What the present content metadata says of each: "listed", and where it is so "revoked": why. */
static void mark_releases(const struct repo_image *i, const char *channel, json_t *array)
{
    const struct repo_channel *c = image_channel(i, channel);
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    _cleanup_(metadata_free_p)
    struct metadata *content = NULL;
    char role[TUF_ROLE_NAME_MAX], path[TUF_TARGET_MAX];
    size_t n;
    json_t *o;

    if (!revoked || !c || !c->content || content_role_name(channel, role, sizeof role) < 0 ||
        image_metadata(i, role, c->content, TUF_TARGETS, &content, NULL) < 0 ||
        revoked_read(content, revoked, NULL) < 0)
        return;
    json_array_foreach (array, n, o) {
        const char *version = json_string_value(json_object_get(o, "version"));
        const char *digest = json_string_value(json_object_get(o, "digest"));
        const char *reason = digest ? revoked_reason(revoked, digest) : NULL;
        struct tuf_target t;

        if (!version || manifest_target_path(channel, version, path, sizeof path) < 0)
            continue;
        json_object_set_new(o, "listed",
                            json_boolean(metadata_target(content, path, &t, NULL) == 0));
        if (reason)
            json_object_set_new(o, "revoked", json_string(reason));
    }
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
    mark_releases(i, channel, array);
    return array;
}

struct blob *repo_content_metadata(struct repo *r, const char *channel)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(r);
    char role[TUF_ROLE_NAME_MAX], path[REPO_PATH_MAX];
    const struct repo_channel *c = image_channel(i, channel);
    struct blob *b;

    if (!c || c->content == 0 || content_role_name(channel, role, sizeof role) < 0)
        return NULL;
    image_metadata_path(role, c->content, path);
    b = image_get(i, path);
    return b ? blob_ref(b) : NULL;
}
