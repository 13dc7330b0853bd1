/*
 * rollouts_load: rollouts out of the store, at start and after a failed commit. The gate's state is
 * not stored: every stored tick's facts go through the same rollout_tick() again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "calibrate/calibrate.h"
#include "policy_file.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"

#define STORED_MAX (4 * 1000 * 1000) /* bytes of JSON in a row */

struct loading {
    struct server *server;
    struct rollouts *r;
};

static void copy(char *ret, size_t size, const char *s)
{
    snprintf(ret, size, "%s", s ? s : "");
}

static int parse(const char *text, json_t **ret, struct err *err)
{
    return jsonx_parse(text ? text : "", text ? strlen(text) : 0, STORED_MAX, ret, err);
}

/* --- first pass: channels --------------------------------------------------------------------- */

static int release_from_json(const json_t *o, struct release_ref *ret, struct err *err)
{
    int r = jsonx_sha256(o, "baseline", "digest", ret->digest, err);

    if (r == 0)
        r = jsonx_copy(o, "baseline", "version", ret->version, sizeof ret->version, err);
    if (r == 0)
        r = jsonx_int(o, "baseline", "sequence", 0, INT64_C(1) << 53, &ret->sequence, err);
    return r;
}

static int on_baseline(struct channel *ch, const json_t *o, struct err *err)
{
    return json_object_size(o) ? release_from_json(o, &ch->baseline, err) : 0;
}

static int on_baseline_before(struct channel *ch, const json_t *o, struct err *err)
{
    return json_object_size(o) ? release_from_json(o, &ch->baseline_before, err) : 0;
}

static int on_halt(struct channel *ch, const json_t *o, struct err *err)
{
    const char *said;
    int r = jsonx_string(o, "halt", "said", sizeof ch->halt_said, &said, err);

    if (r == 0)
        copy(ch->halt_said, sizeof ch->halt_said, said);
    return r < 0 ? r : jsonx_int(o, "halt", "rollout", 0, INT64_C(1) << 53, &ch->halt_rollout, err);
}

static int on_promote(struct channel *ch, const json_t *o, struct err *err)
{
    int r = jsonx_int(o, "promote", "rollout", 0, INT64_C(1) << 53, &ch->promote_rollout, err);

    if (r == 0)
        r = jsonx_int(o, "promote", "tick", 0, INT64_C(1) << 53, &ch->promote_tick, err);
    return r;
}

static int on_revoked(struct channel *ch, const json_t *o, struct err *err)
{
    size_t i;
    json_t *v;

    json_array_foreach ((json_t *)(uintptr_t)o, i, v)
        if (!json_is_string(v))
            return err_set(err, ERR_INVALID, "'[%zu]' is not a digest", i);
    json_decref(ch->obeyed);
    ch->obeyed = json_incref((json_t *)(uintptr_t)o);
    return 0;
}

static const struct {
    const char *noun;
    int (*take)(struct channel *ch, const json_t *o, struct err *err);
} settings[] = {{"baseline/", on_baseline},
                {"baseline-before/", on_baseline_before},
                {"halt/", on_halt},
                {"promote/", on_promote},
                {"revoked/", on_revoked}};

static int on_setting(void *ctx, const struct row_setting *row, struct err *err)
{
    struct loading *l = ctx;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        size_t n = strlen(settings[i].noun);
        struct channel *ch = strncmp(row->key, settings[i].noun, n) == 0
                                 ? rollouts_any_channel(l->r, row->key + n)
                                 : NULL;
        json_auto_t *o = NULL;
        int r = ch ? parse(row->value, &o, err) : 0;

        if (ch && r == 0)
            r = settings[i].take(ch, o, err);
        if (r < 0)
            return err_context(err, r, "setting '%s'", row->key);
    }
    return 0;
}

static int on_recall(void *ctx, const struct row_recall *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);
    json_auto_t *names = NULL;
    struct recall *p, *r;

    if (!ch)
        return 0;
    p = realloc(ch->recalls, (size_t)(ch->n_recalls + 1) * sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "no memory for recalls");
    ch->recalls = p;
    r = &p[ch->n_recalls++];
    *r = (struct recall){.at_ms = row->at_ms};
    copy(r->digest, sizeof r->digest, row->digest);
    if (parse(row->cohorts, &names, err) < 0)
        return -(int)err->code;
    for (size_t i = 0; i < json_array_size(names) && i < GATE_MAX_COHORTS; i++)
        copy(r->cohorts[r->n_cohorts++], COHORT_NAME_MAX,
             json_string_value(json_array_get(names, i)));
    return 0;
}

static int on_approval(void *ctx, const struct row_approval *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);

    (void)err;
    if (ch && row->open && strcmp(row->action, "promote") == 0) {
        copy(ch->approval_by, sizeof ch->approval_by, row->by);
        copy(ch->approval_version, sizeof ch->approval_version, row->version);
    }
    return 0;
}

/* --- rollouts --------------------------------------------------------------------------------- */

static int flight_begin(struct flight *f, int64_t interval_ms, struct err *err)
{
    json_auto_t *o = NULL;
    struct topology t;
    struct policy p;
    char why[200];
    int64_t canary;
    int r = policy_parse(f->policy_text, strlen(f->policy_text), "stored policy", &p, err);

    if (r == 0)
        r = parse(f->topology_text, &o, err);
    if (r == 0)
        r = topology_from_json(o, &t, &canary, err);
    if (r < 0)
        return r;
    if (rollout_init(&f->gate, &p, &t, canary, why, sizeof why) < 0)
        return err_set(err, ERR_POLICY, "%s", why);
    copy(f->policy_name, sizeof f->policy_name, p.name);
    f->n_cohorts_at_start = t.n_cohorts;
    rollout_first(&f->gate, &f->last);
    f->tick_ms = f->last.tick_ms;
    flight_open(f, interval_ms);
    return 0;
}

static void flight_from_row(struct flight *f, const struct row_rollout *row)
{
    *f = (struct flight){.id = row->id,
                         .sequence = row->sequence,
                         .started_ms = row->started_ms,
                         .elapsed_ms = row->elapsed_ms,
                         .ended_ms = row->ended_ms,
                         .halted_after_ms = row->halted_after_ms,
                         .min_snapshot = row->min_snapshot,
                         .policy_text = strdup(row->policy),
                         .topology_text = strdup(row->topology)};
    copy(f->channel, sizeof f->channel, row->channel);
    copy(f->digest, sizeof f->digest, row->digest);
    copy(f->version, sizeof f->version, row->version);
    copy(f->by, sizeof f->by, row->by);
}

static int on_rollout(void *ctx, const struct row_rollout *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);
    struct flight *f;

    if (row->id > l->r->last_id)
        l->r->last_id = row->id;
    if (!ch || (ch->flight && ch->flight->id > row->id))
        return 0; /* the latest of the channel is the one that flies */
    f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NOMEM, "no memory for a rollout");
    flight_free(ch->flight);
    ch->flight = f;
    flight_from_row(f, row);
    if (!f->policy_text || !f->topology_text)
        return err_set(err, ERR_NOMEM, "no memory for a rollout");
    if (rollout_state_from(row->state, &f->state) < 0)
        return err_set(err, ERR_INVALID, "unknown state '%.20s'", row->state);
    return 0;
}

/* What is asked of the repository after all rows are read. */
static int flight_complete(struct server *s, struct flight *f, struct err *err)
{
    struct manifest *m;
    int r = flight_begin(f, s->config.checkin_interval_ms, err);

    if (r == 0)
        r = repo_release_by_digest(s, f->channel, f->digest, &m, err);
    if (r < 0)
        return err_context(err, r, "rollout of '%s/%s'", f->channel, f->version);
    f->pace = m->pace;
    f->early_boot = m->early_boot;
    manifest_free(m);
    return 0;
}

static int on_release(void *ctx, const struct row_release *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);

    (void)err;
    if (ch && ch->flight && strcmp(ch->flight->digest, row->digest) == 0)
        ch->flight->published_ms = row->published_ms;
    return 0;
}

static struct flight *flight_by_id(const struct rollouts *r, int64_t id)
{
    for (int i = 0; i < r->n_channels; i++)
        if (r->channels[i].flight && r->channels[i].flight->id == id)
            return r->channels[i].flight;
    return NULL;
}

/* Ticks come in order, each one after the one before. */
static int note_end(struct flight *f, int64_t tick, int64_t now_ms, struct err *err)
{
    int64_t *p;

    if (tick != f->n_ended)
        return err_set(err, ERR_INVALID, "tick %lld is missing", (long long)f->n_ended);
    if ((tick & (tick + 1)) == 0) { /* room for 1, 3, 7, ... is used up */
        p = realloc(f->ended_ms_of_tick, (size_t)(2 * tick + 1) * sizeof *p);
        if (!p)
            return err_set(err, ERR_NOMEM, "no memory for the clock of ticks");
        f->ended_ms_of_tick = p;
    }
    f->ended_ms_of_tick[f->n_ended++] = now_ms;
    return 0;
}

static int replay(struct flight *f, const struct row_tick *row, struct facts *x, struct err *err)
{
    json_auto_t *facts = NULL, *decision = NULL;
    struct rollout_decision d;
    int64_t staged_ppm;
    int r = parse(row->facts, &facts, err);

    if (r == 0)
        r = parse(row->decision, &decision, err);
    if (r == 0)
        r = facts_from_json(facts, &f->gate, x, err);
    if (r < 0)
        return r;
    staged_ppm = f->last.stage_ppm;
    if (rollout_tick(&f->gate, &x->f, &d) == 0) {
        f->last = d;
        flight_note(f, row->at_ms, &d);
    } else { /* contradicted themselves then, too */
        memset(f->last.admit, 0, sizeof f->last.admit);
        f->last.admit_fleet = f->last.admit_canary = 0;
    }
    f->tick = row->tick + 1;
    f->tick_ms = f->last.tick_ms;
    f->elapsed_ms = x->f.now_ms;
    /* The watches' slots are numbered as they were; who stands in them comes from the rows. */
    flight_watch_resolve(f, f->elapsed_ms, NULL, 0);
    flight_watch_turn(f, f->elapsed_ms, f->last.stage_ppm > staged_ppm);
    tally_turn(&f->tally, (int32_t)f->tick, f->elapsed_ms);
    r = note_end(f, row->tick, x->f.now_ms, err);
    if (r == 0)
        r = decision_tracking(decision, &f->track_ppm, err);
    if (r == 0)
        r = decision_thresholds(decision, &f->admission, err);
    if (r == 0)
        admission_begin(&f->admission, (int32_t)f->tick);
    return r;
}

static int on_tick(void *ctx, const struct row_tick *row, struct err *err)
{
    struct loading *l = ctx;
    struct flight *f = flight_by_id(l->r, row->rollout);
    _cleanup_(free_p)
    struct facts *x = f ? malloc(sizeof *x) : NULL;

    if (!f)
        return 0; /* an earlier one: kept for replay and explanation */
    if (!x)
        return err_set(err, ERR_NOMEM, "no memory to replay a tick");
    return err_context(err, replay(f, row, x, err), "rollout %lld, tick %lld", (long long)f->id,
                       (long long)row->tick);
}

/* --- arms ------------------------------------------------------------------------------------- */

/* The rollout's clock as a tick began. */
static int64_t clock_of_tick(const struct flight *f, int64_t tick)
{
    if (tick <= 0)
        return 0;
    return tick <= f->n_ended ? f->ended_ms_of_tick[tick - 1] : f->elapsed_ms;
}

static int on_exposure(void *ctx, const struct row_exposure *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel);
    const struct device *d = fleet_find(l->server->fleet, row->device);
    struct flight *f = ch ? ch->flight : NULL;
    enum arm_state state;
    struct arm *m;

    if (!f || !d || strcmp(row->digest, f->digest) != 0)
        return 0;
    m = flight_arm(f, d, row->at_ms);
    if (!m)
        return err_set(err, ERR_NOMEM, "no memory for the arms");
    m->given |= strcmp(row->kind, "baseline") == 0;
    if (strcmp(row->kind, "rollout") != 0)
        return 0;
    if (arm_state_from(row->state, &state) < 0)
        return err_set(err, ERR_INVALID, "exposure of %s: unknown state", row->device);
    m->state = (uint8_t)state;
    m->stratum = row->stratum < 0 || row->stratum >= N_STRATA ? N_STRATA : (uint8_t)row->stratum;
    if (row->stratum == STRATUM_CANARY)
        flight_make_canary(f, m);
    m->granted_tick = (int32_t)row->tick;
    m->granted_wall_ms = row->at_ms;
    m->granted_ms = clock_of_tick(f, row->tick);
    m->healthy_ms = state == ARM_HEALTHY ? clock_of_tick(f, row->tick + ARM_ACKS + 1) : -1;
    m->acks = (int)row->acks;
    m->direct = row->direct && m->evidence;
    m->crashed = state == ARM_CRASHED;
    copy(m->nonce, sizeof m->nonce, row->nonce);
    return 0;
}

/* A consumer's crash during a rollout was counted for a control: its next one is not. */
static void spend_crash(const struct flight *f, struct arm *m, const struct row_event *row)
{
    if (flight_is_control_crash(f, row->channel, row->digest, row->cause) && !arm_is_treated(m) &&
        m->first_ready >= 0 && row->at_ms >= f->started_ms)
        m->crash_spent = true;
}

static int on_event(void *ctx, const struct row_event *row, struct err *err)
{
    struct loading *l = ctx;
    struct channel *ch = rollouts_any_channel(l->r, row->channel ? row->channel : "");
    const struct device *d = fleet_find(l->server->fleet, row->device);
    enum event_kind kind;
    struct arm *m;

    (void)err;
    if (!d || event_from(row->kind, &kind) < 0)
        return 0;
    if (!ch || !ch->flight || d->index >= ch->flight->arms.n)
        return 0;
    m = &ch->flight->arms.rows[d->index];
    if (kind == EVENT_CRASH)
        spend_crash(ch->flight, m, row);
    if (!row->digest || strcmp(row->digest, ch->flight->digest) != 0 || !arm_is_treated(m))
        return 0;
    m->crashed |= kind == EVENT_CRASH;
    m->soaked |= kind == EVENT_HEALTHY;
    return 0;
}

/* Where its last check-in left a device. */
static void arm_from_channel(struct flight *f, struct arm *m, const struct device_channel *dc)
{
    bool of_this = strcmp(dc->ready, f->digest) == 0 || arm_is_treated(m);

    if (!of_this || dc->last_tick > f->tick)
        return;
    m->seen_tick = m->pool_tick = m->stood_tick = (int32_t)dc->last_tick;
    m->running = strcmp(dc->running, f->digest) == 0;
    m->held = dc->hold[0];
    if (m->acks > 0)
        m->ack_tick = (int32_t)dc->last_tick;
    m->marks = dc->marks;
    m->marks_from = dc->marks_from;
    m->crash_tick = dc->crash_tick;
    m->reboot_tick = dc->reboot_tick;
    m->figures = dc->figures;
    m->figures_tick = dc->figures_tick;
    m->first_ready = (int32_t)dc->ready_tick;
    if (!arm_is_treated(m) && (m->held || strcmp(dc->ready, f->digest) != 0))
        m->pool_tick = -1;
    if (strcmp(dc->ready, f->digest) != 0)
        return;
    m->ready = true;
    m->ready_tick = m->prev_ready = (int32_t)dc->last_tick;
}

static int fill_arms(struct server *s, struct flight *f, struct err *err)
{
    for (int64_t i = 0; i < fleet_size(s->fleet); i++) {
        const struct device *d = fleet_at(s->fleet, i);
        const struct device_channel *dc = device_channel_find(d, f->channel);
        struct arm *m = flight_arm(f, d, clock_wall_ms(s->clock));

        if (!m)
            return err_set(err, ERR_NOMEM, "no memory for the arms");
        m->away = d->away;
        if (dc)
            arm_from_channel(f, m, dc);
    }
    return 0;
}

/* The allowance of the tick that was interrupted: what it still had. */
static void fill_allowance(struct flight *f)
{
    struct admission *a = &f->admission;

    a->canary_ring = flight_in_canary_ring(f);
    a->fleet_wide = f->last.fleet_wide;
    memcpy(a->left, f->last.admit, sizeof a->left);
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        if (f->gate.halted[c])
            a->left[c] = 0;
    a->left_fleet = f->last.admit_fleet;
    a->left_canary = f->last.admit_canary;
    for (int64_t i = 0; i < f->arms.n; i++)
        if (arm_is_treated(&f->arms.rows[i]) && f->arms.rows[i].granted_tick == f->tick)
            admission_take(a, &f->arms.rows[i]);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* The oldest first, as they were made: a plan that has no room for all leaves those out. */
static int by_age(const void *a, const void *b)
{
    const struct recall *p = a, *q = b;

    return (p->at_ms > q->at_ms) - (p->at_ms < q->at_ms);
}

static int load_rows(struct server *s, struct loading *l, struct err *err)
{
    const struct store_visitor first = {
        .setting = on_setting, .recall = on_recall, .approval = on_approval, .rollout = on_rollout};
    const struct store_visitor releases = {.release = on_release}, ticks = {.tick = on_tick};
    int r = store_load(s->store, &first, l, err);

    for (int i = 0; r == 0 && i < l->r->n_channels; i++)
        if (l->r->channels[i].n_recalls > 1)
            qsort(l->r->channels[i].recalls, (size_t)l->r->channels[i].n_recalls,
                  sizeof(struct recall), by_age);
    for (int i = 0; r == 0 && i < l->r->n_channels; i++)
        if (l->r->channels[i].flight)
            r = flight_complete(s, l->r->channels[i].flight, err);
    if (r == 0)
        r = store_load(s->store, &releases, l, err);
    return r < 0 ? r : store_load(s->store, &ticks, l, err);
}

/* What people said that no tick has taken in. */
static void apply_settings(const struct channel *ch)
{
    struct flight *f = ch->flight;

    if (f->state == ROLLOUT_HALTED && ch->halt_rollout == f->id) {
        f->last.verdict = VERDICT_HALT;
        f->last.n_reasons = 0;
        copy(f->last.stands, sizeof f->last.stands, ch->halt_said);
        flight_note(f, f->ended_ms, &f->last);
    }
    f->person_promotes = ch->promote_rollout == f->id && ch->promote_tick >= f->tick;
}

static int load_arms(struct server *s, struct loading *l, struct err *err)
{
    const struct store_visitor exposures = {.exposure = on_exposure}, events = {.event = on_event};
    int64_t boot_ms = clock_boot_ms(s->clock);
    int r = store_load(s->store, &exposures, l, err);

    for (int i = 0; r == 0 && i < l->r->n_channels; i++)
        if (l->r->channels[i].flight)
            r = fill_arms(s, l->r->channels[i].flight, err);
    if (r == 0)
        r = store_load(s->store, &events, l, err);
    for (int i = 0; r == 0 && i < l->r->n_channels; i++)
        if (l->r->channels[i].flight) {
            fill_allowance(l->r->channels[i].flight);
            apply_settings(&l->r->channels[i]);
            flight_resume(l->r->channels[i].flight, boot_ms);
        }
    return r;
}

int rollouts_open(struct server *s, struct rollouts **ret, struct err *err)
{
    struct rollouts *r = calloc(1, sizeof *r);
    struct loading l = {.server = s, .r = r};
    int rc =
        r ? rollouts_know_channels(s, r, err) : err_set(err, ERR_NOMEM, "no memory for rollouts");

    if (rc == 0)
        rc = load_rows(s, &l, err);
    if (rc == 0)
        rc = load_arms(s, &l, err);
    if (rc == 0)
        rc = calibrate_load(s, r, err);
    if (rc < 0) {
        rollouts_free(r);
        return err_context(err, rc, "load rollouts");
    }
    *ret = r;
    return 0;
}

int rollouts_reload(struct server *s, struct err *err)
{
    struct rollouts *r;
    int rc = rollouts_open(s, &r, err);

    if (rc < 0)
        return rc;
    rollouts_free(s->rollouts);
    s->rollouts = r;
    log_info("rollouts", "read again");
    return 0;
}
