/* audit: the chain goes on over restarts, the command line's check agrees, and what was changed
 * behind the server's back is noticed. */
#include "cmocka_all.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "audit/audit_chain.h"
#include "site.h"
#include "store/store.h"

static int set_up(void **state)
{
    struct site *site = site_new();

    site_open(site);
    *state = site;
    return 0;
}

static int tear_down(void **state)
{
    site_free(*state);
    return 0;
}

static void add(struct site *site, const char *action, const json_t *detail)
{
    struct store_batch *b = store_batch_new();
    struct err err = {0};

    assert_int_equal(audit_add(&site->s, b, "ann", action, "crs/1.0", detail), 0);
    assert_int_equal(store_commit(site->s.store, b, &err), 0);
}

static int visit(void *ctx, const struct row_audit *row, struct err *err)
{
    json_auto_t *o = audit_to_json(row);

    return audit_chain_add(ctx, o, err);
}

static void test_chain(void **state)
{
    struct site *site = *state;
    json_auto_t *detail = json_pack("{s:f, s:s}", "log_e", 1.25, "why", "naïve \"quote\"");
    const struct store_visitor v = {.audit = visit};
    struct audit_chain chain;
    int64_t before = audit_last(site->s.audit);
    struct err err = {0};

    add(site, "rollout.start", NULL);
    add(site, "gate.halt", detail); /* numbers that canonical JSON has no form for */
    site_close(site);
    site_open(site);
    add(site, "rollout.start", NULL);
    assert_int_equal(audit_last(site->s.audit), before + 3);
    audit_chain_init(&chain);
    if (store_load(site->s.store, &v, &chain, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(chain.seq, before + 3);
}

static void test_reload_forgets_what_was_not_committed(void **state)
{
    struct site *site = *state;
    struct store_batch *b = store_batch_new();
    int64_t before = audit_last(site->s.audit);
    struct err err = {0};

    assert_int_equal(audit_add(&site->s, b, "ann", "x", "y", NULL), 0);
    store_batch_free(b);
    assert_int_equal(audit_reload(&site->s, &err), 0);
    assert_int_equal(audit_last(site->s.audit), before);
    add(site, "rollout.start", NULL);
    assert_int_equal(audit_reload(&site->s, &err), 0);
}

static void test_tampering(void **state)
{
    static const struct {
        const char *sql, *says;
    } rows[] = {
        {"UPDATE audit SET detail='{}' WHERE seq=1", "entry 1 was changed"},
        {"UPDATE audit SET actor='bob' WHERE seq=2", "entry 2 was changed"},
        {"DELETE FROM audit WHERE seq=3", "entry 3 is missing"},
        {"UPDATE audit SET prev=replace(prev, substr(prev, 1, 1), 'x') WHERE seq=4",
         "entry 4 does not follow"},
    };
    struct site *site = *state;

    for (size_t i = sizeof rows / sizeof rows[0]; i-- > 0;) { /* each before the last one's */
        struct err err = {0};
        char path[256];
        sqlite3 *db;

        snprintf(path, sizeof path, "%s/firebreak.db", site->s.config.state_dir);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(audit_reload(&site->s, &err), -ERR_TAMPERED);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("wanted '%s', got '%s'", rows[i].says, err.msg);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_chain),
        TEST(test_reload_forgets_what_was_not_committed),
        TEST(test_tampering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
