/*
 * client: the TUF client workflow (specification 1.0.34, section 5) as code without I/O: where
 * files come from and where trusted ones lie is injected, and so is time. The agent's fetching
 * child runs it over the network; the agent's privileged part runs the very same code over what the
 * child brought; the server runs it over what is published.
 */
#ifndef FIREBREAK_TUF_CLIENT_H
#define FIREBREAK_TUF_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "tuf/metadata.h"

/* Where untrusted files come from. Paths are relative to the repository: "metadata/3.root.json",
 * "metadata/timestamp.json", "metadata/7.snapshot.json", "metadata/2.content-crs.json",
 * "targets/content/crs/<sha256>.1.0.json". ret carries the cap: longer is ERR_TOO_LARGE.
 * ERR_NOT_FOUND where there is none (of a root ERR_FORBIDDEN, too: some static hosts say so);
 * anything else ends the refresh. */
struct tuf_fetch {
    int (*get)(void *ctx, const char *path, struct buf *ret, struct err *err);
    void *ctx;
};

/* Where trusted files are kept, by name: "root.json", "timestamp.json", "snapshot.json",
 * "targets.json", "content-crs.json" (tuf/name.h), and "rotation" for as long as one lasts. put is
 * durable and atomic. */
struct tuf_store {
    int (*get)(void *ctx, const char *name, struct buf *ret, struct err *err); /* ERR_NOT_FOUND */
    int (*put)(void *ctx, const char *name, const void *data, size_t len, struct err *err);
    int (*remove)(void *ctx, const char *name, struct err *err); /* absent is success */
    void *ctx;
};

/* A tuf_store over a directory (files 0644). dir must outlive it. */
struct tuf_store tuf_store_dir(const char *dir);
/* A tuf_fetch over a directory laid out as the repository. */
struct tuf_fetch tuf_fetch_dir(const char *dir);

struct tuf_client;

#define TUF_CLIENT_ROTATIONS 256 /* root files taken in one refresh */

/* Trust this root (it must verify itself) where the store has none yet; otherwise ERR_EXISTS. */
int tuf_client_init(const struct tuf_store *store, const void *root, size_t len, struct err *err);

/* Load the trusted root. ERR_NOT_FOUND: not initialised. */
int tuf_client_new(const struct tuf_store *store, const struct tuf_fetch *fetch,
                   struct tuf_client **ret, struct err *err);
void tuf_client_free(struct tuf_client *c);
DEFINE_CLEANUP(struct tuf_client *, tuf_client_free)

/* Section 5.3 to 5.6: root chain, timestamp, snapshot, targets. now_s: Unix time at which all of
 * it is judged. 0, or the first failure; the stored trusted state is then as the specification
 * says, and the client finds no targets until the next refresh or load succeeds. */
int tuf_client_refresh(struct tuf_client *c, int64_t now_s, struct err *err);

/* Load what is trusted without any fetch (expired files still load: an update problem never stops
 * protection); from then on tuf_client_find does not fetch either. ERR_NOT_FOUND where there has
 * been no complete refresh. */
int tuf_client_load(struct tuf_client *c, struct err *err);

/* Section 5.7.1: search targets and its delegations for a target path (loading and verifying
 * delegated roles as needed). ERR_NOT_FOUND. ret->custom stays valid until the next call that may
 * change the client. */
int tuf_client_find(struct tuf_client *c, int64_t now_s, const char *path, struct tuf_target *ret,
                    struct err *err);

/* The verified metadata of a role that the top-level targets delegates to directly, loaded exactly
 * as tuf_client_find would load it. Borrowed until the client changes. ERR_NOT_FOUND where the
 * snapshot does not list it. */
int tuf_client_delegated(struct tuf_client *c, int64_t now_s, const char *role,
                         const struct metadata **ret, struct err *err);

/* Verify bytes as metadata of `role` by the keys to which the trusted targets delegates it,
 * whatever the snapshot lists and whatever its expiry: only for what may restrict (revocations).
 * *ret is owned by the caller. Needs no refresh and no load: the stored targets will do, which is
 * what is left after the online keys were replaced. ERR_UNAVAILABLE where there is none. */
int tuf_client_verify_delegated(struct tuf_client *c, const char *role, const void *data,
                                size_t len, struct metadata **ret, struct err *err);

/* ERR_TAMPERED where these are not the bytes that were signed for. */
int tuf_target_check(const struct tuf_target *target, const void *data, size_t len,
                     struct err *err);

/* Section 5.7.3: fetch a target's bytes and check length and hash. ret carries the cap. */
int tuf_client_download(struct tuf_client *c, const struct tuf_target *target, struct buf *ret,
                        struct err *err);

int64_t tuf_client_snapshot_version(const struct tuf_client *c); /* 0: none */
int64_t tuf_client_root_version(const struct tuf_client *c);
/* Earliest expiry of what is trusted, Unix seconds. */
int64_t tuf_client_expires_s(const struct tuf_client *c);
/* The same, and whose it is (borrowed until the client changes). */
int64_t tuf_client_expires_first(const struct tuf_client *c, const char **ret_role);

/* "content/crs/1.0.json" + hash -> "content/crs/<hash>.1.0.json" (consistent snapshots). */
int tuf_target_file(const char *path, const char *hash, char *ret, size_t size, struct err *err);

#endif
