/* repo_prune, repo_status: what is superseded goes and what is needed stays, in memory, in the
 * store and over a restart; what expires is told in time. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "repo/repo_internal.h"
#include "world.h"

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static int count_row(void *ctx, const struct row_metadata *row, struct err *err)
{
    (void)err;
    *(int *)ctx += strstr(row->name, "content-crs.json") || strstr(row->name, "targets/content/");
    return 0;
}

/* Rows of content metadata and of manifests. */
static int rows(struct world *w)
{
    const struct store_visitor v = {.metadata = count_row};
    struct err err = {0};
    int n = 0;

    must(store_load(w->site->s.store, &v, &n, &err), &err);
    return n;
}

static void renew_content(struct world *w)
{
    struct err err = {0};
    char *text = offline_sign(w->site, offline_next(w->site, "content-crs"), CONTENT);

    must(offline_take(w->site, "content-crs", text, &err), &err);
    w->site->content_version++;
}

static void manifest_path(const char *digest, const char *version, char ret[128])
{
    snprintf(ret, 128, "targets/content/crs/%s.%s.json", digest, version);
}

/* Publishes a release whose metadata lists no other one. */
static void publish_alone(struct world *w, const char *version, char digest[65])
{
    json_object_clear(w->site->listed);
    site_publish(w->site, version, digest);
}

static void test_superseded_content_goes(void **state)
{
    struct world *w = *state;
    json_auto_t *first = offline_next(w->site, "content-crs"); /* lists 1.0 */
    char one[65], two[65], path_one[128], path_two[128];
    struct repo_upload file = {.role = "root"};
    struct err err = {0};

    publish_alone(w, "2.0", one);
    publish_alone(w, "3.0", two);
    manifest_path(one, "2.0", path_one);
    manifest_path(two, "3.0", path_two);
    file.text = offline_sign(w->site, offline_next(w->site, "root"), ROOTS);
    file.len = strlen(file.text);
    must(offline_take_all(w->site, &file, 1, &err), &err);
    for (int i = 0; i < REPO_KEEP - 2; i++)
        renew_content(w);
    assert_true(world_has(w, "metadata/2.content-crs.json")); /* the oldest of so many */
    assert_false(world_has(w, "metadata/1.content-crs.json"));
    assert_true(world_has(w, path_one));
    renew_content(w);
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_false(world_has(w, "metadata/2.content-crs.json"));
        assert_true(world_has(w, "metadata/3.content-crs.json"));
        assert_false(world_has(w, path_one)); /* nothing that is left lists it */
        assert_true(world_has(w, path_two));
        assert_true(world_has(w, "metadata/1.root.json"));
        assert_int_equal(rows(w), REPO_KEEP + 1);
        must(follower_refresh(&w->old, w->site, "content/crs/3.0.json", &err), &err);
        offline_close(w->site);
        must(offline_open(w->site, &err), &err);
    }
    /* It cannot be listed again, but what it was is still known. */
    json_object_set_new(first, "version", json_integer(w->site->content_version + 1));
    assert_int_equal(offline_take(w->site, "content-crs",
                                  offline_sign(w->site, json_incref(first), CONTENT), &err),
                     -ERR_NOT_FOUND);
    {
        _cleanup_(manifest_free_p)
        struct manifest *m = NULL;

        must(repo_release_by_digest(&w->site->s, "crs", one, &m, &err), &err);
        assert_string_equal(m->version, "2.0");
    }
}

/* Versions may be far apart: what counts is how many are kept. */
static void test_versions_far_apart(void **state)
{
    struct world *w = *state;
    json_t *body = offline_next(w->site, "content-crs");
    struct err err = {0};

    json_object_set_new(body, "version", json_integer(1000000));
    must(offline_take(w->site, "content-crs", offline_sign(w->site, body, CONTENT), &err), &err);
    assert_true(world_has(w, "metadata/1.content-crs.json"));
    world_check_followed(w);
    assert_true(world_has(w, "metadata/1.content-crs.json"));
}

/* --- expiry ---------------------------------------------------------------------------------- */

static struct repo_role role(struct world *w, const char *name)
{
    struct repo_role roles[REPO_ROLES_MAX];
    size_t n = repo_roles(&w->site->s, roles);

    for (size_t i = 0; i < n; i++)
        if (strcmp(roles[i].name, name) == 0)
            return roles[i];
    fail_msg("no role '%s'", name);
    return (struct repo_role){0};
}

static void wait_until(struct world *w, const struct repo_role *r, int64_t before_s)
{
    w->site->at.wall_ms = (r->expires_s - before_s) * 1000;
}

static void test_warns_a_month_before(void **state)
{
    struct world *w = *state;
    struct repo_role targets = role(w, "targets");
    struct err err = {0};

    assert_int_equal(targets.expires_in_s, 180 * 86400);
    assert_false(targets.warn);
    wait_until(w, &targets, 30 * 86400 + 1);
    assert_false(role(w, "targets").warn);
    wait_until(w, &targets, 30 * 86400);
    assert_true(role(w, "targets").warn);
    assert_false(role(w, "root").warn);
    must(offline_take(w->site, "targets",
                      offline_sign(w->site, offline_next(w->site, "targets"), TARGETS), &err),
         &err);
    assert_false(role(w, "targets").warn);
}

/* The release's metadata lives for 30 days. */
static void test_warns_in_the_last_third_of_a_short_life(void **state)
{
    struct world *w = *state;
    struct repo_role content = role(w, "content-crs");

    for (int restarted = 0; restarted < 2; restarted++) {
        struct err err = {0};

        wait_until(w, &content, 10 * 86400 + 1);
        assert_false(role(w, "content-crs").warn);
        wait_until(w, &content, 10 * 86400);
        assert_true(role(w, "content-crs").warn);
        offline_close(w->site);
        must(offline_open(w->site, &err), &err);
    }
}

/* Renewed at half of its life: when a third is left, renewing has failed. */
static void test_warns_of_what_is_not_renewed(void **state)
{
    struct world *w = *state;
    struct repo_role timestamp = role(w, "timestamp");

    wait_until(w, &timestamp, 86400 / 2);
    assert_false(role(w, "timestamp").warn);
    wait_until(w, &timestamp, 86400 / 3);
    assert_true(role(w, "timestamp").warn);
    wait_until(w, &timestamp, -5);
    assert_int_equal(role(w, "timestamp").expires_in_s, -5);
}

static void test_status_names_keys(void **state)
{
    struct world *w = *state;
    json_auto_t *o = NULL;
    json_t *roles, *content;
    struct err err = {0};

    must(repo_status(&w->site->s, &o, &err), &err);
    roles = json_object_get(o, "roles");
    assert_int_equal(json_array_size(roles), 6);
    content = json_array_get(roles, 5);
    assert_string_equal(json_string_value(json_object_get(content, "role")), "content-crs");
    assert_int_equal(json_integer_value(json_object_get(content, "threshold")), 2);
    assert_int_equal(json_array_size(json_object_get(content, "keyids")), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_superseded_content_goes),      TEST(test_versions_far_apart),
        TEST(test_warns_a_month_before),         TEST(test_warns_in_the_last_third_of_a_short_life),
        TEST(test_warns_of_what_is_not_renewed), TEST(test_status_names_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
