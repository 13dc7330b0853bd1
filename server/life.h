/* life: firebreakd's parts in the order of their start, and stopped the other way round. */
#ifndef FIREBREAK_SERVER_LIFE_H
#define FIREBREAK_SERVER_LIFE_H

#include "base/err.h"
#include "server.h"

struct metrics;

/* s->config and s->clock are set; the rest is zero. After a failure nothing runs. Listening is the
 * last step; the port is in port_file then. */
int server_start(struct server *s, struct metrics *metrics, struct err *err);
/* Stops accepting, answers what is under way, commits what is queued, closes. */
void server_stop(struct server *s);

#endif
