/* world: see world.h. */
#include "cmocka_all.h"

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "repo/blob.h"
#include "tuf/client.h"

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

/* --- a client that keeps what it has --------------------------------------------------------- */

static int fetch(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    const struct follower *f = ctx;
    struct blob *b;
    const void *data;
    size_t len;
    int r;

    for (size_t i = 0; i < f->n_forged; i++)
        if (strcmp(f->forged[i].path, path) == 0)
            return buf_add(ret, f->forged[i].text, strlen(f->forged[i].text));
    b = repo_get(f->repo, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "no '%s'", path);
    data = blob_data(b, &len);
    r = buf_add(ret, data, len);
    blob_unref(b);
    return r;
}

int follower_refresh(struct follower *f, struct site *site, const char *target, struct err *err)
{
    _cleanup_(tuf_client_free_p)
    struct tuf_client *c = NULL;
    const struct tuf_fetch from = {fetch, f};
    int64_t now_s = site->at.wall_ms / 1000;
    struct tuf_target t;
    struct buf bytes;
    int r;

    f->repo = site->s.repo;
    r = tuf_client_new(&f->store, &from, &c, err);

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

void follower_init(struct follower *f, struct site *site)
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
    must(follower_refresh(f, site, "", &err), &err);
}

/* --- a site with a release and a client of it ------------------------------------------------ */

int world_set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};

    w->site = site_new();
    must(offline_open(w->site, &err), &err);
    site_publish(w->site, "1.0", NULL);
    follower_init(&w->old, w->site);
    must(follower_refresh(&w->old, w->site, "content/crs/1.0.json", &err), &err);
    *state = w;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *w = *state;

    tuf_memory_free(w->old.memory);
    offline_close(w->site);
    site_free(w->site);
    free(w);
    return 0;
}

void world_check_followed(struct world *w)
{
    struct err err = {0};

    must(follower_refresh(&w->old, w->site, "content/crs/1.0.json", &err), &err);
    must(follower_refresh(&w->old, w->site, "rollout/crs.json", &err), &err);
    offline_close(w->site);
    must(offline_open(w->site, &err), &err);
    must(follower_refresh(&w->old, w->site, "content/crs/1.0.json", &err), &err);
}

void world_check_taken(struct world *w, int r, const struct err *err)
{
    must(r, err);
    world_check_followed(w);
}

void world_check_refused(struct world *w, int64_t snapshot, int r, int code, const char *words,
                         const struct err *err)
{
    char version[32];

    if (r != -code || !strstr(err->msg, words))
        fail_msg("%d: %s, not '%s'", r, err->msg, words);
    assert_int_equal(repo_snapshot_version(w->site->s.repo), snapshot);
    snprintf(version, sizeof version, "9.%lld", (long long)snapshot);
    site_publish(w->site, version, NULL); /* what is staged later does not have it either */
    assert_int_equal(repo_snapshot_version(w->site->s.repo), snapshot + 1);
}

int64_t world_snapshot(const struct world *w)
{
    return repo_snapshot_version(w->site->s.repo);
}

bool world_has(const struct world *w, const char *path)
{
    _cleanup_(blob_unref_p)
    struct blob *b = repo_get(w->site->s.repo, path);

    return b != NULL;
}
