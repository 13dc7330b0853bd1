/* release_build: a source tree becomes a release directory: blobs, manifest, and the channel's next
 * content metadata, unsigned (release_dir.h). */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "release/content_next.h"
#include "release/previous.h"
#include "ref.h"
#include "release/release_dir.h"
#include "release/release_tree.h"
#include "verbs.h"

#define DAY_S         86400
#define DEFAULT_DAYS  180
#define PACE_FILE_MAX 16384
#define MAX_SEQUENCE  (INT64_C(1) << 53)

/* What the command line asked for, and what came before. */
struct build {
    const char *src, *dir;
    int64_t now_s, days;
    int64_t sequence, lowest; /* 0: not given */
    bool faster;              /* the pace is faster than the default, and that was asked for */
    int64_t keep;             /* releases that stay listed */
    struct previous previous;
    struct content_left_out left_out;
    struct manifest *manifest;
    const struct cli *cli;
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
    if (r == 0)
        r = cli_get_int(cli, "keep", 1, CONTENT_KEEP_MAX, CONTENT_KEEP, &b->keep, err);
    if (r < 0)
        return r;
    if (snprintf(m->min_agent, sizeof m->min_agent, "%s", min_agent ? min_agent : "") >=
        (int)sizeof m->min_agent)
        return err_set(err, ERR_USAGE, "agent version '%.60s' is too long", min_agent);
    m->early_boot = cli_has(cli, "early-boot");
    m->baseline = cli_has(cli, "baseline");
    return read_pace(cli, b, err);
}

static int choose_sequence(struct build *b, struct err *err)
{
    struct manifest *m = b->manifest;
    int64_t lowest, highest;
    int r = content_sequences(b->previous.content, &lowest, &highest, err);

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
static int next_content(struct build *b, const struct buf *manifest, json_t **ret, struct err *err)
{
    const char *versions[CLI_MAX_OPTS];
    struct content_next next = {.channel = b->manifest->channel,
                                .previous = b->previous.content,
                                .expires_s = b->now_s + b->days * DAY_S,
                                .keep = b->keep,
                                .keep_versions = versions};
    const struct content_release release = {b->manifest, manifest, b->faster};

    while ((versions[next.n_keep_versions] =
                cli_get_nth(b->cli, "keep-version", (int)next.n_keep_versions)))
        next.n_keep_versions++;
    return content_add(&next, &release, ret, &b->left_out, err);
}

static int write_content(struct build *b, const struct buf *manifest, struct err *err)
{
    char name[TUF_ROLE_NAME_MAX + 8];
    json_auto_t *body = NULL;
    json_auto_t *envelope = NULL;
    _cleanup_(free_p)
    char *file = NULL;
    _cleanup_(buf_release)
    struct buf text;
    int r = next_content(b, manifest, &body, err);

    buf_init(&text, TUF_TARGETS_MAX);
    if (r < 0)
        return r;
    envelope = envelope_new(body);
    r = envelope ? envelope_dump(envelope, &text, err) : err_set(err, ERR_NOMEM, "out of memory");
    if (r < 0)
        return r;
    snprintf(name, sizeof name, "content-%s.json", b->manifest->channel);
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

static int write_release(struct build *b, struct err *err)
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

static int make_release(struct build *b, struct err *err)
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
    const struct metadata *previous = b->previous.content;
    int64_t content_version = previous ? previous->version + 1 : 1;
    json_auto_t *o = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:s}", "channel", m->channel, "version",
        m->version, "sequence", (json_int_t)m->sequence, "lowest_sequence",
        (json_int_t)m->lowest_sequence, "content_version", (json_int_t)content_version, "files",
        (json_int_t)m->n_files, "bytes", (json_int_t)manifest_total_bytes(m), "faster_pace",
        b->faster, "no_longer_listed", (json_int_t)b->left_out.releases, "dir", b->dir);

    previous_note(&b->previous);
    content_left_out_note(&b->left_out, stderr);
    if (cli_result(cli, o))
        return;
    printf("%s/%s built in %s: %zu files, %lld bytes, sequence %lld%s\n", m->channel, m->version,
           b->dir, m->n_files, (long long)manifest_total_bytes(m), (long long)m->sequence,
           previous             ? ""
           : b->previous.looked ? " (the channel's first release)"
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
                      .manifest = m,
                      .cli = cli};
    int r = m ? read_options(cli, &b, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = ref_empty_dir(b.dir, err);
    if (r == 0)
        r = previous_read(cli, m->channel, b.now_s, &b.previous, err);
    if (r == 0)
        r = choose_sequence(&b, err);
    if (r == 0)
        r = make_release(&b, err);
    if (r == 0)
        print_built(cli, &b);
    previous_release(&b.previous);
    return r;
}
