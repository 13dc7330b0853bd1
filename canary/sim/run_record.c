#include "run_record.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy_file.h"
#include "record.h"

struct recording {
    const struct scenario *s;
    const char *path;
    uint64_t seed;
    FILE *out;
    int n_cohorts; /* at the start; 0: nothing is written yet */
    int64_t ticks;
    const char *state;
    struct err *err; /* the first failure; its code is 0 while there is none */
};

static int put_line(void *ctx, const json_t *line, struct err *err)
{
    struct recording *rec = ctx;

    if (json_dumpf(line, rec->out, JSON_COMPACT) == 0 && fputc('\n', rec->out) != EOF)
        return 0;
    return err_errno(err, errno, "write '%s'", rec->path);
}

static int put_head(struct recording *rec, const struct record_writer *w, const struct rollout *r)
{
    json_auto_t *policy = policy_to_json(&r->policy);
    json_auto_t *topology = topology_to_json(&r->topology, rec->s->canaries);
    json_auto_t *about =
        json_pack("{s:s, s:s}", "made_by", "firebreak-sim", "scenario", rec->s->name);

    rec->n_cohorts = r->topology.n_cohorts;
    if (!policy || !topology || !about)
        return err_set(rec->err, ERR_NOMEM, "no memory for a record");
    return record_put_head(w, policy, topology, about, rec->err);
}

static void put_tick(void *ctx, const struct rollout *r, const struct rollout_facts *f,
                     const struct rollout_decision *d, const struct fleet_totals *t)
{
    struct recording *rec = ctx;
    const struct record_writer w = {put_line, rec};
    json_auto_t *facts = NULL, *decision = NULL;

    (void)t;
    if (rec->err->code || (rec->n_cohorts == 0 && put_head(rec, &w, r) < 0))
        return;
    facts = facts_to_json(f, &r->policy, &r->topology, rec->n_cohorts);
    decision = decision_to_json(&r->policy, &r->topology, d);
    if (facts && decision)
        record_put_tick(&w, facts, decision, rec->err);
    else
        err_set(rec->err, ERR_NOMEM, "no memory for a record");
    rec->ticks++;
    rec->state = r->all_halted ? "halted" : r->complete ? "complete" : "running";
}

static int play(struct recording *rec, const struct policy *p, struct outcome *ret)
{
    const struct run_watch watch = {put_tick, rec};
    const struct record_writer w = {put_line, rec};
    struct err err = {0};
    int r = run_seed(rec->s, p, rec->seed, &watch, ret, &err);

    if (r < 0 || rec->err->code) {
        if (!rec->err->code)
            *rec->err = err;
        return -(int)rec->err->code;
    }
    r = record_put_end(&w, rec->state, rec->ticks, NULL, rec->err);
    if (r == 0 && fflush(rec->out) == EOF)
        r = err_errno(rec->err, errno, "write '%s'", rec->path);
    return r;
}

int run_record(const struct scenario *s, const struct policy *p, uint64_t seed, const void *path,
               struct outcome *ret, struct err *err)
{
    struct err failed = {0};
    struct recording rec = {.s = s, .path = path, .seed = seed, .err = &failed};
    int r;

    rec.out = fopen(path, "we");
    if (!rec.out)
        return err_errno(err, errno, "create '%s'", rec.path);
    r = play(&rec, p, ret);
    fclose(rec.out);
    if (r < 0) {
        unlink(path);
        *err = failed;
    }
    return r;
}
