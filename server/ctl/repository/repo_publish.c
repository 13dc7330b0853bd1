/* repo_publish: files that were signed in a ceremony go to the server, all in one call: it takes in
 * all of them or none. What can be told here is told before anything is sent. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "repository/published.h"
#include "repository/repo_file.h"
#include "table.h"
#include "verbs.h"

struct publication {
    struct repo_file files[CLI_MAX_ARGS]; /* roots in sequence, then targets, then content */
    int n;
    struct published *published; /* NULL: not checked here */
    int64_t now_s;
};

static void publication_release(struct publication *p)
{
    for (int i = 0; i < p->n; i++)
        repo_file_release(&p->files[i]);
    published_free(p->published);
}

/* --- reading -------------------------------------------------------------------------------- */

static int rank(const struct repo_file *f)
{
    return f->m->type == TUF_ROOT ? 0 : strcmp(f->role, "targets") == 0 ? 1 : 2;
}

static int compare(const void *a, const void *b)
{
    const struct repo_file *x = a, *y = b;

    if (rank(x) != rank(y))
        return rank(x) - rank(y);
    if (strcmp(x->role, y->role) != 0)
        return strcmp(x->role, y->role);
    return (x->m->version > y->m->version) - (x->m->version < y->m->version);
}

static int read_files(const struct cli *cli, struct publication *p, struct err *err)
{
    int r = 0;

    while (r == 0 && p->n < cli->n_args) {
        r = repo_file_read(cli->args[p->n], NULL, &p->files[p->n], err);
        p->n += r == 0;
    }
    if (r < 0)
        return r;
    qsort(p->files, (size_t)p->n, sizeof p->files[0], compare);
    for (int i = 1; i < p->n; i++)
        if (strcmp(p->files[i].role, p->files[i - 1].role) == 0 && p->files[i].m->type != TUF_ROOT)
            return err_set(err, ERR_USAGE, "'%s' and '%s' are both %s", p->files[i - 1].path,
                           p->files[i].path, p->files[i].role);
    return 0;
}

/* --- checking ------------------------------------------------------------------------------- */

/* A role as it will be: ours where we bring one, else the published one. */
struct role_now {
    const char *name; /* for errors: the file, or what is published */
    const struct metadata *m;
    struct metadata *owned;
};

static void role_now_release(struct role_now *r)
{
    metadata_free(r->owned);
}

static int read_published(struct publication *p, const char *role, struct buf *text,
                          struct metadata **ret, struct err *err)
{
    int r;

    buf_init(text, TUF_TARGETS_MAX);
    r = published_get(p->published, role, text, err);
    return r < 0
               ? r
               : metadata_parse(text->data, text->len,
                                strcmp(role, "root") == 0 ? TUF_ROOT : TUF_TARGETS, role, ret, err);
}

static int check_fresh(const struct repo_file *f, const struct metadata *published,
                       const struct buf *text, int64_t now_s, struct err *err)
{
    bool same = text->len == f->text.len && memcmp(text->data, f->text.data, text->len) == 0;

    if (published && published->version >= f->m->version && !same) {
        err_set(err, ERR_ROLLBACK, "'%s' is version %lld, version %lld is published", f->path,
                (long long)f->m->version, (long long)published->version);
        return err_remedy(err, "start again from 'firebreak repo get %s'", f->role);
    }
    return metadata_check_expiry(f->m, now_s, f->path, err);
}

/* ret->m NULL: neither ours nor published. */
static int role_now(struct publication *p, const char *role, struct role_now *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r = read_published(p, role, &text, &ret->owned, err);

    if (r < 0 && r != -ERR_NOT_FOUND)
        return r;
    ret->name = role;
    ret->m = ret->owned;
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->files[i].role, role) == 0) {
            ret->name = p->files[i].path;
            ret->m = p->files[i].m;
            return check_fresh(&p->files[i], ret->owned, &text, p->now_s, err);
        }
    return 0;
}

static int check_signed(const struct role_now *role, struct key_set *keys, struct err *err)
{
    int r = envelope_verify(role->m->envelope, keys, role->name, err);

    key_set_release(keys);
    if (r < 0 && role->m == role->owned)
        err_remedy(err, "what is published lacks signatures of the new keys: sign it anew with "
                        "'firebreak repo renew' and publish it along");
    else if (r == -ERR_UNDERSIGNED)
        err_remedy(err, "add signatures with 'firebreak repo sign'");
    return r;
}

static int check_root_step(const struct repo_file *f, const struct metadata *old, struct err *err)
{
    struct ceremony_groups g = {0};
    int r = ceremony_groups(f->m, "root", old, NULL, &g, err);

    for (int i = 0; r == 0 && i < g.n; i++) {
        r = envelope_verify(f->m->envelope, &g.group[i].set, f->path, err);
        if (r < 0)
            r = err_context(err, r, "%s", g.group[i].by);
    }
    if (r == -ERR_UNDERSIGNED)
        err_remedy(err, "add signatures with 'firebreak repo sign'");
    ceremony_groups_release(&g);
    return r;
}

/* Each root by the one before it; *ret is the last. */
static int check_roots(struct publication *p, struct role_now *ret, struct err *err)
{
    _cleanup_(buf_release)
    struct buf text;
    int r = read_published(p, "root", &text, &ret->owned, err);

    ret->name = "root";
    ret->m = ret->owned;
    for (int i = 0; r == 0 && i < p->n && p->files[i].m->type == TUF_ROOT; i++) {
        const struct repo_file *f = &p->files[i];

        if (f->m->version <= ret->owned->version &&
            published_has_root(p->published, f->m->version, &f->text))
            continue; /* published already */
        r = check_root_step(f, ret->m, err);
        ret->m = f->m;
        ret->name = f->path;
    }
    return r == 0 ? metadata_check_expiry(ret->m, p->now_s, ret->name, err) : r;
}

static int check_content(struct publication *p, const struct metadata *targets, const char *role,
                         struct err *err)
{
    struct role_now content = {0};
    struct key_set keys;
    int r = role_now(p, role, &content, err);

    if (r == 0 && content.m) {
        r = metadata_delegated_keys(targets, role, &keys, err);
        if (r == 0)
            r = check_signed(&content, &keys, err);
    }
    role_now_release(&content);
    return r;
}

/* A file of a channel that nobody delegates to would be nobody's. */
static int check_delegated(const struct publication *p, const struct metadata *targets,
                           struct err *err)
{
    for (int i = 0; i < p->n; i++) {
        struct key_set keys;
        int r;

        if (rank(&p->files[i]) < 2)
            continue;
        r = metadata_delegated_keys(targets, p->files[i].role, &keys, err);
        if (r < 0)
            return err_context(err, r, "'%s'", p->files[i].path);
        key_set_release(&keys);
    }
    return 0;
}

static int check_below(struct publication *p, const struct metadata *root, struct err *err)
{
    struct role_now targets = {0};
    struct key_set keys;
    const char *role;
    int r = role_now(p, "targets", &targets, err);

    if (r == 0 && !targets.m)
        r = err_set(err, ERR_NOT_FOUND, "there is no targets metadata");
    if (r == 0)
        r = metadata_root_keys(root, "targets", &keys, err);
    if (r == 0)
        r = check_signed(&targets, &keys, err);
    if (r == 0)
        r = check_delegated(p, targets.m, err);
    for (size_t i = 0; r == 0 && (role = metadata_delegation(targets.m, i)); i++)
        if (strcmp(role, "rollout") != 0)
            r = check_content(p, targets.m, role, err);
    role_now_release(&targets);
    return r;
}

static int check_all(const struct cli *cli, struct api *api, struct publication *p, struct err *err)
{
    struct role_now root = {0};
    int r = published_open(api, cli_get(cli, "root"), p->now_s, &p->published, err);

    if (r == 0)
        r = check_roots(p, &root, err);
    if (r == 0)
        r = check_below(p, root.m, err);
    role_now_release(&root);
    return r;
}

/* --- sending -------------------------------------------------------------------------------- */

static int make_body(const struct publication *p, json_t **ret, struct err *err)
{
    json_auto_t *list = json_array();

    for (int i = 0; i < p->n; i++) {
        const struct repo_file *f = &p->files[i];

        if (json_array_append_new(list, json_pack("{s:s, s:s%}", "role", f->role, "text",
                                                  f->text.data, f->text.len)) < 0)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret = json_pack("{s:O}", "files", list);
    return *ret ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static void print_taken(const json_t *answer)
{
    static const struct table_column columns[] = {
        {"ROLE", false}, {"VERSION", true}, {"STATE", false}};
    struct table t;
    size_t i;
    json_t *o;

    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    json_array_foreach (json_object_get(answer, "files"), i, o) {
        table_text(&t, json_string_value(json_object_get(o, "role")));
        table_number(&t, json_integer_value(json_object_get(o, "version")));
        table_text(&t, json_string_value(json_object_get(o, "state")));
    }
    table_print(&t, 0, stdout);
    table_release(&t);
    printf("snapshot version %lld\n",
           (long long)json_integer_value(json_object_get(answer, "snapshot_version")));
}

static int send_all(const struct cli *cli, struct api *api, const struct publication *p,
                    struct err *err)
{
    json_auto_t *body = NULL;
    json_auto_t *answer = NULL;
    struct api_call call = {"POST", "/api/v1/repository/metadata", NULL, "publish metadata"};
    int r = make_body(p, &body, err);

    call.body = body;
    if (r == 0)
        r = api_json(api, &call, &answer, NULL, err);
    if (r == 0 && !cli_result(cli, answer))
        print_taken(answer);
    return r;
}

int repo_publish_run(struct cli *cli, struct err *err)
{
    struct publication p = {.now_s = clock_wall_ms(clock_system()) / 1000};
    _cleanup_(api_free_p)
    struct api *api = NULL;
    int r = read_files(cli, &p, err);

    if (r == 0)
        r = api_open(cli, &api, err);
    if (r == 0 && cli_has(cli, "root"))
        r = check_all(cli, api, &p, err);
    if (r == 0)
        r = send_all(cli, api, &p, err);
    publication_release(&p);
    return r;
}
