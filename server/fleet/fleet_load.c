/* fleet_load: the fleet out of the store, at start and after a failed commit. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fleet/fleet_internal.h"
#include "metrics.h"

struct loading {
    struct fleet *fleet;
    const uint8_t *master;
};

static int on_device(void *ctx, const struct row_device *row, struct err *err)
{
    struct loading *l = ctx;
    struct device *d;

    return fleet_add(l->fleet, l->master, row, &d, err);
}

static int on_checkin(void *ctx, const struct row_checkin *row, struct err *err)
{
    struct loading *l = ctx;
    struct device *d = fleet_find(l->fleet, row->device);

    if (d)
        d->seen_wall_ms = row->at_ms;
    /* Epochs before the last one are not stored: after a restart only the last is known. */
    return d ? device_number(d, row->epoch, row->number, row->body_sha256, row->answer, err) : 0;
}

static void copy(char *ret, size_t size, const char *s)
{
    size_t n = s ? strnlen(s, size - 1) : 0;

    memcpy(ret, s ? s : "", n);
    ret[n] = '\0';
}

static int on_device_channel(void *ctx, const struct row_device_channel *row, struct err *err)
{
    struct loading *l = ctx;
    struct device *d = fleet_find(l->fleet, row->device);
    struct device_channel *dc = d ? device_channel(d, row->channel) : NULL;

    if (!d)
        return 0;
    if (!dc)
        return err_set(err, ERR_NOMEM, "no memory for the channels of device %s", row->device);
    copy(dc->running, sizeof dc->running, row->running);
    copy(dc->ready, sizeof dc->ready, row->ready);
    copy(dc->hold, sizeof dc->hold, row->hold);
    dc->ready_tick = row->ready_tick;
    dc->last_tick = row->last_tick;
    dc->canary = row->canary;
    dc->marks = (uint16_t)row->marks;
    dc->figures = (uint16_t)row->figures;
    dc->figures_tick = (int32_t)row->figures_tick;
    dc->marks_from = (int32_t)row->marks_from;
    dc->crash_tick = (int32_t)row->crash_tick;
    dc->reboot_tick = (int32_t)row->reboot_tick;
    return 0;
}

static int on_event(void *ctx, const struct row_event *row, struct err *err)
{
    struct loading *l = ctx;
    struct device *d = fleet_find(l->fleet, row->device);
    enum event_kind kind;

    (void)err;
    if (!d)
        return 0;
    device_event_is_new(d, row->id);
    if (event_from(row->kind, &kind) < 0 || !row->cause)
        return 0;
    if (kind == EVENT_CRASH && !row->blamed && strcmp(row->cause, "consumer") == 0 &&
        row->at_ms > d->consumer_crash_ms)
        d->consumer_crash_ms = row->at_ms;
    if (kind == EVENT_CRASH && !row->blamed && row->at_ms > d->crash_ms)
        d->crash_ms = row->at_ms;
    /* Check-ins come first: this one was said in the last. */
    if (kind == EVENT_GOODBYE && row->at_ms >= d->seen_wall_ms)
        d->away = goodbye_is_away(row->cause);
    return 0;
}

static int load(struct server *s, struct fleet *f, struct err *err)
{
    struct loading l = {.fleet = f, .master = s->master};
    struct store_visitor devices = {.device = on_device};
    struct store_visitor rest = {
        .checkin = on_checkin, .device_channel = on_device_channel, .event = on_event};
    int r = store_load(s->store, &devices, &l, err);

    if (r == 0)
        r = store_load(s->store, &rest, &l, err);
    return err_context(err, r, "load the fleet");
}

int fleet_open(struct server *s, struct fleet **ret, struct err *err)
{
    struct fleet *f = fleet_new();
    int r = f ? load(s, f, err) : err_set(err, ERR_NOMEM, "no memory for the fleet");

    if (r < 0) {
        fleet_free(f);
        return r;
    }
    if (s->metrics)
        metric_set(s->metrics, METRICS_DEVICES, fleet_size(f));
    *ret = f;
    return 0;
}

int fleet_reload(struct server *s, struct err *err)
{
    struct fleet *f;
    int r = fleet_open(s, &f, err);

    if (r < 0)
        return r;
    fleet_free(s->fleet);
    s->fleet = f;
    log_info("fleet", "read again: %lld devices", (long long)fleet_size(f));
    return 0;
}
