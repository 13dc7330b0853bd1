/*
 * checkin_parts: what check-in and enrolment share within this library. Users of the library
 * include checkin.h.
 */
#ifndef FIREBREAK_CHECKIN_PARTS_H
#define FIREBREAK_CHECKIN_PARTS_H

#include "checkin.h"

/* The member "platform" of o. what names the document. */
int platform_read(const json_t *o, const char *what, struct platform *ret, struct err *err);
int platform_write(json_t *o, const char *what, const struct platform *p, struct err *err);

#endif
