/*
 * api: calls of firebreakd's HTTP API for one command: server, token and CA from the global options
 * or the environment (FIREBREAK_SERVER, FIREBREAK_TOKEN_FILE). Problems become err.
 */
#ifndef FIREBREAK_CTL_API_H
#define FIREBREAK_CTL_API_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/cleanup.h"

#define API_ANSWER_MAX (16 * 1000 * 1000) /* bytes of an answer */

struct api;

/* The server's address as given, NULL where it was not. */
const char *api_server(const struct cli *cli);

/* ERR_USAGE where no server is named. The token is optional: the server says when it wants one. */
int api_open(const struct cli *cli, struct api **ret, struct err *err);
void api_free(struct api *a);
DEFINE_CLEANUP(struct api *, api_free)

/* One call with JSON both ways; body may be NULL. An answer >= 400 is the error that its problem
 * names, with `what` before it. *ret: new reference (an empty object for an empty answer); NULL
 * where it is not wanted. */
struct api_call {
    const char *method, *path;
    const json_t *body;
    const char *what; /* "start rollout" */
};
int api_json(struct api *a, const struct api_call *call, json_t **ret, int *ret_status,
             struct err *err);

/* GET: the bytes as they came, without a token. ret carries the cap. ERR_NOT_FOUND on 404. */
int api_get_bytes(struct api *a, const char *path, struct buf *ret, struct err *err);

/* PUT these bytes. */
int api_put_bytes(struct api *a, const char *path, const void *data, size_t len, struct err *err);

#endif
