/*
 * A scenario file is one JSON object; canary/sim/scenarios/README.md lists its keys. To add one: a
 * member of the struct in scenario.h, a row in the table of its section, a line in the README.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonline.h"
#include "base/jsonx.h"
#include "scenario.h"

#define FILE_CAP   65536
#define WHERE_MAX  160
#define SHARES_EPS 1e-6
#define N(a)       (sizeof(a) / sizeof((a)[0]))

#define ONLY(kind) (1u << DEFECT_##kind)
#define ANY_DEFECT 0u

enum field_type { FIELD_REAL, FIELD_COUNT, FIELD_INT, FIELD_BOOL, FIELD_HOURS };

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    double min, max;
    unsigned kinds; /* defect: the kinds that use it; ANY_DEFECT elsewhere */
};

#define S(member) offsetof(struct scenario, member)
static const struct field root_fields[] = {
    {"fleet", FIELD_COUNT, S(fleet), 1, SCENARIO_FLEET_MAX, 0},
    {"canaries", FIELD_COUNT, S(canaries), 0, SCENARIO_FLEET_MAX, 0},
    {"groups", FIELD_INT, S(groups), 1, SCENARIO_MAX_GROUPS, 0},
    {"prestaged", FIELD_BOOL, S(prestaged), 0, 1, 0},
    {"limit_h", FIELD_HOURS, S(limit_ms), 0.1, 168, 0},
};

#define L(key, max)                                                                                \
    {                                                                                              \
#key, FIELD_REAL, S(life.key), 0, max, 0                                                   \
    }
static const struct field life_fields[] = {
    L(crashes_h, 60),
    L(consumer_share, 1),
    L(soak_min, 1440),
    L(report_min, 60),
    L(preflight_share, 1),
    L(silences_h, 60),
    L(long_silence_share, 1),
    L(reboots_h, 60),
    L(reboot_5min, 1),
    L(reboot_15min, 1),
    L(goodbyes_h, 60),
    L(goodbyes_day_h, 60),
    L(goodbyes_evening_h, 60),
    L(wakes_h, 60),
    L(asleep_min_share, 0.99),
    L(asleep_max_share, 0.99),
    {"staged_min", FIELD_REAL, S(life.staged_min), 0.01, 1440, 0},
    L(slow_share, 1),
    L(gap_share, 1),
    L(flaky_share, 1),
    L(flaky_h, 60),
    L(figures_h, 1),
    L(history_h, 8760),
};
#undef L

static const struct field defect_fields[] = {
    {"share", FIELD_REAL, S(defect.share), 0, 1,
     ONLY(LOAD) | ONLY(LATER) | ONLY(REBOOT) | ONLY(ILL)},
    {"recovers", FIELD_REAL, S(defect.recovers), 0, 1, ONLY(LOAD) | ONLY(REBOOT)},
    {"recover_min", FIELD_REAL, S(defect.recover_min), 0, 60, ONLY(LOAD) | ONLY(REBOOT)},
    {"recover_max_min", FIELD_REAL, S(defect.recover_max_min), 0, 60, ONLY(LOAD) | ONLY(REBOOT)},
    {"reported", FIELD_REAL, S(defect.reported), 0, 1, ONLY(LATER)},
    {"median_min", FIELD_REAL, S(defect.median_min), 0.1, 1440, ONLY(LATER)},
    {"sigma", FIELD_REAL, S(defect.sigma), 0.01, 3, ONLY(LATER)},
    {"ratio", FIELD_REAL, S(defect.ratio), 1, 10000, ONLY(HAZARD)},
    {"from_min", FIELD_REAL, S(defect.from_min), 0, 10080, ONLY(BOMB)},
    {"per_min", FIELD_REAL, S(defect.per_min), 0, 1, ONLY(BOMB)},
};

#define W(key, max)                                                                                \
    {                                                                                              \
#key, FIELD_REAL, S(world.key), 0, max, 0                                                  \
    }
static const struct field world_fields[] = {
    W(at_min, 10080),
    W(at_max_min, 10080),
    W(asleep_share, 0.99),
    W(asleep_within_min, 1440),
    W(outage_min, 1440),
    {"customer_devices", FIELD_COUNT, S(world.customer_devices), 0, SCENARIO_FLEET_MAX, 0},
    W(back_min, 10080),
    W(hostile_share, 1),
    {"hostile_max", FIELD_COUNT, S(world.hostile_max), 0, SCENARIO_FLEET_MAX, 0},
};
#undef W

#define T(key, max)                                                                                \
    {                                                                                              \
#key, FIELD_REAL, S(targets.key), 0, max, 0                                                \
    }
static const struct field target_fields[] = {
    T(harm_p50, 1e9),     T(harm_p99, 1e9),     T(halt_p50, 1e5),   T(halt_p99, 1e5),
    T(complete_p50, 1e5), T(complete_p95, 1e5), T(p_halt_min, 1.0), T(p_halt_max, 1.0),
    T(unproven_max, 1),   T(peak_max, 1e9),
};
#undef T
#undef S

static const struct section {
    const char *key;
    const struct field *fields;
    size_t n;
} sections[] = {
    {"life", life_fields, N(life_fields)},
    {"defect", defect_fields, N(defect_fields)},
    {"world", world_fields, N(world_fields)},
    {"targets", target_fields, N(target_fields)},
};

struct reader {
    const char *data, *what;
    size_t len;
    struct scenario *s;
    struct err *err;
};

/* "FILE: line 7: 'defect.share' is outside 0 to 1" */
__attribute__((format(printf, 3, 4))) static int refuse(const struct reader *r, const char *path,
                                                        const char *fmt, ...)
{
    char why[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(r->err, ERR_INVALID, "%s: line %d: '%.100s' %s", r->what,
                   jsonline_of(r->data, r->len, path), path, why);
}

static void path_of(char ret[WHERE_MAX], const char *section, const char *key)
{
    snprintf(ret, WHERE_MAX, "%s%s%.64s", section, *section ? "." : "", key);
}

static int set_field(const struct reader *r, const struct field *f, const char *path,
                     const json_t *value)
{
    void *at = (char *)r->s + f->offset;
    double v = json_number_value(value);
    bool whole = f->type == FIELD_COUNT || f->type == FIELD_INT;

    if (f->type == FIELD_BOOL) {
        if (!json_is_boolean(value))
            return refuse(r, path, "is not true or false");
        *(bool *)at = json_is_true(value);
        return 0;
    }
    if (!json_is_number(value) || (whole && !json_is_integer(value)))
        return refuse(r, path, "is not a %snumber", whole ? "whole " : "");
    if (!(v >= f->min && v <= f->max))
        return refuse(r, path, "is outside %g to %g", f->min, f->max);
    if (f->type == FIELD_COUNT)
        *(int64_t *)at = (int64_t)json_integer_value(value);
    else if (f->type == FIELD_INT)
        *(int *)at = (int)json_integer_value(value);
    else if (f->type == FIELD_HOURS)
        *(int64_t *)at = (int64_t)llround(v * 3600000.0);
    else
        *(double *)at = v;
    return 0;
}

static const struct field *find_field(const struct field *fields, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static int read_text(const struct reader *r, const char *path, const json_t *value, char *into,
                     size_t size)
{
    const char *text = json_string_value(value);

    if (!text || !*text || strlen(text) >= size)
        return refuse(r, path, "is not a text of 1 to %zu bytes", size - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return refuse(r, path, "holds control characters");
    memcpy(into, text, strlen(text) + 1);
    return 0;
}

/* ---- cohorts ---- */

static int os_of(struct topology *t, const char *os)
{
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    if (t->n_os == GATE_MAX_OS)
        return -1;
    memcpy(t->os[t->n_os], os, strlen(os) + 1);
    return t->n_os++;
}

static int read_cohort(const struct reader *r, int i, const json_t *o)
{
    struct topology *t = &r->s->topology;
    char where[WHERE_MAX], os[TOPOLOGY_OS_MAX] = "";
    const json_t *share = json_object_get(o, "share");
    int e;

    snprintf(where, sizeof(where), "cohorts[%d]", i);
    if (!json_is_object(o) || json_object_size(o) != 3)
        return refuse(r, where, "is not an object of name, os and share");
    e = read_text(r, where, json_object_get(o, "name"), t->cohorts[i].name, GATE_NAME_MAX);
    if (e == 0)
        e = read_text(r, where, json_object_get(o, "os"), os, sizeof(os));
    if (e < 0)
        return e;
    if (!json_is_number(share) ||
        !(json_number_value(share) > 0.0 && json_number_value(share) <= 1.0))
        return refuse(r, where, "has a share that is not a number in (0, 1]");
    r->s->shares[i] = json_number_value(share);
    for (int k = 0; k < i; k++)
        if (strcmp(t->cohorts[k].name, t->cohorts[i].name) == 0)
            return refuse(r, where, "has the name of cohorts[%d]", k);
    t->cohorts[i].os = os_of(t, os);
    if (t->cohorts[i].os < 0)
        return refuse(r, where, "is of one OS family too many; there may be %d", GATE_MAX_OS);
    return 0;
}

static int read_cohorts(const struct reader *r, const json_t *list)
{
    size_t n = json_array_size(list);
    double sum = 0.0;

    if (!json_is_array(list) || n < 1 || n > GATE_MAX_COHORTS)
        return refuse(r, "cohorts", "is not a list of 1 to %d", GATE_MAX_COHORTS);
    memset(&r->s->topology, 0, sizeof(r->s->topology));
    r->s->topology.n_cohorts = (int)n;
    for (size_t i = 0; i < n; i++) {
        int e = read_cohort(r, (int)i, json_array_get(list, i));

        if (e < 0)
            return e;
        sum += r->s->shares[i];
    }
    if (fabs(sum - 1.0) > SHARES_EPS)
        return refuse(r, "cohorts", "has shares that sum to %g, not 1", sum);
    return 0;
}

/* ---- defect ---- */

static int read_kind(const struct reader *r, const json_t *value)
{
    for (int k = 0; k < N_DEFECTS && json_is_string(value); k++)
        if (strcmp(json_string_value(value), defect_name((enum defect_kind)k)) == 0) {
            r->s->defect.kind = (enum defect_kind)k;
            return 0;
        }
    return refuse(r, "defect.kind", "is not none, load, later, hazard, reboot, bomb or ill");
}

/* "all", an OS family or a cohort's name */
static int read_hit(const struct reader *r, const char *name)
{
    const struct topology *t = &r->s->topology;
    bool any = false;

    for (int c = 0; c < t->n_cohorts; c++)
        if (strcmp(name, "all") == 0 || strcmp(name, t->os[t->cohorts[c].os]) == 0 ||
            strcmp(name, t->cohorts[c].name) == 0)
            any = r->s->defect.hits[c] = true;
    return any ? 0
               : refuse(r, "defect.cohorts", "names '%.60s': no cohort or OS family of the fleet",
                        name);
}

static int read_hits(const struct reader *r, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n < 1)
        return refuse(r, "defect.cohorts", "is not a list of names");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int e = name ? read_hit(r, name)
                     : refuse(r, "defect.cohorts", "holds something else than names");

        if (e < 0)
            return e;
    }
    return 0;
}

static int read_defect_special(const struct reader *r, const char *key, const json_t *value,
                               bool *ret_special)
{
    *ret_special = strcmp(key, "kind") == 0 || strcmp(key, "cohorts") == 0;
    if (strcmp(key, "cohorts") == 0)
        return read_hits(r, value);
    return 0; /* the kind is read before */
}

/* ---- the whole ---- */

static int read_section(const struct reader *r, const struct section *in, const json_t *o)
{
    bool defect = in->fields == defect_fields;
    const char *key;
    json_t *value;
    int e = 0;

    if (!json_is_object(o))
        return refuse(r, in->key, "is not an object");
    if (defect)
        e = read_kind(r, json_object_get(o, "kind"));
    json_object_foreach ((json_t *)o, key, value) {
        const struct field *f = find_field(in->fields, in->n, key);
        char path[WHERE_MAX];
        bool special = false;

        path_of(path, in->key, key);
        if (e == 0 && defect)
            e = read_defect_special(r, key, value, &special);
        if (e == 0 && !f && !special)
            e = refuse(r, path, "is no known key");
        if (e == 0 && f && f->kinds && !(f->kinds & (1u << r->s->defect.kind)))
            e = refuse(r, path, "means nothing to a defect of kind '%s'",
                       defect_name(r->s->defect.kind));
        if (e == 0 && f)
            e = set_field(r, f, path, value);
        if (e < 0)
            return e;
    }
    return e;
}

static int read_pace(const struct reader *r, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > N(r->s->pace))
        return refuse(r, "pace", "is not a list of at most %zu", N(r->s->pace));
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i), *after = json_object_get(o, "after_min");
        const json_t *share = json_object_get(o, "share");
        double a = json_number_value(after), s = json_number_value(share);
        char where[WHERE_MAX];

        snprintf(where, sizeof(where), "pace[%zu]", i);
        if (json_object_size(o) != 2 || !json_is_number(after) || !json_is_number(share))
            return refuse(r, where, "is not an object of after_min and share");
        if (!(a >= 0.0 && a <= 10080.0 && s > 0.0 && s <= 1.0))
            return refuse(r, where, "has a time outside 0 to 10080 min or a share outside (0, 1]");
        if (i > 0 && (a <= r->s->pace[i - 1].after_min || s <= r->s->pace[i - 1].share))
            return refuse(r, where, "does not grow over the one before");
        r->s->pace[i].after_min = a;
        r->s->pace[i].share = s;
    }
    r->s->n_pace = (int)n;
    return 0;
}

static int read_member(const struct reader *r, const char *key, const json_t *value)
{
    const struct field *f = find_field(root_fields, N(root_fields), key);

    if (f)
        return set_field(r, f, key, value);
    if (strcmp(key, "cohorts") == 0)
        return 0; /* read first: the defect names them */
    if (strcmp(key, "name") == 0)
        return read_text(r, key, value, r->s->name, sizeof(r->s->name));
    if (strcmp(key, "description") == 0)
        return read_text(r, key, value, r->s->text, sizeof(r->s->text));
    if (strcmp(key, "pace") == 0)
        return read_pace(r, value);
    for (size_t i = 0; i < N(sections); i++)
        if (strcmp(sections[i].key, key) == 0)
            return read_section(r, &sections[i], value);
    return refuse(r, key, "is no known key");
}

/* What no single key shows. */
static int check_whole(const struct reader *r)
{
    const struct scenario *s = r->s;
    bool hit = false;

    for (int c = 0; c < s->topology.n_cohorts; c++)
        hit |= s->defect.hits[c];
    if (s->defect.kind != DEFECT_NONE && !hit)
        return refuse(r, "defect", "hits no cohort: 'cohorts' is missing");
    if (s->defect.kind == DEFECT_NONE && hit)
        return refuse(r, "defect.cohorts", "names cohorts, but there is no defect");
    if (s->defect.recover_min > s->defect.recover_max_min)
        return refuse(r, "defect.recover_min", "is more than recover_max_min");
    if (s->defect.kind == DEFECT_LATER && !(s->defect.median_min > 0.0 && s->defect.sigma > 0.0))
        return refuse(r, "defect", "of kind 'later' needs median_min and sigma");
    if (s->defect.kind == DEFECT_HAZARD && !(s->defect.ratio > 0.0))
        return refuse(r, "defect", "of kind 'hazard' needs ratio");
    if (s->life.asleep_min_share > s->life.asleep_max_share)
        return refuse(r, "life.asleep_min_share", "is more than asleep_max_share");
    if (s->world.at_min > s->world.at_max_min)
        return refuse(r, "world.at_min", "is more than at_max_min");
    if (s->world.asleep_share > 0.0 && !(s->world.asleep_within_min > 0.0))
        return refuse(r, "world.asleep_share", "needs asleep_within_min");
    if (s->canaries > s->fleet / 2)
        return refuse(r, "canaries", "is more than half the fleet");
    return 0;
}

static int read_root(const struct reader *r, const json_t *o)
{
    const json_t *cohort_list = json_object_get(o, "cohorts");
    const char *key;
    json_t *value;
    int e;

    if (!json_is_object(o))
        return err_set(r->err, ERR_INVALID, "%s: line 1: not an object", r->what);
    if (!json_object_get(o, "name"))
        return err_set(r->err, ERR_INVALID, "%s: line 1: 'name' is missing", r->what);
    e = cohort_list ? read_cohorts(r, cohort_list) : 0;
    if (e < 0)
        return e;
    json_object_foreach ((json_t *)o, key, value) {
        e = read_member(r, key, value);
        if (e < 0)
            return e;
    }
    return check_whole(r);
}

int scenario_parse(const char *data, size_t len, const char *what, struct scenario *ret,
                   struct err *err)
{
    json_auto_t *o = NULL;
    struct scenario s;
    struct reader r = {.data = data, .what = what, .len = len, .s = &s, .err = err};
    int e = jsonx_parse(data, len, FILE_CAP, &o, err);

    if (e < 0)
        return err_context(err, e, "%s", what);
    scenario_standard(&s);
    e = read_root(&r, o);
    if (e < 0)
        return e;
    s.good = s.defect.kind == DEFECT_NONE;
    scenario_resize(&s, s.fleet);
    *ret = s;
    return 0;
}
