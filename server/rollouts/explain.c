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

/* "3 crashed, 2 rolled back" of what is not 0; false where all is. */
static bool list_trouble(const json_t *status, char *ret, size_t size)
{
    static const struct {
        const char *key, *words;
    } rows[] = {{"preflight_failed", "failed their preflight"},
                {"crashed", "crashed"},
                {"rolled_back", "rolled back"},
                {"silent", "fell silent"},
                {"recalled", "went back on a recall"}};
    size_t len = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t n = number(status, "counts", rows[i].key);

        if (n > 0 && len < size)
            len += (size_t)snprintf(ret + len, size - len, "%s%" PRId64 " %s", len ? ", " : "", n,
                                    rows[i].words);
    }
    return len > 0;
}

static void say_arms(json_t *lines, const json_t *status, const struct flight *f)
{
    int64_t admitted = number(status, "counts", "admitted");
    int64_t controls = number(status, "counts", "controls");
    char trouble[200];

    say(lines,
        "%" PRId64 " of %" PRId64 " devices have been given it; %" PRId64 " run it healthily.",
        admitted, number(status, "counts", "fleet"), number(status, "counts", "healthy"));
    if (list_trouble(status, trouble, sizeof trouble))
        say(lines, "Of those that were given it, %s.", trouble);
    else if (admitted > 0)
        say(lines, "None of them crashed, rolled back, fell silent or failed its preflight.");
    if (controls > 0)
        say(lines,
            "%" PRId64 " are ready and wait by their draw alone: they are the controls, with which "
            "the others are compared.",
            controls);
    else if (admitted > 0 && flight_is_open(f) && f->state != ROLLOUT_COMPLETE)
        say(lines, "Nobody is ready and waits: there is nobody to compare with at present.");
}

/* True where the reason is told already. */
static bool is_told(const struct rollout_decision *d, int node, int metric)
{
    for (int i = 0; i < d->n_reasons; i++)
        if (d->reasons[i].node == node && d->reasons[i].metric == metric &&
            d->reasons[i].verdict != VERDICT_PAUSE)
            return true;
    return false;
}

/* Some, but not more than the limit. As in the gate, a halted cohort speaks for itself only. */
static void say_direct(json_t *lines, const struct flight *f, const json_t *status)
{
    const struct rollout *r = &f->gate;
    int64_t admitted = 0, direct = 0;
    const json_t *cohort;
    size_t i;

    json_array_foreach (json_object_get(status, "cohorts"), i, cohort) {
        if (json_is_true(json_object_get(cohort, "halted")))
            continue;
        admitted += json_integer_value(json_object_get(cohort, "admitted"));
        direct += json_integer_value(json_object_get(cohort, "direct"));
    }
    if (direct > 0 && !is_told(&f->last, 0, -1))
        say(lines,
            "Direct evidence: %" PRId64 " of %" PRId64
            " admitted refused it or rolled back and blame it; more than %" PRId64 " halt it.",
            direct, admitted,
            gate_direct_limit(&r->policy, &r->topology, 0, admitted, r->gate.control_crash[0]));
}

/* What both arms have shown so far, fleet-wide, whatever the verdict. */
static void say_evidence(json_t *lines, const struct flight *f)
{
    const struct rollout *r = &f->gate;
    char line[GATE_REASON_MAX];
    bool any = false;

    for (int i = 0; i < f->last.n_reasons; i++)
        any |= f->last.reasons[i].metric >= 0 && f->last.reasons[i].verdict != VERDICT_PAUSE;
    for (int m = 0; m < policy_metrics(&f->gate.policy); m++) {
        if (is_told(&f->last, 0, m) || !gate_say_metric(&r->gate, &r->policy, &r->topology, 0,
                                                        (enum metric)m, line, sizeof line))
            continue;
        say(lines, "%s.", line);
        any = true;
    }
    for (int n = 0; flight_is_open(f) && f->state != ROLLOUT_COMPLETE &&
                    rollout_say_margin(r, n, line, sizeof line);
         n++)
        say(lines, "To leave this ring: %s.", line);
    if (any)
        say(lines,
            "log E grows while the treated fail more than the controls do, beyond what chance "
            "explains; the second number is what it takes.");
}

/* The strongest evidence of a cohort by itself; false where none speaks against the release. */
static bool say_worst(const struct rollout *r, int cohort, char *ret, size_t size)
{
    int node = TOPOLOGY_COHORT_NODE + cohort, worst = -1;

    for (int m = 0; m < policy_metrics(&r->policy); m++)
        if (r->gate.log_e[m][node] > (worst < 0 ? 0.0 : r->gate.log_e[worst][node]))
            worst = m;
    return worst >= 0 &&
           gate_say_metric(&r->gate, &r->policy, &r->topology, node, (enum metric)worst, ret, size);
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
    bool some = false;

    for (int c = 0; c < t->n_cohorts; c++) {
        char why[GATE_REASON_MAX];

        if (!f->gate.halted[c] || f->gate.all_halted)
            continue;
        some = true;
        if (say_worst(&f->gate, c, why, sizeof why))
            say(lines, "Halted and recalled on %s. %s.", t->cohorts[c].name, why);
        else
            say(lines, "Halted and recalled on %s.", t->cohorts[c].name);
    }
    if (some && f->state != ROLLOUT_HALTED)
        say(lines, "The other platforms go on; three halted ones would halt all.");
}

static void say_running(json_t *lines, const struct flight *f)
{
    bool warned = false;

    for (int i = 0; i < f->last.n_reasons; i++)
        warned |= f->last.reasons[i].verdict == VERDICT_WARN;
    if (f->gate.asks) {
        say(lines,
            "Nobody is admitted until a person decides: 'firebreak rollout halt %s/%s --reason "
            "TEXT' or 'firebreak rollout promote %s/%s'.",
            f->channel, f->version, f->channel, f->version);
        return;
    }
    say(lines,
        "Permits are given as the gate allows%s; the next tick is at most %" PRId64 " s away.",
        warned ? ", but this ring does not end while a warning stands" : "",
        (f->tick_ms + 999) / 1000);
}

static void say_state(json_t *lines, const struct channel *ch, const json_t *status)
{
    const struct flight *f = ch->flight;

    switch (f->state) {
    case ROLLOUT_RUNNING:
        say_running(lines, f);
        break;
    case ROLLOUT_PAUSED:
        say(lines,
            "Nobody is admitted; admission resumes by itself once controls are heard again.");
        break;
    case ROLLOUT_HALTED:
        say(lines,
            "It is stopped and recalled everywhere; devices that have it go back, %" PRId64
            " have said so. Publish a repaired release with a higher sequence number.",
            number(status, "counts", "recalled") + number(status, "counts", "rolled_back"));
        break;
    case ROLLOUT_COMPLETE:
        say(lines,
            "It is this channel's baseline. Devices that come back late still pass the gate.");
        break;
    case ROLLOUT_SUPERSEDED:
        say(lines, "A newer release has taken its place.");
        break;
    }
    if (f->gate.unproven > 0)
        say(lines,
            "%d ring%s left without the proof that the policy asks for, by its rule for fleets "
            "that cannot give it.",
            f->gate.unproven, f->gate.unproven == 1 ? " was" : "s were");
    if (ch->approval_by[0])
        say(lines, "%s asked to open the next ring; a second person, an approver, has to agree.",
            ch->approval_by);
}

/* "complete: 9 of 9 admitted" is not told as "is complete: complete: ...", nor "halted by ann: ..."
 * as "is halted: halted by ann". */
static void say_standing(json_t *lines, const struct flight *f)
{
    const char *state = rollout_state_name(f->state), *stands = f->last.stands;
    size_t len = strlen(state);
    bool repeats = strncmp(stands, state, len) == 0;

    if (f->state == ROLLOUT_RUNNING && f->gate.asks)
        say(lines, "%s/%s waits for a person: %s", f->channel, f->version, stands);
    else if (repeats && (stands[len] == ':' || stands[len] == ' '))
        say(lines, "%s/%s is %s", f->channel, f->version, stands);
    else
        say(lines, "%s/%s is %s: %s", f->channel, f->version, state, stands);
}

/* "30 s", "12 min", "5.3 h": how long is not read from seconds. */
static void say_policy(json_t *lines, const struct flight *f, const struct clock *clock)
{
    int64_t s = flight_elapsed_ms(f, clock) / 1000;
    char ring[96], age[32];

    rollout_ring_name(&f->gate, f->gate.ring, ring, sizeof ring);
    if (s < 120)
        snprintf(age, sizeof age, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(age, sizeof age, "%" PRId64 " min", s / 60);
    else
        snprintf(age, sizeof age, "%.1f h", (double)s / 3600.0);
    say(lines, "Started by %s; %s and %" PRId64 " ticks in, by policy %s: %s.", f->by, age, f->tick,
        f->policy_name, ring);
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
    say_policy(lines, ch->flight, s->clock);
    for (int i = 0; i < ch->flight->last.n_reasons; i++)
        if (!strstr(ch->flight->last.stands, ch->flight->last.reasons[i].text))
            say(lines, "%s: %s", verdict_name(ch->flight->last.reasons[i].verdict),
                ch->flight->last.reasons[i].text);
    say_arms(lines, status, ch->flight);
    say_direct(lines, ch->flight, status);
    say_evidence(lines, ch->flight);
    say_tracking(lines, ch->flight);
    say_scope(lines, ch->flight);
    say_state(lines, ch, status);
    json_object_set_new(status, "text", lines);
    json_object_set_new(status, "history", flight_history(ch->flight));
    *ret = status;
    return 0;
}
