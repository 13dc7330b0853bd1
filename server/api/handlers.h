/*
 * handlers: the functions that routes.c names. A handler parses, calls,
 * replies; the subject's own files do the work.
 */
#ifndef FIREBREAK_SERVER_HANDLERS_H
#define FIREBREAK_SERVER_HANDLERS_H

struct request;

void h_enrol(struct request *rq);   /* ASYNC; POST /api/v1/enrol */
void h_checkin(struct request *rq); /* ASYNC; POST /api/v1/checkin */

void h_rollout_status(struct request *rq);  /* GET  /api/v1/channels/{}/rollout */
void h_rollout_explain(struct request *rq); /* GET  /api/v1/channels/{}/explain */
void h_rollout_record(struct request *rq);  /* GET  /api/v1/channels/{}/rollouts/{}/record */
void h_rollout_start(struct request *rq);   /* POST /api/v1/channels/{}/rollouts */
void h_rollout_halt(struct request *rq);    /* POST /api/v1/channels/{}/halt */
void h_rollout_promote(struct request *rq); /* POST /api/v1/channels/{}/promote */

void h_policies(struct request *rq); /* GET /api/v1/policies */

void h_calibration_status(struct request *rq); /* GET  /api/v1/channels/{}/calibration */
void h_calibration_start(struct request *rq);  /* POST /api/v1/channels/{}/calibration */
void h_calibration_stop(struct request *rq);   /* POST /api/v1/channels/{}/calibration/stop */

void h_overview(struct request *rq); /* GET /api/v1/overview */

void h_repo_metadata(struct request *rq); /* GET /repo/metadata/{} */
void h_repo_targets(struct request *rq);  /* GET /repo/targets/{} */
void h_repo_blob(struct request *rq);     /* GET /repo/blobs/{}/{} */

void h_repository(struct request *rq);      /* GET /api/v1/repository */
void h_repository_post(struct request *rq); /* ASYNC; POST /api/v1/repository/metadata */

void h_blob_put(struct request *rq);         /* PUT  /api/v1/blobs/{} */
void h_blobs_missing(struct request *rq);    /* POST /api/v1/blobs/missing */
void h_release_post(struct request *rq);     /* ASYNC; POST /api/v1/channels/{}/releases */
void h_releases(struct request *rq);         /* GET  /api/v1/channels/{}/releases */
void h_content_metadata(struct request *rq); /* GET  /api/v1/channels/{}/content-metadata */

void h_enrolment_create(struct request *rq); /* ASYNC; POST /api/v1/enrolment-tokens */
void h_operator_create(struct request *rq);  /* ASYNC; POST /api/v1/operators */
void h_exclusion_create(struct request *rq); /* ASYNC; POST /api/v1/devices/exclusions */
void h_audit(struct request *rq);            /* GET /api/v1/audit */

void h_page(struct request *rq);    /* GET / */
void h_healthz(struct request *rq); /* GET /healthz */
void h_metrics(struct request *rq); /* GET /metrics */

#endif
