/*
 * ceremony_sign: who may sign a file, who has, who is still needed. No I/O.
 *
 * A root needs its own keys' threshold and, so that those who trust the root before it follow, the
 * old keys' threshold too. Targets is signed by those whom root names, content by those to whom
 * targets delegates.
 */
#ifndef FIREBREAK_CTL_CEREMONY_SIGN_H
#define FIREBREAK_CTL_CEREMONY_SIGN_H

#include <jansson.h>
#include <stdbool.h>

#include "tuf/metadata.h"

#define CEREMONY_GROUPS_MAX 2

/* Keys of which `threshold` must sign. */
struct ceremony_group {
    char by[96]; /* for people: "the old keys, of root version 1" */
    struct key_set set;
};
struct ceremony_groups {
    int n; /* 0: the delegator is not at hand, so nobody here knows */
    struct ceremony_group group[CEREMONY_GROUPS_MAX];
};

/* Who is to sign m of this role. root: for a root the one before it, for targets the one that names
 * its keys, for content what targets is checked against; targets: what delegates to content. Each
 * may be NULL. ERR_ROLLBACK, ERR_INVALID: m does not follow that root; ERR_UNDERSIGNED,
 * ERR_UNTRUSTED: targets is not root's. */
int ceremony_groups(const struct metadata *m, const char *role, const struct metadata *root,
                    const struct metadata *targets, struct ceremony_groups *ret, struct err *err);
void ceremony_groups_release(struct ceremony_groups *g);

/* True where this very key is in one of the groups, under its own id. */
bool ceremony_has_say(const struct ceremony_groups *g, const struct key *k);

/* What the signatures under an envelope are worth:
 *   {"signatures": [{"keyid", "state": "good"|"bad"|"unknown"}],
 *    "needs": [{"by", "threshold", "have", "keys": [{"keyid", "signed"}]}],
 *    "complete": true|false|null}
 * "unknown": of a key in no group. null: there is no group. A key under two ids counts once. */
int ceremony_tally(const json_t *envelope, const struct ceremony_groups *g, const char *what,
                   json_t **ret, struct err *err);

/* The state of a key's signature in a tally; NULL: it has not signed. */
const char *ceremony_state(const json_t *tally, const char *keyid);

/* ERR_TAMPERED where a signature of a group's key is bad: the file is not what that key signed. */
int ceremony_check_bad(const json_t *tally, const char *what, struct err *err);

/* ERR_UNTRUSTED where a key in m's own table stands under an id that is not its: people compare
 * ids, so one under another's name would go unnoticed. */
int ceremony_check_ids(const struct metadata *m, const char *what, struct err *err);

/* ERR_INVALID where m names a role whose threshold all of its keys together do not reach. */
int ceremony_check_thresholds(const struct metadata *m, const char *what, struct err *err);

/* Take over the signatures of `other` that `envelope` lacks, or has in a bad state. Both must sign
 * the same: ERR_CONFLICT. *ret_added: how many came. */
int ceremony_merge(json_t *envelope, const json_t *other, const struct ceremony_groups *g,
                   int *ret_added, struct err *err);

#endif
