/* slots and state: what survives torn, corrupt and lost slots, and what fails closed. */
#include "cmocka_all.h"

#include <unistd.h>

#include "scratch.h"
#include "state/state.h"

static struct clock_fixed now = {.awake_ms = 100000};
static struct clock fixed;

static struct state_place place(void **state)
{
    fixed = clock_fixed(&now);
    return (struct state_place){.dir = *state, .clock = &fixed, .boot_id = "boot-1"};
}

static int set_version(struct state *s, void *ctx, struct err *err)
{
    (void)err;
    s->snapshot_version = *(int64_t *)ctx;
    return 0;
}

static void put(void **state, int64_t version)
{
    struct state_place at = place(state);
    struct err err = {0};

    assert_int_equal(state_update(&at, set_version, &version, &err), 0);
}

static struct state *get(void **state)
{
    struct state_place at = place(state);
    struct state *s = NULL;
    struct err err = {0};

    assert_int_equal(state_load(&at, &s, &err), 0);
    return s;
}

/* Cut a slot to `keep` bytes, or flip the byte at `flip`. */
static void damage(void **state, const char *slot, long keep, long flip)
{
    char path[300];
    FILE *f;
    int c;

    snprintf(path, sizeof path, "%s/state/%s", (char *)*state, slot);
    if (keep >= 0) {
        assert_int_equal(truncate(path, keep), 0);
        return;
    }
    f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, flip, SEEK_SET);
    c = fgetc(f);
    fseek(f, flip, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void test_alternate(void **state)
{
    struct state *s;

    for (int64_t v = 1; v <= 5; v++)
        put(state, v);
    s = get(state);
    assert_int_equal(s->snapshot_version, 5);
    assert_int_equal(s->slots.sequence, 5);
    assert_false(s->lost);
    free(s);
}

static void test_any_damage_leaves_the_older(void **state)
{
    for (long at = 0; at < 120; at += 7) {
        struct state *s;
        const char *newest;

        put(state, 1000 + at);
        put(state, 2000 + at);
        s = get(state);
        newest = s->slots.winner == 'a' ? "a" : "b";
        free(s);
        damage(state, newest, at % 2 ? at : -1, at);
        s = get(state);
        assert_int_equal(s->snapshot_version, 1000 + at);
        assert_true(s->damaged);
        assert_false(s->lost);
        free(s);
    }
}

static void test_both_damaged_is_lost(void **state)
{
    struct state_place at = place(state);
    struct err err = {0};
    int64_t v = 9;
    struct state *s;

    put(state, 1);
    put(state, 2);
    damage(state, "a", 5, 0);
    damage(state, "b", -1, 30);
    s = get(state);
    assert_true(s->lost);
    free(s);
    assert_int_equal(state_update(&at, set_version, &v, &err), -ERR_HELD);
    assert_int_equal(state_renew(&at, set_version, &v, &err), 0);
    s = get(state);
    assert_false(s->lost);
    assert_int_equal(s->snapshot_version, 9);
    free(s);
}

static void test_lost_only_where_it_must_exist(void **state)
{
    struct state *s = get(state);

    assert_false(s->lost);
    free(s);
    scratch_write(*state, "identity.json", "{}", 2);
    s = get(state);
    assert_true(s->lost);
    free(s);
}

static int refuse(struct state *s, void *ctx, struct err *err)
{
    (void)ctx;
    s->snapshot_version = 77;
    return err_set(err, ERR_REFUSED, "no");
}

static void test_refused_change_writes_nothing(void **state)
{
    struct state_place at = place(state);
    struct err err = {0};
    struct state *s;

    put(state, 3);
    assert_int_equal(state_update(&at, refuse, NULL, &err), -ERR_REFUSED);
    s = get(state);
    assert_int_equal(s->snapshot_version, 3);
    free(s);
}

static int fill(struct state *s, void *ctx, struct err *err)
{
    struct state_channel *c;
    int r = state_add_channel(s, "crs", &c, err);

    (void)ctx;
    if (r < 0)
        return r;
    memset(c->current, 'a', 64);
    memset(c->pending.digest, 'b', 64);
    c->pending.phase = PHASE_SOAK;
    strcpy(c->pending.boot_id, "boot-1");
    for (int i = 0; i < 40; i++) {
        char digest[65];

        snprintf(digest, sizeof digest, "%064x", i);
        state_add_release(c, digest)->seen_s = i;
        state_add_quarantine(c, digest, "health-exit-1", i == 0);
    }
    state_add_release(c, c->current)->sequence = 12;
    return 0;
}

static void test_everything_comes_back(void **state)
{
    struct state_place at = place(state);
    struct state_channel *c;
    struct err err = {0};
    char first[65];
    struct state *s;

    assert_int_equal(state_update(&at, fill, NULL, &err), 0);
    s = get(state);
    c = state_channel(s, "crs");
    assert_non_null(c);
    assert_int_equal(c->pending.phase, PHASE_SOAK);
    assert_int_equal(c->n_releases, STATE_MAX_RELEASES);
    assert_int_equal(state_release(c, c->current)->sequence, 12);
    assert_ptr_equal(state_unsoaked(s), c);
    for (int i = 40; i < 40 + STATE_MAX_QUARANTINE; i++) {
        char digest[65];

        snprintf(digest, sizeof digest, "%064x", i);
        state_add_quarantine(c, digest, "boot-failed", false);
    }
    snprintf(first, sizeof first, "%064x", 0);
    assert_int_equal(c->n_quarantine, STATE_MAX_QUARANTINE);
    assert_non_null(state_quarantined(c, first)); /* the blamed one outlives the others */
    free(s);
}

static void test_awake_time_adds_up_over_boots(void **state)
{
    struct state_place at = place(state);
    struct state *s;

    now.awake_ms = 100000;
    put(state, 1);
    now.awake_ms = 160000;
    s = get(state);
    assert_int_equal(state_awake_s(s, &at), 160);
    free(s);
    put(state, 2);
    now.awake_ms = 10000; /* another boot */
    at.boot_id = "boot-2";
    s = get(state);
    assert_int_equal(state_awake_s(s, &at), 170);
    free(s);
    now.awake_ms = 100000;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alternate, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_any_damage_leaves_the_older, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_both_damaged_is_lost, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_lost_only_where_it_must_exist, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_refused_change_writes_nothing, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(test_everything_comes_back, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_awake_time_adds_up_over_boots, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
