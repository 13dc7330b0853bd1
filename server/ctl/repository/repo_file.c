/* repo_file: see repo_file.h. */
#include "repository/repo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/file.h"
#include "ceremony/ceremony.h"
#include "ceremony/ceremony_show.h"
#include "ref.h"

int repo_file_read(const char *path, const char *role, struct repo_file *ret, struct err *err)
{
    struct repo_file f = {.path = path};
    int r;

    buf_init(&f.text, TUF_TARGETS_MAX);
    r = file_read(path, &f.text, err);
    if (r == 0)
        r = ceremony_parse(f.text.data, f.text.len, path, &f.m, f.role, err);
    if (r == 0 && role && strcmp(role, f.role) != 0)
        r = err_set(err, ERR_INVALID, "'%s' is %s metadata, not %s", path, f.role, role);
    if (r < 0)
        repo_file_release(&f);
    else
        *ret = f;
    return r;
}

void repo_file_release(struct repo_file *f)
{
    buf_release(&f->text);
    metadata_free(f->m);
    *f = (struct repo_file){0};
}

/* As it was read, still? */
static int check_unchanged(const struct repo_file *f, struct err *err)
{
    _cleanup_(buf_release)
    struct buf now;
    int r;

    buf_init(&now, TUF_TARGETS_MAX);
    r = file_read(f->path, &now, err);
    if (r < 0 || (now.len == f->text.len && memcmp(now.data, f->text.data, now.len) == 0))
        return r;
    err_set(err, ERR_CONFLICT, "'%s' was changed in the meantime", f->path);
    return err_remedy(err, "run the same command again");
}

/* The file is replaced, so who waits for its lock finds another one there, and is told. Where the
 * file system has no locks, it goes without. */
int repo_file_rewrite(const struct repo_file *f, struct err *err)
{
    _cleanup_(close_p)
    int lock = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_(buf_release)
    struct buf text;
    int r;

    buf_init(&text, TUF_TARGETS_MAX);
    if (lock < 0)
        return err_errno(err, errno, "open '%s'", f->path);
    (void)flock(lock, LOCK_EX);
    r = check_unchanged(f, err);
    if (r == 0)
        r = envelope_dump(f->m->envelope, &text, err);
    return r == 0 ? file_write_durable(f->path, text.data, text.len, 0644, err) : r;
}

int repo_file_is_new(const char *path, struct err *err)
{
    if (!file_exists(path))
        return 0;
    err_set(err, ERR_EXISTS, "'%s' exists", path);
    return err_remedy(err, "name a new file; nothing is overwritten");
}

int repo_file_write_draft(const char *path, json_t *body, struct err *err)
{
    json_auto_t *envelope = envelope_new(body);
    _cleanup_(metadata_free_p)
    struct metadata *again = NULL;
    char role[TUF_ROLE_NAME_MAX];
    _cleanup_(buf_release)
    struct buf text;
    int r = repo_file_is_new(path, err);

    buf_init(&text, TUF_TARGETS_MAX);
    if (r == 0)
        r = envelope ? envelope_dump(envelope, &text, err)
                     : err_set(err, ERR_NOMEM, "out of memory");
    /* what a client would refuse is not worth a signature */
    if (r == 0)
        r = ceremony_parse(text.data, text.len, path, &again, role, err);
    return r == 0 ? file_write_durable(path, text.data, text.len, 0644, err) : r;
}

/* --- public keys ---------------------------------------------------------------------------- */

int repo_keys_read(const struct cli *cli, const char *option, struct repo_keys *ret,
                   struct err *err)
{
    struct repo_keys k = {0};
    const char *path;
    int r = 0;

    while (r == 0 && (path = cli_get_nth(cli, option, (int)k.n))) {
        r = ref_public_key(path, &k.keys[k.n], err);
        k.n += r == 0;
    }
    if (r < 0)
        repo_keys_release(&k);
    else
        *ret = k;
    return r;
}

void repo_keys_release(struct repo_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        key_free(k->keys[i]);
    k->n = 0;
}

/* --- a file and what is known about it ------------------------------------------------------ */

static int read_option(const struct cli *cli, const char *option, const char *role,
                       struct repo_file *ret, struct err *err)
{
    const char *path = cli_get(cli, option);

    return path ? err_context(err, repo_file_read(path, role, ret, err), "--%s", option) : 0;
}

int repo_view_update(struct repo_view *v, int64_t now_s, struct err *err)
{
    const struct repo_file *before = &v->previous;
    bool is_root = v->file.m->type == TUF_ROOT;
    struct ceremony_show s = {.name = v->file.path,
                              .role = v->file.role,
                              .m = v->file.m,
                              .groups = &v->groups,
                              .now_s = now_s};
    json_t *show;
    int r;

    s.previous = before->m ? before->m : is_root ? v->root.m : NULL;
    r = ceremony_show_make(&s, &show, err);
    if (r < 0)
        return r;
    json_decref(v->show);
    v->show = show;
    return 0;
}

static int open_view(const struct cli *cli, const char *path, int64_t now_s, struct repo_view *v,
                     struct err *err)
{
    const struct metadata *root;
    int r = repo_file_read(path, NULL, &v->file, err);

    if (r == 0)
        r = read_option(cli, "root", "root", &v->root, err);
    if (r == 0)
        r = read_option(cli, "targets", "targets", &v->targets, err);
    if (r == 0)
        r = read_option(cli, "previous", v->file.role, &v->previous, err);
    if (r < 0)
        return r;
    root = v->root.m;
    if (!root && v->file.m->type == TUF_ROOT)
        root = v->previous.m;
    r = ceremony_groups(v->file.m, v->file.role, root, v->targets.m, &v->groups, err);
    return r == 0 ? repo_view_update(v, now_s, err) : r;
}

int repo_view_open(const struct cli *cli, const char *path, int64_t now_s, struct repo_view *ret,
                   struct err *err)
{
    struct repo_view v = {0};
    int r = open_view(cli, path, now_s, &v, err);

    if (r < 0)
        repo_view_release(&v);
    else
        *ret = v;
    return r;
}

void repo_view_release(struct repo_view *v)
{
    repo_file_release(&v->file);
    repo_file_release(&v->root);
    repo_file_release(&v->targets);
    repo_file_release(&v->previous);
    ceremony_groups_release(&v->groups);
    json_decref(v->show);
    *v = (struct repo_view){0};
}
