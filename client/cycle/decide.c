/* decide: see decide.h. */
#include "cycle/decide.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *decide_hold(const struct decide_facts *f)
{
    const struct state_boot *b = &f->state->boot;

    if (f->state->lost)
        return "state-lost";
    if (b->failed_last)
        return "boot-failed";
    if (f->boot_unrecorded)
        return "boot-unrecorded";
    if (f->state->hold)
        return "held";
    if (f->pause)
        return "paused";
    if (f->trouble.hold[0])
        return f->trouble.hold;
    return state_unsoaked(f->state) ? "unsoaked" : "";
}

bool decide_had_content(const struct state_channel *c)
{
    for (size_t i = 0; i < c->n_releases; i++)
        if (c->releases[i].healthy_s)
            return true;
    return false;
}

int64_t decide_floor(const struct state_channel *c)
{
    const struct state_release *newest = NULL;

    for (size_t i = 0; i < c->n_releases; i++) {
        const struct state_release *r = &c->releases[i];

        if ((r->healthy_s || strcmp(r->digest, c->current) == 0) &&
            (!newest || r->sequence > newest->sequence))
            newest = r;
    }
    return newest && newest->lowest_sequence > c->lowest_sequence ? newest->lowest_sequence
                                                                  : c->lowest_sequence;
}

bool decide_kind_fits(const struct decide_facts *f, const struct want *w, enum permit_kind kind)
{
    switch (kind) {
    case PERMIT_ROLLOUT:
        return w->kind == PERMIT_ROLLOUT;
    case PERMIT_BASELINE:
        return !f->channel->current[0] && strcmp(f->plan->baseline, w->digest) == 0;
    }
    return false;
}

static struct want want_of(const char *digest, const char *version, enum permit_kind kind)
{
    struct want w = {.kind = kind};

    snprintf(w.digest, sizeof w.digest, "%s", digest);
    snprintf(w.version, sizeof w.version, "%s", version);
    return w;
}

struct want decide_planned(const struct decide_facts *f)
{
    const struct plan_rollout *r = plan_candidate(f->plan, f->cohort);

    if (r && strcmp(r->digest, f->channel->current) != 0 &&
        draw_within(draw_u(f->draw_key, r->digest), plan_stage_ppm(r, f->cohort)))
        return want_of(r->digest, r->version, PERMIT_ROLLOUT);
    if (f->plan->baseline[0] && strcmp(f->plan->baseline, f->channel->current) != 0 &&
        !plan_recalls(f->plan, f->plan->baseline, f->cohort))
        return want_of(f->plan->baseline, f->plan->baseline_version, PERMIT_BASELINE);
    return (struct want){0};
}

/* A baseline is for who has nothing or older content; what runs here may be ahead of it. */
static bool is_behind(const struct decide_facts *f, const struct want *w)
{
    const struct state_release *mine = state_release(f->channel, f->channel->current);
    const struct state_release *other = state_release(f->channel, w->digest);

    if (!f->channel->current[0] || !mine || !other || !other->sequence)
        return true; /* its manifest will tell: decide_refusal "older" */
    return other->sequence > mine->sequence;
}

/* The plan means it, and content metadata did not list it when both were verified last. */
static bool is_unlisted(const struct state_channel *c, const char *digest)
{
    return strcmp(c->unlisted[0], digest) == 0 || strcmp(c->unlisted[1], digest) == 0;
}

struct want decide_want(const struct decide_facts *f, const char **ret_why)
{
    struct want w = {0};

    *ret_why = "";
    if (!f->plan)
        return w;
    w = decide_planned(f);
    if (!w.digest[0] || (w.kind == PERMIT_BASELINE && !is_behind(f, &w)))
        return (struct want){0};
    if (state_revoked(f->channel, w.digest))
        *ret_why = "revoked";
    else if (state_quarantined(f->channel, w.digest))
        *ret_why = "quarantined";
    else if (is_unlisted(f->channel, w.digest))
        *ret_why = "unlisted";
    else if (f->pin && strcmp(f->pin, w.version) != 0)
        *ret_why = "pinned";
    else
        return w;
    return (struct want){0};
}

const char *decide_refusal(const struct decide_facts *f, const struct want *w,
                           const char *agent_version)
{
    const struct manifest *m = f->manifest;
    const struct state_release *mine = state_release(f->channel, f->channel->current);

    if (strcmp(m->digest, w->digest) != 0 || strcmp(m->channel, f->channel->name) != 0 ||
        strcmp(m->version, w->version) != 0)
        return "wrong-manifest";
    if (m->unknown_critical[0])
        return "critical";
    if (m->min_agent[0] && decide_version_compare(m->min_agent, agent_version) > 0)
        return "min-agent";
    if (mine && w->kind == PERMIT_BASELINE && m->sequence <= mine->sequence)
        return "older";
    return m->sequence < decide_floor(f->channel) ? "sequence" : "";
}

/* Never had content, not only lost it: who could recall what runs here could else end the pace. */
static bool is_new_device(const struct state_channel *c)
{
    return !c->current[0] && !decide_had_content(c);
}

int64_t decide_pace_wait_s(const struct decide_facts *f)
{
    const struct state_release *r = state_release(f->channel, f->manifest->digest);
    int64_t wait, seen;

    if (f->ring == RING_PREF_CANARY || is_new_device(f->channel))
        return 0;
    wait = pace_wait_s(&f->manifest->pace, draw_u(f->draw_key, f->manifest->digest));
    seen = r && r->seen_s < f->awake_s ? f->awake_s - r->seen_s : 0;
    return wait > seen ? wait - seen : 0;
}

/* At or above `lowest`. */
static const char *last_healthy(const struct decide_facts *f, const char *digest,
                                const struct plan *plan, int64_t lowest)
{
    struct state_channel *c = f->channel;
    const struct state_release *best = NULL;

    for (size_t i = 0; i < c->n_releases; i++) {
        const struct state_release *r = &c->releases[i];

        if (!r->healthy_s || strcmp(r->digest, digest) == 0 || state_put_away(c, r->digest))
            continue;
        if (plan && plan_recalls(plan, r->digest, f->cohort))
            continue;
        if (r->sequence < lowest)
            continue;
        if (!best || r->healthy_s > best->healthy_s ||
            (r->healthy_s == best->healthy_s && r->sequence > best->sequence))
            best = r;
    }
    return best ? best->digest : "";
}

/* Content that has worked here, though recalled, is better than none and than what has not. Nor can
 * recalling all else keep a device on what its signers have revoked. */
const char *decide_back(const struct decide_facts *f, const char *digest, enum decide_by by)
{
    const struct state_release *left = state_release(f->channel, digest);
    int64_t floor = decide_floor(f->channel);
    const char *to;

    if (left && left->lowest_sequence > floor)
        floor = left->lowest_sequence;
    to = last_healthy(f, digest, f->plan, floor);
    if (by != DECIDE_BY_SERVER && !*to)
        to = last_healthy(f, digest, f->plan, floor = 0);
    if (*to || (left && left->healthy_s && by != DECIDE_BY_SIGNERS))
        return to;
    return last_healthy(f, digest, NULL, floor);
}

bool decide_recalled(const struct decide_facts *f, const char *digest)
{
    if (!f->plan || !*digest || !plan_recalls(f->plan, digest, f->cohort))
        return false;
    return *decide_back(f, digest, DECIDE_BY_SERVER) || !decide_had_content(f->channel);
}

bool decide_revoked(const struct decide_facts *f, const char *digest)
{
    const struct state_release *r = state_release(f->channel, digest);

    if (!state_revoked(f->channel, digest))
        return false;
    return *decide_back(f, digest, DECIDE_BY_SIGNERS) || !r || !r->healthy_s;
}

int decide_version_compare(const char *a, const char *b)
{
    while (*a || *b) {
        long long x = strtoll(a, (char **)&a, 10), y = strtoll(b, (char **)&b, 10);

        if (x != y)
            return x < y ? -1 : 1;
        if (*a != '.' || *b != '.')
            break;
        a++;
        b++;
    }
    /* "1.2" is before "1.2.1"; what follows a number ("1.2-rc") is not weighed. */
    return (*a == '.') - (*b == '.');
}
