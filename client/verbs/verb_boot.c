/* verbs: the boot guard's three moments. Decisions are bootguard.c's. No network, no operator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply.h"
#include "apply/apply_internal.h"
#include "base/file.h"
#include "base/log.h"
#include "boot/bootguard.h"
#include "layout.h"
#include "apply/tree.h"
#include "verbs/verbs.h"

static int tell(const struct cli *cli, const char *verdict, const char *what)
{
    json_auto_t *o = json_pack("{s:s, s:s}", "boot", verdict, "done", what);

    if (!cli_result(cli, o))
        printf("%s: %s\n", verdict, what);
    return 0;
}

/* rescue and emergency targets, single user mode, and the kdump kernel (which has the old memory).
 */
static bool is_special(const struct agent *a)
{
    static const char *const words[] = {"systemd.unit=rescue.target",
                                        "systemd.unit=emergency.target", "single", "rescue",
                                        "emergency"};
    bool special = file_exists("/proc/vmcore");
    struct buf b;

    buf_init(&b, 65536);
    if (file_read(a->config.cmdline_file, &b, NULL) == 0) {
        char *save = NULL;

        for (char *w = strtok_r(b.data, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
            for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
                special = special || strcmp(w, words[i]) == 0;
    }
    buf_release(&b);
    return special;
}

/* --- begin ------------------------------------------------------------------------------------ */

struct beginning {
    const struct agent *agent;
    bool special;
    enum boot_verdict verdict;
    bool unclean; /* the last boot did not end in order */
};

static int begin(struct state *s, void *ctx, struct err *err)
{
    struct beginning *b = ctx;
    bool orderly = s->boot.orderly;

    (void)err;
    b->verdict = bootguard_begin(&s->boot, b->agent->boot_id, b->special);
    b->unclean = !orderly && (b->verdict == BOOT_GOOD || b->verdict == BOOT_FAILED);
    if (b->verdict == BOOT_SAME || b->verdict == BOOT_SPECIAL)
        return 0;
    for (size_t i = 0; i < s->n_channels; i++) {
        struct state_channel *c = &s->channels[i];
        struct state_release *r = state_release(c, c->current);

        memcpy(c->at_boot, c->current, sizeof c->at_boot);
        if (r) {
            r->boots++;
            r->crashes += b->unclean;
        }
    }
    return 0;
}

/* Told before it is recorded: a power cut in between tells it twice rather than never. */
static int tell_crashes(const struct agent *a, struct beginning *b, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    int r = state_load(&a->place, &s, err);

    if (r == 0)
        r = begin(s, b, err); /* on a copy */
    for (size_t i = 0; r == 0 && b->unclean && i < s->n_channels; i++)
        if (s->channels[i].current[0])
            r = agent_event(a, EVENT_CRASH, s->channels[i].name, s->channels[i].current,
                            "unclean-boot", false, NULL, err);
    return r;
}

/* Revoked content is no way back, even here. Where the state cannot be read nobody knows. */
static bool is_revoked(struct state *s, const char *channel, const char *link)
{
    const struct state_channel *c = s ? state_channel(s, channel) : NULL;
    char digest[65];

    snprintf(digest, sizeof digest, "%.64s", link);
    return c && state_revoked(c, digest);
}

/* Not even the counter can be written: what booted well before is all that may run. */
static void use_good_boot(const struct agent *a)
{
    _cleanup_(free_p)
    struct state *s = NULL;

    (void)state_load(&a->place, &s, NULL);
    for (size_t i = 0; i < a->config.n_channels; i++) {
        const char *channel = a->config.channels[i].name;
        char good[TREE_NAME_MAX];
        struct err err = {0};

        if (tree_link(a->config.state_dir, channel, "good-boot", good, &err) < 0 || !good[0] ||
            is_revoked(s, channel, good))
            continue;
        if (tree_set_link(a->config.state_dir, channel, "current", good, &err) < 0)
            log_error("boot", "channel=%s cannot be set to good-boot: %s", channel, err.msg);
    }
}

static bool is_whole(const struct agent *a, const struct state_channel *c, const char *digest)
{
    struct err err = {0};

    if (apply_ensure_tree(a, c->name, digest, &err) == 0)
        return true;
    log_error("boot", "channel=%s %.12s cannot be used: %s", c->name, digest, err.msg);
    return false;
}

static const char *way_back(const struct agent *a, const struct state_channel *c)
{
    const char *to = bootguard_target(c, "");

    if (!*to || is_whole(a, c, to))
        return to;
    to = bootguard_target(c, to);
    return *to && is_whole(a, c, to) ? to : "";
}

/* The newest change goes; the consumer has not started yet, so that nothing is to be activated. */
static int revert(const struct agent *a, const char **ret_what, struct err *err)
{
    _cleanup_(free_p)
    struct state *s = NULL;
    _cleanup_(close_p)
    int lock = agent_lock(a, LAYOUT_APPLY_LOCK, err);
    struct config_channel conf = {0};
    struct apply ap = {.agent = a, .conf = &conf};
    struct verdict v = {.cause = "boot-failed"};
    struct state_channel *c;
    int r = lock < 0 ? lock : state_load(&a->place, &s, err);

    if (r < 0)
        return r;
    c = bootguard_revert(s, a->config.boot_limit);
    *ret_what = "updates are held until a boot is complete";
    if (!c)
        return 0;
    snprintf(conf.name, sizeof conf.name, "%s", c->name);
    *ret_what = "the newest change was reverted; updates are held until a boot is complete";
    return apply_back(&ap, c->current, way_back(a, c), &v, err);
}

int verb_boot_begin(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    struct beginning b = {0};
    const char *what = "recorded";
    int r = verb_open(cli, &a, err);

    if (r < 0)
        return r;
    if (!a->guard)
        return tell(cli, "no boot guard", a->guard_why);
    b.agent = a;
    b.special = is_special(a);
    r = tell_crashes(a, &b, err);
    if (r == 0)
        r = state_update(&a->place, begin, &b, err);
    if (r == -ERR_HELD)
        return r; /* lost state: nothing is moved */
    if (r < 0) {
        use_good_boot(a);
        return err_context(err, r, "the boot could not be recorded: good-boot only");
    }
    if (b.verdict == BOOT_FAILED)
        r = revert(a, &what, err);
    return r < 0 ? r : tell(cli, boot_verdict_name(b.verdict), what);
}

/* --- complete --------------------------------------------------------------------------------- */

/* The copy is whole and the link moved before the state says so. */
static int move_good_boot(const struct agent *a, const struct state_channel *c, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = NULL;
    char name[TREE_NAME_MAX];
    int r = tree_manifest(a->config.state_dir, c->name, c->current, &m, err);

    snprintf(name, sizeof name, "%s" TREE_BOOT_SUFFIX, c->current);
    if (r == 0)
        r = tree_build(a->config.state_dir, m, name, c->current, err);
    return r < 0 ? r : tree_set_link(a->config.state_dir, c->name, "good-boot", name, err);
}

struct completion {
    char moved[CHECKIN_MAX_CHANNELS][65]; /* by index of the channel; "" not */
};

static int complete(struct state *s, void *ctx, struct err *err)
{
    const struct completion *done = ctx;

    (void)err;
    bootguard_complete(&s->boot);
    for (size_t i = 0; i < s->n_channels; i++)
        if (done->moved[i][0])
            memcpy(s->channels[i].good_boot, done->moved[i], sizeof done->moved[i]);
    return 0;
}

int verb_boot_complete(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    _cleanup_(free_p)
    struct state *s = NULL;
    struct completion done = {0};
    struct err why = {0};
    int r = verb_open(cli, &a, err), moved = 0;

    if (r == 0 && !a->guard)
        return tell(cli, "no boot guard", a->guard_why);
    if (r == 0)
        r = state_load(&a->place, &s, err);
    if (r < 0)
        return r;
    if (strcmp(s->boot.id, a->boot_id) != 0)
        return err_set(err, ERR_HELD, "this boot was not recorded: 'boot begin' did not run");
    for (size_t i = 0; i < s->n_channels; i++) {
        if (!bootguard_moves(&s->channels[i]))
            continue;
        if (move_good_boot(a, &s->channels[i], &why) < 0)
            moved = -(int)why.code; /* the boot is good all the same */
        else
            memcpy(done.moved[i], s->channels[i].current, sizeof done.moved[i]);
    }
    r = state_update(&a->place, complete, &done, err);
    if (r == 0 && moved < 0) {
        *err = why;
        return err_context(err, moved, "the boot is complete, but good-boot stays");
    }
    return r < 0 ? r : tell(cli, "complete", "good");
}

/* --- shutdown --------------------------------------------------------------------------------- */

static int shut_down(struct state *s, void *ctx, struct err *err)
{
    (void)ctx;
    (void)err;
    bootguard_shutdown(&s->boot);
    return 0;
}

#define REBOOT_CHECK_MS 3000 /* systemd waits for this at the way down */

/* A machine that is to come back is missed where it does not; one that is switched off is not.
 * Where nobody can tell it is the latter. */
static bool is_reboot(const struct agent *a)
{
    struct hook h = {.kind = "reboot_check",
                     .command = a->config.reboot_check,
                     .deadline_ms = REBOOT_CHECK_MS,
                     .confined = true,
                     .channel = "",
                     .version = "",
                     .digest = "",
                     .dir = ""};
    const char *level = getenv("RUNLEVEL"); /* of sysvinit's scripts */
    struct hook_result result;
    struct err err = {0};

    if (level && strcmp(level, "6") == 0)
        return true;
    if (!h.command)
        return false;
    if (hook_run(&h, &result, &err) == 0)
        return result.good;
    log_warn("boot", "%s; told as a shutdown", err.msg);
    return false;
}

/* The goodbye is kept; a running agent sends it while it can, else the next boot does. */
int verb_boot_shutdown(struct cli *cli, struct err *err)
{
    _cleanup_(agent_free_p)
    struct agent *a = NULL;
    const char *cause = "";
    int r = verb_open(cli, &a, err);

    if (r == 0) {
        cause = is_reboot(a) ? "reboot" : "shutdown";
        r = agent_event(a, EVENT_GOODBYE, "", "", cause, false, NULL, err);
    }
    if (r == 0 && !a->guard)
        return tell(cli, "no boot guard", a->guard_why);
    if (r == 0)
        r = state_update(&a->place, shut_down, NULL, err);
    return r < 0 ? r : tell(cli, cause, "recorded");
}
