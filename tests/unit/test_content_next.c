/* content_next: what the next content metadata lists, leaves out and revokes; and a channel's whole
 * life of 10,000 releases, taken in by a real client. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "release/content_next.h"
#include "tuf_world.h"

#define CHANNEL "crs"
#define LIFE    10000
#define LIMIT   100000 /* bytes of metadata, signatures included */

/* A channel as it is now. */
struct line {
    struct metadata now; /* envelope is not used */
    int64_t sequence;
    struct content_left_out left;
    struct err err;
    struct revoked revoked;
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct line));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct line *l = *state;

    json_decref(l->now.body);
    free(l);
    return 0;
}

static void take(struct line *l, json_t *body)
{
    json_decref(l->now.body);
    l->now.type = TUF_TARGETS;
    l->now.body = body;
    l->now.version = json_integer_value(json_object_get(body, "version"));
}

static struct content_next next_of(const struct line *l)
{
    return (struct content_next){.channel = CHANNEL,
                                 .previous = l->now.body ? &l->now : NULL,
                                 .expires_s = TUF_REPO_NOW + 30 * TUF_REPO_DAY,
                                 .keep = CONTENT_KEEP};
}

static void text_of(const char *version, struct buf *ret)
{
    buf_init(ret, 256);
    assert_int_equal(buf_addf(ret, "{\"manifest\":\"%s\"}", version), 0);
}

static const char *digest_of(const char *version, char ret[65])
{
    _cleanup_(buf_release)
    struct buf text;

    text_of(version, &text);
    sha256_hex(text.data, text.len, ret);
    return ret;
}

static int add_with(struct line *l, const struct content_next *n, const char *version,
                    bool baseline)
{
    struct manifest m = {.channel = CHANNEL, .sequence = l->sequence + 1, .baseline = baseline};
    _cleanup_(buf_release)
    struct buf text;
    const struct content_release release = {&m, &text, false};
    json_t *body = NULL;
    int r;

    snprintf(m.version, sizeof m.version, "%s", version);
    text_of(version, &text);
    r = content_add(n, &release, &body, &l->left, &l->err);
    if (r < 0)
        return r;
    l->sequence++;
    take(l, body);
    return 0;
}

static int add(struct line *l, const char *version, bool baseline)
{
    struct content_next n = next_of(l);

    return add_with(l, &n, version, baseline);
}

static void add_many(struct line *l, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char version[16];

        snprintf(version, sizeof version, "%d.0", i);
        assert_int_equal(add(l, version, false), 0);
    }
}

static int take_back(struct line *l, const char *version, const char *digest, const char *reason)
{
    const struct content_revocation what = {version, digest, reason};
    struct content_next n = next_of(l);
    char told[65], want[65];
    json_t *body = NULL;
    int r = content_revoke(&n, &what, &body, told, &l->left, &l->err);

    if (r < 0)
        return r;
    assert_string_equal(told, digest ? digest : digest_of(version, want));
    take(l, body);
    return 0;
}

static bool lists(const struct line *l, const char *version)
{
    char path[TUF_TARGET_MAX];
    struct tuf_target t;

    manifest_target_path(CHANNEL, version, path, sizeof path);
    return metadata_target(&l->now, path, &t, NULL) == 0;
}

static const char *reason_of(struct line *l, const char *version)
{
    char digest[65];

    assert_int_equal(revoked_read(&l->now, &l->revoked, &l->err), 0);
    return revoked_reason(&l->revoked, digest_of(version, digest));
}

static size_t n_listed(const struct line *l)
{
    return json_object_size(json_object_get(l->now.body, "targets"));
}

/* --- what is listed -------------------------------------------------------------------------- */

static void test_the_newest_stay(void **state)
{
    struct line *l = *state;

    add_many(l, 1, CONTENT_KEEP);
    assert_int_equal(n_listed(l), CONTENT_KEEP);
    assert_int_equal(l->left.releases, 0);
    add_many(l, CONTENT_KEEP + 1, CONTENT_KEEP + 1);
    assert_int_equal(l->left.releases, 1);
    assert_int_equal(n_listed(l), CONTENT_KEEP);
    assert_false(lists(l, "1.0"));
    assert_true(lists(l, "2.0"));
    assert_int_equal(l->now.version, CONTENT_KEEP + 1);
}

static void test_two_baselines_stay(void **state)
{
    struct line *l = *state;

    for (int i = 1; i <= 3; i++) {
        char version[16];

        snprintf(version, sizeof version, "safe-%d", i);
        assert_int_equal(add(l, version, true), 0);
    }
    add_many(l, 1, CONTENT_KEEP);
    assert_int_equal(n_listed(l), CONTENT_KEEP + 2);
    assert_false(lists(l, "safe-1"));
    assert_true(lists(l, "safe-2") && lists(l, "safe-3"));
    /* A new one takes the place of the older, also before it is listed. */
    assert_int_equal(add(l, "safe-4", true), 0);
    assert_false(lists(l, "safe-2"));
    assert_true(lists(l, "safe-3") && lists(l, "safe-4"));
}

static void test_a_revoked_baseline_is_none(void **state)
{
    struct line *l = *state;

    assert_int_equal(add(l, "safe-1", true), 0);
    assert_int_equal(add(l, "safe-2", true), 0);
    assert_int_equal(add(l, "safe-3", true), 0);
    assert_int_equal(take_back(l, "safe-3", NULL, "breaks boot"), 0);
    add_many(l, 1, CONTENT_KEEP);
    assert_false(lists(l, "safe-3"));
    assert_true(lists(l, "safe-1") && lists(l, "safe-2"));
}

static void test_named_versions_stay(void **state)
{
    static const char *const keep[] = {"1.0"}, *const missing[] = {"9.9"};
    struct line *l = *state;
    struct content_next n;

    add_many(l, 1, 3);
    n = next_of(l);
    n.keep = 1;
    n.keep_versions = keep;
    n.n_keep_versions = 1;
    assert_int_equal(add_with(l, &n, "4.0", false), 0);
    assert_int_equal(n_listed(l), 2);
    assert_true(lists(l, "1.0") && lists(l, "4.0"));
    n = next_of(l);
    n.keep_versions = missing;
    n.n_keep_versions = 1;
    assert_int_equal(add_with(l, &n, "5.0", false), -ERR_NOT_FOUND);
    assert_int_equal(take_back(l, "1.0", NULL, "bad"), 0);
    n = next_of(l);
    n.keep_versions = keep;
    n.n_keep_versions = 1;
    assert_int_equal(add_with(l, &n, "5.0", false), -ERR_REFUSED);
}

static void test_sequences(void **state)
{
    struct line *l = *state;
    int64_t lowest = -1, highest = -1;

    assert_int_equal(content_sequences(NULL, &lowest, &highest, &l->err), 0);
    assert_int_equal(lowest, 0);
    assert_int_equal(highest, 0);
    add_many(l, 1, 3);
    assert_int_equal(take_back(l, "1.0", NULL, "bad"), 0);
    assert_int_equal(content_sequences(&l->now, &lowest, &highest, &l->err), 0);
    assert_int_equal(lowest, 2); /* nobody is sent back to what is revoked */
    assert_int_equal(highest, 3);
    assert_int_equal(add(l, "2.0", false), -ERR_EXISTS);
}

/* --- what is revoked ------------------------------------------------------------------------- */

static void test_revocations_are_carried_on(void **state)
{
    struct line *l = *state;
    const char *one = NULL;
    json_t *o;
    size_t places = 0;

    add_many(l, 1, 2);
    assert_int_equal(take_back(l, "1.0", NULL, "drops packets"), 0);
    assert_int_equal(l->now.version, 3);
    assert_int_equal(n_listed(l), 2);
    assert_int_equal(take_back(l, "2.0", NULL, "drops all"), 0);
    add_many(l, 3, 2 * CONTENT_KEEP);
    assert_string_equal(reason_of(l, "1.0"), "drops packets");
    assert_string_equal(reason_of(l, "2.0"), "drops all");
    assert_null(reason_of(l, "3.0"));
    assert_int_equal(l->revoked.items[0].sequence + l->revoked.items[1].sequence, 3);
    json_object_foreach (json_object_get(l->now.body, "targets"), one, o)
        places += json_object_get(json_object_get(o, "custom"), "revoked") != NULL;
    assert_int_equal(places, 1);
}

static void test_revoked_once_only(void **state)
{
    struct line *l = *state;
    char digest[65];

    add_many(l, 1, 2);
    assert_int_equal(take_back(l, "1.0", NULL, "bad"), 0);
    assert_int_equal(take_back(l, "1.0", NULL, "worse"), -ERR_EXISTS);
    assert_non_null(strstr(l->err.msg, "bad"));
    assert_int_equal(take_back(l, "2.0", digest_of("1.0", digest), "bad"), -ERR_CONFLICT);
    assert_int_equal(take_back(l, "2.0", NULL, ""), -ERR_USAGE);
    assert_int_equal(take_back(l, "2.0", NULL, "two\nlines"), -ERR_INVALID);
    assert_int_equal(l->now.version, 3);
}

static void test_what_is_no_longer_listed_by_digest(void **state)
{
    struct line *l = *state;
    char digest[65];

    add_many(l, 1, CONTENT_KEEP + 1);
    assert_int_equal(take_back(l, "1.0", NULL, "bad"), -ERR_NOT_FOUND);
    assert_non_null(strstr(l->err.remedy, "--digest"));
    assert_int_equal(take_back(l, "1.0", "ABCDEF", "bad"), -ERR_USAGE);
    assert_int_equal(take_back(l, "1.0", digest_of("1.0", digest), "bad"), 0);
    assert_string_equal(reason_of(l, "1.0"), "bad");
}

static void test_a_channel_without_releases(void **state)
{
    struct line *l = *state;

    take(l, metadata_new_targets(1, TUF_REPO_NOW));
    assert_int_equal(take_back(l, "1.0", NULL, "bad"), -ERR_NOT_FOUND);
}

static void test_the_oldest_revocations_go(void **state)
{
    struct line *l = *state;
    char reason[257];

    memset(reason, 'r', 256);
    reason[256] = '\0';
    for (int i = 1; i <= REVOKED_MAX + 1; i++) {
        char version[16];

        snprintf(version, sizeof version, "%d.0", i);
        assert_int_equal(add(l, version, false), 0);
        assert_int_equal(take_back(l, version, NULL, reason), 0);
        assert_int_equal(l->left.revocations, i > REVOKED_MAX);
    }
    assert_null(reason_of(l, "1.0"));
    assert_non_null(reason_of(l, "2.0"));
    assert_int_equal(l->revoked.n, REVOKED_MAX);
    assert_int_equal(strlen(reason_of(l, "2.0")), CONTENT_REASON_BYTES);
    assert_int_equal(strlen(reason_of(l, "257.0")), 256); /* the new one in full */
}

/* --- a whole life ---------------------------------------------------------------------------- */

/* Published, and taken in by whoever took in the step before; bytes of the content metadata. */
static size_t publish(struct tuf_world *w, const struct line *l, const char *version)
{
    struct tuf_repo *repo = w->repo;
    char path[TUF_TARGET_MAX], file[64], digest[65];
    struct tuf_target t;

    json_decref(repo->content);
    repo->content = json_incref(l->now.body);
    tuf_repo_bump(repo->snapshot, 1);
    tuf_repo_bump(repo->timestamp, 1);
    tuf_repo_publish(repo);
    if (tuf_world_refresh(w) < 0)
        fail_msg("%s: %s", version, w->err.msg);
    manifest_target_path(CHANNEL, version, path, sizeof path);
    if (tuf_client_find(w->client, TUF_REPO_NOW, path, &t, &w->err) < 0)
        fail_msg("%s: %s", version, w->err.msg);
    assert_string_equal(t.sha256, digest_of(version, digest));
    snprintf(file, sizeof file, "metadata/%lld." TUF_REPO_ROLE ".json", (long long)l->now.version);
    return json_string_length(json_object_get(repo->files, file));
}

/* What is no longer listed is not found, and nothing else comes of it. */
static void assert_unlisted(struct tuf_world *w, const char *version)
{
    char path[TUF_TARGET_MAX];
    struct tuf_target t;

    manifest_target_path(CHANNEL, version, path, sizeof path);
    assert_int_equal(tuf_client_find(w->client, TUF_REPO_NOW, path, &t, &w->err), -ERR_NOT_FOUND);
}

static void name_of(int i, char ret[32])
{
    snprintf(ret, 32, "2026.%d-build.%d", i / 365, i);
}

/* A busy channel: a baseline in a thousand, one release in thirty revoked. */
static void test_ten_thousand_releases(void **state)
{
    struct line *l = NULL;
    struct tuf_world *w = *state;
    size_t largest = 0, most;
    char version[32], old[32];

    assert_int_equal(set_up((void **)&l), 0);
    for (int i = 1; i <= LIFE; i++) {
        name_of(i, version);
        assert_int_equal(add(l, version, i % 1000 == 1), 0);
        if (i % 30 == 0)
            assert_int_equal(take_back(l, version, NULL,
                                       "rule 942100 matches every request that has a cookie; "
                                       "incident 2026-1125, see the post-mortem of that day"),
                             0);
        most = json_dumpb(l->now.body, NULL, 0, JSON_COMPACT);
        if (most > largest)
            largest = most;
        if (i % 400 > 1) /* two steps in a row, now and then */
            continue;
        most = publish(w, l, version);
        if (most > largest)
            largest = most;
        if (i > CONTENT_KEEP + 5) {
            name_of(i - CONTENT_KEEP - 5, old);
            assert_unlisted(w, old);
        }
    }
    assert_int_equal(revoked_read(&l->now, &l->revoked, &l->err), 0);
    assert_int_equal(l->revoked.n, REVOKED_MAX);
    print_message("after %d releases: %zu listed, %zu revoked; at most %zu bytes\n", LIFE,
                  n_listed(l), l->revoked.n, largest);
    assert_true(largest < LIMIT);
    tear_down((void **)&l);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_newest_stay),
        TEST(test_two_baselines_stay),
        TEST(test_a_revoked_baseline_is_none),
        TEST(test_named_versions_stay),
        TEST(test_sequences),
        TEST(test_revocations_are_carried_on),
        TEST(test_revoked_once_only),
        TEST(test_what_is_no_longer_listed_by_digest),
        TEST(test_a_channel_without_releases),
        TEST(test_the_oldest_revocations_go),
        cmocka_unit_test_setup_teardown(test_ten_thousand_releases, tuf_world_set_up,
                                        tuf_world_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
