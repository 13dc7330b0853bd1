/* controller: one thread; see controller.h. It never leaves: what fails is logged once for each run
 * of failures, and tried again. */
#include "controller.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "audit.h"
#include "auth.h"
#include "base/log.h"
#include "fleet/fleet.h"
#include "repo/repo.h"
#include "rollouts/rollouts.h"
#include "store/store.h"

#define EXPIRY_EVERY_MS   INT64_C(86400000)
#define RENEWAL_EVERY_MS  1000 /* how often it is looked at; a life is at least two seconds */
#define RECOVERY_EVERY_MS 1000

struct controller {
    struct server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stop, woken;
    int64_t renewal_due_ms, expiry_due_ms; /* boot clock */
    bool renewal_failed, recovery_failed;
};

/* --- recovery -------------------------------------------------------------------------------- */

/* Everything that memory has of the store, in the order in which it was first read. */
static int read_again(struct server *s, struct err *err)
{
    int r = store_commit(s->store, store_batch_new(), err); /* behind all that was handed in */

    if (r == 0)
        r = audit_reload(s, err);
    if (r == 0)
        r = auth_reload(s, err);
    if (r == 0)
        r = repo_reload(s, err);
    if (r == 0)
        r = fleet_reload(s, err);
    return r < 0 ? r : rollouts_reload(s, err);
}

/* Under the site lock: nobody changes memory or hands in a batch meanwhile. */
static bool recover(struct controller *c)
{
    struct server *s = c->server;
    struct err err = {0};
    int r = store_recover(s->store, &err);

    if (r == 0)
        r = read_again(s, &err);
    if (r < 0) {
        if (!c->recovery_failed)
            log_error("controller", "the store is down: %s (%s)", err.msg, err_show_remedy(&err));
        c->recovery_failed = true;
        return false;
    }
    c->recovery_failed = false;
    atomic_store(&s->degraded, false);
    log_warn("controller", "a commit had failed; the store works and was read again");
    return true;
}

/* --- renewal --------------------------------------------------------------------------------- */

static int renew(struct server *s, struct err *err)
{
    struct store_batch *b = store_batch_new();
    struct repo_change *change = NULL;
    int r = repo_stage_renewal(s, b, &change, err);

    if (r < 0 || !change) {
        store_batch_free(b);
        return r;
    }
    r = store_commit(s->store, b, err);
    if (r < 0) {
        repo_discard(s->repo, change);
        atomic_store(&s->degraded, true);
        return r;
    }
    repo_publish(s->repo, change);
    return 0;
}

static void look_after_renewal(struct controller *c)
{
    int64_t now_ms = clock_boot_ms(c->server->clock);
    struct err err = {0};

    if (now_ms < c->renewal_due_ms)
        return;
    c->renewal_due_ms = now_ms + RENEWAL_EVERY_MS;
    if (renew(c->server, &err) == 0) {
        c->renewal_failed = false;
    } else if (!c->renewal_failed) {
        c->renewal_failed = true;
        log_error("controller", "renew the online metadata: %s (%s)", err.msg,
                  err_show_remedy(&err));
    }
}

/* --- expiry ---------------------------------------------------------------------------------- */

/* Once a day: what people must renew, in time. */
static void look_after_expiry(struct controller *c)
{
    int64_t now_ms = clock_boot_ms(c->server->clock);
    struct repo_role roles[REPO_ROLES_MAX];
    size_t n;

    if (now_ms < c->expiry_due_ms)
        return;
    c->expiry_due_ms = now_ms + EXPIRY_EVERY_MS;
    n = repo_roles(c->server, roles);
    for (size_t i = 0; i < n; i++) {
        const struct repo_role *r = &roles[i];
        char at[21];

        if (!r->warn)
            continue;
        clock_format_utc(r->expires_s, at);
        if (r->expires_in_s > 0)
            log_warn("repository", "%s version %lld expires at %s, in %lld days", r->name,
                     (long long)r->version, at, (long long)(r->expires_in_s / 86400));
        else
            log_warn("repository", "%s version %lld expired at %s", r->name, (long long)r->version,
                     at);
    }
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Returns ms until something is due. */
static int64_t work(struct controller *c)
{
    struct server *s = c->server;
    bool broken;
    int64_t next_ms;

    pthread_mutex_lock(&s->site);
    broken = store_failed(s->store) || atomic_load(&s->degraded);
    if (broken && !recover(c)) {
        atomic_store(&s->degraded, true);
        next_ms = RECOVERY_EVERY_MS;
    } else {
        next_ms = rollouts_tick(s);
        look_after_renewal(c);
        look_after_expiry(c);
        /* At once, unless that helped only until the next, larger commit. */
        if (atomic_load(&s->degraded))
            next_ms = broken ? RECOVERY_EVERY_MS : 0;
        else if (next_ms > RENEWAL_EVERY_MS)
            next_ms = RENEWAL_EVERY_MS;
    }
    pthread_mutex_unlock(&s->site);
    return next_ms;
}

/* With the lock held; less where it is woken or stopped. */
static void sleep_ms(struct controller *c, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!c->stop && !c->woken && pthread_cond_timedwait(&c->cond, &c->lock, &until) == 0)
        ;
    c->woken = false;
}

static void *run(void *ctx)
{
    struct controller *c = ctx;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        int64_t ms;

        pthread_mutex_unlock(&c->lock);
        ms = work(c);
        pthread_mutex_lock(&c->lock);
        sleep_ms(c, ms);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

int controller_start(struct server *s, struct controller **ret, struct err *err)
{
    struct controller *c = calloc(1, sizeof *c);
    pthread_condattr_t attr;
    int e;

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->server = s;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    e = pthread_create(&c->thread, NULL, run, c);
    if (e) {
        pthread_cond_destroy(&c->cond);
        pthread_mutex_destroy(&c->lock);
        free(c);
        return err_errno(err, e, "start the controller's thread");
    }
    *ret = c;
    return 0;
}

void controller_stop(struct controller *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void controller_wake(struct controller *c)
{
    pthread_mutex_lock(&c->lock);
    c->woken = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}
