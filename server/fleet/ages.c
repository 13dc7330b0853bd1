/* ages: see ages.h. */
#include "fleet/ages.h"

#include <string.h>

void ages_init(struct ages *a, int64_t window)
{
    memset(a, 0, sizeof *a);
    a->window = window;
    a->slot_length = (window + AGES_PARTS - 1) / AGES_PARTS;
}

int32_t ages_slot(const struct ages *a, int64_t begun)
{
    int32_t low = a->oldest, high = a->now;

    if (low > high || begun < a->begun[low % AGES_SLOTS])
        return AGES_PAST;
    /* Slots low .. high began in order; the last that began by then. */
    if (begun >= a->begun[high % AGES_SLOTS])
        return high;
    while (low + 1 < high) {
        int32_t mid = low + (high - low) / 2;

        if (begun >= a->begun[mid % AGES_SLOTS])
            low = mid;
        else
            high = mid;
    }
    return low;
}

void ages_add(struct ages *a, int cohort, int32_t slot, int by)
{
    a->total[cohort] += by;
    if (slot < a->oldest)
        a->past[cohort] += by;
    else
        a->n[slot % AGES_SLOTS][cohort] += by;
}

static void pass_oldest(struct ages *a)
{
    int32_t *n = a->n[a->oldest % AGES_SLOTS];

    for (int c = 0; c < GATE_MAX_COHORTS; c++)
        a->past[c] += n[c];
    memset(n, 0, sizeof a->n[0]);
    a->oldest++;
}

void ages_expire(struct ages *a, int64_t now)
{
    while (a->oldest <= a->now && now - a->last[a->oldest % AGES_SLOTS] >= a->window)
        pass_oldest(a);
}

void ages_turn(struct ages *a, int64_t begun)
{
    int32_t slot = a->now;

    /* Where the ring is full the open slot takes in one tick more. */
    if (a->oldest > a->now || (begun - a->begun[slot % AGES_SLOTS] >= a->slot_length &&
                               a->now + 1 - a->oldest < AGES_SLOTS)) {
        slot = ++a->now;
        a->begun[slot % AGES_SLOTS] = begun;
    }
    a->last[slot % AGES_SLOTS] = begun;
}

void ages_clear(struct ages *a)
{
    memset(a->n, 0, sizeof a->n);
    memset(a->total, 0, sizeof a->total);
    memset(a->past, 0, sizeof a->past);
}
