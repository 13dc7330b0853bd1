/* tuf_repo: see tuf_repo.h. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "tuf_repo.h"

static void make_signers(struct tuf_repo *r)
{
    snprintf(r->dir, sizeof r->dir, "/tmp/fb-repo-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    for (int i = 0; i < TUF_REPO_SIGNERS; i++) {
        struct err err = {0};
        char path[96];

        snprintf(path, sizeof path, "%s/%d.pem", r->dir, i);
        assert_int_equal(key_generate(i % 2 ? "ecdsa" : "ed25519", path, NULL, NULL, &err), 0);
        assert_int_equal(signer_open(path, NULL, &r->signers[i], &err), 0);
    }
}

static size_t keys_of(struct tuf_repo *r, const struct tuf_repo_role *by,
                      const struct key *ret[TUF_REPO_SIGNERS])
{
    for (size_t i = 0; i < by->n; i++)
        ret[i] = signer_key(r->signers[by->signers[i]]);
    return by->n;
}

void tuf_repo_set_role(struct tuf_repo *r, const char *role, const struct tuf_repo_role *by,
                       int threshold)
{
    const struct key *keys[TUF_REPO_SIGNERS];
    size_t n = keys_of(r, by, keys);

    assert_int_equal(metadata_root_set_role(r->root, role, keys, n, threshold), 0);
}

static void put_target(struct tuf_repo *r)
{
    char hash[SHA256_HEX_LEN + 1], path[128];

    sha256_hex(TUF_REPO_CONTENT, strlen(TUF_REPO_CONTENT), hash);
    snprintf(path, sizeof path, "targets/content/crs/%s.1.0.json", hash);
    json_object_set_new(r->files, path, json_string(TUF_REPO_CONTENT));
}

struct tuf_repo *tuf_repo_new(void)
{
    static const char *const paths[] = {"content/crs/*"};
    struct tuf_repo *r = calloc(1, sizeof *r);
    const struct key *keys[TUF_REPO_SIGNERS];
    int64_t later = TUF_REPO_NOW + 30 * TUF_REPO_DAY;

    assert_non_null(r);
    make_signers(r);
    r->changes_left = -1;
    r->files = json_object();
    r->trusted = json_object();
    r->requests = json_array();
    r->root_by = r->targets_by = (struct tuf_repo_role){2, {0, 1}};
    r->timestamp_by = (struct tuf_repo_role){1, {2}};
    r->snapshot_by = (struct tuf_repo_role){1, {3}};
    r->content_by = (struct tuf_repo_role){2, {4, 5}};
    r->root = metadata_new_root(1, later);
    r->timestamp = metadata_new_timestamp(1, TUF_REPO_NOW + TUF_REPO_DAY);
    r->snapshot = metadata_new_snapshot(1, later);
    r->targets = metadata_new_targets(1, later);
    r->content = metadata_new_targets(1, later);
    tuf_repo_set_role(r, "root", &r->root_by, 2);
    tuf_repo_set_role(r, "targets", &r->targets_by, 2);
    tuf_repo_set_role(r, "timestamp", &r->timestamp_by, 1);
    tuf_repo_set_role(r, "snapshot", &r->snapshot_by, 1);
    keys_of(r, &r->content_by, keys);
    assert_int_equal(metadata_targets_delegate(r->targets, TUF_REPO_ROLE, paths, 1, keys, 2, 2), 0);
    assert_int_equal(metadata_targets_add(r->content, TUF_REPO_TARGET, TUF_REPO_CONTENT,
                                          strlen(TUF_REPO_CONTENT), NULL),
                     0);
    tuf_repo_publish_root(r);
    tuf_repo_publish(r);
    put_target(r);
    return r;
}

void tuf_repo_free(struct tuf_repo *r)
{
    for (int i = 0; i < TUF_REPO_SIGNERS; i++)
        signer_free(r->signers[i]);
    json_decref(r->root);
    json_decref(r->timestamp);
    json_decref(r->snapshot);
    json_decref(r->targets);
    json_decref(r->content);
    json_decref(r->files);
    json_decref(r->trusted);
    json_decref(r->requests);
    file_remove_tree(r->dir, NULL);
    free(r);
}

static int get(const json_t *files, const char *name, struct buf *ret, struct err *err)
{
    const json_t *o = json_object_get(files, name);
    int r;

    if (!o)
        return err_set(err, ERR_NOT_FOUND, "no '%s'", name);
    r = buf_add(ret, json_string_value(o), json_string_length(o));
    return r < 0 ? err_set(err, (enum err_code) - r, "'%s' is too large", name) : 0;
}

static int fetch_get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct tuf_repo *r = ctx;

    json_array_append_new(r->requests, json_string(path));
    return get(r->files, path, ret, err);
}

static int store_get(void *ctx, const char *name, struct buf *ret, struct err *err)
{
    return get(((struct tuf_repo *)ctx)->trusted, name, ret, err);
}

/* A process that is dead changes nothing any more. */
static int live(struct tuf_repo *r, struct err *err)
{
    if (r->changes_left == 0)
        return err_set(err, ERR_IO, "died here (injected)");
    if (r->changes_left > 0)
        r->changes_left--;
    return 0;
}

static int store_put(void *ctx, const char *name, const void *data, size_t len, struct err *err)
{
    struct tuf_repo *r = ctx;

    if (r->put_fails)
        return err_set(err, (enum err_code) - r->put_fails, "disk full (injected)");
    if (live(r, err) < 0)
        return -ERR_IO;
    return json_object_set_new(r->trusted, name, json_stringn(data, len));
}

static int store_remove(void *ctx, const char *name, struct err *err)
{
    struct tuf_repo *r = ctx;

    if (live(r, err) < 0)
        return -ERR_IO;
    json_object_del(r->trusted, name);
    return 0;
}

struct tuf_fetch tuf_repo_fetch(struct tuf_repo *r)
{
    return (struct tuf_fetch){.get = fetch_get, .ctx = r};
}

struct tuf_store tuf_repo_store(struct tuf_repo *r)
{
    return (struct tuf_store){.get = store_get, .put = store_put, .remove = store_remove, .ctx = r};
}

void tuf_repo_put(struct tuf_repo *r, const char *path, json_t *body,
                  const struct tuf_repo_role *by, struct buf *ret)
{
    json_auto_t *e = envelope_new(body);
    struct err err = {0};
    struct buf b;

    for (size_t i = 0; i < by->n; i++)
        assert_int_equal(envelope_sign(e, r->signers[by->signers[i]], &err), 0);
    buf_init(&b, TUF_TARGETS_MAX);
    assert_int_equal(envelope_dump(e, &b, &err), 0);
    assert_int_equal(json_object_set_new(r->files, path, json_stringn(b.data, b.len)), 0);
    if (ret)
        assert_int_equal(buf_add(ret, b.data, b.len), 0);
    buf_release(&b);
}

static int64_t version_of(const json_t *body)
{
    return json_integer_value(json_object_get(body, "version"));
}

/* "metadata/<version>.<name>" */
static void put_versioned(struct tuf_repo *r, const char *name, json_t *body,
                          const struct tuf_repo_role *by, struct buf *ret)
{
    char path[256];

    snprintf(path, sizeof path, "metadata/%lld.%s", (long long)version_of(body), name);
    tuf_repo_put(r, path, body, by, ret);
}

void tuf_repo_publish_root(struct tuf_repo *r)
{
    put_versioned(r, "root.json", r->root, &r->root_by, NULL);
}

void tuf_repo_publish(struct tuf_repo *r)
{
    struct buf b;

    buf_init(&b, TUF_TARGETS_MAX);
    put_versioned(r, "targets.json", r->targets, &r->targets_by, NULL);
    put_versioned(r, TUF_REPO_ROLE ".json", r->content, &r->content_by, &b);
    metadata_set_ref(r->snapshot, "targets.json", version_of(r->targets), NULL, 0);
    metadata_set_ref(r->snapshot, TUF_REPO_ROLE ".json", version_of(r->content), b.data, b.len);
    buf_reset(&b);
    put_versioned(r, "snapshot.json", r->snapshot, &r->snapshot_by, &b);
    metadata_set_ref(r->timestamp, "snapshot.json", version_of(r->snapshot), b.data, b.len);
    tuf_repo_put(r, "metadata/timestamp.json", r->timestamp, &r->timestamp_by, NULL);
    buf_release(&b);
}

void tuf_repo_bump(json_t *body, int by)
{
    json_object_set_new(body, "version", json_integer(version_of(body) + by));
}

void tuf_repo_expire(json_t *body, int64_t at_s)
{
    char text[21];

    clock_format_utc(at_s, text);
    json_object_set_new(body, "expires", json_string(text));
}

const char *tuf_repo_requests(struct tuf_repo *r, struct buf *ret)
{
    size_t i;
    json_t *o;

    buf_reset(ret);
    json_array_foreach (r->requests, i, o) {
        const char *path = json_string_value(o);
        size_t skip = strncmp(path, "metadata/", 9) ? 0 : 9;

        assert_int_equal(buf_addf(ret, "%s%s", i ? " " : "", path + skip), 0);
    }
    json_array_clear(r->requests);
    return ret->data;
}
