/* release_build: a source tree becomes a release directory: blobs, manifest, and the channel's next
 * content metadata, unsigned (release_dir.h). */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jsonx.h"
#include "ref.h"
#include "release_dir.h"
#include "release_tree.h"
#include "trust.h"
#include "verbs.h"

#define DAY_S         86400
#define DEFAULT_DAYS  180
#define PACE_FILE_MAX 16384
#define MAX_SEQUENCE  (INT64_C(1) << 53)

/* What the command line asked for, and what came before. */
struct build {
    const char *src, *dir;
    int64_t now_s, days;
    int64_t sequence, lowest;  /* 0: not given */
    bool faster;               /* the pace is faster than the default, and that was asked for */
    struct metadata *previous; /* NULL: this is the channel's first release */
    bool previous_verified;
    bool previous_looked; /* there was somewhere to look for it */
    struct manifest *manifest;
};

static int read_pace(const struct cli *cli, struct build *b, struct err *err)
{
    const char *path = cli_get(cli, "pace");
    _cleanup_(buf_release)
    struct buf text;
    json_auto_t *array = NULL;
    int r;

    buf_init(&text, PACE_FILE_MAX);
    b->manifest->pace = pace_default;
    if (path) {
        r = file_read(path, &text, err);
        if (r == 0)
            r = jsonx_parse(text.data, text.len, PACE_FILE_MAX, &array, err);
        if (r == 0)
            r = pace_from_json(array, &b->manifest->pace, err);
        if (r < 0)
            return err_context(err, r, "pace '%s'", path);
    }
    b->faster = pace_is_faster(&b->manifest->pace, &pace_default);
    if (b->faster && !cli_has(cli, "faster-pace")) {
        err_set(err, ERR_REFUSED, "pace '%s' is faster than the default one", path);
        return err_remedy(err, "use --faster-pace if that is meant; it is recorded in the audit");
    }
    return 0;
}

static int read_options(const struct cli *cli, struct build *b, struct err *err)
{
    const char *min_agent = cli_get(cli, "min-agent");
    struct manifest *m = b->manifest;
    int r = ref_channel(cli_get(cli, "channel"), m->channel, err);

    if (r == 0 && (r = release_version_check(cli_get(cli, "version"), err)) == 0)
        snprintf(m->version, sizeof m->version, "%s", cli_get(cli, "version"));
    if (r == 0)
        r = cli_get_int(cli, "sequence", 1, MAX_SEQUENCE, 0, &b->sequence, err);
    if (r == 0)
        r = cli_get_int(cli, "lowest-sequence", 1, MAX_SEQUENCE, 0, &b->lowest, err);
    if (r == 0)
        r = cli_get_int(cli, "expires-days", 1, 3650, DEFAULT_DAYS, &b->days, err);
    if (r < 0)
        return r;
    if (snprintf(m->min_agent, sizeof m->min_agent, "%s", min_agent ? min_agent : "") >=
        (int)sizeof m->min_agent)
        return err_set(err, ERR_USAGE, "agent version '%.60s' is too long", min_agent);
    m->early_boot = cli_has(cli, "early-boot");
    m->baseline = cli_has(cli, "baseline");
    return read_pace(cli, b, err);
}

static int previous_from_file(const char *path, struct metadata **ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    r = file_read(path, &text, err);
    if (r == 0)
        r = metadata_parse(text.data, text.len, TUF_TARGETS, path, ret, err);
    return err_context(err, r, "previous content metadata");
}

static int previous_from_server(const struct cli *cli, struct build *b, struct err *err)
{
    const char *root = cli_get(cli, "root");
    _cleanup_(api_free_p)
    struct api *api = NULL;
    _cleanup_(free_p)
    char *text = NULL;
    char path[128];
    struct api_call call = {"GET", path, NULL, "previous content metadata"};
    json_auto_t *envelope = NULL;
    int r = api_open(cli, &api, err);

    if (r == 0 && root) {
        struct trust trust;

        r = trust_refresh(api, root, b->manifest->channel, b->now_s, &trust, err);
        if (r < 0)
            return r;
        b->previous = take_ptr(trust.content);
        b->previous_verified = true;
        trust_release(&trust);
        return 0;
    }
    snprintf(path, sizeof path, "/api/v1/channels/%s/content-metadata", b->manifest->channel);
    if (r == 0)
        r = api_json(api, &call, &envelope, NULL, err);
    if (r == -ERR_NOT_FOUND) /* no release yet */
        return 0;
    if (r < 0)
        return r;
    text = json_dumps(envelope, JSON_COMPACT);
    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    return metadata_parse(text, strlen(text), TUF_TARGETS, call.what, &b->previous, err);
}

static int read_previous(const struct cli *cli, struct build *b, struct err *err)
{
    const char *file = cli_get(cli, "previous");

    b->previous_looked = file || api_server(cli);
    if (file)
        return previous_from_file(file, &b->previous, err);
    return b->previous_looked ? previous_from_server(cli, b, err) : 0;
}

/* Sequences of the releases that came before, from their targets' custom part. */
static int previous_sequences(const struct build *b, int64_t *ret_lowest, int64_t *ret_highest,
                              struct err *err)
{
    const json_t *targets = b->previous ? json_object_get(b->previous->body, "targets") : NULL;
    const char *path;
    json_t *target;

    *ret_lowest = *ret_highest = 0;
    json_object_foreach ((json_t *)targets, path, target) {
        int64_t n;
        int r = jsonx_int(json_object_get(target, "custom"), path, "sequence", 1, MAX_SEQUENCE, &n,
                          err);

        if (r < 0)
            return err_context(err, r, "previous content metadata");
        if (*ret_lowest == 0 || n < *ret_lowest)
            *ret_lowest = n;
        if (n > *ret_highest)
            *ret_highest = n;
    }
    return 0;
}

static int choose_sequence(struct build *b, struct err *err)
{
    struct manifest *m = b->manifest;
    int64_t lowest, highest;
    int r = previous_sequences(b, &lowest, &highest, err);

    if (r < 0)
        return r;
    m->sequence = b->sequence ? b->sequence : highest + 1;
    m->lowest_sequence = b->lowest ? b->lowest : lowest ? lowest : m->sequence;
    if (m->sequence <= highest) {
        err_set(err, ERR_ROLLBACK, "sequence %lld is not above the highest one so far, %lld",
                (long long)m->sequence, (long long)highest);
        return err_remedy(err, "leave --sequence out, or give a higher one");
    }
    if (m->lowest_sequence > m->sequence)
        return err_set(err, ERR_USAGE, "lowest sequence %lld is above the release's own, %lld",
                       (long long)m->lowest_sequence, (long long)m->sequence);
    return 0;
}

/* The channel's next content metadata: what was listed before, and this release. */
static json_t *next_content(const struct build *b)
{
    int64_t expires_s = b->now_s + b->days * DAY_S;
    char expires[21];
    json_t *body;

    if (!b->previous)
        return metadata_new_targets(1, expires_s);
    body = json_deep_copy(b->previous->body);
    clock_format_utc(expires_s, expires);
    if (body && json_object_set_new(body, "version", json_integer(b->previous->version + 1)) == 0 &&
        json_object_set_new(body, "expires", json_string(expires)) == 0)
        return body;
    json_decref(body);
    return NULL;
}

static json_t *target_custom(const struct build *b, const char *digest)
{
    json_t *custom =
        json_pack("{s:I, s:s}", "sequence", (json_int_t)b->manifest->sequence, "digest", digest);

    if (custom && b->faster)
        json_object_set_new(custom, "faster_pace", json_true());
    return custom;
}

static int write_content(const struct build *b, const struct buf *manifest, struct err *err)
{
    const struct manifest *m = b->manifest;
    char path[TUF_TARGET_MAX], name[TUF_ROLE_NAME_MAX + 8], digest[65];
    json_auto_t *body = next_content(b);
    json_auto_t *envelope = NULL;
    json_auto_t *custom = NULL;
    _cleanup_(free_p)
    char *file = NULL;
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    if (manifest_target_path(m->channel, m->version, path, sizeof path) < 0)
        return err_set(err, ERR_INVALID, "release name is too long");
    if (json_object_get(json_object_get(body, "targets"), path))
        return err_set(err, ERR_EXISTS, "version '%s' of channel '%s' is published already",
                       m->version, m->channel);
    sha256_hex(manifest->data, manifest->len, digest);
    custom = target_custom(b, digest);
    if (!body || !custom ||
        metadata_targets_add(body, path, manifest->data, manifest->len, custom) < 0)
        return err_set(err, ERR_NOMEM, "out of memory");
    envelope = envelope_new(body);
    r = envelope ? envelope_dump(envelope, &text, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (r < 0)
        return r;
    snprintf(name, sizeof name, "content-%s.json", m->channel);
    file = path_join(b->dir, name);
    return file ? file_write_durable(file, text.data, text.len, 0644, err)
                : err_set(err, ERR_NOMEM, "out of memory");
}

/* The manifest is read back by the code that everyone else reads it with: what endpoints and server
 * would refuse is refused here. */
static int write_manifest(const struct build *b, struct buf *ret, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *again = NULL;
    _cleanup_(free_p)
    char *file = path_join(b->dir, "manifest.json");
    int r = file ? manifest_dump(b->manifest, ret, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = manifest_parse(ret->data, ret->len, &again, err);
    if (r == 0)
        r = file_write_durable(file, ret->data, ret->len, 0644, err);
    return r;
}

/* An output inside the source would become part of itself. */
static int check_apart(const struct build *b, struct err *err)
{
    char src[PATH_MAX], dir[PATH_MAX];
    size_t len;

    if (!realpath(b->src, src))
        return err_errno(err, errno, "source '%s'", b->src);
    if (!realpath(b->dir, dir))
        return err_errno(err, errno, "output '%s'", b->dir);
    len = strlen(src);
    if (strncmp(dir, src, len) == 0 && (dir[len] == '/' || dir[len] == '\0' || len == 1))
        return err_set(err, ERR_USAGE, "output '%s' is inside the source '%s'", b->dir, b->src);
    return 0;
}

static int write_release(const struct build *b, struct err *err)
{
    _cleanup_(free_p)
    char *blobs = path_join(b->dir, "blobs");
    _cleanup_(buf_release)
    struct buf text;
    int r = blobs ? check_apart(b, err) : err_set(err, ERR_NOMEM, "out of memory");

    buf_init(&text, MANIFEST_MAX);
    if (r == 0)
        r = file_mkdir_p(blobs, 0755, err);
    if (r == 0)
        r = release_tree_read(b->src, blobs, b->manifest, err);
    if (r == 0)
        r = write_manifest(b, &text, err);
    return r == 0 ? write_content(b, &text, err) : r;
}

/* ref_empty_dir held before, so all of it is ours. */
static void remove_partial(const struct build *b, bool existed)
{
    static const char *const made[] = {"blobs", "manifest.json"};

    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        _cleanup_(free_p)
        char *path = path_join(b->dir, made[i]);

        if (path)
            file_remove_tree(path, NULL);
    }
    if (!existed)
        rmdir(b->dir);
}

static int make_release(const struct build *b, struct err *err)
{
    bool existed = file_exists(b->dir);
    int r = file_mkdir_p(b->dir, 0755, err);

    if (r < 0)
        return r;
    r = write_release(b, err);
    if (r < 0)
        remove_partial(b, existed);
    return r;
}

static void print_built(const struct cli *cli, const struct build *b)
{
    const struct manifest *m = b->manifest;
    int64_t content_version = b->previous ? b->previous->version + 1 : 1;
    json_auto_t *o =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "channel", m->channel, "version",
                  m->version, "sequence", (json_int_t)m->sequence, "lowest_sequence",
                  (json_int_t)m->lowest_sequence, "content_version", (json_int_t)content_version,
                  "files", (json_int_t)m->n_files, "bytes", (json_int_t)manifest_total_bytes(m),
                  "faster_pace", b->faster, "dir", b->dir);

    if (b->previous && api_server(cli) && !cli_get(cli, "previous") && !b->previous_verified)
        fprintf(stderr, "note: what the server lists so far was not verified; --root does that\n");
    if (cli_result(cli, o))
        return;
    printf("%s/%s built in %s: %zu files, %lld bytes, sequence %lld%s\n", m->channel, m->version,
           b->dir, m->n_files, (long long)manifest_total_bytes(m), (long long)m->sequence,
           b->previous          ? ""
           : b->previous_looked ? " (the channel's first release)"
                                : " (as the first release: neither --previous nor a server given)");
    printf("next: firebreak release sign %s --key KEY\n", b->dir);
}

int release_build_run(struct cli *cli, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = calloc(1, sizeof *m);
    struct build b = {.src = cli->args[0],
                      .dir = cli_get(cli, "o"),
                      .now_s = clock_wall_ms(clock_system()) / 1000,
                      .manifest = m};
    int r = m ? read_options(cli, &b, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = ref_empty_dir(b.dir, err);
    if (r == 0)
        r = read_previous(cli, &b, err);
    if (r == 0)
        r = choose_sequence(&b, err);
    if (r == 0)
        r = make_release(&b, err);
    if (r == 0)
        print_built(cli, &b);
    metadata_free(b.previous);
    return r;
}
