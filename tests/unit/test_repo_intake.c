/* repo_intake: what was signed offline is taken in, or refused with nothing changed. After each
 * change a client that had what was there before follows. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "offline.h"
#include "tuf/client.h"
#include "tuf/store_memory.h"

#define ROOTS   "offline/root-1 offline/root-2"
#define TARGETS "offline/targets-1 offline/targets-2"
#define CONTENT "offline/content-crs-1 offline/content-crs-2"

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* --- a client that keeps what it has --------------------------------------------------------- */

struct follower {
    struct tuf_memory *memory;
    struct tuf_store store;
};

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

/* Refresh and find this target, "" none; what the client says. */
static int follow(struct follower *f, struct site *site, const char *target, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    const struct tuf_fetch from = {fetch, site->s.repo};
    int64_t now_s = site->at.wall_ms / 1000;
    struct tuf_target t;
    struct buf bytes;
    int r = tuf_client_new(&f->store, &from, &c, err);

    if (r == 0)
        r = tuf_client_refresh(c, now_s, err);
    if (r < 0 || !target[0])
        return r;
    buf_init(&bytes, MANIFEST_MAX);
    r = tuf_client_find(c, now_s, target, &t, err);
    if (r == 0)
        r = tuf_client_download(c, &t, &bytes, err);
    buf_release(&bytes);
    return r;
}

static void follower_init(struct follower *f, struct site *site)
{
    struct blob *root = repo_get(site->s.repo, "metadata/1.root.json");
    const void *data;
    size_t len;
    struct err err = {0};

    f->memory = tuf_memory_new(NULL);
    f->store = tuf_memory_store(f->memory);
    data = blob_data(root, &len);
    must(tuf_client_init(&f->store, data, len, &err), &err);
    blob_unref(root);
    must(follow(f, site, "", &err), &err);
}

/* --- a site with a release and a client of it ------------------------------------------------ */

struct world {
    struct site *site;
    struct follower old;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};

    w->site = site_new();
    must(offline_open(w->site, &err), &err);
    site_publish(w->site, "1.0", NULL);
    follower_init(&w->old, w->site);
    must(follow(&w->old, w->site, "content/crs/1.0.json", &err), &err);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    tuf_memory_free(w->old.memory);
    offline_close(w->site);
    site_free(w->site);
    free(w);
    return 0;
}

/* The client from before follows, and so does one of a restarted server. */
static void check_followed(struct world *w)
{
    struct err err = {0};

    must(follow(&w->old, w->site, "content/crs/1.0.json", &err), &err);
    must(follow(&w->old, w->site, "rollout/crs.json", &err), &err);
    offline_close(w->site);
    must(offline_open(w->site, &err), &err);
    must(follow(&w->old, w->site, "content/crs/1.0.json", &err), &err);
}

static void check_taken(struct world *w, int r, const struct err *err)
{
    must(r, err);
    check_followed(w);
}

/* Refused with this code and these words, and nothing changed. */
static void check_refused(struct world *w, int64_t snapshot, int r, int code, const char *words,
                          const struct err *err)
{
    if (r != -code || !strstr(err->msg, words))
        fail_msg("%d: %s, not '%s'", r, err->msg, words);
    assert_int_equal(repo_snapshot_version(w->site->s.repo), snapshot);
    site_publish(w->site, "next", NULL); /* what is staged later does not have it either */
    assert_int_equal(repo_snapshot_version(w->site->s.repo), snapshot + 1);
}

static int64_t snapshot_of(const struct world *w)
{
    return repo_snapshot_version(w->site->s.repo);
}

/* --- renewal --------------------------------------------------------------------------------- */

static void test_renewals(void **state)
{
    static const struct {
        const char *role, *keys;
    } roles[] = {{"root", ROOTS}, {"targets", TARGETS}, {"content-crs", CONTENT}};
    struct world *w = *state;
    struct err err = {0};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        int64_t snapshot = snapshot_of(w);
        char *text = offline_sign(w->site, offline_next(w->site, roles[i].role), roles[i].keys);
        char *again = strdup(text);

        check_taken(w, offline_take(w->site, roles[i].role, text, &err), &err);
        assert_int_equal(snapshot_of(w), snapshot + 1);
        must(offline_take(w->site, roles[i].role, again, &err), &err); /* unchanged */
        assert_int_equal(snapshot_of(w), snapshot + 1);
    }
}

static void test_under_signed(void **state)
{
    static const struct {
        const char *role, *key;
    } roles[] = {{"root", "offline/root-1"},
                 {"targets", "offline/targets-1"},
                 {"content-crs", "offline/content-crs-1"}};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct err err = {0};
        int64_t snapshot = snapshot_of(w);
        json_t *body = offline_next(w->site, roles[i].role);
        int r =
            offline_take(w->site, roles[i].role, offline_sign(w->site, body, roles[i].key), &err);

        assert_int_equal(r, -ERR_UNDERSIGNED);
        assert_int_equal(snapshot_of(w), snapshot);
    }
    check_followed(w);
}

/* --- online keys ----------------------------------------------------------------------------- */

static char *root_with_new_timestamp(struct world *w, struct key *k)
{
    json_t *root = offline_next(w->site, "root");

    offline_root_role(root, "timestamp", &k, 1, 1);
    return offline_sign(w->site, root, ROOTS);
}

static void test_new_timestamp_key(void **state)
{
    struct world *w = *state;
    _cleanup_(key_free_p)
    struct key *k = offline_key(w->site, "server/online/timestamp-2");
    struct err err = {0};

    check_taken(w, offline_take(w->site, "root", root_with_new_timestamp(w, k), &err), &err);
}

static void test_missing_private_key(void **state)
{
    struct world *w = *state;
    _cleanup_(key_free_p)
    struct key *k = offline_key(w->site, "offline/elsewhere");
    struct err err = {0};
    int64_t snapshot = snapshot_of(w);
    int r = offline_take(w->site, "root", root_with_new_timestamp(w, k), &err);

    check_refused(w, snapshot, r, ERR_UNTRUSTED, "timestamp", &err);
    assert_non_null(strstr(err_show_remedy(&err), "online_dir"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renewals),
        TEST(test_under_signed),
        TEST(test_new_timestamp_key),
        TEST(test_missing_private_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
