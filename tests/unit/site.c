/* site: see site.h. */
#include "cmocka_all.h"

#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "auth.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hex.h"
#include "site/init.h"
#include "repo/repo.h"
#include "store/store.h"

#define MONTH_S INT64_C(2592000)

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

static void path_in(const struct site *site, char ret[256], const char *name)
{
    snprintf(ret, 256, "%s/%s", site->dir, name);
}

/* --- life ------------------------------------------------------------------------------------ */

static void write_config(const struct site *site, char ret_path[256])
{
    char text[1024];
    struct err err = {0};

    path_in(site, ret_path, "server/test.conf");
    snprintf(text, sizeof text,
             "listen=127.0.0.1:0\nport_file=port\nstate_dir=../state\nonline_dir=online\n"
             "bootstrap_dir=bootstrap\npolicies_dir=%s/canary/policies\ncheckin_interval=1\n"
             "threads=2\n",
             SOURCE_DIR);
    must(file_write_durable(ret_path, text, strlen(text), 0644, &err), &err);
}

struct site *site_new(void)
{
    struct site *site = calloc(1, sizeof *site);
    struct init_options o = {.channel = SITE_CHANNEL,
                             .threshold = SITE_THRESHOLD,
                             .key_type = "ed25519",
                             .url = "http://127.0.0.1:1",
                             .now_s = SITE_START_MS / 1000};
    char path[256];
    struct err err = {0};

    assert_non_null(site);
    strcpy(site->dir, "/tmp/fb-site-XXXXXX");
    assert_non_null(mkdtemp(site->dir));
    o.dir = site->dir;
    must(init_site(&o, &err), &err);
    write_config(site, path);
    must(config_load(path, &site->s.config, &err), &err);
    site->at = (struct clock_fixed){SITE_START_MS, 1000000, 1000000};
    site->clock = clock_fixed(&site->at);
    site->s.clock = &site->clock;
    site->s.metrics = &site->metrics;
    rand_bytes(site->s.master, sizeof site->s.master);
    pthread_mutex_init(&site->s.site, NULL);
    site->listed = json_object();
    return site;
}

void site_open(struct site *site)
{
    char path[256];
    const struct store_options o = {.path = path};
    struct store_batch *b = store_batch_new();
    struct err err = {0};

    must(file_mkdir_p(site->s.config.state_dir, 0700, &err), &err);
    snprintf(path, sizeof path, "%s/firebreak.db", site->s.config.state_dir);
    must(store_open(&o, &site->s.store, &err), &err);
    must(audit_open(&site->s, &site->s.audit, &err), &err);
    must(auth_open(&site->s, &site->s.auth, &err), &err);
    must(auth_import(&site->s, b, &err), &err);
    must(store_commit(site->s.store, b, &err), &err);
    must(repo_open(&site->s, &site->s.repo, &err), &err);
}

void site_close(struct site *site)
{
    repo_free(take_ptr(site->s.repo));
    auth_free(take_ptr(site->s.auth));
    audit_free(take_ptr(site->s.audit));
    store_close(take_ptr(site->s.store));
}

void site_free(struct site *site)
{
    site_close(site);
    file_remove_tree(site->dir, NULL);
    config_release(&site->s.config);
    pthread_mutex_destroy(&site->s.site);
    json_decref(site->listed);
    free(site);
}

/* --- releases -------------------------------------------------------------------------------- */

static void add_file(struct site_release *r, const char *version)
{
    struct manifest_file *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_true(asprintf(&r->file, "rules of %s\n", version) > 0);
    f->path = strdup("rules.conf");
    f->mode = 0644;
    f->length = (int64_t)strlen(r->file);
    sha256_hex(r->file, strlen(r->file), f->sha256);
    r->manifest->files = f;
    r->manifest->n_files = 1;
}

struct site_release *site_release_make(struct site *site, const char *version)
{
    struct site_release *r = calloc(1, sizeof *r);
    struct manifest *m = calloc(1, sizeof *m);

    assert_true(r && m);
    r->manifest = m;
    strcpy(m->channel, SITE_CHANNEL);
    snprintf(m->version, sizeof m->version, "%s", version);
    m->sequence = ++site->sequence;
    m->lowest_sequence = 1;
    m->pace = (struct pace){.steps = {{0, PPM}}, .n_steps = 1};
    r->faster_pace = true;
    r->expires_s = site->at.wall_ms / 1000 + MONTH_S;
    add_file(r, version);
    return r;
}

static void dump_manifest(struct site *site, struct site_release *r)
{
    char target[TUF_TARGET_MAX];
    json_auto_t *custom = json_pack("{s:I}", "sequence", (json_int_t)r->manifest->sequence);
    struct buf text;
    struct err err = {0};
    size_t len;

    if (r->faster_pace)
        json_object_set_new(custom, "faster_pace", json_true());
    buf_init(&text, MANIFEST_MAX);
    must(manifest_dump(r->manifest, &text, &err), &err);
    r->manifest_text = buf_detach(&text, &len);
    sha256_hex(r->manifest_text, len, r->manifest->digest);
    r->content = metadata_new_targets(++site->content_version, r->expires_s);
    json_object_set_new(r->content, "targets", json_deep_copy(site->listed));
    manifest_target_path(SITE_CHANNEL, r->manifest->version, target, sizeof target);
    metadata_targets_add(r->content, target, r->manifest_text, len, custom);
}

void site_release_sign_content(struct site *site, struct site_release *r, int n_keys)
{
    json_auto_t *envelope = envelope_new(r->content);
    struct buf text;
    struct err err = {0};

    for (int i = 1; i <= n_keys; i++) {
        _cleanup_(signer_free_p)
        struct signer *signer = NULL;
        char name[64], path[256];

        snprintf(name, sizeof name, "offline/content-" SITE_CHANNEL "-%d.pem", i);
        path_in(site, path, name);
        must(signer_open(path, NULL, &signer, &err), &err);
        must(envelope_sign(envelope, signer, &err), &err);
    }
    buf_init(&text, TUF_TARGETS_MAX);
    must(envelope_dump(envelope, &text, &err), &err);
    free(r->content_text);
    r->content_text = buf_detach(&text, NULL);
}

void site_release_sign(struct site *site, struct site_release *r, int n_keys)
{
    dump_manifest(site, r);
    site_release_sign_content(site, r, n_keys);
}

void site_release_free(struct site_release *r)
{
    manifest_free(r->manifest);
    free(r->file);
    free(r->manifest_text);
    free(r->content_text);
    json_decref(r->content);
    free(r);
}

void site_publish(struct site *site, const char *version, char ret_digest[65])
{
    struct site_release *r = site_release_make(site, version);
    struct store_batch *b = store_batch_new();
    struct repo_change *change = NULL;
    struct err err = {0};

    site_release_sign(site, r, SITE_THRESHOLD);
    must(repo_put_blob(site->s.repo, r->manifest->files[0].sha256, r->file, strlen(r->file), &err),
         &err);
    must(repo_stage_release(&site->s, SITE_CHANNEL, r->manifest_text, strlen(r->manifest_text),
                            r->content_text, strlen(r->content_text), "releaser", b, &change, NULL,
                            &err),
         &err);
    must(store_commit(site->s.store, b, &err), &err);
    repo_publish(site->s.repo, change);
    json_decref(site->listed);
    site->listed = json_deep_copy(json_object_get(r->content, "targets"));
    if (ret_digest)
        strcpy(ret_digest, r->manifest->digest);
    site_release_free(r);
}

void site_token(const struct site *site, const char *name, char ret[64])
{
    char file[96], path[256];
    struct err err = {0};

    snprintf(file, sizeof file, "operators/%s.token", name);
    path_in(site, path, file);
    must(file_read_secret_line(path, ret, 64, &err), &err);
}
