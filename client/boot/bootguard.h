/*
 * bootguard: the decisions of the boot guard (DESIGN section 5), apart from any I/O: how the last
 * boot ended, what follows, and what to go back to.
 *
 *   complete                      good
 *   orderly stop before complete  neutral, but three in a row count as one failure
 *   neither                       failed: counted
 *   rescue, kdump                 neutral, not recorded at all (a resume keeps its boot id)
 *
 * Failed boots at or above the limit, with content that differs from what last booted well, revert
 * the newest such change. With nothing changed a failed boot only holds updates, so that pulling
 * the plug disarms nobody.
 */
#ifndef FIREBREAK_CLIENT_BOOTGUARD_H
#define FIREBREAK_CLIENT_BOOTGUARD_H

#include "state/state.h"

#define BOOTGUARD_NEUTRAL_MAX 3

/* X(NAME, text) */
#define BOOT_VERDICTS(X)                                                                           \
    X(FIRST, "first")     /* none was seen before */                                               \
    X(SAME, "same")       /* this boot was judged already */                                       \
    X(SPECIAL, "special") /* rescue or kdump: neither judged nor recorded */                       \
    X(GOOD, "good")                                                                                \
    X(NEUTRAL, "neutral")                                                                          \
    X(FAILED, "failed")

enum boot_verdict {
#define X(name, text) BOOT_##name,
    BOOT_VERDICTS(X)
#undef X
};
const char *boot_verdict_name(enum boot_verdict v);

/* Judge the last boot and begin to record the one called boot_id. */
enum boot_verdict bootguard_begin(struct state_boot *b, const char *boot_id, bool special);

/* This boot is whole: counters and hold end. good-boot moves where content did not change since
 * the boot began; which is for the caller to copy first. */
void bootguard_complete(struct state_boot *b);
bool bootguard_moves(const struct state_channel *c);

/* The machine is going down in order. */
void bootguard_shutdown(struct state_boot *b);

/* The channel whose newest change is to be reverted now; NULL: none. `limit`: failed boots that
 * are borne, for releases that do not say early_boot. */
struct state_channel *bootguard_revert(struct state *s, int64_t limit);

/* What a channel goes back to after failed boots: good-boot, else good-run, else nothing (""):
 * never what is quarantined or revoked, nor what it is to leave, nor what turned out to be
 * `damaged` ("": none yet). */
const char *bootguard_target(const struct state_channel *c, const char *damaged);

/* auto|on|off of the configuration, on a machine whose files begin at `root` ("" usually). Returns
 * whether there is a guard; *ret_why says so for people. */
bool bootguard_is_on(const char *setting, const char *root, const char **ret_why);

#endif
