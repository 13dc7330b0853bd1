/*
 * repo_prune: what is superseded goes, from memory and from the store.
 *
 *   snapshot, rollout, plans   those of more than REPO_KEEP versions ago
 *   targets, content           all but the newest REPO_KEEP of each role
 *   manifests                  those that none of the content metadata kept lists
 *   root                       never: each client goes from the one that it has to the next
 *
 * A plan's or manifest's version says which version of rollout or content listed it last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repo/repo_internal.h"

static const char metadata_dir[] = "metadata/", plan_dir[] = "targets/rollout/",
                  content_dir[] = "targets/content/";

#define STARTS(path, prefix) (strncmp(path, prefix, sizeof(prefix) - 1) == 0)

/* --- what is kept of roles that are signed offline ------------------------------------------- */

struct kept {
    char role[TUF_ROLE_NAME_MAX];
    int64_t version; /* of a role the oldest that is kept */
};

struct keeping {
    struct kept *roles; /* sorted; NULL: no memory to tell, so all is kept */
    size_t n;
};

/* "metadata/<n>.<role>.json" of targets or content; the role into ret. */
static bool is_offline(const struct repo_file *f, char ret[TUF_ROLE_NAME_MAX])
{
    const char *dot = strchr(f->path, '.');
    size_t len = dot ? strlen(dot + 1) : 0;

    if (!STARTS(f->path, metadata_dir) || len <= 5 || len - 5 >= TUF_ROLE_NAME_MAX)
        return false;
    snprintf(ret, TUF_ROLE_NAME_MAX, "%.*s", (int)(len - 5), dot + 1);
    return strcmp(ret, "targets") == 0 || STARTS(ret, CONTENT_PREFIX);
}

static int by_role(const void *a, const void *b)
{
    const struct kept *p = a, *q = b;
    int c = strcmp(p->role, q->role);

    return c ? c : (p->version < q->version) - (p->version > q->version);
}

/* From every version there is, by role, the newest first, to the oldest one to keep of each role.
 */
static size_t reduce(struct kept *all, size_t n)
{
    size_t roles = 0;
    int count = 0;

    for (size_t i = 0; i < n; i++) {
        bool other = roles == 0 || strcmp(all[roles - 1].role, all[i].role) != 0;

        count = other ? 1 : count + 1;
        if (other)
            all[roles++] = all[i];
        else if (count <= REPO_KEEP)
            all[roles - 1].version = all[i].version;
    }
    return roles;
}

static struct keeping look(const struct repo_image *i)
{
    struct kept *all = calloc(i->n_files + 1, sizeof *all);
    size_t count = 0;

    for (size_t n = 0; all && n < i->n_files; n++)
        if (is_offline(&i->files[n], all[count].role))
            all[count++].version = i->files[n].version;
    if (all)
        qsort(all, count, sizeof *all, by_role);
    return (struct keeping){all, all ? reduce(all, count) : 0};
}

/* The oldest version of a role that is kept; 0 where there is none. */
static int64_t oldest(const struct keeping *k, const char *role)
{
    for (size_t n = 0; n < k->n; n++)
        if (strcmp(k->roles[n].role, role) == 0)
            return k->roles[n].version;
    return 0;
}

/* "targets/content/<channel>/<sha256>.<version>.json" */
static bool content_of(const char *path, char ret_role[TUF_ROLE_NAME_MAX])
{
    const char *channel = path + sizeof content_dir - 1, *end;

    if (!STARTS(path, content_dir) || !(end = strchr(channel, '/')))
        return false;
    snprintf(ret_role, TUF_ROLE_NAME_MAX, CONTENT_PREFIX "%.*s", (int)(end - channel), channel);
    return true;
}

/* --- what is old ----------------------------------------------------------------------------- */

/* Is this "metadata/<n>.<role>.json" of long ago? */
static bool is_old_online(const struct repo_file *f, enum repo_online role, int64_t present)
{
    const char *dot = strchr(f->path, '.');
    char tail[32];

    snprintf(tail, sizeof tail, ".%s.json", repo_online_name(role));
    return STARTS(f->path, metadata_dir) && dot && strcmp(dot, tail) == 0 &&
           f->version <= present - REPO_KEEP;
}

static bool is_old(const struct repo_image *i, const struct keeping *k, const struct repo_file *f)
{
    char role[TUF_ROLE_NAME_MAX];

    if (is_old_online(f, REPO_SNAPSHOT, i->version[REPO_SNAPSHOT]) ||
        is_old_online(f, REPO_ROLLOUT, i->version[REPO_ROLLOUT]))
        return true;
    if (STARTS(f->path, plan_dir)) /* a present one has the present version: repo_sign_rollout */
        return f->version <= i->version[REPO_ROLLOUT] - REPO_KEEP;
    return (is_offline(f, role) || content_of(f->path, role)) && f->version < oldest(k, role);
}

void repo_prune(struct repo_image *i, struct store_batch *b)
{
    struct keeping k = look(i);
    size_t kept = 0;

    for (size_t n = 0; n < i->n_files; n++) {
        struct repo_file f = i->files[n];

        if (is_old(i, &k, &f)) {
            store_delete_metadata(b, f.path);
            free(f.path);
            blob_unref(f.blob);
        } else {
            i->files[kept++] = f;
        }
    }
    i->n_files = kept;
    free(k.roles);
}

/* --- what is listed -------------------------------------------------------------------------- */

static int note_target(struct repo_image *i, const struct metadata *content, const char *target,
                       struct err *err)
{
    char path[REPO_PATH_MAX];
    struct repo_file *f;
    struct tuf_target t;
    int r = metadata_target(content, target, &t, err);

    if (r == 0)
        r = image_target_path(target, t.sha256, path, err);
    if (r < 0)
        return r;
    f = image_file(i, path);
    if (f && f->version < content->version)
        f->version = content->version;
    return 0;
}

int repo_note_listed(struct repo_image *i, const struct metadata *content, struct err *err)
{
    const char *target;
    json_t *o;
    int r = 0;

    json_object_foreach (json_object_get(content->body, "targets"), target, o)
        if ((r = note_target(i, content, target, err)) < 0)
            return r;
    return 0;
}

int repo_note_all_listed(struct repo_image *i, struct err *err)
{
    int r = 0;

    for (size_t n = 0; r == 0 && n < i->n_files; n++) {
        _cleanup_(metadata_free_p)
        struct metadata *m = NULL;
        char role[TUF_ROLE_NAME_MAX];

        if (!is_offline(&i->files[n], role) || !STARTS(role, CONTENT_PREFIX))
            continue;
        r = image_metadata(i, role, i->files[n].version, TUF_TARGETS, &m, err);
        if (r == 0)
            r = repo_note_listed(i, m, err);
    }
    return r;
}
