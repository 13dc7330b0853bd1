/*
 * event: one thing that happened on a device.
 *
 *   {"id", "kind", "channel", "digest": digest | null, "cause", "blamed", "awake_s", "detail"?}
 */
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "checkin.h"
#include "field.h"
#include "text.h"

static const char *const kinds[EVENT_N_KINDS] = {
#define X(name, text, sentence) [EVENT_##name] = text,
    EVENT_TABLE(X)
#undef X
};

static const struct field fields[] = {
    FIELD_HEX(struct event, id, "id"),
    FIELD_NAME(struct event, kind, "kind", kinds),
    FIELD_TEXT_OR_NONE(struct event, channel, "channel", channel_name_check),
    FIELD_HEX_OR_NULL(struct event, digest, "digest"),
    FIELD_TEXT_OR_NONE(struct event, cause, "cause", text_word_check),
    FIELD_BOOL(struct event, blamed, "blamed"),
    FIELD_INT(struct event, awake_s, "awake_s", 0, FIELD_INT_MAX),
    {0},
};

const char *event_name(enum event_kind k)
{
    return kinds[k];
}

int event_from(const char *text, enum event_kind *ret)
{
    for (size_t i = 0; i < EVENT_N_KINDS; i++) {
        if (strcmp(kinds[i], text) == 0) {
            *ret = (enum event_kind)i;
            return 0;
        }
    }
    return -ERR_INVALID;
}

/* Captured output is whatever a program chose to print: it is cleaned on its way out, because JSON
 * cannot carry it otherwise, and on its way in, because the other side may not have done so. */
static int write_detail(json_t *o, const char *detail)
{
    char *clean = text_clean(detail, EVENT_DETAIL_MAX);
    int r = clean ? json_object_set_new(o, "detail", json_string(clean)) : -1;

    free(clean);
    return r;
}

json_t *event_to_json(const struct event *e)
{
    json_t *o = json_object();

    if (o && field_write(o, "event", fields, e, NULL) == 0 &&
        (!e->detail || write_detail(o, e->detail) == 0))
        return o;
    json_decref(o);
    return NULL;
}

int event_from_json(const json_t *o, struct event *ret, struct err *err)
{
    struct event e = {0};
    const char *detail = NULL;
    int r = field_read(o, "event", fields, &e, err);

    if (r == 0 && jsonx_has(o, "detail"))
        r = jsonx_string(o, "event", "detail", EVENT_DETAIL_MAX, &detail, err);
    if (r < 0)
        return r;
    if (detail) {
        e.detail = text_clean(detail, EVENT_DETAIL_MAX);
        if (!e.detail)
            return err_set(err, ERR_NOMEM, "out of memory while reading an event");
    }
    *ret = e;
    return 0;
}

void event_release(struct event *e)
{
    free(e->detail);
    e->detail = NULL;
}
