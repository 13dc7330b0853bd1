/*
 * err: how every failure of Firebreak is told.
 *
 * A function that can fail returns 0 or a negative `enum err_code` and, where it has one, fills the
 * caller's `struct err`. Each level adds its context once (err_context); only the top prints. One
 * table maps a code to its exit status (CONTRACTS), HTTP status, problem slug and usual remedy.
 *
 * To add a code: one row in ERR_TABLE.
 */
#ifndef FIREBREAK_ERR_H
#define FIREBREAK_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* X(name, exit status, HTTP status, problem slug, usual remedy) */
#define ERR_TABLE(X)                                                                               \
    X(INTERNAL, 1, 500, "internal", "report this as a bug")                                        \
    X(NOMEM, 1, 500, "out-of-memory", "free memory and try again")                                 \
    X(IO, 1, 500, "io", "check the file system and its permissions")                               \
    X(FULL, 1, 507, "store-full", "free disk space; nothing was lost, try again")                  \
    X(USAGE, 2, 400, "usage", "see --help")                                                        \
    X(INVALID, 1, 400, "invalid", "correct the input")                                             \
    X(TOO_LARGE, 1, 413, "too-large", "send less")                                                 \
    X(NOT_FOUND, 1, 404, "not-found", "check the name")                                            \
    X(METHOD, 1, 405, "method-not-allowed", "use a method that the resource allows")               \
    X(EXISTS, 1, 409, "exists", "choose another name or version")                                  \
    X(CONFLICT, 1, 409, "conflict", "read the present state and try again")                        \
    X(UNTRUSTED, 3, 422, "untrusted", "have it signed by the keys that the root names")            \
    X(UNDERSIGNED, 3, 422, "under-signed", "add signatures with 'firebreak release sign'")         \
    X(EXPIRED, 3, 422, "expired", "renew and publish the metadata")                                \
    X(ROLLBACK, 3, 422, "version-rollback", "publish a higher version")                            \
    X(TAMPERED, 3, 422, "tampered", "fetch it again from the origin")                              \
    X(BAD_PATH, 3, 422, "bad-path", "use relative, normalised paths of plain files")               \
    X(PACE, 3, 403, "pace", "wait until the manifest's pace reaches this device")                  \
    X(BAD_PERMIT, 3, 403, "bad-permit", "ask again with a fresh nonce")                            \
    X(HELD, 3, 403, "held", "see 'firebreak-agent status' for what holds it")                      \
    X(REFUSED, 3, 403, "refused", "see the reason given")                                          \
    X(POLICY, 3, 422, "policy", "correct the policy")                                              \
    X(NOT_ADMITTED, 3, 403, "not-admitted", "check in again when told to")                         \
    X(PAUSED, 3, 403, "paused", "wait; admission resumes by itself")                               \
    X(BUDGET, 3, 429, "budget", "check in again after Retry-After")                                \
    X(UNAUTHORISED, 4, 401, "unauthorised", "give a valid token with --token-file")                \
    X(FORBIDDEN, 4, 403, "forbidden", "use a token with the role that is named")                   \
    X(UNKNOWN_DEVICE, 4, 401, "unknown-device", "enrol this device again")                         \
    X(BAD_SIGNATURE, 4, 401, "bad-signature", "enrol this device again if its key was revoked")    \
    X(FORKED, 4, 409, "checkin-forked", "enrol this device again: another one uses its identity")  \
    X(INSECURE, 4, 403, "insecure-transport", "use https, or http on loopback only")               \
    X(UNREACHABLE, 5, 502, "unreachable", "check the server's address and the network")            \
    X(HALTED, 6, 409, "halted", "see 'firebreak rollout explain'; publish a repaired release")     \
    X(TIMEOUT, 7, 504, "timeout", "try again, or allow more time")                                 \
    X(UNAVAILABLE, 1, 503, "unavailable", "try again shortly")

enum err_code {
    ERR_OK = 0,
#define X(name, exit_status, http, slug, remedy) ERR_##name,
    ERR_TABLE(X)
#undef X
        ERR_N_CODES
};

#define ERR_MSG_MAX    384
#define ERR_REMEDY_MAX 192

/* Owned by the caller, on the stack: `struct err err = {0};`. Never freed. */
struct err {
    enum err_code code;
    char msg[ERR_MSG_MAX];       /* lowercase, cause first, names the subject */
    char remedy[ERR_REMEDY_MAX]; /* empty: the code's usual remedy holds */
};

/* Set code and message; returns -code, so that `return err_set(...)` reads well. err may be NULL.
 * Whatever a message quotes, it is one line of UTF-8 without control characters afterwards. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errnum) added; ENOSPC, EDQUOT and EFBIG become FULL, ENOENT
 * NOT_FOUND.
 */
int err_errno(struct err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "<context>: " before the message. Returns -err->code; 0 stays 0. err may be NULL (-> r). */
int err_context(struct err *err, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Replace the usual remedy by one for this case. Returns -err->code. */
int err_remedy(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The table's columns. `code` may be given positive or negative. */
int err_exit_status(int code);
int err_http_status(int code);
const char *err_slug(int code);
const char *err_usual_remedy(int code);
enum err_code err_from_slug(const char *slug); /* ERR_INTERNAL where unknown */

/* The remedy to show: the specific one, else the usual one. */
const char *err_show_remedy(const struct err *err);

#endif
