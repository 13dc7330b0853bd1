/*
 * trust_revoke: offline-signed revocations, from wherever they come, into the state. They are
 * verified against the targets that are trusted here, by the keys of the channel's signers,
 * whatever their age: they can only restrict.
 */
#ifndef FIREBREAK_CLIENT_TRUST_REVOKE_H
#define FIREBREAK_CLIENT_TRUST_REVOKE_H

#include "agent.h"
#include "tuf/client.h"

/* What this verified content metadata of a channel revokes. */
int trust_take_revocations(const struct agent *a, const char *channel,
                           const struct metadata *content, struct err *err);

/* What the server and the mirrors show without a version (incoming/revocations), and what is
 * trusted on disk, where this pass has not gone through it. Best effort: what cannot be verified is
 * logged and passed over. */
void trust_find_revocations(const struct agent *a, bool trusted_too);

/* Tell, once each, of what is revoked and runs on because there is nothing to go back to. */
int trust_tell_revoked(const struct agent *a, struct err *err);

#endif
