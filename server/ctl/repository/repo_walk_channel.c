/* repo_walk_channel: releases, plans and blobs; see repo_walk_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "plan.h"
#include "repository/repo_walk_internal.h"
#include "revoked.h"

#define BLOBS_MAX   (1 << 20)
#define TARGETS_MAX 65536

struct channel_walk {
    const char *name;
    const struct metadata *content;
    struct revoked *revoked;
    struct walk_channel *row;
    int64_t *sequences; /* of the releases; owned */
    size_t n_sequences;
    int64_t newest;
};

/* --- files by hash --------------------------------------------------------------------------- */

static int add_hashed(struct walk_hashed **list, size_t *n, size_t most, const char *path,
                      const char *sha256, int64_t length, struct err *err)
{
    struct walk_hashed *h = *list;

    if (*n == most)
        return err_set(err, ERR_TOO_LARGE, "more than %zu files", most);
    if ((*n & (*n - 1)) == 0) { /* full at each power of two */
        h = realloc(h, (*n ? 2 * *n : 1) * sizeof *h);
        if (!h)
            return err_set(err, ERR_NOMEM, "out of memory");
        *list = h;
    }
    h = &h[*n];
    *h = (struct walk_hashed){.path = strdup(path), .length = length};
    if (!h->path)
        return err_set(err, ERR_NOMEM, "out of memory");
    snprintf(h->sha256, sizeof h->sha256, "%s", sha256);
    (*n)++;
    return 0;
}

/* Where a blob is, or may be put, in the table: the hash is its own. */
static size_t slot_of(const struct walking *k, const char *sha256)
{
    uint64_t h = 0;
    size_t i;

    hex_decode(sha256 + SHA256_HEX_LEN - 2 * sizeof h, &h, sizeof h);
    for (i = h % k->n_slots; k->slots[i]; i = (i + 1) % k->n_slots)
        if (strcmp(k->w->blobs[k->slots[i] - 1].sha256, sha256) == 0)
            break;
    return i;
}

static int grow_slots(struct walking *k, struct err *err)
{
    size_t n = k->n_slots ? 2 * k->n_slots : 1024;
    uint32_t *slots = calloc(n, sizeof *slots);

    if (!slots)
        return err_set(err, ERR_NOMEM, "out of memory");
    free(k->slots);
    k->slots = slots;
    k->n_slots = n;
    for (size_t i = 0; i < k->w->n_blobs; i++)
        k->slots[slot_of(k, k->w->blobs[i].sha256)] = (uint32_t)i + 1;
    return 0;
}

static int add_blob(struct walking *k, const struct manifest_file *f, struct err *err)
{
    char path[SHA256_HEX_LEN + 16];
    size_t at;
    int r = 0;

    if (2 * (k->w->n_blobs + 1) > k->n_slots)
        r = grow_slots(k, err);
    if (r < 0)
        return r;
    at = slot_of(k, f->sha256);
    if (k->slots[at]) {
        if (k->w->blobs[k->slots[at] - 1].length == f->length)
            return 0;
        err_set(err, ERR_TAMPERED, "blob %s is listed with two lengths", f->sha256);
        return walk_note_is(k, f->sha256, err, "publish a release whose manifest is right");
    }
    snprintf(path, sizeof path, "blobs/%.2s/%s", f->sha256, f->sha256);
    r = add_hashed(&k->w->blobs, &k->w->n_blobs, BLOBS_MAX, path, f->sha256, f->length, err);
    if (r < 0)
        return r;
    k->slots[at] = (uint32_t)k->w->n_blobs;
    k->w->blob_bytes += f->length;
    return 0;
}

/* Find, fetch and keep a target. *ret_found: it is there and is what was signed for. */
static int read_target(struct walking *k, const char *path, size_t cap, struct buf *ret,
                       struct tuf_target *t, struct err *err)
{
    char file[TUF_TARGET_MAX + 80], full[TUF_TARGET_MAX + 96];
    int r = tuf_client_find(k->client, k->now_s, path, t, err);

    buf_init(ret, cap);
    if (r == 0)
        r = tuf_client_download(k->client, t, ret, err);
    if (r == 0)
        r = tuf_target_file(path, t->sha256, file, sizeof file, err);
    if (r < 0)
        return r;
    snprintf(full, sizeof full, "targets/%s", file);
    return add_hashed(&k->w->targets, &k->w->n_targets, TARGETS_MAX, full, t->sha256, t->length,
                      err);
}

/* --- releases -------------------------------------------------------------------------------- */

static int check_release(struct channel_walk *c, const char *path, const struct tuf_target *found,
                         const struct manifest *m, struct err *err)
{
    struct tuf_target listed;
    char own[TUF_TARGET_MAX];
    int64_t told;
    int r = metadata_target(c->content, path, &listed, err);

    if (r < 0)
        return r;
    if (strcmp(listed.sha256, found->sha256) != 0)
        return err_set(err, ERR_UNTRUSTED, "another role lists it with other bytes");
    manifest_target_path(m->channel, m->version, own, sizeof own);
    if (strcmp(m->channel, c->name) != 0 || strcmp(own, path) != 0)
        return err_set(err, ERR_UNTRUSTED, "its manifest is of '%s/%s'", m->channel, m->version);
    r = jsonx_int(listed.custom, "its custom part", "sequence", 1, INT64_C(1) << 53, &told, err);
    if (r == 0 && told != m->sequence)
        r = err_set(err, ERR_UNTRUSTED, "its manifest has sequence %lld, the list says %lld",
                    (long long)m->sequence, (long long)told);
    for (size_t i = 0; r == 0 && i < c->n_sequences; i++)
        if (c->sequences[i] == m->sequence)
            r = err_set(err, ERR_UNTRUSTED, "sequence %lld is another release's, too",
                        (long long)m->sequence);
    return r;
}

static void count_release(struct channel_walk *c, const struct manifest *m)
{
    c->sequences[c->n_sequences++] = m->sequence;
    c->row->releases++;
    if (m->sequence > c->newest) {
        c->newest = m->sequence;
        snprintf(c->row->newest, sizeof c->row->newest, "%s", m->version);
    }
}

/* Nothing about it is wrong, or what is wrong is noted. */
static int walk_release(struct walking *k, struct channel_walk *c, const char *path,
                        struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    _cleanup_(buf_release)
    struct buf text;
    struct tuf_target t;
    int r = read_target(k, path, MANIFEST_MAX, &text, &t, err);

    if (r == 0)
        r = manifest_parse(text.data, text.len, &m, err);
    if (r == 0)
        r = check_release(c, path, &t, m, err);
    if (r < 0)
        return walk_note(k, path, err_context(err, r, "'%s'", path), err);
    count_release(c, m);
    for (size_t i = 0; r == 0 && i < m->n_files; i++)
        r = add_blob(k, &m->files[i], err);
    return r;
}

static int walk_releases(struct walking *k, struct channel_walk *c, struct err *err)
{
    json_t *targets = json_object_get(c->content->body, "targets"), *o;
    const char *path;
    int r = 0;

    c->sequences = calloc(json_object_size(targets) + 1, sizeof *c->sequences);
    if (!c->sequences)
        return err_set(err, ERR_NOMEM, "out of memory");
    json_object_foreach (targets, path, o)
        if (r == 0)
            r = walk_release(k, c, path, err);
    return r;
}

/* --- plans ----------------------------------------------------------------------------------- */

static bool lists(const struct channel_walk *c, const char *digest)
{
    json_t *targets = c->content ? json_object_get(c->content->body, "targets") : NULL, *o;
    const char *path;

    json_object_foreach (targets, path, o) {
        struct tuf_target t;

        if (metadata_target(c->content, path, &t, NULL) == 0 && strcmp(t.sha256, digest) == 0)
            return true;
    }
    return false;
}

/* What a plan gives to anybody is listed, and not taken back. */
static int check_offered(const struct channel_walk *c, const char *digest, const char *version,
                         struct err *err)
{
    const char *reason = c->content ? revoked_reason(c->revoked, digest) : NULL;

    if (reason)
        return err_set(err, ERR_UNTRUSTED, "it offers %s, which is revoked: %.150s", version,
                       reason);
    if (!lists(c, digest))
        return err_set(err, ERR_UNTRUSTED, "it offers %s, which is not listed", version);
    return 0;
}

static int check_plan(const struct channel_walk *c, const struct plan *p, struct err *err)
{
    int r = 0;

    if (strcmp(p->channel, c->name) != 0)
        return err_set(err, ERR_UNTRUSTED, "it is of channel '%s'", p->channel);
    if (p->baseline[0])
        r = check_offered(c, p->baseline, p->baseline_version, err);
    for (size_t i = 0; r == 0 && i < p->n_rollouts; i++) {
        const struct plan_rollout *o = &p->rollouts[i];

        if (o->state == ROLLOUT_RUNNING || o->state == ROLLOUT_PAUSED)
            r = check_offered(c, o->digest, o->version, err);
    }
    return r;
}

static int walk_plan(struct walking *k, struct channel_walk *c, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    _cleanup_(buf_release)
    struct buf text;
    char path[TUF_TARGET_MAX];
    struct tuf_target t;
    int r;

    plan_target_path(c->name, path, sizeof path);
    r = read_target(k, path, PLAN_MAX, &text, &t, err);
    if (r == 0)
        r = plan_parse(text.data, text.len, &p, err);
    if (r == 0)
        r = check_plan(c, p, err);
    return walk_note(k, path, err_context(err, r, "plan '%s'", path), err);
}

/* --- a channel ------------------------------------------------------------------------------- */

/* The copy without a version, which revocations are read from, is the newest: never older than what
 * the snapshot lists. It may be newer, while all of it is being published, or where a revocation
 * was put there by hand because the server is lost. */
static int check_copy(struct walking *k, const struct channel_walk *c, const struct buf *found,
                      const struct walk_file *text, const char *path, struct err *err)
{
    char role[TUF_ROLE_NAME_MAX];
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r;

    c->row->unversioned = c->content->version;
    if (found->len == text->len && memcmp(found->data, text->data, text->len) == 0)
        return 0;
    content_role_name(c->name, role, sizeof role);
    r = tuf_client_verify_delegated(k->client, role, found->data, found->len, &m, err);
    if (r < 0)
        return err_context(err, r, "'%s'", path);
    c->row->unversioned = m->version;
    return m->version > c->content->version
               ? 0
               : err_set(err, ERR_TAMPERED, "'%s' is not the newest, version %lld", path,
                         (long long)c->content->version);
}

static int check_unversioned(struct walking *k, const struct channel_walk *c,
                             const struct walk_file *text, struct err *err)
{
    char path[TUF_ROLE_NAME_MAX + 32];
    _cleanup_(buf_release)
    struct buf found;
    int r;

    snprintf(path, sizeof path, "metadata/content-%s.json", c->name);
    buf_init(&found, TUF_TARGETS_MAX);
    r = repo_source_get(k->source, path, &found, err);
    if (r == 0)
        r = check_copy(k, c, &found, text, path, err);
    if (r < 0 && !repo_source_is_away(r))
        err_remedy(err, "put a copy of '%s' there: revocations are read from it", text->path);
    return walk_note(k, path, r, err);
}

static int walk_content(struct walking *k, struct channel_walk *c, const struct walk_file *text,
                        struct err *err)
{
    char role[TUF_ROLE_NAME_MAX];
    int r;

    content_role_name(c->name, role, sizeof role);
    r = walk_note(k, role, revoked_read(c->content, c->revoked, err), err);
    c->row->revoked = (int64_t)c->revoked->n;
    if (r == 0)
        r = walk_releases(k, c, err);
    return r < 0 ? r : check_unversioned(k, c, text, err);
}

static struct walk_channel *add_channel(struct walking *k, const char *name, struct err *err)
{
    struct walk_channel *more = realloc(k->w->channels, (k->w->n_channels + 1) * sizeof *more);
    struct walk_channel *row;

    if (!more) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    k->w->channels = more;
    row = &more[k->w->n_channels++];
    *row = (struct walk_channel){0};
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

int walk_one_channel(struct walking *k, const char *channel, const struct metadata *content,
                     const struct walk_file *text, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    struct channel_walk c = {.name = channel, .content = content, .revoked = revoked};
    int r = 0;

    if (!revoked)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (channel_name_check(channel, err) < 0)
        return walk_note(k, channel, -(int)err->code, err);
    c.row = add_channel(k, channel, err);
    if (!c.row)
        return -ERR_NOMEM;
    if (content && text)
        r = walk_content(k, &c, text, err);
    if (r == 0)
        r = walk_plan(k, &c, err);
    free(c.sequences);
    return r;
}
