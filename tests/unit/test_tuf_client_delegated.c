/* tuf_client: delegated roles by name: as a search would load them, and bytes from anywhere. */
#include "cmocka_all.h"

#include <string.h>

#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

static void test_loads_as_a_search_does(void **state)
{
    struct tuf_world *w = *state;
    const struct metadata *m = NULL, *again = NULL;

    assert_int_equal(tuf_client_delegated(w->client, NOW, TUF_REPO_ROLE, &m, &w->err),
                     -ERR_UNAVAILABLE);
    assert_int_equal(tuf_world_refresh(w), 0);
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_delegated(w->client, NOW, TUF_REPO_ROLE, &m, &w->err), 0);
    assert_int_equal(m->version, 1);
    tuf_world_assert_requests(w, "1.content-crs.json");
    assert_int_equal(tuf_world_trusted(w, "content-crs.json"), 1);
    assert_int_equal(tuf_client_delegated(w->client, NOW, TUF_REPO_ROLE, &again, &w->err), 0);
    assert_ptr_equal(again, m);
    tuf_world_assert_requests(w, "");
}

static void test_role_that_nobody_lists(void **state)
{
    struct tuf_world *w = *state;
    const struct metadata *m = NULL;

    json_object_del(json_object_get(w->repo->snapshot, "meta"), "content-crs.json");
    tuf_repo_put(w->repo, "metadata/1.snapshot.json", w->repo->snapshot, &w->repo->snapshot_by,
                 NULL);
    metadata_set_ref(w->repo->timestamp, "snapshot.json", 1, NULL, 0);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_delegated(w->client, NOW, TUF_REPO_ROLE, &m, &w->err),
                     -ERR_NOT_FOUND);
    assert_int_equal(tuf_client_delegated(w->client, NOW, "content-other", &m, &w->err),
                     -ERR_NOT_FOUND);
    assert_null(m);
}

static void test_role_must_be_signed_by_its_delegation(void **state)
{
    struct tuf_world *w = *state;
    const struct metadata *m = NULL;

    w->repo->content_by.n = 1;
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_delegated(w->client, NOW, TUF_REPO_ROLE, &m, &w->err),
                     -ERR_UNDERSIGNED);
    assert_null(m);
}

/* A newer file than the snapshot lists, and an expired one, from anywhere. */
static void test_bytes_are_verified_without_the_snapshot(void **state)
{
    struct tuf_world *w = *state;
    struct metadata *m = NULL;
    struct buf raw;

    buf_init(&raw, TUF_TARGETS_MAX);
    tuf_repo_bump(w->repo->content, 41);
    tuf_repo_expire(w->repo->content, NOW - DAY);
    tuf_repo_put(w->repo, "metadata/content-crs.json", w->repo->content, &w->repo->content_by,
                 &raw);
    assert_int_equal(
        tuf_client_verify_delegated(w->client, TUF_REPO_ROLE, raw.data, raw.len, &m, &w->err),
        -ERR_UNAVAILABLE);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(
        tuf_client_verify_delegated(w->client, TUF_REPO_ROLE, raw.data, raw.len, &m, &w->err), 0);
    assert_int_equal(m->version, 42);
    metadata_free(m);
    m = NULL;
    assert_int_equal(
        tuf_client_verify_delegated(w->client, "content-other", raw.data, raw.len, &m, &w->err),
        -ERR_NOT_FOUND);
    *strstr(raw.data, "\"version\":42") = ' ';
    assert_int_equal(
        tuf_client_verify_delegated(w->client, TUF_REPO_ROLE, raw.data, raw.len, &m, &w->err),
        -ERR_INVALID);
    buf_reset(&raw);
    w->repo->content_by.n = 1;
    tuf_repo_put(w->repo, "metadata/content-crs.json", w->repo->content, &w->repo->content_by,
                 &raw);
    assert_int_equal(
        tuf_client_verify_delegated(w->client, TUF_REPO_ROLE, raw.data, raw.len, &m, &w->err),
        -ERR_UNDERSIGNED);
    assert_null(m);
    assert_int_equal(tuf_world_trusted(w, "content-crs.json"), 0); /* nothing is stored */
    buf_release(&raw);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_loads_as_a_search_does),
        T(test_role_that_nobody_lists),
        T(test_role_must_be_signed_by_its_delegation),
        T(test_bytes_are_verified_without_the_snapshot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
