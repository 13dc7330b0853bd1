/*
 * rollouts: rollouts in flight, between what devices say (arms.h, counters.h), the decision
 * (canary/rollout.h) and the signed plan (repo.h). One at a time on each channel.
 *
 * Every function here is called with the site lock held. Those that commit wait for the store; the
 * store's completions never take the site lock, so that cannot lock up.
 */
#ifndef FIREBREAK_SERVER_ROLLOUTS_H
#define FIREBREAK_SERVER_ROLLOUTS_H

#include <jansson.h>

#include "auth.h"
#include "base/err.h"
#include "policy.h"
#include "server.h"

/* Loads rollouts and replays their ticks. After fleet_open and repo_open. */
int rollouts_open(struct server *s, struct rollouts **ret, struct err *err);
void rollouts_free(struct rollouts *r);
/* Read all again (after a failed commit). After fleet_reload and repo_reload. */
int rollouts_reload(struct server *s, struct err *err);

/* Run every tick that is due at now (boot clock), at most one of each rollout; returns ms until the
 * next one is due (at most 1000). Commits. A failed commit sets server->degraded. */
int64_t rollouts_tick(struct server *s);

/* True if this digest is part of a rollout in flight, the baseline or a recall's way back: content
 * metadata must go on listing it. */
int rollouts_needs(struct server *s, const char *channel, const char *digest);

/* After metadata was staged into b (repo_stage_release, repo_stage_intake): what it newly revokes
 * is stopped in the same commit. *change (NULL: none) is replaced by one that contains it and the
 * plans that say so. On failure it is still the caller's; the server may be degraded, as memory is
 * ahead of the store. by: who uploaded it, for the audit. */
struct repo_change;
struct store_batch;
int rollouts_obey_revocations(struct server *s, const char *by, struct store_batch *b,
                              struct repo_change **change, struct err *err);

/* True while one is running or paused on the channel. */
bool rollouts_is_running(const struct server *s, const char *channel);

/* The repository was staged anew, and with it the list of channels: those that are new begin
 * without a rollout, those that are gone rest with all they know. Before the commit; where that
 * fails everything is read again. */
int rollouts_follow(struct server *s, struct err *err);

/* --- what people do; each is audited, commits, and publishes before it returns ---------------- */

struct act {
    const struct operator_ref *who;
    const char *channel, *version;
    const char *policy; /* start */
    const char *reason; /* halt, promote: required */
};
int rollouts_start(struct server *s, const struct act *a, struct err *err);
/* Idempotent. Grants cease before anything is signed or written. */
int rollouts_halt(struct server *s, const struct act *a, struct err *err);
/* *ret_waiting: the first of two people said so; the second one's word acts. */
int rollouts_promote(struct server *s, const struct act *a, bool *ret_waiting, struct err *err);

/* --- what is shown ---------------------------------------------------------------------------- */

/* GET /api/v1/channels/C/rollout; new reference. ERR_NOT_FOUND where the channel has none yet. */
int rollouts_status(struct server *s, const char *channel, json_t **ret, struct err *err);
/* The same in plain words, with its history. */
int rollouts_explain(struct server *s, const char *channel, json_t **ret, struct err *err);
/* A page of the record of the version's latest rollout, whatever became of it, from this tick on:
 * {"lines": [as canary/record/record.h says], "next": the tick to go on from, null at the end}. The
 * head comes first with tick 0. Reads the store only: the site lock is not needed. */
int rollouts_record(struct server *s, const char *channel, const char *version, int64_t from,
                    json_t **ret, struct err *err);
/* Trials, of both arms, that the gates of rollouts in flight have been given: built-in metrics by
 * enum metric, then those of the policies' own, by name, at most max in all. Returns how many. */
struct rollouts_trials {
    char metric[METRIC_NAME_MAX];
    int64_t n;
};
int rollouts_trials(struct server *s, struct rollouts_trials *ret, int max);
/* For the page: {"channels":[...], "devices":{...}}. */
json_t *rollouts_overview(struct server *s);

#endif
