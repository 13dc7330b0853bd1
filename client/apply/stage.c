/* stage: see stage.h. */
#include "apply/stage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "field.h"
#include "trust/incoming.h"
#include "layout.h"
#include "apply/tree.h"

#define SPARE_BYTES (INT64_C(16) << 20) /* left free for state, spool and metadata */

static int consider_manifest(const struct agent *a, struct decide_facts *f,
                             struct stage_choice *ret, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    const char *channel = f->channel->name;
    int r = tree_manifest(a->config.state_dir, channel, ret->want.digest, &m, err);

    if (r == -ERR_NOT_FOUND) { /* the content keys have not signed it, as far as is known here */
        ret->want.digest[0] = '\0';
        return 0;
    }
    if (r < 0)
        return r;
    f->manifest = m;
    snprintf(ret->refusal, sizeof ret->refusal, "%s",
             decide_refusal(f, &ret->want, FIREBREAK_VERSION));
    if (ret->refusal[0])
        memcpy(ret->refused, ret->want.digest, sizeof ret->refused);
    ret->pace_wait_s = decide_pace_wait_s(f);
    ret->staged = tree_is_here(a->config.state_dir, channel, ret->want.digest);
    f->manifest = NULL;
    return 0;
}

int stage_choose(const struct agent *a, struct state *s, const struct config_channel *conf,
                 struct stage_choice *ret, struct err *err)
{
    _cleanup_(plan_free_p)
    struct plan *plan = NULL;
    struct state_channel none = {0}, *c = state_channel(s, conf->name);
    struct stage_choice choice = {0};
    struct decide_facts f;
    const char *why;
    int r;

    if (!c) {
        snprintf(none.name, sizeof none.name, "%s", conf->name);
        c = &none;
    }
    f = agent_facts(a, conf, s, c);
    snprintf(choice.hold, sizeof choice.hold, "%s", decide_hold(&f));
    r = agent_plan(a, conf->name, &plan, err);
    if (r < 0 && r != -ERR_NOT_FOUND)
        return r;
    f.plan = plan;
    choice.want = decide_want(&f, &why);
    if ((strcmp(why, "pinned") == 0 || strcmp(why, "unlisted") == 0) && !choice.hold[0])
        strcpy(choice.hold, why);
    if (strcmp(why, "quarantined") == 0 || strcmp(why, "revoked") == 0) {
        strcpy(choice.refusal, why);
        memcpy(choice.refused, decide_planned(&f).digest, sizeof choice.refused);
    }
    r = choice.want.digest[0] ? consider_manifest(a, &f, &choice, err) : 0;
    if (r == 0)
        *ret = choice;
    return r;
}

static bool in_incoming(const struct agent *a, const struct manifest_file *f)
{
    struct path p;
    struct stat st;

    return lstat(layout_at(&p, a->config.state_dir, LAYOUT_INCOMING "/blobs/%s", f->sha256), &st) ==
               0 &&
           st.st_size == f->length;
}

static int check_room(const struct agent *a, int64_t needed, struct err *err)
{
    struct statvfs v;

    if (statvfs(a->config.state_dir, &v) < 0)
        return err_errno(err, errno, "stat '%s'", a->config.state_dir);
    if ((int64_t)v.f_bavail * (int64_t)v.f_frsize < needed + SPARE_BYTES)
        return err_set(err, ERR_FULL, "'%s' has no room for %lld bytes more", a->config.state_dir,
                       (long long)needed);
    return 0;
}

int stage_missing(const struct agent *a, const char *channel, const char *digest, json_t **ret,
                  struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    json_auto_t *list = json_array(), *seen = json_object();
    int64_t missing = 0;
    int r = tree_manifest(a->config.state_dir, channel, digest, &m, err);

    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];

        if (blob_is_here(a->config.state_dir, f->sha256, f->length) || in_incoming(a, f) ||
            json_object_get(seen, f->sha256))
            continue;
        missing += f->length;
        r = field_set(seen, f->sha256, json_true(), err);
        if (r == 0)
            r = field_append(
                list, json_pack("{s:s, s:I}", "sha256", f->sha256, "length", (json_int_t)f->length),
                err);
    }
    if (r == 0)
        r = check_room(a, 2 * missing + manifest_total_bytes(m), err);
    if (r == 0)
        *ret = take_ptr(list);
    return r;
}

static int take_in(const struct agent *a, const struct manifest_file *f, struct err *err)
{
    int r;

    if (blob_is_here(a->config.state_dir, f->sha256, f->length))
        return 0;
    r = blob_take(a->config.state_dir, f->sha256, f->length, err);
    if (r == 0 || r == -ERR_TAMPERED) /* what is not the blob must not stand in its way */
        incoming_remove(a->config.state_dir, "blobs", f->sha256);
    return r;
}

/* Keep what a link or an intent needs, and the last ones that were healthy here: ways back. */
static void collect(const struct agent *a, const char *channel, const struct manifest *staged)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    const char *keep[STATE_MAX_RELEASES + 8] = {staged->digest};
    struct manifest *running = NULL;
    struct state_channel *c;
    struct path p;
    size_t n = 1;

    if (state_load(&a->place, &s, NULL) < 0 || s->lost || !(c = state_channel(s, channel)))
        return;
    keep[n++] = c->current;
    keep[n++] = c->good_run;
    keep[n++] = c->good_boot;
    keep[n++] = c->pending.digest;
    keep[n++] = c->pending.from;
    for (size_t i = 0; i < c->n_releases; i++)
        if (c->releases[i].healthy_s && !state_revoked(c, c->releases[i].digest))
            keep[n++] = c->releases[i].digest;
    tree_collect(a->config.state_dir, channel, keep, n);
    if (a->config.n_channels == 1) { /* blobs are shared by all channels */
        const struct manifest *wanted[2] = {staged, NULL};

        (void)tree_manifest(a->config.state_dir, channel, c->current, &running, NULL);
        wanted[1] = running;
        blob_collect(a->config.state_dir, wanted, 2);
        manifest_free(running);
    }
    file_remove_tree(layout_at(&p, a->config.state_dir, LAYOUT_INCOMING "/blobs"), NULL);
}

/* All of them even where one is bad: what is bad goes at once, not one file with each pass. */
static int take_all(const struct agent *a, const struct manifest *m, struct err *err)
{
    int first = 0;

    for (size_t i = 0; i < m->n_files && (first == 0 || first == -ERR_TAMPERED); i++) {
        int r = take_in(a, &m->files[i], first == 0 ? err : NULL);

        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}

int stage_build(const struct agent *a, const char *channel, const char *digest, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    int r = tree_manifest(a->config.state_dir, channel, digest, &m, err);

    if (r == 0)
        r = take_all(a, m, err);
    if (r == 0)
        r = tree_build(a->config.state_dir, m, digest, NULL, err);
    if (r == 0)
        collect(a, channel, m);
    return err_context(err, r, "stage");
}
