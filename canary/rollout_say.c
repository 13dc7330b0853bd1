#include "rollout_say.h"

#include <string.h>

#include "pacing.h"
#include "ring.h"
#include "text.h"

#define MAX_BAKES 4

void rollout_ring_name(const struct rollout *r, int ring, char *ret, unsigned long size)
{
    const struct rollout_ring *of = &r->rings[ring];
    struct text t = text_in(ret, size);

    text_add(&t, "ring %d of %d (", ring + 1, r->n_rings);
    if (of->kind == RING_CANARY) {
        text_add(&t, "canary group");
    } else if (of->kind == RING_COUNT) {
        text_count(&t, of->cap);
        text_add(&t, of->cap == 1 ? " device" : " devices");
    } else {
        text_share(&t, of->share_ppm);
    }
    text_add(&t, ")");
}

static void add_ring_name(struct text *t, const struct rollout *r, int ring)
{
    char name[64];

    rollout_ring_name(r, ring, name, sizeof(name));
    text_add(t, "%s", name);
}

static void add_counts(struct text *t, const struct rollout *r, const struct cohort_facts *sum)
{
    bool canary = r->rings[r->ring].kind == RING_CANARY;
    int64_t cap = r->ring == r->n_rings - 1
                      ? sum->admitted + sum->ready + sum->late + sum->staging + sum->passed_away
                      : ring_live_cap(r, r->ring);

    text_count(t, canary ? sum->canary_admitted : sum->admitted);
    text_add(t, " of ");
    text_count(t, cap);
    text_add(t, " admitted, ");
    text_count(t, sum->healthy);
    text_add(t, " healthy");
}

static void add_number_of(struct text *t, int64_t n, const char *one, const char *many)
{
    text_count(t, n);
    text_add(t, " %s", n == 1 ? one : many);
}

static void add_waits_for(struct text *t, const struct rollout *r, const struct standing *s)
{
    const struct cohort_facts *sum = s->sum;
    int64_t unacked = pacing_unacknowledged(sum);
    bool canary = r->rings[r->ring].kind == RING_CANARY;

    if (unacked > 0) {
        text_add(t, "; waits for ");
        add_number_of(t, unacked, "acknowledgement", "acknowledgements");
        if (sum->overdue > 0) {
            text_add(t, ", ");
            text_count(t, sum->overdue);
            text_add(t, " of them overdue");
        }
    } else if (s->held_by_pace) {
        text_add(t, "; waits for the manifest's pace");
    } else if (canary && sum->canary_ready + sum->canary_admitted == 0) {
        text_add(t, "; waits for a canary device to be ready");
    } else if (ring_waits_for_staging(r, s->tick, sum)) {
        text_add(t, "; waits for devices that are still staging");
    } else if (ring_is_deserted(sum) && sum->away > 0) {
        text_add(t, "; waits for ");
        add_number_of(t, sum->away, "device that is away", "devices that are away");
        text_add(t, ", more than are here");
    } else if (!canary && sum->ready + sum->late == 0) {
        text_add(t, "; waits for devices to be ready");
    }
}

static void add_proof(struct text *t, const struct rollout *r, const struct standing *s)
{
    const struct rollout_ring *ring = &r->rings[r->ring];

    switch (s->proof) {
    case PROOF_NONE_ASKED:
    case PROOF_SHOWN:
        break;
    case PROOF_MISSING:
        text_add(t, "; not yet shown to be no worse than the controls; waits up to ");
        text_duration(t, MAX_BAKES * ring->bake_ms);
        break;
    case PROOF_IMPOSSIBLE:
        text_add(t, "; too few failures among the controls to show that it is no worse; ");
        text_add(t, "the policy's rule decides after ");
        text_duration(t, MAX_BAKES * ring->bake_ms);
        break;
    case PROOF_OUT_OF_TIME:
        text_add(t, "; not shown to be no worse within %d bakes", MAX_BAKES);
        break;
    }
}

static void add_boots(struct text *t, const struct standing *s)
{
    text_add(t, "; waits for ");
    add_number_of(t, s->boots_missing, "more device", "more devices");
    text_add(t, " to come back from a boot on it; ");
    add_number_of(t, s->sum->booted, "has", "have");
}

static void add_baking(struct text *t, const struct rollout *r, const struct standing *s)
{
    const struct rollout_ring *ring = &r->rings[r->ring];
    int64_t age = s->now_ms - r->full_since_ms;

    add_ring_name(t, r, r->ring);
    if (age < ring->bake_ms) {
        text_add(t, " full, baking: ");
        text_duration(t, age);
        text_add(t, " of ");
        text_duration(t, ring->bake_ms);
        if (s->sum->heard == 0)
            text_add(t, "; goes on when a device that has it is heard");
        return;
    }
    text_add(t, " full and baked");
    if (s->sum->heard == 0)
        text_add(t, "; waits until a device that has it is heard");
    else if (s->boots_missing > 0)
        add_boots(t, s);
    else if (!s->acknowledged)
        add_waits_for(t, r, s);
    else
        add_proof(t, r, s);
}

static void add_halted(struct text *t, const struct rollout *r)
{
    int n = 0;

    for (int c = 0; c < r->topology.n_cohorts; c++)
        n += r->halted[c];
    if (n > 0)
        text_add(t, "; %d of %d cohorts halted", n, r->topology.n_cohorts);
}

void rollout_say_stands(const struct rollout *r, const struct standing *s,
                        struct rollout_decision *ret)
{
    struct text t = text_in(ret->stands, sizeof(ret->stands));
    const char *worst = ret->n_reasons > 0 ? ret->reasons[0].text : "";

    if (r->all_halted) {
        text_add(&t, "halted: %s", worst);
    } else if (ret->verdict == VERDICT_ASK || ret->verdict == VERDICT_PAUSE) {
        text_add(&t, "%s", worst);
    } else if (r->complete) {
        text_add(&t, "complete: ");
        add_counts(&t, r, s->sum);
    } else if (s->warned) {
        add_ring_name(&t, r, r->ring);
        text_add(&t, " does not end while a warning stands");
    } else if (r->full_since_ms >= 0) {
        add_baking(&t, r, s);
    } else {
        add_ring_name(&t, r, r->ring);
        text_add(&t, ": ");
        add_counts(&t, r, s->sum);
        add_waits_for(&t, r, s);
    }
    if (!r->all_halted)
        add_halted(&t, r);
}

static void add_margin(struct text *t, const char *what, double rho, double shown)
{
    bool enough = shown >= ROLLOUT_PROOF_LN;

    text_add(t, "%s below %g times the controls': %s, proof %.1f of %.1f", what, rho,
             enough ? "shown" : "not shown yet", shown, ROLLOUT_PROOF_LN);
}

bool rollout_say_margin(const struct rollout *r, int n, char *ret, unsigned long size)
{
    const struct rollout_ring *ring = &r->rings[r->ring];
    struct text t = text_in(ret, size);

    for (int i = ring->first_policy_ring; i >= 0 && i <= ring->policy_ring; i++) {
        const struct policy_ring *of = &r->policy.rings[i];

        if (of->rho_cr > 0.0 && n-- == 0) {
            add_margin(&t, "odds of a crash", of->rho_cr, r->gate.ni_cr[i]);
            return true;
        }
        if (of->rho_sl > 0.0 && n-- == 0) {
            add_margin(&t, "odds of a long silence", of->rho_sl, r->gate.ni_sl[i]);
            return true;
        }
    }
    return false;
}

static const char *proof_words(enum proof p)
{
    switch (p) {
    case PROOF_NONE_ASKED:
        return "no margin asked by the policy";
    case PROOF_SHOWN:
        return "shown to be no worse than the controls by the policy's margins";
    case PROOF_MISSING:
    case PROOF_IMPOSSIBLE:
    case PROOF_OUT_OF_TIME:
        return "without proof: all treated devices acknowledged within tolerance";
    }
    return "";
}

void rollout_say_promoted(const struct rollout *r, int from, bool by_person,
                          const struct standing *s, struct gate_reason *ret)
{
    struct text t;

    memset(ret, 0, sizeof(*ret));
    ret->verdict = VERDICT_PROMOTE;
    ret->metric = -1;
    ret->n_t = s->sum->admitted;
    t = text_in(ret->text, sizeof(ret->text));
    add_ring_name(&t, r, from);
    text_add(&t, ": ");
    text_count(&t, s->sum->healthy);
    text_add(&t, " of ");
    text_count(&t, s->sum->admitted);
    text_add(&t, " admitted are healthy; %s",
             by_person ? "a person decided" : proof_words(s->proof));
    if (r->complete) {
        text_add(&t, "; complete");
    } else {
        text_add(&t, "; ");
        add_ring_name(&t, r, r->ring);
        text_add(&t, " opens");
    }
}

void rollout_say_asks(const struct rollout *r, const struct standing *s, struct gate_reason *ret)
{
    struct text t;

    memset(ret, 0, sizeof(*ret));
    ret->verdict = VERDICT_ASK;
    ret->metric = -1;
    ret->n_t = s->sum->admitted;
    ret->f_t = s->sum->overdue;
    t = text_in(ret->text, sizeof(ret->text));
    add_ring_name(&t, r, r->ring);
    text_add(&t, " asks a person: ");
    if (s->warned && !s->overdue_asked) {
        text_add(&t, "a warning stands since it was full");
    } else if (s->boots_missing > 0 && !s->overdue_asked) {
        text_add(&t, "it takes part in booting, and only ");
        text_count(&t, s->sum->booted);
        text_add(&t, " of the ");
        text_count(&t, s->sum->booted + s->boots_missing);
        text_add(&t, " devices that the policy wants came back from a boot on it");
    } else if (!s->overdue_asked && !s->acknowledged && pacing_unacknowledged(s->sum) == 0) {
        text_add(&t, "nobody of ");
        text_count(&t, s->sum->admitted);
        text_add(&t, " admitted is healthy; those away have said goodbye");
    } else if (s->overdue_asked || !s->acknowledged) {
        text_count(&t, s->overdue_asked ? s->sum->overdue : pacing_unacknowledged(s->sum));
        text_add(&t, " of ");
        text_count(&t, s->sum->admitted);
        text_add(&t, " admitted have not come back");
        if (s->overdue_asked) {
            ret->threshold = (double)s->overdue_limit;
            text_add(&t, ", %lld would be tolerated", (long long)s->overdue_limit);
        }
    } else {
        text_add(&t, "%s",
                 s->proof == PROOF_IMPOSSIBLE
                     ? "too few failures among the controls to show that it is no worse"
                     : "not shown to be no worse within 4 bakes");
    }
    text_add(&t, "; halt it, or promote to go on");
}
