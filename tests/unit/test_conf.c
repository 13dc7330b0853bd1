/* conf: what is not understood is an error with file and line. */
#include "cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/file.h"

struct sub {
    char name[32];
    char *hook;
    int64_t soak_ms;
};

struct top {
    char *listen;
    char *dir;
    char *note;
    int64_t limit;
    int64_t tick_ms;
    bool loud;
    struct sub subs[2];
    int n_subs;
};

static const struct conf_row rows[] = {
    {"", "listen", CONF_STRING, offsetof(struct top, listen), NULL, 0, 0, "where to listen"},
    {"", "dir", CONF_PATH, offsetof(struct top, dir), "data", 0, 0, "where data is kept"},
    {"", "note", CONF_STRING, offsetof(struct top, note), "", 0, 0, "a note"},
    {"", "limit", CONF_INT, offsetof(struct top, limit), "10", 1, 100, "how many"},
    {"", "tick", CONF_SECONDS, offsetof(struct top, tick_ms), "30", 100, 60000, "length of a tick"},
    {"", "loud", CONF_BOOL, offsetof(struct top, loud), "no", 0, 0, "whether to shout"},
    {"channel", "hook", CONF_STRING, offsetof(struct sub, hook), NULL, 0, 0, "what to run"},
    {"channel", "soak", CONF_SECONDS, offsetof(struct sub, soak_ms), "1.5", 0, 0, "how long"},
    {0},
};

static void *open_sub(void *target, const char *section, const char *name, struct err *err)
{
    struct top *t = target;

    (void)section;
    if (t->n_subs == 2) {
        err_set(err, ERR_INVALID, "more than 2 channels");
        return NULL;
    }
    snprintf(t->subs[t->n_subs].name, sizeof t->subs[0].name, "%s", name);
    return &t->subs[t->n_subs++];
}

static void top_release(struct top *t)
{
    conf_release(rows, t, "");
    for (int i = 0; i < t->n_subs; i++)
        conf_release(rows, &t->subs[i], "channel");
}

static char dir[32];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/fb-conf-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static int read_text(const char *text, struct top *ret, struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(dir, "c.conf");

    memset(ret, 0, sizeof *ret);
    assert_int_equal(file_write_durable(path, text, strlen(text), 0644, err), 0);
    return conf_read(path, rows, ret, open_sub, err);
}

static void test_values_and_defaults(void **state)
{
    static const char text[] = "\xef\xbb\xbf# a comment\n"
                               "  listen = 127.0.0.1:0   \n"
                               "; another\n\n"
                               "\ttick=0.25\r\n"
                               "loud = on\n"
                               "limit=100\n"
                               "note = sh -c 'a ; b' # kept\n"
                               "[channel crs]\n"
                               "  hook = /bin/true\n"
                               "[channel other]\n"
                               "soak = 2\n"
                               "hook = x=y";
    struct err err = {0};
    char want[64];
    struct top t;

    (void)state;
    assert_int_equal(read_text(text, &t, &err), 0);
    snprintf(want, sizeof want, "%s/data", dir);
    assert_string_equal(t.listen, "127.0.0.1:0");
    assert_string_equal(t.dir, want);
    assert_string_equal(t.note, "sh -c 'a ; b' # kept");
    assert_int_equal(t.limit, 100);
    assert_int_equal(t.tick_ms, 250);
    assert_true(t.loud);
    assert_int_equal(t.n_subs, 2);
    assert_string_equal(t.subs[0].name, "crs");
    assert_string_equal(t.subs[0].hook, "/bin/true");
    assert_int_equal(t.subs[0].soak_ms, 1500);
    assert_string_equal(t.subs[1].hook, "x=y");
    assert_int_equal(t.subs[1].soak_ms, 2000);
    top_release(&t);
}

static void test_errors_name_file_and_line(void **state)
{
    static const struct {
        const char *text;
        const char *want; /* after the path */
    } table[] = {
        {"listen=a\nlimt=3\n", ":2: unknown key 'limt'"},
        {"listen=a\n\nlisten=b\n", ":3: 'listen' was given on line 1 already"},
        {"listen=a\nlimit=0\n", ":2: 'limit' is 0, not in 1 to 100"},
        {"listen=a\nlimit=1x\n", ":2: 'limit' is not a whole number: '1x'"},
        {"listen=a\nlimit=99999999999999999999\n", ":2: 'limit' is not a whole number"},
        {"listen=a\ntick=0.05\n", ":2: 'tick' is 0.05, not in 0.1 to 60 seconds"},
        {"listen=a\ntick=1.2345\n", ":2: 'tick' is not a number of seconds"},
        {"listen=a\ntick=-1\n", ":2: 'tick' is not a number of seconds"},
        {"listen=a\ntick=99999999999999999999\n", ":2: 'tick' is not a number of seconds"},
        {"listen=a\nloud=maybe\n", ":2: 'loud' is neither yes nor no: 'maybe'"},
        {"# nothing\n", ":1: 'listen' is missing"},
        {"listen=\n", ":1: 'listen' is empty"},
        {"listen=a\nwhat is this\nlimit=2\n", ":2: neither 'key = value' nor"},
        {"listen=a\n[chanel crs]\n", ":2: unknown section [chanel]"},
        {"listen=a\n[channel]\n", ":2: section [channel] wants one name"},
        {"listen=a\n[channel crs\nhook=x\n", ":2: section [channel] wants one name"},
        {"listen=a\n[channel a b]\n", ":2: section [channel] wants one name"},
        {"listen=a\n[]\n", ":2: not a section header"},
        {"listen=a\n[ channel crs]\n", ":2: not a section header"},
        {"listen=a\n[channel crs]\n", ":2: 'hook' is missing in [channel crs]"},
        {"listen=a\n[channel crs]\nhook=x\n[channel crs]\nhook=y\n",
         ":4: section [channel crs] was given on line 2 already"},
        {"listen=a\n[channel crs]\nhook=x\nlimit=3\n", ":4: unknown key 'limit' in [channel crs]"},
        {"listen=a\n[channel a]\nhook=x\n[channel b]\nhook=x\n[channel c]\n",
         ":6: more than 2 channels"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err err = {0};
        struct top t;

        assert_int_equal(read_text(table[i].text, &t, &err), -ERR_INVALID);
        if (!strstr(err.msg, table[i].want) || !strstr(err.msg, dir))
            fail_msg("'%s' does not hold '%s'", err.msg, table[i].want);
        top_release(&t);
    }
}

static void test_long_lines(void **state)
{
    struct err err = {0};
    char text[5200] = "note = ";
    struct top t;

    (void)state;
    memset(text + 7, 'x', 4000);
    strcpy(text + 4007, "\nlisten = a\n");
    assert_int_equal(read_text(text, &t, &err), 0);
    assert_int_equal(strlen(t.note), 4000);
    top_release(&t);
    memset(text + 7, 'x', 5000);
    strcpy(text + 5007, "\nlisten = a\n");
    assert_int_equal(read_text(text, &t, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, ":1: line is longer than 4096 bytes"));
    top_release(&t);
}

static void test_dump_reads_back(void **state)
{
    struct err err = {0};
    char *text = NULL;
    size_t len = 0;
    struct top t, again;
    json_auto_t *o = NULL;
    FILE *out;

    (void)state;
    assert_int_equal(read_text("listen = [::1]:80\ntick = 0.25\nloud = yes\n", &t, &err), 0);
    out = open_memstream(&text, &len);
    assert_non_null(out);
    conf_dump(out, rows, &t, "");
    fclose(out);
    assert_non_null(strstr(text, "# length of a tick\ntick = 0.250\n"));
    assert_int_equal(read_text(text, &again, &err), 0);
    assert_string_equal(again.listen, t.listen);
    assert_string_equal(again.dir, t.dir);
    assert_null(again.note);
    assert_int_equal(again.tick_ms, 250);
    assert_true(again.loud);
    o = conf_json(rows, &t, "");
    assert_string_equal(json_string_value(json_object_get(o, "listen")), "[::1]:80");
    assert_true(json_real_value(json_object_get(o, "tick")) == 0.25);
    assert_true(json_is_true(json_object_get(o, "loud")));
    assert_true(json_is_null(json_object_get(o, "note")));
    top_release(&t);
    top_release(&again);
    free(text);
}

static void test_no_such_file(void **state)
{
    struct err err = {0};
    struct top t = {0};

    (void)state;
    assert_int_equal(conf_read("/nonexistent/c.conf", rows, &t, open_sub, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/c.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_errors_name_file_and_line),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_dump_reads_back),
        cmocka_unit_test(test_no_such_file),
    };

    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
