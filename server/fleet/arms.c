/* arms: see arms.h. */
#include "fleet/arms.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[N_ARM_STATES] = {
#define X(name, text) [ARM_##name] = text,
    ARM_STATES(X)
#undef X
};

const char *arm_state_name(enum arm_state s)
{
    return names[s];
}

int arm_state_from(const char *text, enum arm_state *ret)
{
    for (int i = 0; i < N_ARM_STATES; i++)
        if (strcmp(names[i], text) == 0) {
            *ret = (enum arm_state)i;
            return 0;
        }
    return -ERR_INVALID;
}

void arms_release(struct arms *a)
{
    free(a->rows);
    *a = (struct arms){0};
}

struct arm *arms_at(struct arms *a, uint32_t device_index)
{
    if (device_index >= a->n) {
        int64_t n = a->n ? a->n : 64;
        struct arm *p;

        while (n <= device_index)
            n *= 2;
        p = realloc(a->rows, (size_t)n * sizeof *p);
        if (!p)
            return NULL;
        memset(p + a->n, 0, (size_t)(n - a->n) * sizeof *p);
        a->rows = p;
        a->n = n;
    }
    return &a->rows[device_index];
}

bool arm_is_under_way(const struct arm *m)
{
    return m->state == ARM_GRANTED || m->state == ARM_APPLIED || m->state == ARM_CRASHED;
}

bool arm_is_ready(const struct arm *m)
{
    return m->known && !arm_is_treated(m) && m->ready && !m->away && !m->held && !m->running &&
           m->cohort >= 0;
}

bool arm_is_unacknowledged(const struct arm *m)
{
    return arm_is_treated(m) && m->state != ARM_HEALTHY && !m->away && !m->excluded;
}
