/*
 * formats: the written contract and the code say the same. The examples beside the JSON Schemas
 * were made, and the permit among them signed, by another implementation (Python and the openssl
 * command); each is read and written here, and what is written has the members that its schema
 * lists.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkin.h"
#include "manifest.h"
#include "permit.h"
#include "plan.h"

#define JSON_DIR SOURCE_DIR "/schema/json/"

static void read_file(const char *name, struct buf *ret)
{
    struct err err = {0};
    char path[512];

    snprintf(path, sizeof path, JSON_DIR "%s", name);
    buf_init(ret, 1000000);
    if (file_read(path, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static json_t *load(const char *name)
{
    json_t *v;
    struct buf b;

    read_file(name, &b);
    v = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
    buf_release(&b);
    if (!v)
        fail_msg("%s is not JSON", name);
    return v;
}

static void walk(const json_t *v, const json_t *schema, const char *where);

static void walk_object(const json_t *v, const json_t *schema, const char *where)
{
    json_t *properties = json_object_get(schema, "properties"), *name;
    const char *key;
    json_t *member;
    size_t i;

    if (!properties) /* described elsewhere */
        return;
    json_object_foreach ((json_t *)v, key, member) {
        char at[256];

        snprintf(at, sizeof at, "%.180s.%.60s", where, key);
        if (!json_object_get(properties, key))
            fail_msg("%s is not in the schema", at);
        walk(member, json_object_get(properties, key), at);
    }
    json_array_foreach (json_object_get(schema, "required"), i, name) {
        if (!json_object_get(v, json_string_value(name)))
            fail_msg("%s lacks '%s', which the schema requires", where, json_string_value(name));
    }
}

/* Members only; the limits were checked with a full validator when the examples were made. */
static void walk(const json_t *v, const json_t *schema, const char *where)
{
    json_t *choices = json_object_get(schema, "anyOf"), *item;
    size_t i;

    /* Our only use of anyOf beside types: null, or the second choice. */
    if (choices && !json_is_null(v))
        schema = json_array_get(choices, 1);
    if (json_is_object(v))
        walk_object(v, schema, where);
    json_array_foreach (v, i, item)
        walk(item, json_object_get(schema, "items"), where);
}

/* One codec as a function from bytes to bytes. */
#define CODEC(name, type, parse, dump, release)                                                    \
    static int name##_recode(const struct buf *in, struct buf *out, struct err *err)               \
    {                                                                                              \
        type *v = NULL;                                                                            \
        int r = parse(in->data, in->len, &v, err);                                                 \
                                                                                                   \
        if (r == 0)                                                                                \
            r = dump(v, out, err);                                                                 \
        release(v);                                                                                \
        return r;                                                                                  \
    }
CODEC(manifest, struct manifest, manifest_parse, manifest_dump, manifest_free)
CODEC(plan, struct plan, plan_parse, plan_dump, plan_free)
CODEC(checkin, struct checkin, checkin_parse, checkin_dump, checkin_free)
CODEC(answer, struct checkin_answer, checkin_answer_parse, checkin_answer_dump, checkin_answer_free)

static int enrol_recode(const struct buf *in, struct buf *out, struct err *err)
{
    struct enrol_request v;
    int r = enrol_request_parse(in->data, in->len, &v, err);

    return r < 0 ? r : enrol_request_dump(&v, out, err);
}

static int identity_recode(const struct buf *in, struct buf *out, struct err *err)
{
    struct identity v;
    int r = identity_parse(in->data, in->len, &v, err);

    return r < 0 ? r : identity_dump(&v, out, err);
}

static const struct {
    const char *name;
    int (*recode)(const struct buf *in, struct buf *out, struct err *err);
} codecs[] = {
    {"manifest", manifest_recode},     {"plan", plan_recode},   {"checkin", checkin_recode},
    {"checkin-answer", answer_recode}, {"enrol", enrol_recode}, {"identity", identity_recode},
};

static void test_examples_are_read_and_written_as_the_schema_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        struct err err = {0};
        struct buf in, out;
        char file[64];

        snprintf(file, sizeof file, "examples/%s.json", codecs[i].name);
        read_file(file, &in);
        buf_init(&out, 1000000);
        if (codecs[i].recode(&in, &out, &err) < 0)
            fail_msg("%s: %s", file, err.msg);
        snprintf(file, sizeof file, "%s.schema.json", codecs[i].name);
        json_auto_t *schema = load(file), *was = json_loads(in.data, 0, NULL),
                    *is = json_loads(out.data, 0, NULL);
        walk(was, schema, codecs[i].name);
        walk(is, schema, codecs[i].name);
        /* manifest_dump names no critical members: it writes none that need it. */
        json_object_del(was, "critical");
        json_object_del(is, "critical");
        if (!json_equal(was, is))
            fail_msg("%s is written as %s", codecs[i].name, out.data);
        buf_release(&in);
        buf_release(&out);
    }
}

static void test_fleet_example(void **state)
{
    json_auto_t *schema = load("fleet.schema.json"), *example = load("examples/fleet.json");

    (void)state;
    walk(example, schema, "fleet");
}

/* The plan of the examples names the key, the check-in of the examples asked. */
static void test_permit_example_verifies(void **state)
{
    json_auto_t *envelope = load("examples/permit.json"), *schema = load("permit.schema.json");
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    _cleanup_(checkin_free_p)
    struct checkin *c = NULL;
    struct permit_request rq = {.made_boot_ms = 5000};
    struct err err = {0};
    struct permit p;
    struct buf b;

    (void)state;
    walk(envelope, schema, "permit");
    read_file("examples/plan.json", &b);
    assert_int_equal(plan_parse(b.data, b.len, &plan, &err), 0);
    buf_release(&b);
    read_file("examples/checkin.json", &b);
    assert_int_equal(checkin_parse(b.data, b.len, &c, &err), 0);
    buf_release(&b);
    strcpy(rq.device, c->device);
    strcpy(rq.channel, c->channels[0].channel);
    strcpy(rq.digest, c->channels[0].ready);
    strcpy(rq.nonce, c->channels[0].nonce);
    strcpy(rq.boot_id, c->boot_id);
    rq.snapshot_version = c->channels[0].snapshot_version;
    if (permit_check(envelope, &plan->permit_keys, &rq, c->boot_id, 6000, &p, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(p.valid_s, 90);
}

static void test_release_digest_is_that_of_the_bytes(void **state)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    json_auto_t *permit = load("examples/permit.json");
    struct err err = {0};
    struct buf b;

    (void)state;
    read_file("examples/manifest.json", &b);
    assert_int_equal(manifest_parse(b.data, b.len, &m, &err), 0);
    buf_release(&b);
    assert_string_equal(
        m->digest, json_string_value(json_object_get(json_object_get(permit, "signed"), "digest")));
}

/* What has one row in a table has one line in FORMATS.md. */
static void test_tables_are_written_down(void **state)
{
    struct err err = {0};
    struct buf b;

    (void)state;
    buf_init(&b, 200000);
    assert_int_equal(file_read(SOURCE_DIR "/schema/FORMATS.md", &b, &err), 0);
    for (int k = 0; k < EVENT_N_KINDS; k++) {
        char row[64];

        snprintf(row, sizeof row, "\n| `%s` | ", event_name((enum event_kind)k));
        if (!strstr(b.data, row))
            fail_msg("event kind '%s' is not in FORMATS.md", event_name((enum event_kind)k));
    }
    for (int c = 1; c < ERR_N_CODES; c++) {
        char cell[64];

        snprintf(cell, sizeof cell, "| `%s` | %d |", err_slug(c), err_http_status(c));
        if (!strstr(b.data, cell))
            fail_msg("problem '%s' (%d) is not in FORMATS.md", err_slug(c), err_http_status(c));
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_are_read_and_written_as_the_schema_says),
        cmocka_unit_test(test_fleet_example),
        cmocka_unit_test(test_permit_example_verifies),
        cmocka_unit_test(test_release_digest_is_that_of_the_bytes),
        cmocka_unit_test(test_tables_are_written_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
