/* fuzz_event: one event as the check-in and the agent's spool carry it, and captured output that
 * may be any bytes. */
#include "fuzz.h"

#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "base/utf8.h"
#include "checkin.h"

/* Fit to show, but for newlines and tabs. */
static void check_detail(const char *detail)
{
    uint32_t cp;

    FUZZ_CHECK(strlen(detail) <= EVENT_DETAIL_MAX);
    for (size_t n; *detail; detail += n) {
        n = utf8_next(detail, &cp);
        FUZZ_CHECK(n > 0 && (cp == '\n' || cp == '\t' || !utf8_is_control(cp)));
    }
}

static void check_round_trip(const struct event *e)
{
    json_auto_t *first = event_to_json(e);
    json_auto_t *second = NULL;
    struct event again = {0};
    struct err err = {0};

    FUZZ_CHECK(first);
    FUZZ_CHECK(fuzz_ok(event_from_json(first, &again, &err), &err));
    second = event_to_json(&again);
    FUZZ_CHECK(second && json_equal(first, second));
    FUZZ_CHECK(!again.detail == !e->detail);
    if (again.detail)
        check_detail(again.detail);
    event_release(&again);
}

static void check_read(const uint8_t *data, size_t len)
{
    struct event e = {0};
    struct err err = {0};
    enum event_kind kind;
    json_auto_t *v = NULL;

    if (jsonx_parse((const char *)data, len, CHECKIN_MAX, &v, &err) < 0 ||
        !fuzz_ok(event_from_json(v, &e, &err), &err))
        return;
    FUZZ_CHECK(event_from(event_name(e.kind), &kind) == 0 && kind == e.kind);
    FUZZ_CHECK(hex_is(e.id, EVENT_ID_LEN));
    if (e.detail)
        check_detail(e.detail);
    check_round_trip(&e);
    event_release(&e);
}

/* The input as what a dying program printed. */
static void check_captured(const uint8_t *data, size_t len)
{
    struct event e = {.id = "fedcba9876543210fedcba9876543210",
                      .kind = EVENT_CRASH,
                      .channel = "crs",
                      .cause = "consumer",
                      .detail = fuzz_text(data, len)};

    check_round_trip(&e);
    event_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_read(data, len);
    check_captured(data, len);
    return 0;
}
