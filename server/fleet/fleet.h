/*
 * fleet: every enrolled device in memory: who it is, how its check-ins are numbered, what it last
 * said of each channel. Rows come in through fleet_load.c. No I/O besides; everything here is under
 * the site lock.
 *
 * What a device is in the rollout of a channel (its arm) is not here but in arms.h: an array per
 * rollout, indexed by device.index, and its sums in tally.h.
 */
#ifndef FIREBREAK_SERVER_FLEET_H
#define FIREBREAK_SERVER_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "checkin.h"
#include "server.h"
#include "store/store.h"

#define FLEET_PAST_EPOCHS  4  /* agent starts remembered; coming back to one of them is a fork */
#define FLEET_EVENT_MEMORY 64 /* event ids remembered per device; an agent's spool is shorter */

/* What a device last said of one channel. */
struct device_channel {
    char channel[CHANNEL_NAME_MAX];
    char running[65], ready[65]; /* digests; "" none */
    char hold[64];
    int64_t ready_tick, last_tick; /* of the channel's rollout; -1 */
    bool canary;                   /* by its owner's configuration */
    uint16_t marks, figures;       /* of its arm, as of the last check-in; see arms.h */
    int32_t marks_from, crash_tick, reboot_tick, figures_tick;
    int16_t ground; /* the row that counts it; see rollouts/ground.h; -1 none */
};

struct device {
    uint32_t index; /* dense, for as long as the process runs */
    char id[DEVICE_ID_LEN + 1];
    char attempt[65]; /* SHA-256 of attempt and token: proves both when an answer is asked again */
    char token_id[17];
    char machine[80]; /* "enrol:<hash>" until the first check-in pins its own hash */
    char group[GROUP_NAME_MAX];
    int group_index; /* below fleet_groups() */
    struct platform platform;
    char cohort[COHORT_NAME_MAX];
    uint8_t draw_key[SHA256_LEN];
    int64_t generation, enrolled_ms;
    bool no_evidence;

    /* numbering */
    char epoch[17]; /* "" before the first check-in */
    int64_t number;
    char body_sha256[65];
    char *answer; /* the JSON sent for it; owned */
    char past_epochs[FLEET_PAST_EPOCHS][17];
    int next_past;

    int64_t seen_boot_ms;      /* of the server's clock; -1 not since the start */
    int64_t seen_wall_ms;      /* of its last check-in; -1 none */
    int64_t awake_s;           /* as it last said */
    int64_t consumer_crash_ms; /* wall clock of the last one reported; -1 */
    int64_t crash_ms;          /* the same of any crash, unclean boots included */
    bool away;                 /* said goodbye (shutdown or suspend) and was not heard since */
    uint64_t events[FLEET_EVENT_MEMORY]; /* first halves of ids, 0 free */
    int next_event;

    struct device_channel *channels; /* owned */
    int n_channels;
};

int fleet_open(struct server *s, struct fleet **ret, struct err *err); /* loads from the store */
void fleet_free(struct fleet *f);
/* Read all again (after a failed commit). Device pointers from before are void. */
int fleet_reload(struct server *s, struct err *err);

struct device *fleet_find(const struct fleet *f, const char *device_id);
struct device *fleet_find_attempt(const struct fleet *f, const char *attempt);
int64_t fleet_size(const struct fleet *f);
struct device *fleet_at(const struct fleet *f, int64_t index); /* 0 .. fleet_size - 1 */
/* Enrolment groups with at least one device. */
int fleet_groups(const struct fleet *f);
/* A goodbye of this cause is a leave of absence; a reboot is expected back. */
bool goodbye_is_away(const char *cause);
bool device_in_canary_group(const struct device *d, const char *channel);

/* Add a device: id, attempt, token, machine, group, platform, generation, enrolled_ms are copied
 * from `row`. ERR_NOMEM, ERR_EXISTS. */
int fleet_add(struct fleet *f, const uint8_t master[SHA256_LEN], const struct row_device *row,
              struct device **ret, struct err *err);

/* The row as it should be stored now; strings are d's. */
struct row_device device_row(const struct device *d);

/* What it says of a channel; made where it is new (at most CHECKIN_MAX_CHANNELS), NULL: full. */
struct device_channel *device_channel(struct device *d, const char *channel);
const struct device_channel *device_channel_find(const struct device *d, const char *channel);

/* True the first time an event id is seen, and remembers it. */
bool device_event_is_new(struct device *d, const char *event_id);

/* Numbering of check-ins (DESIGN section 4). */
enum numbering { NUMBERING_NEXT, NUMBERING_REPEAT, NUMBERING_FORKED };
/* Forked: the same number with another body (*ret_proof: two bodies signed under one number), a
 * lower number, or an epoch that was left. Changes nothing. */
enum numbering device_numbering(const struct device *d, const char *epoch, int64_t number,
                                const char *body_sha256, bool *ret_proof);
/* Move on to it; the answer is copied. ERR_NOMEM. */
int device_number(struct device *d, const char *epoch, int64_t number, const char *body_sha256,
                  const char *answer, struct err *err);

#endif
