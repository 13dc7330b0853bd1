/* rollouts: channels and what is committed of them; see rollouts.h and flight.h. */
#include "rollouts/rollouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "calibrate/calibrate.h"
#include "repo/repo.h"
#include "rollouts/ground.h"
#include "rollouts/rollouts_internal.h"

struct channel *rollouts_any_channel(const struct rollouts *r, const char *name)
{
    for (int i = 0; i < r->n_channels; i++)
        if (strcmp(r->channels[i].name, name) == 0)
            return &r->channels[i];
    return NULL;
}

struct channel *rollouts_channel(const struct rollouts *r, const char *name)
{
    struct channel *ch = rollouts_any_channel(r, name);

    return ch && !ch->gone ? ch : NULL;
}

static struct channel *add_channel(struct rollouts *r, const char *name)
{
    struct channel *p = realloc(r->channels, (size_t)(r->n_channels + 1) * sizeof *p);

    if (!p)
        return NULL;
    r->channels = p;
    p += r->n_channels;
    *p = (struct channel){.ground = ground_new()};
    if (!p->ground)
        return NULL;
    r->n_channels++;
    snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

int rollouts_know_channels(struct server *s, struct rollouts *r, struct err *err)
{
    _cleanup_(free_p)
    struct repo_channel_name *names = calloc(REPO_CHANNELS_EVER, sizeof *names);
    size_t n = names ? repo_channels(s->repo, names) : 0;

    if (!names)
        return err_set(err, ERR_NOMEM, "no memory for channels");
    for (size_t i = 0; i < n; i++) {
        struct channel *ch = rollouts_any_channel(r, names[i].name);

        if (!ch)
            ch = add_channel(r, names[i].name);
        if (!ch)
            return err_set(err, ERR_NOMEM, "no memory for channels");
        if (ch->gone && !names[i].gone)
            free(take_ptr(ch->plan_text)); /* nothing is published of it: to be signed anew */
        ch->gone = names[i].gone;
    }
    return 0;
}

int rollouts_follow(struct server *s, struct err *err)
{
    return rollouts_know_channels(s, s->rollouts, err);
}

bool rollouts_is_running(const struct server *s, const char *channel)
{
    const struct channel *ch = rollouts_channel(s->rollouts, channel);

    return ch && ch->flight &&
           (ch->flight->state == ROLLOUT_RUNNING || ch->flight->state == ROLLOUT_PAUSED);
}

/* The row of a metric; n where there is no room for a new one. */
static int trials_row(struct rollouts_trials *rows, int *n, int max, const char *metric)
{
    int i = 0;

    while (i < *n && strcmp(rows[i].metric, metric) != 0)
        i++;
    if (i == *n && i < max) {
        rows[i] = (struct rollouts_trials){0};
        memcpy(rows[i].metric, metric, strlen(metric) + 1);
        ++*n;
    }
    return i;
}

int rollouts_trials(struct server *s, struct rollouts_trials *ret, int max)
{
    int n = 0;

    for (int m = 0; m < N_METRICS; m++)
        trials_row(ret, &n, max, metric_name((enum metric)m));
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        const struct flight *f = s->rollouts->channels[i].flight;

        for (int m = 0; flight_is_open(f) && m < policy_metrics(&f->gate.policy); m++) {
            const char *name = policy_metric_name(&f->gate.policy, (enum metric)m);
            int row = trials_row(ret, &n, max, name);

            if (row < n)
                ret[row].n += f->gate.gate.sums[m][0].n_t + f->gate.gate.sums[m][0].n_c;
        }
    }
    return n;
}

void rollouts_free(struct rollouts *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n_channels; i++) {
        flight_free(r->channels[i].flight);
        calibration_free(r->channels[i].calibration);
        free(r->channels[i].recalls);
        free(r->channels[i].plan_text);
        ground_free(r->channels[i].ground);
        json_decref(r->channels[i].obeyed);
    }
    free(r->channels);
    free(r);
}

int rollouts_needs(struct server *s, const char *channel, const char *digest)
{
    const struct channel *ch = rollouts_channel(s->rollouts, channel);

    if (!ch)
        return 0;
    return strcmp(ch->baseline.digest, digest) == 0 ||
           strcmp(ch->baseline_before.digest, digest) == 0 ||
           (flight_is_open(ch->flight) && strcmp(ch->flight->digest, digest) == 0);
}

/* --- rows ------------------------------------------------------------------------------------- */

void put_flight(struct store_batch *b, const struct flight *f)
{
    struct row_rollout row = {.channel = f->channel,
                              .digest = f->digest,
                              .version = f->version,
                              .policy = f->policy_text,
                              .id = f->id,
                              .sequence = f->sequence,
                              .started_ms = f->started_ms,
                              .elapsed_ms = f->elapsed_ms,
                              .tick = f->tick,
                              .ended_ms = f->ended_ms,
                              .state = rollout_state_name(f->state),
                              .by = f->by,
                              .topology = f->topology_text,
                              .min_snapshot = f->min_snapshot,
                              .halted_after_ms = f->halted_after_ms};

    store_put_rollout(b, &row);
}

void put_setting(struct store_batch *b, const char *noun, const char *of, const json_t *value)
{
    char key[96];
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    /* Out of memory there is no text; the column refuses NULL, so the commit fails and memory is
     * read again, rather than that something untrue is stored. */
    struct row_setting row = {.key = key, .value = text};

    snprintf(key, sizeof key, "%s/%s", noun, of);
    store_put_setting(b, &row);
    free(text);
}

void put_recall(struct store_batch *b, const struct channel *ch, const struct recall *r)
{
    json_auto_t *names = json_array();
    char *text;
    struct row_recall row = {.channel = ch->name, .digest = r->digest, .at_ms = r->at_ms};

    for (int i = 0; i < r->n_cohorts; i++)
        json_array_append_new(names, json_string(r->cohorts[i]));
    text = json_dumps(names, JSON_COMPACT);
    row.cohorts = text ? text : "[]";
    store_put_recall(b, &row);
    free(text);
}

/* --- committing ------------------------------------------------------------------------------- */

/* What the plan says, but for its serial. */
int plan_text(const struct server *s, const struct channel *ch, struct plan **ret_plan,
              char **ret_text, struct err *err)
{
    struct plan *p;
    struct buf text;
    int r = plan_make(s, ch, &p, err);

    if (r < 0)
        return r;
    buf_init(&text, PLAN_MAX);
    r = plan_dump(p, &text, err);
    if (r < 0) {
        buf_release(&text);
        plan_free(p);
        return r;
    }
    *ret_text = buf_detach(&text, NULL);
    *ret_plan = p;
    return 0;
}

int stage_plan(struct server *s, struct channel *ch, bool raise_min, struct store_batch *b,
               struct repo_change **ret, char **ret_text, struct err *err)
{
    struct plan *plan;
    int r = plan_text(s, ch, &plan, ret_text, err);

    if (r < 0)
        return r;
    if (!ch->plan_text || strcmp(ch->plan_text, *ret_text) != 0)
        r = repo_stage_plan(s, plan, b, ret, err);
    if (r == 0 && *ret && raise_min && ch->flight)
        ch->flight->min_snapshot = repo_change_snapshot(*ret);
    plan_free(plan);
    return r;
}

int commit_channel(struct server *s, struct channel *ch, bool raise_min, struct store_batch *b,
                   struct err *err)
{
    struct repo_change *change = NULL;
    char *text = NULL;
    int r = stage_plan(s, ch, raise_min, b, &change, &text, err);

    if (r == 0) {
        if (ch->flight)
            put_flight(b, ch->flight);
        r = store_commit(s->store, b, err);
    } else {
        store_batch_free(b);
    }
    if (r < 0) {
        if (change)
            repo_discard(s->repo, change);
        free(text);
        /* Memory is ahead of the store now: it is read again before anything else is accepted. */
        atomic_store(&s->degraded, true);
        log_error("rollouts", "%s: %s", ch->name, err ? err->msg : "commit failed");
        return r;
    }
    if (change)
        repo_publish(s->repo, change);
    free(ch->plan_text);
    ch->plan_text = text;
    return 0;
}
