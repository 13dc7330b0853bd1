/* repo_image: one whole state of the repository. See repo_internal.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repo/repo_internal.h"
#include "tuf/client.h"

struct repo_image *image_new(void)
{
    struct repo_image *i = calloc(1, sizeof *i);

    if (i)
        atomic_init(&i->refs, 1);
    return i;
}

struct repo_image *image_ref(struct repo_image *i)
{
    atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void image_unref(struct repo_image *i)
{
    if (!i || atomic_fetch_sub(&i->refs, 1) != 1)
        return;
    for (size_t n = 0; n < i->n_files; n++) {
        free(i->files[n].path);
        blob_unref(i->files[n].blob);
    }
    free(i->files);
    free(i->releases);
    free(i->channels);
    for (int n = 0; n < REPO_N_ONLINE; n++)
        online_key_unref(i->keys[n]);
    free(i);
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory for the repository");
}

/* n items of size bytes, with room for one more. */
static void *copy_array(const void *items, size_t n, size_t size)
{
    char *p = malloc((n + 1) * size);

    if (p && n)
        memcpy(p, items, n * size);
    return p;
}

struct repo_image *image_copy(const struct repo_image *i)
{
    struct repo_image *c = image_new();

    if (!c)
        return NULL;
    c->number = i->number + 1;
    c->root = i->root;
    c->targets = i->targets;
    c->root_life = i->root_life;
    c->targets_life = i->targets_life;
    memcpy(c->version, i->version, sizeof c->version);
    memcpy(c->expires_s, i->expires_s, sizeof c->expires_s);
    c->releases = copy_array(i->releases, i->n_releases, sizeof *c->releases);
    c->n_releases = i->n_releases;
    c->channels = copy_array(i->channels, i->n_channels, sizeof *c->channels);
    c->n_channels = i->n_channels;
    for (int n = 0; n < REPO_N_ONLINE; n++)
        c->keys[n] = online_key_ref(i->keys[n]);
    c->files = malloc((i->n_files + 1) * sizeof *c->files);
    for (size_t n = 0; c->files && n < i->n_files; n++) {
        char *path = strdup(i->files[n].path);

        if (!path)
            break;
        c->files[c->n_files++] =
            (struct repo_file){path, blob_ref(i->files[n].blob), i->files[n].version};
    }
    if (c->releases && c->channels && c->files && c->n_files == i->n_files)
        return c;
    image_unref(c);
    return NULL;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Index of path, or where it belongs. */
static size_t search(const struct repo_image *i, const char *path, bool *ret_found)
{
    size_t low = 0, high = i->n_files;

    *ret_found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(i->files[mid].path, path);

        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct repo_file *image_file(const struct repo_image *i, const char *path)
{
    bool found;
    size_t at = search(i, path, &found);

    return found ? &i->files[at] : NULL;
}

struct blob *image_get(const struct repo_image *i, const char *path)
{
    const struct repo_file *f = image_file(i, path);

    return f ? f->blob : NULL;
}

int image_put(struct repo_image *i, const char *path, struct blob *b, int64_t version,
              struct err *err)
{
    bool found;
    size_t at = search(i, path, &found);
    struct repo_file *files;
    char *copy;

    if (found) {
        struct blob *old = i->files[at].blob;

        i->files[at].blob = blob_ref(b);
        i->files[at].version = version;
        blob_unref(old);
        return 0;
    }
    copy = strdup(path);
    files = realloc(i->files, (i->n_files + 1) * sizeof *files);
    if (files)
        i->files = files;
    if (!files || !copy) {
        free(copy);
        return no_memory(err);
    }
    memmove(files + at + 1, files + at, (i->n_files - at) * sizeof *files);
    files[at] = (struct repo_file){copy, blob_ref(b), version};
    i->n_files++;
    return 0;
}

/* --- metadata and targets -------------------------------------------------------------------- */

void image_metadata_path(const char *role, int64_t version, char ret[REPO_PATH_MAX])
{
    if (version)
        snprintf(ret, REPO_PATH_MAX, "metadata/%lld.%s.json", (long long)version, role);
    else
        snprintf(ret, REPO_PATH_MAX, "metadata/%s.json", role);
}

int image_metadata(const struct repo_image *i, const char *role, int64_t version,
                   enum tuf_type type, struct metadata **ret, struct err *err)
{
    char path[REPO_PATH_MAX];
    const struct blob *b;
    const void *data;
    size_t len;

    image_metadata_path(role, version, path);
    b = image_get(i, path);
    if (!b)
        return err_set(err, ERR_NOT_FOUND, "the repository has no '%s'", path);
    data = blob_data(b, &len);
    return metadata_parse(data, len, type, path, ret, err);
}

int image_target_path(const char *target, const char *sha256, char ret[REPO_PATH_MAX],
                      struct err *err)
{
    int n = snprintf(ret, REPO_PATH_MAX, "targets/");

    return tuf_target_file(target, sha256, ret + n, REPO_PATH_MAX - (size_t)n, err);
}

int image_target(const struct repo_image *i, const char *role, int64_t version, const char *target,
                 char ret_path[REPO_PATH_MAX], struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *m = NULL;
    struct tuf_target t;
    int r = image_metadata(i, role, version, TUF_TARGETS, &m, err);

    if (r == 0)
        r = metadata_target(m, target, &t, err);
    return r < 0 ? r : image_target_path(target, t.sha256, ret_path, err);
}

/* --- releases -------------------------------------------------------------------------------- */

int image_add_release(struct repo_image *i, const struct repo_listing *l, struct err *err)
{
    struct repo_listing *p = realloc(i->releases, (i->n_releases + 1) * sizeof *p);

    if (!p)
        return no_memory(err);
    i->releases = p;
    p[i->n_releases++] = *l;
    return 0;
}

const struct repo_listing *image_release(const struct repo_image *i, const char *channel,
                                         const char *version)
{
    for (size_t n = 0; n < i->n_releases; n++)
        if (strcmp(i->releases[n].channel, channel) == 0 &&
            strcmp(i->releases[n].version, version) == 0)
            return &i->releases[n];
    return NULL;
}

struct repo_life *image_life(struct repo_image *i, const char *role)
{
    struct repo_channel *c;

    if (strcmp(role, "root") == 0)
        return &i->root_life;
    if (strcmp(role, "targets") == 0)
        return &i->targets_life;
    if (strncmp(role, CONTENT_PREFIX, sizeof CONTENT_PREFIX - 1) != 0)
        return NULL;
    c = image_channel(i, role + sizeof CONTENT_PREFIX - 1);
    return c ? &c->life : NULL;
}
