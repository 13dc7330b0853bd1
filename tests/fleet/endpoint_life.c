/* endpoint_life: what happens to an endpoint anyway, whatever it runs: sleep with and without a
 * goodbye, reboots, crashes, downloads; see endpoint_internal.h and script.h. */
#include <math.h>

#include "base/hex.h"
#include "endpoint_internal.h"

#define HOUR_MIN      60.0
#define QUICK_MIN     0.5  /* a reboot takes so long at least, */
#define QUICK_MAX_MIN 4.0  /* and most of them at most so long; */
#define SLOW_MIN      6.0  /* some take more than 5 min, */
#define SLOW_MAX_MIN  14.0 /* less than 15; */
#define LATE_MIN      18.0 /* some more than that. */
#define LATE_MAX_MIN  40.0
#define FRESH_TICKS   3 /* so soon after the release was seen, who asks was awake then */

/* In [0, 1). */
static double draw(void)
{
    return (double)(rand_u64() >> 11) * 0x1p-53;
}

static bool chance(int64_t ppm)
{
    return draw() * PPM < (double)ppm;
}

static int64_t exponential_ms(double mean_ms)
{
    return (int64_t)(-log1p(-draw()) * mean_ms);
}

static int64_t minutes_ms(const struct script_life *l, double from, double to)
{
    return (int64_t)((from + draw() * (to - from)) * (double)l->minute_ms);
}

static int64_t asleep_ms(const struct script_life *l)
{
    return exponential_ms(HOUR_MIN * (double)l->minute_ms * PPM / (double)l->wakes_ppm_h);
}

static int64_t reboot_ms(const struct script_life *l)
{
    if (chance(l->reboot_15min_ppm))
        return minutes_ms(l, LATE_MIN, LATE_MAX_MIN);
    if (chance(l->reboot_5min_ppm))
        return minutes_ms(l, SLOW_MIN, SLOW_MAX_MIN);
    return minutes_ms(l, QUICK_MIN, QUICK_MAX_MIN);
}

/* Its next check-in, at once, is the goodbye. */
static void say_goodbye(struct endpoint *e, const struct endpoint_world *w,
                        enum endpoint_leave leave, int64_t away_ms)
{
    e->leave = leave;
    e->away_ms = away_ms;
    e->due_ms = w->boot_ms;
    endpoint_add_event(e, w, EVENT_GOODBYE, -1, leave == LEAVE_REBOOT ? "reboot" : "shutdown",
                       false);
}

/* The agent goes on; nothing of it gets through for a while. */
static void fall_silent(struct endpoint *e, const struct endpoint_world *w)
{
    const struct script_life *l = &w->script->life;
    int64_t ms = chance(l->long_silence_ppm) ? asleep_ms(l) : minutes_ms(l, SLOW_MIN, SLOW_MAX_MIN);

    e->due_ms = w->boot_ms + ms;
    e->lived_ms = e->due_ms;
}

static void crash(struct endpoint *e, const struct endpoint_world *w)
{
    const struct script_life *l = &w->script->life;

    if (chance(l->consumer_ppm)) {
        endpoint_consumer_crash(e, w);
        return;
    }
    e->leave = LEAVE_CRASH;
    e->away_ms = l->report_ms;
    endpoint_leave_now(e, w);
}

static void begin_life(struct endpoint *e, const struct endpoint_world *w)
{
    const struct script_life *l = &w->script->life;

    e->lived_ms = w->boot_ms;
    if (chance(l->asleep_ppm))
        say_goodbye(e, w, LEAVE_SHUTDOWN, asleep_ms(l));
}

/* One thing happens at most between two check-ins: each by its share of the whole rate. */
void endpoint_live(struct endpoint *e, const struct endpoint_world *w)
{
    const struct script_life *l = &w->script->life;
    int64_t rate = l->goodbyes_ppm_h + l->silences_ppm_h + l->reboots_ppm_h + l->crashes_ppm_h;
    double hours = (double)(w->boot_ms - e->lived_ms) / (HOUR_MIN * (double)l->minute_ms);
    double at;

    if (!e->lived_ms) {
        begin_life(e, w);
        return;
    }
    e->lived_ms = w->boot_ms;
    if (draw() >= -expm1(-hours * (double)rate / PPM))
        return;
    at = draw() * (double)rate;
    if ((at -= (double)l->goodbyes_ppm_h) < 0.0)
        say_goodbye(e, w, LEAVE_SHUTDOWN, asleep_ms(l));
    else if ((at -= (double)l->silences_ppm_h) < 0.0)
        fall_silent(e, w);
    else if ((at -= (double)l->reboots_ppm_h) < 0.0)
        say_goodbye(e, w, LEAVE_REBOOT, reboot_ms(l));
    else
        crash(e, w);
}

/* An unheard goodbye is not told later: it would be the goodbye of a device that is back. */
static void forget_goodbye(struct endpoint *e)
{
    int n = 0;

    for (int i = 0; i < e->n_events; i++)
        if (e->events[i].kind != EVENT_GOODBYE)
            e->events[n++] = e->events[i];
    e->n_events = n;
}

void endpoint_leave_now(struct endpoint *e, const struct endpoint_world *w)
{
    forget_goodbye(e);
    if (e->leave == LEAVE_REBOOT && endpoint_dies_at_reboot(e, w))
        return;
    e->phase = ENDPOINT_AWAY;
    e->due_ms = w->boot_ms + e->away_ms;
}

void endpoint_return(struct endpoint *e, const struct endpoint_world *w)
{
    bool crashed = e->leave == LEAVE_CRASH;

    e->phase = ENDPOINT_ACTIVE;
    e->leave = LEAVE_NOT;
    e->lived_ms = w->boot_ms;
    endpoint_boot(e, w->boot_ms);
    e->boots++;
    if (crashed)
        endpoint_add_event(e, w, EVENT_CRASH, e->running, "unclean-boot", false);
}

bool endpoint_has_staged(struct endpoint *e, const struct endpoint_world *w, int release)
{
    const struct script_life *l = &w->script->life;
    int64_t seen_ms = w->boot_ms - w->catalog->releases[release].seen_ms;

    if (e->staging != release) {
        bool before = l->prestaged && seen_ms <= FRESH_TICKS * w->script->tick_ms;

        e->staging = release;
        e->staged_at_ms = w->boot_ms + (before ? 0 : exponential_ms((double)l->staged_ms));
    }
    return w->boot_ms >= e->staged_at_ms;
}
