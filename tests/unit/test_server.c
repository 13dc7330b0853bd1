/* server: all of firebreakd in this process, asked over HTTP: start and stop, releases, tokens, a
 * full disk and the way back. */
#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "audit/audit_chain.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "http/http.h"
#include "life.h"
#include "net/http.h"
#include "offline.h"
#include "site.h"

struct running {
    struct site *site;
    struct http_client *client;
    char admin[64], releaser[64], viewer[64];
};

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static void start(struct running *run)
{
    const char *cert = run->site->s.config.tls_cert;
    char url[64];
    const struct http_options o = {.base_url = url, .timeout_ms = 20000, .ca_file = cert};
    struct err err = {0};

    pthread_mutex_destroy(&run->site->s.site);
    must(server_start(&run->site->s, &run->site->metrics, &err), &err);
    snprintf(url, sizeof url, "http%s://127.0.0.1:%d", cert ? "s" : "",
             http_port(run->site->s.http));
    must(http_client_new(&o, &run->client, &err), &err);
}

static void stop(struct running *run)
{
    http_client_free(take_ptr(run->client));
    server_stop(&run->site->s);
    pthread_mutex_init(&run->site->s.site, NULL);
}

static int set_up(void **state)
{
    struct running *run = calloc(1, sizeof *run);

    run->site = site_new();
    site_token(run->site, "admin", run->admin);
    site_token(run->site, "releaser", run->releaser);
    site_token(run->site, "viewer", run->viewer);
    start(run);
    *state = run;
    return 0;
}

static int tear_down(void **state)
{
    struct running *run = *state;

    stop(run);
    site_free(run->site);
    free(run);
    return 0;
}

/* The status; the body as JSON into ret (may be NULL), NULL where it is none. */
static int ask(struct running *run, const char *method, const char *path, const char *token,
               const char *body, json_t **ret)
{
    const struct http_request rq = {.method = method,
                                    .path = path,
                                    .bearer = token,
                                    .body = body,
                                    .body_len = body ? strlen(body) : 0};
    struct http_response rs = {0};
    struct err err = {0};

    buf_init(&rs.body, 1000000);
    must(http_do(run->client, &rq, &rs, &err), &err);
    if (ret)
        *ret = json_loadb(rs.body.data, rs.body.len, 0, NULL);
    buf_release(&rs.body);
    return rs.status;
}

/* --- start and stop -------------------------------------------------------------------------- */

static void test_port_file(void **state)
{
    struct running *run = *state;
    struct buf text;
    struct err err = {0};

    buf_init(&text, 100);
    must(file_read(run->site->s.config.port_file, &text, &err), &err);
    assert_int_equal(atoi(text.data), http_port(run->site->s.http));
    buf_release(&text);
    assert_int_equal(ask(run, "GET", "/", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/healthz", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/repo/metadata/1.root.json", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/repo/metadata/2.root.json", NULL, NULL, NULL), 404);
    assert_int_equal(ask(run, "GET", "/repo/metadata/..%2F..%2Fx", NULL, NULL, NULL), 404);
}

/* The port file is of the process that has the store; a second one is turned away and leaves it. */
static void test_second_process(void **state)
{
    struct running *run = *state;
    struct server second = {.clock = run->site->s.clock, .config = run->site->s.config};
    struct metrics metrics = {0};
    struct err err = {0};

    assert_int_equal(server_start(&second, &metrics, &err), -ERR_CONFLICT);
    assert_true(file_exists(run->site->s.config.port_file));
    assert_int_equal(ask(run, "GET", "/healthz", NULL, NULL, NULL), 200);
}

static void test_failed_start_leaves_nothing(void **state)
{
    struct running *run = *state;
    char path[256];
    struct buf master;
    struct err err = {0};

    stop(run);
    buf_init(&master, 256);
    snprintf(path, sizeof path, "%s/master.key", run->site->s.config.online_dir);
    must(file_read(path, &master, &err), &err);
    must(file_write_durable(path, "short\n", 6, 0600, &err), &err);
    assert_int_equal(server_start(&run->site->s, &run->site->metrics, &err), -ERR_INVALID);
    assert_null(run->site->s.store);
    assert_false(file_exists(run->site->s.config.port_file));
    must(file_write_durable(path, "00\n", 3, 0644, &err), &err);
    assert_int_equal(server_start(&run->site->s, &run->site->metrics, &err), -ERR_REFUSED);
    must(file_write_durable(path,
                            "00000000000000000000000000000000"
                            "00000000000000000000000000000000\n",
                            65, 0600, &err),
         &err);
    assert_int_equal(server_start(&run->site->s, &run->site->metrics, &err), -ERR_UNTRUSTED);
    assert_non_null(strstr(err.msg, "master.key"));
    must(file_write_durable(path, master.data, master.len, 0600, &err), &err);
    buf_release(&master);
    pthread_mutex_init(&run->site->s.site, NULL);
    start(run);
}

/* --- roles ----------------------------------------------------------------------------------- */

static void test_least_roles(void **state)
{
    struct running *run = *state;
    const struct {
        const char *method, *path;
        int none, viewer, releaser;
    } rows[] = {
        {"GET", "/api/v1/overview", 401, 200, 200},
        {"GET", "/api/v1/audit", 401, 200, 200},
        {"GET", "/metrics", 401, 200, 200},
        {"GET", "/api/v1/repository", 401, 200, 200},
        {"POST", "/api/v1/repository/metadata", 401, 403, 400},
        {"GET", "/api/v1/channels/crs/releases", 401, 200, 200},
        {"GET", "/api/v1/channels/other/releases", 401, 404, 404},
        {"POST", "/api/v1/channels/crs/releases", 401, 403, 400},
        {"POST", "/api/v1/channels/crs/rollouts", 401, 403, 400},
        {"POST", "/api/v1/channels/crs/halt", 401, 403, 400},
        {"POST", "/api/v1/blobs/missing", 401, 403, 400},
        {"PUT", "/api/v1/blobs/x", 401, 403, 400},
        {"POST", "/api/v1/operators", 401, 403, 403},
        {"POST", "/api/v1/enrolment-tokens", 401, 403, 403},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *body = strcmp(rows[i].method, "GET") == 0 ? NULL : "{}";
        int none = ask(run, rows[i].method, rows[i].path, NULL, body, NULL);
        int viewer = ask(run, rows[i].method, rows[i].path, run->viewer, body, NULL);
        int releaser = ask(run, rows[i].method, rows[i].path, run->releaser, body, NULL);

        if (none != rows[i].none || viewer != rows[i].viewer || releaser != rows[i].releaser)
            fail_msg("%s %s: %d %d %d", rows[i].method, rows[i].path, none, viewer, releaser);
    }
}

/* --- releases -------------------------------------------------------------------------------- */

static void put_blob(struct running *run, const struct site_release *r)
{
    const char *sha256 = r->manifest->files[0].sha256;
    json_auto_t *answer = NULL;
    char path[128], question[128];

    snprintf(question, sizeof question, "{\"sha256\":[\"%s\"]}", sha256);
    assert_int_equal(ask(run, "POST", "/api/v1/blobs/missing", run->releaser, question, &answer),
                     200);
    assert_int_equal(json_array_size(json_object_get(answer, "missing")), 1);
    snprintf(path, sizeof path, "/api/v1/blobs/%s", sha256);
    assert_int_equal(ask(run, "PUT", path, run->releaser, "other bytes", NULL), 422);
    assert_int_equal(ask(run, "PUT", path, run->releaser, r->file, NULL), 201);
    json_decref(answer);
    assert_int_equal(ask(run, "POST", "/api/v1/blobs/missing", run->releaser, question, &answer),
                     200);
    assert_int_equal(json_array_size(json_object_get(answer, "missing")), 0);
    snprintf(path, sizeof path, "/repo/blobs/%.2s/%s", sha256, sha256);
    assert_int_equal(ask(run, "GET", path, NULL, NULL, NULL), 200);
    snprintf(path, sizeof path, "/repo/blobs/zz/%s", sha256);
    assert_int_equal(ask(run, "GET", path, NULL, NULL, NULL), 404);
}

static void test_publish(void **state)
{
    static const char path[] = "/api/v1/channels/crs/releases";
    struct running *run = *state;
    struct site_release *r = site_release_make(run->site, "1.0");
    _cleanup_(free_p)
    char *body = NULL;
    json_auto_t *o = NULL, *answer = NULL;

    site_release_sign(run->site, r, SITE_THRESHOLD);
    o = json_pack("{s:s, s:s}", "manifest", r->manifest_text, "content_metadata", r->content_text);
    body = json_dumps(o, JSON_COMPACT);
    assert_int_equal(
        ask(run, "GET", "/api/v1/channels/crs/content-metadata", run->viewer, NULL, NULL), 404);
    assert_int_equal(ask(run, "POST", path, run->releaser, body, NULL), 404); /* no blob yet */
    put_blob(run, r);
    assert_int_equal(ask(run, "POST", path, run->releaser, body, &answer), 201);
    assert_string_equal(json_string_value(json_object_get(answer, "digest")), r->manifest->digest);
    assert_int_equal(ask(run, "POST", path, run->releaser, body, NULL), 200); /* the very same */
    stop(run);
    start(run); /* what was acknowledged is kept */
    json_decref(answer);
    assert_int_equal(ask(run, "GET", path, run->viewer, NULL, &answer), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "releases")), 1);
    assert_int_equal(
        ask(run, "GET", "/api/v1/channels/crs/content-metadata", run->viewer, NULL, NULL), 200);
    site_release_free(r);
}

/* --- the repository as a whole --------------------------------------------------------------- */

#define UPLOAD "/api/v1/repository/metadata"

/* The next version of targets, as it is sent. */
static char *renewed_targets(struct running *run)
{
    char *text = offline_sign(run->site, offline_next(run->site, "targets"),
                              "offline/targets-1 offline/targets-2");
    json_auto_t *o = json_pack("{s:[{s:s, s:s}]}", "files", "role", "targets", "text", text);

    free(text);
    return json_dumps(o, JSON_COMPACT);
}

static const char *state_of(const json_t *answer)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(answer, "files"), 0), "state"));
}

static void test_repository(void **state)
{
    struct running *run = *state;
    _cleanup_(free_p)
    char *body = renewed_targets(run);
    json_auto_t *first = NULL, *again = NULL, *status = NULL, *overview = NULL, *page = NULL;
    json_t *roles, *entries, *entry;

    assert_int_equal(ask(run, "POST", UPLOAD, run->releaser, "{\"files\":[]}", NULL), 400);
    assert_int_equal(ask(run, "POST", UPLOAD, run->releaser, body, &first), 200);
    assert_string_equal(state_of(first), "taken");
    assert_int_equal(ask(run, "POST", UPLOAD, run->releaser, body, &again), 200);
    assert_string_equal(state_of(again), "unchanged");
    stop(run);
    start(run); /* what was acknowledged is kept */
    assert_int_equal(ask(run, "GET", "/api/v1/repository", run->viewer, NULL, &status), 200);
    roles = json_object_get(status, "roles");
    assert_int_equal(json_array_size(roles), 5);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(roles, 1), "version")), 2);
    assert_int_equal(ask(run, "GET", "/repo/metadata/2.targets.json", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/api/v1/overview", run->viewer, NULL, &overview), 200);
    assert_int_equal(json_array_size(json_object_get(overview, "expiry")), 5);
    assert_int_equal(ask(run, "GET", "/api/v1/audit", run->viewer, NULL, &page), 200);
    entries = json_object_get(page, "entries");
    entry = json_array_get(entries, json_array_size(entries) - 1);
    assert_string_equal(json_string_value(json_object_get(entry, "action")), "repository.metadata");
    assert_string_equal(json_string_value(json_object_get(entry, "actor")), "releaser");
}

/* Unversioned, for whoever looks for revocations; and no other role. */
static void test_newest_content(void **state)
{
    struct running *run = *state;

    assert_int_equal(ask(run, "GET", "/repo/metadata/content-crs.json", NULL, NULL, NULL), 404);
    pthread_mutex_lock(&run->site->s.site); /* the controller publishes, too */
    site_publish(run->site, "1.0", NULL);
    pthread_mutex_unlock(&run->site->s.site);
    assert_int_equal(ask(run, "GET", "/repo/metadata/content-crs.json", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/repo/metadata/content-edr.json", NULL, NULL, NULL), 404);
    assert_int_equal(ask(run, "GET", "/repo/metadata/targets.json", NULL, NULL, NULL), 404);
    assert_int_equal(ask(run, "GET", "/repo/metadata/content-.json", NULL, NULL, NULL), 404);
}

/* Each family has one HELP and one TYPE, before its samples; names are what Prometheus wants. */
static void test_metrics(void **state)
{
    static const char family[] = "firebreak_metadata_expiry_timestamp_seconds";
    struct running *run = *state;
    const struct http_request rq = {.method = "GET", .path = "/metrics", .bearer = run->viewer};
    struct http_response rs = {0};
    char name[128] = "", *line, *rest;
    int samples = 0;
    struct err err = {0};

    buf_init(&rs.body, 100000);
    must(http_do(run->client, &rq, &rs, &err), &err);
    assert_int_equal(rs.status, 200);
    rest = rs.body.data;
    while ((line = strsep(&rest, "\n")) && line[0]) {
        char said[128], type[16];

        if (sscanf(line, "# HELP %127s", said) == 1) {
            snprintf(name, sizeof name, "%s", said);
            assert_int_equal(sscanf(strsep(&rest, "\n"), "# TYPE %127s %15s", said, type), 2);
            assert_string_equal(said, name);
            assert_int_equal(strcmp(type, "counter") == 0, strstr(name, "_total") != NULL);
            continue;
        }
        assert_int_equal(strncmp(line, name, strlen(name)), 0);
        samples += strcmp(name, family) == 0;
    }
    assert_string_equal(name, family);
    assert_int_equal(samples, 5);
    buf_release(&rs.body);
}

/* --- tokens and audit ------------------------------------------------------------------------ */

static void test_tokens_and_audit(void **state)
{
    struct running *run = *state;
    json_auto_t *made = NULL, *page = NULL;
    json_t *entry;
    struct audit_chain chain;
    struct err err = {0};
    size_t i;

    assert_int_equal(ask(run, "POST", "/api/v1/operators", run->admin,
                         "{\"name\":\"ann\",\"role\":\"viewer\"}", &made),
                     201);
    assert_int_equal(ask(run, "GET", "/api/v1/overview",
                         json_string_value(json_object_get(made, "token")), NULL, NULL),
                     200);
    assert_int_equal(ask(run, "POST", "/api/v1/operators", run->admin,
                         "{\"name\":\"ann\",\"role\":\"viewer\"}", NULL),
                     409);
    assert_int_equal(ask(run, "POST", "/api/v1/enrolment-tokens", run->admin,
                         "{\"group\":\"lab\",\"uses\":0}", NULL),
                     400);
    assert_int_equal(ask(run, "POST", "/api/v1/enrolment-tokens", run->admin,
                         "{\"group\":\"lab\",\"uses\":5}", NULL),
                     201);
    assert_int_equal(ask(run, "GET", "/api/v1/audit?limit=x", run->viewer, NULL, NULL), 400);
    assert_int_equal(ask(run, "GET", "/api/v1/audit?limit=1000", run->viewer, NULL, &page), 200);
    audit_chain_init(&chain);
    json_array_foreach (json_object_get(page, "entries"), i, entry)
        must(audit_chain_add(&chain, entry, &err), &err);
    assert_int_equal(chain.seq, 5 + 1 + 2); /* init's operators, the repository, these two */
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* A certificate for 127.0.0.1, signed by its own key. */
static X509 *make_cert(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");

    assert_true(cert && san);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_add_ext(cert, san, -1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct err err = {0};
    char *text;
    long len;

    if (cert)
        assert_int_equal(PEM_write_bio_X509(out, cert), 1);
    else
        assert_int_equal(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(out, &text);
    must(file_write_durable(path, text, (size_t)len, cert ? 0644 : 0600, &err), &err);
    BIO_free(out);
}

static void test_tls(void **state)
{
    struct running *run = *state;
    struct config *c = &run->site->s.config;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    X509 *cert = make_cert(key);
    struct err err = {0};

    stop(run);
    c->tls_cert = path_join(run->site->dir, "cert.pem");
    c->tls_key = path_join(run->site->dir, "key.pem");
    write_pem(c->tls_cert, cert, NULL);
    write_pem(c->tls_key, NULL, other);
    assert_int_equal(server_start(&run->site->s, &run->site->metrics, &err), -ERR_INVALID);
    assert_non_null(strstr(err.remedy, "belong together"));
    write_pem(c->tls_key, NULL, key);
    pthread_mutex_init(&run->site->s.site, NULL);
    start(run);
    assert_int_equal(ask(run, "GET", "/healthz", NULL, NULL, NULL), 200);
    assert_int_equal(ask(run, "GET", "/api/v1/overview", run->viewer, NULL, NULL), 200);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

/* --- a full disk ----------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit l;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* At most ten seconds. */
static void until_healthy(struct running *run)
{
    const struct timespec pause = {0, 20000000};

    for (int i = 0; i < 500; i++) {
        if (ask(run, "GET", "/healthz", NULL, NULL, NULL) == 200)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("it did not recover");
}

static void test_full_disk_and_back(void **state)
{
    static const char ann[] = "{\"name\":\"ann\",\"role\":\"viewer\"}";
    struct running *run = *state;
    _cleanup_(free_p)
    char *upload = renewed_targets(run);
    json_auto_t *problem = NULL;

    limit_files(4096);
    assert_int_equal(ask(run, "POST", UPLOAD, run->releaser, upload, NULL), 507);
    assert_int_equal(ask(run, "POST", "/api/v1/operators", run->admin, ann, &problem), 507);
    assert_string_equal(json_string_value(json_object_get(problem, "type")),
                        "urn:firebreak:problem:store-full");
    assert_int_equal(ask(run, "GET", "/healthz", NULL, NULL, NULL), 503);
    assert_int_equal(ask(run, "POST", "/api/v1/operators", run->admin, ann, NULL), 507); /* still */
    assert_int_equal(ask(run, "GET", "/repo/metadata/timestamp.json", NULL, NULL, NULL), 200);
    limit_files(RLIM_INFINITY);
    until_healthy(run);
    assert_int_equal(ask(run, "POST", "/api/v1/operators", run->admin, ann, NULL), 201);
    assert_int_equal(ask(run, "GET", "/repo/metadata/2.targets.json", NULL, NULL, NULL), 404);
    assert_int_equal(ask(run, "POST", UPLOAD, run->releaser, upload, NULL), 200);
    stop(run);
    start(run); /* the audit log's chain is whole */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_port_file),
        TEST(test_second_process),
        TEST(test_failed_start_leaves_nothing),
        TEST(test_least_roles),
        TEST(test_publish),
        TEST(test_repository),
        TEST(test_newest_content),
        TEST(test_metrics),
        TEST(test_tokens_and_audit),
        TEST(test_tls),
        TEST(test_full_disk_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
