/*
 * agent: what every verb starts from: the configuration, this machine and this boot, the identity,
 * and the locks that keep two agents apart.
 */
#ifndef FIREBREAK_CLIENT_AGENT_H
#define FIREBREAK_CLIENT_AGENT_H

#include "base/clock.h"
#include "base/cleanup.h"
#include "checkin.h"
#include "config.h"
#include "cycle/decide.h"
#include "state/state.h"
#include "trust/trouble.h"

struct agent {
    struct config config;
    const struct clock *clock;
    int64_t built_s; /* Unix time; before it no clock is right */
    char boot_id[BOOT_ID_MAX];
    struct state_place place; /* of state_*; borrows from here */
    struct platform platform;
    char cohort[COHORT_NAME_MAX];
    bool guard;            /* is there a boot guard? */
    const char *guard_why; /* for people */
    bool enrolled;
    struct identity identity; /* where enrolled */
};

/* Read all of it. Not being enrolled is no failure. */
int agent_open(const char *config_file, struct agent **ret, struct err *err);
void agent_free(struct agent *a);
DEFINE_CLEANUP(struct agent *, agent_free)

/* The identity again, as it is on disk now. */
int agent_read_identity(struct agent *a, struct err *err);
/* ERR_NOT_FOUND with the remedy where the device is not enrolled. */
int agent_need_identity(const struct agent *a, struct err *err);

/* SHA-256 of the machine id, after the salt (a device id) and a NUL; without both where salt is "".
 */
int agent_machine(const struct agent *a, const char *salt, char ret[65], struct err *err);

/* Hold a lock of layout.h: an fd to close. ERR_CONFLICT where another process holds it. */
int agent_lock(const struct agent *a, const char *name, struct err *err);

/* The verified plan of a channel as kept on disk. ERR_NOT_FOUND: none yet. */
int agent_plan(const struct agent *a, const char *channel, struct plan **ret, struct err *err);

/* True where the boot guard has been at work before, but did not record this boot: its counter
 * could not be written. Then nothing is moved until it can. */
bool agent_boot_is_unrecorded(const struct agent *a, const struct state *s);

/* What is known of the time, for words and holds. */
struct trouble_clock agent_clock(const struct agent *a, const struct state *s);

/* Facts for decide.h from a loaded state; plan and manifest are left NULL. */
struct decide_facts agent_facts(const struct agent *a, const struct config_channel *conf,
                                struct state *s, struct state_channel *c);

/* Keep an event of a channel, stamped with the awake clock. detail may be NULL. */
int agent_event(const struct agent *a, enum event_kind kind, const char *channel,
                const char *digest, const char *cause, bool blamed, const char *detail,
                struct err *err);

#endif
