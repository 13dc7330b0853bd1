/*
 * checkin: the request; see checkin.h.
 *
 *   {"device", "epoch", "number", "agent", "platform": {"os", "os_version", "arch", "label"},
 *    "boot_id", "machine", "awake_s", "preflight_s",
 *    "channels": [{"channel", "running": digest | null, "since_s", "boots", "crashes", "hold",
 *                  "ring", "snapshot_version", "ready"?: {"digest", "nonce", "pace_wait_s"},
 *                  "figures"?: {name: number}}],
 *    "events": [event]}
 */
#include "checkin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "checkin_parts.h"
#include "field.h"
#include "text.h"

#define PREFLIGHT_MAX (86400 - PERMIT_LIFE_S) /* so that a permit's life stays within a day */

static const char *const rings[] = {
#define X(name, text) [RING_PREF_##name] = text,
    RING_PREFERENCES(X)
#undef X
};

static const struct field fields[] = {
    FIELD_HEX(struct checkin, device, "device"),
    FIELD_HEX(struct checkin, epoch, "epoch"),
    FIELD_INT(struct checkin, number, "number", 1, FIELD_INT_MAX),
    FIELD_TEXT(struct checkin, agent, "agent", text_word_check),
    FIELD_TEXT(struct checkin, boot_id, "boot_id", text_word_check),
    FIELD_HEX(struct checkin, machine, "machine"),
    FIELD_INT(struct checkin, awake_s, "awake_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct checkin, preflight_s, "preflight_s", 0, PREFLIGHT_MAX),
    {0},
};

static const struct field channel_fields[] = {
    FIELD_TEXT(struct checkin_channel, channel, "channel", channel_name_check),
    FIELD_HEX_OR_NULL(struct checkin_channel, running, "running"),
    FIELD_INT(struct checkin_channel, running_since_s, "since_s", 0, FIELD_INT_MAX),
    FIELD_INT(struct checkin_channel, boots, "boots", 0, FIELD_INT_MAX),
    FIELD_INT(struct checkin_channel, crashes, "crashes", 0, FIELD_INT_MAX),
    FIELD_TEXT_OR_NONE(struct checkin_channel, hold, "hold", text_word_check),
    FIELD_NAME(struct checkin_channel, ring, "ring", rings),
    FIELD_INT(struct checkin_channel, snapshot_version, "snapshot_version", 0, FIELD_INT_MAX),
    {0},
};

static const struct field ready_fields[] = {
    FIELD_HEX(struct checkin_channel, ready, "digest"),
    FIELD_HEX(struct checkin_channel, nonce, "nonce"),
    FIELD_INT(struct checkin_channel, pace_wait_s, "pace_wait_s", 0, FIELD_INT_MAX),
    {0},
};

static int read_figures(const json_t *o, const char *what, struct figures *ret, struct err *err)
{
    char where[96];

    if (!jsonx_has(o, "figures"))
        return 0;
    snprintf(where, sizeof where, "%s.figures", what);
    return figures_from_json(json_object_get(o, "figures"), where, ret, err);
}

static int read_channel(const json_t *o, const char *what, struct checkin_channel *ret,
                        struct err *err)
{
    char where[96];
    json_t *ready;
    int r = field_read(o, what, channel_fields, ret, err);

    if (r == 0)
        r = read_figures(o, what, &ret->figures, err);
    if (r < 0 || !jsonx_has(o, "ready"))
        return r;
    r = jsonx_object(o, what, "ready", &ready, err);
    if (r < 0)
        return r;
    snprintf(where, sizeof where, "%s.ready", what);
    ret->has_ready = true;
    return field_read(ready, where, ready_fields, ret, err);
}

static int read_channels(const json_t *o, struct checkin *c, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "check-in", "channels", CHECKIN_MAX_CHANNELS, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        char what[64];

        snprintf(what, sizeof what, "check-in: channels[%zu]", i);
        r = read_channel(json_array_get(list, i), what, &c->channels[i], err);
        for (size_t k = 0; r == 0 && k < i; k++)
            if (strcmp(c->channels[k].channel, c->channels[i].channel) == 0)
                r = err_set(err, ERR_INVALID, "check-in: channel '%s' is given twice",
                            c->channels[i].channel);
        c->n_channels = i + 1;
    }
    return r;
}

static int read_events(const json_t *o, struct checkin *c, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "check-in", "events", CHECKIN_MAX_EVENTS, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        r = err_context(err, event_from_json(json_array_get(list, i), &c->events[i], err),
                        "check-in: events[%zu]", i);
        if (r == 0)
            c->n_events = i + 1;
    }
    return r;
}

int checkin_parse(const char *data, size_t len, struct checkin **ret, struct err *err)
{
    _cleanup_(checkin_free_p)
    struct checkin *c = calloc(1, sizeof *c);
    json_auto_t *o = NULL;
    int r;

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory while reading the check-in");
    r = err_context(err, jsonx_parse(data, len, CHECKIN_MAX, &o, err), "check-in");
    if (r == 0)
        r = field_read(o, "check-in", fields, c, err);
    if (r == 0)
        r = platform_read(o, "check-in", &c->platform, err);
    if (r == 0)
        r = read_channels(o, c, err);
    if (r == 0)
        r = read_events(o, c, err);
    if (r == 0)
        *ret = take_ptr(c);
    return r;
}

void checkin_free(struct checkin *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_events; i++)
        event_release(&c->events[i]);
    free(c);
}

static int write_channel(const struct checkin_channel *c, json_t *o, struct err *err)
{
    int r = field_write(o, "check-in: channels", channel_fields, c, err);
    json_t *ready, *figures;

    if (r == 0 && c->figures.n > 0) {
        r = figures_to_json(&c->figures, "check-in: figures", &figures, err);
        if (r == 0)
            r = field_set(o, "figures", figures, err);
    }
    if (r < 0 || !c->has_ready)
        return r;
    ready = json_object();
    r = field_set(o, "ready", ready, err);
    return r < 0 ? r : field_write(ready, "check-in: ready", ready_fields, c, err);
}

static int write_lists(const struct checkin *c, json_t *o, struct err *err)
{
    json_t *channels = json_array(), *events = json_array();
    int r = field_set(o, "channels", channels, err);
    int r2 = field_set(o, "events", events, err); /* both are the object's now */

    for (size_t i = 0; r == 0 && r2 == 0 && i < c->n_channels; i++) {
        json_t *item = json_object();

        r = field_append(channels, item, err);
        if (r == 0)
            r = write_channel(&c->channels[i], item, err);
    }
    for (size_t i = 0; r == 0 && r2 == 0 && i < c->n_events; i++) {
        json_t *item = event_to_json(&c->events[i]);

        if (!item)
            r = err_set(err, ERR_INVALID, "check-in: event %zu cannot be written", i);
        else
            r = field_append(events, item, err);
    }
    return r < 0 ? r : r2;
}

int checkin_dump(const struct checkin *c, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    int r = field_write(o, "check-in", fields, c, err);

    if (r == 0)
        r = platform_write(o, "check-in: platform", &c->platform, err);
    if (r == 0)
        r = write_lists(c, o, err);
    if (r == 0)
        r = field_dump(o, JSON_COMPACT, "check-in", ret, err);
    return r;
}
