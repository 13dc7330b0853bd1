/*
 * state: what the agent must not forget, as structs, and the transactions on it. Kept in the two
 * slots (slots.h). The resident supervisor, its workers, `boot` and the owner's commands all change
 * it, each in a short transaction under the update lock: read, change, write. Nobody holds a copy
 * that he writes back later.
 *
 * Lost or corrupt where it must exist: `lost` is set, nothing may be applied, and the only
 * transaction that succeeds is the one that makes it anew (state_renew).
 */
#ifndef FIREBREAK_CLIENT_STATE_H
#define FIREBREAK_CLIENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "checkin.h"
#include "revoked.h"
#include "state/slots.h"

#define STATE_MAX_RELEASES   16
#define STATE_MAX_QUARANTINE 64
#define STATE_MAX_REVOKED    REVOKED_MAX
#define STATE_CAUSE_MAX      48  /* as in struct event */
#define STATE_HOLD_MAX       64  /* as in struct checkin_channel */
#define STATE_ROLE_MAX       48  /* "content-<channel>" at most */
#define STATE_WORDS_MAX      256 /* a sentence for people */
#define STATE_REASON_MAX     129 /* of a revocation, cut */

/* What this device knows of a release from its own experience. */
struct state_release {
    char digest[65];
    char version[RELEASE_VERSION_MAX];
    int64_t sequence, lowest_sequence;
    bool early_boot;
    int64_t seen_s;    /* awake total when verified metadata first showed it */
    int64_t since_s;   /* awake total when it was last switched to */
    int64_t healthy_s; /* awake total when it last passed its soak; 0 never */
    int64_t boots, crashes;
    int64_t unblamed; /* attempts in a row that ended without a verdict on the content */
};

struct state_quarantine {
    char digest[65];
    char cause[STATE_CAUSE_MAX];
    bool blamed; /* evidence blames the content: only a person on this device lifts it */
    bool told;   /* a refusal has been reported */
};

/* Taken back by those who sign the channel's content. Nobody lifts it: not the server, not the
 * plan, not the owner of the device. */
struct state_revoked {
    char digest[65];
    char reason[STATE_REASON_MAX];
    bool told; /* that it runs here with nothing to go back to has been reported */
};

/* Why the last refresh brought nothing new, where that is no matter of the network alone. */
struct state_trouble {
    char hold[STATE_HOLD_MAX]; /* a word: "clock-before-build", "expired-timestamp"; "" none */
    char words[STATE_WORDS_MAX];
};

/* X(NAME, text): how far an apply has come. Written before the step of its name begins. */
#define APPLY_PHASES(X)                                                                            \
    X(NONE, "none")                                                                                \
    X(SWITCH, "switch")                                                                            \
    X(ACTIVATE, "activate")                                                                        \
    X(HEALTH, "health")                                                                            \
    X(SOAK, "soak")                                                                                \
    X(BACK, "back") /* the way back has begun; `from` is where it leads */

enum apply_phase {
#define X(name, text) PHASE_##name,
    APPLY_PHASES(X)
#undef X
};
const char *apply_phase_name(enum apply_phase p);

struct state_channel {
    char name[CHANNEL_NAME_MAX];
    char current[65], good_run[65], good_boot[65]; /* digests; "" none */
    char at_boot[65];                              /* what `boot begin` found as current */
    struct state_attempt { /* on disk before the content is seen by any checker */
        char digest[65];   /* "" none */
        char boot_id[BOOT_ID_MAX];
    } attempt;
    struct state_pending { /* a change that has not passed its soak */
        char digest[65];   /* "" none */
        char from[65];     /* "" there was no content */
        char boot_id[BOOT_ID_MAX];
        enum apply_phase phase;
        char cause[STATE_CAUSE_MAX]; /* of the way back */
        bool blamed;
    } pending;
    struct state_leave {             /* current is to be left as soon as may be */
        char digest[65];             /* "" none */
        char cause[STATE_CAUSE_MAX]; /* "recall", "revoked" or "owner" */
    } leave;
    struct state_release releases[STATE_MAX_RELEASES];
    size_t n_releases;
    struct state_quarantine quarantine[STATE_MAX_QUARANTINE];
    size_t n_quarantine;
    /* The highest that any verified manifest of the channel has named: below it the server sends
     * nobody. It never falls. */
    int64_t lowest_sequence;
    int64_t revoked_version; /* highest of the content metadata whose revocations are here */
    struct state_revoked revoked[STATE_MAX_REVOKED];
    size_t n_revoked;
    /* What the plan means here, as candidate and as baseline, and content metadata does not list
     * (any more); "" none. */
    char unlisted[2][65];
    struct state_trouble trouble;
};

struct state_boot {
    char id[BOOT_ID_MAX]; /* the boot that `boot begin` last saw; "" never */
    bool complete, orderly;
    bool failed_last;      /* the boot before this one failed: hold until one completes */
    int64_t failed_boots;  /* in a row */
    int64_t neutral_boots; /* in a row */
};

struct state {
    bool lost;    /* not stored: the slots were gone or unreadable where they must exist */
    bool damaged; /* not stored: one slot is not valid, the other one was used */
    struct slots slots;
    bool hold; /* by the owner */
    struct state_boot boot;
    /* Time awake, summed over boots: bank_s as of bank_awake_s awake in boot bank_boot. */
    int64_t bank_s, bank_awake_s;
    char bank_boot[BOOT_ID_MAX];
    char dead_identity[32];            /* slug: the server refuses this identity; "" alive */
    int64_t snapshot_version;          /* of the metadata verified last; 0 none */
    int64_t expires_s;                 /* its earliest expiry, Unix seconds */
    char expires_role[STATE_ROLE_MAX]; /* whose that is; "" none */
    struct state_trouble trouble;      /* of all channels */
    /* What the server's clock says more than ours, as it told last, in seconds: for words only. */
    int64_t server_ahead_s;
    struct state_channel channels[CHECKIN_MAX_CHANNELS];
    size_t n_channels;
};

/* Where the state is and what time it is; borrowed by all that follows. */
struct state_place {
    const char *dir; /* the state directory */
    const struct clock *clock;
    const char *boot_id;
};

/* Read. Never fails for lack of state: then `lost` is set (or, in an uninhabited directory, the
 * state is empty). *ret is malloc'd (free). */
int state_load(const struct state_place *at, struct state **ret, struct err *err);

/* One transaction: change(s, ctx) edits; 0 writes it, anything else leaves all as it was and is
 * returned. ERR_HELD where the state is lost. Awake time is banked with every write. */
typedef int (*state_change_fn)(struct state *s, void *ctx, struct err *err);
int state_update(const struct state_place *at, state_change_fn change, void *ctx, struct err *err);

/* The same, and where the state is lost it begins anew, empty. For enrolment and the owner. */
int state_renew(const struct state_place *at, state_change_fn change, void *ctx, struct err *err);

/* The update lock, for the spool: an fd to close, or negative err. */
int state_lock(const char *dir, struct err *err);

/* Seconds awake, summed over boots, as far as they are known. */
int64_t state_awake_s(const struct state *s, const struct state_place *at);

/* Parts; NULL where there is none. */
struct state_channel *state_channel(struct state *s, const char *name);
struct state_release *state_release(struct state_channel *c, const char *digest);
const struct state_quarantine *state_quarantined(const struct state_channel *c, const char *digest);

/* The channel, made where missing. ERR_TOO_LARGE. */
int state_add_channel(struct state *s, const char *name, struct state_channel **ret,
                      struct err *err);
/* The release, made where missing; the least useful one makes room. */
struct state_release *state_add_release(struct state_channel *c, const char *digest);
/* Never forgets a blamed one in favour of one that is not; true where it is new. */
bool state_add_quarantine(struct state_channel *c, const char *digest, const char *cause,
                          bool blamed);
void state_lift(struct state_channel *c, const char *digest);
/* NULL: not revoked. */
const struct state_revoked *state_revoked(const struct state_channel *c, const char *digest);
/* The highest lowest_sequence of verified manifests: it never falls. */
void state_raise_lowest(struct state_channel *c, int64_t sequence);
/* Quarantined or revoked: never applied, never gone back to. */
bool state_put_away(const struct state_channel *c, const char *digest);
/* Add what content metadata of this version revokes. Where there is no room the oldest ones that a
 * newer version does not name make it; an older one (which anybody may show again) displaces
 * nothing. True where something is new. */
bool state_revoke(struct state_channel *c, int64_t version, const struct revoked *revoked);
/* A channel with a change that has not passed its soak, or an attempt; NULL: none. */
const struct state_channel *state_unsoaked(const struct state *s);

/* The codec, for tests and `status`. */
int state_parse(const char *data, size_t len, struct state *ret, struct err *err);
int state_dump(const struct state *s, struct buf *ret, struct err *err);

#endif
