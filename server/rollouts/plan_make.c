/* plan_make: the signed plan that a channel's state calls for. Only coarse things are in it (state,
 * ring, halts, recalls, baseline), so that it changes in coarse steps by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rollouts/flight.h"
#include "repo/repo.h"

static int add_permit_key(const struct server *s, struct plan *p, struct err *err)
{
    const struct signer *signer = repo_permit_signer(s->repo);
    json_auto_t *o = signer ? key_to_json(signer_key(signer)) : NULL;

    p->permit_keys.keys = calloc(1, sizeof *p->permit_keys.keys);
    if (!o || !p->permit_keys.keys)
        return err_set(err, ERR_INTERNAL, "no permit key for the plan");
    p->permit_keys.threshold = 1;
    if (key_from_json(o, &p->permit_keys.keys[0], err) < 0)
        return -(int)err->code;
    p->permit_keys.n_keys = 1;
    return 0;
}

/* Cohorts that differ: halted, or so small that they must stage more. */
static int add_cohorts(const struct flight *f, struct plan_rollout *r, struct err *err)
{
    const struct topology *t = &f->gate.topology;

    r->cohorts = calloc((size_t)t->n_cohorts + 1, sizeof *r->cohorts);
    if (!r->cohorts)
        return err_set(err, ERR_NOMEM, "no memory for the plan's cohorts");
    for (int c = 0; c < t->n_cohorts; c++) {
        struct plan_cohort *pc = &r->cohorts[r->n_cohorts];
        bool halted = f->gate.halted[c];

        if (!halted && f->last.stage_cohort_ppm[c] <= r->stage_ppm)
            continue;
        snprintf(pc->name, sizeof pc->name, "%s", t->cohorts[c].name);
        pc->halted = halted;
        pc->stage_ppm = halted ? 0 : f->last.stage_cohort_ppm[c];
        r->n_cohorts++;
    }
    return 0;
}

static int add_rollout(const struct flight *f, struct plan *p, struct err *err)
{
    struct plan_rollout *r = &p->rollouts[p->n_rollouts++];
    bool halted = f->state == ROLLOUT_HALTED;

    memcpy(r->digest, f->digest, sizeof r->digest);
    memcpy(r->version, f->version, sizeof r->version);
    r->sequence = f->sequence;
    r->state = f->state;
    r->stage_ppm = halted ? 0 : f->last.stage_ppm;
    return halted ? 0 : add_cohorts(f, r, err);
}

static int add_recall(const struct recall *from, struct plan *p, struct err *err)
{
    struct plan_recall *r = &p->recalled[p->n_recalled];

    memcpy(r->digest, from->digest, sizeof r->digest);
    r->cohorts = from->n_cohorts ? calloc((size_t)from->n_cohorts, sizeof *r->cohorts) : NULL;
    if (from->n_cohorts && !r->cohorts)
        return err_set(err, ERR_NOMEM, "no memory for the plan's recalls");
    p->n_recalled++;
    for (int i = 0; i < from->n_cohorts; i++) {
        r->cohorts[i] = strdup(from->cohorts[i]);
        if (!r->cohorts[i])
            return err_set(err, ERR_NOMEM, "no memory for the plan's recalls");
        r->n_cohorts++;
    }
    return 0;
}

static int fill(const struct server *s, const struct channel *ch, struct plan *p, struct err *err)
{
    /* The newest recalls; older ones stand in the content metadata as revoked. */
    int skip = ch->n_recalls > PLAN_MAX_RECALLED ? ch->n_recalls - PLAN_MAX_RECALLED : 0;
    int r = 0;

    snprintf(p->channel, sizeof p->channel, "%s", ch->name);
    p->serial = 1; /* set when it is signed */
    memcpy(p->baseline, ch->baseline.digest, sizeof p->baseline);
    memcpy(p->baseline_version, ch->baseline.version, sizeof p->baseline_version);
    p->checkin_ms = s->config.checkin_interval_ms;
    p->tick_ms = flight_is_open(ch->flight) ? ch->flight->tick_ms : p->checkin_ms;
    p->recalled = calloc((size_t)ch->n_recalls + 1, sizeof *p->recalled);
    if (!p->recalled)
        return err_set(err, ERR_NOMEM, "no memory for the plan");
    if (ch->flight)
        r = add_rollout(ch->flight, p, err);
    for (int i = skip; r == 0 && i < ch->n_recalls; i++)
        r = add_recall(&ch->recalls[i], p, err);
    return r < 0 ? r : add_permit_key(s, p, err);
}

int plan_make(const struct server *s, const struct channel *ch, struct plan **ret, struct err *err)
{
    struct plan *p = calloc(1, sizeof *p);
    int r = p ? fill(s, ch, p, err) : err_set(err, ERR_NOMEM, "no memory for a plan");

    if (r < 0) {
        plan_free(p);
        return err_context(err, r, "plan of channel '%s'", ch->name);
    }
    *ret = p;
    return 0;
}
