/* apply: the way back. See apply.h. */
#include <stdio.h>
#include <string.h>

#include "apply/apply_internal.h"
#include "base/file.h"
#include "base/log.h"
#include "layout.h"
#include "apply/tree.h"

int apply_ensure_tree(const struct agent *a, const char *channel, const char *digest,
                      struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char copy[TREE_NAME_MAX];
    int r = tree_manifest(a->config.state_dir, channel, digest, &m, err);

    if (r < 0)
        return r;
    snprintf(copy, sizeof copy, "%s" TREE_BOOT_SUFFIX, digest);
    r = -ERR_NOT_FOUND;
    if (tree_is_here(a->config.state_dir, channel, copy))
        r = tree_build(a->config.state_dir, m, digest, copy, err);
    return r < 0 ? tree_build(a->config.state_dir, m, digest, NULL, err) : 0;
}

static bool is_word(const char *cause, const char *word)
{
    return strcmp(cause, word) == 0;
}

static bool is_usable(const struct apply *ap, const char *digest)
{
    struct err err = {0};

    if (!*digest || apply_ensure_tree(ap->agent, ap->conf->name, digest, &err) < 0) {
        if (*digest)
            log_error("apply", "cannot go back to %.12s: %s", digest, err.msg);
        return false;
    }
    return true;
}

/* Who it is that sends this device back. */
static enum decide_by sender(const char *cause)
{
    if (is_word(cause, "recall"))
        return DECIDE_BY_SERVER;
    return is_word(cause, "revoked") ? DECIDE_BY_SIGNERS : DECIDE_BY_DEVICE;
}

/* Each one that cannot be read is passed over by forgetting, here only, that it was healthy. */
static const char *usable_back(const struct apply *ap, const struct decide_facts *f,
                               const char *digest, enum decide_by by)
{
    for (;;) {
        const char *to = decide_back(f, digest, by);

        if (!*to || is_usable(ap, to))
            return to;
        state_release(f->channel, to)->healthy_s = 0;
    }
}

int apply_way_back(const struct apply *ap, const char *digest, const char *from, const char *cause,
                   char ret[65], struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    struct state_channel *c;
    struct decide_facts f;
    const char *to = "";
    int r = state_load(&ap->agent->place, &s, err);

    if (r < 0)
        return r;
    ret[0] = '\0';
    c = state_channel(s, ap->conf->name);
    if (!c)
        return 0;
    (void)agent_plan(ap->agent, ap->conf->name, &plan, NULL); /* none: nothing is recalled */
    f = agent_facts(ap->agent, ap->conf, s, c);
    f.plan = plan;
    if (state_put_away(c, from))
        from = "";
    if (!(plan && plan_recalls(plan, from, f.cohort)) && is_usable(ap, from))
        to = from;
    if (!*to)
        to = usable_back(ap, &f, digest, sender(cause));
    if (!*to && is_usable(ap, from)) /* recalled, and still better than nothing */
        to = from;
    snprintf(ret, 65, "%s", to);
    return 0;
}

struct way {
    const struct apply *ap;
    const char *digest, *to;
    const struct verdict *v;
};

static void begin_back(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct way *w = ctx;

    (void)s;
    snprintf(c->pending.digest, sizeof c->pending.digest, "%s", w->digest);
    snprintf(c->pending.from, sizeof c->pending.from, "%s", w->to);
    snprintf(c->pending.boot_id, sizeof c->pending.boot_id, "%s", w->ap->agent->boot_id);
    memcpy(c->pending.cause, w->v->cause, sizeof c->pending.cause);
    c->pending.blamed = w->v->blamed;
    c->pending.phase = PHASE_BACK;
}

static void end_back(struct state *s, struct state_channel *c, const void *ctx)
{
    const struct way *w = ctx;
    struct state_release *r = state_release(c, w->to);

    snprintf(c->current, sizeof c->current, "%s", w->to);
    if (r) {
        r->since_s = state_awake_s(s, &w->ap->agent->place);
        r->boots = r->crashes = 0;
    }
    snprintf(c->good_run, sizeof c->good_run, "%s", w->to); /* as its link */
    if (w->v->blamed || is_word(w->v->cause, "recall") || is_word(w->v->cause, "owner") ||
        is_word(w->v->cause, "boot-failed"))
        state_add_quarantine(c, w->digest, w->v->cause, w->v->blamed);
    else if (!state_revoked(c, w->digest))
        apply_count_unblamed(c, w->digest, w->v->cause);
    memset(&c->pending, 0, sizeof c->pending);
    memset(&c->leave, 0, sizeof c->leave);
}

/* The old content's activation is not judged: it has been healthy, and there is nothing better. */
static void activate_old(const struct apply *ap, const char *to, char *ret_note, size_t size)
{
    char version[RELEASE_VERSION_MAX];
    struct hook_result hook;

    ret_note[0] = '\0';
    if (!*to)
        return;
    apply_version(ap, to, version);
    apply_hook(ap, PHASE_ACTIVATE, to, version, &hook);
    if (hook.good)
        return;
    snprintf(ret_note, size, "\nafter going back: %s", hook.cause);
    log_error("apply", "channel=%s went back to %s, but %s: %s", ap->conf->name, version,
              hook.cause, hook.output);
}

/* A hook that says "died of a signal" after the switch speaks of the consumer: that is a crash,
 * told beside the way back. A preflight that dies is a checker's death and no crash. */
static bool is_consumer_crash(const struct verdict *v)
{
    return v->blamed && (strncmp(v->cause, "health-signal-", 14) == 0 ||
                         strncmp(v->cause, "activate-signal-", 16) == 0);
}

/* Why its signers took it back; "" where they did not, or did not say. */
static void revocation(const struct apply *ap, const char *digest, char ret[STATE_REASON_MAX])
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const struct state_channel *c = NULL;
    const struct state_revoked *r;

    ret[0] = '\0';
    if (state_load(&ap->agent->place, &s, NULL) == 0)
        c = state_channel(s, ap->conf->name);
    r = c ? state_revoked(c, digest) : NULL;
    if (r)
        memcpy(ret, r->reason, STATE_REASON_MAX);
}

int apply_back(const struct apply *ap, const char *digest, const char *to, const struct verdict *v,
               struct err *err)
{
    const struct agent *a = ap->agent;
    struct way w = {ap, digest, to, v};
    bool recalled = is_word(v->cause, "recall");
    char note[128], reason[STATE_REASON_MAX], detail[HOOK_OUTPUT_MAX + sizeof note];
    int r = apply_change(ap, begin_back, &w, err);

    if (r == 0)
        r = tree_set_link(a->config.state_dir, ap->conf->name, "current", to, err);
    if (r == 0)
        r = tree_set_link(a->config.state_dir, ap->conf->name, "good-run", to, err);
    if (r < 0)
        return r;
    log_warn("apply", "channel=%s left %.12s for %.12s: %s", ap->conf->name, digest,
             *to ? to : "nothing", v->cause);
    activate_old(ap, to, note, sizeof note);
    revocation(ap, digest, reason);
    snprintf(detail, sizeof detail, "%.*s%s", HOOK_OUTPUT_MAX, v->detail ? v->detail : reason,
             note);
    if (is_consumer_crash(v))
        r = agent_event(a, EVENT_CRASH, ap->conf->name, digest, "consumer", true, detail, err);
    if (r < 0)
        return r;
    r = agent_event(a, recalled ? EVENT_RECALLED : EVENT_ROLLED_BACK, ap->conf->name, digest,
                    v->cause, v->blamed, detail, err);
    return r < 0 ? r : apply_change(ap, end_back, &w, err);
}
