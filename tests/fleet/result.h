/*
 * result: what the fleet saw, for result.json:
 *
 *   {"agents", "enrolled", "requests", "errors": {slug: count}, "permits",
 *    "lives",                                          ordinary life has begun
 *    "by_release": {version: {"running", "applied", "healthy", "dead", "killed", "rolled_back",
 *                             "recalled", "refused"}},
 *    "grants": [{"device", "digest", "nonce"}]}        exposures that the server acknowledged
 */
#ifndef FIREBREAK_FLEET_RESULT_H
#define FIREBREAK_FLEET_RESULT_H

#include "endpoint.h"

struct result {
    int64_t enrolled, requests, permits;
    bool lives;
    int64_t errors[ERR_N_CODES]; /* by code */
    struct result_grant {
        char device[DEVICE_ID_LEN + 1];
        int release;
        char nonce[NONCE_LEN + 1];
    } * grants;
    size_t n_grants, n_alloc;
};

void result_release(struct result *r);
/* ERR_NOMEM. */
int result_add_grant(struct result *r, const char *device, const struct endpoint_grant *g,
                     struct err *err);

/* Durable. */
int result_write(const struct result *r, const struct catalog *c, const struct endpoint *endpoints,
                 size_t n_endpoints, const char *path, struct err *err);

#endif
