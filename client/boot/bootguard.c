/* bootguard: see bootguard.h. */
#include "boot/bootguard.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "layout.h"

static const char *const verdict_names[] = {
#define X(name, text) text,
    BOOT_VERDICTS(X)
#undef X
};

const char *boot_verdict_name(enum boot_verdict v)
{
    return verdict_names[v];
}

static enum boot_verdict judge(struct state_boot *b)
{
    if (!b->id[0])
        return BOOT_FIRST;
    if (b->complete)
        return BOOT_GOOD;
    if (!b->orderly)
        return BOOT_FAILED;
    if (++b->neutral_boots < BOOTGUARD_NEUTRAL_MAX)
        return BOOT_NEUTRAL;
    b->neutral_boots = 0;
    return BOOT_FAILED;
}

enum boot_verdict bootguard_begin(struct state_boot *b, const char *boot_id, bool special)
{
    enum boot_verdict v;

    if (special)
        return BOOT_SPECIAL;
    if (strcmp(b->id, boot_id) == 0)
        return BOOT_SAME;
    v = judge(b);
    if (v == BOOT_FAILED) {
        b->failed_boots++;
        b->failed_last = true;
    } else if (v == BOOT_GOOD) {
        b->failed_boots = b->neutral_boots = 0;
        b->failed_last = false;
    }
    snprintf(b->id, sizeof b->id, "%s", boot_id);
    b->complete = b->orderly = false;
    return v;
}

void bootguard_complete(struct state_boot *b)
{
    b->complete = true;
    b->failed_last = false;
    b->failed_boots = b->neutral_boots = 0;
}

bool bootguard_moves(const struct state_channel *c)
{
    return c->current[0] && strcmp(c->current, c->at_boot) == 0 &&
           strcmp(c->current, c->good_boot) != 0;
}

void bootguard_shutdown(struct state_boot *b)
{
    b->orderly = true;
}

static bool is_due(struct state_channel *c, int64_t failed_boots, int64_t limit)
{
    const struct state_release *r = state_release(c, c->current);

    if (!c->current[0] || strcmp(c->current, c->good_boot) == 0)
        return false;
    return failed_boots >= (r && r->early_boot ? 1 : limit);
}

static int64_t changed_at(struct state_channel *c)
{
    const struct state_release *r = state_release(c, c->current);

    return r ? r->since_s : 0;
}

struct state_channel *bootguard_revert(struct state *s, int64_t limit)
{
    struct state_channel *newest = NULL;

    for (size_t i = 0; i < s->n_channels; i++) {
        struct state_channel *c = &s->channels[i];

        if (is_due(c, s->boot.failed_boots, limit) &&
            (!newest || changed_at(c) > changed_at(newest)))
            newest = c;
    }
    return newest;
}

const char *bootguard_target(const struct state_channel *c, const char *damaged)
{
    const char *const ways[] = {c->good_boot, c->good_run};

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (ways[i][0] && strcmp(ways[i], c->current) != 0 && strcmp(ways[i], damaged) != 0 &&
            !state_put_away(c, ways[i]))
            return ways[i];
    return "";
}

bool bootguard_is_on(const char *setting, const char *root, const char **ret_why)
{
    static const char *const marks[] = {"run/systemd/container", ".dockerenv", "run/.containerenv"};
    struct path p;

    if (strcmp(setting, "auto") != 0) {
        *ret_why = "set in the configuration";
        return strcmp(setting, "on") == 0;
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (file_exists(layout_at(&p, root, "%s", marks[i]))) {
            *ret_why = "this is a container: it does not boot";
            return false;
        }
    *ret_why = "this is a machine";
    return true;
}
