/* rollouts_internal: what rollouts*.c share. Site lock throughout. */
#ifndef FIREBREAK_SERVER_ROLLOUTS_INTERNAL_H
#define FIREBREAK_SERVER_ROLLOUTS_INTERNAL_H

#include "rollouts/flight.h"
#include "rollouts/rollouts.h"

/* The channels of the repository, as they are staged: added, marked as gone or back. */
int rollouts_know_channels(struct server *s, struct rollouts *r, struct err *err);

void put_flight(struct store_batch *b, const struct flight *f);
/* "<noun>/<of>": small singletons. */
void put_setting(struct store_batch *b, const char *noun, const char *of, const json_t *value);
void put_recall(struct store_batch *b, const struct channel *ch, const struct recall *r);

int plan_text(const struct server *s, const struct channel *ch, struct plan **ret_plan,
              char **ret_text, struct err *err);

/* Sign the plan where it changed (*ret, else untouched) and give its text. raise_min: permits are
 * then only for devices that have seen it. */
int stage_plan(struct server *s, struct channel *ch, bool raise_min, struct store_batch *b,
               struct repo_change **ret, char **ret_text, struct err *err);

/* Commit the channel's rollout and whatever is in the batch (taken), with a new plan where the
 * state calls for one, and publish it. raise_min: permits then need that plan. A failure marks the
 * server degraded. */
int commit_channel(struct server *s, struct channel *ch, bool raise_min, struct store_batch *b,
                   struct err *err);

/* Stop all of it: nobody is granted anything from here on. Adds recall and rows to the batch. */
int flight_halt(struct server *s, struct channel *ch, struct store_batch *b, struct err *err);
/* Recall in the scope of the cohorts that are halted (all: everywhere). */
int recall_halted(struct server *s, struct channel *ch, struct store_batch *b, struct err *err);

/* The channel's baseline and the one before, as rows. */
void put_baseline(const struct channel *ch, struct store_batch *b);
/* flight_halt, with what is shown and kept as the reason. */
int flight_halt_because(struct server *s, struct channel *ch, const char *said,
                        struct store_batch *b, struct err *err);
int recall_everywhere(struct server *s, struct channel *ch, const char *digest,
                      struct store_batch *b, struct err *err);

/* What the channel's newest staged content metadata revokes and is not stopped yet: stop it, in
 * memory and as rows in the batch. *ret_acted: there was some; after a failure memory is then ahead
 * of the store. */
int obey_revocations(struct server *s, struct channel *ch, const char *by, struct store_batch *b,
                     bool *ret_acted, struct err *err);
/* ERR_HALTED where the release is revoked. */
int check_not_revoked(struct server *s, const char *channel, const struct manifest *m,
                      struct err *err);

json_t *flight_status(const struct server *s, const struct channel *ch);
json_t *flight_history(const struct flight *f);

#endif
