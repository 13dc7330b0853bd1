/* repo: the first start, releases taken in or refused, plans and renewals, restarts. What is
 * published is read back with the client, from outside. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "repo/repo.h"
#include "repo/repo_internal.h"
#include "rollouts/rollouts.h"
#include "site.h"
#include "store/store.h"
#include "tuf/client.h"

/* In place of the rollouts' own: a release that some plan needs. */
static char needed[65];

int rollouts_needs(struct server *s, const char *channel, const char *digest)
{
    (void)s;
    (void)channel;
    return strcmp(needed, digest) == 0;
}

bool rollouts_is_running(const struct server *s, const char *channel)
{
    (void)s;
    (void)channel;
    return false;
}

static int set_up(void **state)
{
    struct site *site = site_new();

    needed[0] = '\0';
    site_open(site);
    *state = site;
    return 0;
}

static int tear_down(void **state)
{
    site_free(*state);
    return 0;
}

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* --- a client -------------------------------------------------------------------------------- */

static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct blob *b = repo_get(ctx, path);
    const void *data;
    size_t len;
    int r;

    if (!b)
        return err_set(err, ERR_NOT_FOUND, "no '%s'", path);
    data = blob_data(b, &len);
    r = buf_add(ret, data, len);
    blob_unref(b);
    return r;
}

struct reader {
    char dir[128];
    struct tuf_store store;
    struct tuf_fetch fetch;
};

static void reader_init(struct reader *rd, struct site *site)
{
    char root[128];
    struct buf text;
    struct err err = {0};

    snprintf(rd->dir, sizeof rd->dir, "%s/trusted", site->dir);
    must(file_mkdir_p(rd->dir, 0755, &err), &err);
    rd->store = tuf_store_dir(rd->dir);
    rd->fetch = (struct tuf_fetch){fetch, site->s.repo};
    snprintf(root, sizeof root, "%s/endpoint/root.json", site->dir);
    buf_init(&text, TUF_ROOT_MAX);
    must(file_read(root, &text, &err), &err);
    must(tuf_client_init(&rd->store, text.data, text.len, &err), &err);
    buf_release(&text);
}

/* Refresh, and read a target; the snapshot's version is returned. */
static int64_t read_target(struct reader *rd, struct site *site, const char *path, struct buf *ret)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    int64_t now_s = site->at.wall_ms / 1000;
    struct tuf_target t;
    struct err err = {0};

    rd->fetch.ctx = site->s.repo;
    must(tuf_client_new(&rd->store, &rd->fetch, &c, &err), &err);
    must(tuf_client_refresh(c, now_s, &err), &err);
    must(tuf_client_find(c, now_s, path, &t, &err), &err);
    buf_init(ret, MANIFEST_MAX);
    must(tuf_client_download(c, &t, ret, &err), &err);
    return tuf_client_snapshot_version(c);
}

static struct plan *read_plan(struct reader *rd, struct site *site)
{
    struct plan *p = NULL;
    struct buf text;
    struct err err = {0};

    read_target(rd, site, "rollout/" SITE_CHANNEL ".json", &text);
    must(plan_parse(text.data, text.len, &p, &err), &err);
    buf_release(&text);
    return p;
}

/* --- first start ----------------------------------------------------------------------------- */

static void test_first_start(void **state)
{
    struct site *site = *state;
    struct reader rd;
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    struct repo_channel_name names[REPO_CHANNELS_EVER];

    reader_init(&rd, site);
    p = read_plan(&rd, site);
    assert_int_equal(p->serial, 1);
    assert_int_equal(p->n_rollouts, 0);
    assert_int_equal(p->checkin_ms, 1000);
    assert_true(key_same(p->permit_keys.keys[0], signer_key(repo_permit_signer(site->s.repo))));
    assert_int_equal(repo_channels(site->s.repo, names), 1);
    assert_string_equal(names[0].name, SITE_CHANNEL);
    assert_false(names[0].gone);
    assert_int_equal(strlen(repo_root_id(site->s.repo)), 64);
    assert_null(repo_get(site->s.repo, "metadata/2.root.json"));
}

/* Start a site of which something was changed beforehand; the error is returned. */
static struct err start_error(struct site *site)
{
    char path[256];
    const struct store_options o = {.path = path};
    struct err err = {0};
    struct repo *repo = NULL;

    snprintf(path, sizeof path, "%s/other.db", site->dir);
    must(store_open(&o, &site->s.store, &err), &err);
    must(audit_open(&site->s, &site->s.audit, &err), &err);
    assert_true(repo_open(&site->s, &repo, &err) < 0);
    assert_null(repo);
    return err;
}

static void test_refuses_foreign_online_key(void **state)
{
    struct site *site = *state;
    char path[256];
    struct err err = {0};

    site_close(site);
    snprintf(path, sizeof path, "%s/server/online/rollout.pem", site->dir);
    must(file_remove_tree(path, &err), &err);
    must(key_generate("ed25519", path, NULL, NULL, &err), &err);
    err = start_error(site);
    assert_int_equal(err.code, ERR_UNTRUSTED);
    assert_non_null(strstr(err.msg, "rollout"));
}

static void test_refuses_changed_targets(void **state)
{
    struct site *site = *state;
    char path[256];
    struct buf text;
    char *version;
    struct err err = {0};

    site_close(site);
    snprintf(path, sizeof path, "%s/server/bootstrap/1.targets.json", site->dir);
    buf_init(&text, TUF_TARGETS_MAX);
    must(file_read(path, &text, &err), &err);
    version = strstr(text.data, "rollout/*");
    assert_non_null(version);
    memcpy(version, "content/*", 9);
    must(file_write_durable(path, text.data, text.len, 0644, &err), &err);
    buf_release(&text);
    assert_int_equal(start_error(site).code, ERR_UNDERSIGNED);
}

static void test_refuses_expired_targets(void **state)
{
    struct site *site = *state;

    site_close(site);
    site->at.wall_ms += INT64_C(181) * 86400000;
    assert_int_equal(start_error(site).code, ERR_EXPIRED);
}

/* --- releases -------------------------------------------------------------------------------- */

static void test_release_is_read_back(void **state)
{
    struct site *site = *state;
    struct reader rd;
    char one[65], two[65], hash[65];
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    json_auto_t *list = NULL;
    struct buf text;
    struct err err = {0};
    int64_t v1, v2;

    reader_init(&rd, site);
    site_publish(site, "1.0", one);
    v1 = read_target(&rd, site, "content/crs/1.0.json", &text);
    sha256_hex(text.data, text.len, hash);
    assert_string_equal(hash, one);
    buf_release(&text);
    site_publish(site, "2.0", two);
    v2 = read_target(&rd, site, "content/crs/2.0.json", &text);
    buf_release(&text);
    assert_int_equal(v2, v1 + 1);
    read_target(&rd, site, "content/crs/1.0.json", &text); /* still listed */
    buf_release(&text);
    must(repo_release(&site->s, SITE_CHANNEL, "2.0", &m, &err), &err);
    assert_string_equal(m->digest, two);
    list = repo_releases(site->s.repo, SITE_CHANNEL);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "version")),
                        "2.0");
}

static void test_restart_goes_on(void **state)
{
    struct site *site = *state;
    struct reader rd;
    char one[65];
    int64_t snapshot;
    struct buf text;
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    struct err err = {0};

    reader_init(&rd, site);
    site_publish(site, "1.0", one);
    snapshot = repo_snapshot_version(site->s.repo);
    site_close(site);
    site_open(site);
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot);
    must(repo_release_by_digest(&site->s, SITE_CHANNEL, one, &m, &err), &err);
    assert_string_equal(m->version, "1.0");
    site_publish(site, "2.0", NULL);
    assert_int_equal(read_target(&rd, site, "content/crs/2.0.json", &text), snapshot + 1);
    buf_release(&text);
    must(repo_reload(&site->s, &err), &err);
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
}

/* What is wrong with a release, and what is said. */
struct bad {
    const char *what;
    void (*spoil)(struct site *site, struct site_release *r); /* before signing; NULL: nothing */
    void (*spoil_content)(struct site *site, struct site_release *r);
    int n_keys;
    bool no_blob;
    int code;
};

static void other_channel(struct site *site, struct site_release *r)
{
    (void)site;
    strcpy(r->manifest->channel, "other");
}

static void low_sequence(struct site *site, struct site_release *r)
{
    (void)site;
    r->manifest->sequence = 1;
}

static void same_version(struct site *site, struct site_release *r)
{
    (void)site;
    strcpy(r->manifest->version, "1.0");
}

static void hidden_pace(struct site *site, struct site_release *r)
{
    (void)site;
    r->faster_pace = false;
}

static void expired(struct site *site, struct site_release *r)
{
    r->expires_s = site->at.wall_ms / 1000;
}

static void longer_file(struct site *site, struct site_release *r)
{
    (void)site;
    r->manifest->files[0].length++;
}

static void old_content(struct site *site, struct site_release *r)
{
    (void)site;
    json_object_set_new(r->content, "version", json_integer(1));
}

static void unlisted(struct site *site, struct site_release *r)
{
    (void)site;
    json_object_del(json_object_get(r->content, "targets"), "content/crs/2.0.json");
}

static void other_bytes(struct site *site, struct site_release *r)
{
    (void)site;
    metadata_targets_add(r->content, "content/crs/1.0.json", "x", 1, NULL);
}

static void never_published(struct site *site, struct site_release *r)
{
    (void)site;
    metadata_targets_add(r->content, "content/crs/0.9.json", "x", 1, NULL);
}

static void foreign_path(struct site *site, struct site_release *r)
{
    (void)site;
    metadata_targets_add(r->content, "rollout/crs.json", "x", 1, NULL);
}

static void drop_needed(struct site *site, struct site_release *r)
{
    struct tuf_target t;
    const char *path = "content/crs/1.0.json";
    json_t *targets = json_object_get(r->content, "targets");

    (void)site;
    t = (struct tuf_target){0};
    snprintf(t.sha256, sizeof t.sha256, "%s",
             json_string_value(json_object_get(
                 json_object_get(json_object_get(targets, path), "hashes"), "sha256")));
    strcpy(needed, t.sha256);
    json_object_del(targets, path);
}

static const struct bad bads[] = {
    /* first: the others upload the same bytes */
    {"no blob", NULL, NULL, 2, true, ERR_NOT_FOUND},
    {"under-signed", NULL, NULL, 1, false, ERR_UNDERSIGNED},
    {"other channel", other_channel, NULL, 2, false, ERR_INVALID},
    {"low sequence", low_sequence, NULL, 2, false, ERR_ROLLBACK},
    {"same version", same_version, NULL, 2, false, ERR_EXISTS},
    {"hidden faster pace", hidden_pace, NULL, 2, false, ERR_PACE},
    {"expired", expired, NULL, 2, false, ERR_EXPIRED},
    {"another length than the blob", longer_file, NULL, 2, false, ERR_INVALID},
    {"old content version", NULL, old_content, 2, false, ERR_ROLLBACK},
    {"manifest not listed", NULL, unlisted, 2, false, ERR_NOT_FOUND},
    {"changes an old release", NULL, other_bytes, 2, false, ERR_TAMPERED},
    {"lists what was never published", NULL, never_published, 2, false, ERR_INVALID},
    {"lists another role's path", NULL, foreign_path, 2, false, ERR_UNTRUSTED},
    {"drops what is needed", NULL, drop_needed, 2, false, ERR_CONFLICT},
};

static struct site_release *make_bad(struct site *site, const struct bad *bad)
{
    struct site_release *r = site_release_make(site, "2.0");
    struct err err = {0};

    if (!bad->no_blob)
        must(repo_put_blob(site->s.repo, r->manifest->files[0].sha256, r->file, strlen(r->file),
                           &err),
             &err);
    if (bad->spoil)
        bad->spoil(site, r);
    site_release_sign(site, r, bad->n_keys);
    if (bad->spoil_content) {
        bad->spoil_content(site, r);
        site_release_sign_content(site, r, bad->n_keys);
    }
    return r;
}

static void test_bad_releases(void **state)
{
    struct site *site = *state;
    int64_t snapshot;

    site_publish(site, "1.0", NULL);
    snapshot = repo_snapshot_version(site->s.repo);
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        struct site_release *r = make_bad(site, &bads[i]);
        struct store_batch *b = store_batch_new();
        struct repo_change *c = NULL;
        struct err err = {0};
        int e = repo_stage_release(&site->s, SITE_CHANNEL, r->manifest_text,
                                   strlen(r->manifest_text), r->content_text,
                                   strlen(r->content_text), "releaser", b, &c, NULL, &err);

        if (e != -bads[i].code)
            fail_msg("%s: %d %s", bads[i].what, e, err.msg);
        assert_null(c);
        store_batch_free(b);
        site_release_free(r);
    }
    needed[0] = '\0';
    site_publish(site, "2.0", NULL); /* nothing of it stayed */
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
}

/* --- plans, renewal, several changes --------------------------------------------------------- */

static struct plan *next_plan(struct reader *rd, struct site *site, int64_t tick_ms)
{
    struct plan *p = read_plan(rd, site);

    p->tick_ms = tick_ms;
    return p;
}

static void test_staged_changes_contain_each_other(void **state)
{
    struct site *site = *state;
    struct reader rd;
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    _cleanup_(plan_free_p)
    struct plan *seen = NULL;
    struct site_release *r = site_release_make(site, "1.0");
    struct store_batch *a = store_batch_new(), *b = store_batch_new();
    struct repo_change *first = NULL, *second = NULL;
    struct buf text;
    struct err err = {0};

    reader_init(&rd, site);
    p = next_plan(&rd, site, 500);
    must(repo_stage_plan(&site->s, p, a, &first, &err), &err);
    site_release_sign(site, r, SITE_THRESHOLD);
    must(repo_put_blob(site->s.repo, r->manifest->files[0].sha256, r->file, strlen(r->file), &err),
         &err);
    must(repo_stage_release(&site->s, SITE_CHANNEL, r->manifest_text, strlen(r->manifest_text),
                            r->content_text, strlen(r->content_text), "releaser", b, &second, NULL,
                            &err),
         &err);
    assert_int_equal(repo_change_snapshot(second), repo_change_snapshot(first) + 1);
    must(store_commit(site->s.store, a, &err), &err);
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, second);
    repo_publish(site->s.repo, first); /* late: takes nothing back */
    read_target(&rd, site, "content/crs/1.0.json", &text);
    buf_release(&text);
    seen = read_plan(&rd, site);
    assert_int_equal(seen->tick_ms, 500);
    assert_int_equal(seen->serial, 2);
    site_release_free(r);
}

static void test_discarded_change_leaves_nothing(void **state)
{
    struct site *site = *state;
    struct reader rd;
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    struct store_batch *b = store_batch_new();
    struct repo_change *c = NULL;
    int64_t snapshot = repo_snapshot_version(site->s.repo);
    struct err err = {0};

    reader_init(&rd, site);
    p = next_plan(&rd, site, 500);
    must(repo_stage_plan(&site->s, p, b, &c, &err), &err);
    repo_discard(site->s.repo, c);
    store_batch_free(b);
    b = store_batch_new();
    must(repo_stage_plan(&site->s, p, b, &c, &err), &err);
    assert_int_equal(p->serial, 2);
    assert_int_equal(repo_change_snapshot(c), snapshot + 1);
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, c);
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
}

static int stage_error(struct site *site, const char *version)
{
    struct site_release *r = site_release_make(site, version);
    struct store_batch *b = store_batch_new();
    struct repo_change *c = NULL;
    struct err err = {0};
    int e;

    r->expires_s += 365 * INT64_C(86400);
    site_release_sign(site, r, SITE_THRESHOLD);
    must(repo_put_blob(site->s.repo, r->manifest->files[0].sha256, r->file, strlen(r->file), &err),
         &err);
    e = repo_stage_release(&site->s, SITE_CHANNEL, r->manifest_text, strlen(r->manifest_text),
                           r->content_text, strlen(r->content_text), "releaser", b, &c, NULL, &err);
    store_batch_free(b);
    site_release_free(r);
    return e;
}

/* Content, then all else that was signed offline: no new release, but a halt's plan goes out, and
 * so do fresh timestamps, after a restart, too. */
static void test_offline_expiry_stops_no_plan(void **state)
{
    struct site *site = *state;

    site_publish(site, "1.0", NULL);
    for (int i = 0; i < 2; i++) {
        _cleanup_(plan_free_p)
        struct plan *p = NULL;
        struct store_batch *b = store_batch_new();
        struct repo_change *c = NULL;
        struct err err = {0};
        int64_t snapshot = repo_snapshot_version(site->s.repo);

        site->at.wall_ms += INT64_C(200) * 86400000;
        must(repo_empty_plan(&site->s, site->s.repo, SITE_CHANNEL, &p, &err), &err);
        p->tick_ms = 500;
        must(repo_stage_plan(&site->s, p, b, &c, &err), &err);
        must(store_commit(site->s.store, b, &err), &err);
        repo_publish(site->s.repo, c);
        assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
        site_close(site);
        site_open(site);
    }
    assert_int_equal(stage_error(site, "2.0"), -ERR_EXPIRED);
}

/* True if something was renewed. */
static bool renew(struct site *site)
{
    struct store_batch *b = store_batch_new();
    struct repo_change *c = NULL;
    struct err err = {0};

    must(repo_stage_renewal(&site->s, b, &c, &err), &err);
    must(store_commit(site->s.store, b, &err), &err);
    if (c)
        repo_publish(site->s.repo, c);
    return c != NULL;
}

static void test_renewal_at_half_life(void **state)
{
    struct site *site = *state;
    struct reader rd;
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    int64_t snapshot = repo_snapshot_version(site->s.repo);

    reader_init(&rd, site);
    site->at.wall_ms += site->s.config.timestamp_life_ms / 2 - 1000;
    assert_false(renew(site));
    site->at.wall_ms += 1000;
    assert_true(renew(site));
    assert_false(renew(site));
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot); /* the timestamp only */
    site->at.wall_ms += site->s.config.rollout_life_ms / 2;
    assert_true(renew(site));
    assert_int_equal(repo_snapshot_version(site->s.repo), snapshot + 1);
    site->at.wall_ms += site->s.config.timestamp_life_ms * 9 / 10;
    p = read_plan(&rd, site); /* nothing has expired */
    assert_int_equal(p->serial, 1);
}

static void test_old_versions_are_dropped(void **state)
{
    struct site *site = *state;
    struct reader rd;
    _cleanup_(plan_free_p)
    struct plan *p = NULL;
    struct err err = {0};

    reader_init(&rd, site);
    p = next_plan(&rd, site, 500);
    for (int i = 0; i < 140; i++) {
        struct store_batch *b = store_batch_new();
        struct repo_change *c = NULL;

        must(repo_stage_plan(&site->s, p, b, &c, &err), &err);
        store_submit(site->s.store, b, NULL, NULL);
        repo_publish(site->s.repo, c);
    }
    for (int restarted = 0; restarted < 2; restarted++) {
        struct blob *b = repo_get(site->s.repo, "metadata/141.rollout.json");

        assert_non_null(b);
        blob_unref(b);
        assert_null(repo_get(site->s.repo, "metadata/13.rollout.json"));
        assert_null(repo_get(site->s.repo, "metadata/13.snapshot.json"));
        site_close(site);
        site_open(site);
    }
    plan_free(p);
    p = read_plan(&rd, site);
    assert_int_equal(p->serial, 141);
}

/* --- blobs ----------------------------------------------------------------------------------- */

static void test_blobs(void **state)
{
    struct site *site = *state;
    struct repo *repo = site->s.repo;
    char name[65], path[256];
    struct blob *b;
    int64_t len = 0;
    size_t n;
    struct err err = {0};

    sha256_hex("abc", 3, name);
    assert_null(repo_get_blob(repo, name));
    assert_int_equal(repo_put_blob(repo, name, "abd", 3, &err), -ERR_TAMPERED);
    assert_int_equal(repo_put_blob(repo, "../../x", "abc", 3, &err), -ERR_INVALID);
    assert_false(repo_has_blob(repo, name, NULL));
    must(repo_put_blob(repo, name, "abc", 3, &err), &err);
    must(repo_put_blob(repo, name, "abc", 3, &err), &err);
    assert_true(repo_has_blob(repo, name, &len));
    assert_int_equal(len, 3);
    site_close(site); /* the cache is empty again */
    site_open(site);
    snprintf(path, sizeof path, "%s/state/blobs/%.2s/%s", site->dir, name, name);
    must(file_write_durable(path, "xyz", 3, 0644, &err), &err);
    assert_null(repo_get_blob(site->s.repo, name));                /* damaged */
    must(repo_put_blob(site->s.repo, name, "abc", 3, &err), &err); /* repaired by an upload */
    b = repo_get_blob(site->s.repo, name);
    assert_non_null(b);
    assert_memory_equal(blob_data(b, &n), "abc", 3);
    blob_unref(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_start),
        TEST(test_refuses_foreign_online_key),
        TEST(test_refuses_changed_targets),
        TEST(test_refuses_expired_targets),
        TEST(test_release_is_read_back),
        TEST(test_restart_goes_on),
        TEST(test_bad_releases),
        TEST(test_staged_changes_contain_each_other),
        TEST(test_discarded_change_leaves_nothing),
        TEST(test_offline_expiry_stops_no_plan),
        TEST(test_renewal_at_half_life),
        TEST(test_old_versions_are_dropped),
        TEST(test_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
