/*
 * fetch: the refresh job: the TUF client over HTTP. Each file that comes is also written below
 * incoming/, laid out as the repository. Trusted metadata is only read: what this run accepts is
 * kept in memory and forgotten.
 *
 *   server -> [roots that only a mirror shows -> server again] -> revocations -> where the server
 *   failed: one mirror after another
 *
 * Whoever holds the server may withhold a root or freeze what he shows; one honest mirror is enough
 * against either.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "checkin.h"
#include "fetch/fetch.h"
#include "fetch/fetch_source.h"
#include "field.h"
#include "layout.h"
#include "tuf/client.h"
#include "tuf/store_memory.h"
#include "trust/walk.h"

#define TIMESTAMP "metadata/timestamp.json"

struct run {
    const struct fetch *f;
    const char *repository, *cohort;
    const json_t *channels;
    int64_t now_s;
    size_t source;   /* asked in this attempt */
    bool roots_only; /* nothing else is wanted of it */
    bool found_root; /* by this run */
    json_t *failed;  /* channels of the present attempt; borrowed from the result */
    /* A root is kept once the client has asked for what comes after it: it was good. */
    char root_path[64];
    struct buf root;
};

/* Paths come from metadata that may not be kind: nothing may leave incoming/. */
static int keep(const struct fetch *f, const char *path, const struct buf *b, struct err *err)
{
    struct path full, dir;
    _cleanup_(close_p)
    int fd = -1;
    int r = path_check(path, err);

    if (r < 0)
        return r;
    layout_at(&full, f->state_dir, LAYOUT_INCOMING "/%s", path);
    dir = full;
    *strrchr(dir.s, '/') = '\0';
    r = file_mkdir_p(dir.s, 0755, err);
    if (r < 0)
        return r;
    fd = open(full.s, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, errno, "create '%s'", full.s);
    return file_write_all(fd, b->data, b->len, err);
}

/* "metadata/<n>.root.json" */
static bool is_root(const char *path)
{
    static const char folder[] = "metadata/";
    size_t digits;

    if (strncmp(path, folder, sizeof folder - 1) != 0)
        return false;
    path += sizeof folder - 1;
    digits = strspn(path, "0123456789");
    return digits > 0 && digits < 20 && strcmp(path + digits, ".root.json") == 0;
}

/* The root that was handed out last has been accepted. */
static int keep_root(struct run *run, struct err *err)
{
    int r = run->root_path[0] ? keep(run->f, run->root_path, &run->root, err) : 0;

    run->found_root |= run->root_path[0];
    run->root_path[0] = '\0';
    buf_reset(&run->root);
    return r;
}

static int get_root(struct run *run, const char *path, struct buf *ret, struct err *err)
{
    struct path p;
    int r = file_read(layout_at(&p, run->f->state_dir, LAYOUT_INCOMING "/%s", path), ret, NULL);

    if (r == 0) /* of an earlier attempt, and good */
        return 0;
    buf_reset(ret);
    r = fetch_from(run->f->sources, run->source, path, NULL, ret, err);
    if (r < 0)
        return r;
    snprintf(run->root_path, sizeof run->root_path, "%s", path);
    buf_reset(&run->root);
    return buf_add(&run->root, ret->data, ret->len) < 0
               ? err_set(err, ERR_NOMEM, "out of memory for a root")
               : 0;
}

/* Plans and manifests are named by their hash: whoever has the bytes will do. */
static int get_from_others(struct run *run, const char *path, struct buf *ret)
{
    for (size_t i = 0; i < fetch_n_sources(run->f->sources); i++) {
        struct err why = {0};

        if (i != run->source && fetch_from(run->f->sources, i, path, NULL, ret, &why) == 0)
            return 0;
    }
    return -ERR_NOT_FOUND;
}

static int get(void *ctx, const char *path, struct buf *ret, struct err *err)
{
    struct run *run = ctx;
    int r = keep_root(run, err);

    if (r < 0)
        return r;
    if (is_root(path))
        return get_root(run, path, ret, err);
    if (run->roots_only)
        return err_set(err, ERR_UNAVAILABLE, "only roots are wanted");
    r = fetch_from(run->f->sources, run->source, path, NULL, ret, err);
    if (r < 0 && strncmp(path, "targets/", 8) == 0 && get_from_others(run, path, ret) == 0)
        r = 0;
    return r < 0 ? r : keep(run->f, path, ret, err);
}

/* What an earlier run left must not be taken for what the server says now. */
static int clear(const struct fetch *f, struct err *err)
{
    struct path p;
    int r = file_remove_tree(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/metadata"), err);

    return r < 0 ? r
                 : file_remove_tree(layout_at(&p, f->state_dir, LAYOUT_INCOMING "/targets"), err);
}

static int note_failed(struct run *run, const char *channel, const struct err *why, struct err *err)
{
    return field_append(run->failed,
                        json_pack("{s:s, s:s, s:s}", "channel", channel, "code",
                                  err_slug(why->code), "message", why->msg),
                        err);
}

/* One channel's trouble is its own; where no channel is good, nothing is. */
static int walk_channels(struct run *run, struct tuf_client *client, struct err *err)
{
    struct walk w = {.client = client,
                     .now_s = run->now_s,
                     .state_dir = run->f->state_dir,
                     .cohort = run->cohort};
    struct err first = {0};
    json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach (run->channels, i, item) {
        struct err why = {0};

        if (r < 0 || walk_channel(&w, json_string_value(item), &why) == 0)
            continue;
        r = note_failed(run, json_string_value(item), &why, err);
        if (!first.code)
            first = why;
    }
    if (r < 0 || !first.code || json_array_size(run->failed) < json_array_size(run->channels))
        return r;
    *err = first;
    return -(int)first.code;
}

/* The privileged part shall not take in half of what does not hold together: without a timestamp it
 * takes roots and revocations only. */
static void drop_timestamp(const struct run *run)
{
    struct path p;

    unlink(layout_at(&p, run->f->state_dir, LAYOUT_INCOMING "/" TIMESTAMP));
}

/* A whole refresh from one source, from what is trusted on disk and the roots found so far. */
static int attempt(struct run *run, size_t source, bool roots_only, struct err *err)
{
    _cleanup_(tuf_memory_free_p)
    struct tuf_memory *memory = NULL;
    _cleanup_(tuf_client_free_p)
    struct tuf_client *client = NULL;
    struct tuf_fetch fetch = {.get = get, .ctx = run};
    struct tuf_store below, store;
    struct path dir;
    int r;

    run->source = source;
    run->roots_only = roots_only;
    if (!roots_only)
        json_array_clear(run->failed);
    below = tuf_store_dir(layout_at(&dir, run->f->state_dir, "tuf/%s", run->repository));
    memory = tuf_memory_new(&below);
    if (!memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    store = tuf_memory_store(memory);
    r = tuf_client_new(&store, &fetch, &client, err);
    if (r == 0)
        r = tuf_client_refresh(client, run->now_s, err);
    run->root_path[0] = '\0'; /* handed out and not accepted */
    if (r == 0 && !roots_only)
        r = walk_channels(run, client, err);
    if (r < 0 && !roots_only)
        drop_timestamp(run);
    return r;
}

/* The mirrors in another order each time: none is always the one for which no time is left. */
static size_t mirror(const struct run *run, size_t i)
{
    size_t n = fetch_n_sources(run->f->sources) - 1;

    return 1 + (i + (size_t)run->now_s) % n;
}

/* Roots that the server does not show, or has not got. */
static bool find_roots(struct run *run)
{
    run->found_root = false;
    for (size_t i = 1; i < fetch_n_sources(run->f->sources); i++) {
        struct err why = {0};

        attempt(run, mirror(run, i), true, &why);
    }
    return run->found_root;
}

/* --- revocations ------------------------------------------------------------------------------ */

static void read_etag(const char *file, char ret[FETCH_ETAG_MAX])
{
    struct buf b;

    ret[0] = '\0';
    buf_init(&b, FETCH_ETAG_MAX - 1);
    if (file_read(file, &b, NULL) == 0 && b.len && strlen(b.data) == b.len)
        snprintf(ret, FETCH_ETAG_MAX, "%s", b.data);
    buf_release(&b);
}

/* One channel's content metadata as a source shows it, under the name without a version. What came
 * before stays where nothing comes now: it is as authentic as it was. */
static int bring_revocations(const struct run *run, size_t source, const char *channel,
                             struct err *err)
{
    char role[CHANNEL_NAME_MAX + 16], etag[FETCH_ETAG_MAX], from[TUF_ROLE_NAME_MAX + 16],
        name[TUF_ROLE_NAME_MAX + 48], tag[sizeof name + 8];
    struct path file, tag_file;
    struct err why = {0};
    struct buf b;
    int r = content_role_name(channel, role, sizeof role);

    if (r < 0)
        return r;
    snprintf(from, sizeof from, "metadata/%s.json", role);
    snprintf(name, sizeof name, "revocations/%zu/%s.json", source, role);
    snprintf(tag, sizeof tag, "%s.etag", name);
    layout_at(&file, run->f->state_dir, LAYOUT_INCOMING "/%s", name);
    layout_at(&tag_file, run->f->state_dir, LAYOUT_INCOMING "/%s", tag);
    etag[0] = '\0';
    if (file_exists(file.s))
        read_etag(tag_file.s, etag);
    buf_init(&b, TUF_TARGETS_MAX);
    if (fetch_from(run->f->sources, source, from, etag, &b, &why) == 0) {
        unlink(tag_file.s);
        r = keep(run->f, name, &b, err);
        buf_reset(&b);
        if (r == 0 && etag[0] && buf_adds(&b, etag) == 0)
            r = keep(run->f, tag, &b, err);
    }
    buf_release(&b);
    return r;
}

static int bring_all_revocations(const struct run *run, bool ask_server, struct err *err)
{
    json_t *item;
    size_t i;
    int r = 0;

    for (size_t k = 0; k < fetch_n_sources(run->f->sources); k++) {
        if (k == 0 && !ask_server)
            continue;
        json_array_foreach (run->channels, i, item)
            if (r == 0)
                r = bring_revocations(run, k ? mirror(run, k) : 0, json_string_value(item), err);
    }
    return r;
}

/* --- the job ---------------------------------------------------------------------------------- */

static int read_job(struct run *run, bool *ret_refresh, struct err *err)
{
    const json_t *job = run->f->job;
    json_t *list, *item;
    size_t i;
    int r = jsonx_string(job, "job", "repository", 64, &run->repository, err);

    if (r == 0)
        r = jsonx_string(job, "job", "cohort", COHORT_NAME_MAX - 1, &run->cohort, err);
    if (r == 0)
        r = jsonx_int(job, "job", "now_s", 0, INT64_C(1) << 40, &run->now_s, err);
    if (r == 0)
        r = jsonx_bool(job, "job", "refresh", ret_refresh, err);
    if (r == 0)
        r = jsonx_array(job, "job", "channels", CHECKIN_MAX_CHANNELS, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            return err_set(err, ERR_INVALID, "job: 'channels[%zu]' is not a name", i);
        r = channel_name_check(json_string_value(item), err);
        if (r < 0)
            return r;
    }
    run->channels = list;
    return 0;
}

static int refresh(struct run *run, struct err *err)
{
    int r = attempt(run, 0, false, err);

    if (find_roots(run)) { /* the server's own words are judged anew */
        *err = (struct err){0};
        r = attempt(run, 0, false, err);
    }
    return r;
}

static int refresh_from_mirrors(struct run *run)
{
    int r = -ERR_UNREACHABLE;

    for (size_t i = 1; r < 0 && i < fetch_n_sources(run->f->sources); i++) {
        struct err why = {0};

        r = attempt(run, mirror(run, i), false, &why);
    }
    return r;
}

int fetch_refresh(const struct fetch *f, json_t *result, struct err *err)
{
    struct run run = {.f = f, .failed = json_array()};
    bool wanted = true;
    struct err why = {0};
    int r = field_set(result, "failed", run.failed, err), q;

    if (r == 0)
        r = read_job(&run, &wanted, err);
    if (r == 0)
        r = clear(f, err);
    if (r < 0)
        return r;
    buf_init(&run.root, TUF_ROOT_MAX);
    r = wanted ? refresh(&run, &why) : 0;
    q = bring_all_revocations(&run, !wanted || r < 0 || json_array_size(run.failed), err);
    if (r < 0 && refresh_from_mirrors(&run) == 0)
        r = 0;
    buf_release(&run.root);
    if (r < 0)
        *err = why;
    return r < 0 ? r : q;
}
