/* result: see result.h. */
#include "result.h"

#include <string.h>

#include "base/file.h"

void result_release(struct result *r)
{
    free(r->grants);
    memset(r, 0, sizeof *r);
}

int result_add_grant(struct result *r, const char *device, const struct endpoint_grant *g,
                     struct err *err)
{
    struct result_grant *to;

    if (r->n_grants == r->n_alloc) {
        size_t more = r->n_alloc ? 2 * r->n_alloc : 256;
        struct result_grant *longer = reallocarray(r->grants, more, sizeof *longer);

        if (!longer)
            return err_set(err, ERR_NOMEM, "out of memory");
        r->grants = longer;
        r->n_alloc = more;
    }
    to = &r->grants[r->n_grants++];
    to->release = g->release;
    strcpy(to->device, device);
    strcpy(to->nonce, g->nonce);
    r->permits++;
    return 0;
}

static json_t *errors_json(const struct result *r)
{
    json_t *o = json_object();

    for (int code = 1; code < ERR_N_CODES; code++)
        if (r->errors[code])
            json_object_set_new(o, err_slug(code), json_integer(r->errors[code]));
    return o;
}

static int64_t count_running(const struct endpoint *endpoints, size_t n, int release)
{
    int64_t running = 0;

    for (size_t i = 0; i < n; i++)
        running += endpoints[i].running == release && endpoints[i].phase == ENDPOINT_ACTIVE;
    return running;
}

static json_t *releases_json(const struct catalog *c, const struct endpoint *endpoints, size_t n)
{
    json_t *o = json_object();

    for (int i = 0; i < c->n; i++) {
        const struct catalog_release *rel = &c->releases[i];
        json_t *counts = json_object();

        json_object_set_new(counts, "running", json_integer(count_running(endpoints, n, i)));
#define X(field) json_object_set_new(counts, #field, json_integer(rel->field));
        CATALOG_COUNTERS(X)
#undef X
        json_object_set_new(o, rel->version, counts);
    }
    return o;
}

static json_t *grants_json(const struct result *r, const struct catalog *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_grants; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "device", r->grants[i].device,
                                              "digest", c->releases[r->grants[i].release].digest,
                                              "nonce", r->grants[i].nonce));
    return list;
}

int result_write(const struct result *r, const struct catalog *c, const struct endpoint *endpoints,
                 size_t n_endpoints, const char *path, struct err *err)
{
    json_auto_t *o = json_pack(
        "{s:I, s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "agents", (json_int_t)n_endpoints, "lives",
        (int)r->lives, "enrolled", (json_int_t)r->enrolled, "requests", (json_int_t)r->requests,
        "permits", (json_int_t)r->permits, "errors", errors_json(r), "by_release",
        releases_json(c, endpoints, n_endpoints), "grants", grants_json(r, c));
    _cleanup_(free_p)
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;

    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory for the result");
    return file_write_durable(path, text, strlen(text), 0644, err);
}
