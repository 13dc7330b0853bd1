#include "replay.h"

#include <stdlib.h>
#include <string.h>

int replay_new(struct record *record, const struct policy *policy, struct replay **ret,
               struct err *err)
{
    const struct record_head *head = record_head(record);
    struct replay *r = calloc(1, sizeof(*r));
    char why[200];

    if (!r) {
        record_close(record);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    r->record = record;
    r->rollout = calloc(1, sizeof(*r->rollout));
    r->next = calloc(1, sizeof(*r->next));
    r->tick = r->first_differs = -1;
    if (!r->rollout || !r->next)
        err_set(err, ERR_NOMEM, "out of memory");
    else if (rollout_init(r->rollout, policy, &head->topology, head->canary, why, sizeof(why)) < 0)
        err_set(err, ERR_INVALID, "%s: line 1: %s", record_name(record), why);
    else {
        *ret = r;
        return 0;
    }
    replay_free(r);
    return -(int)err->code;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    record_close(r->record);
    free(r->rollout);
    free(r->next);
    free(r);
}

/* As the server counts them, where no line says it: without groups, which batches do not name. */
static void count_silent_controls(struct rollout_facts *f)
{
    if (f->tick_controls > 0)
        return;
    for (int i = 0; i < f->n_batches; i++) {
        if (f->batches[i].metric != METRIC_SF)
            continue;
        f->silent_controls += f->batches[i].f_c;
        f->tick_controls += f->batches[i].n_c;
    }
}

static bool same_admissions(const struct record_decided *was, const struct rollout_decision *d,
                            int n_cohorts)
{
    for (int c = 0; c < n_cohorts; c++)
        if (was->admit[c] != d->admit[c])
            return false;
    return !was->has_fleet ||
           (was->admit_fleet == d->admit_fleet && was->admit_canary == d->admit_canary);
}

static void compare(struct replay *r)
{
    const struct record_decided *was = &r->next->decided;
    const struct rollout_decision *d = &r->decision;
    bool same = was->verdict == d->verdict && was->ring == d->ring &&
                same_admissions(was, d, r->rollout->topology.n_cohorts);

    if (!was->given)
        return;
    r->compared++;
    r->differ += !same;
    if (!same && r->first_differs < 0)
        r->first_differs = r->tick;
}

/* What stays of a tick for the quiet ones after it: what counts since the start. */
static void keep(struct replay *r, const struct rollout_facts *f)
{
    r->facts = (struct rollout_facts){.now_ms = f->now_ms, .tick = f->tick, .groups = f->groups};
    for (int c = 0; c < GATE_MAX_COHORTS; c++) {
        r->facts.cohorts[c].admitted = f->cohorts[c].admitted;
        r->facts.cohorts[c].direct = f->cohorts[c].direct;
    }
}

static int judge_next(struct replay *r, struct err *err)
{
    struct rollout_facts *f = &r->next->facts.f;
    bool whole = record_head(r->record)->whole;
    int bad;

    if (!whole)
        count_silent_controls(f);
    bad = whole ? rollout_tick(r->rollout, f, &r->decision)
                : rollout_judge(r->rollout, f, &r->decision);
    if (bad < 0)
        return err_set(err, ERR_INVALID, "%s: line %lld: tick %lld contradicts itself",
                       record_name(r->record), (long long)r->next->line, (long long)r->next->tick);
    r->has_next = false;
    r->tick = r->next->tick;
    r->judged++;
    if (whole)
        compare(r);
    keep(r, f);
    return 1;
}

static int judge_quiet(struct replay *r, struct err *err)
{
    r->facts.tick = ++r->tick;
    if (rollout_judge(r->rollout, &r->facts, &r->decision) == 0)
        return 1;
    return err_set(err, ERR_INTERNAL, "%s: a quiet tick contradicts itself",
                   record_name(r->record));
}

int replay_step(struct replay *r, struct err *err)
{
    if (!r->has_next && !r->at_end) {
        int got = record_next(r->record, r->rollout, r->next, err);

        if (got < 0)
            return got;
        r->has_next = got > 0;
        r->at_end = got == 0;
    }
    if (!r->has_next)
        return 0;
    if (r->rollout->gate.pause_ticks > 0 && r->tick + 1 < r->next->tick)
        return judge_quiet(r, err);
    return judge_next(r, err);
}
