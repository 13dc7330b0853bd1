/* exchange: see exchange.h. */
#include "fetch/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "field.h"
#include "httpsig.h"

static json_t *job(const struct agent *a, const char *name)
{
    return json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "job", name, "server", a->config.server,
                     "state_dir", a->config.state_dir, "ca_file", a->config.ca_file, "proxy",
                     a->config.proxy);
}

static int add_mirrors(const struct agent *a, json_t *o)
{
    json_t *mirrors = json_array();
    int r = field_set(o, "mirrors", mirrors, NULL);

    for (size_t i = 0; r == 0 && i < a->config.n_mirrors; i++)
        r = field_append(mirrors, json_string(a->config.mirrors[i]), NULL);
    return r;
}

json_t *exchange_refresh(const struct agent *a, bool fresh)
{
    json_t *o = job(a, "refresh"), *channels = json_array();
    int64_t wall_s = clock_wall_ms(a->clock) / 1000;
    int r = field_set(o, "channels", channels, NULL);

    if (r == 0)
        r = add_mirrors(a, o);
    if (r == 0)
        r = field_set(o, "refresh", json_boolean(fresh), NULL);
    for (size_t i = 0; r == 0 && i < a->config.n_channels; i++)
        r = field_append(channels, json_string(a->config.channels[i].name), NULL);
    if (r == 0)
        r = field_set(o, "repository", json_string(a->identity.repository), NULL);
    if (r == 0)
        r = field_set(o, "cohort", json_string(a->cohort), NULL);
    if (r == 0)
        r = field_set(o, "now_s", json_integer(wall_s > 0 ? wall_s : 0), NULL);
    if (r < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *exchange_blobs(const struct agent *a, json_t *missing)
{
    json_t *o = job(a, "blobs");

    if (o && (json_object_set(o, "blobs", missing) < 0 || add_mirrors(a, o) < 0)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *exchange_post(const struct agent *a, const char *path, const char *const *headers,
                      const char *bearer, const char *body, size_t cap)
{
    json_t *o = job(a, "post"), *list = json_array();
    int r = field_set(o, "headers", list, NULL);

    for (size_t i = 0; r == 0 && headers[i]; i++)
        r = field_append(list, json_string(headers[i]), NULL);
    if (r == 0)
        r = field_set(o, "path", json_string(path), NULL);
    if (r == 0 && bearer)
        r = field_set(o, "bearer", json_string(bearer), NULL);
    if (r == 0)
        r = field_set(o, "body", json_string(body), NULL);
    if (r == 0)
        r = field_set(o, "cap", json_integer((json_int_t)cap), NULL);
    if (r < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

int exchange_signed_post(const struct agent *a, const char *path, const struct buf *body,
                         size_t cap, json_t **ret, struct err *err)
{
    struct httpsig_headers sig;
    char text[3][HTTPSIG_HEADER_MAX + 32];
    const char *const headers[] = {"Content-Type: application/json", text[0], text[1], text[2],
                                   NULL};
    int r = httpsig_sign("POST", path, body->data, body->len, a->identity.device,
                         a->identity.generation, a->identity.key, clock_wall_ms(a->clock) / 1000,
                         &sig, err);

    if (r < 0)
        return r;
    snprintf(text[0], sizeof text[0], "Content-Digest: %s", sig.content_digest);
    snprintf(text[1], sizeof text[1], "Signature-Input: %s", sig.signature_input);
    snprintf(text[2], sizeof text[2], "Signature: %s", sig.signature);
    *ret = exchange_post(a, path, headers, NULL, body->data, cap);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory while making a request");
}

int exchange_read_answer(const json_t *result, struct exchange_answer *ret, struct err *err)
{
    const char *code, *message, *remedy;
    json_t *problem;
    int64_t status;
    int r = jsonx_int(result, "answer", "status", 100, 999, &status, err);

    if (r == 0)
        r = jsonx_int(result, "answer", "retry_after_s", -1, INT64_C(1) << 31, &ret->retry_after_s,
                      err);
    if (r == 0)
        r = jsonx_string(result, "answer", "body", 1000000, &ret->body, err);
    if (r < 0)
        return r;
    ret->status = (int)status;
    ret->len = strlen(ret->body);
    if (status < 400)
        return 0;
    r = jsonx_object(result, "answer", "problem", &problem, err);
    if (r == 0)
        r = jsonx_string(problem, "problem", "code", 64, &code, err);
    if (r == 0)
        r = jsonx_string(problem, "problem", "message", 512, &message, err);
    if (r == 0)
        r = jsonx_string(problem, "problem", "remedy", 512, &remedy, err);
    if (r < 0)
        return r;
    err_set(err, err_from_slug(code), "%s", message);
    return err_remedy(err, "%s", remedy);
}
