/* endpoint_internal: between endpoint.c (protocol), endpoint_content.c (what it runs) and
 * endpoint_life.c (what happens to it anyway). */
#ifndef FIREBREAK_FLEET_ENDPOINT_INTERNAL_H
#define FIREBREAK_FLEET_ENDPOINT_INTERNAL_H

#include "endpoint.h"

/* What is due by now, before a check-in: a slow switch, the end of a soak, a recall, the return
 * after a crash. */
void endpoint_act(struct endpoint *e, const struct endpoint_world *w);

/* The release to say ready for, -1 none. */
int endpoint_want(struct endpoint *e, const struct endpoint_world *w);

/* Seconds until its pace; 0 reached or exempt. */
int64_t endpoint_pace_wait_s(const struct endpoint *e, const struct endpoint_world *w, int release);

/* A permit that holds: behave as scripted. */
void endpoint_permitted(struct endpoint *e, const struct endpoint_world *w, int release);

/* A permit that does not. */
void endpoint_refused(struct endpoint *e, const struct endpoint_world *w, int release,
                      const char *cause);

void endpoint_add_event(struct endpoint *e, const struct endpoint_world *w, enum event_kind kind,
                        int release, const char *cause, bool blamed);

/* The content may take it down when it reboots: true where it did. */
bool endpoint_dies_at_reboot(struct endpoint *e, const struct endpoint_world *w);

/* A consumer crashed: blamed on the release, and back, where that has not soaked. */
void endpoint_consumer_crash(struct endpoint *e, const struct endpoint_world *w);

/* True once it has downloaded the candidate; the first question begins that. */
bool endpoint_has_staged(struct endpoint *e, const struct endpoint_world *w, int release);

/* A check-in was answered: what happened since the last one, by chance. It may say goodbye in the
 * next, fall silent, or be away at once. */
void endpoint_live(struct endpoint *e, const struct endpoint_world *w);

/* Its goodbye was sent, heard or not: gone. */
void endpoint_leave_now(struct endpoint *e, const struct endpoint_world *w);

/* Awake again. */
void endpoint_return(struct endpoint *e, const struct endpoint_world *w);

/* A new start of the agent: epoch, numbering, boot. */
void endpoint_boot(struct endpoint *e, int64_t now_ms);

/* ms, longer by up to a tenth. */
int64_t endpoint_jitter(int64_t ms);

/* What its consumer says of itself. */
const struct figures *endpoint_figures(const struct endpoint *e, const struct endpoint_world *w);

#endif
