/* content_next: see content_next.h. */
#include "release/content_next.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "text.h"

#define MAX_SEQUENCE (INT64_C(1) << 53)

/* --- what is listed -------------------------------------------------------------------------- */

struct listed {
    char path[TUF_TARGET_MAX];
    char digest[65];
    int64_t sequence;
    bool baseline, revoked, keep;
};

struct list {
    struct listed *items; /* newest first */
    size_t n;
};

static void list_release(struct list *l)
{
    free(l->items);
}

static int newest_first(const void *a, const void *b)
{
    const struct listed *p = a, *q = b;

    return (p->sequence < q->sequence) - (p->sequence > q->sequence);
}

static int read_listed(const struct metadata *m, const char *path, const struct revoked *revoked,
                       struct listed *ret, struct err *err)
{
    struct tuf_target t;
    int r = metadata_target(m, path, &t, err);

    if (r == 0)
        r = jsonx_int(t.custom, path, "sequence", 1, MAX_SEQUENCE, &ret->sequence, err);
    if (r < 0)
        return r;
    memcpy(ret->path, t.path, sizeof ret->path);
    memcpy(ret->digest, t.sha256, sizeof ret->digest);
    ret->baseline = json_is_true(json_object_get(t.custom, "baseline"));
    ret->revoked = revoked_reason(revoked, t.sha256) != NULL;
    return 0;
}

/* Everything that a metadata lists, and everything that it revokes. */
static int read_all(const struct metadata *m, struct list *ret, struct revoked *revoked,
                    struct err *err)
{
    json_t *targets = m ? json_object_get(m->body, "targets") : NULL, *o;
    const char *path;
    int r = 0;

    revoked->n = 0;
    ret->items = calloc(json_object_size(targets) + 1, sizeof *ret->items);
    if (!ret->items)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (m)
        r = revoked_read(m, revoked, err);
    json_object_foreach (targets, path, o)
        if (r == 0)
            r = read_listed(m, path, revoked, &ret->items[ret->n++], err);
    qsort(ret->items, ret->n, sizeof *ret->items, newest_first);
    return err_context(err, r, "previous content metadata");
}

int content_sequences(const struct metadata *previous, int64_t *ret_lowest, int64_t *ret_highest,
                      struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    struct list list = {0};
    int r = revoked ? read_all(previous, &list, revoked, err)
                    : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0) {
        *ret_lowest = 0;
        *ret_highest = list.n ? list.items[0].sequence : 0;
        for (size_t i = 0; i < list.n; i++)
            if (!list.items[i].revoked)
                *ret_lowest = list.items[i].sequence;
    }
    list_release(&list);
    return r;
}

/* --- what stays listed ----------------------------------------------------------------------- */

static int keep_version(const struct content_next *n, struct list *l, const char *version,
                        struct err *err)
{
    char path[TUF_TARGET_MAX];

    if (manifest_target_path(n->channel, version, path, sizeof path) < 0)
        return err_set(err, ERR_USAGE, "version '%.80s' is too long", version);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i].path, path) != 0)
            continue;
        if (l->items[i].revoked)
            return err_set(err, ERR_REFUSED, "version '%s' is revoked: nothing may go back to it",
                           version);
        l->items[i].keep = true;
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "version '%s' of channel '%s' is not listed", version,
                   n->channel);
}

/* Marks what stays. newest_is_baseline: of the release that is about to be added. */
static int choose_kept(const struct content_next *n, struct list *l, bool newest_is_baseline,
                       struct err *err)
{
    size_t newest = n->keep > 0 ? (size_t)n->keep - 1 : l->n;
    int baselines = newest_is_baseline ? CONTENT_KEEP_BASELINE - 1 : CONTENT_KEEP_BASELINE;
    int r = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct listed *item = &l->items[i];

        item->keep = i < newest;
        if (item->baseline && !item->revoked && baselines > 0) {
            item->keep = true;
            baselines--;
        }
    }
    for (size_t i = 0; r == 0 && i < n->n_keep_versions; i++)
        r = keep_version(n, l, n->keep_versions[i], err);
    return r;
}

/* The new body: the previous one's, with another version and expiry. */
static json_t *next_body(const struct content_next *n)
{
    char expires[21];
    json_t *body;

    if (!n->previous)
        return metadata_new_targets(1, n->expires_s);
    body = json_deep_copy(n->previous->body);
    clock_format_utc(n->expires_s, expires);
    if (body && json_object_set_new(body, "version", json_integer(n->previous->version + 1)) == 0 &&
        json_object_set_new(body, "expires", json_string(expires)) == 0)
        return body;
    json_decref(body);
    return NULL;
}

/* --- revocations ----------------------------------------------------------------------------- */

/* Make room for one more: that of the oldest release goes. */
static void drop_oldest(struct revoked *r)
{
    size_t oldest = 0;

    for (size_t i = 1; i < r->n; i++)
        if (r->items[i].sequence < r->items[oldest].sequence)
            oldest = i;
    r->items[oldest] = r->items[--r->n];
}

static int add_revocation(struct revoked *r, const struct content_revocation *c, const char *digest,
                          int64_t sequence, struct content_left_out *left, struct err *err)
{
    const char *before = revoked_reason(r, digest);
    struct revoked_item item = {.sequence = sequence};

    if (before)
        return err_set(err, ERR_EXISTS, "release %.12s is revoked already: %.150s", digest, before);
    if (!hex_is(digest, SHA256_HEX_LEN))
        return err_set(err, ERR_USAGE, "digest '%.80s' is not 64 hexadecimal digits", digest);
    if (!c->reason[0] || strlen(c->reason) >= sizeof item.reason) {
        err_set(err, ERR_USAGE, "the reason is not 1 to %d bytes long", REVOKED_REASON_MAX - 1);
        return err_remedy(err, "say in a few words what is wrong with the release");
    }
    if (r->n == REVOKED_MAX) {
        drop_oldest(r);
        left->revocations++;
    }
    memcpy(item.digest, digest, SHA256_HEX_LEN);
    memcpy(item.reason, c->reason, strlen(c->reason));
    r->items[r->n++] = item;
    return 0;
}

static void shorten_reasons(struct revoked *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->items[i].reason[text_shown(r->items[i].reason, CONTENT_REASON_BYTES)] = '\0';
}

/* All of them onto this target, and off every other. */
static int put_revocations(json_t *body, const char *path, const struct revoked *revoked,
                           struct err *err)
{
    json_t *targets = json_object_get(body, "targets"), *target, *list = NULL;
    const char *name;
    int r;

    json_object_foreach (targets, name, target)
        json_object_del(json_object_get(target, "custom"), "revoked");
    if (!revoked->n)
        return 0;
    r = revoked_to_json(revoked, &list, err);
    target = json_object_get(json_object_get(targets, path), "custom");
    if (r == 0 && json_object_set_new(target, "revoked", list) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    return r;
}

void content_left_out_note(const struct content_left_out *left, FILE *out)
{
    if (left->releases)
        fprintf(out,
                "note: %lld older release%s no longer listed; --keep and --keep-version say which "
                "stay\n",
                (long long)left->releases, left->releases == 1 ? " is" : "s are");
    if (left->revocations)
        fprintf(out, "note: %lld revocation%s of the oldest releases left out: at most %d fit\n",
                (long long)left->revocations, left->revocations == 1 ? "" : "s", REVOKED_MAX);
}

/* --- a release more -------------------------------------------------------------------------- */

static json_t *release_custom(const struct content_release *release)
{
    const struct manifest *m = release->manifest;
    char digest[SHA256_HEX_LEN + 1];
    json_t *custom;

    sha256_hex(release->text->data, release->text->len, digest);
    custom = json_pack("{s:I, s:s}", "sequence", (json_int_t)m->sequence, "digest", digest);
    if (custom && release->faster_pace)
        json_object_set_new(custom, "faster_pace", json_true());
    if (custom && m->baseline)
        json_object_set_new(custom, "baseline", json_true());
    return custom;
}

static int add_release(json_t *body, const char *path, const struct content_release *release,
                       struct err *err)
{
    json_auto_t *custom = release_custom(release);

    if (!body || !custom ||
        metadata_targets_add(body, path, release->text->data, release->text->len, custom) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

static void leave_out(json_t *body, const struct list *l, struct content_left_out *left)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].keep)
            continue;
        json_object_del(json_object_get(body, "targets"), l->items[i].path);
        left->releases++;
    }
}

static int add(const struct content_next *n, const struct content_release *release, struct list *l,
               struct revoked *revoked, json_t **ret, struct content_left_out *left,
               struct err *err)
{
    const struct manifest *m = release->manifest;
    json_auto_t *body = NULL;
    char path[TUF_TARGET_MAX];
    int r;

    if (manifest_target_path(m->channel, m->version, path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "release name is too long");
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->items[i].path, path) == 0)
            return err_set(err, ERR_EXISTS, "version '%s' of channel '%s' is published already",
                           m->version, m->channel);
    r = choose_kept(n, l, m->baseline, err);
    if (r < 0)
        return r;
    body = next_body(n);
    r = add_release(body, path, release, err);
    if (r < 0)
        return r;
    leave_out(body, l, left);
    shorten_reasons(revoked);
    r = put_revocations(body, path, revoked, err);
    if (r == 0)
        *ret = take_ptr(body);
    return r;
}

int content_add(const struct content_next *n, const struct content_release *release, json_t **ret,
                struct content_left_out *ret_left, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    struct content_left_out left = {0};
    struct list list = {0};
    int r = revoked ? read_all(n->previous, &list, revoked, err)
                    : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = add(n, release, &list, revoked, ret, &left, err);
    if (r == 0)
        *ret_left = left;
    list_release(&list);
    return r;
}

/* --- a release less -------------------------------------------------------------------------- */

/* The digest that is meant: of the listed version, or as given. */
static int find_digest(const struct content_next *n, const struct content_revocation *c,
                       const struct list *l, const char **ret, int64_t *ret_sequence,
                       struct err *err)
{
    char path[TUF_TARGET_MAX];

    *ret = c->digest;
    *ret_sequence = 0;
    if (manifest_target_path(n->channel, c->version, path, sizeof path) < 0)
        return err_set(err, ERR_USAGE, "version '%.80s' is too long", c->version);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->items[i].path, path) != 0)
            continue;
        if (c->digest && strcmp(c->digest, l->items[i].digest) != 0)
            return err_set(err, ERR_CONFLICT, "version '%s' has the digest %s, not the one given",
                           c->version, l->items[i].digest);
        *ret = l->items[i].digest;
        *ret_sequence = l->items[i].sequence;
        return 0;
    }
    if (c->digest)
        return 0;
    err_set(err, ERR_NOT_FOUND, "version '%s' of channel '%s' is not listed (any more)", c->version,
            n->channel);
    return err_remedy(err, "give its digest with --digest; 'firebreak release list --json' has it");
}

static int take_back(const struct content_next *n, const struct content_revocation *c,
                     const struct list *l, struct revoked *revoked, json_t **ret,
                     char ret_digest[65], struct content_left_out *left, struct err *err)
{
    json_auto_t *body = NULL;
    const char *digest;
    int64_t sequence;
    int r;

    if (!l->n)
        return err_set(err, ERR_NOT_FOUND, "channel '%s' lists no release", n->channel);
    r = find_digest(n, c, l, &digest, &sequence, err);
    if (r < 0)
        return r;
    shorten_reasons(revoked);
    r = add_revocation(revoked, c, digest, sequence, left, err);
    if (r < 0)
        return r;
    body = next_body(n);
    if (!body)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = put_revocations(body, l->items[0].path, revoked, err);
    if (r < 0)
        return r;
    memcpy(ret_digest, digest, SHA256_HEX_LEN + 1);
    *ret = take_ptr(body);
    return 0;
}

int content_revoke(const struct content_next *n, const struct content_revocation *revocation,
                   json_t **ret, char ret_digest[65], struct content_left_out *ret_left,
                   struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    struct content_left_out left = {0};
    struct list list = {0};
    int r = revoked ? read_all(n->previous, &list, revoked, err)
                    : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = take_back(n, revocation, &list, revoked, ret, ret_digest, &left, err);
    if (r == 0)
        *ret_left = left;
    list_release(&list);
    return r;
}
