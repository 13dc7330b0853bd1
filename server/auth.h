/*
 * auth: operators (hashed bearer tokens with a role) and enrolment tokens. Tokens are shown once
 * and kept as SHA-256 only.
 */
#ifndef FIREBREAK_SERVER_AUTH_H
#define FIREBREAK_SERVER_AUTH_H

#include <stdint.h>

#include "base/err.h"

struct auth;
struct server;
struct store_batch;

#define OPERATOR_NAME_MAX 64
#define GROUP_NAME_MAX    64

/* Ascending; each may do what those before it may. Special ones first. X(NAME, text) */
#define ROLES(X)                                                                                   \
    X(PUBLIC, "public")                                                                            \
    X(DEVICE, "device")                                                                            \
    X(ENROL, "enrol")                                                                              \
    X(VIEWER, "viewer")                                                                            \
    X(RELEASER, "releaser")                                                                        \
    X(APPROVER, "approver")                                                                        \
    X(ADMIN, "admin")

enum role {
#define X(name, text) ROLE_##name,
    ROLES(X)
#undef X
};
const char *role_name(enum role r);
int role_from(const char *text, enum role *ret);

/* Operators and enrolment tokens as the store has them. */
int auth_open(struct server *s, struct auth **ret, struct err *err);
void auth_free(struct auth *a);
/* Read all again (after a failed commit). */
int auth_reload(struct server *s, struct err *err);

struct operator_ref {
    char name[OPERATOR_NAME_MAX];
    enum role role;
};

/* Who is this? ERR_UNAUTHORISED. Constant time in the token. */
int auth_operator(struct server *s, const char *token, struct operator_ref *ret, struct err *err);

/* Make an operator; the token (fbo_...) is written to ret_token (64 bytes). Adds its row to batch.
 */
int auth_add_operator(struct server *s, const char *name, enum role role, char ret_token[64],
                      struct store_batch *batch, struct err *err);

/* The operators of bootstrap_dir/operators.json that are not there yet, each audited; called at
 * every start. A missing file is none. */
int auth_import(struct server *s, struct store_batch *batch, struct err *err);

/* Make an enrolment token (fbe_...) for `uses` devices of a group. */
int auth_add_enrolment(struct server *s, const char *group, int64_t uses, char ret_token[64],
                       char ret_id[17], struct store_batch *batch, struct err *err);

/* Spend one use (adds the row to batch); ERR_UNAUTHORISED for unknown, spent. Under the site lock.
 */
int auth_use_enrolment(struct server *s, const char *token, char ret_group[GROUP_NAME_MAX],
                       char ret_id[17], struct store_batch *batch, struct err *err);

/* No more uses of the token with this id; how many there were. -1 where there is none. */
int auth_withdraw_enrolment(struct server *s, const char *id, struct store_batch *batch,
                            int64_t *ret_uses);

#endif
