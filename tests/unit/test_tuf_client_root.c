/* tuf_client: the chain of roots, and recovery by rotation of online keys. */
#include "cmocka_all.h"

#include <stdbool.h>
#include <string.h>

#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

static void test_initial_root_must_verify_itself(void **state)
{
    struct tuf_world *w = *state;
    const char *text;

    json_object_clear(w->repo->trusted);
    w->repo->root_by.n = 1;
    tuf_repo_publish_root(w->repo);
    text = json_string_value(json_object_get(w->repo->files, "metadata/1.root.json"));
    assert_int_equal(tuf_client_init(&w->store, text, strlen(text), &w->err), -ERR_UNDERSIGNED);
    assert_int_equal(json_object_size(w->repo->trusted), 0);
    /* nor is one that was put there by other means taken */
    json_object_set_new(w->repo->trusted, "root.json", json_string(text));
    tuf_client_free(w->client);
    w->client = NULL;
    assert_int_equal(tuf_client_new(&w->store, &w->fetch, &w->client, &w->err), -ERR_UNDERSIGNED);
}

static void test_init_twice_is_refused(void **state)
{
    struct tuf_world *w = *state;
    const char *text = json_string_value(json_object_get(w->repo->files, "metadata/1.root.json"));

    assert_int_equal(tuf_client_init(&w->store, text, strlen(text), &w->err), -ERR_EXISTS);
}

static void rotate_root(struct tuf_world *w, int a, int b)
{
    struct tuf_repo *r = w->repo;
    struct tuf_repo_role both = {4, {r->root_by.signers[0], r->root_by.signers[1], a, b}};
    struct tuf_repo_role next = {2, {a, b}};

    tuf_repo_bump(r->root, 1);
    tuf_repo_set_role(r, "root", &next, 2);
    r->root_by = both;
    tuf_repo_publish_root(r);
    r->root_by = next;
}

static void test_root_chain(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_expire(w->repo->root, NOW - DAY); /* expiry of those in between is not judged */
    rotate_root(w, 6, 7);
    rotate_root(w, 5, 6);
    tuf_repo_expire(w->repo->root, NOW + DAY);
    rotate_root(w, 0, 7);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json 3.root.json 4.root.json 5.root.json timestamp.json");
    assert_int_equal(tuf_world_trusted(w, "root.json"), 4);
}

static void test_root_signed_by_new_keys_only(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_repo_role thief = {2, {6, 7}};

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_set_role(w->repo, "root", &thief, 2);
    w->repo->root_by = thief;
    tuf_repo_publish_root(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_UNDERSIGNED);
    tuf_world_assert_requests(w, "2.root.json");
    assert_int_equal(tuf_world_trusted(w, "root.json"), 1);
}

static void test_root_signed_by_old_keys_only(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_repo_role next = {2, {6, 7}};

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_set_role(w->repo, "root", &next, 2);
    tuf_repo_publish_root(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_UNDERSIGNED);
    assert_non_null(strstr(w->err.msg, "by its own keys"));
    assert_int_equal(tuf_world_trusted(w, "root.json"), 1);
}

static void test_root_of_wrong_version(void **state)
{
    static const int steps[] = {-1, 1};

    for (size_t i = 0; i < 2; i++) {
        struct tuf_world *w = *state;

        tuf_repo_bump(w->repo->root, 1);
        tuf_repo_publish_root(w->repo);
        tuf_repo_bump(w->repo->root, steps[i]);
        tuf_repo_put(w->repo, "metadata/2.root.json", w->repo->root, &w->repo->root_by, NULL);
        tuf_repo_bump(w->repo->root, -1 - steps[i]);
        assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
        assert_int_equal(tuf_world_trusted(w, "root.json"), 1);
    }
}

static void test_expired_new_root_is_kept_then_fails(void **state)
{
    struct tuf_world *w = *state;

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_expire(w->repo->root, NOW - 1);
    tuf_repo_publish_root(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_EXPIRED);
    tuf_world_assert_requests(w, "2.root.json 3.root.json");
    assert_int_equal(tuf_world_trusted(w, "root.json"), 2);
    assert_int_equal(tuf_world_find(w), -ERR_UNAVAILABLE);
}

static void test_endless_roots_are_bounded(void **state)
{
    struct tuf_world *w = *state;

    for (int i = 0; i < 258; i++) {
        tuf_repo_bump(w->repo->root, 1);
        tuf_repo_publish_root(w->repo);
    }
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_trusted(w, "root.json"), 257);
}

/* A static host that says "forbidden" of what is not there. */
static int get_or_forbidden(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct tuf_fetch inner = tuf_repo_fetch(ctx);
    int r = inner.get(inner.ctx, path, ret, err);

    return r == -ERR_NOT_FOUND ? err_set(err, ERR_FORBIDDEN, "'%s': access denied", path) : r;
}

static void test_forbidden_ends_the_chain_only(void **state)
{
    struct tuf_world *w = *state;

    w->fetch = (struct tuf_fetch){.get = get_or_forbidden, .ctx = w->repo};
    rotate_root(w, 6, 7);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json 3.root.json timestamp.json 1.snapshot.json "
                                 "1.targets.json");
    assert_int_equal(tuf_world_trusted(w, "root.json"), 2);
    json_object_del(w->repo->files, "metadata/timestamp.json");
    assert_int_equal(tuf_world_refresh(w), -ERR_FORBIDDEN);
}

/* After rotation of online keys the old files do not count: fast-forward recovery. */
static void rotation_recovers(struct tuf_world *w, const char *role, struct tuf_repo_role *by)
{
    struct tuf_repo *r = w->repo;

    /* the stolen key runs ahead */
    tuf_repo_bump(r->timestamp, 1000);
    tuf_repo_bump(r->snapshot, 1000);
    tuf_repo_publish(r);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 1001);
    /* the owner goes on from where he was, with another key */
    tuf_repo_bump(r->timestamp, -999);
    tuf_repo_bump(r->snapshot, -999);
    *by = (struct tuf_repo_role){1, {6}};
    tuf_repo_set_role(r, role, by, 1);
    tuf_repo_bump(r->root, 1);
    tuf_repo_publish_root(r);
    tuf_repo_publish(r);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 2);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 2);
}

static void test_timestamp_key_rotation(void **state)
{
    struct tuf_world *w = *state;

    rotation_recovers(w, "timestamp", &w->repo->timestamp_by);
}

static void test_snapshot_key_rotation(void **state)
{
    struct tuf_world *w = *state;

    rotation_recovers(w, "snapshot", &w->repo->snapshot_by);
}

/* Fast-forwarded by whoever had the snapshot's key; the owner goes on from where he was with
 * another one, and with the timestamp's key as before: only discarding both files brings the client
 * back. */
static void publish_recovery(struct tuf_repo *r)
{
    tuf_repo_bump(r->timestamp, -999);
    tuf_repo_bump(r->snapshot, -999);
    r->snapshot_by = (struct tuf_repo_role){1, {6}};
    tuf_repo_set_role(r, "snapshot", &r->snapshot_by, 1);
    tuf_repo_bump(r->root, 1);
    tuf_repo_publish_root(r);
    tuf_repo_publish(r);
}

/* The process dies before its n-th change of the store. True while there was one. */
static bool recovers_from_death(struct tuf_world *w, int n)
{
    bool died;

    tuf_repo_bump(w->repo->timestamp, 1000);
    tuf_repo_bump(w->repo->snapshot, 1000);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    publish_recovery(w->repo);
    w->repo->changes_left = n;
    died = tuf_world_refresh(w) < 0;
    w->repo->changes_left = -1;
    tuf_world_reopen(w);
    if (tuf_client_root_version(w->client) == 1) { /* all as it was */
        assert_int_equal(tuf_client_load(w->client, &w->err), 0);
        assert_int_equal(tuf_client_snapshot_version(w->client), 1001);
    }
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_trusted(w, "root.json"), 2);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 2);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 2);
    assert_null(json_object_get(w->repo->trusted, "rotation"));
    return died;
}

static void test_rotation_cut_short_anywhere(void **state)
{
    bool died = true;
    int n;

    (void)state;
    for (n = 0; died; n++) {
        void *w;

        tuf_world_set_up(&w);
        died = recovers_from_death(w, n);
        tuf_world_tear_down(&w);
    }
    assert_true(n > 5); /* note, root, three removals, then timestamp and snapshot */
}

/* No process writes such a note, a bad disk may: the client goes on. */
static void test_damaged_rotation_note(void **state)
{
    static const char *const notes[] = {"", "x", "99999999999999999999",
                                        "0000000000000000000000000000000000000000"};
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        json_object_set_new(w->repo->trusted, "rotation", json_string(notes[i]));
        assert_int_equal(tuf_world_refresh(w), 0);
        assert_null(json_object_get(w->repo->trusted, "rotation"));
        assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 1);
    }
}

static void test_added_key_is_no_rotation(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_repo_role more = {2, {2, 6}};

    tuf_repo_bump(w->repo->timestamp, 5);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_set_role(w->repo, "timestamp", &more, 1);
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    tuf_repo_bump(w->repo->timestamp, -5);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_initial_root_must_verify_itself),
        T(test_init_twice_is_refused),
        T(test_root_chain),
        T(test_root_signed_by_new_keys_only),
        T(test_root_signed_by_old_keys_only),
        T(test_root_of_wrong_version),
        T(test_expired_new_root_is_kept_then_fails),
        T(test_endless_roots_are_bounded),
        T(test_forbidden_ends_the_chain_only),
        T(test_timestamp_key_rotation),
        T(test_snapshot_key_rotation),
        cmocka_unit_test(test_rotation_cut_short_anywhere),
        T(test_damaged_rotation_note),
        T(test_added_key_is_no_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
