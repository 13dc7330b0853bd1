/* endpoint_content: what an endpoint runs and how it takes a release; see endpoint.h. */
#include "endpoint_internal.h"

#include <stdio.h>
#include <string.h>

static bool has(uint64_t set, int release)
{
    return release >= 0 && (set >> release & 1);
}

/* The oldest is dropped when more pile up than are kept: the server would have to be away long. */
void endpoint_add_event(struct endpoint *e, const struct endpoint_world *w, enum event_kind kind,
                        int release, const char *cause, bool blamed)
{
    struct endpoint_event *v;

    if (e->n_events == ENDPOINT_MAX_EVENTS) {
        memmove(&e->events[0], &e->events[1], sizeof e->events - sizeof e->events[0]);
        e->n_events--;
        if (e->n_sent > 0)
            e->n_sent--;
    }
    v = &e->events[e->n_events++];
    *v = (struct endpoint_event){.kind = kind,
                                 .release = release,
                                 .blamed = blamed,
                                 .awake_s = (w->boot_ms - e->booted_ms) / 1000};
    rand_hex(v->id, EVENT_ID_LEN / 2);
    snprintf(v->cause, sizeof v->cause, "%s", cause);
}

static void run_release(struct endpoint *e, const struct endpoint_world *w, int release)
{
    e->running = release;
    e->running_since_ms = w->boot_ms;
    e->boots = 0;
}

static void switch_to(struct endpoint *e, const struct endpoint_world *w, int release)
{
    e->before = has(e->healthy, e->running) ? e->running : e->before;
    e->applying = -1;
    e->soak_until_ms = w->boot_ms + w->script->soak_ms;
    run_release(e, w, release);
    endpoint_add_event(e, w, EVENT_APPLIED, release, "", false);
    w->catalog->releases[release].applied++;
}

static bool is_recalled(const struct endpoint *e, const struct endpoint_world *w, int release)
{
    return release >= 0 && w->view &&
           plan_recalls(w->view->plan, w->catalog->releases[release].digest, e->group->cohort);
}

/* Back to what it ran healthily before, if that may still be run; else to nothing. */
static void go_back(struct endpoint *e, const struct endpoint_world *w, int from)
{
    int to = e->before;

    e->quarantined |= UINT64_C(1) << from;
    if (has(e->quarantined, to) || is_recalled(e, w, to))
        to = -1;
    e->soak_until_ms = 0;
    e->before = -1;
    run_release(e, w, to);
}

static void come_back(struct endpoint *e, const struct endpoint_world *w)
{
    int died_of = e->applying;

    endpoint_boot(e, w->boot_ms);
    e->phase = ENDPOINT_ACTIVE;
    e->lived_ms = w->lives ? w->boot_ms : 0;
    e->applying = -1;
    e->quarantined |= UINT64_C(1) << died_of; /* it still runs what it ran before */
    /* As the real agent tells it, with evidence (a kernel's log) that names the consumer. */
    endpoint_add_event(e, w, EVENT_CRASH, died_of, "unclean-boot", false);
    endpoint_add_event(e, w, EVENT_ROLLED_BACK, died_of, "boot-failed", true);
    w->catalog->releases[died_of].rolled_back++;
    w->catalog->releases[died_of].dead--;
}

/* A slow switch whose time has come, unless the release was recalled meanwhile. */
static void finish_applying(struct endpoint *e, const struct endpoint_world *w)
{
    int release = e->applying;

    if (is_recalled(e, w, release)) {
        e->applying = -1;
        e->quarantined |= UINT64_C(1) << release;
        endpoint_refused(e, w, release, "recall");
    } else if (w->boot_ms >= e->apply_at_ms) {
        switch_to(e, w, release);
    }
}

static void obey_recall(struct endpoint *e, const struct endpoint_world *w)
{
    int release = e->running;

    go_back(e, w, release);
    endpoint_add_event(e, w, EVENT_RECALLED, release, "recall", false);
    w->catalog->releases[release].recalled++;
}

static void finish_soak(struct endpoint *e, const struct endpoint_world *w)
{
    e->soak_until_ms = 0;
    e->healthy |= UINT64_C(1) << e->running;
    endpoint_add_event(e, w, EVENT_HEALTHY, e->running, "", false);
    w->catalog->releases[e->running].healthy++;
}

void endpoint_act(struct endpoint *e, const struct endpoint_world *w)
{
    if (e->phase == ENDPOINT_GONE)
        come_back(e, w);
    if (e->phase == ENDPOINT_AWAY)
        endpoint_return(e, w);
    if (e->applying >= 0)
        finish_applying(e, w);
    if (is_recalled(e, w, e->running))
        obey_recall(e, w);
    if (e->soak_until_ms && w->boot_ms >= e->soak_until_ms)
        finish_soak(e, w);
}

int endpoint_want(struct endpoint *e, const struct endpoint_world *w)
{
    const struct plan *p = w->view ? w->view->plan : NULL;
    const struct plan_rollout *r = p ? plan_candidate(p, e->group->cohort) : NULL;
    int64_t sequence = e->running >= 0 ? w->catalog->releases[e->running].sequence : 0;
    int release;

    if (!p || e->applying >= 0 || e->soak_until_ms || e->leave != LEAVE_NOT)
        return -1;
    if (r && draw_within(draw_u(e->draw_key, r->digest), plan_stage_ppm(r, e->group->cohort))) {
        release = catalog_find(w->catalog, r->digest);
        if (release >= 0 && release != e->running)
            return has(e->quarantined, release) || !endpoint_has_staged(e, w, release) ? -1
                                                                                       : release;
    }
    release = p->baseline[0] ? catalog_find(w->catalog, p->baseline) : -1;
    if (release < 0 || has(e->quarantined, release) ||
        w->catalog->releases[release].sequence <= sequence ||
        plan_recalls(p, p->baseline, e->group->cohort))
        return -1;
    return release;
}

int64_t endpoint_pace_wait_s(const struct endpoint *e, const struct endpoint_world *w, int release)
{
    const struct catalog_release *r = &w->catalog->releases[release];
    int64_t wait, seen;

    if (e->group->canary || e->running < 0)
        return 0;
    wait = pace_wait_s(&r->pace, draw_u(e->draw_key, r->digest));
    seen = (w->boot_ms - r->seen_ms) / 1000;
    return wait > seen ? wait - seen : 0;
}

/* How it takes that release. */
static enum behaviour behaviour_of(const struct endpoint *e, const struct endpoint_world *w,
                                   int release)
{
    const struct script_group *g = e->group;

    if (!e->misbehaves || release < 0)
        return BEHAVIOUR_HEALTHY;
    if (g->on_release[0] && strcmp(g->on_release, w->catalog->releases[release].version) != 0)
        return BEHAVIOUR_HEALTHY;
    return g->behaviour;
}

const struct figures *endpoint_figures(const struct endpoint *e, const struct endpoint_world *w)
{
    bool ill = behaviour_of(e, w, e->running) == BEHAVIOUR_ILL;

    return ill ? &e->group->figures_ill : &e->group->figures;
}

static int64_t recover_ms(const struct endpoint *e, const struct endpoint_world *w)
{
    const struct script_group *g = e->group;
    uint64_t spread = (uint64_t)((g->recover_max_ticks - g->recover_ticks) * w->script->tick_ms);

    return g->recover_ticks * w->script->tick_ms + (int64_t)(rand_u64() % (spread + 1));
}

/* Without a word. */
static void die_of(struct endpoint *e, const struct endpoint_world *w, int release)
{
    struct catalog_release *r = &w->catalog->releases[release];
    bool back = e->group->behaviour != BEHAVIOUR_SILENT && e->recovers;

    if (e->running == release)
        go_back(e, w, release); /* what it will run, should it recover */
    e->phase = ENDPOINT_GONE;
    e->leave = LEAVE_NOT;
    e->applying = release;
    e->apply_at_ms = ENDPOINT_NEVER;
    r->dead++;
    r->killed++;
    e->due_ms = back ? w->boot_ms + recover_ms(e, w) : ENDPOINT_NEVER;
}

bool endpoint_dies_at_reboot(struct endpoint *e, const struct endpoint_world *w)
{
    if (behaviour_of(e, w, e->running) != BEHAVIOUR_CRASH_AT_REBOOT)
        return false;
    die_of(e, w, e->running);
    return true;
}

void endpoint_consumer_crash(struct endpoint *e, const struct endpoint_world *w)
{
    int release = e->running;
    bool blamed = e->soak_until_ms > 0;

    endpoint_add_event(e, w, EVENT_CRASH, release, "consumer", blamed);
    if (!blamed)
        return;
    go_back(e, w, release);
    endpoint_add_event(e, w, EVENT_ROLLED_BACK, release, "consumer", true);
    w->catalog->releases[release].rolled_back++;
}

void endpoint_permitted(struct endpoint *e, const struct endpoint_world *w, int release)
{
    const struct script_group *g = e->group;

    switch (behaviour_of(e, w, release)) {
    case BEHAVIOUR_HEALTHY:
    case BEHAVIOUR_CRASH_AT_REBOOT:
    case BEHAVIOUR_ILL:
        switch_to(e, w, release);
        return;
    case BEHAVIOUR_SLOW:
        e->applying = release;
        e->apply_at_ms = w->boot_ms + g->slow_ticks * w->script->tick_ms;
        return;
    case BEHAVIOUR_CRASH_AT_LOAD:
    case BEHAVIOUR_SILENT:
        die_of(e, w, release);
        return;
    }
}

void endpoint_refused(struct endpoint *e, const struct endpoint_world *w, int release,
                      const char *cause)
{
    endpoint_add_event(e, w, EVENT_REFUSED, release, cause, false);
    w->catalog->releases[release].refused++;
}
