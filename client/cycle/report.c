/* report: see report.h. */
#include "cycle/report.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "state/spool.h"
#include "apply/stage.h"
#include "apply/tree.h"

void report_init(struct report *rp)
{
    memset(rp, 0, sizeof *rp);
    rand_hex(rp->epoch, sizeof rp->epoch / 2);
    buf_init(&rp->body, CHECKIN_MAX);
}

void report_release(struct report *rp)
{
    buf_release(&rp->body);
}

const struct permit_request *report_asked(const struct report *rp, const char *channel)
{
    for (size_t i = 0; i < rp->n_asked; i++)
        if (rp->asked[i].digest[0] && strcmp(rp->asked[i].channel, channel) == 0)
            return &rp->asked[i];
    return NULL;
}

void report_forget(struct report *rp)
{
    buf_reset(&rp->body);
    rp->n_sent = 0;
}

int report_acknowledge(struct report *rp, const struct agent *a, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < rp->n_sent; i++)
        r = spool_remove(a->config.state_dir, rp->sent[i], err);
    report_forget(rp);
    return r;
}

static void ask(struct report *rp, const struct agent *a, const struct state *s,
                const struct stage_choice *choice, struct checkin_channel *ret)
{
    struct permit_request *q = &rp->asked[rp->n_asked++];

    ret->has_ready = true;
    memcpy(ret->ready, choice->want.digest, sizeof ret->ready);
    rand_hex(ret->nonce, NONCE_LEN / 2);
    ret->pace_wait_s = choice->pace_wait_s;
    memset(q, 0, sizeof *q);
    memcpy(q->device, a->identity.device, sizeof q->device);
    memcpy(q->channel, ret->channel, sizeof q->channel);
    memcpy(q->digest, ret->ready, sizeof q->digest);
    memcpy(q->nonce, ret->nonce, sizeof q->nonce);
    q->snapshot_version = s->snapshot_version;
    memcpy(q->boot_id, a->boot_id, sizeof q->boot_id);
    q->made_boot_ms = clock_boot_ms(a->clock);
}

static void fill_running(const struct agent *a, const struct state *s, struct state_channel *c,
                         struct checkin_channel *ret)
{
    const struct state_release *r = state_release(c, c->current);

    memcpy(ret->running, c->current, sizeof ret->running);
    if (!r)
        return;
    ret->running_since_s = state_awake_s(s, &a->place) - r->since_s;
    if (ret->running_since_s < 0)
        ret->running_since_s = 0;
    ret->boots = r->boots;
    ret->crashes = r->crashes;
}

static void fill_from_link(const struct agent *a, struct checkin_channel *ret)
{
    char name[TREE_NAME_MAX];

    if (tree_link(a->config.state_dir, ret->channel, "current", name, NULL) == 0)
        snprintf(ret->running, sizeof ret->running, "%.64s", name);
}

/* What the consumer wrote since the last request. That it cannot be read is told to the owner, and
 * keeps no device from checking in. */
static void fill_figures(struct report *rp, const struct agent *a, size_t i,
                         struct checkin_channel *ret)
{
    const char *path = a->config.channels[i].figures;

    if (path)
        figures_file_read(&rp->figures[i], path, &ret->figures, &rp->figures_err);
}

static int fill_channel(struct report *rp, const struct agent *a, struct state *s,
                        const struct config_channel *conf, bool may_ask, const char *hold,
                        struct checkin_channel *ret, struct err *err)
{
    struct state_channel *c = state_channel(s, conf->name);
    struct stage_choice choice;

    /* What is wrong here must not make the device look dead: it checks in, and asks for nothing. */
    if (stage_choose(a, s, conf, &choice, err) < 0)
        choice = (struct stage_choice){.hold = "local-error"};
    snprintf(ret->channel, sizeof ret->channel, "%s", conf->name);
    ret->ring = a->config.ring;
    ret->snapshot_version = s->snapshot_version;
    if (c)
        fill_running(a, s, c, ret);
    if (s->lost) /* what is installed goes on running: say so */
        fill_from_link(a, ret);
    /* A soak that goes on is not a hold: it is what the server waits for. */
    if (strcmp(choice.hold, "unsoaked") != 0)
        memcpy(ret->hold, choice.hold, sizeof ret->hold);
    if (!ret->hold[0] && hold)
        snprintf(ret->hold, sizeof ret->hold, "%s", hold);
    if (may_ask && !choice.hold[0] && !(hold && *hold) && choice.want.digest[0] &&
        !choice.refusal[0] && choice.staged)
        ask(rp, a, s, &choice, ret);
    return 0;
}

static int fill_events(struct report *rp, const struct agent *a, struct checkin *c, struct err *err)
{
    int r = spool_read(a->config.state_dir, c->events, CHECKIN_MAX_EVENTS, &c->n_events, err);

    rp->n_sent = c->n_events;
    for (size_t i = 0; r == 0 && i < c->n_events; i++)
        memcpy(rp->sent[i], c->events[i].id, sizeof rp->sent[i]);
    return r;
}

/* As many of the events as fit; the rest goes next time. */
static int dump(struct report *rp, struct checkin *c, struct err *err)
{
    size_t all = c->n_events;
    int r;

    do {
        r = checkin_dump(c, &rp->body, err);
    } while (r == -ERR_TOO_LARGE && c->n_events > 0 && c->n_events-- > 0);
    rp->n_sent = c->n_events;
    c->n_events = all; /* to be freed */
    return r;
}

int report_make(struct report *rp, const struct agent *a, bool may_ask, const char *const *holds,
                struct err *err)
{
    _cleanup_(checkin_free_p)
    struct checkin *c = NULL;
    _cleanup_(free_p)
    struct state *s = NULL;
    int64_t now = clock_boot_ms(a->clock);
    int r;

    if (rp->body.len && now - rp->made_ms < REPORT_RESEND_MS)
        return 0;
    report_forget(rp);
    rp->n_asked = 0;
    rp->figures_err = (struct err){0};
    c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory while making a check-in");
    r = state_load(&a->place, &s, err);
    if (r == 0)
        r = agent_machine(a, a->identity.device, c->machine, err);
    for (size_t i = 0; r == 0 && i < a->config.n_channels; i++, c->n_channels++)
        r = fill_channel(rp, a, s, &a->config.channels[i], may_ask, holds[i], &c->channels[i], err);
    for (size_t i = 0; r == 0 && i < c->n_channels; i++)
        fill_figures(rp, a, i, &c->channels[i]);
    if (r == 0)
        r = fill_events(rp, a, c, err);
    if (r < 0)
        return r;
    memcpy(c->device, a->identity.device, sizeof c->device);
    memcpy(c->epoch, rp->epoch, sizeof c->epoch);
    c->number = ++rp->number;
    snprintf(c->agent, sizeof c->agent, "%s", FIREBREAK_VERSION);
    c->platform = a->platform;
    memcpy(c->boot_id, a->boot_id, sizeof c->boot_id);
    c->awake_s = clock_awake_ms(a->clock) / 1000;
    c->preflight_s = config_preflight_s(&a->config);
    rp->made_ms = now;
    r = dump(rp, c, err);
    return err_context(err, r, "make a check-in");
}
