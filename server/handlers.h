/*
 * handlers: the functions that routes.c names for devices and rollouts. A handler parses, calls,
 * replies; the subject's own files do the work.
 */
#ifndef FIREBREAK_SERVER_HANDLERS_H
#define FIREBREAK_SERVER_HANDLERS_H

struct request;

void h_enrol(struct request *rq);   /* ASYNC; POST /api/v1/enrol */
void h_checkin(struct request *rq); /* ASYNC; POST /api/v1/checkin */

void h_rollout_status(struct request *rq);  /* GET  /api/v1/channels/{}/rollout */
void h_rollout_explain(struct request *rq); /* GET  /api/v1/channels/{}/explain */
void h_rollout_start(struct request *rq);   /* POST /api/v1/channels/{}/rollouts */
void h_rollout_halt(struct request *rq);    /* POST /api/v1/channels/{}/halt */
void h_rollout_promote(struct request *rq); /* POST /api/v1/channels/{}/promote */

void h_overview(struct request *rq); /* GET /api/v1/overview */

#endif
