#include "policy_file.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonline.h"
#include "base/jsonx.h"

/*
 * A policy file is one JSON object; canary/policies/README.md lists its fields. To add one: a field
 * of struct policy, a row in policy_fields (or ring_fields, metric_fields), its rules in policy.c,
 * a line in the README. What a file leaves out is as in the standard policy; an unknown field is
 * refused.
 */

#define POLICY_FILE_MAX 65536
#define PATH_MAX_BYTES  128
#define SECONDS_MAX     (366.0 * 86400.0)

enum field_type { FIELD_SECONDS, FIELD_INT, FIELD_REAL };

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    double min, max;
};

#define P(member) offsetof(struct policy, member)
static const struct field policy_fields[] = {
    {"version", FIELD_INT, P(version), 1, 1e9},
    {"fast_tick_s", FIELD_SECONDS, P(fast_tick_ms), 0.1, 3600},
    {"tick_s", FIELD_SECONDS, P(tick_ms), 0.1, 3600},
    {"alpha", FIELD_REAL, P(alpha), 0, 1},
    {"alpha_warn", FIELD_REAL, P(alpha_warn), 0, 1},
    {"tau", FIELD_REAL, P(tau), 0, 1},
    {"tau_rb", FIELD_REAL, P(tau_rb), 0, 1},
    {"n_adv", FIELD_INT, P(n_adv), 0, 1e6},
    {"n0", FIELD_INT, P(n0), 1, 1000},
    {"growth_fast", FIELD_REAL, P(growth_fast), 0, 10},
    {"growth", FIELD_REAL, P(growth), 0, 10},
    {"max_admissions_s", FIELD_INT, P(max_admissions_s), 1, 1e6},
    {"stuck_ticks", FIELD_INT, P(stuck_ticks), 1, 1000},
    {"small_fleet", FIELD_INT, P(small_fleet), 0, 1e9},
    {"direct_window_s", FIELD_SECONDS, P(direct_window_ms), 0, SECONDS_MAX},
    {"slow_window_s", FIELD_SECONDS, P(slow_window_ms), 0, SECONDS_MAX},
    {"fresh_wake_s", FIELD_SECONDS, P(fresh_wake_ms), 0, SECONDS_MAX},
    {"long_silence_s", FIELD_SECONDS, P(long_silence_ms), 1, 86400},
    {"reboot_window_s", FIELD_SECONDS, P(reboot_window_ms), 1, 86400},
    {"stage_wait_ticks", FIELD_INT, P(stage_wait_ticks), 0, 1e6},
    {"budget_s", FIELD_INT, P(budget_s), 1, 1e9},
    {"holdout_ppm", FIELD_INT, P(holdout_ppm), 0, 1e6},
    {"holdout_s", FIELD_SECONDS, P(holdout_ms), 0, SECONDS_MAX},
};
#undef P

#define R(member) offsetof(struct policy_ring, member)
static const struct field ring_fields[] = {
    {"devices", FIELD_INT, R(count), 1, 1e9},
    {"share_ppm", FIELD_INT, R(share_ppm), 1, 1e6},
    {"bake_s", FIELD_SECONDS, R(bake_ms), 0, SECONDS_MAX},
    {"bake_boots", FIELD_INT, R(bake_boots), 0, 1e6},
    {"rho_cr", FIELD_REAL, R(rho_cr), 1, 1000},
    {"rho_sl", FIELD_REAL, R(rho_sl), 1, 1000},
};
#undef R

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct field *find_field(const struct field *fields, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

struct reader {
    const char *data, *what;
    size_t len;
    struct policy *p;
    struct err *err;
};

/* Line of a member; of what would hold it, where the file has no such member. */
static int line_of(const struct reader *r, const char *path)
{
    char at[PATH_MAX_BYTES];
    int line = 1;

    for (snprintf(at, sizeof(at), "%s", path); line == 1 && at[0];) {
        char *dot = strrchr(at, '.');

        line = jsonline_of(r->data, r->len, at);
        at[dot ? dot - at : 0] = '\0';
    }
    return line;
}

/* "standard.json: line 7: 'rings[2].rho_cr' is outside 1 to 1000" */
__attribute__((format(printf, 3, 4))) static int refuse(const struct reader *r, const char *path,
                                                        const char *fmt, ...)
{
    char why[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return err_set(r->err, ERR_POLICY, "%s: line %d: %s", r->what, line_of(r, path), why);
}

/* `in`: "" or the path of the object that the field is in. */
static void path_of(char ret[PATH_MAX_BYTES], const char *in, const char *key)
{
    snprintf(ret, PATH_MAX_BYTES, "%.40s%s%.64s", in, *in ? "." : "", key);
}

static int set_field(const struct reader *r, const struct field *f, const char *path,
                     const json_t *value, void *into)
{
    double v = json_number_value(value);
    void *at = (char *)into + f->offset;

    if (!json_is_number(value) || (f->type == FIELD_INT && !json_is_integer(value)))
        return refuse(r, path, "'%s' is not %s", path,
                      f->type == FIELD_INT ? "a whole number" : "a number");
    if (!(v >= f->min && v <= f->max))
        return refuse(r, path, "'%s' is outside %.10g to %.10g", path, f->min, f->max);
    switch (f->type) {
    case FIELD_SECONDS:
        *(int64_t *)at = (int64_t)llround(v * 1000.0);
        break;
    case FIELD_INT:
        *(int64_t *)at = (int64_t)json_integer_value(value);
        break;
    case FIELD_REAL:
        *(double *)at = v;
        break;
    }
    return 0;
}

static int parse_ring_member(const struct reader *r, const char *in, const char *key,
                             const json_t *value, struct policy_ring *ret)
{
    const struct field *f = find_field(ring_fields, N(ring_fields), key);
    char path[PATH_MAX_BYTES];

    path_of(path, in, key);
    if (f)
        return set_field(r, f, path, value, ret);
    if (strcmp(key, "canary") != 0)
        return refuse(r, path, "unknown field '%s'", path);
    return json_is_boolean(value) ? 0 : refuse(r, path, "'%s' is not true or false", path);
}

static int parse_ring(const struct reader *r, const json_t *o, int i)
{
    struct policy_ring *ring = &r->p->rings[i];
    bool canary = json_is_true(json_object_get(o, "canary"));
    char in[PATH_MAX_BYTES];
    const char *key;
    const json_t *value;

    snprintf(in, sizeof(in), "rings[%d]", i);
    if (!json_is_object(o))
        return refuse(r, in, "'%s' is not an object", in);
    json_object_foreach ((json_t *)o, key, value) {
        int e = parse_ring_member(r, in, key, value, ring);

        if (e < 0)
            return e;
    }
    if (canary && (ring->count || ring->share_ppm))
        return refuse(r, in, "'%s': the canary ring has no size of its own", in);
    if (!canary && !ring->share_ppm)
        return refuse(r, in, "'%s.share_ppm' is missing", in);
    ring->kind = canary ? RING_CANARY : ring->count ? RING_COUNT : RING_SHARE;
    return 0;
}

static int parse_rings(const struct reader *r, const json_t *rings)
{
    size_t n = json_array_size(rings);

    if (!json_is_array(rings) || n < 1 || n > POLICY_MAX_RINGS)
        return refuse(r, "rings", "'rings' is not a list of 1 to %d", POLICY_MAX_RINGS);
    memset(r->p->rings, 0, sizeof(r->p->rings));
    for (size_t i = 0; i < n; i++) {
        int e = parse_ring(r, json_array_get(rings, i), (int)i);

        if (e < 0)
            return e;
    }
    r->p->n_rings = (int)n;
    return 0;
}

/* ---- metrics of its own ---- */

#define X(member) offsetof(struct policy_metric, member)
static const struct field metric_fields[] = {
    {"limit", FIELD_REAL, X(limit), 0, 1e15},
    {"weight", FIELD_REAL, X(weight), 0, 1},
};
#undef X

static int parse_metric_name(const struct reader *r, const char *path, const json_t *value,
                             struct policy_metric *ret)
{
    const char *name = json_string_value(value);

    if (!name || json_string_length(value) != strlen(name) || strlen(name) >= sizeof(ret->name))
        return refuse(r, path, "'%s' is not 1 to %d of a-z, 0-9 and '-'", path,
                      METRIC_NAME_MAX - 1);
    memcpy(ret->name, name, strlen(name) + 1);
    return 0;
}

static int parse_metric_member(const struct reader *r, const char *in, const char *key,
                               const json_t *value, struct policy_metric *ret)
{
    const struct field *f = find_field(metric_fields, N(metric_fields), key);
    char path[PATH_MAX_BYTES];

    path_of(path, in, key);
    if (f)
        return set_field(r, f, path, value, ret);
    if (strcmp(key, "name") == 0)
        return parse_metric_name(r, path, value, ret);
    if (strcmp(key, "halts") != 0)
        return refuse(r, path, "unknown field '%s'", path);
    ret->halts = json_is_true(value);
    return json_is_boolean(value) ? 0 : refuse(r, path, "'%s' is not true or false", path);
}

static int parse_metric(const struct reader *r, const json_t *o, int i)
{
    static const char *const needed[] = {"name", "limit", "weight", "halts"};
    char in[PATH_MAX_BYTES];
    const char *key;
    const json_t *value;

    snprintf(in, sizeof(in), "metrics[%d]", i);
    if (!json_is_object(o))
        return refuse(r, in, "'%s' is not an object", in);
    for (size_t k = 0; k < N(needed); k++)
        if (!json_object_get(o, needed[k]))
            return refuse(r, in, "'%s.%s' is missing", in, needed[k]);
    json_object_foreach ((json_t *)o, key, value) {
        int e = parse_metric_member(r, in, key, value, &r->p->extras[i]);

        if (e < 0)
            return e;
    }
    return 0;
}

static int parse_metrics(const struct reader *r, const json_t *metrics)
{
    size_t n = json_array_size(metrics);

    if (!json_is_array(metrics) || n > POLICY_MAX_EXTRAS)
        return refuse(r, "metrics", "'metrics' is not a list of at most %d", POLICY_MAX_EXTRAS);
    for (size_t i = 0; i < n; i++) {
        int e = parse_metric(r, json_array_get(metrics, i), (int)i);

        if (e < 0)
            return e;
    }
    r->p->n_extras = (int)n;
    return 0;
}

static const char *const underpowered_rules[] = {
    [UNDERPOWERED_BAKE] = "bake", [UNDERPOWERED_APPROVE] = "approve"};

static int parse_underpowered(const struct reader *r, const json_t *value)
{
    for (size_t i = 0; i < N(underpowered_rules) && json_is_string(value); i++)
        if (strcmp(json_string_value(value), underpowered_rules[i]) == 0) {
            r->p->underpowered = (enum underpowered_rule)i;
            return 0;
        }
    return refuse(r, "underpowered", "'underpowered' is not 'bake' or 'approve'");
}

static int parse_member(const struct reader *r, const char *key, const json_t *value)
{
    const struct field *f = find_field(policy_fields, N(policy_fields), key);

    if (f)
        return set_field(r, f, key, value, r->p);
    if (strcmp(key, "rings") == 0)
        return parse_rings(r, value);
    if (strcmp(key, "metrics") == 0)
        return parse_metrics(r, value);
    if (strcmp(key, "underpowered") == 0)
        return parse_underpowered(r, value);
    if (strcmp(key, "name") == 0)
        return 0;                        /* read first */
    if (strcmp(key, "description") == 0) /* for people */
        return json_is_string(value) ? 0 : refuse(r, key, "'description' is not a string");
    return refuse(r, key, "unknown field '%.64s'", key);
}

bool policy_name_is_plain(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < POLICY_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && name[0] != '-';
}

static int parse_name(const struct reader *r, const json_t *o)
{
    const json_t *v = json_object_get(o, "name");
    const char *name = json_string_value(v);

    if (!v)
        return refuse(r, "", "'name' is missing");
    if (!name || json_string_length(v) != strlen(name) || !policy_name_is_plain(name))
        return refuse(r, "name", "'name' is not of a-z, 0-9 and '-', at most %d",
                      POLICY_NAME_MAX - 1);
    memcpy(r->p->name, name, strlen(name) + 1);
    return 0;
}

static int parse_object(const struct reader *r, const json_t *o)
{
    static const char *const needed[] = {"version", "rings"};
    const char *key;
    const json_t *value;
    int e;

    if (!json_is_object(o))
        return refuse(r, "", "not an object");
    e = parse_name(r, o);
    for (size_t i = 0; e == 0 && i < N(needed); i++)
        if (!json_object_get(o, needed[i]))
            e = refuse(r, "", "'%s' is missing", needed[i]);
    if (e < 0)
        return e;
    json_object_foreach ((json_t *)o, key, value) {
        e = parse_member(r, key, value);
        if (e < 0)
            return e;
    }
    return 0;
}

/* A fault between fields: at the line of the one that is named, where the file has it. */
static int check_whole(const struct reader *r)
{
    struct policy_fault fault;

    if (!policy_find_fault(r->p, &fault))
        return 0;
    return refuse(r, fault.where, "%s", fault.why);
}

int policy_parse(const char *data, unsigned long len, const char *what, struct policy *ret,
                 struct err *err)
{
    json_auto_t *o = NULL;
    struct err json = {0};
    struct policy p;
    const struct reader r = {.data = data, .what = what, .len = len, .p = &p, .err = err};
    int e = jsonx_parse(data, len, POLICY_FILE_MAX, &o, &json);

    if (e < 0)
        return err_set(err, e == -ERR_NOMEM ? ERR_NOMEM : ERR_POLICY, "%s: %s", what, json.msg);
    policy_standard(&p);
    e = parse_object(&r, o);
    if (e == 0)
        e = check_whole(&r);
    if (e == 0)
        *ret = p;
    return e;
}

int policy_read(const char *dir, const char *name, char **ret_text, struct policy *ret,
                struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    _cleanup_(free_p)
    char *path = NULL;
    char file[POLICY_NAME_MAX + 8];
    struct policy p;
    int r;

    buf_init(&text, POLICY_FILE_MAX);
    if (!policy_name_is_plain(name))
        return err_set(err, ERR_INVALID, "'%.40s' is not a policy's name", name);
    snprintf(file, sizeof file, "%s.json", name);
    path = path_join(dir, file);
    r = path ? file_read(path, &text, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        r = policy_parse(text.data, text.len, file, &p, err);
    if (r == 0 && strcmp(p.name, name) != 0)
        r = err_set(err, ERR_POLICY, "%s: names itself '%s'", file, p.name);
    if (r == 0 && ret_text && !(*ret_text = buf_detach(&text, NULL)))
        r = err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0)
        *ret = p;
    return err_context(err, r, "policy '%s'", name);
}

int policy_read_path(const char *path, struct policy *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, POLICY_FILE_MAX);
    r = file_read(path, &text, err);
    return r < 0 ? r : policy_parse(text.data, text.len, path, ret, err);
}

int policy_find(const char *dir, const char *name, struct policy *ret, struct err *err)
{
    return strpbrk(name, "/.") ? policy_read_path(name, ret, err)
                               : policy_read(dir, name, NULL, ret, err);
}

/* ---- writing ---- */

static json_t *field_to_json(const struct field *f, const void *from)
{
    const void *at = (const char *)from + f->offset;

    switch (f->type) {
    case FIELD_SECONDS:
        return json_real((double)*(const int64_t *)at / 1000.0);
    case FIELD_INT:
        return json_integer(*(const int64_t *)at);
    case FIELD_REAL:
        return json_real(*(const double *)at);
    }
    return NULL;
}

static bool is_zero(const json_t *v)
{
    return json_number_value(v) == 0.0;
}

/* What is not asked of a ring is left out: 0 is no value of it. */
static json_t *ring_to_json(const struct policy_ring *ring)
{
    json_t *o = json_object();

    if (ring->kind == RING_CANARY)
        json_object_set_new(o, "canary", json_true());
    for (size_t i = 0; i < N(ring_fields); i++) {
        json_t *v = field_to_json(&ring_fields[i], ring);

        if (is_zero(v))
            json_decref(v);
        else
            json_object_set_new(o, ring_fields[i].key, v);
    }
    return o;
}

static json_t *metrics_to_json(const struct policy *p)
{
    json_t *a = json_array();

    for (int i = 0; i < p->n_extras; i++) {
        const struct policy_metric *x = &p->extras[i];

        json_array_append_new(a, json_pack("{s:s, s:f, s:f, s:b}", "name", x->name, "limit",
                                           x->limit, "weight", x->weight, "halts", x->halts));
    }
    return a;
}

json_t *policy_to_json(const struct policy *p)
{
    json_t *rings = json_array();
    json_t *o = json_pack("{s:s, s:s}", "name", p->name, "underpowered",
                          underpowered_rules[p->underpowered]);

    for (size_t i = 0; o && i < N(policy_fields); i++)
        json_object_set_new(o, policy_fields[i].key, field_to_json(&policy_fields[i], p));
    for (int i = 0; i < p->n_rings; i++)
        json_array_append_new(rings, ring_to_json(&p->rings[i]));
    if (o && p->n_extras > 0)
        json_object_set_new(o, "metrics", metrics_to_json(p));
    if (!o || !rings || json_object_set_new(o, "rings", rings) < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}
