/*
 * fetch: the jobs of firebreak-agent-fetch, the short-lived, unprivileged child that alone talks to
 * the network (the one program of the agent with libcurl). One job comes as JSON on standard input,
 * one result goes as JSON to standard output. It sees neither the device key nor the draw key, and
 * nothing that it brings is trusted: the privileged part verifies it all again.
 *
 *   {"job": "refresh"|"blobs"|"post", "server", "mirrors": [urls], "ca_file", "proxy",
 *    "state_dir", ...}
 *   refresh: "repository", "cohort", "now_s", "channels": [names], "refresh": boolean
 *            -> files below incoming/metadata and incoming/targets (where "refresh"), and below
 *            incoming/revocations/<source>/: content-<channel>.json as each mirror shows it, and
 *            as the server does where the refresh failed. {"failed": [{"channel", "code",
 *            "message"}]}: channels of which not all came. The error of the refresh comes after all
 *            has been tried: what is in incoming/ counts all the same.
 *   blobs:   "blobs": [{"sha256", "length"}]   -> incoming/blobs/<sha256>, resumed
 *   post:    "path", "headers": ["Name: value"], "bearer", "body", "cap"
 *            -> {"status", "body", "retry_after_s"}, and "problem" from 400 on
 *
 * Failures are {"error": {"code": slug, "message", "remedy"}}. To add a job: one row in JOBS.
 */
#ifndef FIREBREAK_CLIENT_FETCH_H
#define FIREBREAK_CLIENT_FETCH_H

#include <jansson.h>

#include "base/err.h"
#include "net/http.h"

#define FETCH_JOB_MAX   4000000
#define FETCH_REPO_PATH "/repo" /* where the server has the repository and the blobs */

struct fetch {
    const json_t *job;
    const char *state_dir;
    struct fetch_sources *sources; /* fetch_source.h */
};

int fetch_refresh(const struct fetch *f, json_t *result, struct err *err);
int fetch_blobs(const struct fetch *f, json_t *result, struct err *err);
int fetch_post(const struct fetch *f, json_t *result, struct err *err);

#endif
