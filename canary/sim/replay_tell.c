#include "replay_tell.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "text.h"

/* ---- what changed ---- */

struct change {
    enum verdict verdict;
    const struct gate_reason *reason; /* NULL: none stands */
    const char *scope, *why;
};

static bool concerns(const struct topology *t, const struct gate_reason *g, const bool *halted)
{
    for (int c = 0; c < t->n_cohorts; c++)
        if (halted[c] && topology_in_node(t, g->node, c))
            return true;
    return false;
}

static bool any_halted(const struct topology *t, const bool *halted)
{
    for (int c = 0; c < t->n_cohorts; c++)
        if (halted[c])
            return true;
    return false;
}

/* The worst reason of this verdict; of a halt one that is about what was halted just now. */
static const struct gate_reason *reason_of(const struct replay *r, enum verdict verdict)
{
    const struct topology *t = &r->rollout->topology;
    const struct rollout_decision *d = &r->decision;

    for (int i = 0; i < d->n_reasons; i++) {
        const struct gate_reason *g = &d->reasons[i];

        if (g->verdict == verdict && (verdict != VERDICT_HALT || concerns(t, g, d->newly_halted)))
            return g;
    }
    return NULL;
}

/* False where all stays as it was; once all is halted nothing more comes of it. */
static bool find_change(struct replay_teller *t, const struct replay *r, struct change *ret)
{
    const struct rollout_decision *d = &r->decision;
    bool whole = record_head(r->record)->whole;
    bool asks = whole && r->rollout->asks, paused = r->rollout->gate.pause_ticks > 0;
    enum verdict holds = d->verdict == VERDICT_PROMOTE ? VERDICT_WAIT : d->verdict;
    bool halts = any_halted(&r->rollout->topology, d->newly_halted);
    bool changed = halts || d->opened || d->completed || holds != t->verdict || asks != t->asks ||
                   paused != t->paused;

    ret->verdict = holds;
    if (halts)
        ret->verdict = VERDICT_HALT;
    else if (d->opened || d->completed)
        ret->verdict = VERDICT_PROMOTE;
    else if (asks && !t->asks)
        ret->verdict = VERDICT_ASK;
    else if (paused && !t->paused)
        ret->verdict = VERDICT_PAUSE;
    else if (holds == VERDICT_HALT) /* a question or a pause beside it is over */
        ret->verdict = VERDICT_WAIT;
    ret->reason = reason_of(r, ret->verdict);
    ret->scope = d->halts_all || !ret->reason
                     ? "fleet"
                     : topology_node_name(&r->rollout->topology, ret->reason->node);
    ret->why = ret->reason    ? ret->reason->text
               : d->stands[0] ? d->stands
                              : "nothing stands against it any more";
    t->verdict = holds;
    t->asks = asks;
    t->paused = paused;
    return changed && (halts || !r->rollout->all_halted);
}

/* ---- for programs ---- */

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* Takes the reference. */
static int put(const struct replay_teller *t, json_t *line, struct err *err)
{
    int bad = line ? json_dumpf(line, t->out, JSON_COMPACT) : -1;

    json_decref(line);
    if (!line)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (bad < 0 || fputc('\n', t->out) == EOF)
        return err_set(err, ERR_IO, "write the replay's lines");
    return 0;
}

static json_t *halted_names(const struct topology *t, const bool *halted)
{
    json_t *a = json_array();

    for (int c = 0; c < t->n_cohorts; c++)
        if (halted[c])
            json_array_append_new(a, json_string(t->cohorts[c].name));
    return a;
}

static int put_change(const struct replay_teller *t, const struct replay *r, const struct change *c,
                      struct err *err)
{
    static const struct gate_reason none = {.metric = -1};
    const struct topology *top = &r->rollout->topology;
    const struct gate_reason *g = c->reason ? c->reason : &none;
    bool tested = g->metric >= 0 && g->verdict != VERDICT_PAUSE;

    return put(
        t,
        json_pack(
            "{s:I, s:s, s:s, s:s?, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:i, s:o}", "tick",
            (json_int_t)r->tick, "verdict", verdict_name(c->verdict), "scope", c->scope, "metric",
            g->metric >= 0 ? policy_metric_name(&r->rollout->policy, (enum metric)g->metric) : NULL,
            "node", topology_node_name(top, g->node), "log_e",
            tested ? number(g->log_e) : json_null(), "threshold",
            tested || g->threshold > 0.0 ? number(g->threshold) : json_null(), "reason", c->why,
            "nT", (json_int_t)g->n_t, "fT", (json_int_t)g->f_t, "nC", (json_int_t)g->n_c, "fC",
            (json_int_t)g->f_c, "ring", r->rollout->ring, "halted",
            halted_names(top, r->decision.newly_halted)),
        err);
}

static json_t *row_json(const struct replay *r, int node, enum metric m)
{
    const struct rollout *ro = r->rollout;
    const struct gate_sums *s = &ro->gate.sums[m][node];

    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "node",
                     topology_node_name(&ro->topology, node), "metric",
                     policy_metric_name(&ro->policy, m), "log_e", number(ro->gate.log_e[m][node]),
                     "threshold",
                     number(gate_threshold(&ro->policy, &ro->topology, node, m, ro->policy.alpha)),
                     "nT", (json_int_t)s->n_t, "fT", (json_int_t)s->f_t, "nC", (json_int_t)s->n_c,
                     "fC", (json_int_t)s->f_c, "forgiven", (json_int_t)ro->gate.forgiven[m][node]);
}

static json_t *rows_json(const struct replay *r)
{
    json_t *a = json_array();

    for (int node = 0; node < topology_nodes(&r->rollout->topology); node++)
        for (int m = 0; m < policy_metrics(&r->rollout->policy) &&
                        topology_has_node(&r->rollout->topology, node);
             m++)
            json_array_append_new(a, row_json(r, node, (enum metric)m));
    return a;
}

#define OTHER_EXPOSURE                                                                             \
    "judged by another policy than it was made with; who was exposed is as recorded, and what "    \
    "this "                                                                                        \
    "policy's own exposure would have shown is not known"

static int put_final(const struct replay_teller *t, const struct replay *r, bool own_policy,
                     struct err *err)
{
    const struct rollout *ro = r->rollout;
    const struct record_head *head = record_head(r->record);
    json_t *recorded =
        r->compared
            ? json_pack("{s:s, s:I, s:I, s:o}", "policy", head->policy_name, "ticks",
                        (json_int_t)r->compared, "differ", (json_int_t)r->differ, "first_differs",
                        r->differ ? json_integer(r->first_differs) : json_null())
            : json_null();
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:{s:s, s:I}, s:b, s:o, s:o, s:o, s:o}", "verdict",
                  verdict_name(replay_ends_halted(r) ? VERDICT_HALT : r->decision.verdict), "tick",
                  (json_int_t)r->tick, "ticks", (json_int_t)r->judged, "policy", "name",
                  ro->policy.name, "version", (json_int_t)ro->policy.version, "halted_all",
                  ro->all_halted, "halted", halted_names(&ro->topology, ro->halted), "complete",
                  head->whole ? json_boolean(ro->complete) : json_null(), "recorded", recorded,
                  "log_e", rows_json(r));

    if (o && !own_policy)
        json_object_set_new(o, "note", json_string(OTHER_EXPOSURE));
    return put(t, o ? json_pack("{s:o}", "final", o) : NULL, err);
}

/* ---- for people ---- */

/* Names and sentences quote the file: nothing in them commands the terminal. */
static const char *safe(const char *s, char *ret, size_t size)
{
    snprintf(ret, size, "%s", s);
    utf8_make_line(ret);
    return ret;
}

static void print_change(struct replay_teller *t, const struct replay *r, const struct change *c)
{
    char scope[GATE_NAME_MAX], why[GATE_REASON_MAX], log_e[16] = "-", needed[16] = "-";
    const struct gate_reason *g = c->reason;
    bool tested = g && g->metric >= 0 && g->verdict != VERDICT_PAUSE;

    if (!t->headed)
        fprintf(t->out, "%8s  %-7s  %-24s  %-6s  %7s  %7s  %s\n", "tick", "verdict", "scope",
                "metric", "log E", "needed", "why");
    t->headed = true;
    if (tested)
        snprintf(log_e, sizeof(log_e), "%.2f", g->log_e);
    if (tested)
        snprintf(needed, sizeof(needed), "%.2f", g->threshold);
    fprintf(t->out, "%8lld  %-7s  %-24s  %-6s  %7s  %7s  %s\n", (long long)r->tick,
            verdict_name(c->verdict), safe(c->scope, scope, sizeof(scope)),
            g && g->metric >= 0 ? policy_metric_name(&r->rollout->policy, (enum metric)g->metric)
                                : "-",
            log_e, needed, safe(c->why, why, sizeof(why)));
}

/* The fleet's, and whatever speaks against the release; all rows are in JSON. */
static void print_row(FILE *out, const struct replay *r, int node, enum metric m)
{
    const struct rollout *ro = r->rollout;
    char line[GATE_REASON_MAX], shown[GATE_REASON_MAX];

    if (node > 0 && !(ro->gate.log_e[m][node] > 0.0))
        return;
    if (gate_say_metric(&ro->gate, &ro->policy, &ro->topology, node, m, line, sizeof(line)))
        fprintf(out, "  %s\n", safe(line, shown, sizeof(shown)));
}

static void print_end(FILE *out, const struct replay *r)
{
    const struct rollout *ro = r->rollout;
    char why[GATE_REASON_MAX];

    fprintf(out, "%lld tick%s judged by policy %s: ", (long long)r->judged,
            r->judged == 1 ? "" : "s", ro->policy.name);
    if (ro->all_halted)
        fprintf(out, "halted everywhere");
    else if (replay_ends_halted(r))
        fprintf(out, "halted in part, see above");
    else
        fprintf(out, "ends with %s", verdict_name(r->decision.verdict));
    if (record_head(r->record)->whole)
        fprintf(out, "; %s", safe(r->decision.stands, why, sizeof(why)));
    fprintf(out, "\n");
}

static void print_compared(FILE *out, const struct replay *r, bool own_policy)
{
    if (r->compared > 0 && r->differ == 0)
        fprintf(out, "All %lld decisions are as they were recorded.\n", (long long)r->compared);
    else if (r->compared > 0)
        fprintf(out, "%lld of %lld decisions differ from the recorded ones, first in tick %lld.\n",
                (long long)r->differ, (long long)r->compared, (long long)r->first_differs);
    if (!own_policy)
        fprintf(out, "Note: %s.\n", OTHER_EXPOSURE);
}

static void print_final(const struct replay_teller *t, const struct replay *r, bool own_policy)
{
    const struct topology *top = &r->rollout->topology;

    if (t->headed)
        fprintf(t->out, "\n");
    print_end(t->out, r);
    print_compared(t->out, r, own_policy);
    fprintf(t->out, "Evidence at the end, log E of the threshold of a halt; below the fleet what "
                    "is above 0:\n");
    for (int node = 0; node < topology_nodes(top); node++)
        for (int m = 0; m < policy_metrics(&r->rollout->policy) && topology_has_node(top, node);
             m++)
            print_row(t->out, r, node, (enum metric)m);
}

/* ---- either ---- */

bool replay_ends_halted(const struct replay *r)
{
    return any_halted(&r->rollout->topology, r->rollout->halted);
}

static int check_written(FILE *out, struct err *err)
{
    return ferror(out) ? err_set(err, ERR_IO, "write the replay") : 0;
}

int replay_tell(struct replay_teller *t, const struct replay *r, struct err *err)
{
    struct change c;

    if (!find_change(t, r, &c))
        return 0;
    if (t->json)
        return put_change(t, r, &c, err);
    print_change(t, r, &c);
    return check_written(t->out, err);
}

int replay_tell_final(struct replay_teller *t, const struct replay *r, bool own_policy,
                      struct err *err)
{
    if (t->json)
        return put_final(t, r, own_policy, err);
    print_final(t, r, own_policy);
    return check_written(t->out, err);
}
