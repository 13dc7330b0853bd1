#include "scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALL_PPM 1000000
#define HOUR_MS 3600000LL

static const char *const defect_names[N_DEFECTS] = {
#define X(name, text) text,
    DEFECT_TABLE(X)
#undef X
};

const char *defect_name(enum defect_kind k)
{
    return defect_names[k];
}

static const struct {
    const char *name;
    int os;
    double share;
} cohorts[] = {
    {"windows-10.0.19045-x86_64", 0, .24}, {"windows-10.0.22631-x86_64", 0, .18},
    {"windows-10.0.26100-x86_64", 0, .12}, {"windows-10.0.20348-x86_64", 0, .09},
    {"windows-10.0.17763-x86_64", 0, .06}, {"windows-10.0.14393-x86_64", 0, .02},
    {"windows-10.0.22621-x86_64", 0, .03}, {"windows-10.0.26100-aarch64", 0, .01},
    {"linux-6.1-x86_64", 1, .06},          {"linux-5.15-x86_64", 1, .04},
    {"linux-5.14-x86_64", 1, .02},         {"linux-6.8-aarch64", 1, .01},
    {"macos-14-aarch64", 2, .05},          {"macos-15-aarch64", 2, .04},
    {"macos-13-x86_64", 2, .02},           {"macos-12-x86_64", 2, .01},
};
#define N_COHORTS (int)(sizeof(cohorts) / sizeof(cohorts[0]))

static const char *const families[] = {"windows", "linux", "macos"};

static const struct scenario_life standard_life = {
    .crashes_h = 1e-4,
    .consumer_share = .3,
    .soak_min = 60,
    .report_min = 2,
    .preflight_share = 5e-5,
    .silences_h = .003,
    .long_silence_share = .7,
    .reboots_h = 0.6931471805599453 / 24, /* median 24 h */
    .reboot_5min = .20,
    .reboot_15min = .03,
    .goodbyes_h = .008,
    .goodbyes_day_h = .012,
    .goodbyes_evening_h = .10,
    .wakes_h = 1 / 6.0,
    .asleep_min_share = .08,
    .asleep_max_share = .15,
    .staged_min = 6,
    .flaky_h = 1,
    .figures_h = 1e-3,
    .history_h = 168,
};

void scenario_standard(struct scenario *ret)
{
    memset(ret, 0, sizeof(*ret));
    snprintf(ret->name, sizeof(ret->name), "standard");
    ret->topology.n_os = (int)(sizeof(families) / sizeof(families[0]));
    for (int i = 0; i < ret->topology.n_os; i++)
        snprintf(ret->topology.os[i], TOPOLOGY_OS_MAX, "%s", families[i]);
    ret->topology.n_cohorts = N_COHORTS;
    for (int c = 0; c < N_COHORTS; c++) {
        snprintf(ret->topology.cohorts[c].name, GATE_NAME_MAX, "%s", cohorts[c].name);
        ret->topology.cohorts[c].os = cohorts[c].os;
        ret->shares[c] = cohorts[c].share;
    }
    ret->groups = 200;
    ret->prestaged = true;
    ret->good = true;
    ret->limit_ms = 48 * HOUR_MS;
    ret->life = standard_life;
    ret->world.at_min = 4;
    ret->world.at_max_min = 150;
    ret->defect.recover_min = 6;
    ret->defect.recover_max_min = 10;
    ret->targets = (struct scenario_targets){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    scenario_resize(ret, 8500000);
}

void scenario_resize(struct scenario *s, int64_t fleet)
{
    double rest[GATE_MAX_COHORTS];
    int64_t left = fleet;
    int n = s->topology.n_cohorts;

    for (int c = 0; c < n; c++) {
        double want = (double)fleet * s->shares[c];

        /* A share like 0.07 of 100 must not come out as 6. */
        s->topology.cohorts[c].size = (int64_t)floor(want + 1e-9);
        rest[c] = want - (double)s->topology.cohorts[c].size;
        left -= s->topology.cohorts[c].size;
    }
    for (; left > 0; left--) {
        int best = 0;

        for (int c = 1; c < n; c++)
            if (rest[c] > rest[best])
                best = c;
        s->topology.cohorts[best].size++;
        rest[best] -= 1.0;
    }
    s->fleet = fleet;
    if (s->canaries > fleet / 2)
        s->canaries = fleet / 2;
}

int64_t scenario_pace_ppm(const struct scenario *s, int64_t elapsed_ms)
{
    double share = s->n_pace > 0 ? 0.0 : 1.0;

    for (int i = 0; i < s->n_pace; i++)
        if ((double)elapsed_ms >= s->pace[i].after_min * 60000.0)
            share = s->pace[i].share;
    return (int64_t)llround(share * ALL_PPM);
}
