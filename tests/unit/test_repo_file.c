/* repo_file: files of ceremonies on the disk: new ones only, and signed ones as they were read. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "repository/repo_file.h"
#include "scratch.h"

#define SCRAP (&(struct err){0})

static json_t *make_body(void)
{
    json_t *body = metadata_new_targets(1, 1800000000);

    metadata_targets_add(body, "content/crs/1.0.json", "x", 1, NULL);
    return body;
}

static void test_new_only(void **state)
{
    _cleanup_(free_p)
    char *path = path_join(*state, "draft.json");
    json_auto_t *body = make_body();
    json_auto_t *nothing = metadata_new_targets(1, 1800000000);
    struct repo_file f;

    assert_int_equal(repo_file_write_draft(path, nothing, SCRAP), -ERR_INVALID);
    assert_false(file_exists(path)); /* what nobody would take is not written */
    assert_int_equal(repo_file_write_draft(path, body, SCRAP), 0);
    assert_int_equal(repo_file_write_draft(path, body, SCRAP), -ERR_EXISTS);
    assert_int_equal(repo_file_read(path, "targets", &f, SCRAP), -ERR_INVALID);
    assert_int_equal(repo_file_read(path, "content-crs", &f, SCRAP), 0);
    assert_true(json_equal(f.m->body, body));
    repo_file_release(&f);
}

/* Two people sign one file on a share: the second one's signature does not cost the first one's. */
static void test_changed_meanwhile(void **state)
{
    _cleanup_(free_p)
    char *path = path_join(*state, "shared.json");
    json_auto_t *body = make_body();
    struct repo_file mine, theirs;

    assert_int_equal(repo_file_write_draft(path, body, SCRAP), 0);
    assert_int_equal(repo_file_read(path, NULL, &mine, SCRAP), 0);
    assert_int_equal(repo_file_read(path, NULL, &theirs, SCRAP), 0);
    json_array_append_new(json_object_get(theirs.m->envelope, "signatures"),
                          json_pack("{s:s, s:s}", "keyid", "k", "sig", "00"));
    assert_int_equal(repo_file_rewrite(&theirs, SCRAP), 0);
    assert_int_equal(repo_file_rewrite(&mine, SCRAP), -ERR_CONFLICT);
    repo_file_release(&mine);
    assert_int_equal(repo_file_read(path, NULL, &mine, SCRAP), 0);
    assert_int_equal(json_array_size(json_object_get(mine.m->envelope, "signatures")), 1);
    repo_file_release(&mine);
    repo_file_release(&theirs);
}

/* All at the same moment: one is written, every other one is told. */
#define AT_ONCE 8

struct race {
    struct repo_file files[AT_ONCE];
    pthread_barrier_t start;
    atomic_int written, told;
};

struct racer {
    struct race *race;
    const struct repo_file *file;
};

static void *rewrite(void *arg)
{
    const struct racer *me = arg;
    int r;

    pthread_barrier_wait(&me->race->start);
    r = repo_file_rewrite(me->file, SCRAP);
    atomic_fetch_add(&me->race->written, r == 0);
    atomic_fetch_add(&me->race->told, r == -ERR_CONFLICT);
    return NULL;
}

static void run_race(const char *path)
{
    struct race race = {0};
    struct racer racers[AT_ONCE];
    pthread_t threads[AT_ONCE];

    pthread_barrier_init(&race.start, NULL, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        char id[8];

        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(repo_file_read(path, NULL, &race.files[i], SCRAP), 0);
        json_array_append_new(json_object_get(race.files[i].m->envelope, "signatures"),
                              json_pack("{s:s, s:s}", "keyid", id, "sig", "00"));
        racers[i] = (struct racer){&race, &race.files[i]};
    }
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rewrite, &racers[i]), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(threads[i], NULL);
        repo_file_release(&race.files[i]);
    }
    pthread_barrier_destroy(&race.start);
    assert_int_equal(atomic_load(&race.written), 1);
    assert_int_equal(atomic_load(&race.told), AT_ONCE - 1);
}

static void test_at_once(void **state)
{
    json_auto_t *body = make_body();

    for (int i = 0; i < 20; i++) {
        char name[32];
        _cleanup_(free_p)
        char *path = NULL;

        snprintf(name, sizeof name, "race-%d.json", i);
        path = path_join(*state, name);
        assert_int_equal(repo_file_write_draft(path, body, SCRAP), 0);
        run_race(path);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_only),
        TEST(test_changed_meanwhile),
        TEST(test_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
