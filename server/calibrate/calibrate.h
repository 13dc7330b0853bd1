/*
 * calibrate: the gate on a channel's live telemetry with no release at all (A/A), so that its false
 * alarms and the fleet's own rates are known before it is trusted (docs/gate.md "How to
 * calibrate"). Inside the server only; site lock throughout.
 *
 *   calibration  of a channel: N rounds in a few lanes side by side, each lane one round at a time
 *   round        a struct flight of a release that does not exist: its digest is random, so the
 *                draws are new ones
 *   a check-in   calibrate_hear, after all that is real: "ready" is who runs anything, unheld;
 *                "permit" is a mark in the lane's arm; from then on its check-ins are those of a
 *                device that runs the release. Through the same flight_*.c
 *   a tick       calibrate_tick, after all that is real: facts_collect -> rollout_tick ->
 *                flight_turn. Verdicts are counted, nobody acts on them
 *   the end      of a round: complete, halted everywhere, or the limit; of a calibration: all
 *                rounds, a person, or a rollout of the channel
 *
 * Nothing of it reaches a device but the time of its next check-in: no permit, no exposure, no
 * plan; no function here can fail a check-in, a tick or an act of a rollout. A rollout of the
 * channel ends it in the commit that starts the rollout. Beside a complete one it runs; who asks
 * for that one's permit leaves the lanes' evidence.
 *
 * Kept in the store: finished rounds, and the sums of rates every few minutes. Rounds under way
 * begin anew after a restart; how often is told.
 */
#ifndef FIREBREAK_SERVER_CALIBRATE_H
#define FIREBREAK_SERVER_CALIBRATE_H

#include <jansson.h>

#include "auth.h"
#include "base/err.h"
#include "server.h"

struct calibration;
struct channel;
struct device;
struct hearing;
struct rollouts;
struct store_batch;

#define CALIBRATE_MAX_LANES   8
#define CALIBRATE_MAX_ROUNDS  1000
#define CALIBRATE_MAX_LIMIT_S (30 * 86400)

/* --- what people do and see; acts are audited and commit before they return ---------------------
 */

struct calibrate_request {
    const struct operator_ref *who;
    const char *channel, *policy;              /* policy NULL: "standard" */
    int64_t rounds, lanes, share_ppm, limit_s; /* 0: as calibrate.c has it */
};
/* ERR_CONFLICT while a rollout or a calibration runs on the channel. */
int calibrate_start(struct server *s, const struct calibrate_request *q, struct err *err);
/* Idempotent. */
int calibrate_stop(struct server *s, const struct operator_ref *who, const char *channel,
                   struct err *err);
/* The channel's latest one; new reference. ERR_NOT_FOUND: there was none. */
int calibrate_status(struct server *s, const char *channel, json_t **ret, struct err *err);

/* --- called by what is real ---------------------------------------------------------------------
 */

/* A check-in that speaks of the channel, decided; permitted: it is given a permit. Returns when the
 * device is to come again, at most usual_ms. */
int64_t calibrate_hear(struct channel *ch, const struct device *d, const struct hearing *h,
                       bool permitted, int64_t usual_ms);
/* The same check-in, for the channels that it does not speak of (h without a channel). */
void calibrate_hear_others(struct server *s, const struct device *d, const struct hearing *h);
/* One that says nothing new, and is not written down; returns as calibrate_hear does. */
int64_t calibrate_put_off(struct server *s, const struct device *d, int64_t usual_ms);
/* A sign of life that carried nothing. */
void calibrate_alive(struct server *s, const struct device *d);
/* Ticks that are due, on all channels; returns when to call again. */
int64_t calibrate_tick(struct server *s);
/* A rollout of the channel starts or is halted: that ends it, in this batch. */
void calibrate_supersede(struct server *s, struct channel *ch, struct store_batch *b);
/* At start: the latest of each channel. */
int calibrate_load(struct server *s, struct rollouts *r, struct err *err);
void calibration_free(struct calibration *c);

#endif
