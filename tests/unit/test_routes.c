/* routes: the table and schema/openapi.yaml name the same endpoints, and no row hides another. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "http/http.h"

#define MAX_ENDPOINTS 128

struct endpoint {
    char method[8];
    char pattern[128]; /* parameters as {} */
    bool found;
};

struct endpoints {
    struct endpoint list[MAX_ENDPOINTS];
    size_t n;
};

/* "/a/{name}/b:" -> "/a/{}/b" */
static void read_path(const char *line, char ret[128])
{
    size_t n = 0;

    for (const char *p = line; *p && *p != ':' && n < 126; p++) {
        ret[n++] = *p;
        if (*p == '{') {
            p = strchr(p, '}');
            assert_non_null(p);
            ret[n++] = '}';
        }
    }
    ret[n] = '\0';
}

static void add(struct endpoints *e, const char *key, const char *path)
{
    static const char *const methods[][2] = {
        {"get:", "GET"}, {"post:", "POST"}, {"put:", "PUT"}, {"delete:", "DELETE"}};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(key, methods[i][0]) != 0)
            continue;
        assert_true(e->n < MAX_ENDPOINTS);
        strcpy(e->list[e->n].method, methods[i][1]);
        strcpy(e->list[e->n++].pattern, path);
    }
}

/* Paths are keys indented by two, their methods by four. */
static void read_openapi(struct endpoints *ret)
{
    char path[128] = "";
    struct buf text;
    struct err err = {0};
    char *save = NULL;

    buf_init(&text, 1000000);
    if (file_read(SOURCE_DIR "/schema/openapi.yaml", &text, &err) < 0)
        fail_msg("%s", err.msg);
    for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "components:", 11) == 0)
            break;
        if (strncmp(line, "  /", 3) == 0)
            read_path(line + 2, path);
        else if (strncmp(line, "    ", 4) == 0 && line[4] != ' ')
            add(ret, line + 4, path);
    }
    buf_release(&text);
}

static void test_openapi_says_the_same(void **state)
{
    struct endpoints e = {.n = 0};
    size_t n_routes = 0;

    (void)state;
    read_openapi(&e);
    for (const struct route *r = routes; r->method; r++, n_routes++) {
        bool found = false;

        for (size_t i = 0; i < e.n; i++) {
            if (strcmp(e.list[i].method, r->method) == 0 &&
                strcmp(e.list[i].pattern, r->pattern) == 0)
                found = e.list[i].found = true;
        }
        if (!found)
            fail_msg("openapi.yaml lacks %s %s", r->method, r->pattern);
    }
    for (size_t i = 0; i < e.n; i++)
        if (!e.list[i].found)
            fail_msg("no route for %s %s", e.list[i].method, e.list[i].pattern);
    assert_int_equal(n_routes, e.n);
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    for (const struct route *r = routes; r->method; r++) {
        assert_non_null(r->run);
        assert_true(r->sentence && r->sentence[0]);
        /* What only reads takes no body; what changes something takes one, and a role. */
        assert_int_equal(strcmp(r->method, "GET") == 0, r->body_cap == 0);
        assert_true(r->body_cap == 0 || r->role != ROLE_PUBLIC);
        for (const struct route *other = routes; other < r; other++)
            assert_false(strcmp(other->method, r->method) == 0 &&
                         strcmp(other->pattern, r->pattern) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openapi_says_the_same),
        cmocka_unit_test(test_rows_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
