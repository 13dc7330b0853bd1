/* repo_check: a repository verified as a stranger would, and how long what it says will last. */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "repository/expiry.h"
#include "repository/repo_walk.h"
#include "table.h"
#include "verbs.h"

#define WARNING_MAX 256

struct check {
    struct repo_source *source;
    struct repo_walk *walk;
    int64_t now_s, warn_days;
    json_t *warnings; /* texts */
};

/* --- blobs ----------------------------------------------------------------------------------- */

static int check_length(const struct walk_hashed *b, int64_t length, struct err *err)
{
    return length == b->length
               ? 0
               : err_set(err, ERR_TAMPERED, "'%s' has %lld bytes, its manifest says %lld", b->path,
                         (long long)length, (long long)b->length);
}

/* By its length, or by all of it. */
static int check_blob(struct check *c, const struct walk_hashed *b, bool all, struct err *err)
{
    struct repo_sum sum = {0};
    int r;

    if (all)
        r = repo_source_read(c->source, b->path, b->length, -1, &sum, err);
    else
        r = repo_source_length(c->source, b->path, &sum.length, err);
    if (r == 0)
        r = check_length(b, sum.length, err);
    if (r == 0 && all && strcmp(sum.sha256, b->sha256) != 0)
        r = err_set(err, ERR_TAMPERED, "'%s' has the SHA-256 %s", b->path, sum.sha256);
    if (r < 0 && !repo_source_is_away(r)) {
        err_remedy(err, "put it there again, from the server or from the release");
        repo_walk_problem(c->walk, b->path, err);
        return 0;
    }
    return r;
}

static int check_blobs(struct check *c, bool all, struct err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < c->walk->n_blobs; i++)
        r = check_blob(c, &c->walk->blobs[i], all, err);
    return r;
}

/* --- what is told ---------------------------------------------------------------------------- */

static void find_warnings(struct check *c)
{
    char text[WARNING_MAX];

    for (size_t i = 0; i < c->walk->n_roles; i++) {
        const struct walk_role *role = &c->walk->roles[i];
        int64_t left_s = role->expires_s - c->now_s;

        if (!role->version || left_s <= 0 || left_s > expiry_warn_s(role->name, c->warn_days))
            continue;
        expiry_text(role->name, left_s, text, sizeof text);
        json_array_append_new(c->warnings, json_string(text));
    }
}

static json_t *roles_to_json(const struct check *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->walk->n_roles; i++) {
        const struct walk_role *role = &c->walk->roles[i];

        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:I, s:I, s:i, s:i}", "role", role->name, "version",
                      (json_int_t)role->version, "expires_s", (json_int_t)role->expires_s,
                      "expires_in_s", (json_int_t)(role->version ? role->expires_s - c->now_s : 0),
                      "threshold", role->threshold, "keys", role->keys));
    }
    return list;
}

static json_t *channels_to_json(const struct check *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->walk->n_channels; i++) {
        const struct walk_channel *ch = &c->walk->channels[i];

        json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:I, s:I}", "channel", ch->name,
                                              "releases", (json_int_t)ch->releases, "newest",
                                              ch->newest, "revoked", (json_int_t)ch->revoked,
                                              "unversioned", (json_int_t)ch->unversioned));
    }
    return list;
}

static json_t *problems_to_json(const struct check *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->walk->n_problems && i < REPO_WALK_PROBLEMS; i++) {
        const struct walk_problem *p = &c->walk->problems[i];

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "subject", p->subject, "code",
                                              err_slug((int)p->err.code), "message", p->err.msg,
                                              "remedy", err_show_remedy(&p->err)));
    }
    return list;
}

static json_t *result(const struct check *c)
{
    const struct repo_walk *w = c->walk;

    return json_pack("{s:s, s:I, s:I, s:b, s:o, s:o, s:I, s:I, s:O, s:o, s:I}", "repository",
                     repo_source_name(c->source), "root_version", (json_int_t)w->root_version,
                     "snapshot_version", (json_int_t)w->snapshot_version, "root_given",
                     (int)w->root_given, "roles", roles_to_json(c), "channels", channels_to_json(c),
                     "blobs", (json_int_t)w->n_blobs, "blob_bytes", (json_int_t)w->blob_bytes,
                     "warnings", c->warnings, "problems", problems_to_json(c), "n_problems",
                     (json_int_t)w->n_problems);
}

static void print_roles(const struct check *c)
{
    static const struct table_column columns[] = {
        {"ROLE", false}, {"VERSION", true}, {"EXPIRES IN", true}, {"SIGNATURES", false}};
    struct table t;

    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < c->walk->n_roles; i++) {
        const struct walk_role *role = &c->walk->roles[i];
        int64_t left_s = role->expires_s - c->now_s;
        char text[64];

        table_text(&t, role->name);
        if (role->version) {
            table_number(&t, role->version);
            table_format_duration(left_s, text);
            table_text(&t, left_s > 0 ? text : "expired");
        } else {
            table_text(&t, NULL);
            table_text(&t, NULL);
        }
        snprintf(text, sizeof text, "%d of %d", role->threshold, role->keys);
        table_text(&t, text);
    }
    table_print(&t, 0, stdout);
    table_release(&t);
}

static void print_all(const struct check *c)
{
    const struct repo_walk *w = c->walk;
    char bytes[32], subject[sizeof w->problems[0].subject], safe[ERR_MSG_MAX];

    print_roles(c);
    for (size_t i = 0; i < w->n_channels; i++)
        printf("channel %s: %lld release%s listed%s%s, %lld revoked\n", w->channels[i].name,
               (long long)w->channels[i].releases, w->channels[i].releases == 1 ? "" : "s",
               w->channels[i].newest[0] ? ", newest " : "", w->channels[i].newest,
               (long long)w->channels[i].revoked);
    table_format_number(w->blob_bytes, bytes);
    printf("%zu blobs of %s bytes\n", w->n_blobs, bytes);
    for (size_t i = 0; i < json_array_size(c->warnings); i++)
        printf("warning: %s\n", json_string_value(json_array_get(c->warnings, i)));
    for (size_t i = 0; i < w->n_problems && i < REPO_WALK_PROBLEMS; i++)
        printf("problem: %s: %s\n", table_safe(w->problems[i].subject, subject, sizeof subject),
               table_safe(w->problems[i].err.msg, safe, sizeof safe));
    if (w->n_problems > REPO_WALK_PROBLEMS)
        printf("and %zu more problems\n", w->n_problems - REPO_WALK_PROBLEMS);
    if (!w->n_problems)
        printf("everything was verified%s\n",
               w->root_given ? "" : ", from the root that the repository itself begins with");
}

/* --- the verb -------------------------------------------------------------------------------- */

static int read_root(const struct cli *cli, struct buf *ret, struct err *err)
{
    const char *file = cli_get(cli, "root");

    if (file)
        return err_context(err, file_read(file, ret, err), "trusted root");
    fprintf(stderr, "note: without --root the repository's own first root is believed\n");
    return 0;
}

static int look(struct cli *cli, struct check *c, struct err *err)
{
    _cleanup_(buf_release)
    struct buf root;
    int r;

    buf_init(&root, TUF_ROOT_MAX);
    r = read_root(cli, &root, err);
    if (r == 0)
        r = repo_source_open(cli, &c->source, err);
    if (r == 0)
        r = repo_walk(c->source, cli_has(cli, "root") ? &root : NULL, c->now_s, &c->walk, err);
    return r < 0 ? r : check_blobs(c, cli_has(cli, "blobs"), err);
}

int repo_check_run(struct cli *cli, struct err *err)
{
    struct check c = {.now_s = clock_wall_ms(clock_system()) / 1000, .warnings = json_array()};
    json_auto_t *o = NULL;
    int r = c.warnings ? 0 : err_set(err, ERR_NOMEM, "out of memory");

    if (r == 0)
        r = cli_get_int(cli, "warn-days", 0, 3650, EXPIRY_WARN_DAYS, &c.warn_days, err);
    if (r == 0)
        r = look(cli, &c, err);
    if (r == 0) {
        find_warnings(&c);
        o = result(&c);
        if (!cli_result(cli, o))
            print_all(&c);
        if (cli_has(cli, "strict") && json_array_size(c.warnings))
            cli->exit_status = 1;
        r = repo_walk_verdict(c.walk, err);
    }
    json_decref(c.warnings);
    repo_walk_free(c.walk);
    repo_source_free(c.source);
    return r;
}
