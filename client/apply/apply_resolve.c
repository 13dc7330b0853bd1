/* apply: what an ended process left is resolved here, always the same way. See apply.h. */
#include <stdio.h>
#include <string.h>

#include "apply/apply_internal.h"
#include "base/log.h"
#include "layout.h"
#include "apply/tree.h"

static bool link_differs(const struct agent *a, const struct state_channel *c)
{
    char name[TREE_NAME_MAX];

    return tree_link(a->config.state_dir, c->name, "current", name, NULL) < 0 ||
           strcmp(name, c->current) != 0;
}

bool apply_is_unresolved(const struct agent *a, struct state *s, const struct state_channel *c)
{
    if (s->lost || agent_boot_is_unrecorded(a, s))
        return false; /* nobody moves anything then */
    return c->attempt.digest[0] || c->pending.digest[0] ||
           (c->leave.digest[0] && strcmp(c->leave.digest, c->current) == 0) || link_differs(a, c);
}

static void clear_attempt(struct state *s, struct state_channel *c, const void *ctx)
{
    (void)s;
    (void)ctx;
    apply_count_unblamed(c, c->attempt.digest, "interrupted");
    memset(&c->attempt, 0, sizeof c->attempt);
}

static int resolve_attempt(const struct apply *ap, const struct state_channel *c, struct err *err)
{
    int r = agent_event(ap->agent, EVENT_PREFLIGHT_FAILED, c->name, c->attempt.digest,
                        "interrupted", false, NULL, err);

    return r < 0 ? r : apply_change(ap, clear_attempt, NULL, err);
}

static int resolve_pending(const struct apply *ap, const struct state_channel *c, struct err *err)
{
    const struct state_pending *p = &c->pending;
    struct verdict v = {.cause = "interrupted"};
    bool healthy;
    char to[65];
    int r;

    if (p->phase == PHASE_SOAK && !link_differs(ap->agent, c))
        return apply_from(ap, p->digest, PHASE_SOAK, &healthy, err);
    if (p->phase == PHASE_BACK) { /* decided already: do it, whatever has been done of it */
        memcpy(v.cause, p->cause, sizeof v.cause);
        v.blamed = p->blamed;
    }
    r = apply_way_back(ap, p->digest, p->from, v.cause, to, err);
    return r < 0 ? r : apply_back(ap, p->digest, to, &v, err);
}

static void forget_leave(struct state *s, struct state_channel *c, const void *ctx)
{
    (void)s;
    (void)ctx;
    memset(&c->leave, 0, sizeof c->leave);
}

/* Neither recall nor revocation takes protection away, not even where the way back turns out to be
 * damaged. */
static bool is_better_kept(struct state_channel *c)
{
    const struct state_release *mine = state_release(c, c->leave.digest);

    if (strcmp(c->leave.cause, "recall") == 0)
        return decide_had_content(c);
    return strcmp(c->leave.cause, "revoked") == 0 && mine && mine->healthy_s;
}

static int stay(const struct apply *ap, const struct state_channel *c, struct err *err)
{
    log_error("apply",
              "channel=%s %.12s is to be left (%s), but nothing whole is left to go back to",
              c->name, c->leave.digest, c->leave.cause);
    return apply_change(ap, forget_leave, NULL, err);
}

static int resolve_leave(const struct apply *ap, struct state_channel *c, struct err *err)
{
    struct verdict v = {0};
    char to[65];
    int r;

    memcpy(v.cause, c->leave.cause, sizeof v.cause);
    r = apply_way_back(ap, c->leave.digest, "", v.cause, to, err);
    if (r == 0 && !to[0] && is_better_kept(c))
        return stay(ap, c, err);
    return r < 0 ? r : apply_back(ap, c->leave.digest, to, &v, err);
}

/* The state is the record, the link only shows it: somebody else moved it, or removed it. */
static int restore_link(const struct apply *ap, const struct state_channel *c, struct err *err)
{
    int r = 0;

    log_warn("apply", "channel=%s 'current' was not what the state says: restored", c->name);
    if (c->current[0])
        r = apply_ensure_tree(ap->agent, c->name, c->current, err);
    return r < 0 ? r
                 : tree_set_link(ap->agent->config.state_dir, c->name, "current", c->current, err);
}

int apply_resolve(const struct apply *ap, struct err *err)
{
    _cleanup_(close_p)
    int lock = agent_lock(ap->agent, LAYOUT_APPLY_LOCK, err);
    _cleanup_(free_p)
    struct state *s = NULL;
    struct state_channel *c;
    int r;

    if (lock < 0)
        return lock;
    r = state_load(&ap->agent->place, &s, err);
    if (r < 0)
        return r;
    c = state_channel(s, ap->conf->name);
    if (!c || !apply_is_unresolved(ap->agent, s, c))
        return 0;
    if (c->attempt.digest[0])
        r = resolve_attempt(ap, c, err);
    if (r == 0 && c->pending.digest[0])
        return resolve_pending(ap, c, err);
    if (r == 0 && c->leave.digest[0] && strcmp(c->leave.digest, c->current) == 0)
        return resolve_leave(ap, c, err);
    return r == 0 && link_differs(ap->agent, c) ? restore_link(ap, c, err) : r;
}
