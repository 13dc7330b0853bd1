#include "policy.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define MINUTE_MS 60000
#define ALL_PPM   1000000

static const struct {
    const char *name;
    double weight;
    int lag;
} metrics[N_METRICS] = {
#define X(name, text, weight, lag) {text, weight, lag},
    METRIC_TABLE(X)
#undef X
};

const char *metric_name(enum metric m)
{
    return metrics[m].name;
}

double metric_weight(enum metric m)
{
    return metrics[m].weight;
}

int metric_lag_ticks(enum metric m)
{
    return metrics[m].lag;
}

void policy_standard(struct policy *ret)
{
    static const struct policy standard = {
        .name = "standard",
        .version = 1,
        .fast_tick_ms = 10000,
        .tick_ms = 60000,
        .rings =
            {
                {.kind = RING_CANARY, .bake_ms = 60 * MINUTE_MS},
                {.kind = RING_COUNT, .count = 2000, .share_ppm = 10000, .bake_ms = 60 * MINUTE_MS},
                {.kind = RING_SHARE,
                 .share_ppm = 10000,
                 .bake_ms = 60 * MINUTE_MS,
                 .rho_cr = 3.0,
                 .rho_sl = 1.5},
                {.kind = RING_SHARE,
                 .share_ppm = 100000,
                 .bake_ms = 60 * MINUTE_MS,
                 .rho_cr = 1.5,
                 .rho_sl = 1.25},
                {.kind = RING_SHARE, .share_ppm = 950000, .bake_ms = 60 * MINUTE_MS},
                {.kind = RING_SHARE, .share_ppm = ALL_PPM},
            },
        .n_rings = 6,
        .underpowered = UNDERPOWERED_BAKE,
        .alpha = 1e-3,
        .alpha_warn = 0.05,
        .tau = 5e-4,
        .tau_rb = 2e-4,
        .n_adv = 100,
        .n0 = 4,
        .growth_fast = 1.5,
        .growth = 2.0,
        .max_admissions_s = 2500,
        .stuck_ticks = 6,
        .small_fleet = 5000,
        .direct_window_ms = 60 * MINUTE_MS,
        .slow_window_ms = 15 * MINUTE_MS,
        .fresh_wake_ms = 15 * MINUTE_MS,
        .long_silence_ms = 15 * MINUTE_MS,
        .reboot_window_ms = 15 * MINUTE_MS,
        .stage_wait_ticks = 30,
        .budget_s = 10000,
        .holdout_ms = 24 * 60 * MINUTE_MS,
    };

    *ret = standard;
}

void policy_ring_name(const struct policy_ring *ring, char *ret, unsigned long size)
{
    struct text t = text_in(ret, size);

    switch (ring->kind) {
    case RING_CANARY:
        text_add(&t, "the canary group");
        break;
    case RING_COUNT:
        text_count(&t, ring->count);
        text_add(&t, " devices");
        break;
    case RING_SHARE:
        text_share(&t, ring->share_ppm);
        break;
    }
}

static const char *ring_why(const struct policy *p, int i, char *ret_why, unsigned long size)
{
    const struct policy_ring *r = &p->rings[i];
    struct text t = text_in(ret_why, size);
    char name[48];

    policy_ring_name(r, name, sizeof(name));
    text_add(&t, "ring %d (%s) ", i + 1, name);
    if (r->bake_ms < 0)
        text_add(&t, "bakes for a negative time");
    else if ((r->rho_cr != 0.0 && !(r->rho_cr > 1.0)) || (r->rho_sl != 0.0 && !(r->rho_sl > 1.0)))
        text_add(&t, "asks a margin that is not above 1");
    else if ((r->rho_cr != 0.0 || r->rho_sl != 0.0) && r->bake_ms == 0 && i < p->n_rings - 1)
        text_add(&t, "asks a margin, but no bake in which it could be shown");
    else if (r->kind == RING_CANARY && i > 0)
        text_add(&t, "must come first");
    else if (r->kind != RING_CANARY && (r->share_ppm <= 0 || r->share_ppm > ALL_PPM))
        text_add(&t, "has a share outside 1 to 1,000,000 ppm");
    else if (r->kind == RING_COUNT && r->count <= 0)
        text_add(&t, "has no devices");
    else if (i > 0 && p->rings[i - 1].kind == RING_SHARE &&
             (r->kind != RING_SHARE || r->share_ppm <= p->rings[i - 1].share_ppm))
        text_add(&t, "does not grow over ring %d", i);
    else if (i > 0 && p->rings[i - 1].kind == RING_COUNT &&
             (r->share_ppm < p->rings[i - 1].share_ppm ||
              (r->kind == RING_COUNT && r->count <= p->rings[i - 1].count)))
        text_add(&t, "does not grow over ring %d", i);
    else
        return NULL;
    return ret_why;
}

static const char *rings_why(const struct policy *p, char *ret_why, unsigned long size)
{
    const struct policy_ring *last;

    if (p->n_rings < 1 || p->n_rings > POLICY_MAX_RINGS)
        return "has no ring, or more than 8";
    for (int i = 0; i < p->n_rings; i++) {
        const char *why = ring_why(p, i, ret_why, size);

        if (why)
            return why;
    }
    last = &p->rings[p->n_rings - 1];
    if (last->kind != RING_SHARE || last->share_ppm != ALL_PPM)
        return "the last ring is not 100 %";
    if (last->rho_cr != 0.0 || last->rho_sl != 0.0)
        return "the last ring asks a margin, but there is no ring after it";
    return NULL;
}

const char *policy_check(const struct policy *p, char *ret_why, unsigned long size)
{
    if (p->tick_ms < 100 || p->fast_tick_ms < 100 || p->fast_tick_ms > p->tick_ms)
        return "ticks must be at least 0.1 s, and the fast one not longer than the other";
    if (!(p->alpha > 0.0 && p->alpha <= 0.05 && p->alpha_warn >= p->alpha && p->alpha_warn < 0.5))
        return "alpha must be in (0, 0.05], alpha_warn between alpha and 0.5";
    if (!(p->tau >= 0.0 && p->tau <= 0.05 && p->tau_rb >= 0.0 && p->tau_rb <= 0.05))
        return "tau and tau_rb must be in [0, 0.05]";
    if (p->n_adv < 0 || p->n0 < 1 || p->n0 > 1000)
        return "n_adv must not be negative, n0 in 1 to 1,000";
    if (!(p->growth_fast > 0.0 && p->growth_fast <= 10.0 && p->growth > 0.0 && p->growth <= 10.0))
        return "growth must be in (0, 10]";
    if (p->max_admissions_s < 1 || p->max_admissions_s > 1000000 || p->stuck_ticks < 1 ||
        p->stuck_ticks > 1000)
        return "max_admissions_s must be in 1 to 1,000,000, stuck_ticks in 1 to 1,000";
    if (p->small_fleet < 0 || p->stage_wait_ticks < 0 || p->budget_s < 1)
        return "small_fleet and stage_wait_ticks must not be negative, budget_s positive";
    if (p->direct_window_ms < 0 || p->slow_window_ms < 0 || p->fresh_wake_ms < 0)
        return "a window is negative";
    if (p->long_silence_ms < 1000 || p->reboot_window_ms < 1000)
        return "long_silence and reboot_window must be at least a second";
    if (p->holdout_ppm < 0 || p->holdout_ppm > 50000 || p->holdout_ms < 0)
        return "holdout must be at most 5 % and not negative";
    if (p->holdout_ppm > 0 && p->n_rings == POLICY_MAX_RINGS)
        return "no room for the holdout among 8 rings";
    return rings_why(p, ret_why, size);
}
