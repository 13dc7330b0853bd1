/*
 * rollouts_revoke: what was revoked offline is stopped here: its rollout halts, who runs it is
 * called back, and no plan names it as the baseline. What the content metadata says is compared
 * with what was done, so that the same metadata seen again, after a restart or out of a backup,
 * changes nothing and misses nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/cleanup.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"

/* One revocation on its way into the channel's state. */
struct obeying {
    struct server *server;
    struct channel *channel;
    const struct revoked_item *item;
    const char *by;
    struct store_batch *batch;
};

static bool is_recalled_everywhere(const struct channel *ch, const char *digest)
{
    for (int i = 0; i < ch->n_recalls; i++)
        if (strcmp(ch->recalls[i].digest, digest) == 0)
            return ch->recalls[i].n_cohorts == 0;
    return false;
}

static bool was_obeyed(const struct channel *ch, const char *digest)
{
    for (size_t i = 0; i < json_array_size(ch->obeyed); i++)
        if (strcmp(json_string_value(json_array_get(ch->obeyed, i)), digest) == 0)
            return true;
    return false;
}

static bool is_new(const struct channel *ch, const char *digest)
{
    const struct flight *f = ch->flight;

    return !was_obeyed(ch, digest) || !is_recalled_everywhere(ch, digest) ||
           strcmp(ch->baseline.digest, digest) == 0 ||
           strcmp(ch->baseline_before.digest, digest) == 0 ||
           (flight_is_open(f) && strcmp(f->digest, digest) == 0);
}

/* "crs/1.2.0", or the digest of what was never published here. */
static void name_release(const struct obeying *o, char ret[128])
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;

    if (repo_release_by_digest(o->server, o->channel->name, o->item->digest, &m, NULL) == 0)
        snprintf(ret, 128, "%s/%s", o->channel->name, m->version);
    else
        snprintf(ret, 128, "%s/%s", o->channel->name, o->item->digest);
}

static int add_audit(const struct obeying *o, const char *action, struct err *err)
{
    json_auto_t *detail = json_pack("{s:s, s:s, s:s}", "cause", "revoked", "reason",
                                    o->item->reason, "digest", o->item->digest);
    char subject[128];

    name_release(o, subject);
    return audit_add(o->server, o->batch, o->by, action, subject, detail) < 0
               ? err_set(err, ERR_NOMEM, "no memory for the audit")
               : 0;
}

/* It, or the release before it, is what devices without content get and what a halt falls back to.
 */
static void drop_baseline(const struct obeying *o)
{
    struct channel *ch = o->channel;
    const char *digest = o->item->digest;

    if (strcmp(ch->baseline_before.digest, digest) == 0)
        ch->baseline_before = (struct release_ref){0};
    if (strcmp(ch->baseline.digest, digest) == 0) {
        ch->baseline = ch->baseline_before;
        ch->baseline_before = (struct release_ref){0};
    }
    put_baseline(ch, o->batch);
}

static int obey_one(const struct obeying *o, struct err *err)
{
    struct channel *ch = o->channel;
    bool halts = flight_is_open(ch->flight) && strcmp(ch->flight->digest, o->item->digest) == 0;
    char said[GATE_REASON_MAX];
    int r = 0;

    if (halts) {
        snprintf(said, sizeof said, "revoked, published by %.60s: %.150s", o->by, o->item->reason);
        r = flight_halt_because(o->server, ch, said, o->batch, err);
    }
    if (r == 0)
        r = recall_everywhere(o->server, ch, o->item->digest, o->batch, err);
    if (r < 0)
        return r;
    drop_baseline(o);
    r = add_audit(o, "release.revoke", err);
    return r == 0 && halts ? add_audit(o, "rollout.halt", err) : r;
}

/* What was obeyed is remembered, so that each is told once. */
static int remember(struct channel *ch, const struct revoked *revoked, struct store_batch *b,
                    struct err *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < revoked->n; i++)
        if (json_array_append_new(list, json_string(revoked->items[i].digest)) < 0) {
            json_decref(list);
            return err_set(err, ERR_NOMEM, "no memory for revocations");
        }
    json_decref(ch->obeyed);
    ch->obeyed = list;
    put_setting(b, "revoked", ch->name, list);
    return 0;
}

int obey_revocations(struct server *s, struct channel *ch, const char *by, struct store_batch *b,
                     bool *ret_acted, struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = malloc(sizeof *revoked);
    int r = revoked ? repo_revoked(s, ch->name, revoked, err)
                    : err_set(err, ERR_NOMEM, "no memory for revocations");

    *ret_acted = false;
    for (size_t i = 0; r == 0 && i < revoked->n; i++) {
        const struct obeying o = {s, ch, &revoked->items[i], by, b};

        if (!is_new(ch, o.item->digest))
            continue;
        *ret_acted = true;
        r = obey_one(&o, err);
    }
    if (r == 0 && *ret_acted)
        r = remember(ch, revoked, b, err);
    return err_context(err, r, "revocations of channel '%s'", ch->name);
}

/* The channel's new plan on top of what is staged, which it then stands for. */
static int stage_over(struct server *s, struct channel *ch, struct store_batch *b,
                      struct repo_change **change, struct err *err)
{
    struct repo_change *plan = NULL;
    char *text = NULL;
    int r = stage_plan(s, ch, true, b, &plan, &text, err);

    if (r < 0)
        return r;
    if (ch->flight)
        put_flight(b, ch->flight);
    free(ch->plan_text);
    ch->plan_text = text;
    if (plan) {
        if (*change)
            repo_discard(s->repo, *change); /* the later one contains it */
        *change = plan;
    }
    return 0;
}

int rollouts_obey_revocations(struct server *s, const char *by, struct store_batch *b,
                              struct repo_change **change, struct err *err)
{
    int r = 0;

    for (int i = 0; r == 0 && i < s->rollouts->n_channels; i++) {
        struct channel *ch = &s->rollouts->channels[i];
        bool acted = false;

        r = obey_revocations(s, ch, by, b, &acted, err);
        if (r == 0 && acted)
            r = stage_over(s, ch, b, change, err);
    }
    if (r < 0) /* memory is ahead of the store, the audit's chain at least */
        atomic_store(&s->degraded, true);
    return r;
}

int check_not_revoked(struct server *s, const char *channel, const struct manifest *m,
                      struct err *err)
{
    _cleanup_(free_p)
    struct revoked *revoked = malloc(sizeof *revoked);
    const char *reason;
    int r = revoked ? repo_revoked(s, channel, revoked, err)
                    : err_set(err, ERR_NOMEM, "no memory for revocations");

    if (r < 0 || !(reason = revoked_reason(revoked, m->digest)))
        return r;
    err_set(err, ERR_HALTED, "release %s is revoked: %s", m->version, reason);
    return err_remedy(err, "publish a repaired release");
}
