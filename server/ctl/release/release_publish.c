/* release_publish: a signed release directory goes to the server: blobs that it lacks, then the
 * manifest and the metadata in one call. Everything is checked here first. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "api.h"
#include "repository/expiry.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "ref.h"
#include "release/release_dir.h"
#include "table.h"
#include "trust.h"
#include "verbs.h"

#define ASK_AT_ONCE 1000 /* digests in one question about missing blobs */

struct upload {
    struct api *api;
    const struct release_dir *dir;
    json_t *missing;          /* object: sha256 -> true */
    int64_t done, done_bytes; /* of the missing ones */
    bool show;                /* progress on a terminal */
};

/* Signatures can be verified here only with a trusted root; without one the server does. */
static int check_signatures(const struct cli *cli, struct api *api, const struct release_dir *d,
                            struct err *err)
{
    int64_t now_s = clock_wall_ms(clock_system()) / 1000;
    const char *root = cli_get(cli, "root");
    struct trust trust;
    int r = metadata_check_expiry(d->content, now_s, d->content_path, err);

    if (r < 0)
        return r;
    if (release_dir_signatures(d) == 0)
        return err_set(err, ERR_UNDERSIGNED, "'%s' has no signature", d->content_path);
    if (!root)
        return 0;
    r = trust_refresh(api, root, d->manifest->channel, now_s, &trust, err);
    if (r < 0)
        return r;
    r = envelope_verify(d->content->envelope, &trust.keys, d->content_path, err);
    if (r == 0 && trust.content && trust.content->version >= d->content->version) {
        err_set(err, ERR_ROLLBACK, "content metadata version %lld is not above the published %lld",
                (long long)d->content->version, (long long)trust.content->version);
        err_remedy(err, "build the release again, on what is published now");
        r = -ERR_ROLLBACK;
    }
    trust_release(&trust);
    return r;
}

/* One question; what the server lacks is added to u->missing. */
static int ask_some(struct upload *u, json_t *digests, struct err *err)
{
    json_auto_t *question = json_pack("{s:O}", "sha256", digests);
    const struct api_call call = {"POST", "/api/v1/blobs/missing", question, "ask for blobs"};
    json_auto_t *answer = NULL;
    json_t *list, *item;
    size_t i;
    int r = api_json(u->api, &call, &answer, NULL, err);

    if (r == 0)
        r = jsonx_array(answer, call.what, "missing", ASK_AT_ONCE, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        const char *sha256 = json_string_value(item);

        if (!sha256 || !hex_is(sha256, SHA256_HEX_LEN))
            return err_set(err, ERR_INVALID, "%s: the answer is not a list of digests", call.what);
        json_object_set_new(u->missing, sha256, json_true());
    }
    return 0;
}

static int ask_missing(struct upload *u, struct err *err)
{
    const struct manifest *m = u->dir->manifest;

    for (size_t at = 0; at < m->n_files; at += ASK_AT_ONCE) {
        json_auto_t *digests = json_array();
        int r;

        for (size_t i = at; i < m->n_files && i < at + ASK_AT_ONCE; i++)
            json_array_append_new(digests, json_string(m->files[i].sha256));
        r = ask_some(u, digests, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_blob(const struct upload *u, const struct manifest_file *f, struct err *err)
{
    _cleanup_(free_p)
    char *path = release_dir_blob(u->dir, f->sha256);
    _cleanup_(close_p)
    int fd = -1;
    char url[128];
    void *map = NULL;
    int r;

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", path);
    if (f->length > 0) {
        map = mmap(NULL, (size_t)f->length, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            return err_errno(err, errno, "map '%s'", path);
    }
    snprintf(url, sizeof url, "/api/v1/blobs/%s", f->sha256);
    r = api_put_bytes(u->api, url, map, (size_t)f->length, err);
    if (map)
        munmap(map, (size_t)f->length);
    return err_context(err, r, "send '%s'", f->path);
}

static int send_missing(struct upload *u, struct err *err)
{
    const struct manifest *m = u->dir->manifest;
    size_t total = json_object_size(u->missing);

    for (size_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        int r;

        if (!json_object_get(u->missing, f->sha256))
            continue;
        r = put_blob(u, f, err);
        if (r < 0)
            return r;
        json_object_del(u->missing, f->sha256); /* the same content under another path */
        u->done++;
        u->done_bytes += f->length;
        if (u->show)
            fprintf(stderr, "\rsent %lld of %zu blobs, %lld bytes\033[K", (long long)u->done, total,
                    (long long)u->done_bytes);
    }
    if (u->show && u->done)
        fputc('\n', stderr);
    return 0;
}

static int post_release(const struct upload *u, json_t **ret, struct err *err)
{
    const struct release_dir *d = u->dir;
    json_auto_t *body =
        json_pack("{s:s%, s:s%}", "manifest", d->manifest_text.data, d->manifest_text.len,
                  "content_metadata", d->content_text.data, d->content_text.len);
    char path[128];
    const struct api_call call = {"POST", path, body, "publish"};

    snprintf(path, sizeof path, "/api/v1/channels/%s/releases", d->manifest->channel);
    return body ? api_json(u->api, &call, ret, NULL, err)
                : err_set(err, ERR_INVALID, "release texts are not UTF-8");
}

static int publish(const struct cli *cli, const struct release_dir *d, struct err *err)
{
    _cleanup_(api_free_p)
    struct api *api = NULL;
    json_auto_t *missing = json_object();
    json_auto_t *answer = NULL;
    struct upload u = {.dir = d, .missing = missing, .show = !cli->json && table_colours(stderr)};
    int r = api_open(cli, &api, err);

    u.api = api;
    if (r == 0)
        r = check_signatures(cli, api, d, err);
    if (r == 0)
        r = ask_missing(&u, err);
    if (r == 0)
        r = send_missing(&u, err);
    if (r == 0)
        r = post_release(&u, &answer, err);
    if (r < 0)
        return r;
    json_object_set_new(answer, "channel", json_string(d->manifest->channel));
    json_object_set_new(answer, "version", json_string(d->manifest->version));
    json_object_set_new(answer, "digest", json_string(d->manifest->digest));
    json_object_set_new(answer, "blobs_sent", json_integer(u.done));
    expiry_tell(cli, api, answer);
    if (!cli_result(cli, answer))
        printf("%s/%s published: digest %.12s, %zu files, %lld blobs sent\n"
               "next: firebreak rollout start %s/%s --policy NAME\n",
               d->manifest->channel, d->manifest->version, d->manifest->digest,
               d->manifest->n_files, (long long)u.done, d->manifest->channel, d->manifest->version);
    return 0;
}

int release_publish_run(struct cli *cli, struct err *err)
{
    struct release_dir d = {0};
    int r = release_dir_read(cli->args[0], &d, err);

    if (r == 0)
        r = release_dir_check_blobs(&d, err);
    if (r == 0)
        r = publish(cli, &d, err);
    release_dir_release(&d);
    return r;
}
