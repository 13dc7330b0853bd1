/* trust_revoke: see trust_revoke.h. */
#include "trust/trust_revoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "trust/incoming.h"
#include "layout.h"
#include "trust/trust.h"

struct taking {
    const char *channel;
    int64_t version;
    const struct revoked *revoked;
};

static int note_revoked(struct state *s, void *ctx, struct err *err)
{
    const struct taking *t = ctx;
    struct state_channel *c;
    int r = state_add_channel(s, t->channel, &c, err);

    if (r == 0)
        state_revoke(c, t->version, t->revoked);
    return r;
}

/* It would change nothing: nothing is written for what is shown with each refresh, nor for what a
 * full state has no room for. */
static bool is_known(const struct agent *a, const struct taking *t)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    struct state_channel *c;

    if (t->revoked->n == 0)
        return true;
    if (state_load(&a->place, &s, NULL) < 0 || !(c = state_channel(s, t->channel)))
        return false;
    return t->version <= c->revoked_version && !state_revoke(c, t->version, t->revoked);
}

int trust_take_revocations(const struct agent *a, const char *channel,
                           const struct metadata *content, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = calloc(1, sizeof *revoked);
    struct taking t = {channel, content->version, revoked};
    int r;

    if (!revoked)
        return err_set(err, ERR_NOMEM, "out of memory for revocations");
    r = revoked_read(content, revoked, err);
    if (r < 0 || is_known(a, &t))
        return r;
    return state_update(&a->place, note_revoked, &t, err);
}

/* --- without the snapshot --------------------------------------------------------------------- */

struct search {
    const struct agent *agent;
    struct tuf_client *client;
    const char *channel;
    char role[TUF_ROLE_NAME_MAX];
    char seen[1 + CONFIG_MAX_MIRRORS][SHA256_HEX_LEN + 1]; /* mirrors show the same, mostly */
    size_t n_seen;
};

static bool was_seen(struct search *s, const struct buf *b)
{
    char *hex = s->seen[s->n_seen];

    sha256_hex(b->data, b->len, hex);
    for (size_t i = 0; i < s->n_seen; i++)
        if (strcmp(s->seen[i], hex) == 0)
            return true;
    s->n_seen++;
    return false;
}

static int take_bytes(const struct search *s, const struct buf *b, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r = tuf_client_verify_delegated(s->client, s->role, b->data, b->len, &m, err);

    return r < 0 ? r : trust_take_revocations(s->agent, s->channel, m, err);
}

/* source: 0 the server, then the mirrors in their order. */
static void look_at(struct search *s, size_t source)
{
    const struct tuf_fetch incoming = incoming_fetch(s->agent->config.state_dir);
    struct err err = {0};
    struct path p;
    struct buf b;
    int r;

    buf_init(&b, TUF_TARGETS_MAX);
    snprintf(p.s, sizeof p.s, "revocations/%zu/%s.json", source, s->role);
    r = incoming.get(incoming.ctx, p.s, &b, &err);
    if (r == 0 && !was_seen(s, &b))
        r = take_bytes(s, &b, &err);
    if (r < 0 && r != -ERR_NOT_FOUND)
        log_warn("trust", "channel=%s revocations of %s are passed over: %s", s->channel,
                 source ? "a mirror" : "the server", err.msg);
    buf_release(&b);
}

/* What was trusted before, however old: a state that began anew does not know it any more. */
static void look_at_trusted(struct search *s)
{
    const struct metadata *m;
    struct err err = {0};

    if (tuf_client_load(s->client, &err) == 0 &&
        tuf_client_delegated(s->client, 0, s->role, &m, &err) == 0 &&
        trust_take_revocations(s->agent, s->channel, m, &err) < 0)
        log_warn("trust", "channel=%s %s", s->channel, err.msg);
}

void trust_find_revocations(const struct agent *a, bool trusted_too)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    struct path dir;
    struct tuf_store store = tuf_store_dir(trust_dir(&dir, a));
    struct err err = {0};

    if (tuf_client_new(&store, NULL, &client, &err) < 0) {
        log_warn("trust", "no revocations can be verified: %s", err.msg);
        return;
    }
    for (size_t i = 0; i < a->config.n_channels; i++) {
        struct search s = {.agent = a, .client = client, .channel = a->config.channels[i].name};

        if (content_role_name(s.channel, s.role, sizeof s.role) < 0)
            continue;
        if (trusted_too)
            look_at_trusted(&s);
        for (size_t k = 0; k <= a->config.n_mirrors; k++)
            look_at(&s, k);
    }
}

/* --- what runs on all the same ---------------------------------------------------------------- */

static struct state_revoked *kept(struct state_channel *c)
{
    const struct state_revoked *r = state_revoked(c, c->current);

    return r && strcmp(c->leave.digest, c->current) != 0 ? &c->revoked[r - c->revoked] : NULL;
}

static int note_told(struct state *s, void *ctx, struct err *err)
{
    struct state_channel *c = state_channel(s, ctx);
    struct state_revoked *r = c ? kept(c) : NULL;

    (void)err;
    if (r)
        r->told = true;
    return 0;
}

int trust_tell_revoked(const struct agent *a, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    int r = state_load(&a->place, &s, err);

    for (size_t i = 0; r == 0 && i < s->n_channels; i++) {
        struct state_channel *c = &s->channels[i];
        const struct state_revoked *q = kept(c);

        if (!q || q->told)
            continue;
        log_error("trust",
                  "channel=%s runs %.12s, which is revoked, with nothing to go back to: %s",
                  c->name, c->current, q->reason);
        r = agent_event(a, EVENT_REFUSED, c->name, c->current, "revoked-kept", false, q->reason,
                        err);
        if (r == 0)
            r = state_update(&a->place, note_told, c->name, err);
    }
    return r;
}
