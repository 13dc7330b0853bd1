/* tuf_client: targets and delegations, and hostile bytes and names among them. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "tuf_world.h"

#define NOW TUF_REPO_NOW
#define DAY TUF_REPO_DAY

static void test_under_signed_targets_and_content(void **state)
{
    struct tuf_world *w = *state;

    w->repo->content_by.n = 1;
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), -ERR_UNDERSIGNED);
    assert_int_equal(tuf_world_trusted(w, "content-crs.json"), 0);
    w->repo->targets_by.n = 1;
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), -ERR_UNDERSIGNED);
    assert_int_equal(tuf_world_trusted(w, "targets.json"), 1);
}

static void delegate(json_t *targets, struct tuf_world *w, const char *role, const char *path,
                     int by)
{
    const struct key *key[] = {signer_key(w->repo->signers[by])};

    assert_int_equal(metadata_targets_delegate(targets, role, &path, 1, key, 1, 1), 0);
}

static void test_cached_role_is_verified_by_its_current_delegator(void **state)
{
    struct tuf_world *w = *state;

    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), 0);
    /* the delegation moves to another key; the role's file stays as it is */
    delegate(w->repo->targets, w, TUF_REPO_ROLE, "content/crs/*", 7);
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_world_find(w), -ERR_UNDERSIGNED);
}

/* Publish the bodies with further delegated roles, signed by signer `by`. */
static void publish_roles(struct tuf_world *w, const char *const *names, json_t *const *bodies,
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
    struct tuf_world *w = *state;
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
    assert_int_equal(tuf_world_refresh(w), 0);
    json_array_clear(w->repo->requests);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    assert_int_equal(t.length, 1); /* b, below a, comes before c */
    tuf_world_assert_requests(w, "1.a.json 1.b.json");
    assert_int_equal(tuf_client_find(w->client, NOW, "x/2", &t, &w->err), 0);
    assert_int_equal(t.length, 3);
    /* now a ends the search */
    json_object_set_new(json_array_get(roles, 1), "terminating", json_true());
    tuf_repo_bump(w->repo->targets, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    publish_roles(w, names, bodies, 3, 7);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/2", &t, &w->err), -ERR_NOT_FOUND);
    for (size_t i = 0; i < 3; i++)
        json_decref(bodies[i]);
}

/* Two roles delegate to one, for other paths and to other keys. */
static void test_role_in_memory_is_verified_by_each_delegator(void **state)
{
    static const char *const names[] = {"a", "b", "shared"};
    struct tuf_world *w = *state;
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
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "y/1", &t, &w->err), -ERR_UNDERSIGNED);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/1", &t, &w->err), 0);
    for (size_t i = 0; i < 3; i++)
        json_decref(bodies[i]);
}

static void test_long_chain_of_delegations_is_bounded(void **state)
{
    struct tuf_world *w = *state;
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
    metadata_targets_add(bodies[31], "x/31", "", 0, NULL); /* the 32nd delegation */
    metadata_targets_add(bodies[32], "x/32", "", 0, NULL);
    publish_roles(w, names, bodies, 40, 7);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/31", &t, &w->err), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/32", &t, &w->err), -ERR_NOT_FOUND);
    for (int i = 0; i < 40; i++)
        json_decref(bodies[i]);
}

/* A small file that takes much memory. */
static json_t *dense_targets(void)
{
    json_t *o = metadata_new_targets(1, NOW + DAY), *list = json_array();

    for (int i = 0; i < 200000; i++)
        json_array_append_new(list, json_array());
    json_object_set_new(o, "x", list);
    return o;
}

/* A chain of ten, too much at once; each of them alone is none. */
static void test_memory_of_roles_is_bounded(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    const char *const both[] = {"x/*", "a/*"};
    struct tuf_world *w = *state;
    const struct key *key[] = {signer_key(w->repo->signers[7])};
    json_t *bodies[10];
    struct tuf_target t;
    char path[16];

    for (int i = 0; i < 10; i++) {
        bodies[i] = dense_targets();
        snprintf(path, sizeof path, "%s/*", names[i]);
        delegate(w->repo->targets, w, names[i], path, 7);
        if (i > 0)
            delegate(bodies[i - 1], w, names[i], "x/*", 7);
        snprintf(path, sizeof path, "%s/y", names[i]);
        metadata_targets_add(bodies[i], path, "", 0, NULL);
    }
    metadata_targets_delegate(w->repo->targets, "a", both, 2, key, 1, 1);
    publish_roles(w, names, bodies, 10, 7);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "x/y", &t, &w->err), -ERR_TOO_LARGE);
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "%s/y", names[i]);
        assert_int_equal(tuf_client_find(w->client, NOW, path, &t, &w->err), 0);
        json_decref(bodies[i]);
    }
}

static void test_role_names_are_quoted(void **state)
{
    static const char name[] = "../a/b?c#d%";
    struct tuf_world *w = *state;
    json_auto_t *body = metadata_new_targets(1, NOW + DAY);
    struct tuf_repo_role who = {1, {7}};
    struct tuf_target t;

    delegate(w->repo->targets, w, name, "q/*", 7);
    metadata_targets_add(body, "q/1", "", 0, NULL);
    tuf_repo_put(w->repo, "metadata/1...%2Fa%2Fb%3Fc%23d%25.json", body, &who, NULL);
    metadata_set_ref(w->repo->snapshot, "../a/b?c#d%.json", 1, NULL, 0);
    tuf_repo_publish(w->repo);
    assert_int_equal(tuf_world_refresh(w), 0);
    assert_int_equal(tuf_client_find(w->client, NOW, "q/1", &t, &w->err), 0);
    assert_int_equal(tuf_world_trusted(w, "..%2Fa%2Fb%3Fc%23d%25.json"), 1);
}

static void test_hostile_target_bytes(void **state)
{
    static const char *const bad[] = {"", "{\"release\":\"2.0\"}", TUF_REPO_CONTENT " "};
    struct tuf_world *w = *state;
    char path[TUF_TARGET_MAX];
    struct tuf_target t;
    struct buf b;

    assert_int_equal(tuf_world_refresh(w), 0);
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

#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_under_signed_targets_and_content),
        T(test_cached_role_is_verified_by_its_current_delegator),
        T(test_preorder_cycles_and_termination),
        T(test_role_in_memory_is_verified_by_each_delegator),
        T(test_long_chain_of_delegations_is_bounded),
        T(test_memory_of_roles_is_bounded),
        T(test_role_names_are_quoted),
        T(test_hostile_target_bytes),
        cmocka_unit_test(test_target_file_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
