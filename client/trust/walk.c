/* walk: see walk.h. */
#include "trust/walk.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "layout.h"

/* The bytes of a kept file, if they are still the ones that metadata names. */
static bool read_kept(const char *path, const struct tuf_target *t, struct buf *ret)
{
    char hex[SHA256_HEX_LEN + 1];

    if (file_read(path, ret, NULL) < 0)
        return false;
    sha256_hex(ret->data, ret->len, hex);
    if (strcmp(hex, t->sha256) == 0)
        return true;
    buf_reset(ret);
    return false;
}

static int download(const struct walk *w, const struct tuf_target *t, struct buf *ret,
                    struct err *err)
{
    int r = tuf_client_download(w->client, t, ret, err);

    if (r == -ERR_NOT_FOUND) /* listed, and not there: not the same as not listed */
        return err_set(err, ERR_UNAVAILABLE, "the repository has no bytes of '%.128s'", t->path);
    return r;
}

static int get_plan(const struct walk *w, const char *channel, struct plan **ret, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    char target[TUF_TARGET_MAX];
    struct tuf_target t;
    struct path p;
    struct buf b;
    bool kept = false;
    int r = plan_target_path(channel, target, sizeof target);

    buf_init(&b, PLAN_MAX);
    if (r == 0)
        r = tuf_client_find(w->client, w->now_s, target, &t, err);
    if (r == 0)
        kept = read_kept(layout_at(&p, w->state_dir, "channels/%s/plan.json", channel), &t, &b);
    if (r == 0 && !kept)
        r = download(w, &t, &b, err);
    if (r == 0)
        r = plan_parse(b.data, b.len, &plan, err);
    if (r == 0 && strcmp(plan->channel, channel) != 0)
        r = err_set(err, ERR_UNTRUSTED, "the plan is of channel '%s'", plan->channel);
    if (r == 0 && !kept && w->got_plan)
        r = w->got_plan(w->ctx, channel, &b, err);
    buf_release(&b);
    if (r < 0)
        return err_context(err, r, "plan of channel '%s'", channel);
    *ret = take_ptr(plan);
    return 0;
}

/* The release digest binds plan, permit and manifest: it is the target's own hash. */
static int download_manifest(const struct walk *w, const char *channel, const struct tuf_target *t,
                             struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct path p;
    struct buf b;
    int r = 0;

    buf_init(&b, MANIFEST_MAX);
    if (!read_kept(layout_at(&p, w->state_dir, "channels/%s/manifests/%s.json", channel, t->sha256),
                   t, &b))
        r = download(w, t, &b, err);
    if (r == 0)
        r = manifest_parse(b.data, b.len, &m, err);
    if (r == 0 && w->got_manifest)
        r = w->got_manifest(w->ctx, channel, &b, m, err);
    buf_release(&b);
    return r;
}

static int get_content(const struct walk *w, const char *channel, struct err *err)
{
    const struct metadata *content;
    char role[TUF_ROLE_NAME_MAX];
    int r = content_role_name(channel, role, sizeof role);

    if (r == 0)
        r = tuf_client_delegated(w->client, w->now_s, role, &content, err);
    if (r == -ERR_NOT_FOUND) /* a channel without a release yet */
        return 0;
    if (r == 0 && w->got_content)
        r = w->got_content(w->ctx, channel, content, err);
    return err_context(err, r, "releases of channel '%s'", channel);
}

static int get_manifest(const struct walk *w, const char *channel, const char *digest,
                        const char *version, bool baseline, struct err *err)
{
    char target[TUF_TARGET_MAX];
    struct tuf_target t;
    int r = manifest_target_path(channel, version, target, sizeof target);

    if (r == 0)
        r = tuf_client_find(w->client, w->now_s, target, &t, err);
    if (r == -ERR_NOT_FOUND) {
        if (w->got_unlisted)
            w->got_unlisted(w->ctx, baseline, digest);
        return 0;
    }
    if (r == 0 && strcmp(t.sha256, digest) != 0)
        r = err_set(err, ERR_UNTRUSTED, "the plan means other bytes than the content keys signed");
    if (r == 0)
        r = download_manifest(w, channel, &t, err);
    return err_context(err, r, "release '%s' of channel '%s'", version, channel);
}

int walk_channel(const struct walk *w, const char *channel, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    const struct plan_rollout *candidate;
    struct err why = {0};
    int r = get_plan(w, channel, &plan, err);
    int q = get_content(w, channel, r == 0 ? err : &why); /* revocations do not wait for a plan */

    if (r < 0 || q < 0)
        return r < 0 ? r : q;
    candidate = plan_candidate(plan, w->cohort);
    if (candidate)
        r = get_manifest(w, channel, candidate->digest, candidate->version, false, err);
    if (r == 0 && plan->baseline[0] &&
        !(candidate && strcmp(candidate->digest, plan->baseline) == 0))
        r = get_manifest(w, channel, plan->baseline, plan->baseline_version, true, err);
    return r;
}
