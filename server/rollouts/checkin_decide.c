/* checkin_decide: see checkin_decide.h. */
#include "rollouts/checkin_decide.h"

static const char *const names[] = {
#define X(name, text) [WAIT_##name] = text,
    WAITS(X)
#undef X
};

const char *wait_name(enum wait w)
{
    return names[w];
}

static struct decide wait_for(enum wait w)
{
    return (struct decide){.kind = DECIDE_WAIT, .wait = w};
}

/* A device without content may have the baseline: it has nothing to lose, and no gate could tell
 * anything from it. A candidate that is the baseline too is taken as the baseline. */
static bool is_first_content(const struct decide_facts *f)
{
    return f->ready_is_baseline && !f->has_content && !f->treated;
}

/* What it verified must be what is in force here: no permit for a plan that it has not seen, none
 * for one that nobody here has made. */
static bool has_other_metadata(const struct decide_facts *f, enum wait *ret)
{
    *ret = f->snapshot_version < f->min_snapshot ? WAIT_OLD_METADATA : WAIT_UNKNOWN_METADATA;
    return f->snapshot_version < f->min_snapshot || f->snapshot_version > f->newest_snapshot;
}

static struct decide decide_state(const struct decide_facts *f)
{
    switch (f->state) {
    case ROLLOUT_HALTED:
    case ROLLOUT_SUPERSEDED:
        return wait_for(WAIT_HALTED);
    case ROLLOUT_PAUSED:
        return wait_for(WAIT_PAUSED);
    case ROLLOUT_RUNNING:
    case ROLLOUT_COMPLETE:
        break;
    }
    if (!f->has_row)
        return wait_for(WAIT_NO_EVIDENCE);
    if (f->treated)
        return f->open_exposure ? (struct decide){.kind = DECIDE_PERMIT_AGAIN}
                                : wait_for(WAIT_NOTHING);
    if (!f->below)
        return wait_for(WAIT_NOT_ADMITTED);
    if (!f->allowance)
        return wait_for(WAIT_BUDGET);
    return (struct decide){.kind = DECIDE_PERMIT};
}

struct decide checkin_decide(const struct decide_facts *f)
{
    struct decide d;
    enum wait why;

    if (!f->has_ready || f->leaving || f->held)
        return wait_for(WAIT_NOTHING);
    if (f->recalled || (f->ready_is_rollout && f->cohort_halted))
        return wait_for(WAIT_HALTED);
    if (is_first_content(f)) {
        if (has_other_metadata(f, &why))
            return wait_for(why);
        if (!f->ground_is_open)
            return wait_for(WAIT_NEW_GROUND);
        return (struct decide){.kind = DECIDE_PERMIT_BASELINE};
    }
    if (!f->has_rollout || !f->ready_is_rollout)
        return wait_for(WAIT_NOTHING);
    d = decide_state(f);
    if (d.kind == DECIDE_WAIT)
        return d;
    if (has_other_metadata(f, &why))
        return wait_for(why);
    if (f->pace_wait_s > 0)
        return wait_for(WAIT_PACE);
    return d;
}
