/*
 * server: what firebreakd is made of. One struct, handed down; no globals.
 *
 *   http/       libmicrohttpd: requests, replies, suspended connections, problems
 *   api/        routes and their handlers
 *   store/      asynchronous store interface; store_sqlite*.c its first driver
 *   repo/       the TUF repository and the blobs, served from memory, signed with the online keys
 *   fleet/      devices, their draws and arms, counters by tick
 *   rollouts/   rollouts in flight: facts -> canary/ -> decision -> plan
 *   auth.h      operators and enrolment tokens
 *   audit.h     the hash-chained log of what people and the gate did
 *   controller.h  the thread that ticks
 *   metrics.h   one row a metric
 *
 * Locks: `site` guards fleet and rollouts (and the order in which batches reach the store). Memory
 * is changed under it before the commit; nobody outside hears of it before (invariant 12). Where a
 * commit fails, memory is read again from the store before anything else is accepted.
 */
#ifndef FIREBREAK_SERVER_H
#define FIREBREAK_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "config.h"

struct auth;
struct audit;
struct controller;
struct fleet;
struct http;
struct metrics;
struct repo;
struct rollouts;
struct store;

struct server {
    struct config config;
    const struct clock *clock;
    uint8_t master[32]; /* device and draw keys are derived from it */
    pthread_mutex_t site;
    struct store *store;
    struct audit *audit;
    struct auth *auth;
    struct repo *repo;
    struct fleet *fleet;
    struct rollouts *rollouts;
    struct controller *controller;
    struct metrics *metrics;
    struct http *http;
    atomic_bool degraded; /* a commit failed; memory is being read again */
};

#endif
