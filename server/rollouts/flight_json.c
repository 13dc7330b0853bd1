/*
 * flight_json: what the store keeps of a decision beside decision_to_json: where the thresholds
 * are, [[now, before], ...] by cohort, the canary group's last; 16 hexadecimal digits, null:
 * closed; and "track_ppm", which rows of earlier versions lack.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "rollouts/flight.h"

static json_t *threshold_to_json(const struct threshold *t)
{
    char hex[17];

    if (!t->open)
        return json_null();
    snprintf(hex, sizeof hex, "%016" PRIx64, t->draw);
    return json_string(hex);
}

static int threshold_from_json(const json_t *v, struct threshold *ret, struct err *err)
{
    const char *hex = json_string_value(v);

    *ret = (struct threshold){0};
    if (json_is_null(v))
        return 0;
    if (!hex || !hex_is(hex, 16))
        return err_set(err, ERR_INVALID, "decision: a threshold is not 16 hexadecimal digits");
    *ret = (struct threshold){.open = true, .draw = strtoull(hex, NULL, 16)};
    return 0;
}

json_t *flight_decision_to_json(const struct flight *f)
{
    json_t *o = decision_to_json(&f->gate.policy, &f->gate.topology, &f->last),
           *thresholds = json_array();

    for (int c = 0; c < f->gate.topology.n_cohorts; c++)
        json_array_append_new(thresholds,
                              json_pack("[o, o]", threshold_to_json(&f->admission.now[c]),
                                        threshold_to_json(&f->admission.before[c])));
    json_array_append_new(thresholds,
                          json_pack("[o, o]", threshold_to_json(&f->admission.canary_now),
                                    threshold_to_json(&f->admission.canary_before)));
    json_object_set_new(o, "thresholds", thresholds);
    json_object_set_new(o, "track_ppm", json_integer(f->track_ppm));
    return o;
}

int decision_thresholds(const json_t *o, struct admission *ret, struct err *err)
{
    json_t *a;
    int r = jsonx_array(o, "decision", "thresholds", GATE_MAX_COHORTS + 1, &a, err);
    size_t n = r == 0 ? json_array_size(a) : 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        const json_t *pair = json_array_get(a, i);
        bool canary = i == n - 1; /* the last pair */

        r = threshold_from_json(json_array_get(pair, 0), canary ? &ret->canary_now : &ret->now[i],
                                err);
        if (r == 0)
            r = threshold_from_json(json_array_get(pair, 1),
                                    canary ? &ret->canary_before : &ret->before[i], err);
    }
    return r;
}

int decision_tracking(const json_t *o, int64_t *ret, struct err *err)
{
    if (!json_object_get(o, "track_ppm"))
        return 0;
    return jsonx_int(o, "decision", "track_ppm", 0, PPM, ret, err);
}
