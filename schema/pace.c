/* pace: see pace.h. */
#include "pace.h"

#include <stdio.h>

#include "draw.h"
#include "field.h"

#define AFTER_MAX (INT64_C(10) * 365 * 86400) /* ten years awake */

const struct pace pace_default = {
    .steps = {{0, 1000}, {1800, 10000}, {3600, 100000}, {5400, PPM}},
    .n_steps = 4,
};

const struct pace pace_urgent = {
    .steps = {{0, 1000}, {300, 10000}, {900, 100000}, {1800, PPM}},
    .n_steps = 4,
};

static const struct field step_fields[] = {
    FIELD_INT(struct pace_step, after_s, "after_s", 0, AFTER_MAX),
    FIELD_INT(struct pace_step, share_ppm, "share_ppm", 0, PPM),
    {0},
};

static int check_order(const struct pace *p, struct err *err)
{
    if (p->steps[0].after_s != 0)
        return err_set(err, ERR_INVALID, "pace: the first step does not begin at after_s 0");
    for (int i = 1; i < p->n_steps; i++) {
        if (p->steps[i].after_s <= p->steps[i - 1].after_s)
            return err_set(err, ERR_INVALID, "pace: after_s does not rise at step %d", i);
        if (p->steps[i].share_ppm < p->steps[i - 1].share_ppm)
            return err_set(err, ERR_INVALID, "pace: share_ppm falls at step %d", i);
    }
    if (p->steps[p->n_steps - 1].share_ppm != PPM)
        return err_set(err, ERR_INVALID, "pace: the last step does not reach all (1000000 ppm)");
    return 0;
}

int pace_from_json(const json_t *array, struct pace *ret, struct err *err)
{
    struct pace p = {0};
    size_t n = json_array_size(array);
    int r;

    if (!json_is_array(array) || n < 1 || n > PACE_MAX_STEPS)
        return err_set(err, ERR_INVALID, "pace: not a list of 1 to %d steps", PACE_MAX_STEPS);
    for (size_t i = 0; i < n; i++) {
        char what[64];

        snprintf(what, sizeof what, "pace: [%zu]", i);
        r = field_read(json_array_get(array, i), what, step_fields, &p.steps[i], err);
        if (r < 0)
            return r;
    }
    p.n_steps = (int)n;
    r = check_order(&p, err);
    if (r < 0)
        return r;
    *ret = p;
    return 0;
}

json_t *pace_to_json(const struct pace *p)
{
    json_t *array = json_array();

    for (int i = 0; array && i < p->n_steps; i++) {
        json_t *o = json_object();

        if (!o || field_write(o, "pace", step_fields, &p->steps[i], NULL) < 0) {
            json_decref(o);
            json_decref(array);
            return NULL;
        }
        if (json_array_append_new(array, o) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int64_t pace_share_ppm(const struct pace *p, int64_t after_s)
{
    int64_t share = 0;

    for (int i = 0; i < p->n_steps && p->steps[i].after_s <= after_s; i++)
        share = p->steps[i].share_ppm;
    return share;
}

int64_t pace_wait_s(const struct pace *p, uint64_t draw)
{
    for (int i = 0; i < p->n_steps; i++)
        if (draw_within(draw, p->steps[i].share_ppm))
            return p->steps[i].after_s;
    return INT64_MAX; /* only a pace that pace_from_json would have refused */
}

bool pace_is_faster(const struct pace *p, const struct pace *limit)
{
    /* Both are rising stairs: if p is ever above the limit, it is so already at its own step. */
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].share_ppm > pace_share_ppm(limit, p->steps[i].after_s))
            return true;
    return false;
}
