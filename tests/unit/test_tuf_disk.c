/* tuf_client over a broken disk: each call of the store fails in turn, once or from then on, while
 * roots and online keys are rotated. It is told, what was trusted stays byte for byte or is what a
 * whole refresh would have left, nothing goes back, and the next refresh puts all right. */
#include "cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tuf_world.h"

#define CALLS_MAX 200 /* more than any refresh here makes */

/* A store whose n-th call fails, and where `for_good` all that follow. */
struct faulty {
    struct tuf_store below;
    int n; /* calls until then; 0: never */
    int calls;
    bool for_good;
    enum err_code code;
};

static int fault(struct faulty *f, const char *what, const char *name, struct err *err)
{
    f->calls++;
    if (!f->n || f->calls < f->n || (f->calls > f->n && !f->for_good))
        return 0;
    return err_set(err, f->code, "%s '%s': injected", what, name);
}

static int get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    struct faulty *f = ctx;
    int r = fault(f, "read", name, err);

    return r < 0 ? r : f->below.get(f->below.ctx, name, ret, err);
}

static int put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    struct faulty *f = ctx;
    int r = fault(f, "write", name, err);

    return r < 0 ? r : f->below.put(f->below.ctx, name, data, len, err);
}

static int drop(void *ctx, const char *name, struct err *err)
{
    struct faulty *f = ctx;
    int r = fault(f, "remove", name, err);

    return r < 0 ? r : f->below.remove(f->below.ctx, name, err);
}

static struct tuf_store faulty_store(struct faulty *f)
{
    return (struct tuf_store){.get = get, .put = put, .remove = drop, .ctx = f};
}

/* A whole process: open, refresh, look the target up. */
static int run(struct tuf_world *w, const struct tuf_store *store, struct err *err)
{
    struct tuf_client *c = NULL;
    struct tuf_target t;
    int r = tuf_client_new(store, &w->fetch, &c, err);

    if (r == 0)
        r = tuf_client_refresh(c, TUF_REPO_NOW, err);
    if (r == 0)
        r = tuf_client_find(c, TUF_REPO_NOW, TUF_REPO_TARGET, &t, err);
    tuf_client_free(c);
    return r;
}

/* Two roots, the last one with other online keys, and new content. */
static void publish_rotations(struct tuf_world *w)
{
    struct tuf_repo *r = w->repo;

    tuf_repo_bump(r->root, 1);
    tuf_repo_publish_root(r);
    r->snapshot_by = (struct tuf_repo_role){1, {6}};
    r->timestamp_by = (struct tuf_repo_role){1, {7}};
    tuf_repo_set_role(r, "snapshot", &r->snapshot_by, 1);
    tuf_repo_set_role(r, "timestamp", &r->timestamp_by, 1);
    tuf_repo_bump(r->root, 1);
    tuf_repo_publish_root(r);
    tuf_world_publish_next(w);
}

/* Every file is the one from before or the one from after; gone only where rotation drops it. Of
 * roots there is one between, as each is kept as it comes, and a note that they rotated keys. */
static void assert_between(const struct tuf_world *w, const json_t *before, const json_t *after)
{
    const json_t *now = w->repo->trusted;
    const json_t *root_2 = json_object_get(w->repo->files, "metadata/2.root.json");
    const char *name;
    json_t *o;

    json_object_foreach ((json_t *)now, name, o)
        if (strcmp(name, "rotation") != 0 && !json_equal(o, json_object_get(before, name)) &&
            !json_equal(o, json_object_get(after, name)) &&
            !(strcmp(name, "root.json") == 0 && json_equal(o, root_2)))
            fail_msg("'%s' is neither the old nor the new one", name);
    json_object_foreach ((json_t *)before, name, o)
        if (!json_object_get(now, name) && strcmp(name, "timestamp.json") != 0 &&
            strcmp(name, "snapshot.json") != 0)
            fail_msg("'%s' is gone", name);
}

/* With the n-th call failing; false where there was no such call. */
static bool fails_and_recovers(struct tuf_world *w, struct faulty *f, const json_t *before,
                               const json_t *after, bool rotated)
{
    struct tuf_store store = faulty_store(f);
    struct tuf_client *c = NULL;
    struct err err = {0};
    int r;

    json_object_clear(w->repo->trusted);
    json_object_update(w->repo->trusted, (json_t *)before);
    f->calls = 0;
    r = run(w, &store, &err);
    if (f->calls < f->n) {
        assert_int_equal(r, 0);
        return false;
    }
    if (r == 0 || r != -(int)f->code || !strstr(err.msg, "injected"))
        fail_msg("call %d: %d, '%s'", f->n, r, err.msg);
    assert_between(w, before, after);
    assert_int_equal(tuf_client_new(&w->store, NULL, &c, &err), 0);
    if (!rotated) /* what was there still works without the network */
        assert_int_equal(tuf_client_load(c, &err), 0);
    tuf_client_free(c);
    assert_int_equal(run(w, &w->store, &err), 0);
    assert_true(json_equal(w->repo->trusted, after));
    return true;
}

static int each_call_fails(struct tuf_world *w, const json_t *before, bool rotated)
{
    static const enum err_code codes[] = {ERR_IO, ERR_FULL};
    json_auto_t *after = NULL;
    struct err err = {0};
    int n = 1;

    assert_int_equal(run(w, &w->store, &err), 0);
    after = json_copy(w->repo->trusted);
    assert_false(json_equal(before, after));
    for (size_t i = 0; i < 4; i++) {
        struct faulty f = {.below = w->store, .n = 1, .code = codes[i / 2], .for_good = i % 2 != 0};

        for (; fails_and_recovers(w, &f, before, after, rotated); f.n++)
            assert_in_range(f.n, 1, CALLS_MAX);
        n = f.n;
    }
    return n - 1;
}

static void test_first_refresh(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *before = json_copy(w->repo->trusted);

    /* root; 4 new files and the delegated one, each looked for before it is fetched and kept */
    assert_in_range(each_call_fails(w, before, true), 10, CALLS_MAX);
}

static void test_new_content(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *before = NULL;
    struct err err = {0};

    assert_int_equal(run(w, &w->store, &err), 0);
    before = json_copy(w->repo->trusted);
    tuf_world_publish_next(w);
    assert_in_range(each_call_fails(w, before, false), 6, CALLS_MAX);
}

static void test_rotations(void **state)
{
    struct tuf_world *w = *state;
    json_auto_t *before = NULL;
    struct err err = {0};

    assert_int_equal(run(w, &w->store, &err), 0);
    before = json_copy(w->repo->trusted);
    publish_rotations(w);
    assert_in_range(each_call_fails(w, before, true), 10, CALLS_MAX);
}

static void test_init(void **state)
{
    struct tuf_world *w = *state;
    const json_t *root = json_object_get(w->repo->files, "metadata/1.root.json");
    const char *text = json_string_value(root);
    struct faulty f = {.below = w->store, .code = ERR_FULL, .n = 1};
    struct tuf_store store = faulty_store(&f);
    struct err err = {0};

    for (; f.n <= 2; f.n++) { /* look whether there is one, write it */
        json_object_clear(w->repo->trusted);
        f.calls = 0;
        assert_int_equal(tuf_client_init(&store, text, json_string_length(root), &err), -ERR_FULL);
        assert_int_equal(json_object_size(w->repo->trusted), 0);
    }
    f.calls = 0;
    assert_int_equal(tuf_client_init(&store, text, json_string_length(root), &err), 0);
    assert_int_equal(f.calls, 2);
    assert_true(json_equal(json_object_get(w->repo->trusted, "root.json"), root));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, tuf_world_set_up, tuf_world_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_init),
        T(test_first_refresh),
        T(test_new_content),
        T(test_rotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
