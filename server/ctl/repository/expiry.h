/*
 * expiry: when metadata that expires is worth a warning, and how that is told.
 */
#ifndef FIREBREAK_CTL_EXPIRY_H
#define FIREBREAK_CTL_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "api.h"

#define EXPIRY_WARN_DAYS 30 /* of what people sign */

/* True for a role that the server signs, and renews by itself. */
bool expiry_is_online(const char *role);

/* How many seconds before its expiry a role is worth a warning. What is renewed by itself is at
 * half of its life: closer than this, something keeps it from that. */
int64_t expiry_warn_s(const char *role, int64_t warn_days);

/* What the server says will expire soon: a line each on standard error; with --json a member
 * "warnings" of the answer instead. Without an answer to that, nothing: it is by the way. */
void expiry_tell(const struct cli *cli, struct api *api, json_t *answer);

/* "root expires in 12 days: ", and what to do about it. */
void expiry_text(const char *role, int64_t left_s, char *ret, size_t size);

#endif
