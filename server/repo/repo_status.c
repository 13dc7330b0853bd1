/* repo_status: the roles of the published repository: their versions, keys, and when they expire.
 */
#include <stdio.h>
#include <string.h>

#include "repo/repo_internal.h"

#define WARN_S INT64_C(2592000) /* 30 days */

/* --- expiry ---------------------------------------------------------------------------------- */

struct listing {
    const struct server *server;
    struct repo_role *roles;
    size_t n;
    int64_t now_s;
};

/* From 30 days before it expires, or where its life is short from its last third. What is signed
 * here is renewed at half of its life, so that in its last third renewing has failed. */
static bool is_near(const struct repo_role *r, int64_t life_s)
{
    int64_t window_s = life_s > 0 && life_s / 3 < WARN_S ? life_s / 3 : WARN_S;

    return r->expires_in_s <= window_s;
}

static void add(struct listing *l, const char *name, int64_t version, int64_t expires_s,
                int64_t life_s)
{
    struct repo_role *r = &l->roles[l->n++];

    *r = (struct repo_role){
        .version = version, .expires_s = expires_s, .expires_in_s = expires_s - l->now_s};
    snprintf(r->name, sizeof r->name, "%s", name);
    r->warn = is_near(r, life_s);
}

static void add_offline(struct listing *l, const char *name, int64_t version,
                        const struct repo_life *life)
{
    add(l, name, version, life->expires_s, life->since_s ? life->expires_s - life->since_s : 0);
}

static void add_online(struct listing *l, const struct repo_image *i, enum repo_online role)
{
    int64_t life_ms = role == REPO_TIMESTAMP ? l->server->config.timestamp_life_ms
                                             : l->server->config.rollout_life_ms;

    add(l, repo_online_name(role), i->version[role], i->expires_s[role], life_ms / 1000);
}

static size_t list_roles(const struct server *s, const struct repo_image *i,
                         struct repo_role ret[REPO_ROLES_MAX])
{
    struct listing l = {.server = s, .roles = ret, .now_s = clock_wall_ms(s->clock) / 1000};

    add_offline(&l, "root", i->root, &i->root_life);
    add_offline(&l, "targets", i->targets, &i->targets_life);
    for (int n = 0; n < REPO_N_ONLINE; n++)
        add_online(&l, i, (enum repo_online)n);
    for (size_t n = 0; n < i->n_channels; n++) {
        const struct repo_channel *c = &i->channels[n];
        char role[TUF_ROLE_NAME_MAX];

        if (c->gone || c->content == 0)
            continue;
        content_role_name(c->name, role, sizeof role);
        add_offline(&l, role, c->content, &c->life);
    }
    return l.n;
}

size_t repo_roles(struct server *s, struct repo_role ret[REPO_ROLES_MAX])
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);

    return list_roles(s, i, ret);
}

/* --- all of it ------------------------------------------------------------------------------- */

static json_t *role_to_json(const struct repo_role *role, const struct key_set *keys)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < keys->n_keys; i++)
        json_array_append_new(ids, json_string(key_id(keys->keys[i])));
    return json_pack("{s:s, s:I, s:I, s:I, s:i, s:o}", "role", role->name, "version",
                     (json_int_t)role->version, "expires_s", (json_int_t)role->expires_s,
                     "expires_in_s", (json_int_t)role->expires_in_s, "threshold", keys->threshold,
                     "keyids", ids);
}

/* Its keys stand in root or, of a delegated role, in targets. */
static int add_role(json_t *list, const struct metadata *root, const struct metadata *targets,
                    const struct repo_role *role, struct err *err)
{
    struct key_set keys = {0};
    int r = metadata_root_keys(root, role->name, &keys, NULL);

    if (r < 0) /* a delegated one */
        r = metadata_delegated_keys(targets, role->name, &keys, err);
    if (r == 0)
        json_array_append_new(list, role_to_json(role, &keys));
    key_set_release(&keys);
    return r;
}

int repo_status(struct server *s, json_t **ret, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_image(s->repo);
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    struct repo_role roles[REPO_ROLES_MAX];
    json_t *list = json_array();
    json_auto_t *o =
        json_pack("{s:s, s:I, s:o}", "root_id", repo_root_id(s->repo), "snapshot_version",
                  (json_int_t)i->version[REPO_SNAPSHOT], "roles", list);
    size_t n = list_roles(s, i, roles);
    int r = image_metadata(i, "root", i->root, TUF_ROOT, &root, err);

    if (r == 0)
        r = image_metadata(i, "targets", i->targets, TUF_TARGETS, &targets, err);
    for (size_t k = 0; r == 0 && k < n; k++)
        r = add_role(list, root, targets, &roles[k], err);
    if (r == 0)
        *ret = take_ptr(o);
    return r;
}
