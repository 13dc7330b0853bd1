/* run: see run.h. */
#include "run.h"

#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "endpoint.h"
#include "httpsig.h"
#include "metadata.h"
#include "pool.h"
#include "queue.h"
#include "result.h"

#define METADATA_POLL_MS 5000
#define LONGEST_WAIT_MS  1000
#define CHECKIN_PATH     "/api/v1/checkin"
#define ENROL_PATH       "/api/v1/enrol"

struct run {
    const struct run_options *o;
    const struct clock *clock;
    struct endpoint *endpoints;
    struct catalog catalog;
    struct view *view;
    struct queue queue;
    struct pool *pool;
    struct metadata_thread *metadata;
    struct result result;
    int64_t n_spoke;   /* endpoints whose check-in about their channel was answered */
    bool ready;        /* all of them were */
    int64_t n_settled; /* endpoints that have run something healthily */
    struct err fatal;  /* ends the loop */
};

static struct endpoint_world world(struct run *run)
{
    return (struct endpoint_world){.script = run->o->script,
                                   .catalog = &run->catalog,
                                   .view = run->view,
                                   .boot_ms = clock_boot_ms(run->clock),
                                   .lives = run->result.lives};
}

static void count_error(struct run *run, enum err_code code)
{
    if (code > ERR_OK && code < ERR_N_CODES)
        run->result.errors[code]++;
}

static void requeue(struct run *run, const struct endpoint *e)
{
    if (e->due_ms != ENDPOINT_NEVER)
        queue_push(&run->queue, e->due_ms, e->index);
}

/* Where the answer is a problem: its code. */
static enum err_code problem_code(const struct http_response *rs)
{
    struct err err = {0};

    http_problem(rs, "answer", &err);
    return err.code;
}

static void take_answer(struct run *run, struct endpoint *e, const struct http_response *rs)
{
    const struct endpoint_world w = world(run);
    bool enrolling = e->phase == ENDPOINT_ENROL, spoke = e->spoke, settled = e->settled;
    struct endpoint_grant grant;
    struct err err = {0};
    int64_t snapshot;

    if (endpoint_answered(e, &w, rs->body.data, rs->body.len, &grant, &snapshot, &err) < 0)
        count_error(run, err.code);
    run->result.enrolled += enrolling && e->phase == ENDPOINT_ACTIVE;
    run->n_spoke += !spoke && e->spoke;
    run->n_settled += !settled && e->settled;
    if (grant.granted && result_add_grant(&run->result, e->device, &grant, &err) < 0)
        run->fatal = err;
    if (snapshot > (run->view ? run->view->snapshot_version : 0))
        metadata_want(run->metadata, snapshot);
}

static void on_done(void *user, void *ctx, int r, const struct http_response *rs)
{
    struct run *run = user;
    struct endpoint *e = ctx;
    const struct endpoint_world w = world(run);
    enum err_code code;

    run->result.requests++;
    if (r == 0 && rs->status >= 200 && rs->status < 300) {
        take_answer(run, e, rs);
    } else {
        code = r < 0 ? (enum err_code) - r : rs->status >= 400 ? problem_code(rs) : ERR_INVALID;
        count_error(run, code);
        endpoint_failed(e, &w, code, r == 0 ? rs->retry_after_s : -1);
    }
    requeue(run, e);
}

static int submit_enrolment(struct run *run, struct endpoint *e, struct err *err)
{
    char bearer[600];
    const struct pool_request rq = {.path = ENROL_PATH,
                                    .headers = {"Content-Type: application/json", bearer},
                                    .body = e->body,
                                    .body_len = e->body_len,
                                    .ctx = e};
    int r;

    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", run->o->token);
    r = pool_submit(run->pool, &rq, err);
    explicit_bzero(bearer, sizeof bearer);
    return r;
}

static int submit_checkin(struct run *run, struct endpoint *e, struct err *err)
{
    struct httpsig_headers h;
    char digest[128], input[HTTPSIG_HEADER_MAX + 32], signature[160];
    const struct pool_request rq = {
        .path = CHECKIN_PATH,
        .headers = {"Content-Type: application/json", digest, input, signature},
        .body = e->body,
        .body_len = e->body_len,
        .ctx = e};
    int r = httpsig_sign("POST", CHECKIN_PATH, e->body, e->body_len, e->device, e->generation,
                         e->key, clock_wall_ms(run->clock) / 1000, &h, err);

    if (r < 0)
        return r;
    snprintf(digest, sizeof digest, "Content-Digest: %s", h.content_digest);
    snprintf(input, sizeof input, "Signature-Input: %s", h.signature_input);
    snprintf(signature, sizeof signature, "Signature: %s", h.signature);
    return pool_submit(run->pool, &rq, err);
}

/* When the outage ends that holds now; 0: none does. */
static int64_t outage_end_ms(const struct run *run, int64_t now_ms)
{
    const struct script_outage *o = &run->o->script->outage;

    for (int i = 0; o->on_release[0] && i < run->catalog.n; i++) {
        int64_t from_ms = run->catalog.releases[i].seen_ms + o->after_ms;

        if (strcmp(run->catalog.releases[i].version, o->on_release) == 0 && now_ms >= from_ms &&
            now_ms < from_ms + o->for_ms)
            return from_ms + o->for_ms;
    }
    return 0;
}

/* Nobody gets through; afterwards they come spread over a tick. */
static void hold(struct run *run, struct endpoint *e, int64_t until_ms)
{
    e->due_ms = until_ms + (int64_t)(rand_u64() % (uint64_t)run->o->script->tick_ms);
    requeue(run, e);
}

static int submit_next(struct run *run, struct err *err)
{
    struct endpoint *e = &run->endpoints[queue_pop(&run->queue)];
    const struct endpoint_world w = world(run);
    int64_t outage_ms = outage_end_ms(run, w.boot_ms);
    int r;

    if (outage_ms) {
        hold(run, e, outage_ms);
        return 0;
    }
    r = endpoint_request(e, &w, err);
    if (r < 0)
        return err_context(err, r, "endpoint %u", e->index);
    return e->phase == ENDPOINT_ENROL ? submit_enrolment(run, e, err) : submit_checkin(run, e, err);
}

static void take_metadata(struct run *run)
{
    int failure;
    struct view *v = metadata_take(run->metadata, &failure);

    count_error(run, (enum err_code) - failure);
    if (!v)
        return;
    catalog_adopt(&run->catalog, v, clock_boot_ms(run->clock));
    view_free(run->view);
    run->view = v;
}

static int tell_ready(struct run *run, struct err *err)
{
    if (run->ready || run->n_spoke < run->o->script->n_endpoints)
        return 0;
    run->ready = true;
    log_info("fleet", "all %lld endpoints are enrolled and were heard", (long long)run->n_spoke);
    return run->o->ready_file ? file_write_durable(run->o->ready_file, "ready\n", 6, 0644, err) : 0;
}

/* Ordinary life begins once there is something to live with. */
static void tell_lives(struct run *run)
{
    if (run->result.lives || !run->o->script->life.on ||
        run->n_settled < run->o->script->n_endpoints)
        return;
    run->result.lives = true;
    log_info("fleet", "all run content that has soaked; ordinary life begins");
}

static int write_result(const struct run *run, struct err *err)
{
    return result_write(&run->result, &run->catalog, run->endpoints,
                        (size_t)run->o->script->n_endpoints, run->o->out, err);
}

/* 1: stop, 0: go on. SIGUSR1 writes the result as it stands. */
static int take_signal(const struct run *run, struct err *err)
{
    struct signalfd_siginfo info;
    int r = 0;

    while (r == 0 && read(run->o->stop_fd, &info, sizeof info) == (ssize_t)sizeof info)
        r = info.ssi_signo == SIGUSR1 ? write_result(run, err) : 1;
    return r;
}

static int loop(struct run *run, struct err *err)
{
    int64_t end_ms =
        run->o->duration_s ? clock_boot_ms(run->clock) + run->o->duration_s * 1000 : INT64_MAX;
    int r = 0;

    while (r == 0 && (r = take_signal(run, err)) == 0) {
        int64_t now_ms = clock_boot_ms(run->clock), next_ms;

        if (now_ms >= end_ms)
            break;
        take_metadata(run);
        while (r == 0 && !pool_is_full(run->pool) && queue_first_ms(&run->queue) <= now_ms)
            r = submit_next(run, err);
        next_ms = pool_is_full(run->pool) ? INT64_MAX : queue_first_ms(&run->queue);
        next_ms = next_ms < end_ms ? next_ms : end_ms;
        next_ms = next_ms - now_ms < LONGEST_WAIT_MS ? next_ms - now_ms : LONGEST_WAIT_MS;
        if (r == 0)
            r = pool_run(run->pool, next_ms > 0 ? next_ms : 0, run->o->stop_fd, on_done, run, err);
        if (r == 0)
            r = tell_ready(run, err);
        tell_lives(run);
        if (r == 0 && run->fatal.code != ERR_OK) {
            *err = run->fatal;
            r = -(int)err->code;
        }
    }
    return r < 0 ? r : 0;
}

static int make_endpoints(struct run *run, struct err *err)
{
    const struct script *s = run->o->script;
    int64_t now_ms = clock_boot_ms(run->clock);
    uint32_t index = 0;

    run->endpoints = calloc((size_t)s->n_endpoints, sizeof *run->endpoints);
    if (!run->endpoints || queue_init(&run->queue, (size_t)s->n_endpoints) < 0)
        return err_set(err, ERR_NOMEM, "out of memory for %lld endpoints",
                       (long long)s->n_endpoints);
    for (size_t g = 0; g < s->n_groups; g++)
        for (int64_t i = 0; i < s->groups[g].count; i++, index++) {
            endpoint_init(&run->endpoints[index], s, &s->groups[g], index, now_ms);
            requeue(run, &run->endpoints[index]);
        }
    return 0;
}

static void wake(void *ctx)
{
    pool_wake(ctx);
}

static int start(struct run *run, struct err *err)
{
    struct metadata_options m = {.http = run->o->http,
                                 .root_file = run->o->root_file,
                                 .channel = run->o->script->channel,
                                 .poll_ms = METADATA_POLL_MS,
                                 .wake = wake};
    int r = make_endpoints(run, err);

    if (r == 0)
        r = pool_new(&run->o->http, run->o->script->connections, &run->pool, err);
    m.ctx = run->pool;
    return r == 0 ? metadata_start(&m, &run->metadata, err) : r;
}

static void release(struct run *run)
{
    metadata_stop(run->metadata); /* before the pool, which it wakes */
    pool_free(run->pool);
    for (int64_t i = 0; run->endpoints && i < run->o->script->n_endpoints; i++)
        endpoint_release(&run->endpoints[i]);
    free(run->endpoints);
    queue_release(&run->queue);
    view_free(run->view);
    result_release(&run->result);
}

int run_fleet(const struct run_options *o, struct err *err)
{
    struct run *run = calloc(1, sizeof *run);
    int r;

    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");
    run->o = o;
    run->clock = clock_system();
    r = start(run, err);
    if (r == 0)
        r = loop(run, err);
    if (r == 0)
        r = write_result(run, err);
    release(run);
    free(run);
    return r;
}
