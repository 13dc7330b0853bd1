/* script: see script.h. */
#include "script.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/jsonx.h"

#define SCRIPT_MAX_BYTES 1000000
#define TICKS_MAX        1000000
#define DAY_MS           86400000
#define SEED_MAX         (INT64_C(1) << 53)
#define RATE_MAX         (INT64_C(60) * PPM) /* an hour: one a minute */

/* An integer that may be left out. */
static int optional_int(const json_t *o, const char *what, const char *key, int64_t min,
                        int64_t max, int64_t otherwise, int64_t *ret, struct err *err)
{
    if (jsonx_has(o, key))
        return jsonx_int(o, what, key, min, max, ret, err);
    *ret = otherwise;
    return 0;
}

/* "linux-debian-12[-arch][/label]". The name does not say where the version ends, so the system
 * ends at the first '-' and all up to the label is its version: the cohort's name comes out alike.
 */
static int read_cohort(const json_t *o, const char *what, struct script_group *g, struct err *err)
{
    char again[COHORT_NAME_MAX];
    struct platform *p = &g->platform;
    const char *slash, *dash;
    int r = jsonx_copy(o, what, "cohort", g->cohort, sizeof g->cohort, err);

    if (r < 0)
        return r;
    slash = strchrnul(g->cohort, '/');
    dash = strchr(g->cohort, '-');
    if (dash && dash < slash) {
        snprintf(p->os, sizeof p->os, "%.*s", (int)(dash - g->cohort), g->cohort);
        snprintf(p->os_version, sizeof p->os_version, "%.*s", (int)(slash - dash - 1), dash + 1);
        snprintf(p->label, sizeof p->label, "%s", *slash ? slash + 1 : "");
        strcpy(p->arch, "x86_64");
        platform_cohort(p, again);
        if (strcmp(again, g->cohort) == 0 && p->os[0] && p->os_version[0])
            return 0;
    }
    return err_set(err, ERR_INVALID, "%s: 'cohort' is not OS-VERSION[/LABEL]: '%s'", what,
                   g->cohort);
}

static int read_behaviour(const json_t *o, const char *what, enum behaviour *ret, struct err *err)
{
    static const char *const names[] = {
#define X(name, text) [BEHAVIOUR_##name] = text,
        BEHAVIOURS(X)
#undef X
    };
    const char *text;
    int r = jsonx_string(o, what, "behaviour", 32, &text, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = (enum behaviour)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "%s: 'behaviour' is not known: '%s'", what, text);
}

static int read_figures(const json_t *o, const char *what, const char *key, struct figures *ret,
                        struct err *err)
{
    char where[80];

    snprintf(where, sizeof where, "%s.%s", what, key);
    return jsonx_has(o, key) ? figures_from_json(json_object_get(o, key), where, ret, err) : 0;
}

static int read_group(const json_t *o, const char *what, struct script_group *g, struct err *err)
{
    int r = jsonx_int(o, what, "count", 1, SCRIPT_MAX_ENDPOINTS, &g->count, err);

    if (r == 0)
        r = read_cohort(o, what, g, err);
    if (r == 0)
        r = read_behaviour(o, what, &g->behaviour, err);
    if (r == 0 && jsonx_has(o, "canary"))
        r = jsonx_bool(o, what, "canary", &g->canary, err);
    if (r == 0 && jsonx_has(o, "on_release"))
        r = jsonx_copy(o, what, "on_release", g->on_release, sizeof g->on_release, err);
    if (r == 0)
        r = optional_int(o, what, "share_ppm", 0, PPM, PPM, &g->share_ppm, err);
    if (r == 0)
        r = optional_int(o, what, "slow_ticks", 1, TICKS_MAX, 4, &g->slow_ticks, err);
    if (r == 0)
        r = optional_int(o, what, "recover_share_ppm", 0, PPM, 0, &g->recover_share_ppm, err);
    if (r == 0)
        r = optional_int(o, what, "recover_ticks", 1, TICKS_MAX, 6, &g->recover_ticks, err);
    if (r == 0)
        r = optional_int(o, what, "recover_max_ticks", g->recover_ticks, TICKS_MAX,
                         g->recover_ticks, &g->recover_max_ticks, err);
    if (r == 0)
        r = read_figures(o, what, "figures", &g->figures, err);
    if (r == 0)
        r = read_figures(o, what, "figures_ill", &g->figures_ill, err);
    return r;
}

/* ---- life ---- */

#define L(member) offsetof(struct script_life, member)
static const struct life_field {
    const char *key;
    size_t offset;
    int64_t min, max, otherwise;
} life_fields[] = {
    {"minute_ms", L(minute_ms), 10, 60000, 60000},
    {"asleep_ppm", L(asleep_ppm), 0, PPM, 0},
    {"goodbyes_ppm_h", L(goodbyes_ppm_h), 0, RATE_MAX, 0},
    {"wakes_ppm_h", L(wakes_ppm_h), 1, RATE_MAX, PPM},
    {"silences_ppm_h", L(silences_ppm_h), 0, RATE_MAX, 0},
    {"long_silence_ppm", L(long_silence_ppm), 0, PPM, 0},
    {"reboots_ppm_h", L(reboots_ppm_h), 0, RATE_MAX, 0},
    {"reboot_5min_ppm", L(reboot_5min_ppm), 0, PPM, 0},
    {"reboot_15min_ppm", L(reboot_15min_ppm), 0, PPM, 0},
    {"crashes_ppm_h", L(crashes_ppm_h), 0, RATE_MAX, 0},
    {"consumer_ppm", L(consumer_ppm), 0, PPM, 0},
    {"report_ms", L(report_ms), 0, DAY_MS, 0},
    {"staged_ms", L(staged_ms), 0, DAY_MS, 0},
};
#undef L

static int read_life(const json_t *o, struct script_life *life, struct err *err)
{
    int r = 0;

    life->on = true;
    for (size_t i = 0; r == 0 && i < sizeof life_fields / sizeof life_fields[0]; i++) {
        const struct life_field *f = &life_fields[i];

        r = optional_int(o, "script: life", f->key, f->min, f->max, f->otherwise,
                         (int64_t *)((char *)life + f->offset), err);
    }
    if (r == 0 && jsonx_has(o, "prestaged"))
        r = jsonx_bool(o, "script: life", "prestaged", &life->prestaged, err);
    return r;
}

static int read_outage(const json_t *o, struct script_outage *out, struct err *err)
{
    int r =
        jsonx_copy(o, "script: outage", "on_release", out->on_release, sizeof out->on_release, err);

    if (r == 0)
        r = jsonx_int(o, "script: outage", "after_ms", 0, DAY_MS, &out->after_ms, err);
    if (r == 0)
        r = jsonx_int(o, "script: outage", "for_ms", 1, DAY_MS, &out->for_ms, err);
    return r;
}

static int read_world(const json_t *o, struct script *s, struct err *err)
{
    json_t *part;
    int r = 0;

    if (jsonx_has(o, "life")) {
        r = jsonx_object(o, "script", "life", &part, err);
        if (r == 0)
            r = read_life(part, &s->life, err);
    }
    if (r == 0 && jsonx_has(o, "outage")) {
        r = jsonx_object(o, "script", "outage", &part, err);
        if (r == 0)
            r = read_outage(part, &s->outage, err);
    }
    return r;
}

static int read_head(const json_t *o, struct script *s, struct err *err)
{
    int r = optional_int(o, "script", "seed", 0, SEED_MAX, 1, &s->seed, err);

    if (r == 0)
        r = jsonx_int(o, "script", "tick_ms", 10, DAY_MS, &s->tick_ms, err);
    if (r == 0)
        r = optional_int(o, "script", "soak_ms", 0, DAY_MS, s->tick_ms, &s->soak_ms, err);
    if (r == 0)
        r = optional_int(o, "script", "connections", 1, 4096, 128, &s->connections, err);
    if (r == 0)
        r = optional_int(o, "script", "duration_s", 1, 30 * 86400, 0, &s->duration_s, err);
    if (r == 0 && jsonx_has(o, "channel"))
        r = jsonx_copy(o, "script", "channel", s->channel, sizeof s->channel, err);
    if (r == 0 && s->channel[0])
        r = channel_name_check(s->channel, err);
    return r;
}

int script_parse(const char *data, size_t len, struct script *ret, struct err *err)
{
    json_auto_t *o = NULL;
    struct script s = {0};
    json_t *groups, *group;
    size_t i;
    int r = jsonx_parse(data, len, SCRIPT_MAX_BYTES, &o, err);

    if (r == 0)
        r = read_head(o, &s, err);
    if (r == 0)
        r = read_world(o, &s, err);
    if (r == 0)
        r = jsonx_array(o, "script", "groups", SCRIPT_MAX_GROUPS, &groups, err);
    if (r < 0)
        return r;
    json_array_foreach (groups, i, group) {
        char what[48];

        snprintf(what, sizeof what, "script: groups[%zu]", i);
        r = read_group(group, what, &s.groups[i], err);
        if (r < 0)
            return r;
        s.n_endpoints += s.groups[i].count;
    }
    s.n_groups = json_array_size(groups);
    if (s.n_endpoints < 1 || s.n_endpoints > SCRIPT_MAX_ENDPOINTS)
        return err_set(err, ERR_INVALID, "script: has %lld endpoints, not 1 to %d",
                       (long long)s.n_endpoints, SCRIPT_MAX_ENDPOINTS);
    *ret = s;
    return 0;
}

int script_read(const char *path, struct script *ret, struct err *err)
{
    struct buf text;
    int r;

    buf_init(&text, SCRIPT_MAX_BYTES);
    r = file_read(path, &text, err);
    if (r == 0)
        r = err_context(err, script_parse(text.data, text.len, ret, err), "'%s'", path);
    buf_release(&text);
    return r;
}

bool script_chosen(int64_t seed, int64_t index, const char *purpose, int64_t share_ppm)
{
    uint8_t hash[SHA256_LEN];
    uint64_t draw = 0;
    char text[96];

    snprintf(text, sizeof text, "firebreak-fleet/%s/%lld/%lld", purpose, (long long)seed,
             (long long)index);
    sha256(text, strlen(text), hash);
    for (int i = 0; i < 8; i++)
        draw = draw << 8 | hash[i];
    return draw_within(draw, share_ppm);
}
