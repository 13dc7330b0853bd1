#include "topology.h"

#include <stddef.h>
#include <string.h>

#define WEIGHT_FLEET   0.4
#define WEIGHT_OS      0.2
#define WEIGHT_COHORTS 0.4

int topology_nodes(const struct topology *t)
{
    return TOPOLOGY_COHORT_NODE + t->n_cohorts;
}

bool topology_has_node(const struct topology *t, int node)
{
    if (node >= TOPOLOGY_COHORT_NODE)
        return node < topology_nodes(t);
    return node == 0 || (node > 0 && node <= t->n_os);
}

bool topology_in_node(const struct topology *t, int node, int cohort)
{
    if (node == 0)
        return true;
    if (node < TOPOLOGY_COHORT_NODE)
        return t->cohorts[cohort].os == node - 1;
    return node - TOPOLOGY_COHORT_NODE == cohort;
}

void topology_cohort_nodes(const struct topology *t, int cohort, int ret[3])
{
    ret[0] = 0;
    ret[1] = 1 + t->cohorts[cohort].os;
    ret[2] = TOPOLOGY_COHORT_NODE + cohort;
}

int topology_node_size(const struct topology *t, int node, int64_t *ret_size)
{
    int64_t size = 0;

    if (!topology_has_node(t, node))
        return -1;
    for (int c = 0; c < t->n_cohorts; c++)
        if (topology_in_node(t, node, c))
            size += t->cohorts[c].size;
    *ret_size = size;
    return 0;
}

int64_t topology_fleet(const struct topology *t)
{
    int64_t size = 0;

    topology_node_size(t, 0, &size);
    return size;
}

const char *topology_node_name(const struct topology *t, int node)
{
    if (!topology_has_node(t, node))
        return "";
    if (node == 0)
        return "fleet";
    if (node < TOPOLOGY_COHORT_NODE)
        return t->os[node - 1];
    return t->cohorts[node - TOPOLOGY_COHORT_NODE].name;
}

double topology_node_weight(const struct topology *t, int node)
{
    int os = t->n_os - t->late_os, cohorts = t->n_cohorts - t->late_cohorts;

    if (node == 0)
        return WEIGHT_FLEET;
    if (node < TOPOLOGY_COHORT_NODE)
        return node <= os ? WEIGHT_OS / os : 0.0;
    return node - TOPOLOGY_COHORT_NODE < cohorts ? WEIGHT_COHORTS / cohorts : 0.0;
}

static int find_or_add_os(struct topology *t, const char *os)
{
    for (int i = 0; i < t->n_os; i++)
        if (strcmp(t->os[i], os) == 0)
            return i;
    if (t->n_os == GATE_MAX_OS || strlen(os) >= TOPOLOGY_OS_MAX)
        return -1;
    memcpy(t->os[t->n_os], os, strlen(os) + 1);
    t->late_os++;
    return t->n_os++;
}

int topology_add(struct topology *t, const char *name, const char *os)
{
    struct topology_cohort *c = &t->cohorts[t->n_cohorts];
    int row;

    if (t->n_cohorts == GATE_MAX_COHORTS || strlen(name) >= GATE_NAME_MAX)
        return -1;
    row = find_or_add_os(t, os);
    if (row < 0)
        return -1;
    memset(c, 0, sizeof(*c));
    memcpy(c->name, name, strlen(name) + 1);
    c->os = row;
    t->late_cohorts++;
    return t->n_cohorts++;
}

const char *topology_check(const struct topology *t)
{
    if (t->n_os < 1 || t->n_os > GATE_MAX_OS)
        return "no OS family, or more than the gate can hold";
    if (t->n_cohorts < 1 || t->n_cohorts > GATE_MAX_COHORTS)
        return "no cohort, or more than the gate can hold";
    if (t->late_os < 0 || t->late_os > t->n_os || t->late_cohorts < 0 ||
        t->late_cohorts > t->n_cohorts)
        return "more late rows than rows";
    for (int c = 0; c < t->n_cohorts; c++) {
        if (t->cohorts[c].os < 0 || t->cohorts[c].os >= t->n_os)
            return "a cohort without an OS family";
        if (t->cohorts[c].size < 0 || t->cohorts[c].size > GATE_MAX_DEVICES)
            return "a cohort of negative or unbelievable size";
    }
    return topology_fleet(t) > 0 ? NULL : "no devices";
}
