/* explain: a rollout in plain words: what stands, the numbers behind it, what happens next. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rollouts/rollouts_internal.h"

static void say(json_t *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(json_t *lines, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    json_array_append_new(lines, json_string(line));
}

static int64_t number(const json_t *status, const char *group, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(status, group), key));
}

static void say_arms(json_t *lines, const json_t *status)
{
    say(lines,
        "%" PRId64 " of %" PRId64 " devices have been given it; %" PRId64 " run it healthily.",
        number(status, "counts", "admitted"), number(status, "counts", "fleet"),
        number(status, "counts", "healthy"));
    say(lines,
        "Of those, %" PRId64 " failed their preflight, %" PRId64 " crashed, %" PRId64
        " rolled back, %" PRId64 " fell silent, %" PRId64 " went back on a recall.",
        number(status, "counts", "preflight_failed"), number(status, "counts", "crashed"),
        number(status, "counts", "rolled_back"), number(status, "counts", "silent"),
        number(status, "counts", "recalled"));
    say(lines, "%" PRId64 " are ready and wait by their draw alone: they are the controls.",
        number(status, "counts", "controls"));
}

/* What both arms have shown so far, fleet-wide, whatever the verdict. */
static void say_evidence(json_t *lines, const struct flight *f)
{
    const struct rollout *r = &f->gate;
    char line[GATE_REASON_MAX];

    for (int m = 0; m < N_METRICS; m++)
        if (gate_say_metric(&r->gate, &r->policy, &r->topology, 0, (enum metric)m, line,
                            sizeof line))
            say(lines, "%s.", line);
}

static void say_tracking(json_t *lines, const struct flight *f)
{
    if (f->track_ppm < PPM)
        say(lines,
            "%g %% of the devices are compared by silence: more would check in more than %" PRId64
            " times a second (budget_s).",
            (double)f->track_ppm * 100 / PPM, f->gate.policy.budget_s);
}

static void say_scope(json_t *lines, const struct flight *f)
{
    const struct topology *t = &f->gate.topology;

    for (int c = 0; c < t->n_cohorts; c++)
        if (f->gate.halted[c] && !f->gate.all_halted)
            say(lines, "Halted and recalled on %s.", t->cohorts[c].name);
}

static void say_state(json_t *lines, const struct channel *ch)
{
    const struct flight *f = ch->flight;

    switch (f->state) {
    case ROLLOUT_RUNNING:
        if (f->gate.asks) {
            say(lines, "Nobody is admitted until a person decides: promote it, or halt it.");
            break;
        }
        say(lines,
            "Permits are given as the gate allows; the next tick is at most %" PRId64 " s away.",
            (f->tick_ms + 999) / 1000);
        break;
    case ROLLOUT_PAUSED:
        say(lines,
            "Nobody is admitted; admission resumes by itself once controls are heard again.");
        break;
    case ROLLOUT_HALTED:
        say(lines, "It is stopped and recalled everywhere; devices that have it go back. Publish a "
                   "repaired release with a higher sequence number.");
        break;
    case ROLLOUT_COMPLETE:
        say(lines,
            "It is this channel's baseline. Devices that come back late still pass the gate.");
        break;
    case ROLLOUT_SUPERSEDED:
        say(lines, "A newer release has taken its place.");
        break;
    }
    if (ch->approval_by[0])
        say(lines, "%s asked to open the next ring; a second person, an approver, has to agree.",
            ch->approval_by);
}

/* "complete: 9 of 9 admitted" is not told as "is complete: complete: ...". */
static void say_standing(json_t *lines, const struct flight *f)
{
    const char *state = rollout_state_name(f->state), *stands = f->last.stands;
    size_t len = strlen(state);

    if (strncmp(stands, state, len) == 0 && strncmp(stands + len, ": ", 2) == 0)
        stands += len + 2;
    say(lines, "%s/%s is %s: %s", f->channel, f->version, state, stands);
}

int rollouts_explain(struct server *s, const char *channel, json_t **ret, struct err *err)
{
    json_t *status, *lines = json_array();
    const struct channel *ch;
    int r = rollouts_status(s, channel, &status, err);

    if (r < 0) {
        json_decref(lines);
        return r;
    }
    ch = rollouts_channel(s->rollouts, channel);
    say_standing(lines, ch->flight);
    for (int i = 0; i < ch->flight->last.n_reasons; i++)
        if (!strstr(ch->flight->last.stands, ch->flight->last.reasons[i].text))
            say(lines, "%s: %s", verdict_name(ch->flight->last.reasons[i].verdict),
                ch->flight->last.reasons[i].text);
    say_arms(lines, status);
    say_evidence(lines, ch->flight);
    say_tracking(lines, ch->flight);
    say_scope(lines, ch->flight);
    say_state(lines, ch);
    json_object_set_new(status, "text", lines);
    json_object_set_new(status, "history", flight_history(ch->flight));
    *ret = status;
    return 0;
}
