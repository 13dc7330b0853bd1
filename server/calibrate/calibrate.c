/* calibrate: what begins, ends and drives calibrations; see calibrate.h. */
#include "calibrate/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/log.h"
#include "calibrate/calibrate_internal.h"
#include "controller.h"
#include "policy_file.h"
#include "rollouts/rollouts.h"

#define ROUNDS      20
#define LANES       4
#define LANES_FLEET 100000  /* devices up to which so many lanes are the default; above: one */
#define MAX_ARMS    4000000 /* of all lanes; some 200 bytes each */
#define LIMIT_S     86400
#define SAVE_MS     (5 * 60 * 1000)
#define REST_MS     1000 /* nothing is due sooner */

static const char *const state_names[] = {
#define X(name, text) [CALIBRATION_##name] = text,
    CALIBRATION_STATES(X)
#undef X
};

static const char *const end_names[] = {
#define X(name, text) [ROUND_##name] = text,
    ROUND_ENDS(X)
#undef X
};

const char *calibration_state_name(enum calibration_state s)
{
    return state_names[s];
}

const char *round_end_name(enum round_end e)
{
    return end_names[e];
}

void calibration_free(struct calibration *c)
{
    if (!c)
        return;
    for (int i = 0; i < CALIBRATE_MAX_LANES; i++)
        lane_free(&c->lanes[i]);
    free(c->policy_text);
    free(c->rounds);
    free(c);
}

/* --- ending ----------------------------------------------------------------------------------- */

static int add_audit(struct server *s, struct store_batch *b, const struct calibration *c,
                     const char *actor, const char *action)
{
    json_auto_t *detail =
        json_pack("{s:s, s:I, s:I}", "policy", c->policy.name, "rounds",
                  (json_int_t)c->rounds_wanted, "finished", (json_int_t)c->n_rounds);

    return audit_add(s, b, actor, action, c->channel, detail);
}

/* From here on nothing is heard or ticked; what is known stays. */
static void end(struct server *s, struct calibration *c, enum calibration_state state,
                const char *why)
{
    c->state = state;
    c->ended_ms = clock_wall_ms(s->clock);
    snprintf(c->why, sizeof c->why, "%s", why);
    for (int i = 0; i < CALIBRATE_MAX_LANES; i++)
        lane_free(&c->lanes[i]);
}

void calibrate_supersede(struct server *s, struct channel *ch, struct store_batch *b)
{
    struct calibration *c = ch->calibration;

    if (!calibration_runs(c))
        return;
    end(s, c, CALIBRATION_SUPERSEDED, "a rollout of the channel was started or halted");
    calibration_put(b, c);
    /* Without memory for its row the batch has none for others either, and its commit fails. */
    (void)add_audit(s, b, c, "server", "calibration.superseded");
}

int calibrate_stop(struct server *s, const struct operator_ref *who, const char *channel,
                   struct err *err)
{
    struct channel *ch = rollouts_channel(s->rollouts, channel);
    struct store_batch *b;
    char why[GATE_REASON_MAX];
    int r;

    if (!ch)
        return err_set(err, ERR_NOT_FOUND, "no channel '%.40s'", channel);
    if (!ch->calibration)
        return err_set(err, ERR_NOT_FOUND, "channel '%s' has had no calibration", channel);
    if (!calibration_runs(ch->calibration))
        return 0;
    b = store_batch_new();
    if (!b)
        return err_set(err, ERR_NOMEM, "no memory to stop a calibration");
    snprintf(why, sizeof why, "stopped by %s", who->name);
    end(s, ch->calibration, CALIBRATION_STOPPED, why);
    calibration_put(b, ch->calibration);
    add_audit(s, b, ch->calibration, who->name, "calibration.stop");
    r = store_commit(s->store, b, err);
    if (r < 0)
        atomic_store(&s->degraded, true);
    return r;
}

/* --- starting --------------------------------------------------------------------------------- */

static int may_start(const struct server *s, const struct channel *ch, struct err *err)
{
    if (calibration_runs(ch->calibration)) {
        err_set(err, ERR_CONFLICT, "a calibration runs on channel '%s'", ch->name);
        return err_remedy(err, "stop it first, or wait for its rounds");
    }
    if (!rollouts_is_running(s, ch->name))
        return 0;
    err_set(err, ERR_CONFLICT, "a rollout of %s runs on channel '%s'", ch->flight->version,
            ch->name);
    return err_remedy(err, "wait until it is complete");
}

/* So much of the fleet may be asked once a fast tick. */
static int64_t budget_ppm(const struct policy *p, int64_t devices)
{
    int64_t tick_ms = p->fast_tick_ms < p->tick_ms ? p->fast_tick_ms : p->tick_ms;
    double share = (double)p->budget_s * (double)tick_ms / 1000 / (double)(devices ? devices : 1);

    if (share >= 1.0)
        return PPM;
    return (int64_t)(share * PPM) > 0 ? (int64_t)(share * PPM) : 1;
}

static int64_t given(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int choose(const struct server *s, const struct calibrate_request *q, struct calibration *c,
                  struct err *err)
{
    int64_t devices = fleet_size(s->fleet), most = budget_ppm(&c->policy, devices);

    c->rounds_wanted = given(q->rounds, ROUNDS);
    c->n_lanes = given(q->lanes, devices <= LANES_FLEET ? LANES : 1);
    c->share_ppm = given(q->share_ppm, PPM);
    c->limit_ms = given(q->limit_s, LIMIT_S) * 1000;
    if (c->share_ppm > most)
        c->share_ppm = most;
    if (c->n_lanes > c->rounds_wanted)
        c->n_lanes = c->rounds_wanted;
    if (c->n_lanes > 1 && c->n_lanes * devices > MAX_ARMS) {
        err_set(err, ERR_TOO_LARGE, "%lld lanes of %lld devices each", (long long)c->n_lanes,
                (long long)devices);
        return err_remedy(err, "use fewer lanes");
    }
    return 0;
}

static int begin_lanes(const struct server *s, struct calibration *c, struct err *err)
{
    int64_t left = c->rounds_wanted - c->n_rounds;
    int r = 0;

    for (int i = 0; i < c->n_lanes; i++)
        left -= c->lanes[i].flight != NULL;
    for (int i = 0; r == 0 && left > 0 && i < c->n_lanes; i++) {
        if (c->lanes[i].flight)
            continue;
        r = lane_begin(s, c, &c->lanes[i], err);
        left--;
    }
    return r;
}

static int make(struct server *s, const struct calibrate_request *q, struct calibration **ret,
                struct err *err)
{
    struct calibration *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return err_set(err, ERR_NOMEM, "no memory for a calibration");
    c->id = s->rollouts->last_calibration + 1;
    c->started_ms = clock_wall_ms(s->clock);
    c->ended_ms = -1;
    c->saved_boot_ms = clock_boot_ms(s->clock);
    snprintf(c->channel, sizeof c->channel, "%s", q->channel);
    snprintf(c->by, sizeof c->by, "%s", q->who->name);
    rand_hex(c->sample, SHA256_LEN);
    r = policy_read(s->config.policies_dir, q->policy ? q->policy : "standard", &c->policy_text,
                    &c->policy, err);
    if (r == 0)
        r = choose(s, q, c, err);
    if (r == 0)
        r = begin_lanes(s, c, err);
    if (r < 0) {
        calibration_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

int calibrate_start(struct server *s, const struct calibrate_request *q, struct err *err)
{
    struct channel *ch = rollouts_channel(s->rollouts, q->channel);
    struct calibration *c = NULL;
    struct store_batch *b;
    int r;

    if (!ch)
        return err_set(err, ERR_NOT_FOUND, "no channel '%.40s'", q->channel);
    r = may_start(s, ch, err);
    if (r == 0)
        r = make(s, q, &c, err);
    if (r < 0)
        return r;
    b = store_batch_new();
    if (!b || add_audit(s, b, c, c->by, "calibration.start") < 0) {
        calibration_free(c);
        store_batch_free(b);
        return err_set(err, ERR_NOMEM, "no memory to start a calibration");
    }
    calibration_put(b, c);
    calibration_free(ch->calibration);
    ch->calibration = c;
    s->rollouts->last_calibration = c->id;
    r = store_commit(s->store, b, err);
    if (r < 0)
        atomic_store(&s->degraded, true);
    if (s->controller)
        controller_wake(s->controller);
    return r;
}

void calibrate_resume(struct server *s, struct calibration *c)
{
    struct err err = {0};

    c->restarts++;
    c->saved_boot_ms = clock_boot_ms(s->clock) - SAVE_MS; /* told at the first tick */
    if (begin_lanes(s, c, &err) < 0) {
        log_error("calibrate", "%s: %s", c->channel, err.msg);
        end(s, c, CALIBRATION_FAILED, err.msg);
    }
}

/* --- check-ins -------------------------------------------------------------------------------- */

/* Events of those who stand in the evidence, once each: for the scenario. */
static void note_events(struct calibration *c, const struct hearing *h)
{
    for (size_t i = 0; i < h->checkin->n_events; i++) {
        const struct event *e = &h->checkin->events[i];

        if (!h->fresh[i])
            continue;
        if (e->kind == EVENT_GOODBYE)
            ++*(goodbye_is_away(e->cause) ? &c->rates.goodbyes : &c->rates.reboots);
        if (e->kind != EVENT_CRASH || strcmp(e->channel, c->channel) != 0)
            continue;
        c->rates.crashes++;
        c->rates.consumer_crashes += strcmp(e->cause, "consumer") == 0;
    }
}

static int64_t hear(struct calibration *c, const struct device *d, const struct hearing *h,
                    bool permitted, int64_t usual_ms)
{
    if (!calibration_samples(c, d))
        return usual_ms;
    if (!d->no_evidence)
        note_events(c, h);
    for (int i = 0; i < c->n_lanes; i++)
        usual_ms = lane_hear(&c->lanes[i], d, h, permitted, usual_ms);
    return usual_ms;
}

int64_t calibrate_hear(struct channel *ch, const struct device *d, const struct hearing *h,
                       bool permitted, int64_t usual_ms)
{
    struct calibration *c = ch->calibration;

    return calibration_runs(c) ? hear(c, d, h, permitted, usual_ms) : usual_ms;
}

static bool speaks_of(const struct checkin *c, const char *channel)
{
    for (size_t i = 0; i < c->n_channels; i++)
        if (strcmp(c->channels[i].channel, channel) == 0)
            return true;
    return false;
}

void calibrate_hear_others(struct server *s, const struct device *d, const struct hearing *h)
{
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct calibration *c = s->rollouts->channels[i].calibration;

        if (calibration_runs(c) && !speaks_of(h->checkin, c->channel))
            hear(c, d, h, false, 0);
    }
}

int64_t calibrate_put_off(struct server *s, const struct device *d, int64_t usual_ms)
{
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct calibration *c = s->rollouts->channels[i].calibration;

        for (int k = 0; calibration_runs(c) && k < c->n_lanes; k++)
            usual_ms = lane_put_off(&c->lanes[k], d, usual_ms);
    }
    return usual_ms;
}

void calibrate_alive(struct server *s, const struct device *d)
{
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct calibration *c = s->rollouts->channels[i].calibration;

        for (int k = 0; calibration_runs(c) && k < c->n_lanes; k++)
            lane_alive(&c->lanes[k], d);
    }
}

/* --- ticks ------------------------------------------------------------------------------------ */

static void saved(void *ctx, int r, const struct err *err)
{
    struct server *s = ctx;

    (void)err;
    if (r < 0)
        atomic_store(&s->degraded, true);
}

/* Nobody waits for it. */
static void save(struct server *s, struct calibration *c, struct store_batch *b)
{
    c->saved_boot_ms = clock_boot_ms(s->clock);
    calibration_put(b, c);
    store_submit(s->store, b, saved, s);
}

static int finish_round(struct server *s, struct calibration *c, struct lane *l,
                        struct store_batch *b, struct err *err)
{
    struct round *r = &l->round;

    r->number = c->n_rounds + 1;
    r->ended_ms = clock_wall_ms(s->clock);
    if (calibration_add_round(c, r) < 0)
        return err_set(err, ERR_NOMEM, "no memory for a round");
    calibration_put_round(b, c, r);
    if (r->halted)
        log_warn("calibrate", "%s: round %lld would have halted: %s", c->channel,
                 (long long)r->number, r->halt);
    lane_free(l);
    if (c->n_rounds < c->rounds_wanted)
        return begin_lanes(s, c, err);
    end(s, c, CALIBRATION_DONE, "");
    (void)add_audit(s, b, c, "server", "calibration.done");
    return 0;
}

static void fail(struct server *s, struct calibration *c, struct store_batch *b,
                 const struct err *err)
{
    log_error("calibrate", "%s: %s", c->channel, err->msg);
    end(s, c, CALIBRATION_FAILED, err->msg);
    (void)add_audit(s, b, c, "server", "calibration.failed");
}

static int64_t tick(struct server *s, struct calibration *c)
{
    struct store_batch *b = store_batch_new();
    int64_t next_ms = REST_MS;
    bool news = clock_boot_ms(s->clock) - c->saved_boot_ms >= SAVE_MS;
    struct err err = {0};
    int r = b ? 0 : err_set(&err, ERR_NOMEM, "no memory for a tick");

    for (int i = 0; r == 0 && calibration_runs(c) && i < c->n_lanes; i++) {
        struct lane *l = &c->lanes[i];
        bool ended;
        int64_t ms;

        if (!l->flight)
            continue;
        r = lane_tick(s, c, l, i == 0 ? &c->rates : NULL, &ms, &ended, &err);
        if (r == 0 && ended) {
            r = finish_round(s, c, l, b, &err);
            news = true;
            ms = 0;
        }
        next_ms = r == 0 && ms < next_ms ? ms : next_ms;
    }
    if (r < 0)
        fail(s, c, b, &err);
    if (b && (news || r < 0))
        save(s, c, b);
    else
        store_batch_free(b);
    return next_ms;
}

int64_t calibrate_tick(struct server *s)
{
    int64_t next_ms = REST_MS;

    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct channel *ch = &s->rollouts->channels[i];
        int64_t ms =
            !ch->gone && calibration_runs(ch->calibration) ? tick(s, ch->calibration) : REST_MS;

        next_ms = ms < next_ms ? ms : next_ms;
    }
    return next_ms;
}
