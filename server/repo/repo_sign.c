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

/* --- keys ------------------------------------------------------------------------------------ */

static int open_signer(const char *dir, const char *name, struct signer **ret, struct err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s.pem", dir, name);

    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_INVALID, "online_dir is too long");
    return err_context(err, signer_open(path, NULL, ret, err), "online key '%s'", name);
}

int repo_open_signers(struct repo *r, const char *dir, struct err *err)
{
    int e = open_signer(dir, "permit", &r->permit, err);

    for (int i = 0; e == 0 && i < REPO_N_ONLINE; i++)
        e = open_signer(dir, online[i].name, &r->signers[i], err);
    return e;
}

static bool set_has(const struct key_set *set, const struct key *k)
{
    for (size_t i = 0; i < set->n_keys; i++)
        if (key_same(set->keys[i], k))
            return true;
    return false;
}

static int check_signer(const struct repo *r, enum repo_online role, const struct metadata *root,
                        const struct metadata *targets, struct err *err)
{
    const char *name = online[role].name;
    struct key_set set = {0};
    int e = role == REPO_ROLLOUT ? metadata_delegated_keys(targets, name, &set, err)
                                 : metadata_root_keys(root, name, &set, err);

    if (e < 0)
        return e;
    if (!set_has(&set, signer_key(r->signers[role]))) {
        e = err_set(err, ERR_UNTRUSTED,
                    "the key in online_dir is not the one that %s names for '%s'",
                    role == REPO_ROLLOUT ? "targets" : "root", name);
        err_remedy(err, "use the key made with this repository, or have the offline keys name it");
    } else if (set.threshold != 1) {
        e = err_set(err, ERR_UNTRUSTED, "role '%s' wants %d signatures, the server has one key",
                    name, set.threshold);
    }
    key_set_release(&set);
    return e;
}

int repo_check_signers(const struct repo *r, const struct repo_image *i, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    int e = image_metadata(i, "root", i->root, TUF_ROOT, &root, err);

    if (e == 0)
        e = image_metadata(i, "targets", i->targets, TUF_TARGETS, &targets, err);
    for (int n = 0; e == 0 && n < REPO_N_ONLINE; n++)
        e = check_signer(r, (enum repo_online)n, root, targets, err);
    return e;
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
    int64_t version = w->image->version[role] + 1;
    char path[REPO_PATH_MAX];
    struct buf text;
    int r = envelope ? envelope_sign(envelope, w->repo->signers[role], err)
                     : err_set(err, ERR_NOMEM, "out of memory");

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

    for (size_t i = 0; r == 0 && i < w->repo->n_channels; i++) {
        const struct plan *plan = plan_of(plans, n, w->repo->channels[i]);

        r = plan ? put_plan(w, plan, body, err) : keep_plan(w, w->repo->channels[i], body, err);
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
    for (size_t n = 0; r == 0 && n < i->n_content; n++) {
        char role[TUF_ROLE_NAME_MAX];

        if (i->content[n] == 0)
            continue;
        r = content_role_name(w->repo->channels[n], role, sizeof role);
        if (r == 0)
            r = refer(w, body, role, i->content[n], err);
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
