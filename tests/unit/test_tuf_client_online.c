/* tuf_client: every way in which a mirror, a thief or a mistake may bend timestamp and snapshot. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

/* Timestamp. */

static void test_older_timestamp_is_refused(void **state)
{
    struct tuf_world *w = *state;

    tuf_world_publish_next(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, -1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
    tuf_world_assert_requests(w, "2.root.json timestamp.json");
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 2);
}

static void test_expired_local_timestamp_still_protects(void **state)
{
    struct tuf_world *w = *state;

    tuf_world_publish_next(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, -1);
    tuf_repo_expire(w->repo->timestamp, NOW + 9 * DAY);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh_at(w, NOW + 2 * DAY), -ERR_ROLLBACK);
}

static void test_frozen_timestamp_expires(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_refresh_at(w, NOW + DAY - 1), 0);
    assert_int_equal(tuf_world_refresh_at(w, NOW + DAY), -ERR_EXPIRED);
    tuf_world_assert_requests(w, "2.root.json timestamp.json");
}

static void test_new_expired_timestamp_is_not_stored(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_expire(w->repo->timestamp, NOW);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_EXPIRED);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 1);
}

static void test_timestamp_naming_older_snapshot(void **state)
{
    struct tuf_world *w = *state;

    tuf_world_publish_next(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->snapshot, -1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
    tuf_world_assert_requests(w, "2.root.json timestamp.json");
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 2);
}

static void test_equal_timestamp_completes_what_is_missing(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    json_object_del(w->repo->trusted, "snapshot.json");
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json 1.snapshot.json");
    json_object_set_new(w->repo->trusted, "targets.json", json_string("garbage"));
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json 1.targets.json");
}

static void test_equal_timestamp_of_other_bytes_is_dropped(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *before = NULL;

    assert_int_equal(tuf_world_refresh(w), 0);
    before = json_deep_copy(w->repo->trusted);
    tuf_repo_expire(w->repo->timestamp, NOW + 9 * DAY);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_true(json_equal(before, w->repo->trusted));
    assert_int_equal(tuf_client_expires_s(w->client), NOW + DAY);
}

/* The same version cannot be fresher: nothing is asked for, and nothing expired is used. */
static void test_equal_timestamp_over_what_expired(void **state)
{
    static const char *const names[] = {"snapshot", "targets"};
    struct tuf_world *w = *state;
    json_t *bodies[] = {w->repo->snapshot, w->repo->targets};

    for (size_t i = 0; i < 2; i++) {
        tuf_repo_expire(w->repo->root, NOW + 99 * DAY);
        tuf_repo_expire(w->repo->timestamp, NOW + 99 * DAY);
        tuf_repo_expire(w->repo->snapshot, NOW + 99 * DAY);
        tuf_repo_expire(w->repo->targets, NOW + 99 * DAY);
        tuf_repo_expire(bodies[i], NOW + DAY);
        tuf_repo_bump(w->repo->root, 1);
        tuf_repo_bump(w->repo->targets, 1);
        tuf_repo_bump(w->repo->snapshot, 1);
        tuf_repo_bump(w->repo->timestamp, 1);
        tuf_repo_publish_root(w->repo);
        tuf_repo_publish(w->repo);
        assert_int_equal(tuf_world_refresh(w), 0);
        assert_int_equal(tuf_world_refresh_at(w, NOW + DAY), -ERR_EXPIRED);
        assert_non_null(strstr(w->err.msg, names[i]));
        tuf_world_assert_requests(w,
                                  i ? "4.root.json timestamp.json" : "3.root.json timestamp.json");
    }
}

/* Numbers at the edges of what readers of JSON can carry, all correctly signed. */
static void test_edge_versions_of_timestamp(void **state)
{
    static const json_int_t bad[] = {0,         -1,        (INT64_C(1) << 53) + 1,
                                     INT64_MAX, INT64_MIN, -(INT64_C(1) << 53)};
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_object_set_new(w->repo->timestamp, "version", json_integer(bad[i]));
        tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                     NULL);
        assert_int_equal(tuf_world_refresh(w), -ERR_INVALID);
    }
    /* past 64 bits: no signature over it can be made here, and it is refused before that matters */
    json_object_set_new(w->repo->files, "metadata/timestamp.json",
                        json_string("{\"signatures\":[],\"signed\":{\"_type\":\"timestamp\","
                                    "\"version\":18446744073709551617}}"));
    assert_int_equal(tuf_world_refresh(w), -ERR_INVALID);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 1);
    json_object_set_new(w->repo->timestamp, "version", json_integer(INT64_C(1) << 53));
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), INT64_C(1) << 53);
}

static void test_timestamp_by_wrong_key(void **state)
{
    struct tuf_world *w = *state;

    w->repo->timestamp_by.signers[0] = 7;
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_UNDERSIGNED);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 0);
}

static void test_duplicate_key_id_refuses(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *e = json_loads(
        json_string_value(json_object_get(w->repo->files, "metadata/timestamp.json")), 0, NULL);
    json_t *list = json_object_get(e, "signatures");
    struct buf b;

    json_array_append(list, json_array_get(list, 0));
    buf_init(&b, 65536);
    assert_int_equal(envelope_dump(e, &b, &w->err), 0);
    json_object_set_new(w->repo->files, "metadata/timestamp.json", json_string(b.data));
    buf_release(&b);
    assert_int_equal(tuf_world_refresh(w), -ERR_UNTRUSTED);
}

static void test_missing_timestamp(void **state)
{
    struct tuf_world *w = *state;

    json_object_del(w->repo->files, "metadata/timestamp.json");
    assert_int_equal(tuf_world_refresh(w), -ERR_UNAVAILABLE);
}

/* Snapshot. */

static void test_snapshot_dropping_a_role(void **state)
{
    struct tuf_world *w = *state;
    struct buf b;

    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    json_object_del(json_object_get(w->repo->snapshot, "meta"), TUF_REPO_ROLE ".json");
    buf_init(&b, 65536);
    tuf_repo_put(w->repo, "metadata/2.snapshot.json", w->repo->snapshot, &w->repo->snapshot_by, &b);
    metadata_set_ref(w->repo->timestamp, "snapshot.json", 2, b.data, b.len);
    buf_release(&b);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
    assert_non_null(strstr(w->err.msg, "drops"));
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 1);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 2);
    /* what was trusted before still loads */
    tuf_world_reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_client_snapshot_version(w->client), 1);
}

static void test_snapshot_lowering_a_role(void **state)
{
    struct tuf_world *w = *state;

    tuf_world_publish_next(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->content, -1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_ROLLBACK);
    assert_non_null(strstr(w->err.msg, "back from 2 to 1"));
}

static void test_snapshot_tampered(void **state)
{
    struct tuf_world *w = *state;
    const json_t *old = json_object_get(w->repo->files, "metadata/1.snapshot.json");
    char *text = strdup(json_string_value(old));

    text[strlen(text) - 5] ^= 1;
    json_object_set_new(w->repo->files, "metadata/1.snapshot.json", json_string(text));
    assert_int_equal(tuf_world_refresh(w), -ERR_TAMPERED);
    text[strlen(text) - 5] ^= 1;
    text = realloc(text, strlen(text) + 2);
    strcat(text, " "); /* longer than the timestamp says */
    json_object_set_new(w->repo->files, "metadata/1.snapshot.json", json_string(text));
    assert_int_equal(tuf_world_refresh(w), -ERR_TOO_LARGE);
    free(text);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 0);
}

/* Mix and match: a snapshot or targets of another version under the listed name, hashes not given.
 */
static void test_other_version_than_listed(void **state)
{
    struct tuf_world *w = *state;

    metadata_set_ref(w->repo->timestamp, "snapshot.json", 2, NULL, 0);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    tuf_repo_put(w->repo, "metadata/2.snapshot.json", w->repo->snapshot, &w->repo->snapshot_by,
                 NULL);
    assert_int_equal(tuf_world_refresh(w), -ERR_TAMPERED);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 0);
}

/* The stored snapshot has the listed version, but not the listed bytes. */
static void test_snapshot_of_same_version_but_other_hash(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    json_object_set_new(w->repo->snapshot, "x-changed", json_true());
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json 1.snapshot.json");
}

static void test_stored_snapshot_expires(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_expire(w->repo->timestamp, NOW + 99 * DAY);
    tuf_repo_expire(w->repo->root, NOW + 99 * DAY);
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    assert_int_equal(tuf_world_refresh_at(w, NOW + 31 * DAY), -ERR_EXPIRED);
    assert_non_null(strstr(w->err.msg, "snapshot"));
}

static void test_expired_snapshot_and_targets(void **state)
{
    struct tuf_world *w = *state;

    tuf_repo_expire(w->repo->targets, NOW);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_EXPIRED);
    assert_int_equal(tuf_world_trusted(w, "targets.json"), 0);
    tuf_repo_expire(w->repo->snapshot, NOW);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_EXPIRED);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_older_timestamp_is_refused),
        T(test_expired_local_timestamp_still_protects),
        T(test_frozen_timestamp_expires),
        T(test_new_expired_timestamp_is_not_stored),
        T(test_timestamp_naming_older_snapshot),
        T(test_equal_timestamp_completes_what_is_missing),
        T(test_equal_timestamp_of_other_bytes_is_dropped),
        T(test_equal_timestamp_over_what_expired),
        T(test_edge_versions_of_timestamp),
        T(test_timestamp_by_wrong_key),
        T(test_duplicate_key_id_refuses),
        T(test_missing_timestamp),
        T(test_snapshot_dropping_a_role),
        T(test_snapshot_lowering_a_role),
        T(test_snapshot_tampered),
        T(test_other_version_than_listed),
        T(test_snapshot_of_same_version_but_other_hash),
        T(test_stored_snapshot_expires),
        T(test_expired_snapshot_and_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
