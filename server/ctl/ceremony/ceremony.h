/*
 * ceremony: what people do to root, targets and content metadata when they meet over keys.
 * Decisions on trees only: no files, no network, no clock. Fields that nobody here knows stay as
 * they are.
 *
 * A file without signatures is a draft: further changes keep its version, so that several make one
 * next version. A signed one is never changed, it is followed by the next version.
 */
#ifndef FIREBREAK_CTL_CEREMONY_H
#define FIREBREAK_CTL_CEREMONY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tuf/metadata.h"

/* How long a role is good for where nobody says otherwise. */
#define CEREMONY_ROOT_DAYS    365
#define CEREMONY_TARGETS_DAYS 180 /* of content, too */

/* Parse a file that people sign: root, targets or content-<channel>. TUF does not write the name of
 * a role into its file: targets is what delegates, content of a channel what lists its releases
 * only. ERR_INVALID for anything else, timestamps and plans too. */
int ceremony_parse(const char *data, size_t len, const char *what, struct metadata **ret,
                   char ret_role[TUF_ROLE_NAME_MAX], struct err *err);

/* No signature yet: still open for changes. */
bool ceremony_is_draft(const struct metadata *m);

/* Body of the next version (a draft's own version) that expires at expires_s; 0: when m does.
 * *ret: new reference. ERR_EXPIRED where that is not after now_s. */
int ceremony_next(const struct metadata *m, int64_t expires_s, int64_t now_s, json_t **ret,
                  struct err *err);

/* What happens to one role: keys leave, keys come, then the threshold. */
struct ceremony_change {
    const char *role; /* of root, or that targets delegates to */
    const struct key *const *add;
    size_t n_add;
    const char *const *remove; /* key ids, or what they begin with: 8 digits at least */
    size_t n_remove;
    int threshold; /* 0: stays */
};
int ceremony_change(json_t *body, const struct ceremony_change *c, struct err *err);

/* One more channel under a targets body: its own role for content/<channel>/, and nobody else's. */
int ceremony_add_channel(json_t *body, const char *channel, const struct key *const *keys,
                         size_t n_keys, int threshold, struct err *err);

/* A role's object and the table that its keys stand in (borrowed). ERR_NOT_FOUND. */
int ceremony_role(const json_t *body, const char *role, json_t **ret_role, json_t **ret_table,
                  struct err *err);
/* Is the key with this id among those of a role's object? */
bool ceremony_names_key(const json_t *role, const char *id);

#endif
