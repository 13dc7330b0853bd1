/*
 * status: a rollout's state as the server tells it (GET /api/v1/channels/C/rollout), read strictly
 * where a decision hangs on it and shown to people.
 */
#ifndef FIREBREAK_CTL_STATUS_H
#define FIREBREAK_CTL_STATUS_H

#include <stdio.h>

#include "api.h"
#include "plan.h"

/* ERR_NOT_FOUND: the channel has no rollout yet. *ret: the answer, owned. */
int status_get(struct api *a, const char *channel, json_t **ret, enum rollout_state *ret_state,
               struct err *err);

/* Head, counts, verdict and reasons; cohorts where there is more than one. */
void status_print(const json_t *status, bool colours, FILE *out);

/* The same in one line, for logs. */
void status_print_line(const json_t *status, FILE *out);

/* A string or integer of o, by a dotted path ("ring.name"); "" and 0 where it is absent. */
const char *status_text(const json_t *o, const char *path);
int64_t status_int(const json_t *o, const char *path);

#endif
