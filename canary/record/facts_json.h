/*
 * facts_json: facts, decisions and topologies as the store and records keep them. A tick's facts
 * are all that a replay needs: numbers that are 0 and cohorts without any are left out.
 *
 *   topology  {"os": [names], "cohorts": [{"name", "os", "size"}], "canary"}
 *   facts     {"now_ms", "tick", "cohorts": {name: {...}}, "batches": [{...}], "late": [cohorts],
 *              "silent_controls", "tick_controls", "silent_groups", "groups", "pace_ppm", "person",
 *              "hears", "early_boot"}
 *   decision  {"verdict", "stands", "ring", "reasons": [...], "admit": {...}, "admit_fleet",
 *              "admit_canary", "tick_ms"}
 *
 * Beside canary/, not in it: it allocates. Writers return NULL only where there is no memory.
 */
#ifndef FIREBREAK_FACTS_JSON_H
#define FIREBREAK_FACTS_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "rollout.h"

#define FACTS_MAX_BATCHES (GATE_METRICS * GATE_MAX_COHORTS * N_STRATA)

struct facts {
    struct rollout_facts f;
    struct batch batches[FACTS_MAX_BATCHES];
};

/* Of a rollout by policy p. first_late: cohorts from this row on were first seen during it. */
json_t *facts_to_json(const struct rollout_facts *f, const struct policy *p,
                      const struct topology *t, int first_late);
/* Adds cohorts first seen in that tick to the rollout, as they were. */
int facts_from_json(const json_t *o, struct rollout *r, struct facts *ret, struct err *err);

/* NULL, or in what the numbers contradict themselves or cannot be ("cohort 'a': 'healthy' is -1"),
 * in ret_why. The gate refuses the same, without a word. */
const char *facts_find_fault(const struct rollout_facts *f, const struct topology *t, char *ret_why,
                             size_t size);

json_t *topology_to_json(const struct topology *t, int64_t canary);
int topology_from_json(const json_t *o, struct topology *ret, int64_t *ret_canary, struct err *err);

json_t *decision_to_json(const struct policy *p, const struct topology *t,
                         const struct rollout_decision *d);
json_t *reasons_to_json(const struct policy *p, const struct topology *t,
                        const struct rollout_decision *d);

#endif
