/*
 * topology: the fleet's shape as the gate sees it: OS families and cohorts, and the nodes over
 * which evidence is summed.
 *
 * Node numbers are stable while cohorts are added: 0 is the fleet, 1 + i OS family i,
 * TOPOLOGY_COHORT_NODE + i cohort i. Rows without an OS family have no name and no size.
 */
#ifndef FIREBREAK_TOPOLOGY_H
#define FIREBREAK_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#define GATE_MAX_COHORTS     64
#define GATE_MAX_OS          8
#define GATE_MAX_NODES       (1 + GATE_MAX_OS + GATE_MAX_COHORTS)
#define GATE_NAME_MAX        96
#define GATE_MAX_DEVICES     1000000000 /* in any one count */
#define TOPOLOGY_OS_MAX      24
#define TOPOLOGY_COHORT_NODE (1 + GATE_MAX_OS)

struct topology {
    int n_os;
    char os[GATE_MAX_OS][TOPOLOGY_OS_MAX];
    int n_cohorts;
    struct topology_cohort {
        char name[GATE_NAME_MAX];
        int os;       /* index into os */
        int64_t size; /* devices of the fleet in it */
    } cohorts[GATE_MAX_COHORTS];
    /* How many of the last rows were added after the start. They count in the nodes above them and
     * for direct evidence; an e-test of their own would spend error that is not there. */
    int late_os, late_cohorts;
};

/* One more than the highest node number in use. */
int topology_nodes(const struct topology *t);
bool topology_has_node(const struct topology *t, int node);
int64_t topology_fleet(const struct topology *t);
/* Devices in a node; 0, or -1 where there is no such node. */
int topology_node_size(const struct topology *t, int node, int64_t *ret_size);
/* "fleet", the OS family's or the cohort's name; "" where there is no such node. */
const char *topology_node_name(const struct topology *t, int node);
/* The node's share of the error that all nodes may spend together: fleet 0.4, OS families 0.2
 * shared, cohorts 0.4 shared. */
double topology_node_weight(const struct topology *t, int node);
/* True where the cohort is part of the node. */
bool topology_in_node(const struct topology *t, int node, int cohort);
/* Nodes a cohort belongs to: fleet, OS family, cohort. */
void topology_cohort_nodes(const struct topology *t, int cohort, int ret[3]);
/* Add a cohort during a rollout, its OS family too where it is new. Its row, or -1 when a table is
 * full or a name too long. */
int topology_add(struct topology *t, const char *name, const char *os);
/* NULL, or why it makes no sense. Static. */
const char *topology_check(const struct topology *t);

#endif
