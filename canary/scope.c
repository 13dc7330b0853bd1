#include "scope.h"

#include "tolerance.h"

#define EPS 0.05

static struct scope_part sum_of(const struct topology *t, int node, int without,
                                const struct scope_part *parts)
{
    struct scope_part sum = {0};

    for (int c = 0; c < t->n_cohorts; c++) {
        if (!topology_in_node(t, node, c) || (without >= 0 && topology_in_node(t, without, c)))
            continue;
        sum.n += parts[c].n;
        sum.f += parts[c].f;
        sum.expected += parts[c].expected;
    }
    return sum;
}

static bool bears_it_alone(const struct topology *t, int node, int inner,
                           const struct scope_part *parts)
{
    struct scope_part in = sum_of(t, inner, -1, parts), out = sum_of(t, node, inner, parts);
    double alike = in.n > 0 ? (double)out.n * (double)in.f / (double)in.n : 0.0;

    return in.f > 0 && out.f <= tolerance_poisson(out.expected, EPS) &&
           out.f < tolerance_poisson(alike, 1.0 - EPS);
}

/* Among the nodes first .. end - 1 inside `node` the one with the most failures. */
static int worst_of(const struct topology *t, int node, int first, int end,
                    const struct scope_part *parts)
{
    int64_t most = 0;
    int worst = node;

    for (int i = first; i < end; i++) {
        struct scope_part p;

        if (!topology_has_node(t, i))
            continue;
        p = sum_of(t, i, -1, parts);
        if (p.f > most && (node == 0 || topology_in_node(t, node, i - TOPOLOGY_COHORT_NODE))) {
            most = p.f;
            worst = i;
        }
    }
    return worst;
}

int scope_of(const struct topology *t, int node, const struct scope_part parts[GATE_MAX_COHORTS])
{
    int inner;

    if (node >= TOPOLOGY_COHORT_NODE)
        return node;
    inner = worst_of(t, node, TOPOLOGY_COHORT_NODE, TOPOLOGY_COHORT_NODE + t->n_cohorts, parts);
    if (inner != node && bears_it_alone(t, node, inner, parts))
        return inner;
    if (node > 0)
        return node;
    inner = worst_of(t, 0, 1, 1 + t->n_os, parts);
    return inner != 0 && bears_it_alone(t, 0, inner, parts) ? inner : 0;
}
