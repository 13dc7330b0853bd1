/*
 * checkin: the one request between endpoint and server (DESIGN section 4): request and answer, one
 * codec each. Enrolment's request and answer are here too.
 */
#ifndef FIREBREAK_CHECKIN_H
#define FIREBREAK_CHECKIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "draw.h"
#include "figure.h"
#include "permit.h"
#include "plan.h"

#define CHECKIN_MAX          65536 /* bytes of a request */
#define CHECKIN_ANSWER_MAX   65536
#define CHECKIN_MAX_CHANNELS 8
#define CHECKIN_MAX_EVENTS   32
#define EVENT_DETAIL_MAX     2048 /* captured output, cut */
#define EVENT_ID_LEN         32   /* hexadecimal digits, random; the server counts each once */

/* X(NAME, text, what it says) ; to add an event: one row here, one line in FORMATS.md, one test. */
#define EVENT_TABLE(X)                                                                             \
    X(PREFLIGHT_FAILED, "preflight_failed",                                                        \
      "the checker refused the candidate; old content stays")                                      \
    X(APPLIED, "applied", "the switch is done")                                                    \
    X(HEALTHY, "healthy", "the soak is over; this is now good-run")                                \
    X(CRASH, "crash", "something died: cause kernel, consumer or unclean-boot")                    \
    X(ROLLED_BACK, "rolled_back", "went back to older content; blamed says whether by evidence")   \
    X(REFUSED, "refused", "trust, pace, permit or owner's policy said no")                         \
    X(GOODBYE, "goodbye", "cause reboot, shutdown or suspend")                                     \
    X(RECALLED, "recalled", "left a recalled release by itself")

enum event_kind {
#define X(name, text, sentence) EVENT_##name,
    EVENT_TABLE(X)
#undef X
        EVENT_N_KINDS
};
const char *event_name(enum event_kind k);
int event_from(const char *text, enum event_kind *ret);

struct event {
    char id[EVENT_ID_LEN + 1];
    enum event_kind kind;
    char channel[CHANNEL_NAME_MAX]; /* "" for goodbye */
    char digest[65];                /* the release it speaks of (running then); "" none */
    char cause[48];  /* one word or slug: "signal-11", "exit-1", "deadline", "recall" */
    bool blamed;     /* evidence blames the content */
    int64_t awake_s; /* age of the event is told by the device's own awake clock */
    char *detail;    /* captured output, may be NULL; owned */
};

struct platform {
    char os[24];         /* family: "linux", "windows", "macos" */
    char os_version[40]; /* "debian-12" */
    char arch[16];
    char label[24]; /* optional customer label; "" none */
};

/* Cohort name "<os>-<os_version>[-<arch> unless x86_64][/<label>]". */
void platform_cohort(const struct platform *p, char ret[COHORT_NAME_MAX]);

/* X(NAME, text) */
#define RING_PREFERENCES(X) X(DEFAULT, "default") X(CANARY, "canary") X(LATE, "late")
enum ring_preference {
#define X(name, text) RING_PREF_##name,
    RING_PREFERENCES(X)
#undef X
};

struct checkin_channel {
    char channel[CHANNEL_NAME_MAX];
    char running[65];        /* digest; "" none */
    int64_t running_since_s; /* awake seconds on it */
    int64_t boots, crashes;  /* on it */
    char hold[64]; /* why nothing new is applied: "paused", "pinned", "boot-failed"; "" none */
    enum ring_preference ring;
    int64_t snapshot_version; /* of the metadata that it verified; 0 none */
    bool has_ready;
    char ready[65]; /* digest staged and verified */
    char nonce[NONCE_LEN + 1];
    int64_t pace_wait_s;    /* until the manifest's pace reaches this device; 0 reached */
    struct figures figures; /* of the consumer; none: it says nothing */
};

struct checkin {
    char device[DEVICE_ID_LEN + 1];
    char epoch[17]; /* 16 hexadecimal digits, random at each agent start */
    int64_t number; /* counts from 1 */
    char agent[32]; /* version */
    struct platform platform;
    char boot_id[BOOT_ID_MAX];
    char machine[65];    /* SHA-256 of the machine id, salted by device id */
    int64_t awake_s;     /* since boot */
    int64_t preflight_s; /* longest preflight deadline, for the permit's life */
    struct checkin_channel channels[CHECKIN_MAX_CHANNELS];
    size_t n_channels;
    struct event events[CHECKIN_MAX_EVENTS];
    size_t n_events;
};

/* Dump appends to ret. Details of events may not all fit a request: ERR_TOO_LARGE once ret's cap is
 * passed, ret unchanged; send fewer events. ERR_INVALID for a value that parse would refuse. */
int checkin_parse(const char *data, size_t len, struct checkin **ret, struct err *err);
int checkin_dump(const struct checkin *c, struct buf *ret, struct err *err);
void checkin_free(struct checkin *c);
DEFINE_CLEANUP(struct checkin *, checkin_free)

/* One event as JSON object and back (the agent's spool uses the same form). NULL: no memory, or a
 * field that event_from_json would refuse. detail is cleaned on either way, and cut to
 * EVENT_DETAIL_MAX here. */
json_t *event_to_json(const struct event *e);
int event_from_json(const json_t *o, struct event *ret, struct err *err);
void event_release(struct event *e);

/* What a channel is told. Exactly one of permit and wait. */
struct answer_channel {
    char channel[CHANNEL_NAME_MAX];
    json_t *permit;   /* owned; NULL: wait */
    char wait[32];    /* slug: "nothing", "not-admitted", "paused", "halted", "budget", "pace",
                         "old-metadata", "unknown-metadata", "no-evidence" */
    int64_t retry_ms; /* ask again no earlier */
};

struct checkin_answer {
    int64_t server_time;      /* Unix seconds */
    int64_t next_ms;          /* when to check in next */
    int64_t snapshot_version; /* current; refresh where it is above the device's */
    struct answer_channel channels[CHECKIN_MAX_CHANNELS];
    size_t n_channels;
};

int checkin_answer_parse(const char *data, size_t len, struct checkin_answer **ret,
                         struct err *err);
int checkin_answer_dump(const struct checkin_answer *a, struct buf *ret, struct err *err);
void checkin_answer_free(struct checkin_answer *a);
DEFINE_CLEANUP(struct checkin_answer *, checkin_answer_free)

/* POST /api/v1/enrol with the enrolment token as bearer. `attempt` is random, made and kept by the
 * agent before asking: the same attempt gets the same identity again (a lost answer costs no use).
 */
struct enrol_request {
    char attempt[33]; /* 32 hexadecimal digits */
    struct platform platform;
    char machine[65]; /* SHA-256 of the machine id */
};
int enrol_request_parse(const char *data, size_t len, struct enrol_request *ret, struct err *err);
int enrol_request_dump(const struct enrol_request *r, struct buf *ret, struct err *err);

/* The answer, and the form of identity.json (0600). */
struct identity {
    char device[DEVICE_ID_LEN + 1];
    int64_t generation;
    uint8_t key[SHA256_LEN];
    uint8_t draw_key[SHA256_LEN];
    char group[64];
    char repository[65]; /* names the repository: SHA-256 of its root version 1 */
};
int identity_parse(const char *data, size_t len, struct identity *ret, struct err *err);
int identity_dump(const struct identity *i, struct buf *ret, struct err *err);

#endif
