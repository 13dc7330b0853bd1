/* repo_intake: what was signed offline is taken in, or refused with nothing changed. After each
 * change a client that had what was there before follows. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "rollouts/flight.h"
#include "rollouts/rollouts.h"
#include "world.h"

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static const struct {
    const char *role, *keys, *too_few;
} offline_roles[] = {{"root", ROOTS, "offline/root-1"},
                     {"targets", TARGETS, "offline/targets-1"},
                     {"content-crs", CONTENT, "offline/content-crs-1"}};
#define N_OFFLINE (sizeof offline_roles / sizeof offline_roles[0])

static char *next_signed(struct world *w, const char *role, const char *keys)
{
    return offline_sign(w->site, offline_next(w->site, role), keys);
}

/* --- renewal --------------------------------------------------------------------------------- */

static void test_renewals(void **state)
{
    struct world *w = *state;
    struct err err = {0};

    for (size_t i = 0; i < N_OFFLINE; i++) {
        const char *role = offline_roles[i].role;
        int64_t snapshot = world_snapshot(w);
        char *text = next_signed(w, role, offline_roles[i].keys);
        char *again = strdup(text);

        world_check_taken(w, offline_take(w->site, role, text, &err), &err);
        assert_int_equal(world_snapshot(w), snapshot + 1);
        must(offline_take(w->site, role, again, &err), &err); /* unchanged */
        assert_int_equal(world_snapshot(w), snapshot + 1);
    }
}

static void test_all_at_once_says_what_was_new(void **state)
{
    struct world *w = *state;
    struct blob *first = repo_get(w->site->s.repo, "metadata/1.root.json");
    size_t len;
    const char *data = blob_data(first, &len);
    struct repo_upload files[4] = {{.role = "content-crs"}, {.role = "root"}, {.role = "targets"}};
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);

    for (size_t i = 0; i < 3; i++) {
        size_t n = (i + 2) % 3;

        files[i].text = next_signed(w, files[i].role, offline_roles[n].keys);
        files[i].len = strlen(files[i].text);
    }
    files[3] = (struct repo_upload){.role = "root", .text = strndup(data, len), .len = len};
    blob_unref(first);
    must(offline_take_all(w->site, files, 4, &err), &err);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(files[i].version, i < 3 ? 2 : 1);
        assert_int_equal(files[i].taken, i < 3);
    }
    assert_int_equal(world_snapshot(w), snapshot + 1);
    world_check_followed(w);
}

static void test_256_rotations(void **state)
{
    struct world *w = *state;
    struct repo_upload *files = calloc(256, sizeof *files);
    json_t *body = offline_next(w->site, "root");
    struct err err = {0};

    for (int i = 0; i < 256; i++) {
        json_object_set_new(body, "version", json_integer(2 + i));
        files[255 - i].role = "root"; /* in any order */
        files[255 - i].text = offline_sign(w->site, json_deep_copy(body), ROOTS);
        files[255 - i].len = strlen(files[255 - i].text);
    }
    json_decref(body);
    world_check_taken(w, offline_take_all(w->site, files, 256, &err), &err);
    free(files);
    must(offline_take(w->site, "root", next_signed(w, "root", ROOTS), &err), &err);
    world_check_followed(w);
}

/* --- refusals -------------------------------------------------------------------------------- */

static void test_under_signed(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < N_OFFLINE; i++) {
        const char *role = offline_roles[i].role;
        struct err err = {0};
        int64_t snapshot = world_snapshot(w);
        int r = offline_take(w->site, role, next_signed(w, role, offline_roles[i].too_few), &err);

        world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, role, &err);
    }
    world_check_followed(w);
}

static void no_change(json_t *body)
{
    (void)body;
}

static void skip_version(json_t *body)
{
    json_object_set_new(body, "version", json_integer(3));
}

static void same_version(json_t *body)
{
    json_object_set_new(body, "version", json_integer(1));
}

static void out_of_date(json_t *body)
{
    json_object_set_new(body, "expires", json_string("2025-11-24T00:00:00Z"));
}

static void list_unknown(json_t *body)
{
    metadata_targets_add(body, "content/crs/0.9.json", "x", 1, NULL);
}

static void list_other_bytes(json_t *body)
{
    metadata_targets_add(body, "content/crs/1.0.json", "x", 1, NULL);
}

static json_t *listed(json_t *body)
{
    return json_object_get(json_object_get(body, "targets"), "content/crs/1.0.json");
}

static void list_other_length(json_t *body)
{
    json_object_set_new(listed(body), "length", json_integer(1));
}

static void list_other_sha512(json_t *body)
{
    char zeros[129];

    memset(zeros, '0', 128);
    zeros[128] = '\0';
    json_object_set_new(json_object_get(listed(body), "hashes"), "sha512", json_string(zeros));
}

static void list_other_sequence(json_t *body)
{
    json_object_set_new(json_object_get(listed(body), "custom"), "sequence", json_integer(77));
}

static void list_no_sequence(json_t *body)
{
    json_object_del(listed(body), "custom");
}

static void no_consistent_snapshot(json_t *body)
{
    json_object_set_new(body, "consistent_snapshot", json_false());
}

static void list_foreign(json_t *body)
{
    metadata_targets_add(body, "rollout/crs.json", "x", 1, NULL);
}

static void no_rollout(json_t *body)
{
    offline_undelegate(body, "rollout");
}

static void no_channel(json_t *body)
{
    offline_undelegate(body, "content-crs");
}

static const struct {
    const char *what, *role, *keys;
    void (*spoil)(json_t *body);
    int code;
} bads[] = {
    {"a root left out", "root", ROOTS, skip_version, ERR_INVALID},
    {"another root 1", "root", ROOTS, same_version, ERR_ROLLBACK},
    {"an expired root", "root", ROOTS, out_of_date, ERR_EXPIRED},
    {"a root without versions in names", "root", ROOTS, no_consistent_snapshot, ERR_INVALID},
    {"root by targets' keys", "root", TARGETS, no_change, ERR_UNDERSIGNED},
    {"other targets 1", "targets", TARGETS, same_version, ERR_ROLLBACK},
    {"expired targets", "targets", TARGETS, out_of_date, ERR_EXPIRED},
    {"targets by root's keys", "targets", ROOTS, no_change, ERR_UNDERSIGNED},
    {"targets without rollout", "targets", TARGETS, no_rollout, ERR_NOT_FOUND},
    {"targets without a channel", "targets", TARGETS, no_channel, ERR_INVALID},
    {"other content 1", "content-crs", CONTENT, same_version, ERR_ROLLBACK},
    {"expired content", "content-crs", CONTENT, out_of_date, ERR_EXPIRED},
    {"content by targets' keys", "content-crs", TARGETS, no_change, ERR_UNDERSIGNED},
    {"content that was never published", "content-crs", CONTENT, list_unknown, ERR_INVALID},
    {"content with other bytes", "content-crs", CONTENT, list_other_bytes, ERR_TAMPERED},
    {"content with another length", "content-crs", CONTENT, list_other_length, ERR_TAMPERED},
    {"content with another SHA-512", "content-crs", CONTENT, list_other_sha512, ERR_TAMPERED},
    {"content with another sequence", "content-crs", CONTENT, list_other_sequence, ERR_TAMPERED},
    {"content without a sequence", "content-crs", CONTENT, list_no_sequence, ERR_INVALID},
    {"content with another role's path", "content-crs", CONTENT, list_foreign, ERR_UNTRUSTED},
    {"a role that is signed online", "snapshot", ROOTS, no_change, ERR_INVALID},
    {"a channel that is not there", "content-edr", CONTENT, no_change, ERR_NOT_FOUND},
};

static void test_refusals(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        const char *like = strncmp(bads[i].role, "content", 7) == 0 ? "content-crs" : bads[i].role;
        json_t *body = offline_next(w->site, like);
        int64_t snapshot = world_snapshot(w);
        struct err err = {0};
        int r;

        bads[i].spoil(body);
        r = offline_take(w->site, bads[i].role, offline_sign(w->site, body, bads[i].keys), &err);
        if (r != -bads[i].code)
            fail_msg("%s: %d %s", bads[i].what, r, err.msg);
        assert_int_equal(world_snapshot(w), snapshot);
    }
    world_check_followed(w);
}

static void test_twice_in_one(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    char *text = next_signed(w, "targets", TARGETS);
    int r = offline_take2(w->site, "targets", text, "targets", strdup(text), &err);

    world_check_refused(w, snapshot, r, ERR_INVALID, "twice", &err);
}

/* The root is good, the targets are not: neither is taken in. */
static void test_all_or_nothing(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r = offline_take2(w->site, "root", next_signed(w, "root", ROOTS), "targets",
                          next_signed(w, "targets", "offline/targets-1"), &err);

    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "targets", &err);
    assert_false(world_has(w, "metadata/2.root.json"));
    world_check_followed(w);
}

/* --- thresholds and offline keys ------------------------------------------------------------- */

/* All three keys of a role, with this threshold, in root or (of content) in targets. */
static void set_threshold(struct world *w, json_t *body, const char *role, int threshold)
{
    struct key *keys[3];
    char name[64];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "offline/%s-%d", role, i + 1);
        keys[i] = offline_public(w->site, name);
    }
    if (strncmp(role, "content", 7) == 0)
        offline_delegate(body, role, "content/crs/*", keys, 3, threshold);
    else
        offline_root_role(body, role, keys, 3, threshold);
    for (int i = 0; i < 3; i++)
        key_free(keys[i]);
}

static void test_threshold_of_root(void **state)
{
    struct world *w = *state;
    json_t *body = offline_next(w->site, "root");
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    set_threshold(w, body, "root", 3);
    r = offline_take(w->site, "root", offline_sign(w->site, json_incref(body), ROOTS), &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "its own keys", &err);
    world_check_taken(
        w,
        offline_take(w->site, "root", offline_sign(w->site, body, ROOTS " offline/root-3"), &err),
        &err);
    snapshot = world_snapshot(w);
    r = offline_take(w->site, "root", next_signed(w, "root", ROOTS), &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "root version 3", &err);
}

static void test_lost_root_key_is_replaced(void **state)
{
    struct world *w = *state;
    json_t *body = offline_next(w->site, "root");
    struct key *keys[] = {offline_public(w->site, "offline/root-2"),
                          offline_public(w->site, "offline/root-3"),
                          offline_key(w->site, "offline/root-4")};
    struct err err = {0};
    int64_t snapshot;
    int r;

    offline_root_role(body, "root", keys, 3, 2);
    for (int i = 0; i < 3; i++)
        key_free(keys[i]);
    snapshot = world_snapshot(w);
    r = offline_take(w->site, "root",
                     offline_sign(w->site, json_incref(body), "offline/root-3 offline/root-4"),
                     &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "by the keys of version 1", &err);
    world_check_taken(w,
                      offline_take(w->site, "root",
                                   offline_sign(w->site, body, "offline/root-2 offline/root-3"),
                                   &err),
                      &err);
    /* The one that was lost counts no more. */
    snapshot = world_snapshot(w);
    r = offline_take(w->site, "root", next_signed(w, "root", "offline/root-1 offline/root-2"),
                     &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "root version 3", &err);
    world_check_taken(w,
                      offline_take(w->site, "root",
                                   next_signed(w, "root", "offline/root-3 offline/root-4"), &err),
                      &err);
}

static void test_new_targets_keys(void **state)
{
    struct world *w = *state;
    json_t *root = offline_next(w->site, "root");
    struct key *keys[] = {offline_key(w->site, "offline/targets-8"),
                          offline_key(w->site, "offline/targets-9")};
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    offline_root_role(root, "targets", keys, 2, 2);
    key_free(keys[0]);
    key_free(keys[1]);
    r = offline_take(w->site, "root", offline_sign(w->site, json_incref(root), ROOTS), &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "targets under root version 2", &err);
    assert_non_null(strstr(err_show_remedy(&err), "together"));
    world_check_taken(
        w,
        offline_take2(w->site, "root", offline_sign(w->site, root, ROOTS), "targets",
                      next_signed(w, "targets", "offline/targets-8 offline/targets-9"), &err),
        &err);
}

static void test_new_content_keys(void **state)
{
    struct world *w = *state;
    json_t *targets = offline_next(w->site, "targets");
    struct key *keys[] = {offline_key(w->site, "offline/content-crs-8"),
                          offline_key(w->site, "offline/content-crs-9")};
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    offline_delegate(targets, "content-crs", "content/crs/*", keys, 2, 2);
    key_free(keys[0]);
    key_free(keys[1]);
    r = offline_take(w->site, "targets", offline_sign(w->site, json_incref(targets), TARGETS),
                     &err);
    world_check_refused(w, snapshot, r, ERR_UNDERSIGNED, "channel 'crs'", &err);
    world_check_taken(
        w,
        offline_take2(w->site, "targets", offline_sign(w->site, targets, TARGETS), "content-crs",
                      next_signed(w, "content-crs", "offline/content-crs-8 offline/content-crs-9"),
                      &err),
        &err);
}

static void test_threshold_of_content(void **state)
{
    struct world *w = *state;
    json_t *targets = offline_next(w->site, "targets");
    struct err err = {0};
    int64_t snapshot;
    int r;

    set_threshold(w, targets, "content-crs", 1); /* present metadata has two signatures */
    world_check_taken(
        w, offline_take(w->site, "targets", offline_sign(w->site, targets, TARGETS), &err), &err);
    must(offline_take(w->site, "content-crs",
                      next_signed(w, "content-crs", "offline/content-crs-3"), &err),
         &err);
    world_check_followed(w);
    targets = offline_next(w->site, "targets");
    set_threshold(w, targets, "content-crs", 2);
    snapshot = world_snapshot(w);
    r = offline_take(w->site, "targets", offline_sign(w->site, targets, TARGETS), &err);
    assert_int_equal(r, -ERR_UNDERSIGNED);
    assert_int_equal(world_snapshot(w), snapshot);
}

/* --- channels -------------------------------------------------------------------------------- */

static char *targets_with_channel(struct world *w, const char *channel, bool without_crs)
{
    json_t *targets = offline_next(w->site, "targets");
    struct key *k = offline_public(w->site, "offline/content-crs-3");
    char role[64], path[64];

    snprintf(role, sizeof role, "content-%s", channel);
    snprintf(path, sizeof path, "content/%s/*", channel);
    offline_delegate(targets, role, path, &k, 1, 1);
    key_free(k);
    if (without_crs)
        offline_undelegate(targets, "content-crs");
    return offline_sign(w->site, targets, TARGETS);
}

static size_t overview_channels(struct world *w)
{
    json_auto_t *o = rollouts_overview(&w->site->s);

    return json_array_size(json_object_get(o, "channels"));
}

static void test_channel_comes(void **state)
{
    struct world *w = *state;
    json_auto_t *status = NULL;
    struct err err = {0};

    assert_false(repo_has_channel(w->site->s.repo, "edr"));
    must(offline_take(w->site, "targets", targets_with_channel(w, "edr", false), &err), &err);
    assert_true(repo_has_channel(w->site->s.repo, "edr"));
    assert_int_equal(overview_channels(w), 2);
    assert_int_equal(rollouts_status(&w->site->s, "edr", &status, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "rollout")); /* the channel is there, it has none */
    rollouts_tick(&w->site->s);                  /* tells its first plan */
    assert_false(atomic_load(&w->site->s.degraded));
    must(follower_refresh(&w->old, w->site, "rollout/edr.json", &err), &err);
    world_check_followed(w);
    assert_int_equal(overview_channels(w), 2);
}

/* Gone from all lists but the snapshot, and back with all that it had. */
static void test_channel_goes_and_returns(void **state)
{
    struct world *w = *state;
    json_auto_t *back = offline_next(w->site, "targets");
    struct err err = {0};

    must(offline_take(w->site, "targets", targets_with_channel(w, "edr", true), &err), &err);
    for (int restarted = 0; restarted < 2; restarted++) {
        rollouts_tick(&w->site->s);
        assert_false(atomic_load(&w->site->s.degraded));
        assert_false(repo_has_channel(w->site->s.repo, "crs"));
        assert_int_equal(overview_channels(w), 1);
        must(follower_refresh(&w->old, w->site, "rollout/edr.json", &err), &err);
        assert_int_equal(follower_refresh(&w->old, w->site, "rollout/crs.json", &err),
                         -ERR_NOT_FOUND);
        assert_int_equal(follower_refresh(&w->old, w->site, "content/crs/1.0.json", &err),
                         -ERR_NOT_FOUND);
        offline_close(w->site);
        must(offline_open(w->site, &err), &err);
    }
    json_object_set_new(back, "version", json_integer(3));
    must(offline_take(w->site, "targets", offline_sign(w->site, json_incref(back), TARGETS), &err),
         &err);
    world_check_followed(w);
    site_publish(w->site, "2.0", NULL);
    must(follower_refresh(&w->old, w->site, "content/crs/2.0.json", &err), &err);
}

static void test_channel_in_use_stays(void **state)
{
    struct world *w = *state;
    struct channel *ch = rollouts_channel(w->site->s.rollouts, "crs");
    struct err err = {0};
    int64_t snapshot = world_snapshot(w);
    int r;

    ch->flight = calloc(1, sizeof *ch->flight);
    ch->flight->state = ROLLOUT_PAUSED;
    r = offline_take(w->site, "targets", targets_with_channel(w, "edr", true), &err);
    world_check_refused(w, snapshot, r, ERR_CONFLICT, "crs", &err);
    ch->flight->state = ROLLOUT_HALTED;
    must(offline_take(w->site, "targets", targets_with_channel(w, "edr", true), &err), &err);
}

/* --- revocations ----------------------------------------------------------------------------- */

/* Content metadata that takes 1.0 back, on a release that it lists besides. */
static char *revoking(struct world *w, const char *digest, const char *drop)
{
    json_t *body = offline_next(w->site, "content-crs");
    json_t *targets = json_object_get(body, "targets");
    json_t *target = json_object_get(targets, "content/crs/2.0.json");

    json_object_set_new(json_object_get(target, "custom"), "revoked",
                        json_pack("[{s:s, s:s}]", "digest", digest, "reason", "eats hosts"));
    if (drop)
        json_object_del(targets, drop);
    return offline_sign(w->site, body, CONTENT);
}

static void test_revocation_though_all_above_has_expired(void **state)
{
    struct world *w = *state;
    struct channel *ch = rollouts_channel(w->site->s.rollouts, "crs");
    json_t *targets;
    char one[65];
    struct err err = {0};

    targets = json_object_get(w->site->listed, "content/crs/1.0.json");
    snprintf(one, sizeof one, "%s",
             json_string_value(json_object_get(json_object_get(targets, "hashes"), "sha256")));
    site_publish(w->site, "2.0", NULL);
    memcpy(ch->baseline.digest, one, sizeof one); /* a plan needs it */
    ch->baseline.sequence = 1;
    w->site->at.wall_ms += INT64_C(400) * 86400000;
    must(offline_take(w->site, "content-crs", revoking(w, one, "content/crs/1.0.json"), &err),
         &err);
    assert_int_equal(ch->n_recalls, 1);
    assert_string_equal(ch->recalls[0].digest, one);
    assert_string_equal(ch->baseline.digest, "");
}

static void test_drop_of_what_is_needed(void **state)
{
    struct world *w = *state;
    struct channel *ch = rollouts_channel(w->site->s.rollouts, "crs");
    json_t *body;
    char two[65];
    struct err err = {0};
    int64_t snapshot;
    int r;

    site_publish(w->site, "2.0", two);
    memcpy(ch->baseline.digest, two, sizeof two);
    ch->baseline.sequence = 2;
    snapshot = world_snapshot(w);
    body = offline_next(w->site, "content-crs");
    json_object_del(json_object_get(body, "targets"), "content/crs/2.0.json");
    r = offline_take(w->site, "content-crs", offline_sign(w->site, body, CONTENT), &err);
    world_check_refused(w, snapshot, r, ERR_CONFLICT, "2.0", &err);
    assert_non_null(strstr(err_show_remedy(&err), "--keep-version 2.0"));
}

static void test_unreadable_revocation(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    int64_t snapshot;
    int r;

    site_publish(w->site, "2.0", NULL);
    snapshot = world_snapshot(w);
    r = offline_take(w->site, "content-crs", revoking(w, "no digest", NULL), &err);
    world_check_refused(w, snapshot, r, ERR_INVALID, "revoked", &err);
    assert_false(atomic_load(&w->site->s.degraded));
}

/* --- crashes --------------------------------------------------------------------------------- */

/* Staged, and the machine stops: before the commit there is nothing, after it everything. */
static void test_crash_around_the_commit(void **state)
{
    struct world *w = *state;

    for (int committed = 0; committed < 2; committed++) {
        struct store_batch *b = store_batch_new();
        char *text = next_signed(w, "targets", TARGETS);
        struct repo_upload file = {.role = "targets", .text = text, .len = strlen(text)};
        struct repo_change *c = NULL;
        struct err err = {0};
        int64_t snapshot = world_snapshot(w);

        must(repo_stage_intake(&w->site->s, &file, 1, "releaser", b, &c, &err), &err);
        assert_false(world_has(w, "metadata/2.targets.json")); /* nobody sees it yet */
        if (committed)
            must(store_commit(w->site->s.store, b, &err), &err);
        else
            store_batch_free(b);
        repo_discard(w->site->s.repo, c);
        free(text);
        offline_close(w->site);
        must(offline_open(w->site, &err), &err);
        assert_int_equal(world_snapshot(w), snapshot + committed);
    }
    world_check_followed(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renewals),
        TEST(test_all_at_once_says_what_was_new),
        TEST(test_256_rotations),
        TEST(test_under_signed),
        TEST(test_refusals),
        TEST(test_twice_in_one),
        TEST(test_all_or_nothing),
        TEST(test_threshold_of_root),
        TEST(test_lost_root_key_is_replaced),
        TEST(test_new_targets_keys),
        TEST(test_new_content_keys),
        TEST(test_threshold_of_content),
        TEST(test_channel_comes),
        TEST(test_channel_goes_and_returns),
        TEST(test_channel_in_use_stays),
        TEST(test_revocation_though_all_above_has_expired),
        TEST(test_drop_of_what_is_needed),
        TEST(test_unreadable_revocation),
        TEST(test_crash_around_the_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
