/* repo_keys: the server's own private keys, found in online_dir by the public ones that root and
 * targets name. A key that is to come lies there beforehand, beside the present one. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "repo/repo_internal.h"

#define FILES_MAX 64 /* of one role */

struct online_key {
    atomic_int refs;
    struct signer *signer;
};

struct online_key *online_key_ref(struct online_key *k)
{
    if (k)
        atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void online_key_unref(struct online_key *k)
{
    if (!k || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    signer_free(k->signer);
    free(k);
}

const struct signer *online_key_signer(const struct online_key *k)
{
    return k->signer;
}

int repo_open_permit(const char *dir, struct signer **ret, struct err *err)
{
    _cleanup_(free_p)
    char *path = path_join(dir, "permit.pem");

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    return err_context(err, signer_open(path, NULL, ret, err), "online key 'permit'");
}

/* --- which one it must be -------------------------------------------------------------------- */

struct wanted {
    const char *role, *by; /* by: the role that names its keys */
    int64_t by_version;
    struct key_set set;
};

/* By its id, too: a signature is known by it. */
static bool fits(const struct wanted *w, const struct signer *s)
{
    const struct key *k = signer_key(s);

    for (size_t i = 0; i < w->set.n_keys; i++)
        if (key_same(w->set.keys[i], k) && strcmp(key_id(w->set.keys[i]), key_id(k)) == 0)
            return true;
    return false;
}

static int want(const struct repo_image *i, enum repo_online role, const struct metadata *root,
                const struct metadata *targets, struct wanted *ret, struct err *err)
{
    bool rollout = role == REPO_ROLLOUT;
    int r;

    *ret = (struct wanted){.role = repo_online_name(role),
                           .by = rollout ? "targets" : "root",
                           .by_version = rollout ? i->targets : i->root};
    r = rollout ? metadata_delegated_keys(targets, ret->role, &ret->set, err)
                : metadata_root_keys(root, ret->role, &ret->set, err);
    if (r == 0 && ret->set.threshold != 1) {
        r = err_set(err, ERR_UNTRUSTED, "role '%s' wants %d signatures, the server gives one",
                    ret->role, ret->set.threshold);
        err_remedy(err, "have %s say threshold 1 for it", ret->by);
        key_set_release(&ret->set);
    }
    return r;
}

/* --- where it is ----------------------------------------------------------------------------- */

/* "<role>.pem" or "<role>-<anything>.pem" */
static bool is_file_of(const char *name, const char *role)
{
    size_t n = strlen(role), len = strlen(name);

    return len >= n + 4 && strncmp(name, role, n) == 0 && strcmp(name + len - 4, ".pem") == 0 &&
           (name[n] == '-' || len == n + 4);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of a role's files, sorted; the caller frees the first n. */
static int list_files(const char *dir, const char *role, char *ret[FILES_MAX], size_t *ret_n,
                      struct err *err)
{
    _cleanup_(closedir_p)
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t n = 0;

    if (!d)
        return err_errno(err, errno, "read online_dir '%s'", dir);
    while (n < FILES_MAX && (e = readdir(d)))
        if (is_file_of(e->d_name, role) && (ret[n] = strdup(e->d_name)))
            n++;
    qsort(ret, n, sizeof *ret, by_name);
    *ret_n = n;
    return 0;
}

/* Opens a file; *ret stays NULL where it is not the key. A file that cannot be read is no error as
 * long as another one fits; what was wrong with the first one is kept in `why`. */
static void try_file(const struct wanted *w, const char *dir, const char *name, struct signer **ret,
                     struct err *why)
{
    _cleanup_(free_p)
    char *path = path_join(dir, name);
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    struct err err = {0};

    if (!path || signer_open(path, NULL, &s, &err) < 0) {
        if (why->code == ERR_OK)
            *why = err;
        return;
    }
    if (fits(w, s))
        *ret = take_ptr(s);
}

static int say_missing(const struct wanted *w, const struct err *why, struct err *err)
{
    if (why->code != ERR_OK) {
        err_set(err, ERR_UNTRUSTED, "no key in online_dir is the one that %s names for '%s'; %s",
                w->by, w->role, why->msg);
        return err_remedy(err, "%s", err_show_remedy(why));
    }
    err_set(err, ERR_UNTRUSTED,
            "no key in online_dir is the one that %s version %lld names for '%s', %.64s", w->by,
            (long long)w->by_version, w->role,
            w->set.n_keys ? key_id(w->set.keys[0]) : "which is none");
    return err_remedy(err, "put its private key into online_dir as <role>-<name>.pem (0600), or "
                           "have the offline keys name the one that is there");
}

static int look_for(const struct wanted *w, const char *dir, struct online_key **ret,
                    struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *s = NULL;
    char *names[FILES_MAX];
    struct err why = {0};
    size_t n = 0;
    int r = list_files(dir, w->role, names, &n, err);

    for (size_t i = 0; i < n; i++) {
        if (!s)
            try_file(w, dir, names[i], &s, &why);
        free(names[i]);
    }
    if (r < 0)
        return r;
    if (!s)
        return say_missing(w, &why, err);
    *ret = calloc(1, sizeof **ret);
    if (!*ret)
        return err_set(err, ERR_NOMEM, "out of memory");
    atomic_init(&(*ret)->refs, 1);
    (*ret)->signer = take_ptr(s);
    return 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int find_key(struct repo_image *i, const struct repo_image *have, const struct wanted *w,
                    enum repo_online role, const char *dir, struct err *err)
{
    struct online_key *k = have ? have->keys[role] : NULL;
    int r = 0;

    if (k && fits(w, k->signer))
        online_key_ref(k);
    else
        r = look_for(w, dir, &k, err);
    if (r < 0)
        return r;
    online_key_unref(i->keys[role]);
    i->keys[role] = k;
    return 0;
}

int repo_find_keys(struct repo_image *i, const struct repo_image *have, const char *dir,
                   struct err *err)
{
    _cleanup_(metadata_free_p)
    struct metadata *root = NULL;
    _cleanup_(metadata_free_p)
    struct metadata *targets = NULL;
    int r = image_metadata(i, "root", i->root, TUF_ROOT, &root, err);

    if (r == 0)
        r = image_metadata(i, "targets", i->targets, TUF_TARGETS, &targets, err);
    for (int n = 0; r == 0 && n < REPO_N_ONLINE; n++) {
        struct wanted w;

        r = want(i, (enum repo_online)n, root, targets, &w, err);
        if (r < 0)
            return r;
        r = find_key(i, have, &w, (enum repo_online)n, dir, err);
        key_set_release(&w.set);
    }
    return r;
}
