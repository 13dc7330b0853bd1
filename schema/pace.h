/*
 * pace: the speed limit signed offline (DESIGN sections 1.2 and 3): which share of draws may apply
 * a release how long after first seeing it. Time is time awake summed over boots, never a wall
 * clock.
 */
#ifndef FIREBREAK_PACE_H
#define FIREBREAK_PACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define PACE_MAX_STEPS 16
#define PPM            1000000

struct pace_step {
    int64_t after_s;   /* ascending, first is 0 */
    int64_t share_ppm; /* not falling, 0 .. 1,000,000; last is 1,000,000 */
};

struct pace {
    struct pace_step steps[PACE_MAX_STEPS];
    int n_steps;
};

/* 0.1 % at once, 1 % after 30 min, 10 % after 60 min, all after 90 min. */
extern const struct pace pace_default;
/* The same shares after 0, 5, 15, 30 min. */
extern const struct pace pace_urgent;

int pace_from_json(const json_t *array, struct pace *ret, struct err *err);
json_t *pace_to_json(const struct pace *p); /* new reference */

/* Share of draws that may apply after_s after first sight. */
int64_t pace_share_ppm(const struct pace *p, int64_t after_s);

/* Seconds from first sight until a device with draw u may apply: 0 at once. */
int64_t pace_wait_s(const struct pace *p, uint64_t draw);

/* True where p lets any share apply earlier than `limit` does. */
bool pace_is_faster(const struct pace *p, const struct pace *limit);

#endif
