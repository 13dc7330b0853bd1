/* record_write: a rollout into lines; see record.h. */
#include "base/jsonx.h"
#include "record.h"

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "no memory for a record");
}

/* Takes the reference. */
static int put(const struct record_writer *w, json_t *line, struct err *err)
{
    int r = line ? w->line(w->ctx, line, err) : no_memory(err);

    json_decref(line);
    return r;
}

int record_put_head(const struct record_writer *w, const json_t *policy, const json_t *topology,
                    const json_t *about, struct err *err)
{
    json_t *o = json_pack("{s:i, s:O, s:O, s:O}", "record", RECORD_VERSION, "policy", policy,
                          "cohorts", json_object_get(topology, "cohorts"), "canary",
                          json_object_get(topology, "canary"));

    if (o && about)
        json_object_update_missing(o, (json_t *)(uintptr_t)about);
    return put(w, o, err);
}

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static json_t *batch_line(int64_t tick, const json_t *facts, const json_t *b)
{
    const char *cohort = json_string_value(json_object_get(b, "cohort"));
    const json_t *of = json_object_get(json_object_get(facts, "cohorts"), cohort ? cohort : "");

    return json_pack("{s:I, s:I, s:O, s:O, s:O, s:I, s:I, s:I, s:I, s:I}", "tick", (json_int_t)tick,
                     "trial", (json_int_t)number(b, "tick"), "stratum",
                     json_object_get(b, "stratum"), "cohort", json_object_get(b, "cohort"),
                     "metric", json_object_get(b, "metric"), "nT", (json_int_t)number(b, "nT"),
                     "fT", (json_int_t)number(b, "fT"), "nC", (json_int_t)number(b, "nC"), "fC",
                     (json_int_t)number(b, "fC"), "admitted", (json_int_t)number(of, "admitted"));
}

/* A copy without these members. */
static json_t *without(const json_t *o, const char *a, const char *b)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)o);

    json_object_del(copy, a);
    json_object_del(copy, b);
    return copy;
}

int record_put_tick(const struct record_writer *w, const json_t *facts, const json_t *decision,
                    struct err *err)
{
    int64_t tick = number(facts, "tick");
    const json_t *b;
    size_t i;
    int r = put(w,
                json_pack("{s:I, s:o}", "tick", (json_int_t)tick, "facts",
                          without(facts, "tick", "batches")),
                err);

    json_array_foreach (json_object_get(facts, "batches"), i, b)
        if (r == 0)
            r = put(w, batch_line(tick, facts, b), err);
    if (r < 0)
        return r;
    return put(w,
               json_pack("{s:I, s:o}", "tick", (json_int_t)tick, "decided",
                         without(decision, "thresholds", "")),
               err);
}

int record_put_end(const struct record_writer *w, const char *state, int64_t ticks,
                   const json_t *about, struct err *err)
{
    json_t *o = json_pack("{s:s, s:I}", "state", state, "ticks", (json_int_t)ticks);

    if (o && about)
        json_object_update_missing(o, (json_t *)(uintptr_t)about);
    return put(w, json_pack("{s:o}", "end", o), err);
}
