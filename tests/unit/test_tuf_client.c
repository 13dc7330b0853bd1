/* tuf_client: first contact, requests and bytes against a repository in memory; without network,
 * without space, on disk. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

/* First contact, requests, bytes. */

static void test_first_refresh_and_download(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t;
    struct buf b;

    assert_int_equal(tuf_world_find(w), -ERR_UNAVAILABLE);
    assert_int_equal(tuf_client_load(w->client, &w->err), -ERR_NOT_FOUND);
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json 1.snapshot.json 1.targets.json");
    assert_int_equal(tuf_client_root_version(w->client), 1);
    assert_int_equal(tuf_client_snapshot_version(w->client), 1);
    assert_int_equal(tuf_client_expires_s(w->client), NOW + DAY);
    assert_int_equal(tuf_client_find(w->client, NOW, TUF_REPO_TARGET, &t, &w->err), 0);
    tuf_world_assert_requests(w, "1.content-crs.json");
    buf_init(&b, 4096);
    assert_int_equal(tuf_client_download(w->client, &t, &b, &w->err), 0);
    assert_string_equal(b.data, TUF_REPO_CONTENT);
    buf_release(&b);
    assert_int_equal(tuf_client_find(w->client, NOW, "content/crs/9.json", &t, &w->err),
                     -ERR_NOT_FOUND);
    assert_int_equal(tuf_client_find(w->client, NOW, "elsewhere", &t, &w->err), -ERR_NOT_FOUND);
}

static void test_unchanged_asks_for_root_and_timestamp_only(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json");
}

static void test_bytes_are_stored_exactly(void **state)
{
    static const char *const names[][2] = {
        {"metadata/1.root.json", "root.json"},
        {"metadata/timestamp.json", "timestamp.json"},
        {"metadata/1.snapshot.json", "snapshot.json"},
        {"metadata/1.targets.json", "targets.json"},
        {"metadata/1.content-crs.json", "content-crs.json"},
    };
    struct tuf_world *w = *state;

    json_object_set_new(w->repo->timestamp, "x-unknown", json_pack("[{s:n}]", "deep"));
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(json_equal(json_object_get(w->repo->files, names[i][0]),
                               json_object_get(w->repo->trusted, names[i][1])));
    assert_int_equal(json_object_size(w->repo->trusted), 5);
}

static void test_changed_content_is_fetched(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    tuf_world_publish_next(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    tuf_world_assert_requests(w, "2.root.json timestamp.json 2.snapshot.json 2.content-crs.json");
}

static void test_without_consistent_snapshots(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t;
    struct buf b;

    json_object_set_new(w->repo->root, "consistent_snapshot", json_false());
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    json_object_del(w->repo->root, "consistent_snapshot"); /* left out: an old root, without */
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    json_object_set(w->repo->files, "metadata/snapshot.json",
                    json_object_get(w->repo->files, "metadata/1.snapshot.json"));
    json_object_set(w->repo->files, "metadata/targets.json",
                    json_object_get(w->repo->files, "metadata/1.targets.json"));
    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_assert_requests(w, "2.root.json 3.root.json 4.root.json timestamp.json snapshot.json "
                                 "targets.json");
    json_object_set(w->repo->files, "metadata/content-crs.json",
                    json_object_get(w->repo->files, "metadata/1.content-crs.json"));
    assert_int_equal(tuf_client_find(w->client, NOW, TUF_REPO_TARGET, &t, &w->err), 0);
    json_object_set_new(w->repo->files, "targets/" TUF_REPO_TARGET, json_string(TUF_REPO_CONTENT));
    buf_init(&b, 4096);
    assert_int_equal(tuf_client_download(w->client, &t, &b, &w->err), 0);
    tuf_world_assert_requests(w, "content-crs.json targets/" TUF_REPO_TARGET);
    buf_release(&b);
}

/* Without network, without space, on disk. */

static void test_expired_metadata_still_loads(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t;

    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    tuf_world_reopen(w);
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW + 999 * DAY, TUF_REPO_TARGET, &t, &w->err), 0);
    tuf_world_assert_requests(w, "");
}

static void test_full_disk_keeps_the_old_state(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    tuf_world_publish_next(w);
    w->repo->put_fails = -ERR_FULL;
    assert_int_equal(tuf_world_refresh(w), -ERR_FULL);
    assert_int_equal(tuf_world_trusted(w, "timestamp.json"), 1);
    w->repo->put_fails = 0;
    tuf_world_reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_snapshot_version(w->client), 2);
}

/* The repository written out, and trusted files in a directory. */
static void test_directories(void **state)
{
    struct tuf_world *w = *state;
    char repo[] = "/tmp/fb-tuf-XXXXXX", trust[128];
    struct tuf_fetch fetch;
    struct tuf_store store;
    const char *path;
    struct buf b;
    json_t *o;

    assert_non_null(mkdtemp(repo));
    snprintf(trust, sizeof trust, "%s/trust", repo);
    assert_int_equal(file_mkdir_p(trust, 0755, &w->err), 0);
    json_object_foreach (w->repo->files, path, o) {
        _cleanup_(free_p)
        char *full = path_join(repo, path);
        char *slash = strrchr(full, '/');

        *slash = '\0';
        assert_int_equal(file_mkdir_p(full, 0755, &w->err), 0);
        *slash = '/';
        assert_int_equal(
            file_write_durable(full, json_string_value(o), json_string_length(o), 0644, &w->err),
            0);
    }
    fetch = tuf_fetch_dir(repo);
    store = tuf_store_dir(trust);
    w->fetch = fetch;
    w->store = store;
    tuf_world_trust_root_1(w);
    tuf_world_reopen(w);
    assert_int_equal(tuf_client_refresh(w->client, NOW, &w->err), 0);
    assert_int_equal(tuf_world_find(w), 0);
    tuf_world_reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_world_find(w), 0);
    buf_init(&b, 65536);
    assert_int_equal(fetch.get(fetch.ctx, "metadata/../trust/root.json", &b, &w->err),
                     -ERR_BAD_PATH);
    assert_int_equal(fetch.get(fetch.ctx, "/etc/passwd", &b, &w->err), -ERR_BAD_PATH);
    assert_int_equal(store.get(store.ctx, "../x", &b, &w->err), -ERR_INTERNAL);
    assert_int_equal(store.remove(store.ctx, "root.json", &w->err), 0);
    assert_int_equal(store.remove(store.ctx, "root.json", &w->err), 0);
    assert_int_equal(store.get(store.ctx, "root.json", &b, &w->err), -ERR_NOT_FOUND);
    buf_release(&b);
    assert_int_equal(file_remove_tree(repo, &w->err), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_first_refresh_and_download),    T(test_unchanged_asks_for_root_and_timestamp_only),
        T(test_bytes_are_stored_exactly),      T(test_changed_content_is_fetched),
        T(test_without_consistent_snapshots),  T(test_expired_metadata_still_loads),
        T(test_full_disk_keeps_the_old_state), T(test_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
