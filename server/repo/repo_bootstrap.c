/* repo_bootstrap: what bootstrap_dir has: on the first start all that begins the repository, at
 * every later one what is newer than what is published. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/file.h"
#include "repo/repo_internal.h"

#define NAMES_MAX 100000 /* entries of the folder that are looked at */

struct repo_files {
    struct repo_upload uploads[REPO_UPLOADS_MAX];
    char roles[REPO_UPLOADS_MAX][TUF_ROLE_NAME_MAX];
    size_t n;
};

struct repo_upload *repo_files_uploads(struct repo_files *f, size_t *ret_n)
{
    *ret_n = f->n;
    return f->uploads;
}

void repo_files_free(struct repo_files *f)
{
    for (size_t i = 0; f && i < f->n; i++)
        free((char *)(uintptr_t)f->uploads[i].text);
    free(f);
}

/* --- names ----------------------------------------------------------------------------------- */

/* "<n>.<role>.json" of a role that is signed offline. */
static bool read_name(const char *name, char ret_role[TUF_ROLE_NAME_MAX], int64_t *ret_version)
{
    size_t len = strlen(name);
    char *dot;
    long long version;

    if (name[0] < '1' || name[0] > '9' || len < 8 || len >= TUF_ROLE_NAME_MAX ||
        strcmp(name + len - 5, ".json") != 0)
        return false;
    errno = 0;
    version = strtoll(name, &dot, 10);
    if (errno || *dot != '.' || dot + 1 >= name + len - 5)
        return false;
    snprintf(ret_role, TUF_ROLE_NAME_MAX, "%.*s", (int)(name + len - 5 - (dot + 1)), dot + 1);
    *ret_version = version;
    return strcmp(ret_role, "root") == 0 || strcmp(ret_role, "targets") == 0 ||
           strncmp(ret_role, CONTENT_PREFIX, sizeof CONTENT_PREFIX - 1) == 0;
}

static int64_t published_version(const struct repo_image *i, const char *role)
{
    const struct repo_channel *c;

    if (strcmp(role, "root") == 0)
        return i->root;
    if (strcmp(role, "targets") == 0)
        return i->targets;
    c = image_any_channel(i, role + sizeof CONTENT_PREFIX - 1);
    return c ? c->content : 0;
}

/* Every newer root; of other roles the newest. */
static int note(struct repo_files *f, const char *role, int64_t version, struct err *err)
{
    struct repo_upload *u;

    for (size_t i = 0; strcmp(role, "root") != 0 && i < f->n; i++)
        if (strcmp(f->roles[i], role) == 0) {
            if (f->uploads[i].version < version)
                f->uploads[i].version = version;
            return 0;
        }
    if (f->n == REPO_UPLOADS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d new files", REPO_UPLOADS_MAX);
    snprintf(f->roles[f->n], sizeof f->roles[f->n], "%s", role);
    u = &f->uploads[f->n];
    *u = (struct repo_upload){.role = f->roles[f->n], .version = version};
    f->n++;
    return 0;
}

static int note_all(struct repo_files *f, const struct repo_image *i, const char *dir,
                    struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(dir);
    const struct dirent *e;
    int r = 0;

    if (!d && errno == ENOENT)
        return 0; /* needed on the first start only, which asks for 1.root.json by name */
    if (!d)
        return err_errno(err, errno, "read");
    for (int n = 0; r == 0 && n < NAMES_MAX && (e = readdir(d)); n++) {
        char role[TUF_ROLE_NAME_MAX];
        int64_t version;

        if (read_name(e->d_name, role, &version) && version > published_version(i, role))
            r = note(f, role, version, err);
    }
    return r;
}

static int read_noted(struct repo_upload *u, const char *dir, struct err *err)
{
    char name[TUF_ROLE_NAME_MAX + 32];
    _cleanup_(free_p)
    char *path = NULL;
    struct buf text;
    int r;

    snprintf(name, sizeof name, "%lld.%s.json", (long long)u->version, u->role);
    path = path_join(dir, name);
    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&text, strcmp(u->role, "root") == 0 ? TUF_ROOT_MAX : TUF_TARGETS_MAX);
    r = file_read(path, &text, err);
    if (r < 0) {
        buf_release(&text);
        return r;
    }
    u->text = buf_detach(&text, &u->len);
    return u->text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int find_newer(const struct server *s, const struct repo_image *i, struct repo_files **ret,
                      struct err *err)
{
    const char *dir = s->config.bootstrap_dir;
    _cleanup_(repo_files_free_p)
    struct repo_files *f = calloc(1, sizeof *f);
    int r = f ? note_all(f, i, dir, err) : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t n = 0; r == 0 && n < f->n; n++)
        r = read_noted(&f->uploads[n], dir, err);
    if (r < 0)
        return err_context(err, r, "bootstrap_dir '%s'", dir);
    *ret = take_ptr(f);
    return 0;
}

int repo_bootstrap_newer(struct server *s, struct repo_files **ret, struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = repo_staged_image(s->repo);

    return find_newer(s, i, ret, err);
}

/* --- first start ----------------------------------------------------------------------------- */

/* It names the repository, and it vouches for itself; the last one's expiry counts. */
static int first_root(const struct repo_work *w, struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(free_p)
    char *from = path_join(w->server->config.bootstrap_dir, "1.root.json");
    struct buf text;
    int r;

    if (!from)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&text, TUF_ROOT_MAX);
    r = file_read(from, &text, err);
    if (r == -ERR_NOT_FOUND)
        err_remedy(err, "make a site with 'firebreak init' and set bootstrap_dir to its folder");
    if (r == 0)
        r = metadata_parse(text.data, text.len, TUF_ROOT, from, &root, err);
    if (r == 0 && root->version != 1)
        r = err_set(err, ERR_INVALID, "'%s' is version %lld, not 1", from,
                    (long long)root->version);
    if (r == 0)
        r = repo_verify_by_root(root, root, "root", err);
    if (r == 0)
        r = repo_put(w, "metadata/1.root.json", text.data, text.len, 1, err);
    buf_release(&text);
    if (r < 0)
        return r;
    w->image->root = 1;
    repo_begin_life(w, "root", root->expires_s);
    return 0;
}

static int take_all(const struct repo_work *w, struct err *err)
{
    _cleanup_(repo_files_free_p)
    struct repo_files *f = NULL;
    _cleanup_(image_unref_p)
    struct repo_image *base = image_copy(w->image);
    bool new;
    int r = base ? find_newer(w->server, base, &f, err) : err_set(err, ERR_NOMEM, "out of memory");

    return r < 0 ? r : repo_take_in(w, base, f->uploads, f->n, &new, err);
}

int repo_bootstrap(struct server *s, struct repo *r, struct store_batch *b, struct repo_image **ret,
                   struct err *err)
{
    _cleanup_(image_unref_p)
    struct repo_image *i = image_new();
    const struct repo_work w = {s, r, i, b};
    int e = i ? first_root(&w, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (e == 0)
        e = repo_set_id(r, i, err);
    if (e == 0)
        e = take_all(&w, err);
    if (e == 0)
        e = repo_verify(NULL, i, clock_wall_ms(s->clock) / 1000, err);
    if (e == 0)
        e = audit_add(s, b, "server", "repository.create", r->root_id, NULL);
    if (e < 0)
        return err_context(err, e, "first start");
    *ret = take_ptr(i);
    return 0;
}
