/* A small fleet for tests of rollouts: three quarters on one platform, the rest on another. */
#ifndef FIREBREAK_TEST_TWO_PLATFORMS_H
#define FIREBREAK_TEST_TWO_PLATFORMS_H

#include <string.h>

#include "cmocka_all.h"
#include "rollout.h"

static inline void topology_of(int n, struct topology *t)
{
    memset(t, 0, sizeof(*t));
    t->n_os = t->n_cohorts = n < 2 ? 1 : 2;
    strcpy(t->os[0], "windows");
    strcpy(t->os[1], "linux");
    strcpy(t->cohorts[0].name, "windows-10.0.22631");
    strcpy(t->cohorts[1].name, "debian-12");
    t->cohorts[1].os = 1;
    t->cohorts[1].size = n / 4;
    t->cohorts[0].size = n - n / 4;
    if (n < 4)
        t->n_os = t->n_cohorts = 1;
}

static inline void build(struct rollout *r, const struct policy *p, int fleet, int canaries)
{
    struct topology t;
    char why[160];

    topology_of(fleet, &t);
    assert_int_equal(rollout_init(r, p, &t, canaries, why, sizeof(why)), 0);
}

#endif
