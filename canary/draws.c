#include "draws.h"

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t c = *a;

    *a = *b;
    *b = c;
}

/* Quickselect with three-way partition: draws are uniform and not chosen by devices, so the middle
 * element is a good pivot; equal draws cost nothing. */
uint64_t draws_kth(uint64_t *draws, int64_t n, int64_t k)
{
    int64_t lo = 0, hi = n - 1, want = k - 1;

    while (lo < hi) {
        uint64_t pivot = draws[lo + (hi - lo) / 2];
        int64_t less = lo, more = hi;

        for (int64_t i = lo; i <= more;) {
            if (draws[i] < pivot)
                swap(&draws[i++], &draws[less++]);
            else if (draws[i] > pivot)
                swap(&draws[i], &draws[more--]);
            else
                i++;
        }
        if (want < less)
            hi = less - 1;
        else if (want > more)
            lo = more + 1;
        else
            return pivot;
    }
    return draws[want];
}
