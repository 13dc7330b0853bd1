#include "policy_file.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonx.h"

/*
 * A policy file is one JSON object; canary/policies/README.md lists its fields. To add one: a field
 * of struct policy, a row in policy_fields (or ring_fields), a line in the README. What a file
 * leaves out is as in the standard policy; an unknown field is refused.
 */

#define POLICY_FILE_MAX 65536
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

static int set_field(const struct field *f, const json_t *value, const char *what, void *into,
                     struct err *err)
{
    double v = json_number_value(value);
    void *at = (char *)into + f->offset;

    if (!json_is_number(value) || (f->type == FIELD_INT && !json_is_integer(value)))
        return err_set(err, ERR_POLICY, "%s: '%s' is not %s", what, f->key,
                       f->type == FIELD_INT ? "a whole number" : "a number");
    if (!(v >= f->min && v <= f->max))
        return err_set(err, ERR_POLICY, "%s: '%s' is outside %g to %g", what, f->key, f->min,
                       f->max);
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

static int unknown(const char *what, const char *key, struct err *err)
{
    return err_set(err, ERR_POLICY, "%s: unknown field '%.64s'", what, key);
}

static int parse_ring(const json_t *o, const char *what, int i, struct policy_ring *ret,
                      struct err *err)
{
    char where[160];
    const char *key;
    const json_t *value;
    bool canary = json_is_true(json_object_get(o, "canary"));

    snprintf(where, sizeof(where), "%s: rings[%d]", what, i);
    memset(ret, 0, sizeof(*ret));
    if (!json_is_object(o))
        return err_set(err, ERR_POLICY, "%s is not an object", where);
    json_object_foreach ((json_t *)o, key, value) {
        const struct field *f = find_field(ring_fields, N(ring_fields), key);
        int r = 0;

        if (f)
            r = set_field(f, value, where, ret, err);
        else if (strcmp(key, "canary") != 0)
            r = unknown(where, key, err);
        else if (!json_is_boolean(value))
            r = err_set(err, ERR_POLICY, "%s: 'canary' is not true or false", where);
        if (r < 0)
            return r;
    }
    if (canary && (ret->count || ret->share_ppm))
        return err_set(err, ERR_POLICY, "%s: the canary ring has no size of its own", where);
    if (!canary && !ret->share_ppm)
        return err_set(err, ERR_POLICY, "%s: 'share_ppm' is missing", where);
    ret->kind = canary ? RING_CANARY : ret->count ? RING_COUNT : RING_SHARE;
    return 0;
}

static int parse_rings(const json_t *rings, const char *what, struct policy *ret, struct err *err)
{
    size_t n = json_array_size(rings);

    if (!json_is_array(rings) || n < 1 || n > POLICY_MAX_RINGS)
        return err_set(err, ERR_POLICY, "%s: 'rings' is not a list of 1 to %d", what,
                       POLICY_MAX_RINGS);
    memset(ret->rings, 0, sizeof(ret->rings));
    for (size_t i = 0; i < n; i++) {
        int r = parse_ring(json_array_get(rings, i), what, (int)i, &ret->rings[i], err);

        if (r < 0)
            return r;
    }
    ret->n_rings = (int)n;
    return 0;
}

static int parse_underpowered(const json_t *value, const char *what, struct policy *ret,
                              struct err *err)
{
    static const char *const rules[] = {
        [UNDERPOWERED_BAKE] = "bake", [UNDERPOWERED_APPROVE] = "approve"};

    for (size_t i = 0; i < N(rules) && json_is_string(value); i++)
        if (strcmp(json_string_value(value), rules[i]) == 0) {
            ret->underpowered = (enum underpowered_rule)i;
            return 0;
        }
    return err_set(err, ERR_POLICY, "%s: 'underpowered' is not 'bake' or 'approve'", what);
}

static int parse_member(const char *key, const json_t *value, const char *what, struct policy *ret,
                        struct err *err)
{
    const struct field *f = find_field(policy_fields, N(policy_fields), key);

    if (f)
        return set_field(f, value, what, ret, err);
    if (strcmp(key, "rings") == 0)
        return parse_rings(value, what, ret, err);
    if (strcmp(key, "underpowered") == 0)
        return parse_underpowered(value, what, ret, err);
    if (strcmp(key, "name") == 0 || strcmp(key, "description") == 0)
        return 0; /* the name is read first; the description is for people */
    return unknown(what, key, err);
}

static bool name_is_plain(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < POLICY_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && name[0] != '-';
}

static int parse_object(const json_t *o, const char *what, struct policy *ret, struct err *err)
{
    const char *key;
    const json_t *value;
    int r;

    if (!json_is_object(o))
        return err_set(err, ERR_POLICY, "%s: not an object", what);
    r = jsonx_copy(o, what, "name", ret->name, sizeof(ret->name), err);
    if (r < 0)
        return r;
    if (!name_is_plain(ret->name))
        return err_set(err, ERR_POLICY, "%s: 'name' is not of a-z, 0-9 and '-'", what);
    if (!json_object_get(o, "version") || !json_object_get(o, "rings"))
        return err_set(err, ERR_POLICY, "%s: 'version' or 'rings' is missing", what);
    json_object_foreach ((json_t *)o, key, value) {
        r = parse_member(key, value, what, ret, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int policy_parse(const char *data, unsigned long len, const char *what, struct policy *ret,
                 struct err *err)
{
    json_auto_t *o = NULL;
    struct err json = {0};
    struct policy p;
    char why[192];
    const char *bad;
    int r;

    r = jsonx_parse(data, len, POLICY_FILE_MAX, &o, &json);
    if (r < 0)
        return err_set(err, r == -ERR_NOMEM ? ERR_NOMEM : ERR_POLICY, "%s: %s", what, json.msg);
    policy_standard(&p);
    r = parse_object(o, what, &p, err);
    if (r < 0)
        return r;
    bad = policy_check(&p, why, sizeof(why));
    if (bad)
        return err_set(err, ERR_POLICY, "%s: %s", what, bad);
    *ret = p;
    return 0;
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
    if (!name_is_plain(name))
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
