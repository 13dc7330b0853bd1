/*
 * master: the secret that device keys and draws are derived from (online_dir/master.key). With
 * another one no device of the state could sign any more, and all of them would be told to enrol
 * again: so the state remembers which one it belongs to.
 */
#ifndef FIREBREAK_SERVER_MASTER_H
#define FIREBREAK_SERVER_MASTER_H

#include "base/err.h"

struct server;

/* Read it into s->master. */
int master_read(struct server *s, struct err *err);

/* Is it the state's own? Needs the store; on the first start the state is bound to it.
 * ERR_UNTRUSTED. */
int master_check(struct server *s, struct err *err);

#endif
