/* ctl: the audit chain is recomputed; any change, gap or reordering is found and named. The entries
 * were hashed by another implementation (Python's json and hashlib). */
#include "cmocka_all.h"

#include <string.h>

#include "audit/audit_chain.h"
#include "base/jsonx.h"

static const char entries[] =
    "[{\"seq\":1,\"at_ms\":1700000000000,\"actor\":\"admin\",\"action\":\"operator.create\","
    "\"subject\":\"releaser\",\"detail\":{\"role\":\"releaser\"},\"prev\":"
    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":"
    "\"264a55bc43fb688a978a59a95dc3845b9bdc761e4efcac2ab902631c7c0f540d\"},"
    "{\"seq\":2,\"at_ms\":1700000000001,\"actor\":\"releaser\",\"action\":\"release.publish\","
    "\"subject\":\"crs/1.0\",\"detail\":null,\"prev\":"
    "\"264a55bc43fb688a978a59a95dc3845b9bdc761e4efcac2ab902631c7c0f540d\",\"hash\":"
    "\"793626f65598cb7688cc07225db687fecb9ac54be29b5bb8ba185d7a490bdc0e\"},"
    "{\"seq\":3,\"at_ms\":1700000000002,\"actor\":\"gate\",\"action\":\"rollout.halt\","
    "\"subject\":\"crs/1.1\",\"detail\":{\"text\":\"SF \\\"fleet\\\" \\\\ 3 of 3\",\"n\":3},"
    "\"prev\":\"793626f65598cb7688cc07225db687fecb9ac54be29b5bb8ba185d7a490bdc0e\",\"hash\":"
    "\"31751baba774cb305924b49e64778c11d605bfc5a24c8fda06a6ab1f90258006\"}]";

static json_t *load(void)
{
    struct err err = {0};
    json_t *list = NULL;

    assert_int_equal(jsonx_parse(entries, strlen(entries), sizeof entries, &list, &err), 0);
    return list;
}

static int verify(const json_t *list, struct audit_chain *chain, struct err *err)
{
    json_t *entry;
    size_t i;
    int r = 0;

    audit_chain_init(chain);
    json_array_foreach (list, i, entry)
        if (r == 0)
            r = audit_chain_add(chain, entry, err);
    return r;
}

static void test_whole(void **state)
{
    json_auto_t *list = load();
    struct audit_chain chain;
    struct err err = {0};

    (void)state;
    assert_int_equal(verify(list, &chain, &err), 0);
    assert_int_equal(chain.seq, 3);
    assert_string_equal(chain.head,
                        "31751baba774cb305924b49e64778c11d605bfc5a24c8fda06a6ab1f90258006");
}

static void expect_broken(json_t *list, const char *part)
{
    struct audit_chain chain;
    struct err err = {0};

    assert_int_equal(verify(list, &chain, &err), -ERR_TAMPERED);
    if (!strstr(err.msg, part))
        fail_msg("'%s' does not hold '%s'", err.msg, part);
}

static void test_changed(void **state)
{
    json_auto_t *list = load();

    (void)state;
    json_object_set_new(json_array_get(list, 1), "actor", json_string("somebody"));
    expect_broken(list, "entry 2 was changed");
}

static void test_missing(void **state)
{
    json_auto_t *list = load();

    (void)state;
    json_array_remove(list, 1);
    expect_broken(list, "entry 2 is missing");
}

static void test_first_cut_off(void **state)
{
    json_auto_t *list = load();
    json_t *entry;
    size_t i;

    (void)state;
    json_array_remove(list, 0);
    json_array_foreach (list, i, entry)
        json_object_set_new(entry, "seq", json_integer((json_int_t)i + 1));
    expect_broken(list, "entry 1 does not follow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_first_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
