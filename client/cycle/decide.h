/*
 * decide: what the agent should do with a channel, from facts alone: no clock, no I/O. The verified
 * plan and manifest, the state and the owner's configuration go in; which release to stage and ask
 * for, why not, when, and where to go back to come out.
 */
#ifndef FIREBREAK_CLIENT_DECIDE_H
#define FIREBREAK_CLIENT_DECIDE_H

#include "manifest.h"
#include "plan.h"
#include "state/state.h"

struct decide_facts {
    const struct state *state;
    struct state_channel *channel;
    const struct plan *plan;         /* verified; NULL: none yet */
    const struct manifest *manifest; /* of the wanted release; NULL: not verified yet */
    const char *cohort;
    const uint8_t *draw_key;
    int64_t awake_s;              /* awake total */
    bool boot_unrecorded;         /* there is a boot guard, and it could not record this boot */
    struct state_trouble trouble; /* with clock and metadata (trouble.h) */
    /* the owner's configuration */
    enum ring_preference ring;
    bool pause;
    const char *pin; /* a version, NULL: none */
};

/* A release that this device should have next. */
struct want {
    char digest[65]; /* "" none */
    char version[RELEASE_VERSION_MAX];
    enum permit_kind kind;
};

/* Why nothing new is applied: "state-lost", "boot-failed", "boot-unrecorded", "held", "paused", a
 * word of trouble.h, "unsoaked" or "". Valid as long as f. */
const char *decide_hold(const struct decide_facts *f);

/* The release that the plan means for this device: the candidate of its cohort where its draw is
 * within the staging share, else the baseline where it has no content or older content. Never what
 * runs already, is quarantined, revoked or no longer listed by content metadata; with a pin only
 * the pinned version. *ret_why: "" or why there is none though the plan has one: "revoked",
 * "quarantined", "unlisted", "pinned". */
struct want decide_want(const struct decide_facts *f, const char **ret_why);

/* The same before the device's own objections: whom the plan means. Needs f->plan. */
struct want decide_planned(const struct decide_facts *f);

/* True if any release ever passed its soak here. */
bool decide_had_content(const struct state_channel *c);

/* The lowest sequence that a server may send this device to, by the newest manifest that it has
 * lived by: of the releases that were healthy here, and the one that runs, the lowest_sequence of
 * the one with the highest sequence; and by every verified one that it has ever seen. Going down by
 * steps gains nothing. 0: none. */
int64_t decide_floor(const struct state_channel *c);

/* True if a permit of this kind is one for `w`: `rollout` for a candidate, `baseline` for the
 * plan's baseline where there is no content at all. Needs f->plan. */
bool decide_kind_fits(const struct decide_facts *f, const struct want *w, enum permit_kind kind);

/* What forbids the wanted release once its manifest is known: "wrong-manifest", "critical",
 * "min-agent", "sequence" (below decide_floor), "older"; "" nothing. */
const char *decide_refusal(const struct decide_facts *f, const struct want *w,
                           const char *agent_version);

/* Seconds until the manifest's pace reaches this device; 0: reached, or exempt (a canary by its
 * owner's word, a device that never ran content healthily). Needs f->manifest. */
int64_t decide_pace_wait_s(const struct decide_facts *f);

/* True if `digest`, which runs or is being switched to, is to be left because the plan recalls it.
 * Where content has ever worked here and there is nothing to go back to, what runs stays: or who
 * stole the server could take all protection away by recalling everything (DESIGN section 1,
 * invariant 11). */
bool decide_recalled(const struct decide_facts *f, const char *digest);

/* True if `digest` is to be left because its signers revoked it. Only what has worked here itself
 * stays, where there is nothing to go back to. */
bool decide_revoked(const struct decide_facts *f, const char *digest);

/* Who sends a channel back. */
enum decide_by {
    DECIDE_BY_SERVER,  /* a recall */
    DECIDE_BY_DEVICE,  /* its owner, or what failed here */
    DECIDE_BY_SIGNERS, /* a revocation */
};

/* Where a channel goes back to from `digest`: the release that it ran healthily last and that is
 * neither quarantined, revoked nor recalled (f->plan may be NULL), nor below decide_floor or the
 * lowest sequence of the one it leaves. Where there is none: the device's own word and the signers'
 * look below that, too; and where `digest` has not worked here, or its signers want it gone, a
 * recalled one is taken. "": nothing. */
const char *decide_back(const struct decide_facts *f, const char *digest, enum decide_by by);

/* Dotted versions compared number by number: <0, 0, >0. */
int decide_version_compare(const char *a, const char *b);

#endif
