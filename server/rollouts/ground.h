/*
 * ground: how many devices of each platform build run a channel's baseline well. On a build where
 * they are few, a new version of an operating system say, nobody knows yet what the baseline does,
 * however old it is (DESIGN section 5 "New ground"). First content is given there as a small
 * rollout of its own gives it: growth waits for those that went first (pacing_ground_room).
 *
 * Who was given it and did not come back counts against the room for an hour; so a build on which
 * it kills loses a few devices an hour, and each of these hours is told in the log. That memory
 * does not outlast the process. Under the site lock.
 */
#ifndef FIREBREAK_SERVER_GROUND_H
#define FIREBREAK_SERVER_GROUND_H

#include "fleet/fleet.h"

struct ground;

struct ground *ground_new(void); /* NULL: no memory */
void ground_free(struct ground *g);

/* What the baseline is now ("" none). Where it is another one all devices are counted anew. */
void ground_follow(struct ground *g, const struct fleet *f, const char *channel,
                   const char *baseline);
/* The device was heard; call it whenever its row of the channel, or its platform, has changed. */
void ground_note(struct ground *g, const struct device *d, struct device_channel *dc);

/* May this device have the baseline as its first content now? The same device may ask again. */
bool ground_may(struct ground *g, const struct device *d, int64_t boot_ms);
/* It was given it. */
void ground_grant(struct ground *g, const struct device *d, int64_t boot_ms);

#endif
