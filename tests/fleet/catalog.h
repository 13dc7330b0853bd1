/*
 * catalog: releases that the fleet has seen in verified metadata, by a small index that never
 * changes, and what happened with each. One struct for the whole fleet; the metadata is verified
 * once for all.
 */
#ifndef FIREBREAK_FLEET_CATALOG_H
#define FIREBREAK_FLEET_CATALOG_H

#include "manifest.h"
#include "plan.h"

#define CATALOG_MAX 64 /* releases; endpoints keep sets of them as bits */

/* X(FIELD): counters per release, as they are called in result.json. dead: of those killed, not
 * back. */
#define CATALOG_COUNTERS(X)                                                                        \
    X(applied) X(healthy) X(dead) X(killed) X(rolled_back) X(recalled) X(refused)

struct catalog_release {
    char digest[65];
    char version[RELEASE_VERSION_MAX];
    int64_t sequence;
    struct pace pace;
    int64_t seen_ms; /* boot clock, first sight: what pace counts from */
#define X(field) int64_t field;
    CATALOG_COUNTERS(X)
#undef X
};

struct catalog {
    struct catalog_release releases[CATALOG_MAX];
    int n;
};

/* What one verified snapshot says: made by the metadata thread, read-only afterwards. */
struct view {
    int64_t snapshot_version;
    struct plan *plan;
    struct manifest *manifests[PLAN_MAX_ROLLOUTS + 1]; /* of rollouts and baseline */
    int n_manifests;
};
void view_free(struct view *v);
DEFINE_CLEANUP(struct view *, view_free)

/* Take the view's releases in. Those beyond CATALOG_MAX are left out: nobody will ask for them. */
void catalog_adopt(struct catalog *c, const struct view *v, int64_t now_ms);

/* Index of a digest, -1: not known. */
int catalog_find(const struct catalog *c, const char *digest);

#endif
