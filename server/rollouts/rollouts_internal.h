/* rollouts_internal: what rollouts*.c share. Site lock throughout. */
#ifndef FIREBREAK_SERVER_ROLLOUTS_INTERNAL_H
#define FIREBREAK_SERVER_ROLLOUTS_INTERNAL_H

#include "rollouts/flight.h"
#include "rollouts/rollouts.h"

void put_flight(struct store_batch *b, const struct flight *f);
/* "<noun>/<of>": small singletons. */
void put_setting(struct store_batch *b, const char *noun, const char *of, const json_t *value);
void put_recall(struct store_batch *b, const struct channel *ch, const struct recall *r);

int plan_text(const struct server *s, const struct channel *ch, struct plan **ret_plan,
              char **ret_text, struct err *err);

/* Commit the channel's rollout and whatever is in the batch (taken), with a new plan where the
 * state calls for one, and publish it. raise_min: permits then need that plan. A failure marks the
 * server degraded. */
int commit_channel(struct server *s, struct channel *ch, bool raise_min, struct store_batch *b,
                   struct err *err);

/* Stop all of it: nobody is granted anything from here on. Adds recall and rows to the batch. */
int flight_halt(struct server *s, struct channel *ch, struct store_batch *b, struct err *err);
/* Recall in the scope of the cohorts that are halted (all: everywhere). */
int recall_halted(struct server *s, struct channel *ch, struct store_batch *b, struct err *err);

json_t *flight_status(const struct server *s, const struct channel *ch);
json_t *flight_history(const struct flight *f);

#endif
