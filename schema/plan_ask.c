/* plan_ask: what a plan says to a device of one cohort. Rules only; the format is plan.c. */
#include <string.h>

#include "plan.h"

static const struct plan_cohort *cohort_of(const struct plan_rollout *r, const char *cohort)
{
    for (size_t i = 0; i < r->n_cohorts; i++)
        if (strcmp(r->cohorts[i].name, cohort) == 0)
            return &r->cohorts[i];
    return NULL;
}

/* True while devices may still go on to this release. A complete one stays open: a device that was
 * off meanwhile gets it when it is back, with a permit like all others. */
static bool is_open(enum rollout_state s)
{
    switch (s) {
    case ROLLOUT_RUNNING:
    case ROLLOUT_PAUSED:
    case ROLLOUT_COMPLETE:
        return true;
    case ROLLOUT_HALTED:
    case ROLLOUT_SUPERSEDED:
        return false;
    }
    return false;
}

static bool is_open_for(const struct plan_rollout *r, const char *cohort)
{
    const struct plan_cohort *c = cohort_of(r, cohort);

    return is_open(r->state) && !(c && c->halted);
}

const struct plan_rollout *plan_find(const struct plan *p, const char *digest)
{
    for (size_t i = 0; i < p->n_rollouts; i++)
        if (strcmp(p->rollouts[i].digest, digest) == 0)
            return &p->rollouts[i];
    return NULL;
}

const struct plan_rollout *plan_candidate(const struct plan *p, const char *cohort)
{
    const struct plan_rollout *best = NULL;

    for (size_t i = 0; i < p->n_rollouts; i++) {
        const struct plan_rollout *r = &p->rollouts[i];

        /* A recall and a running rollout contradict each other; stopping wins. */
        if (plan_recalls(p, r->digest, cohort))
            continue;
        if (is_open_for(r, cohort) && (!best || r->sequence > best->sequence))
            best = r;
    }
    return best;
}

int64_t plan_stage_ppm(const struct plan_rollout *r, const char *cohort)
{
    const struct plan_cohort *c = cohort_of(r, cohort);

    if (!is_open_for(r, cohort))
        return 0;
    return c ? c->stage_ppm : r->stage_ppm;
}

bool plan_recalls(const struct plan *p, const char *digest, const char *cohort)
{
    for (size_t i = 0; i < p->n_recalled; i++) {
        const struct plan_recall *rc = &p->recalled[i];

        if (strcmp(rc->digest, digest) != 0)
            continue;
        if (rc->n_cohorts == 0)
            return true;
        for (size_t k = 0; k < rc->n_cohorts; k++)
            if (strcmp(rc->cohorts[k], cohort) == 0)
                return true;
    }
    return false;
}

bool plan_lifts(const struct plan *p, const char *digest)
{
    for (size_t i = 0; i < p->n_lifted; i++)
        if (strcmp(p->lifted[i].digest, digest) == 0)
            return true;
    return false;
}
