/*
 * checkin_answer: what the server answers; see checkin.h.
 *
 *   {"server_time", "next_ms", "snapshot_version",
 *    "channels": [{"channel", "permit": {...}} | {"channel", "wait": {"reason", "retry_ms"}}]}
 *
 * A permit is carried as it is; permit_check judges it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "checkin.h"
#include "field.h"
#include "text.h"

#define DAY_MS 86400000

static const struct field fields[] = {
    FIELD_INT(struct checkin_answer, server_time, "server_time", 0, FIELD_INT_MAX),
    FIELD_INT(struct checkin_answer, next_ms, "next_ms", 1, DAY_MS),
    FIELD_INT(struct checkin_answer, snapshot_version, "snapshot_version", 0, FIELD_INT_MAX),
    {0},
};

static const struct field channel_fields[] = {
    FIELD_TEXT(struct answer_channel, channel, "channel", channel_name_check),
    {0},
};

static const struct field wait_fields[] = {
    FIELD_TEXT(struct answer_channel, wait, "reason", text_word_check),
    FIELD_INT(struct answer_channel, retry_ms, "retry_ms", 0, DAY_MS),
    {0},
};

static int read_channel(const json_t *o, const char *what, struct answer_channel *ret,
                        struct err *err)
{
    char where[96];
    json_t *v = NULL;
    int r = field_read(o, what, channel_fields, ret, err);

    if (r < 0)
        return r;
    if (jsonx_has(o, "permit") == jsonx_has(o, "wait"))
        return err_set(err, ERR_INVALID, "%s has not exactly one of 'permit' and 'wait'", what);
    if (jsonx_has(o, "permit")) {
        r = jsonx_object(o, what, "permit", &v, err);
        if (r == 0)
            ret->permit = json_incref(v);
        return r;
    }
    r = jsonx_object(o, what, "wait", &v, err);
    snprintf(where, sizeof where, "%s.wait", what);
    return r < 0 ? r : field_read(v, where, wait_fields, ret, err);
}

static int read_channels(const json_t *o, struct checkin_answer *a, struct err *err)
{
    json_t *list;
    int r = jsonx_array(o, "answer", "channels", CHECKIN_MAX_CHANNELS, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        char what[64];

        snprintf(what, sizeof what, "answer: channels[%zu]", i);
        a->n_channels = i + 1; /* so that checkin_answer_free finds its permit */
        r = read_channel(json_array_get(list, i), what, &a->channels[i], err);
        for (size_t k = 0; r == 0 && k < i; k++)
            if (strcmp(a->channels[k].channel, a->channels[i].channel) == 0)
                r = err_set(err, ERR_INVALID, "answer: channel '%s' is given twice",
                            a->channels[i].channel);
    }
    return r;
}

int checkin_answer_parse(const char *data, size_t len, struct checkin_answer **ret, struct err *err)
{
    _cleanup_(checkin_answer_free_p)
    struct checkin_answer *a = calloc(1, sizeof *a);
    json_auto_t *o = NULL;
    int r;

    if (!a)
        return err_set(err, ERR_NOMEM, "out of memory while reading the answer");
    r = err_context(err, jsonx_parse(data, len, CHECKIN_ANSWER_MAX, &o, err), "answer");
    if (r == 0)
        r = field_read(o, "answer", fields, a, err);
    if (r == 0)
        r = read_channels(o, a, err);
    if (r == 0)
        *ret = take_ptr(a);
    return r;
}

void checkin_answer_free(struct checkin_answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_channels; i++)
        json_decref(a->channels[i].permit);
    free(a);
}

static int write_channel(const struct answer_channel *c, json_t *o, struct err *err)
{
    int r = field_write(o, "answer: channels", channel_fields, c, err);
    json_t *wait;

    if (r < 0)
        return r;
    if (c->permit)
        return field_set(o, "permit", json_incref(c->permit), err);
    wait = json_object();
    r = field_set(o, "wait", wait, err);
    return r < 0 ? r : field_write(wait, "answer: wait", wait_fields, c, err);
}

int checkin_answer_dump(const struct checkin_answer *a, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    json_t *list = json_array();
    int r = field_set(o, "channels", list, err);

    if (r == 0)
        r = field_write(o, "answer", fields, a, err);
    for (size_t i = 0; r == 0 && i < a->n_channels; i++) {
        json_t *item = json_object();

        r = field_append(list, item, err);
        if (r == 0)
            r = write_channel(&a->channels[i], item, err);
    }
    if (r == 0)
        r = field_dump(o, JSON_COMPACT, "answer", ret, err);
    return r;
}
