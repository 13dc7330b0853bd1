/* draws: the k-th lowest. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "draws.h"

static uint64_t next_random(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static int by_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_draws_kth(void **state)
{
    uint64_t seed = 9, sorted[97], mixed[97];

    (void)state;
    for (int range = 1; range <= 1000; range *= 10)
        for (int k = 1; k <= 97; k++) {
            for (int i = 0; i < 97; i++)
                sorted[i] = mixed[i] = next_random(&seed) % (uint64_t)range;
            qsort(sorted, 97, sizeof(sorted[0]), by_u64);
            assert_int_equal(draws_kth(mixed, 97, k), sorted[k - 1]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_kth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
