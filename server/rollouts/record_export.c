/*
 * record_export: a stored rollout as lines (canary/record/record.h), page by page. All of it comes
 * from the store, so any rollout that ever was can be had, and no check-in waits.
 *
 * The rollout's row is written in the commit of each of its ticks. It is read first and says how
 * many there are: what is added meanwhile is not in this record.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonx.h"
#include "record.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define PAGE_TICKS 1000
#define PAGE_BYTES (1000 * 1000)     /* of stored text; one row may go past it */
#define STORED_MAX (4 * 1000 * 1000) /* bytes of JSON in a row */

struct found {
    const char *channel, *version;
    int64_t id, ticks; /* id 0: none */
    char state[24];
    char *policy, *topology, *said;
};

static void found_release(struct found *f)
{
    free(f->policy);
    free(f->topology);
    free(f->said);
}

static int replace(char **at, const char *text, struct err *err)
{
    free(*at);
    *at = strdup(text ? text : "");
    return *at ? 0 : err_set(err, ERR_NOMEM, "no memory for a record");
}

/* The latest one of the version. */
static int on_rollout(void *ctx, const struct row_rollout *row, struct err *err)
{
    struct found *f = ctx;
    int r;

    if (strcmp(row->channel, f->channel) != 0 || strcmp(row->version, f->version) != 0 ||
        row->id < f->id)
        return 0;
    f->id = row->id;
    f->ticks = row->tick;
    snprintf(f->state, sizeof f->state, "%s", row->state);
    r = replace(&f->policy, row->policy, err);
    return r < 0 ? r : replace(&f->topology, row->topology, err);
}

/* "halt/CHANNEL": what the person who halted the channel's latest rollout said. */
static int on_setting(void *ctx, const struct row_setting *row, struct err *err)
{
    struct found *f = ctx;

    if (strncmp(row->key, "halt/", 5) != 0 || strcmp(row->key + 5, f->channel) != 0)
        return 0;
    return replace(&f->said, row->value, err);
}

static int find(struct server *s, struct found *f, struct err *err)
{
    const struct store_visitor v = {.rollout = on_rollout, .setting = on_setting};
    int r = store_load(s->store, &v, f, err);

    if (r == 0 && f->id == 0)
        r = err_set(err, ERR_NOT_FOUND, "channel '%.40s' has had no rollout of %.60s", f->channel,
                    f->version);
    return r;
}

/* --- lines ------------------------------------------------------------------------------------ */

struct page {
    json_t *lines;
    const struct found *found;
    int64_t next; /* tick */
    size_t bytes;
};

static int add_line(void *ctx, const json_t *line, struct err *err)
{
    const struct page *p = ctx;

    if (json_array_append(p->lines, (json_t *)(uintptr_t)line) < 0)
        return err_set(err, ERR_NOMEM, "no memory for a record");
    return 0;
}

static int parse(const char *text, json_t **ret, struct err *err)
{
    return jsonx_parse(text ? text : "", text ? strlen(text) : 0, STORED_MAX, ret, err);
}

static int put_head(const struct record_writer *w, const struct found *f, struct err *err)
{
    json_auto_t *policy = NULL, *topology = NULL;
    json_auto_t *about = json_pack("{s:s, s:s, s:s}", "made_by", "firebreakd", "channel",
                                   f->channel, "version", f->version);
    int r = parse(f->policy, &policy, err);

    if (r == 0)
        r = parse(f->topology, &topology, err);
    return r < 0 ? r : record_put_head(w, policy, topology, about, err);
}

/* A full page is told by the row that has no room on it. */
static int on_tick(void *ctx, const struct row_tick *row, struct err *err)
{
    struct page *p = ctx;
    const struct record_writer w = {add_line, p};
    json_auto_t *facts = NULL, *decision = NULL;
    int r;

    if (p->bytes > PAGE_BYTES || row->tick >= p->found->ticks)
        return 0;
    if (row->tick != p->next)
        return err_set(err, ERR_INTERNAL, "tick %lld of the rollout is not in the store",
                       (long long)p->next);
    p->bytes += (row->facts ? strlen(row->facts) : 0) + (row->decision ? strlen(row->decision) : 0);
    r = parse(row->facts, &facts, err);
    if (r == 0)
        r = parse(row->decision, &decision, err);
    if (r == 0)
        r = record_put_tick(&w, facts, decision, err);
    p->next += r == 0;
    return r;
}

static int put_end(const struct record_writer *w, const struct found *f, struct err *err)
{
    json_auto_t *halt = NULL, *about = json_object();
    struct err ignored = {0};

    if (f->said && parse(f->said, &halt, &ignored) == 0 &&
        json_integer_value(json_object_get(halt, "rollout")) == f->id)
        json_object_set(about, "said", json_object_get(halt, "said"));
    return record_put_end(w, f->state, f->ticks, about, err);
}

int rollouts_record(struct server *s, const char *channel, const char *version, int64_t from,
                    json_t **ret, struct err *err)
{
    _cleanup_(found_release)
    struct found f = {.channel = channel, .version = version};
    json_auto_t *answer = json_pack("{s:[], s:n}", "lines", "next");
    struct page p = {.lines = json_object_get(answer, "lines"), .found = &f, .next = from};
    const struct record_writer w = {add_line, &p};
    int r = find(s, &f, err);

    if (r == 0 && from > f.ticks)
        r = err_set(err, ERR_INVALID, "the rollout has %lld ticks", (long long)f.ticks);
    if (r == 0 && from == 0)
        r = put_head(&w, &f, err);
    if (r == 0)
        r = store_ticks_after(s->store, f.id, from - 1, PAGE_TICKS, on_tick, &p, err);
    if (r == 0 && p.next == from && from < f.ticks)
        r = err_set(err, ERR_INTERNAL, "tick %lld of the rollout is not in the store",
                    (long long)from);
    if (r == 0 && p.next == f.ticks)
        r = put_end(&w, &f, err);
    else if (r == 0)
        json_object_set_new(answer, "next", json_integer(p.next));
    if (r < 0)
        return err_context(err, r, "record of '%s/%s'", channel, version);
    *ret = json_incref(answer);
    return 0;
}
