/*
 * enrol: the request by which a device asks for an identity; see checkin.h.
 *
 *   {"attempt", "platform": {"os", "os_version", "arch", "label"}, "machine"}
 */
#include "base/jsonx.h"
#include "checkin_parts.h"
#include "field.h"

#define ENROL_MAX 4096 /* bytes */

static const struct field fields[] = {
    FIELD_HEX(struct enrol_request, attempt, "attempt"),
    FIELD_HEX(struct enrol_request, machine, "machine"),
    {0},
};

int enrol_request_parse(const char *data, size_t len, struct enrol_request *ret, struct err *err)
{
    struct enrol_request rq = {0};
    json_auto_t *o = NULL;
    int r = err_context(err, jsonx_parse(data, len, ENROL_MAX, &o, err), "enrolment");

    if (r == 0)
        r = field_read(o, "enrolment", fields, &rq, err);
    if (r == 0)
        r = platform_read(o, "enrolment", &rq.platform, err);
    if (r == 0)
        *ret = rq;
    return r;
}

int enrol_request_dump(const struct enrol_request *rq, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    int r = field_write(o, "enrolment", fields, rq, err);

    if (r == 0)
        r = platform_write(o, "enrolment: platform", &rq->platform, err);
    if (r == 0)
        r = field_dump(o, JSON_COMPACT, "enrolment", ret, err);
    return r;
}
