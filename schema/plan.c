/*
 * plan: see plan.h. How it is asked is plan_ask.c.
 *
 *   {"_type": "firebreak-plan", "format": 1, "channel", "serial",
 *    "baseline": {"digest", "version"} | null,
 *    "rollouts": [{"digest", "version", "sequence", "state", "stage_ppm", "ask_ppm"?,
 *                  "cohorts": [{"name", "stage_ppm", "ask_ppm"?, "halted"}]}],
 *    "recalled": [{"digest", "cohorts": [names]}],
 *    "lifted": [{"digest"}], "permit_keys": [key objects], "checkin_ms", "tick_ms"}
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "field.h"
#include "text.h"

#define TYPE         "firebreak-plan"
#define FORMAT       1
#define MAX_KEYS     16
#define INTERVAL_MIN 10       /* ms; what a tick may be in tests */
#define INTERVAL_MAX 86400000 /* a day */

static const char *const states[] = {
#define X(name, text) [ROLLOUT_##name] = text,
    ROLLOUT_STATES(X)
#undef X
};

static const struct field fields[] = {
    FIELD_TEXT(struct plan, channel, "channel", channel_name_check),
    FIELD_INT(struct plan, serial, "serial", 0, FIELD_INT_MAX),
    FIELD_INT(struct plan, checkin_ms, "checkin_ms", INTERVAL_MIN, INTERVAL_MAX),
    FIELD_INT(struct plan, tick_ms, "tick_ms", INTERVAL_MIN, INTERVAL_MAX),
    {0},
};

static const struct field baseline_fields[] = {
    FIELD_HEX(struct plan, baseline, "digest"),
    FIELD_TEXT(struct plan, baseline_version, "version", release_version_check),
    {0},
};

static const struct field rollout_fields[] = {
    FIELD_HEX(struct plan_rollout, digest, "digest"),
    FIELD_TEXT(struct plan_rollout, version, "version", release_version_check),
    FIELD_INT(struct plan_rollout, sequence, "sequence", 1, FIELD_INT_MAX),
    FIELD_NAME(struct plan_rollout, state, "state", states),
    FIELD_INT(struct plan_rollout, stage_ppm, "stage_ppm", 0, PPM),
    {0},
};

static const struct field cohort_fields[] = {
    FIELD_TEXT(struct plan_cohort, name, "name", text_cohort_check),
    FIELD_INT(struct plan_cohort, stage_ppm, "stage_ppm", 0, PPM),
    FIELD_BOOL(struct plan_cohort, halted, "halted"),
    {0},
};

static const struct field recall_fields[] = {
    FIELD_HEX(struct plan_recall, digest, "digest"),
    {0},
};

static const struct field lift_fields[] = {
    FIELD_HEX(struct plan_lift, digest, "digest"),
    {0},
};

const char *rollout_state_name(enum rollout_state s)
{
    return states[s];
}

int rollout_state_from(const char *text, enum rollout_state *ret)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i], text) == 0) {
            *ret = (enum rollout_state)i;
            return 0;
        }
    }
    return -ERR_INVALID;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory in the plan");
}

/* --- reading --- */

static int read_cohorts(const json_t *o, const char *what, struct plan_rollout *ro, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, what, "cohorts", PLAN_MAX_COHORTS, &list, err);

    if (r < 0)
        return r;
    ro->cohorts = calloc(json_array_size(list) + 1, sizeof *ro->cohorts);
    if (!ro->cohorts)
        return no_memory(err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char where[96];

        snprintf(where, sizeof where, "%s.cohorts[%zu]", what, i);
        r = field_read(json_array_get(list, i), where, cohort_fields, &ro->cohorts[i], err);
        if (r < 0)
            return r;
        for (size_t k = 0; k < i; k++)
            if (strcmp(ro->cohorts[k].name, ro->cohorts[i].name) == 0)
                return err_set(err, ERR_INVALID, "%s: cohort '%s' is given twice", what,
                               ro->cohorts[i].name);
        ro->n_cohorts = i + 1;
    }
    return 0;
}

static int read_rollouts(const json_t *o, struct plan *p, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "plan", "rollouts", PLAN_MAX_ROLLOUTS, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        struct plan_rollout *ro = &p->rollouts[i];
        const json_t *item = json_array_get(list, i);
        char what[64];

        snprintf(what, sizeof what, "plan: rollouts[%zu]", i);
        p->n_rollouts = i + 1; /* so that plan_free finds what was read of it */
        r = field_read(item, what, rollout_fields, ro, err);
        if (r == 0)
            r = read_cohorts(item, what, ro, err);
        for (size_t k = 0; r == 0 && k < i; k++)
            if (strcmp(p->rollouts[k].digest, ro->digest) == 0 ||
                p->rollouts[k].sequence == ro->sequence)
                r = err_set(err, ERR_INVALID, "%s: a release or sequence is given twice", what);
    }
    return r;
}

static int read_recall(const json_t *o, const char *what, struct plan_recall *rc, struct err *err)
{
    json_t *list;
    int r = field_read(o, what, recall_fields, rc, err);

    if (r == 0)
        r = jsonx_array(o, what, "cohorts", PLAN_MAX_COHORTS, &list, err);
    if (r < 0)
        return r;
    rc->cohorts = calloc(json_array_size(list) + 1, sizeof *rc->cohorts);
    if (!rc->cohorts)
        return no_memory(err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || strlen(name) >= COHORT_NAME_MAX || text_cohort_check(name, NULL) < 0)
            return err_set(err, ERR_INVALID, "%s: 'cohorts[%zu]' is not a cohort", what, i);
        rc->cohorts[i] = strdup(name);
        if (!rc->cohorts[i])
            return no_memory(err);
        rc->n_cohorts = i + 1;
    }
    return 0;
}

static int read_recalled(const json_t *o, struct plan *p, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "plan", "recalled", PLAN_MAX_RECALLED, &list, err);

    if (r < 0)
        return r;
    p->recalled = calloc(json_array_size(list) + 1, sizeof *p->recalled);
    if (!p->recalled)
        return no_memory(err);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        char what[64];

        snprintf(what, sizeof what, "plan: recalled[%zu]", i);
        p->n_recalled = i + 1;
        r = read_recall(json_array_get(list, i), what, &p->recalled[i], err);
    }
    return r;
}

static int read_lifted(const json_t *o, struct plan *p, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "plan", "lifted", PLAN_MAX_RECALLED, &list, err);

    if (r < 0)
        return r;
    p->lifted = calloc(json_array_size(list) + 1, sizeof *p->lifted);
    if (!p->lifted)
        return no_memory(err);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        char what[64];

        snprintf(what, sizeof what, "plan: lifted[%zu]", i);
        r = field_read(json_array_get(list, i), what, lift_fields, &p->lifted[i], err);
        p->n_lifted = i + 1;
    }
    return r;
}

static int read_keys(const json_t *o, struct plan *p, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "plan", "permit_keys", MAX_KEYS, &list, err);

    if (r < 0)
        return r;
    p->permit_keys.threshold = 1;
    p->permit_keys.keys = calloc(json_array_size(list) + 1, sizeof *p->permit_keys.keys);
    if (!p->permit_keys.keys)
        return no_memory(err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        r = key_from_json(json_array_get(list, i), &p->permit_keys.keys[i], err);
        if (r < 0)
            return err_context(err, r, "plan: permit_keys[%zu]", i);
        p->permit_keys.n_keys = i + 1;
    }
    return 0;
}

static int read_baseline(const json_t *o, struct plan *p, struct err *err)
{
    const json_t *b = json_object_get(o, "baseline");

    if (json_is_null(b))
        return 0;
    return field_read(b, "plan: baseline", baseline_fields, p, err);
}

static int read_plan(const json_t *o, struct plan *p, struct err *err)
{
    static int (*const parts[])(const json_t *, struct plan *, struct err *) = {
        read_baseline, read_rollouts, read_recalled, read_lifted, read_keys};
    int64_t format;
    int r = jsonx_type(o, "plan", TYPE, err);

    if (r == 0)
        r = jsonx_int(o, "plan", "format", FORMAT, FORMAT, &format, err);
    if (r == 0)
        r = field_read(o, "plan", fields, p, err);
    for (size_t i = 0; r == 0 && i < sizeof parts / sizeof parts[0]; i++)
        r = parts[i](o, p, err);
    return r;
}

int plan_parse(const char *data, size_t len, struct plan **ret, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *p = calloc(1, sizeof *p);
    json_auto_t *o = NULL;
    int r;

    if (!p)
        return no_memory(err);
    r = err_context(err, jsonx_parse(data, len, PLAN_MAX, &o, err), "plan");
    if (r == 0)
        r = read_plan(o, p, err);
    if (r == 0)
        *ret = take_ptr(p);
    return r;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_rollouts; i++)
        free(p->rollouts[i].cohorts);
    for (size_t i = 0; i < p->n_recalled; i++) {
        for (size_t k = 0; k < p->recalled[i].n_cohorts; k++)
            free(p->recalled[i].cohorts[k]);
        free(p->recalled[i].cohorts);
    }
    free(p->recalled);
    free(p->lifted);
    key_set_release(&p->permit_keys);
    free(p);
}

/* --- writing; a list is put into its parent first, and filled there --- */

/* A share that nothing asks for any more. Older endpoints refuse a plan without it, and with the
 * plan its recalls: it is written for them, and not read. */
static int write_ask(json_t *o, struct err *err)
{
    return field_set(o, "ask_ppm", json_integer(PPM), err);
}

static int write_rollout(const struct plan_rollout *ro, json_t *o, struct err *err)
{
    json_t *list = json_array();
    int r = field_set(o, "cohorts", list, err);

    if (r == 0)
        r = field_write(o, "plan: rollouts", rollout_fields, ro, err);
    if (r == 0)
        r = write_ask(o, err);
    for (size_t i = 0; r == 0 && i < ro->n_cohorts; i++) {
        json_t *c = json_object();

        r = field_append(list, c, err);
        if (r == 0)
            r = field_write(c, "plan: cohorts", cohort_fields, &ro->cohorts[i], err);
        if (r == 0)
            r = write_ask(c, err);
    }
    return r;
}

static int write_recall(const struct plan_recall *rc, json_t *o, struct err *err)
{
    json_t *list = json_array();
    int r = field_set(o, "cohorts", list, err);

    for (size_t i = 0; r == 0 && i < rc->n_cohorts; i++)
        r = field_append(list, json_string(rc->cohorts[i]), err);
    if (r == 0)
        r = field_write(o, "plan: recalled", recall_fields, rc, err);
    return r;
}

static int write_lists(const struct plan *p, json_t *rollouts, json_t *recalled, json_t *lifted,
                       json_t *keys, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_rollouts; i++) {
        json_t *o = json_object();

        r = field_append(rollouts, o, err);
        if (r == 0)
            r = write_rollout(&p->rollouts[i], o, err);
    }
    for (size_t i = 0; r == 0 && i < p->n_recalled; i++) {
        json_t *o = json_object();

        r = field_append(recalled, o, err);
        if (r == 0)
            r = write_recall(&p->recalled[i], o, err);
    }
    for (size_t i = 0; r == 0 && i < p->n_lifted; i++) {
        json_t *o = json_object();

        r = field_append(lifted, o, err);
        if (r == 0)
            r = field_write(o, "plan: lifted", lift_fields, &p->lifted[i], err);
    }
    for (size_t i = 0; r == 0 && i < p->permit_keys.n_keys; i++)
        r = field_append(keys, key_to_json(p->permit_keys.keys[i]), err);
    return r;
}

static int write_baseline(const struct plan *p, json_t *o, struct err *err)
{
    json_t *b = p->baseline[0] ? json_object() : json_null();
    int r = field_set(o, "baseline", b, err);

    return r < 0 || !p->baseline[0] ? r : field_write(b, "plan: baseline", baseline_fields, p, err);
}

int plan_dump(const struct plan *p, struct buf *ret, struct err *err)
{
    static const char *const names[] = {"rollouts", "recalled", "lifted", "permit_keys"};
    json_auto_t *o = json_object();
    json_t *lists[4];
    int r = field_set(o, "_type", json_string(TYPE), err);

    if (r == 0)
        r = field_set(o, "format", json_integer(FORMAT), err);
    if (r == 0)
        r = field_write(o, "plan", fields, p, err);
    if (r == 0)
        r = write_baseline(p, o, err);
    for (size_t i = 0; r == 0 && i < 4; i++)
        r = field_set(o, names[i], lists[i] = json_array(), err);
    if (r == 0)
        r = write_lists(p, lists[0], lists[1], lists[2], lists[3], err);
    if (r == 0)
        r = field_dump(o, JSON_COMPACT | JSON_SORT_KEYS, "plan", ret, err);
    return r;
}

int plan_target_path(const char *channel, char *ret, size_t size)
{
    int n = snprintf(ret, size, "rollout/%s.json", channel);

    return n < 0 || (size_t)n >= size ? -ERR_TOO_LARGE : 0;
}
