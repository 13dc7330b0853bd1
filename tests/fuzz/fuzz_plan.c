/* fuzz_plan: what is let in is dumped and read back as it was, and stopping always wins. */
#include "fuzz.h"

#include <string.h>

#include "plan.h"

static void check_share(int64_t ppm)
{
    FUZZ_CHECK(ppm >= 0 && ppm <= PPM);
}

/* Nobody is led to what is recalled, halted or superseded. */
static void check_cohort(const struct plan *p, const char *cohort)
{
    const struct plan_rollout *best = plan_candidate(p, cohort);

    FUZZ_CHECK(!best || plan_find(p, best->digest) == best);
    FUZZ_CHECK(!best || !plan_recalls(p, best->digest, cohort));
    for (size_t i = 0; i < p->n_rollouts; i++) {
        const struct plan_rollout *r = &p->rollouts[i];
        bool stopped = r->state == ROLLOUT_HALTED || r->state == ROLLOUT_SUPERSEDED;

        for (size_t k = 0; k < r->n_cohorts; k++)
            if (!strcmp(r->cohorts[k].name, cohort))
                stopped = stopped || r->cohorts[k].halted;
        check_share(plan_stage_ppm(r, cohort));
        FUZZ_CHECK(!stopped || r != best);
        FUZZ_CHECK(!stopped || plan_stage_ppm(r, cohort) == 0);
    }
}

static void check_cohorts(const struct plan *p)
{
    check_cohort(p, "linux-none");
    for (size_t i = 0; i < p->n_rollouts; i++)
        for (size_t k = 0; k < p->rollouts[i].n_cohorts; k++)
            check_cohort(p, p->rollouts[i].cohorts[k].name);
    for (size_t i = 0; i < p->n_recalled; i++)
        for (size_t k = 0; k < p->recalled[i].n_cohorts; k++) {
            check_cohort(p, p->recalled[i].cohorts[k]);
            FUZZ_CHECK(plan_recalls(p, p->recalled[i].digest, p->recalled[i].cohorts[k]));
        }
}

static void check_round_trip(const struct plan *p, const uint8_t *data, size_t len)
{
    struct plan *again = NULL;
    struct buf first, second;
    struct err err = {0};

    buf_init(&first, FUZZ_TEXT_MAX);
    buf_init(&second, FUZZ_TEXT_MAX);
    FUZZ_CHECK(fuzz_ok(plan_dump(p, &first, &err), &err));
    FUZZ_CHECK(fuzz_ok(plan_parse(first.data, first.len, &again, &err), &err));
    FUZZ_CHECK(plan_dump(again, &second, &err) == 0);
    fuzz_same(first.data, second.data);
    fuzz_adds_nothing(&first, data, len);
    plan_free(again);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    struct plan *p = NULL;

    if (!fuzz_ok(plan_parse((const char *)data, len, &p, &err), &err)) {
        FUZZ_CHECK(!p);
        return 0;
    }
    FUZZ_CHECK(channel_name_check(p->channel, &err) == 0);
    FUZZ_CHECK(p->permit_keys.threshold == 1);
    FUZZ_CHECK(!p->baseline[0] == !p->baseline_version[0]);
    check_cohorts(p);
    check_round_trip(p, data, len);
    plan_free(p);
    return 0;
}
