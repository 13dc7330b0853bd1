/*
 * repo_export: the whole repository as files for a static host. It is verified first. Written so
 * that whoever reads the folder at any moment, also while this runs or after it was cut off, finds
 * a whole repository, the old one or the new: files by hash, then metadata with versions, the
 * timestamp last, each stage on the disk before the next. What is there and equal stays; nothing is
 * deleted, so that who began with the old timestamp finishes with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "release/release_tree.h"
#include "repository/repo_walk.h"
#include "table.h"
#include "verbs.h"

#define INCOMING ".incoming" /* half-written files, and the lock */

struct export
{
    const char *dir;
    struct repo_source *source;
    struct repo_walk *walk;
    int lock; /* of INCOMING */
    int64_t written, equal, bytes;
    int64_t kept_newer; /* content metadata without a version that is newer here */
};

/* --- one file -------------------------------------------------------------------------------- */

static int path_of(const struct export *x, const char *path, char **ret, struct err *err)
{
    int r = path_check(path, err);

    *ret = r == 0 ? path_join(x->dir, path) : NULL;
    return r == 0 && !*ret ? err_set(err, ERR_NOMEM, "out of memory") : r;
}

static int make_parent(const char *full, struct err *err)
{
    _cleanup_(free_p)
    char *parent = strdup(full);
    char *slash = parent ? strrchr(parent, '/') : NULL;

    if (!slash)
        return err_set(err, ERR_NOMEM, "out of memory");
    *slash = '\0';
    return file_mkdir_p(parent, 0755, err);
}

static int open_incoming(const struct export *x, char ret[], size_t size, int *ret_fd,
                         struct err *err)
{
    if (snprintf(ret, size, "%s/" INCOMING "/file", x->dir) >= (int)size)
        return err_set(err, ERR_INVALID, "'%.100s...' is too long", x->dir);
    *ret_fd = open(ret, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    return *ret_fd < 0 ? err_errno(err, errno, "create '%s'", ret) : 0;
}

static int put_in_place(struct export *x, const char *incoming, const char *full, int64_t length,
                        struct err *err)
{
    int r = make_parent(full, err);

    if (r == 0 && rename(incoming, full) < 0)
        r = err_errno(err, errno, "rename to '%s'", full);
    if (r == 0) {
        x->written++;
        x->bytes += length;
    }
    return r;
}

/* Everything so far is on the disk. */
static int settle(const struct export *x, struct err *err)
{
    return syncfs(x->lock) < 0 ? err_errno(err, errno, "sync '%s'", x->dir) : 0;
}

/* --- files by hash --------------------------------------------------------------------------- */

static bool is_there(const char *full, const struct walk_hashed *h)
{
    _cleanup_(close_p)
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char sha256[65];
    int64_t length;
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == h->length &&
           release_tree_hash(fd, -1, full, sha256, &length, NULL) == 0 &&
           strcmp(sha256, h->sha256) == 0;
}

static int put_hashed(struct export *x, const struct walk_hashed *h, struct err *err)
{
    char incoming[4096];
    _cleanup_(free_p)
    char *full = NULL;
    _cleanup_(close_p)
    int fd = -1;
    struct repo_sum sum;
    int r = path_of(x, h->path, &full, err);

    if (r < 0)
        return r;
    if (is_there(full, h)) {
        x->equal++;
        return 0;
    }
    r = open_incoming(x, incoming, sizeof incoming, &fd, err);
    if (r == 0)
        r = err_context(err, repo_source_read(x->source, h->path, h->length, fd, &sum, err), "'%s'",
                        h->path);
    if (r == 0 && (sum.length != h->length || strcmp(sum.sha256, h->sha256) != 0))
        r = err_set(err, ERR_TAMPERED, "'%s' is not what was signed for", h->path);
    return r < 0 ? r : put_in_place(x, incoming, full, h->length, err);
}

static int put_all_hashed(struct export *x, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < x->walk->n_blobs; i++)
        r = put_hashed(x, &x->walk->blobs[i], err);
    for (size_t i = 0; r == 0 && i < x->walk->n_targets; i++)
        r = put_hashed(x, &x->walk->targets[i], err);
    return r < 0 ? r : settle(x, err);
}

/* --- metadata -------------------------------------------------------------------------------- */

/* What stands at this path now; empty: nothing. */
static int read_present(const struct export *x, const char *path, struct buf *ret, char **ret_full,
                        struct err *err)
{
    int r = path_of(x, path, ret_full, err);

    buf_init(ret, TUF_TARGETS_MAX);
    if (r == 0)
        r = file_read(*ret_full, ret, err);
    return r == -ERR_NOT_FOUND ? 0 : r;
}

static int put_metadata(struct export *x, const char *path, const struct walk_file *f,
                        struct err *err)
{
    char incoming[4096];
    _cleanup_(free_p)
    char *full = NULL;
    _cleanup_(buf_release)
    struct buf present;
    _cleanup_(close_p)
    int fd = -1;
    int r = read_present(x, path, &present, &full, err);

    if (r < 0)
        return r;
    if (present.len == f->len && memcmp(present.data, f->data, f->len) == 0) {
        x->equal++;
        return 0;
    }
    r = open_incoming(x, incoming, sizeof incoming, &fd, err);
    if (r == 0)
        r = err_context(err, file_write_all(fd, f->data, f->len, err), "'%s'", incoming);
    if (r == 0 && fsync(fd) < 0)
        r = err_errno(err, errno, "fsync '%s'", incoming);
    return r < 0 ? r : put_in_place(x, incoming, full, (int64_t)f->len, err);
}

static const struct walk_role *find_role(const struct export *x, const char *name)
{
    for (size_t i = 0; i < x->walk->n_roles; i++)
        if (strcmp(x->walk->roles[i].name, name) == 0)
            return &x->walk->roles[i];
    return NULL;
}

static const struct walk_file *find_file(const struct export *x, const char *path)
{
    for (size_t i = 0; i < x->walk->n_files; i++)
        if (strcmp(x->walk->files[i].path, path) == 0)
            return &x->walk->files[i];
    return NULL;
}

/* The file of a role in the version that was verified; NULL: none. */
static const struct walk_file *verified_file(const struct export *x, const char *role)
{
    const struct walk_role *row = find_role(x, role);
    char path[TUF_ROLE_NAME_MAX + 64];

    if (!row || !row->version)
        return NULL;
    snprintf(path, sizeof path, "metadata/%lld.%s.json", (long long)row->version, role);
    return find_file(x, path);
}

/* By the keys in force. What is not signed by them endpoints ignore, whatever version it claims:
 * a thief may have left it there before the keys were replaced. */
static bool is_signed(const struct export *x, const struct metadata *m, const char *role)
{
    bool top = m->type == TUF_TIMESTAMP;
    const struct walk_file *f = verified_file(x, top ? "root" : "targets");
    _cleanup_(metadata_free_p)
    struct metadata *by = NULL;
    struct key_set keys = {0};
    int r = -ERR_NOT_FOUND;

    if (f)
        r = metadata_parse(f->data, f->len, top ? TUF_ROOT : TUF_TARGETS, f->path, &by, NULL);
    if (r == 0)
        r = top ? metadata_root_keys(by, role, &keys, NULL)
                : metadata_delegated_keys(by, role, &keys, NULL);
    if (r == 0)
        r = envelope_verify(m->envelope, &keys, role, NULL);
    key_set_release(&keys);
    return r == 0;
}

/* Version of a role's metadata that stands at this path; 0: none, or none that anybody takes. */
static int present_version(const struct export *x, const char *path, const char *role, int64_t *ret,
                           struct err *err)
{
    enum tuf_type type = strcmp(role, "timestamp") == 0 ? TUF_TIMESTAMP : TUF_TARGETS;
    _cleanup_(buf_release)
    struct buf present;
    _cleanup_(free_p)
    char *full = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    int r = read_present(x, path, &present, &full, err);

    *ret = 0;
    if (r == 0 && metadata_parse(present.data, present.len, type, path, &m, NULL) == 0 &&
        is_signed(x, m, role))
        *ret = m->version;
    return r;
}

/* The copy that revocations are read from. A newer one that was put there by hand, while the server
 * was lost, stays. */
static int put_unversioned(struct export *x, const char *channel, struct err *err)
{
    char role[TUF_ROLE_NAME_MAX], path[TUF_ROLE_NAME_MAX + 32];
    const struct walk_role *row;
    const struct walk_file *f;
    int64_t present;
    int r;

    content_role_name(channel, role, sizeof role);
    row = find_role(x, role);
    if (!row || !row->version)
        return 0;
    snprintf(path, sizeof path, "metadata/%s.json", role);
    f = verified_file(x, role);
    if (!f)
        return err_set(err, ERR_INTERNAL, "'%s' was not fetched", role);
    r = present_version(x, path, role, &present, err);
    if (r == 0 && present > row->version) {
        x->kept_newer++;
        return 0;
    }
    return r < 0 ? r : put_metadata(x, path, f, err);
}

static int put_all_metadata(struct export *x, struct err *err)
{
    const struct walk_file *timestamp = find_file(x, "metadata/timestamp.json");
    int r = timestamp ? 0 : err_set(err, ERR_INTERNAL, "there is no timestamp");

    for (size_t i = 0; r == 0 && i < x->walk->n_files; i++)
        if (&x->walk->files[i] != timestamp)
            r = put_metadata(x, x->walk->files[i].path, &x->walk->files[i], err);
    for (size_t i = 0; r == 0 && i < x->walk->n_channels; i++)
        r = put_unversioned(x, x->walk->channels[i].name, err);
    if (r == 0)
        r = settle(x, err);
    if (r == 0)
        r = put_metadata(x, "metadata/timestamp.json", timestamp, err);
    return r < 0 ? r : settle(x, err);
}

/* --- the folder ------------------------------------------------------------------------------ */

/* One at a time; what an earlier one left half-written is overwritten. */
static int lock_dir(struct export *x, struct err *err)
{
    _cleanup_(free_p)
    char *incoming = path_join(x->dir, INCOMING);
    int r = incoming ? file_mkdir_p(incoming, 0755, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (r < 0)
        return r;
    x->lock = open(incoming, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (x->lock < 0)
        return err_errno(err, errno, "open '%s'", incoming);
    if (flock(x->lock, LOCK_EX | LOCK_NB) < 0) {
        err_set(err, ERR_CONFLICT, "another export writes to '%s'", x->dir);
        return err_remedy(err, "wait until it is done");
    }
    return 0;
}

static int check_forward(const struct export *x, struct err *err)
{
    const struct walk_role *timestamp = find_role(x, "timestamp");
    int64_t present;
    int r = present_version(x, "metadata/timestamp.json", "timestamp", &present, err);

    if (r < 0 || !timestamp || present <= timestamp->version)
        return r;
    err_set(err, ERR_ROLLBACK, "'%s' has timestamp %lld, the repository only %lld", x->dir,
            (long long)present, (long long)timestamp->version);
    return err_remedy(err, "endpoints would refuse it: export from the newest repository");
}

/* The trusted root: as given; else the one that the folder begins with; else the source's word. */
static int read_root(const struct cli *cli, const struct export *x, struct buf *ret, bool *ret_any,
                     struct err *err)
{
    const char *file = cli_get(cli, "root");
    _cleanup_(free_p)
    char *first = path_join(x->dir, "metadata/1.root.json");
    int r;

    if (!file && !first)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = file_read(file ? file : first, ret, err);
    *ret_any = r == 0;
    if (file || r != -ERR_NOT_FOUND)
        return err_context(err, r, "trusted root");
    fprintf(stderr, "note: without --root the repository's own first root is believed\n");
    return 0;
}

static int run(struct cli *cli, struct export *x, struct err *err)
{
    _cleanup_(buf_release)
    struct buf root;
    bool any = false;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = read_root(cli, x, &root, &any, err);
    if (r == 0)
        r = repo_source_open(cli, &x->source, err);
    if (r == 0)
        r = repo_walk(x->source, any ? &root : NULL, clock_wall_ms(clock_system()) / 1000, &x->walk,
                      err);
    if (r == 0)
        r = repo_walk_verdict(x->walk, err);
    if (r == 0)
        r = lock_dir(x, err);
    if (r == 0)
        r = check_forward(x, err);
    if (r == 0)
        r = put_all_hashed(x, err);
    return r < 0 ? r : put_all_metadata(x, err);
}

static void print_exported(const struct cli *cli, const struct export *x)
{
    json_auto_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "dir", x->dir, "snapshot_version",
                               (json_int_t)x->walk->snapshot_version, "written",
                               (json_int_t)x->written, "bytes", (json_int_t)x->bytes, "equal",
                               (json_int_t)x->equal, "kept_newer", (json_int_t)x->kept_newer);
    char bytes[32];

    if (x->kept_newer)
        fprintf(stderr,
                "note: content metadata that is newer than the repository's stays in '%s'\n",
                x->dir);
    if (cli_result(cli, o))
        return;
    table_format_number(x->bytes, bytes);
    printf("snapshot %lld exported to %s: %lld files of %s bytes written, %lld were there\n",
           (long long)x->walk->snapshot_version, x->dir, (long long)x->written, bytes,
           (long long)x->equal);
}

int repo_export_run(struct cli *cli, struct err *err)
{
    struct export x = {.dir = cli->args[0], .lock = -1};
    int r = run(cli, &x, err);

    if (r == 0)
        print_exported(cli, &x);
    repo_walk_free(x.walk);
    repo_source_free(x.source);
    close_p(&x.lock);
    return r;
}
