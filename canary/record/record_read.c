/* record_read: lines into ticks; see record.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/jsonx.h"
#include "policy_file.h"
#include "record.h"
#include "record_lines.h"

struct record {
    char *what;
    struct record_head head;
    struct record_lines lines;
    json_t *ahead; /* first line of the next tick, read already */
    int64_t ahead_line;
    int64_t tick; /* of the last line; -1: none */
    int64_t admitted[GATE_MAX_COHORTS];
    bool ended;
};

/* Puts "FILE: line N: " before it. */
static int at_line(const struct record *r, int64_t line, int code, struct err *err)
{
    return err_context(err, code, "%s: line %lld", r->what, (long long)line);
}

#define MALFORMED "malformed json at line 1, column"

/* A parsed line that is not empty: 1; 0 at the end of the file. */
static int next_line(struct record *r, json_t **ret, struct err *err)
{
    struct err why = {0};
    int n, e;

    do
        n = record_lines_next(&r->lines, err);
    while (n > 0 && strspn(r->lines.text.data, " \t\r") == r->lines.text.len);
    if (n <= 0)
        return n < 0 ? at_line(r, r->lines.line, n, err) : 0;
    e = jsonx_parse(r->lines.text.data, r->lines.text.len, RECORD_LINE_MAX, ret, &why);
    if (e < 0 && strncmp(why.msg, MALFORMED, strlen(MALFORMED)) == 0)
        e = err_set(err, why.code, "malformed json at column%s%s", why.msg + strlen(MALFORMED),
                    r->lines.cut_off ? "; the file ends there: cut off?" : "");
    else if (e < 0)
        e = err_set(err, why.code, "%s", why.msg);
    else if (!json_is_object(*ret))
        e = err_set(err, ERR_INVALID, "not an object");
    if (e == 0)
        return 1;
    return at_line(r, r->lines.line, e, err);
}

/* --- head ------------------------------------------------------------------------------------- */

static int head_policy(struct record_head *h, const json_t *v, struct err *err)
{
    _cleanup_(free_p)
    char *text = NULL;

    if (json_is_string(v)) {
        if (json_string_length(v) == 0 || json_string_length(v) >= sizeof h->policy_name)
            return err_set(err, ERR_INVALID, "'policy' is not a policy's name");
        memcpy(h->policy_name, json_string_value(v), json_string_length(v) + 1);
        return 0;
    }
    if (!json_is_object(v))
        return err_set(err, ERR_INVALID, "'policy' is neither a name nor a policy");
    text = json_dumps(v, JSON_COMPACT);
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    h->has_policy = true;
    if (policy_parse(text, strlen(text), "policy", &h->policy, err) < 0)
        return -(int)err->code;
    memcpy(h->policy_name, h->policy.name, sizeof h->policy_name);
    return 0;
}

static int os_row(struct topology *t, const char *os)
{
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    if (t->n_os == GATE_MAX_OS)
        return -1;
    memcpy(t->os[t->n_os], os, strlen(os) + 1);
    return t->n_os++;
}

static int head_cohort(struct topology *t, int i, const json_t *o, struct err *err)
{
    struct topology_cohort *c = &t->cohorts[t->n_cohorts];
    char where[48], os[TOPOLOGY_OS_MAX];
    int r;

    snprintf(where, sizeof where, "head: cohorts[%d]", i);
    r = jsonx_copy(o, where, "name", c->name, sizeof c->name, err);
    if (r == 0)
        r = jsonx_copy(o, where, "os", os, sizeof os, err);
    if (r == 0)
        r = jsonx_int(o, where, "size", 0, GATE_MAX_DEVICES, &c->size, err);
    if (r < 0)
        return r;
    if (!c->name[0] || !os[0])
        return err_set(err, ERR_INVALID, "%s: name or os is empty", where);
    for (int k = 0; k < t->n_cohorts; k++)
        if (strcmp(t->cohorts[k].name, c->name) == 0)
            return err_set(err, ERR_INVALID, "%s has the name of cohorts[%d]", where, k);
    c->os = os_row(t, os);
    if (c->os < 0)
        return err_set(err, ERR_INVALID, "%s is of one OS family too many; there may be %d", where,
                       GATE_MAX_OS);
    t->n_cohorts++;
    return 0;
}

/* The rest is optional. */
static int head_options(struct record_head *h, const json_t *o, struct err *err)
{
    int64_t version = 0;
    int r = 0;

    if (jsonx_has(o, "canary"))
        r = jsonx_int(o, "head", "canary", 0, GATE_MAX_DEVICES, &h->canary, err);
    if (r == 0 && jsonx_has(o, "record"))
        r = jsonx_int(o, "head", "record", RECORD_VERSION, RECORD_VERSION, &version, err);
    h->whole = version > 0;
    return r;
}

static int read_head(struct record_head *h, const json_t *o, struct err *err)
{
    const json_t *policy = json_object_get(o, "policy");
    json_t *cohorts;
    int r = policy ? head_policy(h, policy, err)
                   : err_set(err, ERR_INVALID, "head: 'policy' is missing");

    if (r == 0)
        r = jsonx_array(o, "head", "cohorts", GATE_MAX_COHORTS, &cohorts, err);
    for (size_t i = 0; r == 0 && i < json_array_size(cohorts); i++)
        r = head_cohort(&h->topology, (int)i, json_array_get(cohorts, i), err);
    if (r == 0)
        r = head_options(h, o, err);
    if (r == 0 && topology_check(&h->topology))
        r = err_set(err, ERR_INVALID, "head: %s", topology_check(&h->topology));
    return r;
}

static int open_head(struct record *r, struct err *err)
{
    json_auto_t *o = NULL;
    int e = next_line(r, &o, err);

    if (e == 0)
        return err_set(err, ERR_INVALID, "%s: line 1: empty", r->what);
    if (e < 0)
        return e;
    return at_line(r, r->lines.line, read_head(&r->head, o, err), err);
}

int record_open_fd(int fd, const char *what, struct record **ret, struct err *err)
{
    struct record *r = calloc(1, sizeof *r);
    int e;

    if (!r || !(r->what = strdup(what))) {
        free(r);
        close(fd);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    record_lines_init(&r->lines, fd, RECORD_LINE_MAX);
    r->tick = -1;
    e = open_head(r, err);
    if (e < 0) {
        record_close(r);
        return e;
    }
    *ret = r;
    return 0;
}

int record_open(const char *path, struct record **ret, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    return record_open_fd(fd, standard ? "standard input" : path, ret, err);
}

void record_close(struct record *r)
{
    if (!r)
        return;
    record_lines_release(&r->lines);
    json_decref(r->ahead);
    free(r->what);
    free(r);
}

const struct record_head *record_head(const struct record *r)
{
    return &r->head;
}

const char *record_name(const struct record *r)
{
    return r->what;
}

/* --- a tick's lines --------------------------------------------------------------------------- */

static int find_cohort(const struct topology *t, const json_t *o, int *ret, struct err *err)
{
    const char *name;
    int r = jsonx_string(o, "batch", "cohort", GATE_NAME_MAX - 1, &name, err);

    if (r < 0)
        return r;
    for (*ret = 0; *ret < t->n_cohorts; ++*ret)
        if (strcmp(t->cohorts[*ret].name, name) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "cohort '%.60s' is not one of the head's", name);
}

/* One of n names; what it is called in the refusal is its key. */
static int find_name(const json_t *o, const char *key, const char *(*name_of)(int), int n, int *ret,
                     struct err *err)
{
    const char *name;
    int r = jsonx_string(o, "line", key, 32, &name, err);

    if (r < 0)
        return r;
    for (*ret = 0; *ret < n; ++*ret)
        if (strcmp(name_of(*ret), name) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "'%.32s' is no known %s", name, key);
}

static const char *name_of_stratum(int s)
{
    return stratum_name((enum stratum)s);
}

static const char *name_of_verdict(int v)
{
    return verdict_name((enum verdict)v);
}

static int batch_counts(const json_t *o, struct batch *b, int64_t *ret_admitted, struct err *err)
{
    const struct {
        const char *key;
        int64_t *at;
    } rows[] = {{"nT", &b->n_t},
                {"fT", &b->f_t},
                {"nC", &b->n_c},
                {"fC", &b->f_c},
                {"admitted", ret_admitted}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int r = jsonx_int(o, "batch", rows[i].key, 0, GATE_MAX_DEVICES, rows[i].at, err);

        if (r < 0)
            return r;
    }
    if (b->f_t > b->n_t)
        return err_set(err, ERR_INVALID, "%lld of %lld treated failed: more than there were",
                       (long long)b->f_t, (long long)b->n_t);
    if (b->f_c > b->n_c)
        return err_set(err, ERR_INVALID, "%lld of %lld controls failed: more than there were",
                       (long long)b->f_c, (long long)b->n_c);
    return 0;
}

/* Who is being read. */
struct reading {
    struct record *record;
    struct rollout *rollout;
    struct record_tick *ret;
    bool facts;                      /* seen */
    bool admitted[GATE_MAX_COHORTS]; /* told in this tick */
};

/* All lines of a tick say the same of a cohort. */
static int take_admitted(struct reading *r, int cohort, int64_t admitted, struct err *err)
{
    int64_t *now = &r->record->admitted[cohort];

    if (r->admitted[cohort] && *now != admitted)
        return err_set(err, ERR_INVALID,
                       "'admitted' is %lld, but another line of this tick says %lld",
                       (long long)admitted, (long long)*now);
    r->admitted[cohort] = true;
    *now = r->ret->facts.f.cohorts[cohort].admitted = admitted;
    return 0;
}

/* The policy that judges now need not have the metrics of the one that the record was made with:
 * what it does not ask is passed over. 1: to be counted. */
static int find_metric(const struct reading *r, const json_t *o, enum metric *ret, struct err *err)
{
    const struct record_head *head = &r->record->head;
    const char *name;
    int e = jsonx_string(o, "line", "metric", 32, &name, err);

    if (e < 0)
        return e;
    if (policy_find_metric(&r->rollout->policy, name, ret))
        return 1;
    if (head->has_policy && policy_find_metric(&head->policy, name, ret))
        return 0;
    return err_set(err, ERR_INVALID, "'%.32s' is no known metric", name);
}

static int take_batch(struct reading *r, const json_t *o, struct err *err)
{
    struct rollout_facts *f = &r->ret->facts.f;
    struct batch *b = &r->ret->facts.batches[f->n_batches];
    int stratum = 0, counts = 0, e;
    int64_t admitted;

    if (r->ret->decided.given)
        return err_set(err, ERR_INVALID, "a batch behind what was decided on it");
    if (f->n_batches == FACTS_MAX_BATCHES)
        return err_set(err, ERR_INVALID, "more than %d batches in one tick", FACTS_MAX_BATCHES);
    e = find_cohort(&r->rollout->topology, o, &b->cohort, err);
    if (e == 0)
        e = counts = find_metric(r, o, &b->metric, err);
    if (e >= 0)
        e = find_name(o, "stratum", name_of_stratum, N_STRATA, &stratum, err);
    if (e == 0)
        e = batch_counts(o, b, &admitted, err);
    if (e == 0)
        e = take_admitted(r, b->cohort, admitted, err);
    if (e < 0 || !counts)
        return e;
    b->stratum = (enum stratum)stratum;
    b->tick = r->ret->tick;
    f->n_batches++;
    return 0;
}

/* The members of a tick's facts that may be left out. */
static void complete_facts(json_t *o, int64_t tick)
{
    static const char *const numbers[] = {"now_ms",        "silent_controls", "tick_controls",
                                          "silent_groups", "groups",          "pace_ppm"};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!json_object_get(o, numbers[i]))
            json_object_set_new(o, numbers[i], json_integer(0));
    if (!json_object_get(o, "person"))
        json_object_set_new(o, "person", json_false());
    if (!json_object_get(o, "cohorts"))
        json_object_set_new(o, "cohorts", json_object());
    if (!json_object_get(o, "late"))
        json_object_set_new(o, "late", json_array());
    json_object_set_new(o, "tick", json_integer(tick));
    json_object_set_new(o, "batches", json_array());
}

/* Whole records leave out what is 0; elsewhere what is not said is as before. */
static void facts_admitted(struct reading *r, const json_t *cohorts)
{
    const struct topology *t = &r->rollout->topology;

    for (int c = 0; c < t->n_cohorts; c++) {
        int64_t *in_facts = &r->ret->facts.f.cohorts[c].admitted;
        const json_t *of = json_object_get(cohorts, t->cohorts[c].name);

        r->admitted[c] = r->record->head.whole || json_object_get(of, "admitted");
        if (r->admitted[c])
            r->record->admitted[c] = *in_facts;
        else
            *in_facts = r->record->admitted[c];
    }
}

static int take_facts(struct reading *r, json_t *o, struct err *err)
{
    struct record_tick *ret = r->ret;
    int e;

    if (r->facts || ret->facts.f.n_batches > 0 || ret->decided.given)
        return err_set(err, ERR_INVALID, "facts stand once, before all else of their tick");
    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "'facts' is not an object");
    if (json_object_get(o, "batches"))
        return err_set(err, ERR_INVALID, "facts: batches are lines of their own");
    complete_facts(o, ret->tick);
    e = facts_from_json(o, r->rollout, &ret->facts, err);
    if (e < 0)
        return e;
    facts_admitted(r, json_object_get(o, "cohorts"));
    r->facts = true;
    return 0;
}

static int take_decided(struct reading *r, const json_t *o, struct err *err)
{
    const struct topology *t = &r->rollout->topology;
    struct record_decided *d = &r->ret->decided;
    json_t *admit;
    int64_t ring;
    int verdict = 0, e = find_name(o, "verdict", name_of_verdict, VERDICT_HALT + 1, &verdict, err);

    if (e == 0)
        e = jsonx_int(o, "decided", "ring", 0, POLICY_MAX_RINGS, &ring, err);
    if (e == 0)
        e = jsonx_object(o, "decided", "admit", &admit, err);
    for (int c = 0; e == 0 && c < t->n_cohorts; c++)
        if (jsonx_has(admit, t->cohorts[c].name))
            e = jsonx_int(admit, "decided: admit", t->cohorts[c].name, 0, GATE_MAX_DEVICES,
                          &d->admit[c], err);
    if (e == 0 && jsonx_has(o, "admit_fleet")) {
        d->has_fleet = true;
        e = jsonx_int(o, "decided", "admit_fleet", 0, GATE_MAX_DEVICES, &d->admit_fleet, err);
        if (e == 0)
            e = jsonx_int(o, "decided", "admit_canary", 0, GATE_MAX_DEVICES, &d->admit_canary, err);
    }
    if (e < 0)
        return e;
    d->given = true;
    d->verdict = (enum verdict)verdict;
    d->ring = (int)ring;
    return 0;
}

static int take_line(struct reading *r, json_t *o, struct err *err)
{
    if (json_object_get(o, "metric"))
        return take_batch(r, o, err);
    if (json_object_get(o, "facts"))
        return take_facts(r, json_object_get(o, "facts"), err);
    if (json_object_get(o, "decided"))
        return r->ret->decided.given ? err_set(err, ERR_INVALID, "decided twice in one tick")
                                     : take_decided(r, json_object_get(o, "decided"), err);
    return err_set(err, ERR_INVALID, "neither a batch (with 'metric') nor facts nor decided");
}

/* --- ticks ------------------------------------------------------------------------------------ */

static int check_order(const struct record *r, int64_t tick, struct err *err)
{
    if (tick < r->tick)
        return err_set(err, ERR_INVALID, "tick %lld comes after tick %lld", (long long)tick,
                       (long long)r->tick);
    if (r->head.whole && tick > r->tick + 1)
        return err_set(err, ERR_INVALID, "tick %lld is missing, in a record that says it is whole",
                       (long long)r->tick + 1);
    if (tick - r->tick > RECORD_MAX_JUMP)
        return err_set(err, ERR_INVALID, "tick %lld is %lld ticks after the one before; at most %d",
                       (long long)tick, (long long)(tick - r->tick), RECORD_MAX_JUMP);
    return 0;
}

static int take_end(struct record *r, const json_t *o, struct err *err)
{
    int64_t ticks;
    int e = jsonx_int(json_object_get(o, "end"), "end", "ticks", 0, INT64_MAX, &ticks, err);

    if (e == 0 && r->head.whole && ticks != r->tick + 1)
        e = err_set(err, ERR_INVALID, "it had %lld ticks, but %lld are here", (long long)ticks,
                    (long long)(r->tick + 1));
    r->ended = e == 0;
    return e;
}

/* The next line that belongs to a tick, and its number; 0 at the end. */
static int next_of_tick(struct record *r, json_t **ret, int64_t *ret_tick, int64_t *ret_line,
                        struct err *err)
{
    json_auto_t *o = take_ptr(r->ahead);
    int64_t line = r->ahead_line;
    int e = 1;

    if (!o) {
        e = next_line(r, &o, err);
        line = r->lines.line;
    }
    if (e <= 0)
        return e;
    if (r->ended)
        e = err_set(err, ERR_INVALID, "a line behind the end");
    else if (json_object_get(o, "end"))
        e = take_end(r, o, err);
    else
        e = jsonx_int(o, "line", "tick", 0, RECORD_TICK_MAX, ret_tick, err);
    if (e < 0)
        return at_line(r, line, e, err);
    if (r->ended)
        return next_of_tick(r, ret, ret_tick, ret_line, err);
    *ret = take_ptr(o);
    *ret_line = line;
    return 1;
}

static void begin_tick(const struct record *r, int64_t tick, int64_t line, struct record_tick *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->tick = ret->facts.f.tick = tick;
    ret->line = line;
    ret->facts.f.batches = ret->facts.batches;
    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        ret->facts.f.cohorts[c].admitted = r->admitted[c];
}

static int end_of_file(const struct record *r, struct err *err)
{
    if (!r->head.whole || r->ended)
        return 0;
    return err_set(err, ERR_INVALID, "%s: line %lld: ends after tick %lld without its end: cut off",
                   r->what, (long long)r->lines.line, (long long)r->tick);
}

/* Its facts come first, but a batch may have told since how many were admitted. */
static int end_of_tick(const struct reading *r, struct err *err)
{
    char why[160];

    if (r->facts && facts_find_fault(&r->ret->facts.f, &r->rollout->topology, why, sizeof why))
        return err_set(err, ERR_INVALID, "%s: line %lld: facts: %s", r->record->what,
                       (long long)r->ret->line, why);
    if (!r->record->head.whole || r->facts)
        return 1;
    return err_set(err, ERR_INVALID, "%s: line %lld: tick %lld has no facts", r->record->what,
                   (long long)r->ret->line, (long long)r->ret->tick);
}

int record_next(struct record *r, struct rollout *rollout, struct record_tick *ret, struct err *err)
{
    struct reading reading = {.record = r, .rollout = rollout, .ret = ret};
    bool any = false;

    for (;;) {
        json_auto_t *o = NULL;
        int64_t tick, line;
        int e = next_of_tick(r, &o, &tick, &line, err);

        if (e < 0)
            return e;
        if (e == 0)
            return any ? end_of_tick(&reading, err) : end_of_file(r, err);
        if (any && tick > ret->tick) {
            r->ahead = take_ptr(o);
            r->ahead_line = line;
            return end_of_tick(&reading, err);
        }
        e = check_order(r, tick, err);
        if (e == 0 && !any)
            begin_tick(r, tick, line, ret);
        any = true;
        if (e == 0)
            e = take_line(&reading, o, err);
        if (e < 0)
            return at_line(r, line, e, err);
        r->tick = tick;
    }
}
