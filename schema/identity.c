/*
 * identity: the answer to an enrolment, and the agent's identity.json (0600); see checkin.h.
 *
 *   {"device", "generation", "key", "draw_key", "group", "repository"}
 */
#include "base/jsonx.h"
#include "checkin.h"
#include "field.h"
#include "text.h"

#define IDENTITY_MAX   4096                     /* bytes */
#define GENERATION_MAX INT64_C(999999999999999) /* what a signature's key id can name */

static const struct field fields[] = {
    FIELD_HEX(struct identity, device, "device"),
    FIELD_INT(struct identity, generation, "generation", 1, GENERATION_MAX),
    FIELD_BYTES(struct identity, key, "key"),
    FIELD_BYTES(struct identity, draw_key, "draw_key"),
    FIELD_TEXT(struct identity, group, "group", text_word_check),
    FIELD_HEX(struct identity, repository, "repository"),
    {0},
};

int identity_parse(const char *data, size_t len, struct identity *ret, struct err *err)
{
    struct identity i = {0};
    json_auto_t *o = NULL;
    int r = err_context(err, jsonx_parse(data, len, IDENTITY_MAX, &o, err), "identity");

    if (r == 0)
        r = field_read(o, "identity", fields, &i, err);
    if (r == 0)
        *ret = i;
    return r;
}

int identity_dump(const struct identity *i, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    int r = field_write(o, "identity", fields, i, err);

    return r < 0 ? r : field_dump(o, JSON_COMPACT, "identity", ret, err);
}
