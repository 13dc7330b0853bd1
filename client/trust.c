/* trust: see trust.h. */
#include "trust.h"

#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "decide.h"
#include "incoming.h"
#include "layout.h"
#include "tree.h"
#include "tuf/client.h"
#include "walk.h"

const char *trust_dir(struct path *p, const struct agent *a)
{
    return layout_at(p, a->config.state_dir, "tuf/%s", a->identity.repository);
}

/* The repository is named by the hash of its first root, which can be compared where the
 * configured root is that one. */
static int check_repository(const struct agent *a, const struct buf *root, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    char hex[SHA256_HEX_LEN + 1];
    int r = metadata_parse(root->data, root->len, TUF_ROOT, "root", &m, err);

    if (r < 0)
        return err_context(err, r, "'%s'", a->config.root);
    sha256_hex(root->data, root->len, hex);
    if (m->version == 1 && strcmp(hex, a->identity.repository) != 0)
        return err_set(err, ERR_UNTRUSTED,
                       "the server's repository is not the one that '%s' is the root of",
                       a->config.root);
    return 0;
}

int trust_init(const struct agent *a, struct err *err)
{
    struct tuf_store store;
    struct path dir;
    struct buf root;
    int r = file_mkdir_p(trust_dir(&dir, a), 0755, err);

    if (r < 0)
        return r;
    store = tuf_store_dir(dir.s);
    buf_init(&root, TUF_ROOT_MAX);
    r = file_read(a->config.root, &root, err);
    if (r == 0)
        r = check_repository(a, &root, err);
    if (r == 0)
        r = tuf_client_init(&store, root.data, root.len, err);
    buf_release(&root);
    return r == -ERR_EXISTS ? 0 : r;
}

static int keep_plan(void *ctx, const char *channel, const struct buf *data, struct err *err)
{
    const struct agent *a = ctx;
    struct path p;
    int r = file_mkdir_p(layout_at(&p, a->config.state_dir, "channels/%s", channel), 0755, err);

    if (r < 0)
        return r;
    layout_at(&p, a->config.state_dir, "channels/%s/plan.json", channel);
    return file_write_durable(p.s, data->data, data->len, 0644, err);
}

struct sight { /* a release as verified metadata showed it */
    const char *channel;
    const struct manifest *m;
    const struct agent *agent;
};

static int note_sight(struct state *s, void *ctx, struct err *err)
{
    const struct sight *sight = ctx;
    struct state_channel *c;
    struct state_release *r;
    int e = state_add_channel(s, sight->channel, &c, err);

    if (e < 0)
        return e;
    if (!state_release(c, sight->m->digest)) {
        r = state_add_release(c, sight->m->digest);
        r->seen_s = state_awake_s(s, &sight->agent->place);
    }
    r = state_release(c, sight->m->digest);
    strcpy(r->version, sight->m->version);
    r->sequence = sight->m->sequence;
    r->lowest_sequence = sight->m->lowest_sequence;
    r->early_boot = sight->m->early_boot;
    return 0;
}

static bool is_noted(const struct agent *a, const char *channel, const char *digest)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct state_channel *c;

    if (state_load(&a->place, &s, NULL) < 0)
        return false;
    c = state_channel(s, channel);
    return c && state_release(c, digest) &&
           tree_manifest(a->config.state_dir, channel, digest, &m, NULL) == 0;
}

static int keep_manifest(void *ctx, const char *channel, const struct buf *data,
                         const struct manifest *m, struct err *err)
{
    const struct agent *a = ctx;
    struct sight sight = {channel, m, a};
    int r;

    if (strcmp(m->channel, channel) != 0)
        return err_set(err, ERR_UNTRUSTED, "its manifest is of channel '%s'", m->channel);
    if (is_noted(a, channel, m->digest))
        return 0;
    r = tree_put_manifest(a->config.state_dir, channel, m->digest, data->data, data->len, err);
    return r < 0 ? r : state_update(&a->place, note_sight, &sight, err);
}

/* What the plan says of releases that are known here already. */
static void apply_plan(const struct agent *a, struct state_channel *c, const struct plan *plan)
{
    const struct decide_facts f = {.channel = c, .plan = plan, .cohort = a->cohort};

    for (size_t i = c->n_quarantine; i-- > 0;) {
        const struct state_quarantine q = c->quarantine[i];

        /* What the content is to blame for, or its owner put away, no plan brings back. */
        if (!q.blamed && strcmp(q.cause, "owner") != 0 && plan_lifts(plan, q.digest))
            state_lift(c, q.digest);
    }
    if (decide_recalled(&f, c->current)) {
        strcpy(c->leave.digest, c->current);
        strcpy(c->leave.cause, "recall");
    } else if (decide_recalled(&f, c->pending.digest)) {
        strcpy(c->leave.digest, c->pending.digest);
        strcpy(c->leave.cause, "recall");
    } else if (strcmp(c->leave.cause, "recall") == 0) {
        memset(&c->leave, 0, sizeof c->leave);
    }
}

struct outcome {
    const struct agent *agent;
    int64_t snapshot_version, expires_s;
};

static int note_outcome(struct state *s, void *ctx, struct err *err)
{
    const struct outcome *o = ctx;

    (void)err;
    s->snapshot_version = o->snapshot_version;
    s->expires_s = o->expires_s;
    for (size_t i = 0; i < s->n_channels; i++) {
        _cleanup_(plan_free_p)
        struct plan *plan = NULL;

        if (agent_plan(o->agent, s->channels[i].name, &plan, NULL) == 0)
            apply_plan(o->agent, &s->channels[i], plan);
    }
    return 0;
}

static int walk_all(const struct agent *a, struct tuf_client *client, int64_t now_s,
                    struct err *err)
{
    struct walk w = {.client = client,
                     .now_s = now_s,
                     .state_dir = a->config.state_dir,
                     .cohort = a->cohort,
                     .got_plan = keep_plan,
                     .got_manifest = keep_manifest,
                     .ctx = (void *)a};

    for (size_t i = 0; i < a->config.n_channels; i++) {
        int r = walk_channel(&w, a->config.channels[i].name, err);

        if (r < 0)
            return r;
    }
    return 0;
}

int trust_verify(const struct agent *a, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    int64_t now_s = clock_wall_ms(a->clock) / 1000;
    struct path dir;
    struct tuf_fetch fetch = incoming_fetch(a->config.state_dir);
    struct tuf_store store = tuf_store_dir(trust_dir(&dir, a));
    struct outcome outcome = {.agent = a};
    int r = tuf_client_new(&store, &fetch, &client, err);

    if (r == 0)
        r = tuf_client_refresh(client, now_s, err);
    if (r == 0)
        r = walk_all(a, client, now_s, err);
    if (r < 0)
        return err_context(err, r, "verify");
    outcome.snapshot_version = tuf_client_snapshot_version(client);
    outcome.expires_s = tuf_client_expires_s(client);
    return state_update(&a->place, note_outcome, &outcome, err);
}
