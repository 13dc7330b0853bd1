/*
 * controller: the thread that ticks rollouts, renews online metadata before it expires, and brings
 * the server back after a failed commit (store_recover, then everything is read again).
 */
#ifndef FIREBREAK_SERVER_CONTROLLER_H
#define FIREBREAK_SERVER_CONTROLLER_H

#include "base/err.h"
#include "server.h"

int controller_start(struct server *s, struct controller **ret, struct err *err);
void controller_stop(struct controller *c); /* joins */
/* Wake it (a rollout was started or halted; a commit failed). Any thread. */
void controller_wake(struct controller *c);

#endif
