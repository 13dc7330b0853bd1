/*
 * routes: the API in one table (http.h says what the columns mean and how to add a row). First the
 * rows whose pattern is literal, then those that it would also match.
 */
#include "base/buf.h"
#include "repo/blobs.h"
#include "checkin.h"
#include "api/handlers.h"
#include "http/http.h"
#include "manifest.h"
#include "tuf/metadata.h"

#define ACT_MAX     4096
#define ENROL_MAX   4096
#define MISSING_MAX 1200000
/* Two texts as JSON strings: quotes and line ends are escaped. */
#define RELEASE_MAX (2 * (MANIFEST_MAX + TUF_TARGETS_MAX))
/* Metadata files as JSON strings, all together. */
#define UPLOAD_MAX (4 * TUF_TARGETS_MAX)

#define CHANNEL "/api/v1/channels/{}"

/* clang-format off */
const struct route routes[] = {
    {"GET",  "/",        ROLE_PUBLIC, 0, 0, h_page,    "the page for people"},
    {"GET",  "/healthz", ROLE_PUBLIC, 0, 0, h_healthz, "200 while check-ins are taken in, 503 otherwise"},
    {"GET",  "/metrics", ROLE_VIEWER, 0, 0, h_metrics, "counters in Prometheus' text format"},

    {"GET",  "/repo/metadata/{}", ROLE_PUBLIC, 0, 0,          h_repo_metadata, "TUF metadata"},
    {"GET",  "/repo/targets/{}",  ROLE_PUBLIC, 0, ROUTE_TAIL, h_repo_targets,  "manifests and plans"},
    {"GET",  "/repo/blobs/{}/{}", ROLE_PUBLIC, 0, 0,          h_repo_blob,     "a file by its SHA-256"},

    {"POST", "/api/v1/enrol",   ROLE_ENROL,  ENROL_MAX,   ROUTE_ASYNC, h_enrol,   "become a device"},
    {"POST", "/api/v1/checkin", ROLE_DEVICE, CHECKIN_MAX, ROUTE_ASYNC, h_checkin, "check in, ask for a permit"},

    {"POST", "/api/v1/blobs/missing", ROLE_RELEASER, MISSING_MAX,    0, h_blobs_missing, "which of these blobs are not here"},
    {"PUT",  "/api/v1/blobs/{}",      ROLE_RELEASER, BLOB_BYTES_MAX, 0, h_blob_put,      "upload a blob"},

    {"GET",  "/api/v1/repository",          ROLE_VIEWER,   0,          0,           h_repository,      "versions, keys and expiry of all roles"},
    {"POST", "/api/v1/repository/metadata", ROLE_RELEASER, UPLOAD_MAX, ROUTE_ASYNC, h_repository_post, "metadata signed offline, without a release"},

    {"GET",  "/api/v1/policies",  ROLE_VIEWER,   0,           0,           h_policies,         "what a rollout may be started with"},
    {"GET",  "/api/v1/overview",  ROLE_VIEWER,   0,           0,           h_overview,         "all channels and the fleet"},
    {"GET",  CHANNEL "/releases", ROLE_VIEWER,   0,           0,           h_releases,         "what was published"},
    {"POST", CHANNEL "/releases", ROLE_RELEASER, RELEASE_MAX, ROUTE_ASYNC, h_release_post,     "publish a signed release"},
    {"GET",  CHANNEL "/content-metadata", ROLE_VIEWER, 0,     0,           h_content_metadata, "the content role's present metadata"},
    {"GET",  CHANNEL "/rollout",  ROLE_VIEWER,   0,           0,           h_rollout_status,   "the rollout in flight"},
    {"GET",  CHANNEL "/explain",  ROLE_VIEWER,   0,           0,           h_rollout_explain,  "why it stands where it stands"},
    {"GET",  CHANNEL "/rollouts/{}/record", ROLE_VIEWER, 0,   0,           h_rollout_record,   "all of it, tick by tick"},
    {"POST", CHANNEL "/rollouts", ROLE_RELEASER, ACT_MAX,     ROUTE_ASYNC, h_rollout_start,    "start a rollout"},
    {"POST", CHANNEL "/halt",     ROLE_RELEASER, ACT_MAX,     ROUTE_ASYNC, h_rollout_halt,     "stop and recall"},
    {"POST", CHANNEL "/promote",  ROLE_RELEASER, ACT_MAX,     ROUTE_ASYNC, h_rollout_promote,  "open the next ring"},

    {"GET",  CHANNEL "/calibration",      ROLE_VIEWER,   0,       0,           h_calibration_status, "the gate without a release: what it found"},
    {"POST", CHANNEL "/calibration",      ROLE_RELEASER, ACT_MAX, ROUTE_ASYNC, h_calibration_start,  "start calibrating"},
    {"POST", CHANNEL "/calibration/stop", ROLE_RELEASER, ACT_MAX, ROUTE_ASYNC, h_calibration_stop,   "stop calibrating"},

    {"POST", "/api/v1/enrolment-tokens", ROLE_ADMIN, ACT_MAX, ROUTE_ASYNC, h_enrolment_create, "make an enrolment token"},
    {"POST", "/api/v1/devices/exclusions", ROLE_APPROVER, ACT_MAX, ROUTE_ASYNC, h_exclusion_create, "take devices out of the evidence"},
    {"POST", "/api/v1/operators",        ROLE_ADMIN, ACT_MAX, ROUTE_ASYNC, h_operator_create,  "make an operator"},
    {"GET",  "/api/v1/audit",            ROLE_VIEWER, 0,      0,           h_audit,            "the audit log"},
    {0},
};
/* clang-format on */
