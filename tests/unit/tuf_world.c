/* tuf_world: see tuf_world.h. */
#include "tuf_world.h"

#include <stdlib.h>

#include "cmocka_all.h"

void tuf_world_trust_root_1(struct tuf_world *w)
{
    const json_t *o = json_object_get(w->repo->files, "metadata/1.root.json");

    assert_int_equal(
        tuf_client_init(&w->store, json_string_value(o), json_string_length(o), &w->err), 0);
}

void tuf_world_reopen(struct tuf_world *w)
{
    tuf_client_free(w->client);
    w->client = NULL;
    assert_int_equal(tuf_client_new(&w->store, &w->fetch, &w->client, &w->err), 0);
}

int tuf_world_set_up(void **state)
{
    struct tuf_world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->repo = tuf_repo_new();
    w->store = tuf_repo_store(w->repo);
    w->fetch = tuf_repo_fetch(w->repo);
    buf_init(&w->text, 65536);
    tuf_world_trust_root_1(w);
    tuf_world_reopen(w);
    *state = w;
    return 0;
}

int tuf_world_tear_down(void **state)
{
    struct tuf_world *w = *state;

    tuf_client_free(w->client);
    tuf_repo_free(w->repo);
    buf_release(&w->text);
    free(w);
    return 0;
}

int tuf_world_refresh_at(struct tuf_world *w, int64_t now_s)
{
    tuf_world_reopen(w);
    json_array_clear(w->repo->requests);
    w->err = (struct err){0};
    return tuf_client_refresh(w->client, now_s, &w->err);
}

int tuf_world_refresh(struct tuf_world *w)
{
    return tuf_world_refresh_at(w, TUF_REPO_NOW);
}

void tuf_world_assert_requests(struct tuf_world *w, const char *want)
{
    assert_string_equal(tuf_repo_requests(w->repo, &w->text), want);
}

int64_t tuf_world_trusted(struct tuf_world *w, const char *name)
{
    const char *text = json_string_value(json_object_get(w->repo->trusted, name));
    json_auto_t *o = text ? json_loads(text, 0, NULL) : NULL;

    return json_integer_value(json_object_get(json_object_get(o, "signed"), "version"));
}

int tuf_world_find(struct tuf_world *w)
{
    struct tuf_target t;

    return tuf_client_find(w->client, TUF_REPO_NOW, TUF_REPO_TARGET, &t, &w->err);
}

void tuf_world_publish_next(struct tuf_world *w)
{
    tuf_repo_bump(w->repo->content, 1);
    tuf_repo_bump(w->repo->snapshot, 1);
    tuf_repo_bump(w->repo->timestamp, 1);
    tuf_repo_publish(w->repo);
}
