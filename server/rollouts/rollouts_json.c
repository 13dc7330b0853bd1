/* rollouts_json: rollouts as operators see them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "repo/repo.h"
#include "rollouts/rollouts_internal.h"
#include "fleet/strindex.h"

/* X(member) also the key */
#define COUNTS(X)                                                                                  \
    X(fleet)                                                                                       \
    X(staged_ready)                                                                                \
    X(admitted)                                                                                    \
    X(treated)                                                                                     \
    X(acknowledged)                                                                                \
    X(healthy)                                                                                     \
    X(crashed)                                                                                     \
    X(rolled_back)                                                                                 \
    X(preflight_failed)                                                                            \
    X(recalled)                                                                                    \
    X(silent)                                                                                      \
    X(controls)

struct counts {
#define X(member) int64_t member;
    COUNTS(X)
#undef X
};

static void count_treated(const struct flight *f, const struct arm *m, struct counts *c)
{
    c->admitted++;
    c->treated += m->evidence;
    c->acknowledged += m->acks > 0;
    c->healthy += m->state == ARM_HEALTHY;
    c->crashed += m->crashed;
    c->rolled_back += m->state == ARM_ROLLED_BACK;
    c->preflight_failed += m->state == ARM_PREFLIGHT_FAILED;
    c->recalled += m->state == ARM_RECALLED;
    c->silent += m->seen_tick <= m->granted_tick && !m->away &&
                 f->tick - m->granted_tick > COUNTERS_DEADLINE;
}

static void count_arms(const struct flight *f, struct counts *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int64_t i = 0; i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];
        bool waiting = tally_is_waiting(&f->tally, m);

        if (!m->known)
            continue;
        ret->fleet++;
        ret->staged_ready += waiting;
        ret->controls += waiting && m->evidence && !admission_below(&f->admission, m);
        if (arm_is_treated(m))
            count_treated(f, m, ret);
    }
}

static json_t *counts_to_json(const struct counts *c)
{
    json_t *o = json_object();

#define X(member) json_object_set_new(o, #member, json_integer(c->member));
    COUNTS(X)
#undef X
    return o;
}

static json_t *cohorts_to_json(const struct flight *f)
{
    struct {
        int64_t ready, admitted, healthy, direct;
    } n[GATE_MAX_COHORTS] = {0};
    json_t *a = json_array();

    for (int64_t i = 0; i < f->arms.n; i++) {
        const struct arm *m = &f->arms.rows[i];

        if (!m->known || m->cohort < 0)
            continue;
        n[m->cohort].ready += tally_is_waiting(&f->tally, m);
        n[m->cohort].admitted += arm_is_treated(m);
        n[m->cohort].healthy += m->state == ARM_HEALTHY;
        n[m->cohort].direct += m->direct;
    }
    for (int c = 0; c < f->gate.topology.n_cohorts; c++) {
        const struct topology_cohort *t = &f->gate.topology.cohorts[c];

        json_array_append_new(
            a, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "name", t->name, "size",
                         (json_int_t)t->size, "ready", (json_int_t)n[c].ready, "admitted",
                         (json_int_t)n[c].admitted, "healthy", (json_int_t)n[c].healthy, "direct",
                         (json_int_t)n[c].direct, "halted",
                         f->gate.halted[c] || f->state == ROLLOUT_HALTED));
    }
    return a;
}

/* "ring 2 of 4 (10 %)" -> "10 %" */
static void short_ring_name(const struct flight *f, int ring, char *ret, size_t size)
{
    char name[96], *open, *close;

    rollout_ring_name(&f->gate, ring, name, sizeof name);
    open = strchr(name, '(');
    close = strrchr(name, ')');
    if (open && close && close > open)
        snprintf(ret, size, "%.*s", (int)(close - open - 1), open + 1);
    else
        snprintf(ret, size, "%s", name);
}

static json_t *ring_to_json(const struct flight *f, const struct server *s)
{
    const struct rollout *r = &f->gate;
    int64_t now_ms = flight_elapsed_ms(f, s->clock);
    bool full = r->full_since_ms >= 0;
    char name[96];

    short_ring_name(f, r->ring, name, sizeof name);
    return json_pack("{s:i, s:i, s:s, s:I, s:b, s:o}", "index", r->ring, "of", r->n_rings, "name",
                     name, "cap", (json_int_t)r->rings[r->ring].cap, "full", full, "full_since_s",
                     full ? json_integer((now_ms - r->full_since_ms) / 1000) : json_null());
}

static json_t *rings_to_json(const struct flight *f)
{
    json_t *a = json_array();

    for (int i = 0; i < f->gate.n_rings; i++) {
        char name[96];

        short_ring_name(f, i, name, sizeof name);
        json_array_append_new(a, json_pack("{s:s, s:I, s:I}", "name", name, "cap",
                                           (json_int_t)f->gate.rings[i].cap, "bake_s",
                                           (json_int_t)(f->gate.rings[i].bake_ms / 1000)));
    }
    return a;
}

json_t *flight_status(const struct server *s, const struct channel *ch)
{
    const struct flight *f = ch->flight;
    struct counts c;
    json_t *o;

    count_arms(f, &c);
    o = json_pack(
        "{s:s, s:{s:s, s:s, s:I}, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, "
        "s:o, s:I, s:I}",
        "channel", f->channel, "release", "version", f->version, "digest", f->digest, "sequence",
        (json_int_t)f->sequence, "policy", f->policy_name, "state", rollout_state_name(f->state),
        "verdict", verdict_name(f->last.verdict), "stands", f->last.stands, "ring",
        ring_to_json(f, s), "rings", rings_to_json(f), "started_ms", (json_int_t)f->started_ms,
        "elapsed_s", (json_int_t)(flight_elapsed_ms(f, s->clock) / 1000), "tick",
        (json_int_t)f->tick, "tick_ms", (json_int_t)f->tick_ms, "counts", counts_to_json(&c),
        "seconds_to_halt",
        f->halted_after_ms >= 0 ? json_integer((f->halted_after_ms + 500) / 1000) : json_null(),
        "reasons", reasons_to_json(&f->gate.policy, &f->gate.topology, &f->last), "cohorts",
        cohorts_to_json(f), "snapshot_version", (json_int_t)repo_snapshot_version(s->repo),
        "track_ppm", (json_int_t)f->track_ppm);
    if (o && ch->approval_by[0])
        json_object_set_new(o, "waits_for_second_person_after", json_string(ch->approval_by));
    return o;
}

json_t *flight_history(const struct flight *f)
{
    int from = f->n_history > FLIGHT_HISTORY ? f->n_history - FLIGHT_HISTORY : 0;
    json_t *a = json_array();

    for (int i = from; i < f->n_history; i++) {
        const struct flight_note *n = &f->history[i % FLIGHT_HISTORY];

        json_array_append_new(a, json_pack("{s:I, s:I, s:s, s:s}", "tick", (json_int_t)n->tick,
                                           "at_ms", (json_int_t)n->at_ms, "verdict",
                                           verdict_name(n->verdict), "text", n->text));
    }
    return a;
}

int rollouts_status(struct server *s, const char *channel, json_t **ret, struct err *err)
{
    const struct channel *ch = rollouts_channel(s->rollouts, channel);

    if (!ch)
        return err_set(err, ERR_NOT_FOUND, "no channel '%.40s'", channel);
    if (!ch->flight) {
        err_set(err, ERR_NOT_FOUND, "channel '%s' has no rollout yet", channel);
        return err_remedy(err, "start one with 'firebreak rollout start %s/VERSION'", channel);
    }
    *ret = flight_status(s, ch);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "no memory for the status");
}

/* --- overview --------------------------------------------------------------------------------- */

/* What devices run: {"digest", "n"} by channel. */
static json_t *running_to_json(const struct server *s, const struct channel *ch)
{
    struct strindex seen = {0};
    json_t *a = json_array();

    for (int64_t i = 0; i < fleet_size(s->fleet); i++) {
        const struct device_channel *dc = device_channel_find(fleet_at(s->fleet, i), ch->name);
        const char *digest = dc ? dc->running : "";
        int64_t at = strindex_find(&seen, digest);
        json_t *o = at >= 0 ? json_array_get(a, (size_t)at) : NULL;

        if (o) {
            json_object_set_new(o, "n",
                                json_integer(json_integer_value(json_object_get(o, "n")) + 1));
        } else if (json_array_size(a) < 32) { /* more would be no picture */
            o = json_pack("{s:s, s:i}", "digest", digest, "n", 1);
            json_array_append_new(a, o);
            strindex_add(&seen, digest, (int64_t)json_array_size(a) - 1);
        }
    }
    strindex_release(&seen);
    return a;
}

static json_t *channel_to_json(struct server *s, const struct channel *ch)
{
    json_t *baseline =
        ch->baseline.sequence
            ? json_pack("{s:s, s:s, s:I}", "version", ch->baseline.version, "digest",
                        ch->baseline.digest, "sequence", (json_int_t)ch->baseline.sequence)
            : json_null();

    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "channel", ch->name, "baseline", baseline,
                     "rollout", ch->flight ? flight_status(s, ch) : json_null(), "history",
                     ch->flight ? flight_history(ch->flight) : json_array(), "running",
                     running_to_json(s, ch));
}

static json_t *devices_to_json(const struct server *s)
{
    int64_t lately = 0, away = 0, now = clock_boot_ms(s->clock);

    for (int64_t i = 0; i < fleet_size(s->fleet); i++) {
        const struct device *d = fleet_at(s->fleet, i);

        lately +=
            d->seen_boot_ms >= 0 && now - d->seen_boot_ms <= 2 * s->config.checkin_interval_ms;
        away += d->away;
    }
    return json_pack("{s:I, s:I, s:I, s:i}", "enrolled", (json_int_t)fleet_size(s->fleet),
                     "seen_lately", (json_int_t)lately, "away", (json_int_t)away, "groups",
                     fleet_groups(s->fleet));
}

json_t *rollouts_overview(struct server *s)
{
    json_t *channels = json_array();

    for (int i = 0; i < s->rollouts->n_channels; i++)
        if (!s->rollouts->channels[i].gone)
            json_array_append_new(channels, channel_to_json(s, &s->rollouts->channels[i]));
    return json_pack("{s:o, s:o}", "channels", channels, "devices", devices_to_json(s));
}
