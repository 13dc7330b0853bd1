/*
 * endpoint: one lightweight agent: identity, numbered check-ins, what it runs, what it waits for.
 * No I/O and no clock: bodies out, answers in, `now_ms` (boot clock) passed by the caller. It keeps
 * the real agent's rules: its draw and its pace, a nonce per question, permits checked against the
 * verified plan, one unsoaked change at a time, quarantine, recalls. It stages no files.
 *
 *   ENROL -> ACTIVE -> (permit, per script) -> ACTIVE | GONE for ever | GONE, back later
 *                   -> (ordinary life) -> AWAY, back later
 */
#ifndef FIREBREAK_FLEET_ENDPOINT_H
#define FIREBREAK_FLEET_ENDPOINT_H

#include "catalog.h"
#include "checkin.h"
#include "script.h"

#define ENDPOINT_MAX_EVENTS 8
#define ENDPOINT_NEVER      INT64_MAX

enum endpoint_phase { ENDPOINT_ENROL, ENDPOINT_ACTIVE, ENDPOINT_AWAY, ENDPOINT_GONE };

/* Why it goes away, or is. Shutdown and reboot are announced. */
enum endpoint_leave { LEAVE_NOT, LEAVE_SHUTDOWN, LEAVE_REBOOT, LEAVE_CRASH };

/* An event not yet acknowledged. */
struct endpoint_event {
    char id[EVENT_ID_LEN + 1];
    enum event_kind kind;
    int release; /* index in the catalog; -1 none */
    char cause[24];
    bool blamed;
    int64_t awake_s;
};

/* An exposure as the endpoint saw it acknowledged: for the log of grants. */
struct endpoint_grant {
    bool granted;
    int release;
    char nonce[NONCE_LEN + 1];
};

struct endpoint {
    const struct script_group *group;
    uint32_t index;
    enum endpoint_phase phase;
    bool misbehaves; /* as its group's script says */
    bool recovers;   /* comes back after a crash */
    char device[DEVICE_ID_LEN + 1];
    int64_t generation;
    uint8_t key[SHA256_LEN], draw_key[SHA256_LEN];
    char attempt[33];

    /* this start */
    char epoch[17], boot_id[33];
    int64_t number, booted_ms;

    /* content; indices in the catalog, -1 none */
    int running, before; /* before: what it ran healthily before `running` */
    int64_t running_since_ms;
    int boots;                     /* on what runs */
    uint64_t healthy, quarantined; /* sets of indices */
    int64_t soak_until_ms;         /* 0: nothing unsoaked */
    int applying;                  /* slow: has the permit, has not switched */
    int64_t apply_at_ms;
    int staging; /* the release that it began to download last, -1 none */
    int64_t staged_at_ms;

    /* ordinary life */
    int64_t lived_ms; /* up to here; 0: it has not begun */
    enum endpoint_leave leave;
    int64_t away_ms; /* for so long */

    /* the question in flight */
    int asked; /* release, -1 */
    char nonce[NONCE_LEN + 1];
    int64_t asked_ms, asked_snapshot;

    struct endpoint_event events[ENDPOINT_MAX_EVENTS];
    int n_events, n_sent;

    bool speaks;  /* the request in flight tells of its channel */
    bool spoke;   /* and one such was answered, ever */
    bool settled; /* has run something healthily, and that was heard */
    char *body;   /* of the request in flight or to be sent again; owned */
    size_t body_len;
    int failures;   /* in a row */
    int64_t due_ms; /* next request; ENDPOINT_NEVER */
};

/* What all endpoints share. */
struct endpoint_world {
    const struct script *script;
    struct catalog *catalog;
    const struct view *view; /* NULL: no metadata verified yet */
    int64_t boot_ms;         /* now */
    bool lives;              /* ordinary life has begun */
};

void endpoint_init(struct endpoint *e, const struct script *s, const struct script_group *g,
                   uint32_t index, int64_t due_ms);
void endpoint_release(struct endpoint *e);

/* Make the request that is due in e->body (enrolment or check-in); the same body again where the
 * last one got no answer. */
int endpoint_request(struct endpoint *e, const struct endpoint_world *w, struct err *err);

/* A 2xx answer. ERR_* where it cannot be used: counted by the caller, tried again later. grant says
 * whether a permit came and held; *ret_snapshot: the newest version that the server spoke of. */
int endpoint_answered(struct endpoint *e, const struct endpoint_world *w, const char *data,
                      size_t len, struct endpoint_grant *grant, int64_t *ret_snapshot,
                      struct err *err);

/* No answer, or a refusal (code, positive): backoff, or enrolment again where the server wants
 * that. retry_after_s < 0: not told. */
void endpoint_failed(struct endpoint *e, const struct endpoint_world *w, enum err_code code,
                     int64_t retry_after_s);

#endif
