/* tuf_client: hashes of any kind, bins by hash, and role names that no file system would take. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

/* of "abc": FIPS 180-2, examples */
#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* The target "abc" with these hashes (stolen) in the top-level targets; refreshed and found. */
static struct tuf_target publish_abc(struct tuf_world *w, json_t *hashes)
{
    json_t *targets = json_object_get(w->repo->targets, "targets");
    struct tuf_target t;

    json_object_set_new(targets, "x/abc", json_pack("{s:i, s:o}", "length", 3, "hashes", hashes));
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/abc", &t, &w->err), 0);
    json_array_clear(w->repo->requests);
    return t;
}

static void put_abc(struct tuf_world *w, const char *hash)
{
    char path[256];

    snprintf(path, sizeof path, "targets/x/%s.abc", hash);
    json_object_set_new(w->repo->files, path, json_string("abc"));
}

static int download(struct tuf_world *w, const struct tuf_target *t)
{
    struct buf b;
    int r;

    buf_init(&b, 64);
    r = tuf_client_download(w->client, t, &b, &w->err);
    assert_string_equal(b.data, r == 0 ? "abc" : "");
    buf_release(&b);
    return r;
}

static void test_target_with_sha512_only(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t = publish_abc(w, json_pack("{s:s}", "sha512", ABC_512));

    assert_string_equal(t.sha256, "");
    put_abc(w, ABC_512);
    assert_int_equal(download(w, &t), 0);
    tuf_world_assert_requests(w, "targets/x/" ABC_512 ".abc");
    t.sha512[0] = '0';
    put_abc(w, t.sha512);
    assert_int_equal(download(w, &t), -ERR_TAMPERED);
}

static void test_either_hash_may_name_the_file(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t =
        publish_abc(w, json_pack("{s:s, s:s, s:s}", "sha256", ABC_256, "sha512", ABC_512, "later",
                                 "a hash that nobody knows yet"));

    assert_int_equal(download(w, &t), -ERR_NOT_FOUND);
    tuf_world_assert_requests(w, "targets/x/" ABC_256 ".abc targets/x/" ABC_512 ".abc");
    put_abc(w, ABC_512);
    assert_int_equal(download(w, &t), 0);
    tuf_world_assert_requests(w, "targets/x/" ABC_256 ".abc targets/x/" ABC_512 ".abc");
    put_abc(w, ABC_256);
    assert_int_equal(download(w, &t), 0);
    tuf_world_assert_requests(w, "targets/x/" ABC_256 ".abc");
}

static void test_all_known_hashes_must_match(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t =
        publish_abc(w, json_pack("{s:s, s:s}", "sha256", ABC_256, "sha512", ABC_512));

    put_abc(w, ABC_256);
    t.sha512[127] = '0';
    assert_int_equal(download(w, &t), -ERR_TAMPERED);
}

static void test_target_with_unknown_hashes_only(void **state)
{
    struct tuf_world *w = *state;
    struct tuf_target t = publish_abc(w, json_pack("{s:s}", "later", ABC_256));

    put_abc(w, ABC_256);
    assert_int_equal(download(w, &t), -ERR_INVALID);
    tuf_world_assert_requests(w, "");
}

/* Publish with these hashes (stolen) of snapshot version 1 in the timestamp. */
static int refresh_with_listed(struct tuf_world *w, json_t *hashes)
{
    json_t *meta = json_object_get(w->repo->timestamp, "meta");

    json_object_set_new(meta, "snapshot.json",
                        json_pack("{s:i, s:o}", "version", 1, "hashes", hashes));
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    return tuf_world_refresh(w);
}

static void test_listed_files_by_other_hashes(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(refresh_with_listed(w, json_pack("{s:s}", "sha512", ABC_512)), -ERR_TAMPERED);
    assert_int_equal(refresh_with_listed(w, json_pack("{s:s}", "later", "00")), -ERR_INVALID);
    assert_int_equal(refresh_with_listed(w, json_pack("{s:s}", "sha512", "00")), -ERR_INVALID);
    assert_int_equal(tuf_world_trusted(w, "snapshot.json"), 0);
}

/* Bins. */

static void delegate_to_bins(struct tuf_world *w, int bits, const char *prefix, int by)
{
    const struct key *key = signer_key(w->repo->signers[by]);
    json_auto_t *keys = json_object();

    json_object_set_new(keys, key_id(key), key_to_json(key));
    json_object_set_new(w->repo->targets, "delegations",
                        json_pack("{s:O, s:{s:[s], s:i, s:i, s:s}}", "keys", keys, "succinct_roles",
                                  "keyids", key_id(key), "threshold", 1, "bit_length", bits,
                                  "name_prefix", prefix));
}

static void publish_bin(struct tuf_world *w, const char *name, json_t *body, int by)
{
    struct tuf_repo_role who = {1, {by}};
    char path[700];

    snprintf(path, sizeof path, "metadata/1.%s.json", name);
    tuf_repo_put(w->repo, path, body, &who, NULL);
    snprintf(path, sizeof path, "%s.json", name);
    metadata_set_ref(w->repo->snapshot, path, 1, NULL, 0);
}

static void test_succinct_bins(void **state)
{
    static const struct {
        int bits;
        const char *role;
    } rows[] = {{1, "bin-1"}, {4, "bin-b"}, {5, "bin-17"}, {9, "bin-174"}, {32, "bin-ba7816bf"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_auto_t *body = metadata_new_targets(1, NOW + DAY);
        struct tuf_target t;
        struct tuf_world *w;
        char want[64];
        void *world;

        tuf_world_set_up(&world);
        w = world;
        metadata_targets_add(body, "abc", "abc", 3, NULL);
        delegate_to_bins(w, rows[i].bits, "bin", 7);
        publish_bin(w, rows[i].role, body, 7);
        tuf_repo_publish(w->repo);
        assert_int_equal(tuf_world_refresh(w), 0);
        json_array_clear(w->repo->requests);
        assert_int_equal(tuf_client_find(w->client, NOW, "abc", &t, &w->err), 0);
        snprintf(want, sizeof want, "1.%s.json", rows[i].role);
        tuf_world_assert_requests(w, want);
        tuf_world_tear_down(&world);
    }
}

static void test_bins_are_signed_by_their_keys(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *body = metadata_new_targets(1, NOW + DAY);
    struct tuf_target t;

    metadata_targets_add(body, "abc", "abc", 3, NULL);
    delegate_to_bins(w, 4, "bin", 7);
    publish_bin(w, "bin-b", body, 6);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "abc", &t, &w->err), -ERR_UNDERSIGNED);
    /* another bin, which nobody has published */
    assert_int_equal(tuf_client_find(w->client, NOW, "abd", &t, &w->err), -ERR_INVALID);
}

/* Names. */

static void test_long_role_name_in_a_directory(void **state)
{
    struct tuf_world *w = *state;
    const struct key *key[] = {signer_key(w->repo->signers[7])};
    json_auto_t *body = metadata_new_targets(1, NOW + DAY);
    char dir[] = "/tmp/fb-names-XXXXXX", name[TUF_ROLE_NAME_MAX], quoted[3 * TUF_ROLE_NAME_MAX];
    struct tuf_repo_role who = {1, {7}};
    char path[3 * TUF_ROLE_NAME_MAX + 32];
    const char *pattern = "q/*";
    struct tuf_target t;

    assert_non_null(mkdtemp(dir));
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof name - 1; i++)
        memcpy(quoted + 3 * i, "%2F", 4);
    metadata_targets_add(body, "q/1", "", 0, NULL);
    assert_int_equal(metadata_targets_delegate(w->repo->targets, name, &pattern, 1, key, 1, 1), 0);
    snprintf(path, sizeof path, "metadata/1.%s.json", quoted);
    tuf_repo_put(w->repo, path, body, &who, NULL);
    snprintf(path, sizeof path, "%s.json", name);
    metadata_set_ref(w->repo->snapshot, path, 1, NULL, 0);
    tuf_repo_publish(w->repo);
    w->store = tuf_store_dir(dir);
    tuf_world_trust_root_1(w);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "q/1", &t, &w->err), 0);
    assert_int_equal(tuf_world_refresh(w), 0); /* and from the directory */
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_find(w->client, NOW, "q/1", &t, &w->err), 0);
    tuf_world_assert_requests(w, "");
    file_remove_tree(dir, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_target_with_sha512_only),       T(test_either_hash_may_name_the_file),
        T(test_all_known_hashes_must_match),   T(test_target_with_unknown_hashes_only),
        T(test_listed_files_by_other_hashes),  cmocka_unit_test(test_succinct_bins),
        T(test_bins_are_signed_by_their_keys), T(test_long_role_name_in_a_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
