/* repo: revocations in content metadata on their way in, and what is told of them. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repo/blob.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "site.h"
#include "store/store.h"

static char needed[65]; /* digest that a plan is said to need */

/* In place of rollouts/. */
int rollouts_needs(struct server *s, const char *channel, const char *digest)
{
    (void)s;
    (void)channel;
    return strcmp(digest, needed) == 0;
}

bool rollouts_is_running(const struct server *s, const char *channel)
{
    (void)s;
    (void)channel;
    return false;
}

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static int set_up(void **state)
{
    *state = site_new();
    site_open(*state);
    needed[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    site_free(*state);
    return 0;
}

/* The next release, whose content metadata revokes what `list` says (stolen). */
static struct site_release *make(struct site *site, const char *version, json_t *list)
{
    struct site_release *r = site_release_make(site, version);
    char path[TUF_TARGET_MAX];
    json_t *target;
    struct err err = {0};

    must(repo_put_blob(site->s.repo, r->manifest->files[0].sha256, r->file, strlen(r->file), &err),
         &err);
    site_release_sign(site, r, SITE_THRESHOLD);
    manifest_target_path(SITE_CHANNEL, version, path, sizeof path);
    target = json_object_get(json_object_get(r->content, "targets"), path);
    if (!json_object_get(target, "custom"))
        json_object_set_new(target, "custom", json_object());
    json_object_set_new(json_object_get(target, "custom"), "revoked", list);
    site_release_sign_content(site, r, SITE_THRESHOLD);
    return r;
}

static int stage(struct site *site, const struct site_release *r, struct store_batch *b,
                 struct repo_change **ret, struct err *err)
{
    return repo_stage_release(&site->s, SITE_CHANNEL, r->manifest_text, strlen(r->manifest_text),
                              r->content_text, strlen(r->content_text), "releaser", b, ret, NULL,
                              err);
}

static const json_t *release_of(const json_t *list, const char *version)
{
    size_t i;
    json_t *o;

    json_array_foreach (list, i, o)
        if (strcmp(json_string_value(json_object_get(o, "version")), version) == 0)
            return o;
    fail_msg("no release %s", version);
    return NULL;
}

static void what_is_staged_counts_already(void **state)
{
    struct site *site = *state;
    struct store_batch *b = store_batch_new();
    struct repo_change *c = NULL;
    struct site_release *r;
    struct revoked *got = calloc(1, sizeof *got);
    json_t *list;
    char digest[65];
    struct err err = {0};

    must(repo_revoked(&site->s, SITE_CHANNEL, got, &err), &err);
    assert_int_equal(got->n, 0);
    site_publish(site, "1.0", digest);
    r = make(site, "2.0", json_pack("[{s:s, s:s}]", "digest", digest, "reason", "bad"));
    must(stage(site, r, b, &c, &err), &err);
    must(repo_revoked(&site->s, SITE_CHANNEL, got, &err), &err);
    assert_string_equal(revoked_reason(got, digest), "bad");
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, c);
    site_close(site);
    site_open(site);
    must(repo_revoked(&site->s, SITE_CHANNEL, got, &err), &err);
    assert_string_equal(revoked_reason(got, digest), "bad");

    list = repo_releases(site->s.repo, SITE_CHANNEL);
    assert_true(json_is_true(json_object_get(release_of(list, "1.0"), "listed")));
    assert_string_equal(json_string_value(json_object_get(release_of(list, "1.0"), "revoked")),
                        "bad");
    assert_null(json_object_get(release_of(list, "2.0"), "revoked"));
    json_decref(list);
    site_release_free(r);
    free(got);
}

static void what_cannot_be_read_is_refused(void **state)
{
    struct site *site = *state;
    json_t *bad[] = {json_string("all of it"), json_pack("[{s:s}]", "digest", "1234"),
                     json_pack("[s]", "x"), json_integer(3)};
    int64_t snapshot;

    site_publish(site, "1.0", NULL);
    snapshot = repo_snapshot_version(site->s.repo);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct site_release *r = make(site, "2.0", bad[i]);
        struct store_batch *b = store_batch_new();
        struct repo_change *c = NULL;
        struct err err = {0};

        assert_int_equal(stage(site, r, b, &c, &err), -ERR_INVALID);
        assert_non_null(strstr(err.msg, "revoked"));
        assert_null(c);
        store_batch_free(b);
        site_release_free(r);
    }
    site_publish(site, "2.0", NULL);
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
}

/* A release that is needed may not vanish, unless the same metadata takes it back. */
static void what_is_revoked_is_not_needed(void **state)
{
    struct site *site = *state;
    struct site_release *r;
    struct store_batch *b;
    struct repo_change *c = NULL;
    char digest[65];
    struct err err = {0};

    site_publish(site, "1.0", digest);
    strcpy(needed, digest);
    for (int revoked = 0; revoked < 2; revoked++) {
        int want = revoked ? 0 : -ERR_CONFLICT;

        r = make(site, "2.0",
                 revoked ? json_pack("[{s:s, s:s}]", "digest", digest, "reason", "bad")
                         : json_array());
        json_object_del(json_object_get(r->content, "targets"), "content/crs/1.0.json");
        site_release_sign_content(site, r, SITE_THRESHOLD);
        b = store_batch_new();
        assert_int_equal(stage(site, r, b, &c, &err), want);
        if (!revoked) {
            assert_non_null(strstr(err.remedy, "--keep-version 1.0"));
            store_batch_free(b);
        }
        site_release_free(r);
    }
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, c);
}

/* Devices may run it for long: it is known by its digest, also after a restart. */
static void what_is_no_longer_listed_is_known(void **state)
{
    struct site *site = *state;
    struct site_release *r;
    struct store_batch *b = store_batch_new();
    struct repo_change *c = NULL;
    struct manifest *m = NULL;
    json_t *list;
    char digest[65];
    struct err err = {0};

    site_publish(site, "1.0", digest);
    r = make(site, "2.0", json_array());
    json_object_del(json_object_get(r->content, "targets"), "content/crs/1.0.json");
    site_release_sign_content(site, r, SITE_THRESHOLD);
    must(stage(site, r, b, &c, &err), &err);
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, c);
    site_release_free(r);
    site_close(site);
    site_open(site);
    must(repo_release_by_digest(&site->s, SITE_CHANNEL, digest, &m, &err), &err);
    assert_string_equal(m->version, "1.0");
    manifest_free(m);
    assert_int_equal(repo_release(&site->s, SITE_CHANNEL, "1.0", &m, &err), -ERR_NOT_FOUND);
    list = repo_releases(site->s.repo, SITE_CHANNEL);
    assert_true(json_is_false(json_object_get(release_of(list, "1.0"), "listed")));
    json_decref(list);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_staged_counts_already),
        TEST(what_cannot_be_read_is_refused),
        TEST(what_is_revoked_is_not_needed),
        TEST(what_is_no_longer_listed_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
