/* rollouts_act: what people do to rollouts: start, halt, promote; see rollouts.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "calibrate/calibrate.h"
#include "controller.h"
#include "policy_file.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"

#define REASON_MAX 500

static int add_audit(struct server *s, struct store_batch *b, const struct act *a,
                     const char *action)
{
    char subject[CHANNEL_NAME_MAX + RELEASE_VERSION_MAX];
    json_auto_t *detail = json_object();

    if (a->reason)
        json_object_set_new(detail, "reason", json_string(a->reason));
    if (a->policy)
        json_object_set_new(detail, "policy", json_string(a->policy));
    snprintf(subject, sizeof subject, "%s/%s", a->channel, a->version);
    return audit_add(s, b, a->who->name, action, subject, detail);
}

static int find_channel(struct server *s, const char *name, struct channel **ret, struct err *err)
{
    *ret = rollouts_channel(s->rollouts, name);
    if (!*ret)
        return err_set(err, ERR_NOT_FOUND, "no channel '%.40s'", name);
    return 0;
}

/* Whoever stops a fleet's content says why; who opens a ring is on record and may. */
static int check_reason(const struct act *a, bool needed, struct err *err)
{
    if (needed && (!a->reason || !a->reason[0])) {
        err_set(err, ERR_INVALID, "no reason given");
        return err_remedy(err, "say why with --reason; it goes into the audit log");
    }
    if (a->reason && strlen(a->reason) > REASON_MAX)
        return err_set(err, ERR_TOO_LARGE, "reason is longer than %d bytes", REASON_MAX);
    return 0;
}

/* The channel's rollout, if it is of this version. */
static int find_flight(struct server *s, const struct act *a, struct channel **ret, struct err *err)
{
    int r = find_channel(s, a->channel, ret, err);

    if (r < 0)
        return r;
    if (!(*ret)->flight)
        return err_set(err, ERR_NOT_FOUND, "channel '%s' has no rollout", a->channel);
    if (strcmp((*ret)->flight->version, a->version) != 0)
        return err_set(err, ERR_CONFLICT, "the rollout on channel '%s' is of version %s",
                       a->channel, (*ret)->flight->version);
    return 0;
}

/* --- start ------------------------------------------------------------------------------------ */

static int may_start(const struct channel *ch, const struct manifest *m, struct err *err)
{
    const struct flight *f = ch->flight;

    for (int i = 0; i < ch->n_recalls; i++)
        if (strcmp(ch->recalls[i].digest, m->digest) == 0)
            return err_set(err, ERR_HALTED, "release %s was halted and recalled", m->version);
    if (f && (f->state == ROLLOUT_RUNNING || f->state == ROLLOUT_PAUSED)) {
        err_set(err, ERR_CONFLICT, "a rollout of %s runs on channel '%s'", f->version, ch->name);
        return err_remedy(err, "wait until it is complete, or halt it");
    }
    if (m->sequence <= ch->baseline.sequence) {
        err_set(err, ERR_CONFLICT, "release %s (sequence %lld) is not newer than %s (%lld)",
                m->version, (long long)m->sequence, ch->baseline.version,
                (long long)ch->baseline.sequence);
        return err_remedy(err, "build the release with a higher sequence number");
    }
    return 0;
}

struct published {
    const char *digest;
    int64_t ms;
};

static int on_release(void *ctx, const struct row_release *row, struct err *err)
{
    struct published *p = ctx;

    (void)err;
    if (strcmp(row->digest, p->digest) == 0)
        p->ms = row->published_ms;
    return 0;
}

/* When the first device can have seen it: the pace's clocks started no earlier. */
static int64_t published_ms(struct server *s, const char *digest)
{
    const struct store_visitor v = {.release = on_release};
    struct published p = {.digest = digest, .ms = clock_wall_ms(s->clock)};
    struct err ignored = {0}; /* later than it was is on the safe side */

    store_load(s->store, &v, &p, &ignored);
    return p.ms;
}

/* The fleet as it is now, the policy's rings laid over it. */
static int flight_shape(struct server *s, struct flight *f, const struct policy *p, struct err *err)
{
    _cleanup_(free_p)
    struct topology *t = malloc(sizeof *t);
    json_auto_t *o = NULL;
    int64_t canary;
    char why[200];

    if (!t)
        return err_set(err, ERR_NOMEM, "no memory for a rollout");
    flight_topology(s->fleet, f->channel, t, &canary);
    if (rollout_init(&f->gate, p, t, canary, why, sizeof why) < 0) {
        err_set(err, fleet_size(s->fleet) ? ERR_POLICY : ERR_CONFLICT, "%s", why);
        return fleet_size(s->fleet) ? -(int)err->code : err_remedy(err, "enrol devices first");
    }
    f->n_cohorts_at_start = t->n_cohorts;
    o = topology_to_json(t, canary);
    f->topology_text = json_dumps(o, JSON_COMPACT);
    return f->topology_text ? 0 : err_set(err, ERR_NOMEM, "no memory for a rollout");
}

static int flight_arms(struct server *s, struct flight *f, struct err *err)
{
    for (int64_t i = 0; i < fleet_size(s->fleet); i++) {
        struct device *d = fleet_at(s->fleet, i);
        struct arm *m = flight_arm(f, d, f->started_ms);

        if (!m)
            return err_set(err, ERR_NOMEM, "no memory for the arms");
        if (d->seen_boot_ms >= 0 && !d->away)
            tally_heard_before(&f->tally, m, f->tick_begun_boot_ms - d->seen_boot_ms);
        tally_note(&f->tally, m);
        for (int k = 0; k < d->n_channels; k++)
            if (strcmp(d->channels[k].channel, f->channel) == 0)
                d->channels[k].ready_tick = d->channels[k].last_tick = -1;
    }
    return 0;
}

static int flight_new(struct server *s, const struct act *a, const struct manifest *m,
                      struct flight **ret, struct err *err)
{
    struct flight *f = calloc(1, sizeof *f);
    struct policy p;
    int r;

    if (!f)
        return err_set(err, ERR_NOMEM, "no memory for a rollout");
    f->id = s->rollouts->last_id + 1;
    f->sequence = m->sequence;
    f->state = ROLLOUT_RUNNING;
    f->started_ms = clock_wall_ms(s->clock);
    f->ended_ms = f->halted_after_ms = -1;
    f->pace = m->pace;
    f->early_boot = m->early_boot;
    f->published_ms = published_ms(s, m->digest);
    f->tick_begun_boot_ms = clock_boot_ms(s->clock);
    snprintf(f->channel, sizeof f->channel, "%s", a->channel);
    memcpy(f->version, m->version, sizeof f->version);
    memcpy(f->digest, m->digest, sizeof f->digest);
    snprintf(f->by, sizeof f->by, "%s", a->who->name);
    r = policy_read(s->config.policies_dir, a->policy, &f->policy_text, &p, err);
    if (r == 0)
        r = flight_shape(s, f, &p, err);
    if (r == 0) {
        memcpy(f->policy_name, p.name, sizeof f->policy_name);
        rollout_first(&f->gate, &f->last);
        f->tick_ms = f->last.tick_ms;
        flight_open(f, s->config.checkin_interval_ms);
        r = flight_arms(s, f, err);
    }
    if (r == 0)
        flight_track(f);
    if (r < 0) {
        flight_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

int rollouts_start(struct server *s, const struct act *a, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct channel *ch;
    struct store_batch *b;
    struct flight *f;
    int r = find_channel(s, a->channel, &ch, err);

    if (r == 0)
        r = repo_release(s, a->channel, a->version, &m, err);
    if (r == 0)
        r = check_not_revoked(s, a->channel, m, err);
    if (r == 0)
        r = may_start(ch, m, err);
    if (r == 0)
        r = flight_new(s, a, m, &f, err);
    if (r < 0)
        return r;
    b = store_batch_new();
    if (!b || add_audit(s, b, a, "rollout.start") < 0) {
        flight_free(f);
        store_batch_free(b);
        return err_set(err, ERR_NOMEM, "no memory to start a rollout");
    }
    if (ch->flight && ch->flight->state == ROLLOUT_COMPLETE) {
        ch->flight->state = ROLLOUT_SUPERSEDED;
        put_flight(b, ch->flight);
    }
    calibrate_supersede(s, ch, b);
    flight_free(ch->flight);
    ch->flight = f;
    ch->approval_by[0] = '\0';
    s->rollouts->last_id = f->id;
    r = commit_channel(s, ch, true, b, err);
    if (s->controller)
        controller_wake(s->controller);
    return r;
}

/* --- halt ------------------------------------------------------------------------------------- */

int flight_halt_because(struct server *s, struct channel *ch, const char *said,
                        struct store_batch *b, struct err *err)
{
    struct flight *f = ch->flight;
    json_auto_t *setting = NULL;

    admission_close(&f->admission); /* before anything that could fail */
    f->last.verdict = VERDICT_HALT;
    f->last.n_reasons = 0;
    snprintf(f->last.stands, sizeof f->last.stands, "%s", said);
    utf8_make_line(f->last.stands); /* what it quotes may have been cut within a character */
    flight_note(f, clock_wall_ms(s->clock), &f->last);
    setting = json_pack("{s:s, s:I}", "said", f->last.stands, "rollout", (json_int_t)f->id);
    put_setting(b, "halt", ch->name, setting);
    return flight_halt(s, ch, b, err);
}

int rollouts_halt(struct server *s, const struct act *a, struct err *err)
{
    char said[GATE_REASON_MAX];
    struct channel *ch;
    struct flight *f;
    struct store_batch *b;
    int r = find_flight(s, a, &ch, err);

    if (r < 0)
        return r;
    f = ch->flight;
    if (f->state == ROLLOUT_HALTED)
        return 0;
    r = check_reason(a, true, err);
    if (r < 0)
        return r;
    admission_close(&f->admission); /* before anything that could fail */
    b = store_batch_new();
    if (!b)
        return err_set(err, ERR_NOMEM, "no memory to halt; nobody is admitted meanwhile");
    snprintf(said, sizeof said, "halted by %.60s: %.150s", a->who->name, a->reason);
    r = flight_halt_because(s, ch, said, b, err);
    if (r == 0)
        r = add_audit(s, b, a, "rollout.halt");
    if (r < 0) {
        store_batch_free(b);
        atomic_store(&s->degraded, true);
        return r;
    }
    return commit_channel(s, ch, true, b, err);
}

/* --- promote ---------------------------------------------------------------------------------- */

static void put_approval(struct store_batch *b, const struct server *s, const struct act *a,
                         const char *by, bool open)
{
    struct row_approval row = {.channel = a->channel,
                               .version = a->version,
                               .action = "promote",
                               .by = by,
                               .reason = a->reason,
                               .at_ms = clock_wall_ms(s->clock),
                               .open = open};

    store_put_approval(b, &row);
}

static int may_promote(const struct flight *f, struct err *err)
{
    switch (f->state) {
    case ROLLOUT_HALTED:
    case ROLLOUT_SUPERSEDED:
        return err_set(err, ERR_HALTED, "the rollout of %s is halted; a halt wins", f->version);
    case ROLLOUT_COMPLETE:
        return err_set(err, ERR_CONFLICT, "the rollout of %s is complete", f->version);
    case ROLLOUT_RUNNING:
    case ROLLOUT_PAUSED:
        break;
    }
    if (!f->gate.asks && f->gate.ring >= f->gate.n_rings - 1)
        return err_set(err, ERR_CONFLICT, "the rollout of %s is in its last ring", f->version);
    return 0;
}

/* Does this word act? *ret_first: it is the first of two. */
static int weigh(const struct channel *ch, const struct act *a, bool *ret_first, struct err *err)
{
    bool asked = ch->flight->gate.asks;
    bool waits = ch->approval_by[0] && strcmp(ch->approval_version, a->version) == 0;

    *ret_first = !asked && (!waits || strcmp(ch->approval_by, a->who->name) == 0);
    if (*ret_first || a->who->role >= ROLE_APPROVER)
        return 0;
    err_set(err, ERR_FORBIDDEN, "%s is a %s; %s", a->who->name, role_name(a->who->role),
            asked ? "the gate asks an approver" : "the second word must be an approver's");
    return err_remedy(err, "use the token of an approver");
}

int rollouts_promote(struct server *s, const struct act *a, bool *ret_waiting, struct err *err)
{
    struct channel *ch;
    struct store_batch *b;
    bool first;
    int r = find_flight(s, a, &ch, err);

    if (r == 0)
        r = check_reason(a, false, err);
    if (r == 0)
        r = may_promote(ch->flight, err);
    if (r == 0)
        r = weigh(ch, a, &first, err);
    if (r < 0)
        return r;
    b = store_batch_new();
    if (!b || add_audit(s, b, a, first ? "rollout.promote-asked" : "rollout.promote") < 0) {
        store_batch_free(b);
        return err_set(err, ERR_NOMEM, "no memory to promote");
    }
    *ret_waiting = first;
    if (first) {
        snprintf(ch->approval_by, sizeof ch->approval_by, "%s", a->who->name);
        snprintf(ch->approval_version, sizeof ch->approval_version, "%s", a->version);
        put_approval(b, s, a, a->who->name, true);
    } else {
        json_auto_t *tick = json_pack("{s:I, s:I}", "rollout", (json_int_t)ch->flight->id, "tick",
                                      (json_int_t)ch->flight->tick);

        /* The tick that acts on it may come after a restart. */
        put_setting(b, "promote", ch->name, tick);
        put_approval(b, s, a, ch->approval_by[0] ? ch->approval_by : a->who->name, false);
        ch->approval_by[0] = '\0';
        ch->flight->person_promotes = true;
    }
    return commit_channel(s, ch, false, b, err);
}
