/* trust: however many roots lie between the one that is trusted and the newest. */
#include "cmocka_all.h"

#include "trust.h"
#include "tuf_world.h"

/* One root more than a refresh follows; the keys below it changed on the way. */
static void rotate(struct tuf_repo *r, int times)
{
    const struct tuf_repo_role other = {1, {6}};

    for (int i = 0; i < times; i++) {
        tuf_repo_bump(r->root, 1);
        if (i == times - 1) {
            tuf_repo_set_role(r, "timestamp", &other, 1);
            r->timestamp_by = other;
        }
        tuf_repo_publish_root(r);
    }
    tuf_repo_publish(r);
}

static void test_many_roots(void **state)
{
    struct tuf_world *w = *state;
    struct err err = {0};

    rotate(w->repo, TUF_CLIENT_ROTATIONS + 1);
    tuf_world_reopen(w);
    assert_int_not_equal(tuf_client_refresh(w->client, TUF_REPO_NOW, &err), 0);
    assert_int_equal(tuf_client_root_version(w->client), TUF_CLIENT_ROTATIONS + 1);
    rotate(w->repo, TUF_CLIENT_ROTATIONS + 1);
    if (trust_refresh_to_newest(w->client, TUF_REPO_NOW, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(err.code, ERR_OK); /* what failed on the way is forgotten */
    assert_int_equal(tuf_client_root_version(w->client), 2 * TUF_CLIENT_ROTATIONS + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_roots, tuf_world_set_up, tuf_world_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
