/* repo_keys, repo_bootstrap: the server's own keys change, are missed, are stolen; and what lies in
 * bootstrap_dir at a start. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "rollouts/rollouts.h"
#include "world.h"

#define FAR (INT64_C(1) << 40)

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* Root with another key for an online role. */
static char *root_naming(struct world *w, const char *role, struct key *k)
{
    json_t *root = offline_next(w->site, "root");

    offline_root_role(root, role, &k, 1, 1);
    return offline_sign(w->site, root, ROOTS);
}

static char *targets_naming(struct world *w, struct key *k)
{
    json_t *targets = offline_next(w->site, "targets");

    offline_delegate(targets, "rollout", "rollout/*", &k, 1, 1);
    return offline_sign(w->site, targets, TARGETS);
}

/* --- new keys -------------------------------------------------------------------------------- */

static void test_new_online_keys(void **state)
{
    struct world *w = *state;
    struct key *timestamp = offline_key(w->site, "server/online/timestamp-2026");
    struct key *snapshot = offline_key(w->site, "server/online/snapshot-b");
    struct key *rollout = offline_key(w->site, "server/online/rollout-b");
    struct err err = {0};

    world_check_taken(
        w, offline_take(w->site, "root", root_naming(w, "timestamp", timestamp), &err), &err);
    world_check_taken(w, offline_take(w->site, "root", root_naming(w, "snapshot", snapshot), &err),
                      &err);
    world_check_taken(w, offline_take(w->site, "targets", targets_naming(w, rollout), &err), &err);
    site_publish(w->site, "2.0", NULL);
    must(follower_refresh(&w->old, w->site, "content/crs/2.0.json", &err), &err);
    key_free(timestamp);
    key_free(snapshot);
    key_free(rollout);
}

static void test_missing_private_key(void **state)
{
    struct world *w = *state;
    _cleanup_(key_free_p)
    struct key *k = offline_key(w->site, "offline/elsewhere");
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r = offline_take(w->site, "root", root_naming(w, "timestamp", k), &err);

    world_check_refused(w, snapshot, r, ERR_UNTRUSTED, "timestamp", &err);
    assert_non_null(strstr(err.msg, key_id(k)));
    assert_non_null(strstr(err_show_remedy(&err), "online_dir"));
    r = offline_take(w->site, "targets", targets_naming(w, k), &err);
    world_check_refused(w, snapshot + 1, r, ERR_UNTRUSTED, "rollout", &err);
}

/* It lies there, but others may read it: that is said. */
static void test_unsafe_private_key(void **state)
{
    struct world *w = *state;
    _cleanup_(key_free_p)
    struct key *k = offline_key(w->site, "server/online/timestamp-b");
    char path[256];
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    snprintf(path, sizeof path, "%s/server/online/timestamp-b.pem", w->site->dir);
    assert_int_equal(chmod(path, 0644), 0);
    r = offline_take(w->site, "root", root_naming(w, "timestamp", k), &err);
    world_check_refused(w, snapshot, r, ERR_UNTRUSTED, "timestamp-b.pem", &err);
    assert_int_equal(chmod(path, 0600), 0);
    world_check_taken(w, offline_take(w->site, "root", root_naming(w, "timestamp", k), &err), &err);
}

static void test_two_signatures_wanted(void **state)
{
    struct world *w = *state;
    json_t *root = offline_next(w->site, "root");
    struct key *keys[] = {offline_public(w->site, "server/online/timestamp"),
                          offline_key(w->site, "server/online/timestamp-b")};
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    offline_root_role(root, "timestamp", keys, 2, 2);
    key_free(keys[0]);
    key_free(keys[1]);
    r = offline_take(w->site, "root", offline_sign(w->site, root, ROOTS), &err);
    world_check_refused(w, snapshot, r, ERR_UNTRUSTED, "2 signatures", &err);
}

/* --- bootstrap_dir --------------------------------------------------------------------------- */

static void restart(struct world *w)
{
    struct err err = {0};

    offline_close(w->site);
    must(offline_open(w->site, &err), &err);
}

static int restart_error(struct world *w, struct err *err)
{
    offline_close(w->site);
    return offline_open(w->site, err);
}

static void test_newer_files_at_start(void **state)
{
    struct world *w = *state;
    json_t *root = offline_next(w->site, "root");
    int64_t snapshot = world_snapshot(w);

    for (int version = 2; version <= 4; version++) {
        json_object_set_new(root, "version", json_integer(version));
        offline_lay_down(w->site, "root", version, offline_sign(w->site, json_incref(root), ROOTS));
    }
    json_decref(root);
    offline_lay_down(w->site, "targets", 2,
                     offline_sign(w->site, offline_next(w->site, "targets"), TARGETS));
    offline_lay_down(w->site, "content-crs", 2,
                     offline_sign(w->site, offline_next(w->site, "content-crs"), CONTENT));
    offline_lay_down(w->site, "content-crs", 1, strdup("older: not looked at"));
    restart(w);
    assert_int_equal(world_snapshot(w), snapshot + 1);
    world_check_followed(w); /* restarts again: nothing is newer now */
    assert_int_equal(world_snapshot(w), snapshot + 1);
    assert_true(world_has(w, "metadata/4.root.json"));
}

/* What was taken in of a channel that is gone now may stay in the folder. */
static void test_files_of_a_gone_channel(void **state)
{
    struct world *w = *state;
    json_t *targets = offline_next(w->site, "targets");
    struct key *k = offline_public(w->site, "offline/content-crs-3");
    struct err err = {0};

    offline_lay_down(w->site, "content-crs", 1, strdup("taken in long ago"));
    offline_delegate(targets, "content-edr", "content/edr/*", &k, 1, 1);
    offline_undelegate(targets, "content-crs");
    key_free(k);
    must(offline_take(w->site, "targets", offline_sign(w->site, targets, TARGETS), &err), &err);
    restart(w);
    offline_lay_down(w->site, "content-crs", 2, strdup("{}"));
    assert_true(restart_error(w, &err) < 0);
}

static void test_bad_files_stop_the_start(void **state)
{
    struct world *w = *state;
    json_t *root = offline_next(w->site, "root");
    char path[512];
    struct err err = {0};

    json_object_set_new(root, "version", json_integer(3));
    offline_lay_down(w->site, "root", 3, offline_sign(w->site, root, ROOTS));
    assert_int_equal(restart_error(w, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "2 is missing"));
    snprintf(path, sizeof path, "%s/3.root.json", w->site->s.config.bootstrap_dir);
    assert_int_equal(unlink(path), 0);
    offline_lay_down(w->site, "targets", 2,
                     offline_sign(w->site, offline_next(w->site, "targets"), "offline/targets-1"));
    assert_int_equal(restart_error(w, &err), -ERR_UNDERSIGNED);
    snprintf(path, sizeof path, "%s/2.targets.json", w->site->s.config.bootstrap_dir);
    assert_int_equal(unlink(path), 0);
    offline_lay_down(w->site, "targets", 3,
                     offline_sign(w->site, offline_next(w->site, "targets"), TARGETS));
    assert_int_equal(restart_error(w, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "'targets' is version 2, by its name 3"));
    snprintf(path, sizeof path, "%s/3.targets.json", w->site->s.config.bootstrap_dir);
    assert_int_equal(unlink(path), 0);
    world_check_followed(w); /* nothing of it stayed */
}

/* All that a lost server's successor has are the offline files, and root 1 ran out long ago. */
static void test_first_start_late(void **state)
{
    struct world *w = *state;
    char path[256];
    struct follower stranger = {0};
    struct err err = {0};

    w->site->at.wall_ms += INT64_C(400) * 86400000;
    offline_lay_down(w->site, "root", 2,
                     offline_sign(w->site, offline_next(w->site, "root"), ROOTS));
    offline_lay_down(w->site, "targets", 2,
                     offline_sign(w->site, offline_next(w->site, "targets"), TARGETS));
    offline_close(w->site);
    snprintf(path, sizeof path, "%s/state", w->site->dir);
    must(file_remove_tree(path, &err), &err);
    must(offline_open(w->site, &err), &err);
    follower_init(&stranger, w->site);
    must(follower_refresh(&stranger, w->site, "rollout/crs.json", &err), &err);
    tuf_memory_free(stranger.memory);
}

/* --- stolen keys ----------------------------------------------------------------------------- */

static void forge(struct forged *f, const char *path, char *text)
{
    snprintf(f->path, sizeof f->path, "%s", path);
    f->text = text;
}

static void refer(json_t *body, const char *file, int64_t version, const char *text)
{
    assert_int_equal(metadata_set_ref(body, file, version, text, text ? strlen(text) : 0), 0);
}

/* Whoever has the online keys says that a far later version of everything is published. */
static void forge_all(struct world *w, struct forged f[3])
{
    int64_t expires_s = w->site->at.wall_ms / 1000 + 86400;
    json_t *rollout = offline_next(w->site, "rollout");
    json_t *snapshot = metadata_new_snapshot(FAR, expires_s);
    json_t *timestamp = metadata_new_timestamp(FAR, expires_s);

    json_object_set_new(rollout, "version", json_integer(FAR));
    forge(&f[0], "metadata/1099511627776.rollout.json",
          offline_sign(w->site, rollout, "server/online/rollout"));
    refer(snapshot, "rollout.json", FAR, f[0].text);
    refer(snapshot, "targets.json", 1, NULL);
    refer(snapshot, "content-crs.json", 1, NULL);
    forge(&f[1], "metadata/1099511627776.snapshot.json",
          offline_sign(w->site, snapshot, "server/online/snapshot"));
    refer(timestamp, "snapshot.json", FAR, f[1].text);
    forge(&f[2], "metadata/timestamp.json",
          offline_sign(w->site, timestamp, "server/online/timestamp"));
}

/* The old keys' files go, new ones come under the same names. */
static struct key *replace_key(struct world *w, const char *name)
{
    char file[64], path[256];

    snprintf(file, sizeof file, "server/online/%s", name);
    snprintf(path, sizeof path, "%s/%s.pem", w->site->dir, file);
    assert_int_equal(unlink(path), 0);
    return offline_key(w->site, file);
}

/* Offline: root and targets that name the new keys, into bootstrap_dir. */
static void lay_down_new_keys(struct world *w, json_t *root, json_t *targets)
{
    struct key *timestamp = replace_key(w, "timestamp");
    struct key *snapshot = replace_key(w, "snapshot");
    struct key *rollout = replace_key(w, "rollout");
    struct err err = {0};

    key_free(replace_key(w, "permit"));
    assert_int_equal(restart_error(w, &err), -ERR_UNTRUSTED); /* without them it does not start */
    offline_root_role(root, "timestamp", &timestamp, 1, 1);
    offline_root_role(root, "snapshot", &snapshot, 1, 1);
    offline_delegate(targets, "rollout", "rollout/*", &rollout, 1, 1);
    offline_lay_down(w->site, "root", 2, offline_sign(w->site, root, ROOTS));
    offline_lay_down(w->site, "targets", 2, offline_sign(w->site, targets, TARGETS));
    key_free(timestamp);
    key_free(snapshot);
    key_free(rollout);
}

static void test_stolen_keys(void **state)
{
    struct world *w = *state;
    struct forged forged[3];
    struct err err = {0};

    forge_all(w, forged);
    w->old.forged = forged;
    w->old.n_forged = 3;
    must(follower_refresh(&w->old, w->site, "rollout/crs.json", &err), &err); /* it is believed */
    w->old.n_forged = 0;
    assert_int_equal(follower_refresh(&w->old, w->site, "", &err), -ERR_ROLLBACK);
    lay_down_new_keys(w, offline_next(w->site, "root"), offline_next(w->site, "targets"));
    restart(w);
    assert_true(world_snapshot(w) < FAR);
    world_check_followed(w);
    w->old.n_forged = 3; /* and the thief is not believed any more */
    assert_int_equal(follower_refresh(&w->old, w->site, "", &err), -ERR_UNDERSIGNED);
    w->old.n_forged = 0;
    world_check_followed(w);
    for (int i = 0; i < 3; i++)
        free(forged[i].text);
}

static void test_new_permit_key(void **state)
{
    struct world *w = *state;

    rollouts_tick(&w->site->s);
    assert_true(repo_plan_names_permit(w->site->s.repo, "crs"));
    key_free(replace_key(w, "permit"));
    restart(w);
    assert_false(repo_plan_names_permit(w->site->s.repo, "crs"));
    rollouts_tick(&w->site->s);
    assert_true(repo_plan_names_permit(w->site->s.repo, "crs"));
    world_check_followed(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_online_keys),
        TEST(test_missing_private_key),
        TEST(test_unsafe_private_key),
        TEST(test_two_signatures_wanted),
        TEST(test_newer_files_at_start),
        TEST(test_bad_files_stop_the_start),
        TEST(test_files_of_a_gone_channel),
        TEST(test_first_start_late),
        TEST(test_stolen_keys),
        TEST(test_new_permit_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
