/*
 * others: what rollouts without a gate make of the same fleet, to compare with. Each is the usual
 * form of its kind with one set of figures (docs/simulator.md says them); none compares with
 * controls, none grows by acknowledgements.
 *
 * Over all of them a person watches, as in July 2024: 78 minutes after the first crash, and where
 * 0.1 % of the fleet crashed within two hours, it is seen, stopped and recalled. What is rarer
 * than that nobody sees within the 24 hours that are looked at.
 *
 * A halt here stops every platform build. Check-ins a second are not modelled: 0.
 */
#ifndef FIREBREAK_SIM_OTHERS_H
#define FIREBREAK_SIM_OTHERS_H

#include "run.h"

enum other_kind {
    OTHER_PUSH,   /* everybody at once */
    OTHER_GROUPS, /* fixed groups by reported success and reported errors */
    OTHER_WAVES,  /* fixed waves with bake, silence and crash reports against thresholds */
    N_OTHERS
};

/* "@push", "@groups", "@waves": no policy's name starts with '@', and a path has a '/' or '.'. */
const char *other_name(enum other_kind k);
/* "one push to all" */
const char *other_title(enum other_kind k);
/* The kind of that name, or -1. */
int other_find(const char *name);

/* Told after each tick; for reports. */
struct other_watch {
    void (*tick)(void *ctx, int64_t now_ms, const struct fleet_totals *t);
    void *ctx;
};

/* One seed, until it is recalled, complete with good content, or 24 h (the scenario's limit, if
 * that is less) are over. Of the policy only the ticks' lengths count. `watch` may be NULL.
 * outcome: halt_min is when it stopped, by its own rule or a person's hand; ask_min never. */
int other_run(const struct scenario *s, const struct policy *p, uint64_t seed, enum other_kind kind,
              const struct other_watch *watch, struct outcome *ret, struct err *err);
/* The same as a table_play; ctx: enum other_kind. */
int other_play(const struct scenario *s, const struct policy *p, uint64_t seed, const void *ctx,
               struct outcome *ret, struct err *err);

#endif
