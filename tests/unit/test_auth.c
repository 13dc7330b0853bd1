/* auth: operators and enrolment tokens, over restarts and failed commits. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "auth.h"
#include "base/file.h"
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

static void test_role_names(void **state)
{
    enum role r;

    (void)state;
    for (int i = ROLE_PUBLIC; i <= ROLE_ADMIN; i++) {
        assert_int_equal(role_from(role_name((enum role)i), &r), 0);
        assert_int_equal(r, i);
    }
    assert_true(role_from("root", &r) < 0);
    assert_true(ROLE_VIEWER < ROLE_RELEASER && ROLE_RELEASER < ROLE_APPROVER &&
                ROLE_APPROVER < ROLE_ADMIN);
}

static void test_operators_of_init(void **state)
{
    struct site *site = *state;
    struct operator_ref who;
    char token[64];
    struct err err = {0};

    site_token(site, "releaser", token);
    assert_int_equal(auth_operator(&site->s, token, &who, &err), 0);
    assert_string_equal(who.name, "releaser");
    assert_int_equal(who.role, ROLE_RELEASER);
    token[10] ^= 1;
    assert_int_equal(auth_operator(&site->s, token, &who, &err), -ERR_UNAUTHORISED);
    assert_int_equal(auth_operator(&site->s, "", &who, &err), -ERR_UNAUTHORISED);
}

static void test_new_operator_stays(void **state)
{
    struct site *site = *state;
    struct store_batch *b = store_batch_new();
    struct operator_ref who;
    char token[64], other[64];
    struct err err = {0};

    assert_int_equal(auth_add_operator(&site->s, "ann", ROLE_APPROVER, token, b, &err), 0);
    assert_int_equal(auth_add_operator(&site->s, "ann", ROLE_ADMIN, other, b, &err), -ERR_EXISTS);
    assert_int_equal(auth_add_operator(&site->s, "a b", ROLE_ADMIN, other, b, &err), -ERR_INVALID);
    assert_int_equal(auth_add_operator(&site->s, "dev", ROLE_DEVICE, other, b, &err), -ERR_INVALID);
    assert_int_equal(auth_add_operator(&site->s, "gate", ROLE_ADMIN, other, b, &err), -ERR_INVALID);
    assert_int_equal(store_commit(site->s.store, b, &err), 0);
    site_close(site);
    site_open(site);
    assert_int_equal(auth_operator(&site->s, token, &who, &err), 0);
    assert_int_equal(who.role, ROLE_APPROVER);
}

static void test_reload_forgets_what_was_not_committed(void **state)
{
    struct site *site = *state;
    struct store_batch *b = store_batch_new();
    struct operator_ref who;
    char token[64];
    struct err err = {0};

    assert_int_equal(auth_add_operator(&site->s, "ann", ROLE_ADMIN, token, b, &err), 0);
    store_batch_free(b);
    assert_int_equal(auth_reload(&site->s, &err), 0);
    assert_int_equal(auth_operator(&site->s, token, &who, &err), -ERR_UNAUTHORISED);
}

static int count_audit(void *ctx, const struct row_audit *row, struct err *err)
{
    (void)err;
    *(int *)ctx += strcmp(row->action, "operator.create") == 0;
    return 0;
}

static int operators_audited(struct site *site)
{
    const struct store_visitor v = {.audit = count_audit};
    struct err err = {0};
    int n = 0;

    assert_int_equal(store_load(site->s.store, &v, &n, &err), 0);
    return n;
}

static void write_operators(struct site *site, const char *text)
{
    char path[256];
    struct err err = {0};

    snprintf(path, sizeof path, "%s/operators.json", site->s.config.bootstrap_dir);
    assert_int_equal(file_write_durable(path, text, strlen(text), 0600, &err), 0);
}

static void test_import_of_new_names(void **state)
{
    struct site *site = *state;
    struct operator_ref who;
    char token[64];
    struct err err = {0};

    assert_int_equal(operators_audited(site), 5);
    site_close(site);
    /* A new name, and a known one with another role and token: that one stays as it is. */
    write_operators(site,
                    "{\"operators\":[{\"name\":\"zoe\",\"role\":\"viewer\",\"sha256\":"
                    "\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"},"
                    "{\"name\":\"viewer\",\"role\":\"admin\",\"sha256\":"
                    "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}");
    site_open(site);
    assert_int_equal(operators_audited(site), 6);
    assert_int_equal(auth_operator(&site->s, "hello", &who, &err), 0); /* its SHA-256 is above */
    assert_string_equal(who.name, "zoe");
    site_token(site, "viewer", token);
    assert_int_equal(auth_operator(&site->s, token, &who, &err), 0);
    assert_int_equal(who.role, ROLE_VIEWER);
}

static void test_import_refuses(void **state)
{
    static const char *const bad[] = {
        "{\"operators\":[{\"name\":\"x\",\"role\":\"device\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"operators\":[{\"name\":\"x\",\"role\":\"viewer\",\"sha256\":\"00\"}]}",
        "{\"operators\":[{\"name\":\"x\"}]}",
        "{}",
    };
    struct site *site = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct store_batch *b = store_batch_new();
        struct err err = {0};

        write_operators(site, bad[i]);
        assert_int_equal(auth_import(&site->s, b, &err), -ERR_INVALID);
        assert_non_null(strstr(err.msg, "operators.json"));
        store_batch_free(b);
    }
}

static void test_enrolment_uses(void **state)
{
    struct site *site = *state;
    struct store_batch *b = store_batch_new();
    char token[64], id[17], used_id[17], group[GROUP_NAME_MAX];
    struct err err = {0};

    assert_int_equal(auth_add_enrolment(&site->s, "lab", 2, token, id, b, &err), 0);
    assert_int_equal(auth_add_enrolment(&site->s, "lab", 0, group, used_id, b, &err), -ERR_INVALID);
    assert_int_equal(auth_use_enrolment(&site->s, token, group, used_id, b, &err), 0);
    assert_string_equal(group, "lab");
    assert_string_equal(used_id, id);
    assert_int_equal(store_commit(site->s.store, b, &err), 0);
    site_close(site);
    site_open(site);
    b = store_batch_new();
    assert_int_equal(auth_use_enrolment(&site->s, token, group, used_id, b, &err), 0);
    assert_int_equal(auth_use_enrolment(&site->s, token, group, used_id, b, &err),
                     -ERR_UNAUTHORISED);
    assert_non_null(strstr(err.msg, "no uses left"));
    assert_int_equal(auth_use_enrolment(&site->s, "fbe_x", group, used_id, b, &err),
                     -ERR_UNAUTHORISED);
    store_batch_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role_names), TEST(test_operators_of_init),
        TEST(test_new_operator_stays),     TEST(test_reload_forgets_what_was_not_committed),
        TEST(test_import_of_new_names),    TEST(test_import_refuses),
        TEST(test_enrolment_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
