/* bootguard: the table of DESIGN section 5, row by row. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "boot/bootguard.h"
#include "scratch.h"

enum end { COMPLETE, ORDERLY, CUT };

static enum boot_verdict boot(struct state_boot *b, const char *id, enum end end)
{
    enum boot_verdict v = bootguard_begin(b, id, false);

    if (end == COMPLETE)
        bootguard_complete(b);
    if (end == ORDERLY)
        bootguard_shutdown(b);
    return v;
}

static void test_how_a_boot_ended(void **state)
{
    struct state_boot b = {0};

    (void)state;
    assert_int_equal(boot(&b, "1", COMPLETE), BOOT_FIRST);
    assert_int_equal(bootguard_begin(&b, "1", false), BOOT_SAME);
    assert_int_equal(boot(&b, "2", ORDERLY), BOOT_GOOD);
    assert_int_equal(boot(&b, "3", CUT), BOOT_NEUTRAL);
    assert_false(b.failed_last);
    assert_int_equal(boot(&b, "4", CUT), BOOT_FAILED);
    assert_true(b.failed_last);
    assert_int_equal(boot(&b, "5", CUT), BOOT_FAILED);
    assert_int_equal(b.failed_boots, 2);
    assert_int_equal(bootguard_begin(&b, "6", true), BOOT_SPECIAL);
    assert_string_equal(b.id, "5");
    assert_int_equal(boot(&b, "7", COMPLETE), BOOT_FAILED);
    assert_int_equal(b.failed_boots, 0);
    assert_false(b.failed_last);
    assert_int_equal(boot(&b, "8", CUT), BOOT_GOOD);
}

static void test_three_neutral_boots_are_one_failure(void **state)
{
    struct state_boot b = {0};

    (void)state;
    boot(&b, "1", ORDERLY);
    assert_int_equal(boot(&b, "2", ORDERLY), BOOT_NEUTRAL);
    assert_int_equal(boot(&b, "3", ORDERLY), BOOT_NEUTRAL);
    assert_int_equal(boot(&b, "4", ORDERLY), BOOT_FAILED);
    assert_int_equal(b.failed_boots, 1);
    assert_int_equal(boot(&b, "5", ORDERLY), BOOT_NEUTRAL);
}

static struct state *two_channels(void)
{
    struct state *s = calloc(1, sizeof *s);

    s->n_channels = 2;
    for (int i = 0; i < 2; i++) {
        struct state_channel *c = &s->channels[i];

        memset(c->good_boot, 'a', 64);
        memset(c->good_run, 'b', 64);
        memset(c->current, 'c', 64);
        state_add_release(c, c->current)->since_s = 10 + i;
    }
    return s;
}

static void test_newest_change_goes_first(void **state)
{
    struct state *s = two_channels();

    (void)state;
    s->boot.failed_boots = 1;
    assert_null(bootguard_revert(s, 2));
    s->boot.failed_boots = 2;
    assert_ptr_equal(bootguard_revert(s, 2), &s->channels[1]);
    strcpy(s->channels[1].current, s->channels[1].good_boot);
    assert_ptr_equal(bootguard_revert(s, 2), &s->channels[0]);
    strcpy(s->channels[0].current, s->channels[0].good_boot);
    assert_null(bootguard_revert(s, 2)); /* nothing changed: hold only */
    free(s);
}

static void test_early_boot_content_has_one_chance(void **state)
{
    struct state *s = two_channels();

    (void)state;
    s->boot.failed_boots = 1;
    s->channels[0].releases[0].early_boot = true;
    assert_ptr_equal(bootguard_revert(s, 2), &s->channels[0]);
    free(s);
}

static void test_target(void **state)
{
    struct state *s = two_channels();
    struct state_channel *c = &s->channels[0];

    (void)state;
    assert_ptr_equal(bootguard_target(c, ""), c->good_boot);
    assert_ptr_equal(bootguard_target(c, c->good_boot), c->good_run);
    state_add_quarantine(c, c->good_boot, "owner", false);
    assert_ptr_equal(bootguard_target(c, ""), c->good_run);
    assert_string_equal(bootguard_target(c, c->good_run), "");
    state_add_quarantine(c, c->good_run, "owner", false);
    assert_string_equal(bootguard_target(c, ""), "");
    free(s);
}

static void test_revoked_is_no_target(void **state)
{
    struct state *s = two_channels();
    struct state_channel *c = &s->channels[0];
    struct revoked revoked = {.n = 1};

    (void)state;
    strcpy(revoked.items[0].digest, c->good_boot);
    state_revoke(c, 1, &revoked);
    assert_ptr_equal(bootguard_target(c, ""), c->good_run);
    strcpy(revoked.items[0].digest, c->good_run);
    state_revoke(c, 2, &revoked);
    assert_string_equal(bootguard_target(c, ""), "");
    free(s);
}

/* It was healthy, and then did not boot: it is no way back from itself. */
static void test_what_fails_is_no_target(void **state)
{
    struct state *s = two_channels();
    struct state_channel *c = &s->channels[0];

    (void)state;
    strcpy(c->good_run, c->current);
    assert_ptr_equal(bootguard_target(c, ""), c->good_boot);
    assert_string_equal(bootguard_target(c, c->good_boot), "");
    free(s);
}

static void test_good_boot_moves_only_for_what_booted(void **state)
{
    struct state *s = two_channels();
    struct state_channel *c = &s->channels[0];

    (void)state;
    assert_false(bootguard_moves(c)); /* switched after the boot began */
    strcpy(c->at_boot, c->current);
    assert_true(bootguard_moves(c));
    strcpy(c->good_boot, c->current);
    assert_false(bootguard_moves(c));
    free(s);
}

static void test_containers_have_no_guard(void **state)
{
    const char *why;

    assert_true(bootguard_is_on("auto", *state, &why));
    assert_true(bootguard_is_on("on", *state, &why));
    assert_false(bootguard_is_on("off", *state, &why));
    scratch_write(*state, ".dockerenv", "", 0);
    assert_false(bootguard_is_on("auto", *state, &why));
    assert_non_null(strstr(why, "container"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_a_boot_ended),
        cmocka_unit_test(test_three_neutral_boots_are_one_failure),
        cmocka_unit_test(test_newest_change_goes_first),
        cmocka_unit_test(test_early_boot_content_has_one_chance),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_revoked_is_no_target),
        cmocka_unit_test(test_what_fails_is_no_target),
        cmocka_unit_test(test_good_boot_moves_only_for_what_booted),
        cmocka_unit_test_setup_teardown(test_containers_have_no_guard, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
