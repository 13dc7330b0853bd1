/* repo_sign: the online part of the repository: plans, and the metadata above them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "repo/repo_internal.h"
#include "tuf/envelope.h"

static const struct {
    const char *name;
    enum tuf_type type;
    size_t max;
} online[REPO_N_ONLINE] = {
    [REPO_ROLLOUT] = {"rollout", TUF_TARGETS, TUF_TARGETS_MAX},
    [REPO_SNAPSHOT] = {"snapshot", TUF_SNAPSHOT, TUF_SNAPSHOT_MAX},
    [REPO_TIMESTAMP] = {"timestamp", TUF_TIMESTAMP, TUF_TIMESTAMP_MAX},
};

const char *repo_online_name(enum repo_online role)
{
    return online[role].name;
}

/* --- signing --------------------------------------------------------------------------------- */

int repo_put(const struct repo_work *w, const char *path, const void *data, size_t len,
             int64_t version, struct err *err)
{
    const struct row_metadata row = {path, data, len, version};
    _cleanup_(blob_unref_p)
    struct blob *b = blob_new(data, len);
    int r = b ? image_put(w->image, path, b, version, err)
              : err_set(err, ERR_NOMEM, "out of memory for '%s'", path);

    if (r == 0)
        store_put_metadata(w->batch, &row);
    return r;
}

void repo_begin_life(const struct repo_work *w, const char *role, int64_t expires_s)
{
    int64_t now_s = clock_wall_ms(w->server->clock) / 1000;
    char key[TUF_ROLE_NAME_MAX + 32], value[32];
    const struct row_setting row = {key, value};

    *image_life(w->image, role) = (struct repo_life){expires_s, now_s};
    snprintf(key, sizeof key, REPO_SINCE "%s", role);
    snprintf(value, sizeof value, "%lld", (long long)now_s);
    store_put_setting(w->batch, &row);
}

static int64_t expiry(const struct server *s, enum repo_online role)
{
    int64_t life_ms =
        role == REPO_TIMESTAMP ? s->config.timestamp_life_ms : s->config.rollout_life_ms;

    return (clock_wall_ms(s->clock) + life_ms) / 1000;
}

/* Sign `body`, which has the version after the present one and this expiry, and put it in. */
static int sign(const struct repo_work *w, enum repo_online role, json_t *body, int64_t expires_s,
                struct err *err)
{
    json_auto_t *envelope = envelope_new(body);
    const struct online_key *key = w->image->keys[role];
    int64_t version = w->image->version[role] + 1;
    char path[REPO_PATH_MAX];
    struct buf text;
    int r = envelope ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = key ? envelope_sign(envelope, online_key_signer(key), err)
                : err_set(err, ERR_UNTRUSTED, "there is no key for it in online_dir");

    buf_init(&text, online[role].max);
    if (r == 0)
        r = envelope_dump(envelope, &text, err);
    image_metadata_path(online[role].name, role == REPO_TIMESTAMP ? 0 : version, path);
    if (r == 0)
        r = repo_put(w, path, text.data, text.len, version, err);
    buf_release(&text);
    if (r < 0)
        return err_context(err, r, "sign '%s'", path);
    w->image->version[role] = version;
    w->image->expires_s[role] = expires_s;
    return 0;
}

/* --- plans and rollout metadata -------------------------------------------------------------- */

static int put_plan(const struct repo_work *w, const struct plan *plan, json_t *body,
                    struct err *err)
{
    char target[TUF_TARGET_MAX], path[REPO_PATH_MAX], hash[SHA256_HEX_LEN + 1];
    struct buf text;
    int r;

    buf_init(&text, PLAN_MAX);
    r = plan_dump(plan, &text, err);
    if (r == 0 && plan_target_path(plan->channel, target, sizeof target) < 0)
        r = err_set(err, ERR_INVALID, "channel name '%s' is too long", plan->channel);
    if (r == 0) {
        sha256_hex(text.data, text.len, hash);
        r = image_target_path(target, hash, path, err);
    }
    if (r == 0)
        r = repo_put(w, path, text.data, text.len, w->image->version[REPO_ROLLOUT] + 1, err);
    if (r == 0 && metadata_targets_add(body, target, text.data, text.len, NULL) < 0)
        r = err_set(err, ERR_NOMEM, "out of memory");
    buf_release(&text);
    return r;
}

/* The present plan goes on being listed; its version says so (image_prune). */
static int keep_plan(const struct repo_work *w, const char *channel, json_t *body, struct err *err)
{
    char target[TUF_TARGET_MAX], path[REPO_PATH_MAX];
    int64_t present = w->image->version[REPO_ROLLOUT];
    struct blob *b;
    const void *data;
    size_t len;
    int r;

    if (plan_target_path(channel, target, sizeof target) < 0)
        return err_set(err, ERR_INVALID, "channel name '%s' is too long", channel);
    r = image_target(w->image, "rollout", present, target, path, err);
    if (r < 0)
        return r;
    b = image_get(w->image, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    if (metadata_targets_add(body, target, data, len, NULL) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    return image_put(w->image, path, b, present + 1, err);
}

static const struct plan *plan_of(const struct plan *const *plans, size_t n, const char *channel)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(plans[i]->channel, channel) == 0)
            return plans[i];
    return NULL;
}

int repo_sign_rollout(const struct repo_work *w, const struct plan *const *plans, size_t n,
                      struct err *err)
{
    int64_t expires_s = expiry(w->server, REPO_ROLLOUT);
    json_auto_t *body = metadata_new_targets(w->image->version[REPO_ROLLOUT] + 1, expires_s);
    int r = body ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; r == 0 && i < w->image->n_channels; i++) {
        const struct repo_channel *c = &w->image->channels[i];
        const struct plan *plan = plan_of(plans, n, c->name);

        if (!c->gone)
            r = plan ? put_plan(w, plan, body, err) : keep_plan(w, c->name, body, err);
    }
    return r < 0 ? r : sign(w, REPO_ROLLOUT, body, expires_s, err);
}

int repo_empty_plan(const struct server *s, const struct repo *r, const char *channel,
                    struct plan **ret, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *p = calloc(1, sizeof *p);
    json_auto_t *key = key_to_json(signer_key(r->permit));
    int e;

    if (!p || !key || !(p->permit_keys.keys = calloc(1, sizeof *p->permit_keys.keys)))
        return err_set(err, ERR_NOMEM, "out of memory");
    e = key_from_json(key, &p->permit_keys.keys[0], err);
    if (e < 0)
        return e;
    p->permit_keys.n_keys = 1;
    p->permit_keys.threshold = 1;
    snprintf(p->channel, sizeof p->channel, "%s", channel);
    p->serial = 1;
    p->checkin_ms = p->tick_ms = s->config.checkin_interval_ms;
    *ret = take_ptr(p);
    return 0;
}

/* --- snapshot and timestamp ------------------------------------------------------------------ */

/* "<role>.json" at this version, with length and hash. */
static int refer(const struct repo_work *w, json_t *body, const char *role, int64_t version,
                 struct err *err)
{
    char path[REPO_PATH_MAX], name[TUF_ROLE_NAME_MAX + 8];
    const struct blob *b;
    const void *data;
    size_t len;

    image_metadata_path(role, version, path);
    b = image_get(w->image, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    snprintf(name, sizeof name, "%s.json", role);
    return metadata_set_ref(body, name, version, data, len) < 0
               ? err_set(err, ERR_NOMEM, "out of memory")
               : 0;
}

int repo_sign_snapshot(const struct repo_work *w, struct err *err)
{
    const struct repo_image *i = w->image;
    int64_t expires_s = expiry(w->server, REPO_SNAPSHOT);
    json_auto_t *body = metadata_new_snapshot(i->version[REPO_SNAPSHOT] + 1, expires_s);
    int r = body ? refer(w, body, "targets", i->targets, err)
                 : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = refer(w, body, "rollout", i->version[REPO_ROLLOUT], err);
    for (size_t n = 0; r == 0 && n < i->n_channels; n++) {
        char role[TUF_ROLE_NAME_MAX];

        if (i->channels[n].content == 0)
            continue;
        r = content_role_name(i->channels[n].name, role, sizeof role);
        if (r == 0)
            r = refer(w, body, role, i->channels[n].content, err);
    }
    return r < 0 ? r : sign(w, REPO_SNAPSHOT, body, expires_s, err);
}

int repo_sign_timestamp(const struct repo_work *w, struct err *err)
{
    int64_t expires_s = expiry(w->server, REPO_TIMESTAMP);
    json_auto_t *body = metadata_new_timestamp(w->image->version[REPO_TIMESTAMP] + 1, expires_s);
    int r = body ? refer(w, body, "snapshot", w->image->version[REPO_SNAPSHOT], err)
                 : err_set(err, ERR_NOMEM, "out of memory");

    return r < 0 ? r : sign(w, REPO_TIMESTAMP, body, expires_s, err);
}
