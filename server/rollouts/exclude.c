/* exclude: see exclude.h. */
#include "rollouts/exclude.h"

#include <string.h>

#include "rollouts/flight.h"

void exclude_device(struct server *s, struct device *d, struct store_batch *b)
{
    struct row_device row;

    if (d->no_evidence)
        return;
    d->no_evidence = true;
    row = device_row(d);
    store_put_device(b, &row);
    for (int i = 0; i < s->rollouts->n_channels; i++) {
        struct flight *f = s->rollouts->channels[i].flight;

        if (f && d->index < f->arms.n && f->arms.rows[d->index].known)
            flight_drop_evidence(f, &f->arms.rows[d->index]);
    }
}

static bool is_named(const struct exclusion *x, const struct device *d)
{
    if (x->token)
        return strcmp(d->token_id, x->token) == 0;
    if (x->group)
        return strcmp(d->group, x->group) == 0;
    return strcmp(d->id, x->device) == 0;
}

static int count(const struct fleet *f, const struct exclusion *x, struct excluded *ret,
                 struct err *err)
{
    for (int64_t i = 0; i < fleet_size(f); i++) {
        const struct device *d = fleet_at(f, i);

        if (!is_named(x, d))
            continue;
        ret->devices++;
        ret->already += d->no_evidence;
    }
    if (ret->devices - ret->already > EXCLUDE_MAX) {
        err_set(err, ERR_TOO_LARGE, "more than %d devices at once", EXCLUDE_MAX);
        return err_remedy(err, "exclude the devices of single enrolment tokens");
    }
    return 0;
}

int exclude_devices(struct server *s, const struct exclusion *x, struct store_batch *b,
                    struct excluded *ret, struct err *err)
{
    struct excluded what = {0};
    bool known = false;
    int r = count(s->fleet, x, &what, err);

    if (r < 0)
        return r;
    if (x->token)
        known = auth_withdraw_enrolment(s, x->token, b, &what.uses) == 0;
    if (what.devices == 0 && !known)
        return err_set(err, ERR_NOT_FOUND, "no device of this %s is enrolled here",
                       x->token   ? "token"
                       : x->group ? "group"
                                  : "id");
    for (int64_t i = 0; i < fleet_size(s->fleet); i++)
        if (is_named(x, fleet_at(s->fleet, i)))
            exclude_device(s, fleet_at(s->fleet, i), b);
    *ret = what;
    return 0;
}
