#include "table.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "random.h"

#define MAX_THREADS 64

/* ---- playing ---- */

struct work {
    const struct table_job *job;
    struct outcome *outcomes;
    uint64_t stream;
    atomic_int next, done;
    atomic_bool failed;
    pthread_mutex_t lock; /* of err and the progress line */
    struct err *err;
};

/* FNV-1a: each scenario has seeds of its own. */
static uint64_t hash_of(const char *name)
{
    uint64_t h = 0xcbf29ce484222325ULL;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
    return h;
}

static int play_one(const struct work *w, int i, struct outcome *ret, struct err *err)
{
    const struct table_job *job = w->job;
    struct random r;

    random_init(&r, job->seed, w->stream + (uint64_t)i);
    if (job->play)
        return job->play(job->scenario, job->policy, random_next(&r), job->ctx, ret, err);
    return run_seed(job->scenario, job->policy, random_next(&r), NULL, ret, err);
}

static void show_progress(struct work *w, int done)
{
    const struct table_job *job = w->job;
    int step = job->seeds / 100 > 0 ? job->seeds / 100 : 1;

    if (!job->progress || (done % step != 0 && done != job->seeds))
        return;
    pthread_mutex_lock(&w->lock);
    fprintf(job->progress, "\r%s %s: %d of %d seeds (%d %%)\033[K", job->scenario->name,
            job->policy_name, done, job->seeds, (int)(100.0 * done / job->seeds));
    if (done == job->seeds)
        fprintf(job->progress, "\r\033[K");
    fflush(job->progress);
    pthread_mutex_unlock(&w->lock);
}

static void *play_seeds(void *arg)
{
    struct work *w = arg;

    for (;;) {
        int i = atomic_fetch_add(&w->next, 1);
        struct err err = {0};

        if (i >= w->job->seeds || atomic_load(&w->failed))
            return NULL;
        if (play_one(w, i, &w->outcomes[i], &err) < 0) {
            pthread_mutex_lock(&w->lock);
            if (!atomic_exchange(&w->failed, true) && w->err)
                *w->err = err;
            pthread_mutex_unlock(&w->lock);
            return NULL;
        }
        show_progress(w, atomic_fetch_add(&w->done, 1) + 1);
    }
}

static void play_all(struct work *w)
{
    pthread_t threads[MAX_THREADS];
    int n = 0, want = w->job->threads < MAX_THREADS ? w->job->threads : MAX_THREADS;

    while (n < want - 1 && pthread_create(&threads[n], NULL, play_seeds, w) == 0)
        n++;
    play_seeds(w); /* this thread, too: without any other it takes longer, no more */
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

/* ---- adding up ---- */

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Linear between the values, as numpy's default. */
static double percentile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;

    if (n == 0)
        return -1.0;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static double harm_of(const struct outcome *o)
{
    return (double)o->harm;
}

static double stuck_of(const struct outcome *o)
{
    return (double)o->stuck;
}

static double exposed_of(const struct outcome *o)
{
    return (double)o->exposed;
}

static double ask_of(const struct outcome *o)
{
    return o->ask_min;
}

static double exposed_at_halt_of(const struct outcome *o)
{
    return o->halt_min >= 0.0 ? (double)o->exposed_at_halt : -1.0;
}

static double halt_of(const struct outcome *o)
{
    return o->halt_min;
}

static double complete_of(const struct outcome *o)
{
    return o->complete_min;
}

static double cohorts_of(const struct outcome *o)
{
    return o->halted_cohorts;
}

/* Negative values are none. */
static void spread_of(const struct outcome *o, int n, double (*of)(const struct outcome *),
                      double *scratch, struct table_spread *ret)
{
    int kept = 0;

    for (int i = 0; i < n; i++)
        if (of(&o[i]) >= 0.0)
            scratch[kept++] = of(&o[i]);
    qsort(scratch, (size_t)kept, sizeof(*scratch), by_value);
    ret->n = kept;
    ret->p50 = percentile(scratch, kept, 0.50);
    ret->p95 = percentile(scratch, kept, 0.95);
    ret->p99 = percentile(scratch, kept, 0.99);
}

static void add_up(const struct table_job *job, const struct outcome *o, double *scratch,
                   struct table_row *ret)
{
    int n = job->seeds;

    *ret = (struct table_row){.seeds = n, .fleet = job->scenario->fleet};
    snprintf(ret->scenario, sizeof(ret->scenario), "%s", job->scenario->name);
    snprintf(ret->policy, sizeof(ret->policy), "%s", job->policy_name);
    spread_of(o, n, harm_of, scratch, &ret->harm);
    spread_of(o, n, stuck_of, scratch, &ret->stuck);
    spread_of(o, n, exposed_of, scratch, &ret->exposed);
    spread_of(o, n, exposed_at_halt_of, scratch, &ret->exposed_at_halt);
    spread_of(o, n, halt_of, scratch, &ret->halt_min);
    spread_of(o, n, ask_of, scratch, &ret->ask_min);
    spread_of(o, n, complete_of, scratch, &ret->complete_min);
    spread_of(o, n, cohorts_of, scratch, &ret->halted_cohorts);
    for (int i = 0; i < n; i++) {
        ret->halts += o[i].halt_min >= 0.0;
        ret->false_halts += o[i].false_halts > 0;
        ret->unproven += o[i].unproven > 0;
        ret->asked += o[i].ask_min >= 0.0;
        ret->paused += o[i].paused;
        ret->warned += o[i].warned;
        ret->passed_cr += o[i].passed_cr;
        ret->admitted_paused += o[i].admitted_paused;
        ret->peak_checkins = fmax(ret->peak_checkins, o[i].peak_checkins);
    }
}

int table_run(const struct table_job *job, struct table_row *ret, struct err *err)
{
    _cleanup_(free_p)
    struct outcome *outcomes = calloc((size_t)job->seeds, sizeof(*outcomes));
    _cleanup_(free_p)
    double *scratch = calloc((size_t)job->seeds, sizeof(*scratch));
    struct err failed = {0};
    struct work w = {.job = job,
                     .outcomes = outcomes,
                     .stream = hash_of(job->scenario->name),
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .err = &failed};

    if (!outcomes || !scratch)
        return err_set(err, ERR_NOMEM, "out of memory");
    play_all(&w);
    if (atomic_load(&w.failed)) {
        if (err)
            *err = failed;
        return err_context(err, -(int)failed.code, "scenario '%s'", job->scenario->name);
    }
    add_up(job, outcomes, scratch, ret);
    return 0;
}
