/* tuf_client: the whole workflow against a repository in memory, and every way in which a mirror,
 * a thief or a mistake may bend it. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tuf_repo.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

/* One client over one repository. */
struct world {
    struct tuf_repo *repo;
    struct tuf_store store;
    struct tuf_fetch fetch;
    struct tuf_client *client;
    struct buf text;
    struct err err;
};

static void trust_root_1(struct world *w)
{
    const json_t *o = json_object_get(w->repo->files, "metadata/1.root.json");

    assert_int_equal(
        tuf_client_init(&w->store, json_string_value(o), json_string_length(o), &w->err), 0);
}

static void reopen(struct world *w)
{
    tuf_client_free(w->client);
    w->client = NULL;
    assert_int_equal(tuf_client_new(&w->store, &w->fetch, &w->client, &w->err), 0);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->repo = tuf_repo_new();
    w->store = tuf_repo_store(w->repo);
    w->fetch = tuf_repo_fetch(w->repo);
    buf_init(&w->text, 65536);
    trust_root_1(w);
    reopen(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    tuf_client_free(w->client);
    tuf_repo_free(w->repo);
    buf_release(&w->text);
    free(w);
    return 0;
}

/* A refresh by a new process, and what it asked for. */
static int refresh_at(struct world *w, int64_t now_s)
{
    reopen(w);
    json_array_clear(w->repo->requests);
    w->err = (struct err){0};
    return tuf_client_refresh(w->client, now_s, &w->err);
}

static int refresh(struct world *w)
{
    return refresh_at(w, NOW);
}

static void assert_requests(struct world *w, const char *want)
{
    assert_string_equal(tuf_repo_requests(w->repo, &w->text), want);
}

/* Version of a trusted file; 0 where there is none. */
static int64_t trusted(struct world *w, const char *name)
{
    const char *text = json_string_value(json_object_get(w->repo->trusted, name));
    json_auto_t *o = text ? json_loads(text, 0, NULL) : NULL;

    return json_integer_value(json_object_get(json_object_get(o, "signed"), "version"));
}

static int find(struct world *w)
{
    struct tuf_target t;

    return tuf_client_find(w->client, NOW, TUF_REPO_TARGET, &t, &w->err);
}

/* A change of content, published up to the timestamp. */
static void publish_next(struct world *w)
{
    tuf_repo_bump(w->repo->content, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
}

/* First contact, requests, bytes. */

static void test_first_refresh_and_download(void **state)
{
    struct world *w = *state;
    struct tuf_target t;
    struct buf b;

    assert_int_equal(find(w), -ERR_UNAVAILABLE);
    assert_int_equal(tuf_client_load(w->client, &w->err), -ERR_NOT_FOUND);
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json timestamp.json 1.snapshot.json 1.targets.json");
    assert_int_equal(tuf_client_root_version(w->client), 1);
    assert_int_equal(tuf_client_snapshot_version(w->client), 1);
    assert_int_equal(tuf_client_expires_s(w->client), NOW + DAY);
    assert_int_equal(tuf_client_find(w->client, NOW, TUF_REPO_TARGET, &t, &w->err), 0);
    assert_requests(w, "1.content-crs.json");
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
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    assert_requests(w, "2.root.json timestamp.json");
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
    struct world *w = *state;

    json_object_set_new(w->repo->timestamp, "x-unknown", json_pack("[{s:n}]", "deep"));
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(json_equal(json_object_get(w->repo->files, names[i][0]),
                               json_object_get(w->repo->trusted, names[i][1])));
    assert_int_equal(json_object_size(w->repo->trusted), 5);
}

static void test_changed_content_is_fetched(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    publish_next(w);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    assert_requests(w, "2.root.json timestamp.json 2.snapshot.json 2.content-crs.json");
}

static void test_without_consistent_snapshots(void **state)
{
    struct world *w = *state;

    json_object_set_new(w->repo->root, "consistent_snapshot", json_false());
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    json_object_set(w->repo->files, "metadata/snapshot.json",
                    json_object_get(w->repo->files, "metadata/1.snapshot.json"));
    json_object_set(w->repo->files, "metadata/targets.json",
                    json_object_get(w->repo->files, "metadata/1.targets.json"));
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json 3.root.json timestamp.json snapshot.json targets.json");
}

/* Root. */

static void test_initial_root_must_verify_itself(void **state)
{
    struct world *w = *state;
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
    struct world *w = *state;
    const char *text = json_string_value(json_object_get(w->repo->files, "metadata/1.root.json"));

    assert_int_equal(tuf_client_init(&w->store, text, strlen(text), &w->err), -ERR_EXISTS);
}

static void rotate_root(struct world *w, int a, int b)
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
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    tuf_repo_expire(w->repo->root, NOW - DAY); /* expiry of those in between is not judged */
    rotate_root(w, 6, 7);
    rotate_root(w, 5, 6);
    tuf_repo_expire(w->repo->root, NOW + DAY);
    rotate_root(w, 0, 7);
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json 3.root.json 4.root.json 5.root.json timestamp.json");
    assert_int_equal(trusted(w, "root.json"), 4);
}

static void test_root_signed_by_new_keys_only(void **state)
{
    struct world *w = *state;
    struct tuf_repo_role thief = {2, {6, 7}};

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_set_role(w->repo, "root", &thief, 2);
    w->repo->root_by = thief;
    tuf_repo_publish_root(w->repo);
    assert_int_equal(refresh(w), -ERR_UNDERSIGNED);
    assert_requests(w, "2.root.json");
    assert_int_equal(trusted(w, "root.json"), 1);
}

static void test_root_signed_by_old_keys_only(void **state)
{
    struct world *w = *state;
    struct tuf_repo_role next = {2, {6, 7}};

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_set_role(w->repo, "root", &next, 2);
    tuf_repo_publish_root(w->repo);
    assert_int_equal(refresh(w), -ERR_UNDERSIGNED);
    assert_non_null(strstr(w->err.msg, "by its own keys"));
    assert_int_equal(trusted(w, "root.json"), 1);
}

static void test_root_of_wrong_version(void **state)
{
    static const int steps[] = {-1, 1};

    for (size_t i = 0; i < 2; i++) {
        struct world *w = *state;

        tuf_repo_bump(w->repo->root, 1);
        tuf_repo_publish_root(w->repo);
        tuf_repo_bump(w->repo->root, steps[i]);
        tuf_repo_put(w->repo, "metadata/2.root.json", w->repo->root, &w->repo->root_by, NULL);
        tuf_repo_bump(w->repo->root, -1 - steps[i]);
        assert_int_equal(refresh(w), -ERR_ROLLBACK);
        assert_int_equal(trusted(w, "root.json"), 1);
    }
}

static void test_expired_new_root_is_kept_then_fails(void **state)
{
    struct world *w = *state;

    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_expire(w->repo->root, NOW - 1);
    tuf_repo_publish_root(w->repo);
    assert_int_equal(refresh(w), -ERR_EXPIRED);
    assert_requests(w, "2.root.json 3.root.json");
    assert_int_equal(trusted(w, "root.json"), 2);
    assert_int_equal(find(w), -ERR_UNAVAILABLE);
}

static void test_endless_roots_are_bounded(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 258; i++) {
        tuf_repo_bump(w->repo->root, 1);
        tuf_repo_publish_root(w->repo);
    }
    assert_int_equal(refresh(w), 0);
    assert_int_equal(trusted(w, "root.json"), 257);
}

/* After rotation of online keys the old files do not count: fast-forward recovery. */
static void rotation_recovers(struct world *w, const char *role, struct tuf_repo_role *by)
{
    struct tuf_repo *r = w->repo;

    /* the stolen key runs ahead */
    tuf_repo_bump(r->timestamp, 1000);
    tuf_repo_bump(r->snapshot, 1000);
    tuf_repo_publish(r);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(trusted(w, "snapshot.json"), 1001);
    /* the owner goes on from where he was, with another key */
    tuf_repo_bump(r->timestamp, -999);
    tuf_repo_bump(r->snapshot, -999);
    *by = (struct tuf_repo_role){1, {6}};
    tuf_repo_set_role(r, role, by, 1);
    tuf_repo_bump(r->root, 1);
    tuf_repo_publish_root(r);
    tuf_repo_publish(r);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(trusted(w, "timestamp.json"), 2);
    assert_int_equal(trusted(w, "snapshot.json"), 2);
}

static void test_timestamp_key_rotation(void **state)
{
    struct world *w = *state;

    rotation_recovers(w, "timestamp", &w->repo->timestamp_by);
}

static void test_snapshot_key_rotation(void **state)
{
    struct world *w = *state;

    rotation_recovers(w, "snapshot", &w->repo->snapshot_by);
}

static void test_added_key_is_no_rotation(void **state)
{
    struct world *w = *state;
    struct tuf_repo_role more = {2, {2, 6}};

    tuf_repo_bump(w->repo->timestamp, 5);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    tuf_repo_set_role(w->repo, "timestamp", &more, 1);
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    tuf_repo_bump(w->repo->timestamp, -5);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_ROLLBACK);
}

/* Timestamp. */

static void test_older_timestamp_is_refused(void **state)
{
    struct world *w = *state;

    publish_next(w);
    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, -1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_ROLLBACK);
    assert_requests(w, "2.root.json timestamp.json");
    assert_int_equal(trusted(w, "timestamp.json"), 2);
}

static void test_expired_local_timestamp_still_protects(void **state)
{
    struct world *w = *state;

    publish_next(w);
    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, -1);
    tuf_repo_expire(w->repo->timestamp, NOW + 9 * DAY);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh_at(w, NOW + 2 * DAY), -ERR_ROLLBACK);
}

static void test_frozen_timestamp_expires(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(refresh_at(w, NOW + DAY - 1), 0);
    assert_int_equal(refresh_at(w, NOW + DAY), -ERR_EXPIRED);
    assert_requests(w, "2.root.json timestamp.json");
}

static void test_new_expired_timestamp_is_not_stored(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_expire(w->repo->timestamp, NOW);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_EXPIRED);
    assert_int_equal(trusted(w, "timestamp.json"), 1);
}

static void test_timestamp_naming_older_snapshot(void **state)
{
    struct world *w = *state;

    publish_next(w);
    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->snapshot, -1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_ROLLBACK);
    assert_requests(w, "2.root.json timestamp.json");
    assert_int_equal(trusted(w, "timestamp.json"), 2);
}

static void test_equal_timestamp_completes_what_is_missing(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    json_object_del(w->repo->trusted, "snapshot.json");
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json timestamp.json 1.snapshot.json");
    json_object_set_new(w->repo->trusted, "targets.json", json_string("garbage"));
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json timestamp.json 1.targets.json");
}

static void test_equal_timestamp_of_other_bytes_is_dropped(void **state)
{
    struct world *w = *state;
    json_auto_t *before = NULL;

    assert_int_equal(refresh(w), 0);
    before = json_deep_copy(w->repo->trusted);
    tuf_repo_expire(w->repo->timestamp, NOW + 9 * DAY);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_true(json_equal(before, w->repo->trusted));
    assert_int_equal(tuf_client_expires_s(w->client), NOW + DAY);
}

static void test_timestamp_by_wrong_key(void **state)
{
    struct world *w = *state;

    w->repo->timestamp_by.signers[0] = 7;
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_UNDERSIGNED);
    assert_int_equal(trusted(w, "timestamp.json"), 0);
}

static void test_duplicate_key_id_refuses(void **state)
{
    struct world *w = *state;
    json_auto_t *e = json_loads(
        json_string_value(json_object_get(w->repo->files, "metadata/timestamp.json")), 0, NULL);
    json_t *list = json_object_get(e, "signatures");
    struct buf b;

    json_array_append(list, json_array_get(list, 0));
    buf_init(&b, 65536);
    assert_int_equal(envelope_dump(e, &b, &w->err), 0);
    json_object_set_new(w->repo->files, "metadata/timestamp.json", json_string(b.data));
    buf_release(&b);
    assert_int_equal(refresh(w), -ERR_UNTRUSTED);
}

static void test_missing_timestamp(void **state)
{
    struct world *w = *state;

    json_object_del(w->repo->files, "metadata/timestamp.json");
    assert_int_equal(refresh(w), -ERR_UNAVAILABLE);
}

/* Snapshot. */

static void test_snapshot_dropping_a_role(void **state)
{
    struct world *w = *state;
    struct buf b;

    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    json_object_del(json_object_get(w->repo->snapshot, "meta"), TUF_REPO_ROLE ".json");
    buf_init(&b, 65536);
    tuf_repo_put(w->repo, "metadata/2.snapshot.json", w->repo->snapshot, &w->repo->snapshot_by, &b);
    metadata_set_ref(w->repo->timestamp, "snapshot.json", 2, b.data, b.len);
    buf_release(&b);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    assert_int_equal(refresh(w), -ERR_ROLLBACK);
    assert_non_null(strstr(w->err.msg, "drops"));
    assert_int_equal(trusted(w, "snapshot.json"), 1);
    assert_int_equal(trusted(w, "timestamp.json"), 2);
    /* what was trusted before still loads */
    reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_client_snapshot_version(w->client), 1);
}

static void test_snapshot_lowering_a_role(void **state)
{
    struct world *w = *state;

    publish_next(w);
    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->content, -1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_ROLLBACK);
    assert_non_null(strstr(w->err.msg, "back from 2 to 1"));
}

static void test_snapshot_tampered(void **state)
{
    struct world *w = *state;
    const json_t *old = json_object_get(w->repo->files, "metadata/1.snapshot.json");
    char *text = strdup(json_string_value(old));

    text[strlen(text) - 5] ^= 1;
    json_object_set_new(w->repo->files, "metadata/1.snapshot.json", json_string(text));
    assert_int_equal(refresh(w), -ERR_TAMPERED);
    text[strlen(text) - 5] ^= 1;
    text = realloc(text, strlen(text) + 2);
    strcat(text, " "); /* longer than the timestamp says */
    json_object_set_new(w->repo->files, "metadata/1.snapshot.json", json_string(text));
    assert_int_equal(refresh(w), -ERR_TOO_LARGE);
    free(text);
    assert_int_equal(trusted(w, "snapshot.json"), 0);
}

/* Mix and match: a snapshot or targets of another version under the listed name, hashes not given.
 */
static void test_other_version_than_listed(void **state)
{
    struct world *w = *state;

    metadata_set_ref(w->repo->timestamp, "snapshot.json", 2, NULL, 0);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    tuf_repo_put(w->repo, "metadata/2.snapshot.json", w->repo->snapshot, &w->repo->snapshot_by,
                 NULL);
    assert_int_equal(refresh(w), -ERR_TAMPERED);
    assert_int_equal(trusted(w, "snapshot.json"), 0);
}

/* The stored snapshot has the listed version, but not the listed bytes. */
static void test_snapshot_of_same_version_but_other_hash(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    json_object_set_new(w->repo->snapshot, "x-changed", json_true());
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_requests(w, "2.root.json timestamp.json 1.snapshot.json");
}

static void test_stored_snapshot_expires(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_expire(w->repo->timestamp, NOW + 99 * DAY);
    tuf_repo_expire(w->repo->root, NOW + 99 * DAY);
    tuf_repo_bump(w->repo->root, 1);
    tuf_repo_publish_root(w->repo);
    tuf_repo_put(w->repo, "metadata/timestamp.json", w->repo->timestamp, &w->repo->timestamp_by,
                 NULL);
    assert_int_equal(refresh_at(w, NOW + 31 * DAY), -ERR_EXPIRED);
    assert_non_null(strstr(w->err.msg, "snapshot"));
}

static void test_expired_snapshot_and_targets(void **state)
{
    struct world *w = *state;

    tuf_repo_expire(w->repo->targets, NOW);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_EXPIRED);
    assert_int_equal(trusted(w, "targets.json"), 0);
    tuf_repo_expire(w->repo->snapshot, NOW);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_EXPIRED);
    assert_int_equal(trusted(w, "snapshot.json"), 1);
}

/* Targets and delegations. */

static void test_under_signed_targets_and_content(void **state)
{
    struct world *w = *state;

    w->repo->content_by.n = 1;
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), -ERR_UNDERSIGNED);
    assert_int_equal(trusted(w, "content-crs.json"), 0);
    w->repo->targets_by.n = 1;
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), -ERR_UNDERSIGNED);
    assert_int_equal(trusted(w, "targets.json"), 1);
}

static void delegate(json_t *targets, struct world *w, const char *role, const char *path, int by)
{
    const struct key *key[] = {signer_key(w->repo->signers[by])};

    assert_int_equal(metadata_targets_delegate(targets, role, &path, 1, key, 1, 1), 0);
}

static void test_cached_role_is_verified_by_its_current_delegator(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    /* the delegation moves to another key; the role's file stays as it is */
    delegate(w->repo->targets, w, TUF_REPO_ROLE, "content/crs/*", 7);
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), -ERR_UNDERSIGNED);
}

/* Publish the bodies with further delegated roles, signed by signer `by`. */
static void publish_roles(struct world *w, const char *const *names, json_t *const *bodies,
                          size_t n, int by)
{
    struct tuf_repo_role who = {1, {by}};

    for (size_t i = 0; i < n; i++) {
        char path[128];

        snprintf(path, sizeof path, "metadata/1.%s.json", names[i]);
        tuf_repo_put(w->repo, path, bodies[i], &who, NULL);
        snprintf(path, sizeof path, "%s.json", names[i]);
        metadata_set_ref(w->repo->snapshot, path, 1, NULL, 0);
    }
    tuf_repo_publish(w->repo);
}

static void test_preorder_cycles_and_termination(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct world *w = *state;
    json_t *bodies[3], *roles;
    struct tuf_target t;

    for (size_t i = 0; i < 3; i++)
        bodies[i] = metadata_new_targets(1, NOW + DAY);
    delegate(w->repo->targets, w, "a", "x/*", 7);
    delegate(w->repo->targets, w, "c", "x/*", 7);
    delegate(bodies[0], w, "b", "x/*", 7);
    delegate(bodies[1], w, "a", "x/*", 7); /* a cycle */
    roles = json_object_get(json_object_get(w->repo->targets, "delegations"), "roles");
    json_object_set_new(json_array_get(roles, 1), "terminating", json_false());
    metadata_targets_add(bodies[1], "x/1", "b", 1, NULL);
    metadata_targets_add(bodies[2], "x/1", "ccc", 3, NULL);
    metadata_targets_add(bodies[2], "x/2", "ccc", 3, NULL);
    json_object_set_new(
        json_array_get(json_object_get(json_object_get(bodies[0], "delegations"), "roles"), 0),
        "terminating", json_false());
    json_object_set_new(
        json_array_get(json_object_get(json_object_get(bodies[1], "delegations"), "roles"), 0),
        "terminating", json_false());
    publish_roles(w, names, bodies, 3, 7);
    assert_int_equal(refresh(w), 0);
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    assert_int_equal(t.length, 1); /* b, below a, comes before c */
    assert_requests(w, "1.a.json 1.b.json");
    assert_int_equal(tuf_client_find(w->client, NOW, "x/2", &t, &w->err), 0);
    assert_int_equal(t.length, 3);
    /* now a ends the search */
    json_object_set_new(json_array_get(roles, 1), "terminating", json_true());
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    publish_roles(w, names, bodies, 3, 7);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/2", &t, &w->err), -ERR_NOT_FOUND);
    for (size_t i = 0; i < 3; i++)
        json_decref(bodies[i]);
}

/* Two roles delegate to one, for other paths and to other keys. */
static void test_role_in_memory_is_verified_by_each_delegator(void **state)
{
    static const char *const names[] = {"a", "b", "shared"};
    struct world *w = *state;
    struct tuf_target t;
    json_t *bodies[3];

    for (size_t i = 0; i < 3; i++)
        bodies[i] = metadata_new_targets(1, NOW + DAY);
    delegate(w->repo->targets, w, "a", "x/*", 7);
    delegate(w->repo->targets, w, "b", "y/*", 7);
    delegate(bodies[0], w, "shared", "x/*", 7);
    delegate(bodies[1], w, "shared", "y/*", 6);
    metadata_targets_add(bodies[2], "x/1", "", 0, NULL);
    metadata_targets_add(bodies[2], "y/1", "", 0, NULL);
    publish_roles(w, names, bodies, 3, 7);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "y/1", &t, &w->err), -ERR_UNDERSIGNED);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    for (size_t i = 0; i < 3; i++)
        json_decref(bodies[i]);
}

static void test_long_chain_of_delegations_is_bounded(void **state)
{
    struct world *w = *state;
    json_t *bodies[40];
    char text[40][8];
    const char *names[40];
    struct tuf_target t;

    for (int i = 0; i < 40; i++) {
        snprintf(text[i], sizeof text[i], "r%d", i);
        names[i] = text[i];
        bodies[i] = metadata_new_targets(1, NOW + DAY);
        delegate(i ? bodies[i - 1] : w->repo->targets, w, names[i], "x/*", 7);
    }
    metadata_targets_add(bodies[30], "x/30", "", 0, NULL); /* the 32nd with targets */
    metadata_targets_add(bodies[31], "x/31", "", 0, NULL);
    publish_roles(w, names, bodies, 40, 7);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/30", &t, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/31", &t, &w->err), -ERR_NOT_FOUND);
    for (int i = 0; i < 40; i++)
        json_decref(bodies[i]);
}

static void test_role_names_are_quoted(void **state)
{
    static const char name[] = "../a/b?c#d%";
    struct world *w = *state;
    json_auto_t *body = metadata_new_targets(1, NOW + DAY);
    struct tuf_repo_role who = {1, {7}};
    struct tuf_target t;

    delegate(w->repo->targets, w, name, "q/*", 7);
    metadata_targets_add(body, "q/1", "", 0, NULL);
    tuf_repo_put(w->repo, "metadata/1...%2Fa%2Fb%3Fc%23d%25.json", body, &who, NULL);
    metadata_set_ref(w->repo->snapshot, "../a/b?c#d%.json", 1, NULL, 0);
    tuf_repo_publish(w->repo);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "q/1", &t, &w->err), 0);
    assert_int_equal(trusted(w, "..%2Fa%2Fb%3Fc%23d%25.json"), 1);
}

static void test_hostile_target_bytes(void **state)
{
    static const char *const bad[] = {"", "{\"release\":\"2.0\"}", TUF_REPO_CONTENT " "};
    struct world *w = *state;
    char path[TUF_TARGET_MAX];
    struct tuf_target t;
    struct buf b;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, TUF_REPO_TARGET, &t, &w->err), 0);
    snprintf(path, sizeof path, "targets/content/crs/%s.1.0.json", t.sha256);
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_object_set_new(w->repo->files, path, json_string(bad[i]));
        assert_int_equal(tuf_client_download(w->client, &t, &b, &w->err),
                         i == 2 ? -ERR_TOO_LARGE : -ERR_TAMPERED);
        assert_int_equal(b.len, 0);
    }
    json_object_del(w->repo->files, path);
    assert_int_equal(tuf_client_download(w->client, &t, &b, &w->err), -ERR_NOT_FOUND);
    buf_release(&b);
    buf_init(&b, 3);
    assert_int_equal(tuf_client_download(w->client, &t, &b, &w->err), -ERR_TOO_LARGE);
    buf_release(&b);
}

static void test_target_file_names(void **state)
{
    static const char *const bad[] = {"", "/a", "a/", "a//b", "../a", "a/../b", "."};
    struct err err = {0};
    char file[64];

    (void)state;
    assert_int_equal(tuf_target_file("a/b/c.json", "00", file, sizeof file, &err), 0);
    assert_string_equal(file, "a/b/00.c.json");
    assert_int_equal(tuf_target_file("c", "00", file, sizeof file, &err), 0);
    assert_string_equal(file, "00.c");
    assert_int_equal(tuf_target_file("c", "00", file, 4, &err), -ERR_TOO_LARGE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(tuf_target_file(bad[i], "00", file, sizeof file, &err), -ERR_BAD_PATH);
}

/* Without network, without space, on disk. */

static void test_expired_metadata_still_loads(void **state)
{
    struct world *w = *state;
    struct tuf_target t;

    assert_int_equal(refresh(w), 0);
    assert_int_equal(find(w), 0);
    reopen(w);
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW + 999 * DAY, TUF_REPO_TARGET, &t, &w->err), 0);
    assert_requests(w, "");
}

static void test_full_disk_keeps_the_old_state(void **state)
{
    struct world *w = *state;

    assert_int_equal(refresh(w), 0);
    publish_next(w);
    w->repo->put_fails = -ERR_FULL;
    assert_int_equal(refresh(w), -ERR_FULL);
    assert_int_equal(trusted(w, "timestamp.json"), 1);
    w->repo->put_fails = 0;
    reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(refresh(w), 0);
    assert_int_equal(tuf_client_snapshot_version(w->client), 2);
}

/* The repository written out, and trusted files in a directory. */
static void test_directories(void **state)
{
    struct world *w = *state;
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
    trust_root_1(w);
    reopen(w);
    assert_int_equal(tuf_client_refresh(w->client, NOW, &w->err), 0);
    assert_int_equal(find(w), 0);
    reopen(w);
    assert_int_equal(tuf_client_load(w->client, &w->err), 0);
    assert_int_equal(find(w), 0);
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

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_first_refresh_and_download),
        T(test_unchanged_asks_for_root_and_timestamp_only),
        T(test_bytes_are_stored_exactly),
        T(test_changed_content_is_fetched),
        T(test_without_consistent_snapshots),
        T(test_initial_root_must_verify_itself),
        T(test_init_twice_is_refused),
        T(test_root_chain),
        T(test_root_signed_by_new_keys_only),
        T(test_root_signed_by_old_keys_only),
        T(test_root_of_wrong_version),
        T(test_expired_new_root_is_kept_then_fails),
        T(test_endless_roots_are_bounded),
        T(test_timestamp_key_rotation),
        T(test_snapshot_key_rotation),
        T(test_added_key_is_no_rotation),
        T(test_older_timestamp_is_refused),
        T(test_expired_local_timestamp_still_protects),
        T(test_frozen_timestamp_expires),
        T(test_new_expired_timestamp_is_not_stored),
        T(test_timestamp_naming_older_snapshot),
        T(test_equal_timestamp_completes_what_is_missing),
        T(test_equal_timestamp_of_other_bytes_is_dropped),
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
        T(test_under_signed_targets_and_content),
        T(test_cached_role_is_verified_by_its_current_delegator),
        T(test_preorder_cycles_and_termination),
        T(test_role_in_memory_is_verified_by_each_delegator),
        T(test_long_chain_of_delegations_is_bounded),
        T(test_role_names_are_quoted),
        T(test_hostile_target_bytes),
        cmocka_unit_test(test_target_file_names),
        T(test_expired_metadata_still_loads),
        T(test_full_disk_keeps_the_old_state),
        T(test_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
