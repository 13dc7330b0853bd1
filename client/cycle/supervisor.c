/* supervisor: see supervisor.h. One thread, one poll(2): signals, a timer, the spool, two pipes. */
#include "cycle/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "cycle/cycle.h"
#include "layout.h"
#include "cycle/schedule.h"

#define BANK_MS  60000 /* awake time is banked at least this often */
#define HURRY_MS 1000  /* news make a check-in come sooner, but not closer to the last than this */

struct supervisor {
    struct cycle cycle;
    int signals, timer, spool;
    int64_t next_ms;  /* boot clock: the next cycle */
    int64_t began_ms; /* the last cycle */
    int64_t banked_ms;
    bool stopping;
    bool news; /* there is something to tell, and a cycle is going on */
};

static int64_t now_ms(const struct supervisor *s)
{
    return clock_boot_ms(s->cycle.agent->clock);
}

/* Events are kept by workers and by other commands; each new one is a reason to check in. */
static int watch_spool(struct supervisor *s, struct err *err)
{
    struct path p;
    int r = file_mkdir_p(layout_at(&p, s->cycle.agent->config.state_dir, LAYOUT_SPOOL), 0700, err);

    if (r < 0)
        return r;
    s->spool = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (s->spool < 0 || inotify_add_watch(s->spool, p.s, IN_MOVED_TO) < 0)
        return err_errno(err, errno, "watch '%s'", p.s);
    return 0;
}

static int open_loop(struct supervisor *s, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->signals < 0 || s->timer < 0)
        return err_errno(err, errno, "set up the event loop");
    return watch_spool(s, err);
}

static void close_loop(struct supervisor *s)
{
    close_p(&s->signals);
    close_p(&s->timer);
    close_p(&s->spool);
}

static void arm(const struct supervisor *s, int64_t at_ms)
{
    struct itimerspec t = {.it_value = {at_ms / 1000, at_ms % 1000 * 1000000}};

    if (at_ms <= 0)
        t.it_value.tv_nsec = 1;
    timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* There is something to tell: the next check-in comes soon. */
static void hurry(struct supervisor *s)
{
    int64_t soon = s->began_ms + HURRY_MS;

    s->news = s->cycle.step != CYCLE_IDLE;
    if (!s->cycle.failures && soon < s->next_ms)
        s->next_ms = soon;
}

static void take_spool(struct supervisor *s)
{
    char events[4096];

    while (read(s->spool, events, sizeof events) > 0)
        ;
    hurry(s);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return !b || (a && a < b) ? a : b;
}

/* Wait for anything; then take what has come. */
static void wait_and_take(struct supervisor *s, int64_t until_ms)
{
    struct cycle *c = &s->cycle;
    struct pollfd p[5] = {{.fd = s->signals, .events = POLLIN},
                          {.fd = s->timer, .events = POLLIN},
                          {.fd = c->job.pid ? c->job.out : -1, .events = POLLIN},
                          {.fd = c->apply.pid ? c->apply.out : -1, .events = POLLIN},
                          {.fd = s->spool, .events = POLLIN}};
    struct signalfd_siginfo si;
    uint64_t ticks;

    arm(s, until_ms);
    if (poll(p, 5, -1) < 0)
        return;
    if (p[0].revents && read(s->signals, &si, sizeof si) == sizeof si)
        s->stopping = true;
    if (p[1].revents)
        (void)!read(s->timer, &ticks, sizeof ticks);
    if (p[2].revents)
        child_read(&c->job);
    if (p[3].revents)
        child_read(&c->apply);
    if (p[4].revents)
        take_spool(s);
}

static bool job_is_over(const struct supervisor *s)
{
    const struct child *j = &s->cycle.job;

    return j->pid && (j->ended || (j->deadline_ms && now_ms(s) >= j->deadline_ms));
}

static void plan_next(struct supervisor *s)
{
    struct cycle *c = &s->cycle;
    int64_t wait = c->failures
                       ? schedule_after_failure(c->failures, c->agent->config.poll_interval_ms,
                                                c->retry_after_ms, rand_u64())
                       : schedule_after_answer(c->next_ms, rand_u64());

    /* News of newer metadata is acted on at once, but not by a whole fleet in one instant. */
    if (!c->failures && c->offered_version > 0) {
        _cleanup_(free_p)
        struct state *st = NULL;

        if (state_load(&c->agent->place, &st, NULL) == 0 &&
            c->offered_version > st->snapshot_version && !c->first_err.code) {
            int64_t soon = schedule_jitter(c->tick_ms ? c->tick_ms : 1000, rand_u64());

            wait = soon < wait ? soon : wait;
        }
    }
    s->next_ms = now_ms(s) + wait;
    if (s->news)
        hurry(s);
}

static int keep_bank(struct state *s, void *ctx, struct err *err)
{
    (void)s;
    (void)ctx;
    (void)err;
    return 0;
}

/* Every write banks the time awake; without any other one, this does. */
static void bank(struct supervisor *s)
{
    struct err err = {0};

    if (now_ms(s) - s->banked_ms < BANK_MS)
        return;
    s->banked_ms = now_ms(s);
    if (state_update(&s->cycle.agent->place, keep_bank, NULL, &err) < 0)
        log_warn("state", "%s", err.msg);
}

static void take_ends(struct supervisor *s)
{
    struct cycle *c = &s->cycle;
    struct err err = {0};

    if (job_is_over(s)) {
        cycle_continue(c);
        if (c->step == CYCLE_IDLE)
            plan_next(s);
    }
    if (c->apply.pid && c->apply.ended) {
        int r = cycle_applied(c, &err);

        /* What could not be resolved is tried again, but not in a circle. */
        c->resolve_ms = r == 0 ? 0 : now_ms(s) + c->agent->config.poll_interval_ms;
        hurry(s);
    }
}

/* Let a worker come to where it can be left: it ends a soak at once, and a hook by its deadline. */
static void stop_children(struct supervisor *s)
{
    struct cycle *c = &s->cycle;
    struct err err = {0};

    if (c->job.pid) {
        json_t *result = NULL;

        child_kill(&c->job, SIGKILL);
        child_finish(&c->job, &result, &err);
        json_decref(result);
    }
    child_kill(&c->apply, SIGTERM);
    while (c->apply.pid && !c->apply.ended) {
        struct pollfd p = {.fd = c->apply.out, .events = POLLIN};

        poll(&p, 1, 1000);
        child_read(&c->apply);
    }
    if (c->apply.pid)
        cycle_applied(c, &err);
}

int supervisor_run(struct agent *a, struct err *err)
{
    struct supervisor s = {.signals = -1, .timer = -1, .spool = -1};
    int r;

    cycle_init(&s.cycle, a);
    r = open_loop(&s, err);
    s.next_ms = now_ms(&s) + schedule_jitter(a->config.poll_interval_ms / 10, rand_u64());
    while (r == 0 && !s.stopping) {
        int64_t due = earlier(cycle_resolve(&s.cycle, false), s.cycle.job.deadline_ms);

        if (s.cycle.step == CYCLE_IDLE) {
            if (now_ms(&s) >= s.next_ms) {
                bank(&s);
                s.began_ms = now_ms(&s);
                cycle_begin(&s.cycle);
                if (s.cycle.step == CYCLE_IDLE) { /* could not even begin */
                    s.cycle.failures++;
                    plan_next(&s);
                }
                continue;
            }
            due = earlier(due, s.next_ms);
        }
        wait_and_take(&s, due ? due : now_ms(&s) + BANK_MS);
        take_ends(&s);
    }
    if (r == 0)
        stop_children(&s);
    cycle_release(&s.cycle);
    close_loop(&s);
    return r;
}

/* Until the present cycle and what it started have ended, or a signal comes. */
static int settle(struct supervisor *s, struct err *err)
{
    struct cycle *c = &s->cycle;
    int r = 0;

    while (!s->stopping && (c->step != CYCLE_IDLE || c->apply.pid)) {
        int64_t due = c->job.pid ? c->job.deadline_ms : 0;

        wait_and_take(s, due ? due : now_ms(s) + BANK_MS);
        if (job_is_over(s))
            cycle_continue(c);
        if (c->apply.pid && c->apply.ended)
            r = cycle_applied(c, err);
    }
    return s->stopping ? err_set(err, ERR_UNAVAILABLE, "stopped by a signal") : r;
}

static int one_pass(struct supervisor *s, struct err *err)
{
    struct cycle *c = &s->cycle;
    int r;

    cycle_resolve(c, true);
    r = settle(s, err);
    if (r < 0)
        return r;
    cycle_begin(c);
    r = settle(s, err);
    if (r < 0 || !c->first_err.code)
        return r;
    *err = c->first_err;
    return -(int)err->code;
}

int supervisor_once(struct agent *a, struct err *err)
{
    struct supervisor s = {.signals = -1, .timer = -1, .spool = -1};
    struct err later = {0};
    int r;

    cycle_init(&s.cycle, a);
    r = open_loop(&s, err);
    if (r == 0)
        r = one_pass(&s, err);
    if (!s.stopping && s.signals >= 0 && s.cycle.was_permitted) {
        int q; /* tell how it went */

        cycle_begin(&s.cycle);
        q = settle(&s, &later);
        if (r == 0 && (q < 0 || s.cycle.first_err.code)) {
            *err = q < 0 ? later : s.cycle.first_err;
            r = -(int)err->code;
        }
    }
    if (s.signals >= 0)
        stop_children(&s);
    cycle_release(&s.cycle);
    close_loop(&s);
    return r;
}
