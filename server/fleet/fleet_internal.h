/* fleet_internal: what fleet.c and fleet_load.c share. */
#ifndef FIREBREAK_SERVER_FLEET_INTERNAL_H
#define FIREBREAK_SERVER_FLEET_INTERNAL_H

#include "fleet/fleet.h"
#include "fleet/strindex.h"

struct fleet {
    struct device **devices;
    int64_t n, size;
    struct strindex by_id, by_attempt, by_group; /* names are the devices' own */
};

struct fleet *fleet_new(void);

#endif
