/*
 * store: the queue in front of a driver. One writer thread takes everything that waits, commits it
 * at once and tells each batch, in order. See store.h.
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/store_internal.h"

struct store {
    const struct store_driver *driver;
    void *d;
    size_t max_rows;
    int64_t delay_ms;
    pthread_t writer;
    bool started;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;  /* something was queued, or stop */
    pthread_cond_t idle;  /* busy became false */
    struct store_batch *head, **tail;
    size_t queued_rows;
    bool busy; /* somebody uses the driver's writing side */
    bool stop;
    bool failed;
    struct err failure;
    struct store_stats stats;

    pthread_mutex_t reading; /* one reader at a time */
};

/* --- the writer ------------------------------------------------------------------------------ */

static void wait_for_company(struct store *s)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += s->delay_ms / 1000;
    until.tv_nsec += s->delay_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!s->stop && s->queued_rows < s->max_rows)
        if (pthread_cond_timedwait(&s->work, &s->lock, &until) == ETIMEDOUT)
            return;
}

/* Unlink as many batches as fit into one commit, at least one. */
static struct store_batch *take(struct store *s, int64_t *ret_batches, int64_t *ret_rows)
{
    struct store_batch *first = s->head, *last = first;
    size_t rows = first->n;
    int64_t n = 1;

    while (last->next && rows + last->next->n <= s->max_rows) {
        last = last->next;
        rows += last->n;
        n++;
    }
    s->head = last->next;
    if (!s->head)
        s->tail = &s->head;
    last->next = NULL;
    s->queued_rows -= rows;
    *ret_batches = n;
    *ret_rows = (int64_t)rows;
    return first;
}

static void complete(struct store_batch *first, int r, const struct err *err)
{
    while (first) {
        struct store_batch *b = first;

        first = b->next;
        if (b->done)
            b->done(b->ctx, r, r < 0 ? err : NULL);
        store_batch_free(b);
    }
}

static int commit_group(struct store *s, const struct store_batch *first, struct err *err)
{
    for (const struct store_batch *b = first; b; b = b->next)
        if (b->nomem)
            return err_set(err, ERR_NOMEM, "out of memory for a batch of rows");
    return s->driver->commit(s->d, first, err);
}

/* One group, with the lock held at entry and exit but not during the commit. */
static void write_group(struct store *s)
{
    int64_t batches, rows;
    struct store_batch *first = take(s, &batches, &rows);
    struct err err = s->failure;
    int r = s->failed ? -(int)err.code : 0;

    s->busy = true;
    pthread_mutex_unlock(&s->lock);
    if (r == 0)
        r = commit_group(s, first, &err);
    pthread_mutex_lock(&s->lock);
    if (r < 0 && !s->failed) {
        s->failed = true; /* before anyone is told, so that whoever is told sees it */
        s->failure = err;
        s->stats.failures++;
    } else if (r == 0) {
        s->stats.commits++;
        s->stats.batches += batches;
        s->stats.rows += rows;
    }
    pthread_mutex_unlock(&s->lock);
    complete(first, r, &err);
    pthread_mutex_lock(&s->lock);
    s->busy = false;
    pthread_cond_broadcast(&s->idle);
}

static void *write_all(void *ctx)
{
    struct store *s = ctx;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        while ((!s->head || s->busy) && !(s->stop && !s->head))
            pthread_cond_wait(&s->work, &s->lock);
        if (!s->head)
            break;
        if (s->delay_ms > 0 && !s->failed)
            wait_for_company(s);
        if (!s->busy)
            write_group(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- handing in ------------------------------------------------------------------------------ */

void store_submit(struct store *s, struct store_batch *b, store_done_fn done, void *ctx)
{
    struct err err = {0};

    if (!b) {
        if (done)
            done(ctx, err_set(&err, ERR_NOMEM, "out of memory for a batch of rows"), &err);
        return;
    }
    b->done = done;
    b->ctx = ctx;
    b->next = NULL;
    pthread_mutex_lock(&s->lock);
    *s->tail = b;
    s->tail = &b->next;
    s->queued_rows += b->n;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    int r;
    struct err *err;
};

static void wake(void *ctx, int r, const struct err *err)
{
    struct wait *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->r = r;
    if (r < 0 && w->err)
        *w->err = *err;
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

int store_commit(struct store *s, struct store_batch *b, struct err *err)
{
    struct wait w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

    w.err = err;
    store_submit(s, b, wake, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.done);
    pthread_mutex_destroy(&w.lock);
    return w.r;
}

/* --- reading --------------------------------------------------------------------------------- */

static int ask(struct store *s, const struct store_query *q, store_row_fn row, void *ctx,
               struct err *err)
{
    int r;

    pthread_mutex_lock(&s->reading);
    r = s->driver->load(s->d, q, row, ctx, err);
    pthread_mutex_unlock(&s->reading);
    return r;
}

struct visit {
    const struct store_visitor *v;
    void *ctx;
};

/* From an untyped row to the visitor's typed one. */
#define X(noun)                                                                                    \
    static int visit_##noun(void *ctx, const void *row, struct err *err)                           \
    {                                                                                              \
        const struct visit *to = ctx;                                                              \
                                                                                                   \
        return to->v->noun(to->ctx, row, err);                                                     \
    }
STORE_ROWS(X)
#undef X

int store_load(struct store *s, const struct store_visitor *v, void *ctx, struct err *err)
{
    struct visit to = {v, ctx};
    int r = 0;

#define X(noun)                                                                                    \
    if (r == 0 && v->noun)                                                                         \
        r = ask(s, &(struct store_query){.table = STORE_##noun}, visit_##noun, &to, err);
    STORE_ROWS(X)
#undef X
    return r;
}

int store_audit_after(struct store *s, int64_t after, int64_t limit,
                      int (*row)(void *ctx, const struct row_audit *row, struct err *err),
                      void *ctx, struct err *err)
{
    const struct store_visitor v = {.audit = row};
    struct visit to = {&v, ctx};
    const struct store_query q = {
        .table = STORE_audit, .column = "seq", .above = after, .limit = limit};

    return ask(s, &q, visit_audit, &to, err);
}

int store_ticks_after(struct store *s, int64_t rollout, int64_t tick, int64_t limit,
                      int (*row)(void *ctx, const struct row_tick *row, struct err *err), void *ctx,
                      struct err *err)
{
    const struct store_visitor v = {.tick = row};
    struct visit to = {&v, ctx};
    const struct store_query q = {.table = STORE_tick,
                                  .column = "tick",
                                  .above = tick,
                                  .equal = "rollout",
                                  .to = rollout,
                                  .limit = limit};

    return ask(s, &q, visit_tick, &to, err);
}

/* --- life ------------------------------------------------------------------------------------ */

static void free_store(struct store *s)
{
    if (s->d)
        s->driver->close(s->d);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->reading);
    free(s);
}

int store_open(const struct store_options *o, struct store **ret, struct err *err)
{
    struct store *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    int r;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->driver = &store_sqlite;
    s->max_rows = o->max_batch_rows ? o->max_batch_rows : 10000;
    s->delay_ms = o->commit_delay_ms;
    s->tail = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->reading, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_cond_init(&s->idle, &attr);
    pthread_condattr_destroy(&attr);
    r = s->driver->open(o, &s->d, err);
    if (r == 0) {
        r = pthread_create(&s->writer, NULL, write_all, s);
        if (r)
            r = err_errno(err, r, "start the store's thread");
    }
    if (r < 0) {
        free_store(s);
        return r;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
    free_store(s);
}

bool store_failed(struct store *s)
{
    bool failed;

    pthread_mutex_lock(&s->lock);
    failed = s->failed;
    pthread_mutex_unlock(&s->lock);
    return failed;
}

int store_failure(struct store *s, struct err *err)
{
    int r = 0;

    pthread_mutex_lock(&s->lock);
    if (s->failed)
        r = err_set(err, s->failure.code, "%s", s->failure.msg);
    pthread_mutex_unlock(&s->lock);
    return r;
}

int store_recover(struct store *s, struct err *err)
{
    int r = 0;

    pthread_mutex_lock(&s->lock);
    while (s->failed && (s->busy || s->head)) /* what was queued fails first, and is told so */
        pthread_cond_wait(&s->idle, &s->lock);
    if (s->failed) {
        s->busy = true;
        pthread_mutex_unlock(&s->lock);
        pthread_mutex_lock(&s->reading);
        r = s->driver->recover(s->d, err);
        pthread_mutex_unlock(&s->reading);
        pthread_mutex_lock(&s->lock);
        s->failed = r < 0;
        s->busy = false;
        pthread_cond_broadcast(&s->idle);
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

int64_t store_queued(struct store *s)
{
    int64_t n;

    pthread_mutex_lock(&s->lock);
    n = (int64_t)s->queued_rows;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void store_get_stats(struct store *s, struct store_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->stats;
    pthread_mutex_unlock(&s->lock);
}
