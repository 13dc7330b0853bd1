/*
 * spool: events on their way to the server, spool/<seq>-<id>.json, one file each, durable before
 * the fact they tell of is acted on, removed only after the server has acknowledged them. Bounded:
 * the oldest that is not a crash makes room, the oldest crash where all are.
 */
#ifndef FIREBREAK_CLIENT_SPOOL_H
#define FIREBREAK_CLIENT_SPOOL_H

#include <stddef.h>

#include "checkin.h"
#include "state/state.h"

#define SPOOL_MAX 256

/* Give the event an id and keep it. */
int spool_add(const char *state_dir, struct event *e, struct err *err);

/* The oldest ones, at most max, into ret (event_release each). A file that cannot be read as an
 * event is removed: it would block all behind it. */
int spool_read(const char *state_dir, struct event *ret, size_t max, size_t *ret_n,
               struct err *err);

/* Acknowledged. Absent is success. */
int spool_remove(const char *state_dir, const char *id, struct err *err);

size_t spool_count(const char *state_dir);

#endif
