/* trust: see trust.h. */
#include "trust/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "cycle/decide.h"
#include "trust/incoming.h"
#include "layout.h"
#include "text.h"
#include "apply/tree.h"
#include "trust/trust_revoke.h"
#include "tuf/client.h"
#include "trust/walk.h"

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

/* One verification, and what it has found so far. */
struct pass {
    const struct agent *agent;
    int64_t now_s;
    bool refreshed;
    int64_t snapshot_version, expires_s;
    char expires_role[STATE_ROLE_MAX];
    struct state_trouble trouble; /* of all channels */
    struct found {
        bool good;
        char unlisted[2][65];
        struct state_trouble trouble;
    } found[CHECKIN_MAX_CHANNELS]; /* as in the configuration */
    size_t at;                     /* the channel that is walked */
    struct err failed;             /* of the first channel that failed */
};

static int keep_plan(void *ctx, const char *channel, const struct buf *data, struct err *err)
{
    const struct agent *a = ((const struct pass *)ctx)->agent;
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
    state_raise_lowest(c, sight->m->lowest_sequence);
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
    const struct agent *a = ((const struct pass *)ctx)->agent;
    struct sight sight = {channel, m, a};
    int r;

    if (strcmp(m->channel, channel) != 0)
        return err_set(err, ERR_UNTRUSTED, "its manifest is of channel '%s'", m->channel);
    if (is_noted(a, channel, m->digest))
        return 0;
    r = tree_put_manifest(a->config.state_dir, channel, m->digest, data->data, data->len, err);
    return r < 0 ? r : state_update(&a->place, note_sight, &sight, err);
}

static int take_content(void *ctx, const char *channel, const struct metadata *content,
                        struct err *err)
{
    return trust_take_revocations(((const struct pass *)ctx)->agent, channel, content, err);
}

static void note_unlisted(void *ctx, bool baseline, const char *digest)
{
    struct pass *p = ctx;

    snprintf(p->found[p->at].unlisted[baseline], 65, "%s", digest);
}

/* --- consequences ----------------------------------------------------------------------------- */

static void leave(struct state_channel *c, const char *digest, const char *cause)
{
    snprintf(c->leave.digest, sizeof c->leave.digest, "%s", digest);
    snprintf(c->leave.cause, sizeof c->leave.cause, "%s", cause);
}

static void lift(struct state_channel *c, const struct plan *plan)
{
    for (size_t i = c->n_quarantine; i-- > 0;) {
        const struct state_quarantine q = c->quarantine[i];

        /* What the content is to blame for, or its owner put away, no plan brings back. */
        if (!q.blamed && strcmp(q.cause, "owner") != 0 && plan_lifts(plan, q.digest))
            state_lift(c, q.digest);
    }
}

/* What the signers and the plan (NULL: none is known) say of releases that are known here. */
static void settle(const struct agent *a, struct state_channel *c, const struct plan *plan)
{
    const struct decide_facts f = {.channel = c, .plan = plan, .cohort = a->cohort};

    if (plan)
        lift(c, plan);
    if (decide_revoked(&f, c->current))
        leave(c, c->current, "revoked");
    else if (decide_revoked(&f, c->pending.digest))
        leave(c, c->pending.digest, "revoked");
    else if (decide_recalled(&f, c->current))
        leave(c, c->current, "recall");
    else if (decide_recalled(&f, c->pending.digest))
        leave(c, c->pending.digest, "recall");
    else if (strcmp(c->leave.cause, "owner") != 0)
        memset(&c->leave, 0, sizeof c->leave);
}

/* What is not certain (the network's doing) leaves what was known. */
static int note_channel(struct state *s, const struct found *found, const char *name,
                        struct err *err)
{
    struct state_channel *c = state_channel(s, name);
    int r = 0;

    if (!c && (found->trouble.hold[0] || found->unlisted[0][0] || found->unlisted[1][0]))
        r = state_add_channel(s, name, &c, err);
    if (r < 0 || !c)
        return r;
    if (found->good)
        memcpy(c->unlisted, found->unlisted, sizeof c->unlisted);
    if (found->good || found->trouble.hold[0])
        c->trouble = found->trouble;
    return 0;
}

static int note_pass(struct state *s, void *ctx, struct err *err)
{
    const struct pass *p = ctx;
    const struct config *config = &p->agent->config;
    int r = 0;

    if (p->refreshed) {
        s->snapshot_version = p->snapshot_version;
        s->expires_s = p->expires_s;
        memcpy(s->expires_role, p->expires_role, sizeof s->expires_role);
    }
    if (p->refreshed || p->trouble.hold[0])
        s->trouble = p->trouble;
    for (size_t i = 0; r == 0 && i < config->n_channels; i++)
        r = note_channel(s, &p->found[i], config->channels[i].name, err);
    for (size_t i = 0; r == 0 && i < s->n_channels; i++) {
        _cleanup_(plan_free_p)
        struct plan *plan = NULL;

        (void)agent_plan(p->agent, s->channels[i].name, &plan, NULL);
        settle(p->agent, &s->channels[i], plan);
    }
    return r;
}

static void log_change(const char *whose, const struct state_trouble *then,
                       const struct state_trouble *now)
{
    if (now->hold[0] && strcmp(then->words, now->words) != 0)
        log_warn("trust", "%s: %s: %s", whose, now->hold, now->words);
    else if (then->hold[0] && !now->hold[0])
        log_info("trust", "%s: no longer %s", whose, then->hold);
}

static void log_changes(struct state *then, const struct state *now)
{
    log_change("all channels", &then->trouble, &now->trouble);
    for (size_t i = 0; i < now->n_channels; i++) {
        const struct state_channel *c = &now->channels[i], *old = state_channel(then, c->name);

        log_change(c->name, old ? &old->trouble : &(struct state_trouble){0}, &c->trouble);
    }
}

/* Only a pass that changes something is written: a failing one comes again and again. */
static int keep_pass(struct pass *p, struct err *err)
{
    _cleanup_(free_p)
    struct state *then = NULL;
    _cleanup_(free_p)
    struct state *now = NULL;
    int r = state_load(&p->agent->place, &then, err);

    if (r == 0)
        r = state_load(&p->agent->place, &now, err);
    if (r == 0 && !then->lost)
        r = note_pass(now, p, err);
    if (r < 0 || (!then->lost && memcmp(now, then, sizeof *now) == 0))
        return r;
    log_changes(then, now);
    return state_update(&p->agent->place, note_pass, p, err);
}

/* --- the pass --------------------------------------------------------------------------------- */

static void walk_all(struct pass *p, struct tuf_client *client, const struct trouble_clock *clock)
{
    const struct agent *a = p->agent;
    struct walk w = {.client = client,
                     .now_s = p->now_s,
                     .state_dir = a->config.state_dir,
                     .cohort = a->cohort,
                     .got_plan = keep_plan,
                     .got_manifest = keep_manifest,
                     .got_content = take_content,
                     .got_unlisted = note_unlisted,
                     .ctx = p};

    for (p->at = 0; p->at < a->config.n_channels; p->at++) {
        struct found *found = &p->found[p->at];
        struct err err = {0};

        found->good = walk_channel(&w, a->config.channels[p->at].name, &err) == 0;
        if (!found->good)
            trouble_of(clock, &err, &found->trouble);
        if (!found->good && !p->failed.code)
            p->failed = err;
    }
}

static int refresh(struct pass *p, const struct trouble_clock *clock, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    struct path dir;
    struct tuf_fetch fetch = incoming_fetch(p->agent->config.state_dir);
    struct tuf_store store = tuf_store_dir(trust_dir(&dir, p->agent));
    const char *role;
    int r = tuf_client_new(&store, &fetch, &client, err);

    if (r == 0)
        r = tuf_client_refresh(client, p->now_s, err);
    if (r < 0)
        return r;
    walk_all(p, client, clock);
    p->refreshed = true;
    p->snapshot_version = tuf_client_snapshot_version(client);
    p->expires_s = tuf_client_expires_first(client, &role);
    /* Who signs targets may delegate to any name: one that the state cannot hold is not kept, or
     * nothing of the state could be written while it stands there. */
    snprintf(p->expires_role, sizeof p->expires_role, "%.*s", STATE_ROLE_MAX - 1, role);
    if (text_word_check(p->expires_role, NULL) < 0)
        memcpy(p->expires_role, "targets", sizeof "targets");
    return 0;
}

/* Nothing came that could be judged. */
static bool says_nothing(int r)
{
    return r == -ERR_NOT_FOUND || r == -ERR_UNAVAILABLE;
}

static int verify(struct pass *p, const struct trouble_clock *clock, const struct err *fetched,
                  struct err *err)
{
    int r;

    if (trouble_clock_is_early(clock)) {
        trouble_early(clock, &p->trouble);
        return err_set(err, ERR_HELD, "%s", p->trouble.words);
    }
    r = refresh(p, clock, err);
    if (says_nothing(r) && fetched)
        *err = *fetched;
    else
        err_context(err, r, "verify");
    if (r == 0)
        return 0;
    trouble_of(clock, err, &p->trouble);
    if (err->code == ERR_EXPIRED)
        err_set(err, ERR_EXPIRED, "%s", p->trouble.words);
    return -(int)err->code;
}

int trust_verify(const struct agent *a, const struct err *fetched, struct err *ret_channel,
                 struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    struct pass p = {.agent = a, .now_s = clock_wall_ms(a->clock) / 1000};
    struct trouble_clock clock;
    struct err why = {0};
    int r = state_load(&a->place, &s, err), q;

    if (r < 0)
        return r;
    clock = agent_clock(a, s);
    r = verify(&p, &clock, fetched, &why);
    if (!s->lost)
        trust_find_revocations(a, !p.refreshed);
    q = keep_pass(&p, err);
    if (q == 0)
        q = trust_tell_revoked(a, err);
    *ret_channel = p.failed;
    if (r < 0)
        *err = why;
    return r < 0 ? r : q;
}
