/*
 * canon: OLPC canonical JSON over a generic tree, the form that signatures cover.
 * Members sorted by key bytes; no white space; only '"' and '\' escaped; reals refused.
 */
#ifndef FIREBREAK_CANON_H
#define FIREBREAK_CANON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* Append the canonical form of v to ret (which carries the cap). ERR_INVALID for a real. */
int canon_write(const json_t *v, struct buf *ret, struct err *err);

#endif
