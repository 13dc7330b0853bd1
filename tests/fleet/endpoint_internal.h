/* endpoint_internal: between endpoint.c (protocol) and endpoint_content.c (what it runs). */
#ifndef FIREBREAK_FLEET_ENDPOINT_INTERNAL_H
#define FIREBREAK_FLEET_ENDPOINT_INTERNAL_H

#include "endpoint.h"

/* What is due by now, before a check-in: a slow switch, the end of a soak, a recall, the return
 * after a crash. */
void endpoint_act(struct endpoint *e, const struct endpoint_world *w);

/* The release to say ready for, -1 none. */
int endpoint_want(const struct endpoint *e, const struct endpoint_world *w);

/* Seconds until its pace; 0 reached or exempt. */
int64_t endpoint_pace_wait_s(const struct endpoint *e, const struct endpoint_world *w, int release);

/* A permit that holds: behave as scripted. */
void endpoint_permitted(struct endpoint *e, const struct endpoint_world *w, int release);

/* A permit that does not. */
void endpoint_refused(struct endpoint *e, const struct endpoint_world *w, int release,
                      const char *cause);

/* A new start of the agent: epoch, numbering, boot. */
void endpoint_boot(struct endpoint *e, int64_t now_ms);

/* ms, longer by up to a tenth. */
int64_t endpoint_jitter(int64_t ms);

#endif
