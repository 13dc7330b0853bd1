#include "facts_json.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "field.h"
#include "pace.h"

/* X(member) of struct cohort_facts; also the keys. */
#define COHORT_FACTS(X)                                                                            \
    X(ready)                                                                                       \
    X(late)                                                                                        \
    X(staging)                                                                                     \
    X(passed_away)                                                                                 \
    X(admitted)                                                                                    \
    X(healthy)                                                                                     \
    X(healthy_slow)                                                                                \
    X(excused)                                                                                     \
    X(overdue)                                                                                     \
    X(booted)                                                                                      \
    X(canary_size)                                                                                 \
    X(canary_ready)                                                                                \
    X(canary_admitted)                                                                             \
    X(direct)                                                                                      \
    X(soaking)                                                                                     \
    X(control_crashes)                                                                             \
    X(controls)                                                                                    \
    X(heard)                                                                                       \
    X(away)                                                                                        \
    X(canary_away)

static const struct number {
    const char *key;
    size_t offset;
} cohort_numbers[] = {
#define X(member) {#member, offsetof(struct cohort_facts, member)},
    COHORT_FACTS(X)
#undef X
};
#define N_COHORT_NUMBERS (sizeof cohort_numbers / sizeof *cohort_numbers)

/* X(member, key) of struct batch */
#define BATCH_NUMBERS(X) X(tick, "tick") X(n_t, "nT") X(f_t, "fT") X(n_c, "nC") X(f_c, "fC")
static const struct number batch_numbers[] = {
#define X(member, key) {key, offsetof(struct batch, member)},
    BATCH_NUMBERS(X)
#undef X
};
#define N_BATCH_NUMBERS (sizeof batch_numbers / sizeof *batch_numbers)

static json_t *numbers_to_json(const struct number *rows, size_t n, const void *from)
{
    json_t *o = json_object();

    for (size_t i = 0; i < n; i++) {
        int64_t v;

        memcpy(&v, (const char *)from + rows[i].offset, sizeof v);
        if (v != 0)
            json_object_set_new(o, rows[i].key, json_integer(v));
    }
    return o;
}

static int numbers_from_json(const json_t *o, const struct number *rows, size_t n, void *ret,
                             struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        int r;

        if (!jsonx_has(o, rows[i].key))
            continue;
        r = jsonx_int(o, "facts", rows[i].key, -FIELD_INT_MAX, FIELD_INT_MAX, &v, err);
        if (r < 0)
            return r;
        memcpy((char *)ret + rows[i].offset, &v, sizeof v);
    }
    return 0;
}

/* --- topology --------------------------------------------------------------------------------- */

static json_t *cohorts_to_json(const struct topology *t, int from)
{
    json_t *a = json_array();

    for (int c = from; c < t->n_cohorts; c++)
        json_array_append_new(a, json_pack("{s:s, s:s, s:I}", "name", t->cohorts[c].name, "os",
                                           t->os[t->cohorts[c].os], "size",
                                           (json_int_t)t->cohorts[c].size));
    return a;
}

json_t *topology_to_json(const struct topology *t, int64_t canary)
{
    json_t *os = json_array();

    for (int i = 0; i < t->n_os; i++)
        json_array_append_new(os, json_string(t->os[i]));
    return json_pack("{s:o, s:o, s:I}", "os", os, "cohorts", cohorts_to_json(t, 0), "canary",
                     (json_int_t)canary);
}

static int os_index(const struct topology *t, const char *os)
{
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    return -1;
}

static int cohort_from_json(const json_t *o, struct topology *t, struct err *err)
{
    struct topology_cohort *c = &t->cohorts[t->n_cohorts];
    char os[TOPOLOGY_OS_MAX];
    int r = jsonx_copy(o, "topology", "name", c->name, sizeof c->name, err);

    if (r == 0)
        r = jsonx_copy(o, "topology", "os", os, sizeof os, err);
    if (r == 0)
        r = jsonx_int(o, "topology", "size", 0, FIELD_INT_MAX, &c->size, err);
    if (r < 0)
        return r;
    c->os = os_index(t, os);
    if (c->os < 0)
        return err_set(err, ERR_INVALID, "topology: cohort of an unlisted OS family");
    t->n_cohorts++;
    return 0;
}

int topology_from_json(const json_t *o, struct topology *ret, int64_t *ret_canary, struct err *err)
{
    json_t *os, *cohorts;
    int r = jsonx_array(o, "topology", "os", GATE_MAX_OS, &os, err);

    if (r == 0)
        r = jsonx_array(o, "topology", "cohorts", GATE_MAX_COHORTS, &cohorts, err);
    if (r == 0)
        r = jsonx_int(o, "topology", "canary", 0, FIELD_INT_MAX, ret_canary, err);
    if (r < 0)
        return r;
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < json_array_size(os); i++) {
        const char *name = json_string_value(json_array_get(os, i));

        if (!name)
            return err_set(err, ERR_INVALID, "topology: an OS family is not a string");
        snprintf(ret->os[ret->n_os++], sizeof ret->os[0], "%s", name);
    }
    for (size_t i = 0; r == 0 && i < json_array_size(cohorts); i++)
        r = cohort_from_json(json_array_get(cohorts, i), ret, err);
    return r;
}

/* --- facts ------------------------------------------------------------------------------------ */

static json_t *batch_to_json(const struct batch *b, const struct policy *p,
                             const struct topology *t)
{
    json_t *o = numbers_to_json(batch_numbers, N_BATCH_NUMBERS, b);

    json_object_set_new(o, "metric", json_string(policy_metric_name(p, b->metric)));
    json_object_set_new(o, "cohort", json_string(t->cohorts[b->cohort].name));
    json_object_set_new(o, "stratum", json_string(stratum_name(b->stratum)));
    return o;
}

json_t *facts_to_json(const struct rollout_facts *f, const struct policy *p,
                      const struct topology *t, int first_late)
{
    json_t *cohorts = json_object(), *batches = json_array();

    for (int c = 0; c < t->n_cohorts; c++) {
        json_t *o = numbers_to_json(cohort_numbers, N_COHORT_NUMBERS, &f->cohorts[c]);

        if (json_object_size(o) > 0)
            json_object_set_new(cohorts, t->cohorts[c].name, o);
        else
            json_decref(o);
    }
    for (int i = 0; i < f->n_batches; i++)
        json_array_append_new(batches, batch_to_json(&f->batches[i], p, t));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:i, s:i, s:I, s:b, s:b, s:b}", "now_ms",
                     (json_int_t)f->now_ms, "tick", (json_int_t)f->tick, "cohorts", cohorts,
                     "batches", batches, "late", cohorts_to_json(t, first_late), "silent_controls",
                     (json_int_t)f->silent_controls, "tick_controls", (json_int_t)f->tick_controls,
                     "silent_groups", f->silent_groups, "groups", f->groups, "pace_ppm",
                     (json_int_t)f->pace_ppm, "person", f->person_promotes, "hears", f->hears,
                     "early_boot", f->early_boot);
}

static int late_from_json(const json_t *array, struct rollout *r, struct err *err)
{
    struct topology *t = &r->topology;
    const json_t *o;
    size_t i;

    json_array_foreach (array, i, o) {
        const char *name = json_string_value(json_object_get(o, "name"));
        const char *os = json_string_value(json_object_get(o, "os"));
        int c = -1;

        for (int k = 0; name && k < t->n_cohorts; k++)
            if (strcmp(t->cohorts[k].name, name) == 0)
                c = k;
        if (c < 0 && name && os)
            c = rollout_add_cohort(r, name, os);
        if (c < 0)
            return err_set(err, ERR_INVALID, "facts: no row for a late cohort");
    }
    return 0;
}

static int stratum_from(const char *text, enum stratum *ret)
{
    for (int s = 0; text && s < N_STRATA; s++)
        if (strcmp(stratum_name((enum stratum)s), text) == 0) {
            *ret = (enum stratum)s;
            return 0;
        }
    return -ERR_INVALID;
}

static int exact_cohort(const struct topology *t, const char *name)
{
    for (int c = 0; name && c < t->n_cohorts; c++)
        if (strcmp(t->cohorts[c].name, name) == 0)
            return c;
    return -1;
}

static int batch_from_json(const json_t *o, const struct rollout *r, struct batch *ret,
                           struct err *err)
{
    const char *metric = json_string_value(json_object_get(o, "metric"));

    ret->cohort = exact_cohort(&r->topology, json_string_value(json_object_get(o, "cohort")));
    if (ret->cohort < 0 || !metric || !policy_find_metric(&r->policy, metric, &ret->metric) ||
        stratum_from(json_string_value(json_object_get(o, "stratum")), &ret->stratum) < 0)
        return err_set(err, ERR_INVALID, "facts: a batch of an unknown cohort, metric or stratum");
    return numbers_from_json(o, batch_numbers, N_BATCH_NUMBERS, ret, err);
}

static int scalars_from_json(const json_t *o, struct rollout_facts *f, struct err *err)
{
    static const struct field rows[] = {
        FIELD_INT(struct rollout_facts, now_ms, "now_ms", 0, FIELD_INT_MAX),
        FIELD_INT(struct rollout_facts, tick, "tick", 0, FIELD_INT_MAX),
        FIELD_INT(struct rollout_facts, silent_controls, "silent_controls", 0, FIELD_INT_MAX),
        FIELD_INT(struct rollout_facts, tick_controls, "tick_controls", 0, FIELD_INT_MAX),
        FIELD_INT(struct rollout_facts, pace_ppm, "pace_ppm", 0, PPM),
        FIELD_BOOL(struct rollout_facts, person_promotes, "person"),
        {0},
    };
    int64_t silent, groups;
    int r = field_read(o, "facts", rows, f, err);

    if (r == 0)
        r = jsonx_int(o, "facts", "silent_groups", 0, INT32_MAX, &silent, err);
    if (r == 0)
        r = jsonx_int(o, "facts", "groups", 0, INT32_MAX, &groups, err);
    if (r < 0)
        return r;
    f->silent_groups = (int)silent;
    f->groups = (int)groups;
    f->hears = json_is_true(json_object_get(o, "hears"));           /* older ticks do not say, */
    f->early_boot = json_is_true(json_object_get(o, "early_boot")); /* nor this */
    return 0;
}

int facts_from_json(const json_t *o, struct rollout *r, struct facts *ret, struct err *err)
{
    json_t *cohorts, *batches, *late, *v;
    const char *name;
    int rc;

    memset(ret, 0, sizeof *ret);
    rc = scalars_from_json(o, &ret->f, err);
    if (rc == 0)
        rc = jsonx_array(o, "facts", "late", GATE_MAX_COHORTS, &late, err);
    if (rc == 0)
        rc = jsonx_object(o, "facts", "cohorts", &cohorts, err);
    if (rc == 0)
        rc = jsonx_array(o, "facts", "batches", FACTS_MAX_BATCHES, &batches, err);
    if (rc == 0)
        rc = late_from_json(late, r, err);
    if (rc < 0)
        return rc;
    json_object_foreach (cohorts, name, v) {
        int c = exact_cohort(&r->topology, name);

        if (c < 0)
            return err_set(err, ERR_INVALID, "facts: unknown cohort");
        rc = numbers_from_json(v, cohort_numbers, N_COHORT_NUMBERS, &ret->f.cohorts[c], err);
        if (rc < 0)
            return rc;
    }
    ret->f.batches = ret->batches;
    ret->f.n_batches = (int)json_array_size(batches);
    for (int i = 0; rc == 0 && i < ret->f.n_batches; i++)
        rc = batch_from_json(json_array_get(batches, (size_t)i), r, &ret->batches[i], err);
    return rc;
}

static const char *cohort_fault(const struct cohort_facts *f, char *ret, size_t size)
{
    const struct {
        bool broken;
        const char *why;
    } rules[] = {
        {f->healthy + f->excused + f->overdue > f->admitted,
         "more are healthy, excused and overdue than were admitted"},
        {f->canary_admitted > f->admitted, "more canaries were admitted than devices"},
        {f->heard > f->admitted, "more treated devices were heard than were admitted"},
        {f->soaking > f->admitted, "more devices soak than were admitted"},
        {f->booted > f->admitted, "more devices booted on it than were admitted"},
        {f->healthy_slow > f->healthy, "more devices were healthy before than are"},
        {f->canary_away > f->away, "more canaries are away than devices"},
        {f->control_crashes > f->controls, "more controls crashed than there were"},
    };

    for (size_t i = 0; i < N_COHORT_NUMBERS; i++) {
        int64_t v;

        memcpy(&v, (const char *)f + cohort_numbers[i].offset, sizeof v);
        if (v >= 0 && v <= GATE_MAX_DEVICES)
            continue;
        snprintf(ret, size, "'%s' is %lld, not in 0 to %d", cohort_numbers[i].key, (long long)v,
                 GATE_MAX_DEVICES);
        return ret;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].broken)
            return rules[i].why;
    return NULL;
}

const char *facts_find_fault(const struct rollout_facts *f, const struct topology *t, char *ret_why,
                             size_t size)
{
    for (int c = 0; c < t->n_cohorts; c++) {
        char words[96];
        const char *why = cohort_fault(&f->cohorts[c], words, sizeof words);

        if (!why)
            continue;
        snprintf(ret_why, size, "cohort '%.60s': %s", t->cohorts[c].name, why);
        return ret_why;
    }
    if (f->silent_controls <= f->tick_controls)
        return NULL;
    snprintf(ret_why, size, "more controls were silent than there were");
    return ret_why;
}

/* --- decision --------------------------------------------------------------------------------- */

/* JSON has no infinities. */
static double finite_or_zero(double x)
{
    return isfinite(x) ? x : 0.0;
}

json_t *reasons_to_json(const struct policy *p, const struct topology *t,
                        const struct rollout_decision *d)
{
    json_t *a = json_array();

    for (int i = 0; i < d->n_reasons; i++) {
        const struct gate_reason *g = &d->reasons[i];

        json_array_append_new(
            a,
            json_pack("{s:s, s:s, s:s?, s:f, s:f, s:I, s:I, s:I, s:I, s:s}", "verdict",
                      verdict_name(g->verdict), "scope", topology_node_name(t, g->node), "metric",
                      g->metric >= 0 ? policy_metric_name(p, (enum metric)g->metric) : NULL,
                      "log_e", finite_or_zero(g->log_e), "threshold", finite_or_zero(g->threshold),
                      "n_t", (json_int_t)g->n_t, "f_t", (json_int_t)g->f_t, "n_c",
                      (json_int_t)g->n_c, "f_c", (json_int_t)g->f_c, "text", g->text));
    }
    return a;
}

json_t *decision_to_json(const struct policy *p, const struct topology *t,
                         const struct rollout_decision *d)
{
    json_t *admit = json_object();

    for (int c = 0; c < t->n_cohorts; c++)
        if (d->admit[c] > 0)
            json_object_set_new(admit, t->cohorts[c].name, json_integer(d->admit[c]));
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:I, s:I, s:I}", "verdict",
                     verdict_name(d->verdict), "stands", d->stands, "ring", d->ring, "reasons",
                     reasons_to_json(p, t, d), "admit", admit, "admit_fleet",
                     (json_int_t)d->admit_fleet, "admit_canary", (json_int_t)d->admit_canary,
                     "tick_ms", (json_int_t)d->tick_ms);
}
