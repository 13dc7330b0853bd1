/* trouble: see trouble.h. */
#include "trust/trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define EXPIRED "expired-"

struct day {
    char text[11]; /* 2026-11-25 */
};

static struct day day_of(int64_t wall_s)
{
    char full[21];
    struct day d;

    clock_format_utc(wall_s, full);
    snprintf(d.text, sizeof d.text, "%.10s", full);
    return d;
}

bool trouble_clock_is_early(const struct trouble_clock *c)
{
    return c->now_s < c->built_s;
}

void trouble_early(const struct trouble_clock *c, struct state_trouble *ret)
{
    memset(ret, 0, sizeof *ret);
    strcpy(ret->hold, TROUBLE_CLOCK);
    snprintf(ret->words, sizeof ret->words,
             "the clock says %s, before this agent was built (%s): set it", day_of(c->now_s).text,
             day_of(c->built_s).text);
}

void trouble_expired(const struct trouble_clock *c, const char *what, struct state_trouble *ret)
{
    char role[STATE_ROLE_MAX], server[40] = "";

    memset(ret, 0, sizeof *ret);
    snprintf(role, sizeof role, "%.*s", (int)strcspn(what, " "), what);
    if (text_word_check(role, NULL) < 0)
        strcpy(role, "metadata");
    snprintf(ret->hold, sizeof ret->hold, EXPIRED "%s", role);
    if (c->server_ahead_s)
        snprintf(server, sizeof server, ", the server said %s",
                 day_of(c->now_s + c->server_ahead_s).text);
    snprintf(
        ret->words, sizeof ret->words,
        "%.*s; the clock says %s%s: if the clock is wrong set it, otherwise the repository has "
        "expired",
        text_shown(what, 100), what, day_of(c->now_s).text, server);
}

/* What no network does to bytes that are signed: the repository, or somebody on the way, is wrong.
 */
static bool is_bad_metadata(enum err_code code)
{
    static const enum err_code codes[] = {ERR_UNTRUSTED, ERR_UNDERSIGNED, ERR_ROLLBACK,
                                          ERR_TAMPERED,  ERR_BAD_PATH,    ERR_INVALID,
                                          ERR_TOO_LARGE};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* The part of a message that begins with the role: before it stand the contexts. */
static const char *innermost(const char *msg)
{
    const char *p = msg, *next;

    while ((next = strstr(p, ": ")))
        p = next + 2;
    return p;
}

void trouble_of(const struct trouble_clock *c, const struct err *err, struct state_trouble *ret)
{
    memset(ret, 0, sizeof *ret);
    if (trouble_clock_is_early(c)) {
        trouble_early(c, ret);
    } else if (err->code == ERR_EXPIRED) {
        trouble_expired(c, innermost(err->msg), ret);
    } else if (is_bad_metadata(err->code)) {
        snprintf(ret->hold, sizeof ret->hold, "metadata-%s", err_slug(err->code));
        snprintf(ret->words, sizeof ret->words, "%.*s", text_shown(err->msg, STATE_WORDS_MAX - 1),
                 err->msg);
    }
}

/* What was verified has run out since, and nothing newer came. */
static void ran_out(const struct trouble_clock *c, const struct state *s, struct state_trouble *ret)
{
    char what[STATE_ROLE_MAX + 40], when[21];

    clock_format_utc(s->expires_s, when);
    snprintf(what, sizeof what, "%s expired at %s",
             s->expires_role[0] ? s->expires_role : "metadata", when);
    trouble_expired(c, what, ret);
}

struct state_trouble trouble_now(const struct trouble_clock *c, const struct state *s,
                                 const struct state_channel *channel)
{
    struct state_trouble t = {0};

    if (trouble_clock_is_early(c))
        trouble_early(c, &t);
    else if (s->trouble.hold[0] && strcmp(s->trouble.hold, TROUBLE_CLOCK) != 0)
        t = s->trouble;
    else if (s->expires_s && s->expires_s <= c->now_s)
        ran_out(c, s, &t);
    else if (channel)
        t = channel->trouble;
    return t;
}
