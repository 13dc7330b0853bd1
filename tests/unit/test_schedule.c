/* schedule: never later than the server said, never sooner than Retry-After, and spread out. */
#include "cmocka_all.h"

#include "cycle/schedule.h"

static void test_after_an_answer(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 1000; random++)
        assert_in_range(schedule_after_answer(1000, random), 900, 1000);
    assert_int_equal(schedule_after_answer(1, 12345), 1);
}

static void test_backoff_doubles_up_to_its_end(void **state)
{
    int64_t most = SCHEDULE_BASE_MS;

    (void)state;
    for (int failures = 1; failures < 40; failures++) {
        for (uint64_t random = 0; random < 100; random++)
            assert_in_range(schedule_after_failure(failures, 1000, 0, random * 7919), most / 2,
                            most);
        most = most * 2 < SCHEDULE_BACKOFF_MS ? most * 2 : SCHEDULE_BACKOFF_MS;
    }
    /* who is polled rarely anyway need not come sooner */
    assert_in_range(schedule_after_failure(40, 86400000, 0, 5), 43200000, 86400000);
}

static void test_retry_after_is_kept(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 100; random++)
        assert_in_range(schedule_after_failure(1, 1000, 60000, random * 104729), 60000, 66000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_an_answer),
        cmocka_unit_test(test_backoff_doubles_up_to_its_end),
        cmocka_unit_test(test_retry_after_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
